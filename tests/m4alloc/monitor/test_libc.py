"""The wrappers of C library functions tell every access to the runtime, and change nothing of what programs do.

The runtime is a stub (libc/stub.c) that notes accesses of blocks that the tests name.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest

from m4alloc._build import COMPILE_FLAGS, LINK_FLAGS, PACKAGE
from tests.m4alloc.native import ROOT, Ran, need, run

HERE = Path(__file__).parent / "libc"
FAMILIES = ("memory", "text", "numbers", "format", "stdio", "system")
FLAGS = ("-std=gnu17", "-O1", "-fno-builtin", "-fno-inline", "-U_FORTIFY_SOURCE", "-w", "-rdynamic")
"""Calls stand as they are written, in functions that have names."""
NEWER = {"strlcpy", "strlcat"}
"""Exported only where the C library has them."""
ENDING = {"err", "errx", "verr", "verrx"}
"""End the process: a check of hazards.c has them."""


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-libc-")


def _gcc(target: str, *words: object) -> Path:
    path = Path(_scratch().name) / target
    done = subprocess.run(
        [need("gcc", "gcc libc6-dev"), *map(str, words), "-o", str(path), "-ldl", "-pthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return path


def _names() -> list[str]:
    return (PACKAGE / "monitor_libc.map.txt").read_text().split()


@functools.cache
def _library() -> Path:
    """The wrappers over the stub, compiled and linked as libm4monitor.so is."""
    script = Path(_scratch().name) / "symbols.map"
    script.write_text("{ global: stub_*; " + " ".join(f"{name};" for name in _names()) + " local: *; };\n")
    flags = ("-std=gnu17", "-Wall", "-Wextra", "-Werror", *COMPILE_FLAGS, *LINK_FLAGS)
    sources = (*sorted(PACKAGE.glob("monitor_libc*.c")), HERE / "stub.c")
    return _gcc("libwrappers.so", *flags, f"-Wl,--version-script={script}", *sources)


@functools.cache
def _program(name: str, *words: str | Path, after: tuple[str, ...] = ()) -> Path:
    directory = _library().parent
    wrappers = ("-L", directory, "-Wl,--no-as-needed", "-lwrappers", *after, f"-Wl,-rpath,{directory}")
    return _gcc(name, *FLAGS, *words, *wrappers)


@functools.cache
def _cases(family: str) -> Ran:
    return run([_program(family, HERE / "cases.c", HERE / f"{family}.c")], preload=False)


def _lines(family: str) -> list[str]:
    return [line for line in _cases(family).out.splitlines() if line.startswith("case_")]


@functools.cache
def _exported() -> set[str]:
    done = subprocess.run(["nm", "-D", "--defined-only", str(_library())], capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in done.stdout.splitlines() if not line.split()[-1].startswith("stub_")}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_accesses_are_told_exactly_and_those_of_short_and_freed_blocks_are_wrong(family: str) -> None:
    lines = _lines(family)
    assert _cases(family).status == 0
    assert [line for line in lines if not line.endswith(": ok")] == []
    assert len(lines) >= 25


@pytest.mark.slow
def test_every_function_has_a_case() -> None:
    told = {line.removeprefix("case_").removesuffix(": ok") for family in FAMILIES for line in _lines(family)}
    with_case = {name for name in _exported() if any(line.startswith(f"{name}_") for line in told)}
    assert {name for name in _exported() - with_case - ENDING if not name.startswith("__isoc23_")} == set()


def test_the_list_of_names_is_what_is_exported() -> None:
    assert _exported() <= set(_names())
    assert set(_names()) - _exported() <= NEWER


def test_the_documentation_names_every_function() -> None:
    page = (ROOT / "docs" / "monitored-functions.md").read_text()
    assert set(_names()) - set(re.findall(r"`(\w+)`", page)) == set()


def test_every_wrapper_returns_what_the_c_library_returns() -> None:
    ran = run([_program("same", HERE / "same.c"), "300"], preload=False)
    assert ran.status == 0, ran
    assert re.fullmatch(r"\d+ calls, 0 functions differ\n", ran.out), ran


@pytest.mark.parametrize("check", re.findall(r"CHECK\((\w+)\),", (HERE / "hazards.c").read_text()))
def test_hazards(check: str) -> None:
    ran = run([_program("hazards", HERE / "hazards.c"), check], preload=False)
    assert (ran.status, ran.out) == (0, "ok\n"), ran


@pytest.mark.parametrize("bound", ["lazily", "at once"])
def test_a_resolver_may_call_them_before_they_are_relocated(bound: str) -> None:
    _gcc("libearly.so", "-O1", "-fno-builtin", "-fPIC", "-shared", HERE / "early.c")
    # the resolver's library stands behind the wrappers', so that it is relocated before it
    program = _program("early", "-DPROGRAM", HERE / "early.c", after=("-learly",))
    ran = run([program], preload=False, environment={"LD_BIND_NOW": "1"} if bound == "at once" else {})
    assert (ran.status, ran.out) == (0, "42\n"), ran


PROGRAMS = {
    "python": (
        "python3",
        "-c",
        "import json,re,decimal,ctypes; print(json.dumps([1.5]*9), '%.3f' % 2.5); open('/none')",
    ),
    "perl": (
        "perl",
        "-e",
        'print sprintf("%s %05.2f %x %s\\n", $_, $_/7, $_, lc substr("ABC",$_%3)) for 1..99; <STDIN>',
    ),
    "ls": ("ls", "-la", "/usr/bin", "/etc"),
    "sort": ("sort", "-r", "-k1n"),
    "sed": ("sed", "-n", r"s/with \(.*\) text/[\1]/p"),
    "bash": ("bash", "-c", 'for i in 1 2 3; do printf "%s-%05d\\n" "${PATH:0:3}" $i; done; echo $(cat | head -3)'),
    "awk": ("awk", '{s += $1} END {printf "%d %s %5.3f\\n", s, $0, s / 7}'),
    "tar": ("tar", "cf", "-", "-C", "/etc", "passwd"),
}
INPUT = "".join(f"{number * 37 % 1000} with some text\n" for number in range(1000))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("arena", ["nothing is in the arena", "everything is in the arena"])
def test_a_program_prints_the_same_with_the_wrappers(name: str, arena: str) -> None:
    program = [need(PROGRAMS[name][0], PROGRAMS[name][0]), *PROGRAMS[name][1:]]
    environment = {"LD_PRELOAD": str(_library())} | ({"STUB_ARENA": "1"} if arena.startswith("everything") else {})
    expected = run(program, preload=False, stdin=INPUT, environment={"PATH": os.environ["PATH"]})
    assert run(program, preload=False, stdin=INPUT, environment=environment) == expected
