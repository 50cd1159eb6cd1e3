"""The distribution: complete, installable anywhere, and clear about what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc._build import BuildError, compile_library
from m4alloc.doctor import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LISTED = set(PROJECT["tool"]["setuptools"]["packages"])
NATIVE = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


def run(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run with the environment changed by `env`; what finds our checkout is taken out of it."""
    base = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "M4ALLOC_REQUIRE_FAST"}}
    words = tuple(map(str, words))
    return subprocess.run(words, cwd=cwd, env={**base, **(env or {})}, capture_output=True, text=True, timeout=600)


def test_every_package_folder_is_listed() -> None:
    sources = [
        path for top in ("capability", "spec", "m4alloc") for path in (ROOT / top).rglob("*.p*") if path.is_file()
    ]
    folders = {path.parent for path in sources if path.suffix in {".py", ".pyx", ".pxd"}}
    assert {".".join(folder.relative_to(ROOT).parts) for folder in folders} == LISTED


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_what_a_package_needs_at_run_time_is_in_the_repository() -> None:
    known = set(run("git", "ls-files", cwd=ROOT).stdout.splitlines())
    compiled = (".so", ".c")
    needed = {
        path.relative_to(ROOT).as_posix()
        for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    assert len(needed) > 50
    assert sorted(file for file in needed - known if not file.endswith(compiled)) == []


def test_the_three_packages_are_typed() -> None:
    assert [top for top in ("capability", "spec", "m4alloc") if not (ROOT / top / "py.typed").exists()] == []


def test_dev_has_every_extra_but_the_largest() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    everything = re.search(r"\[(.*)\]", extras["dev"][0])
    assert everything is not None
    assert set(everything[1].split(",")) == set(extras) - {"dev", "learn", "saturate"}


def test_doctor_knows_every_extra() -> None:
    assert set(EXTRAS) == set(PROJECT["project"]["optional-dependencies"]) - {"dev"}


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert targets is not None
    shown = run("make", "help", cwd=ROOT).stdout
    assert set(re.findall(r"^make (\w+)", shown, re.MULTILINE)) | {"help"} == set(targets[1].split())


@pytest.mark.parametrize(
    ("python", "compiler", "advice"),
    [
        ("/no/python3", "gcc", "apt-get install python3"),
        (sys.executable, "/no/gcc", "apt-get install gcc"),
    ],
)
def test_a_missing_system_package_is_named_with_its_apt_line(python: str, compiler: str, advice: str) -> None:
    done = run(ROOT / ".ci" / "needs", python, cwd=ROOT, env={"CC": compiler})
    assert (done.returncode, advice in done.stderr) == (1, True), done.stderr


def test_building_a_library_without_a_compiler_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "/no/gcc")
    with pytest.raises(BuildError, match="apt-get install gcc"):
        compile_library(tmp_path / "lib.so")


def test_a_library_of_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no library is built from 'peload'; there are 'preload', 'record_preload'"):
        compile_library(tmp_path / "lib.so", source="peload")


@NATIVE
def test_a_compile_error_leaves_no_file_and_shows_what_the_compiler_said(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="error:"):
        compile_library(tmp_path / "lib.so", defines={"malloc": "1+"})
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Distribution:
    """The two archives, built from a copy of what git sees; the wheel is built from the sdist."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    for name in filter(lambda name: (ROOT / name).is_file(), listed):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    return Distribution(next(dist.glob("*.tar.gz")), next(dist.glob("*.whl")))


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, used from a folder that is not the checkout."""

    folder: Path

    def __call__(self, command: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return run(
            self.folder / "bin" / command, *words, cwd=self.folder, env={"PATH": f"{self.folder}/bin:/usr/bin:/bin"}
        )

    def ok(self, command: str, *words: str | Path) -> str:
        done = self(command, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def environment(folder: Path) -> Environment:
    done = run(sys.executable, "-m", "venv", folder, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return Environment(folder)


@pytest.fixture(scope="session")
def installed(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    result = environment(tmp_path_factory.mktemp("wheel") / "venv")
    result.ok("pip", "install", "-q", distribution.wheel)
    return result


@pytest.mark.packaging
def test_the_sdist_contains_every_tracked_source(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    tracked = run("git", "ls-files", "capability", "spec", "m4alloc", "tests", "docs", cwd=ROOT).stdout.split()
    assert {name for name in tracked if (ROOT / name).exists()} - inside == set()
    assert "m4alloc/_fast.pyx" in inside


@pytest.mark.packaging
def test_the_wheel_contains_the_libraries_and_what_rebuilds_them(distribution: Distribution) -> None:
    inside = set(zipfile.ZipFile(distribution.wheel).namelist())
    assert {"m4alloc/libm4alloc.so", "m4alloc/libm4record.so", "m4alloc/_fast.pyi", "m4alloc/_fast.pxd"} <= inside
    assert "m4alloc/include/m4alloc_label.h" in inside
    assert {"m4alloc/_fast.c", "m4alloc/_record.c", "m4alloc/_replay.c", "m4alloc/libm4replay.so"} <= inside
    assert {f"m4alloc/{name}preload.c" for name in ("", "record_", "replay_")} <= inside
    programs = {"m4alloc/bench/programs/catalogue.toml", "m4alloc/bench/programs/binary_tree.c"}
    assert {"m4alloc/bench/launch.c", *programs} <= inside
    assert {f"{top}/py.typed" for top in ("capability", "spec", "m4alloc")} <= inside
    assert not {name for name in inside if name.startswith(("tests", "benchmarks", "docs"))}


@pytest.mark.packaging
def test_the_wheel_works_outside_the_source_tree(installed: Environment) -> None:
    assert installed.ok("m4alloc", "lib").startswith(str(installed.folder))
    assert (Path(installed.ok("m4alloc", "lib", "--include").strip()) / "m4alloc_label.h").exists()
    assert installed.ok("m4alloc", "run", "--", "echo", "hello") == "hello\n"
    installed.ok("m4alloc", "doctor")
    installed.ok("m4alloc", "bench", "--quick", "--rounds", "1", "--program", "binary_tree")
    installed.ok("m4alloc", "record", "-o", "trace.m4t", "--", "ls", "/")
    assert (installed.folder / "trace.m4t").exists()
    installed.ok("m4alloc", "verify", "--", "ls", "/")


@pytest.mark.packaging
def test_the_wheel_can_build_another_library_without_cython(installed: Environment) -> None:
    code = "from m4alloc._build import compile_library; print(compile_library('other.so', defines={'M4_UNUSED': 1}))"
    library = installed.ok("python", "-c", code).strip()
    assert run("/bin/echo", "hello", cwd=ROOT, env={"LD_PRELOAD": library}).stdout == "hello\n"


@pytest.mark.packaging
def test_a_type_checker_sees_the_installed_packages(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text("import m4alloc, spec.event\nm4alloc.lib() + 1\n", encoding="utf-8")
    done = run("mypy", "--strict", "--python-executable", installed.folder / "bin" / "python", "user.py", cwd=tmp_path)
    assert done.stdout.count("error:") == 1, done.stdout
    assert 'Unsupported operand types for + ("Path" and "int")' in done.stdout


@pytest.mark.packaging
def test_another_package_named_spec_is_reported_with_the_way_out(distribution: Distribution, tmp_path: Path) -> None:
    beside = environment(tmp_path / "venv")
    other = tmp_path / "spec-1.4.1-py3-none-any.whl"
    with zipfile.ZipFile(other, "w") as wheel:
        wheel.writestr("spec/__init__.py", "raise RuntimeError('the other package was imported')\n")
        wheel.writestr("spec-1.4.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: spec\nVersion: 1.4.1\n")
        wheel.writestr("spec-1.4.1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("spec-1.4.1.dist-info/RECORD", "spec/__init__.py,,\nspec-1.4.1.dist-info/METADATA,,\n")
    beside.ok("pip", "install", "-q", distribution.wheel)
    beside.ok("pip", "install", "-q", other)
    done = beside("m4alloc", "verify", "--", "ls")
    assert done.returncode == 2
    assert "m4alloc needs its own package 'spec', but the one found is" in done.stderr
    assert "pip uninstall spec" in done.stderr
    assert beside("m4alloc", "lib").returncode == 0
    assert beside.ok("python", "-c", "import m4alloc; print(m4alloc.backend)") == "fast\n"


@pytest.mark.packaging
def test_without_a_compiler_the_pure_backend_is_installed(distribution: Distribution, tmp_path: Path) -> None:
    bare = environment(tmp_path / "venv")
    done = run(
        bare.folder / "bin" / "pip",
        "install",
        "-v",
        distribution.sdist,
        cwd=tmp_path,
        env={"PATH": f"{bare.folder}/bin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the native core is not built, the pure backend is used" in done.stdout + done.stderr
    code = "import m4alloc\nwith m4alloc.Arena(1 << 20) as arena:\n    a = arena.malloc(24)\n    b = arena.malloc(24)\n"
    done = bare("python", "-c", f"{code}    arena.free(a)\nprint(m4alloc.backend, b.size)")
    assert done.stdout == "pure 24\n", done.stderr
    assert done.stderr.count("m4alloc runs on the reference allocator") == 1
    missing = bare("m4alloc", "lib")
    assert (missing.returncode, "apt-get install gcc" in missing.stderr) == (2, True)


def test_every_page_is_linked_from_the_index() -> None:
    linked = set(re.findall(r"\]\((\w[\w-]*\.md)\)", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    assert {path.name for path in (ROOT / "docs").glob("*.md")} - linked == {"index.md"}
