"""A new project is whole, small, and right as it is."""

from __future__ import annotations

import ast
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import pytest

import m4alloc
from m4alloc import _backend
from m4alloc.check import adapter
from m4alloc.check.check_library import check
from m4alloc.check.operation import Aim, Operation
from m4alloc.cli.main import main
from m4alloc.new.project import FILES, HARDWARE, ON_HARDWARE, Hardware, ProjectError, new
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function

native = pytest.mark.skipif(
    _backend.backend != "fast" or shutil.which("make") is None,
    reason="the native core is not built, or there is no make",
)
HEAP = 1 << 34


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project called pool, built."""
    folder = new("pool", output=tmp_path_factory.mktemp("new") / "pool").directory
    subprocess.run(["make", "--silent", f"PYTHON={sys.executable}"], cwd=folder, check=True)
    return folder


@native
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_compiles_without_a_warning(project: Path, tmp_path: Path, compiler: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    folder = shutil.copytree(project, tmp_path / "a folder")
    (folder / "libpool.so").unlink()
    command = ["make", "--silent", f"PYTHON={sys.executable}", f"CC={compiler}", "CFLAGS=-O2 -Wall -Wextra -Werror"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@native
def test_what_is_changed_is_warned_of(project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project, tmp_path / "pool")
    source = (folder / "pool.c").read_text(encoding="utf-8")
    (folder / "pool.c").write_text(source + "\nstatic int forgotten(void) { return 1; }\n", encoding="utf-8")
    done = subprocess.run(["make", "--silent", f"PYTHON={sys.executable}"], cwd=folder, capture_output=True, text=True)
    assert "forgotten" in done.stderr and "unused" in done.stderr


def statements(source: str) -> int:
    """Lines of code of the class: without docstrings, comments, blank lines, and what only reads and writes memory."""
    lines = set()
    (allocator,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    family = [node for node in allocator.body if getattr(node, "name", "") not in ("load", "store")]
    for node in (inner for outer in family for inner in ast.walk(outer)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and not is_text and not isinstance(node, ast.Import | ast.ImportFrom):
            lines.add(node.lineno)
    return len(lines)


def test_the_allocator_is_about_forty_lines(tmp_path: Path) -> None:
    folder = m4alloc.new("pool", output=tmp_path / "pool").directory
    source = (folder / "pool.py").read_text()
    assert 35 <= statements(source) <= 44
    functions = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert {"malloc", "free", "calloc", "realloc", "aligned_alloc", "usable_size"} <= set(functions)


def test_no_placeholder_is_left(tmp_path: Path) -> None:
    report = new("my_heap", output=tmp_path / "here")
    for file in report.files:
        text = (tmp_path / "here" / file).read_text()
        assert "@name@" not in text and "@Name@" not in text and "pool" not in text.replace("my_heap", "")


def test_a_folder_in_use_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "thesis.txt").write_text("mine")
    with pytest.raises(ProjectError, match=r"exists and is not empty; choose another name, or another place"):
        new("pool", output=tmp_path / "pool")
    assert [path.name for path in (tmp_path / "pool").iterdir()] == ["thesis.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["pool"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    assert "pool.py" in new("pool", output=tmp_path / "pool").files


def test_a_folder_without_a_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="does not exist; make it first: mkdir -p"):
        new("pool", output=tmp_path / "no" / "pool")
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="exists and is a file"):
        new("pool", output=tmp_path / "file")
    with pytest.raises(ProjectError, match="the folder has no name; give one"):
        new("pool", output="")


def test_the_command_says_what_to_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "pool"]) == 0
    assert "m4alloc check ./libpool.so" in capsys.readouterr().out
    assert main(["new", "pool"]) == 2
    assert "pool exists and is not empty" in capsys.readouterr().err
    assert main(["new", "tank", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["library"] == "libtank.so"


@pytest.mark.parametrize("name", ["a", "abcdefghijklmnopqrs_wxyz"])
@pytest.mark.parametrize("hardware", ["mte", "cheri"])
def test_what_is_written_is_formatted_whatever_its_name(tmp_path: Path, name: str, hardware: str) -> None:
    report = new(name, output=tmp_path / "here", architecture=hardware)
    assert len(report.files) == len(FILES) + len(ON_HARDWARE)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=tmp_path / "here", capture_output=True)
        assert done.returncode == 0, done.stdout
    assert all(len(line) <= 120 for line in (tmp_path / "here" / f"{name}.pyx").read_text().splitlines())


@pytest.mark.parametrize("model", HARDWARE.values(), ids=HARDWARE)
def test_the_placement_is_a_buddy_allocator_on_hardware(model: Hardware, tmp_path: Path) -> None:
    folder = new("pool", output=tmp_path / "pool", architecture="mte").directory
    policy = run_path(str(folder / "pool_policy.py"))["PoolPolicy"]()
    architecture = getattr(importlib.import_module(model.module), model.make.removesuffix("()"))()
    heap = ReferenceAllocator(policy, architecture, capacity=1 << 20)
    blocks = [heap.request(Event(Function.MALLOC, size=size)).result for size in (100, 5000, 16, 60_000)]
    assert [block % length for block, length in zip(blocks, (128, 8192, 16, 65536), strict=True)] == [0, 0, 0, 0]
    for block in blocks:
        heap.request(Event(Function.FREE, address=block))
    assert heap.request(Event(Function.MALLOC, size=1 << 20)).result == blocks[0]


def test_unknown_hardware_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="architecture 'arm' is not known; known are mte and cheri"):
        new("pool", output=tmp_path / "pool", architecture="arm")


@native
def test_the_twin_needs_the_c_library_alone(project: Path) -> None:
    done = subprocess.run(["nm", "-D", "--undefined-only", project / "libpool.so"], capture_output=True, text=True)
    assert done.returncode == 0 and "Py" not in done.stdout
    environment = {**os.environ, "LD_PRELOAD": str(project / "libpool.so")}
    assert subprocess.run(["sort", "Makefile"], cwd=project, env=environment, capture_output=True).returncode == 0


@native
def test_the_twin_keeps_the_contract_and_uses_memory_again(project: Path) -> None:
    report = check(project / "libpool.so", engines=["exhaustive"], depth=3, budget=20, jobs=1, output=None)
    assert report.verdict.value == "HOLDS" and report.depth == 3
    twin = adapter.target(project / "libpool.so")
    plan = [Operation(Function.MALLOC, size=5000), Operation(Function.FREE, aim=Aim.LIVE)]
    assert twin.repeat(plan, 1 << 24).distinct == 8192
    twin.close()


@native
def test_the_twins_hand_out_the_same_blocks(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(project)
    Pool = importlib.import_module("pool").Pool  # noqa: N806 - a class
    plan = [operation for seed in range(4) for operation in requests_at_random(seed)]
    python, twin = adapter.from_object(Pool), adapter.target(project / "libpool.so")
    seen, other = python.run(plan).events, twin.run(plan).events
    assert [event.result % HEAP for event in seen] == [event.result % HEAP for event in other]
    assert [event.usable for event in seen] == [event.usable for event in other]
    assert len(seen) > 500


def requests_at_random(seed: int) -> list[Operation]:
    """Requests at random, of every function that both twins have."""
    chance = random.Random(seed)
    makers = (Function.MALLOC, Function.CALLOC, Function.ALIGNED_ALLOC, Function.REALLOC)
    plan = []
    for _ in range(200):
        size, block = int(2 ** chance.uniform(0, 17)), chance.randrange(20)
        maker = chance.choice(makers)
        if chance.random() < 0.4:
            plan.append(Operation(Function.FREE, aim=Aim.LIVE, block=block))
        elif maker is Function.REALLOC:
            plan.append(Operation(maker, aim=Aim.LIVE, block=block, size=size))
        else:
            plan.append(Operation(maker, size=size, alignment=64 if maker is Function.ALIGNED_ALLOC else 0))
    return plan


@native
@pytest.mark.campaign
def test_all_that_is_written_passes_unchanged(tmp_path: Path) -> None:
    folder = new("pool", output=tmp_path / "pool", architecture="cheri").directory
    python = [sys.executable, "-m"]
    for command in (
        ["make", f"PYTHON={sys.executable}"],
        [*python, "pytest", "-q", "-p", "no:cacheprovider"],
        [*python, "m4alloc", "check", "./libpool.so", "--budget", "40s"],
        [*python, "mypy", "."],
        [*python, "ruff", "check", "."],
        [*python, "ruff", "format", "--check", "."],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, (command, done.stdout, done.stderr)


def test_a_folder_whose_name_has_spaces_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "mit Leerzeichen"
    with pytest.raises(ProjectError) as error:
        new("pool", output=folder / "deep" / "pool")
    made = str(error.value).partition("make it first: ")[2]
    subprocess.run(["sh", "-c", made], check=True)
    report = new("pool", output=folder / "deep" / "pool")
    command = report.commands[0][0]
    assert subprocess.run(["sh", "-c", f"{command} && ls"], capture_output=True, text=True, check=True).stdout


def test_a_place_in_a_file_or_where_nothing_can_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProjectError, match="file is a file, no folder"):
        new("pool", output=tmp_path / "file" / "pool")
    with pytest.raises(ProjectError, match="nothing can be written in /proc: "):
        new("pool", output="/proc/pool")


@native
def test_make_clean_leaves_what_new_wrote(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pool"
    shutil.copytree(project, folder)
    for leftover in ("run", "run.4711.0", "heap.html"):
        (folder / leftover).write_text("")
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)
    assert {path.name for path in folder.iterdir()} <= {file.format(name="pool") for file in FILES} | {"__pycache__"}
