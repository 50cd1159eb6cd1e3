"""examples/monitor is built by CMake, Meson and make as docs/integration.md says, and what is built is watched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.monitor.target import needed
from tests.m4alloc.native import ROOT

EXAMPLE = ROOT / "examples" / "monitor"
RUNTIME = "libm4monitor.so"

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or not (ROOT / "m4alloc" / RUNTIME).exists(), reason="apt install gcc, then make build"
)


def tool(name: str, package: str = "") -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"apt install {package or name}")


class Project:
    """A copy of the example, and commands in it that find m4alloc's own on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        shutil.copytree(EXAMPLE, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        commands = folder / "bin"
        commands.mkdir()
        for name, words in (("m4alloc", ""), ("m4alloc-cc", "cc"), ("m4alloc-c++", "c++")):
            path = commands / name
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m m4alloc {words} "$@"\n')
            path.chmod(0o755)
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("M4ALLOC_")}
        self.environment |= {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        self.environment |= {"XDG_CACHE_HOME": str(folder / "cache")}

    def run(self, *words: str, status: int = 0, **variables: str) -> str:
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == status, done.stdout
        return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.slow
@tool("cmake")
@pytest.mark.parametrize("generator", [pytest.param("Unix Makefiles", marks=tool("make")), "Ninja"])
def test_cmake_takes_m4alloc_cc_for_its_compiler(project: Project, generator: str) -> None:
    if generator == "Ninja" and shutil.which("ninja") is None:
        pytest.skip("apt install ninja-build")
    project.run("cmake", "-B", "build", "-G", generator, "-DCMAKE_C_COMPILER=m4alloc-cc")
    project.run("cmake", "--build", "build")
    assert RUNTIME in needed(project.folder / "build" / "threads")
    assert "100% tests passed" in project.run("ctest", "--test-dir", "build")


@pytest.mark.slow
@tool("cmake")
def test_a_cmake_test_fails_when_the_monitors_find_something(project: Project) -> None:
    flags = ["-DCMAKE_C_COMPILER=m4alloc-cc", "-DCMAKE_C_FLAGS=-O1 -DBUG_USE_AFTER_FREE"]
    project.run("cmake", "-B", "build", *flags)
    project.run("cmake", "--build", "build")
    printed = project.run("ctest", "--test-dir", "build", "--output-on-failure", status=8)
    assert re.search(r"use-after-free: read of 8 bytes at 0x\w+, 16 bytes into block", printed)


@tool("cmake")
def test_m4alloc_monitor_in_cmake_is_for_the_targets_named(project: Project) -> None:
    listing = project.folder / "CMakeLists.txt"
    more = "add_executable(other single.c)\ntarget_link_libraries(other PRIVATE Threads::Threads)\n"
    text = listing.read_text().replace(
        "m4alloc_monitor(cache threads)", "m4alloc_monitor(cache threads --hooks=thread)"
    )
    listing.write_text(text + more)
    project.run("cmake", "-B", "build", "-DMONITOR=ON")
    project.run("cmake", "--build", "build")
    assert RUNTIME in needed(project.folder / "build" / "threads")
    assert RUNTIME not in needed(project.folder / "build" / "other")
    symbols = project.run("nm", "build/libcache.a")
    assert "U __tsan_read8" in symbols
    project.run("ctest", "--test-dir", "build")


@pytest.mark.slow
@tool("meson")
@tool("ninja", "ninja-build")
def test_meson_takes_a_native_file(project: Project) -> None:
    project.run("meson", "setup", "build", "--native-file", "m4alloc.ini")
    project.run("meson", "test", "-C", "build")
    assert RUNTIME in needed(project.folder / "build" / "threads")


@tool("make")
def test_make_takes_two_words_for_its_compiler(project: Project) -> None:
    assert project.run("make", "-s", "check", "CC=m4alloc cc").endswith(" bytes\n")
    assert RUNTIME in needed(project.folder / "threads")


@tool("make")
def test_options_of_our_own_come_through_a_variable(project: Project) -> None:
    project.run("make", "-s", "threads", "CC=m4alloc cc", M4ALLOC_CC_OPTIONS="--hooks=thread")
    assert "U __tsan_read8" in project.run("nm", "cache.o")


def test_the_workflow_in_the_documentation_is_the_one_that_is_there() -> None:
    text = (ROOT / "docs" / "integration.md").read_text()
    shown = text.partition("```yaml\n")[2].partition("```")[0]
    whole = (EXAMPLE / "workflow.yml").read_text()
    assert "jobs:" in shown and whole.endswith(shown)


@pytest.mark.slow
def test_the_tests_of_the_example_pass(project: Project) -> None:
    plain = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir=."]
    assert "5 passed" in project.run(*plain, "test_threads.py")
