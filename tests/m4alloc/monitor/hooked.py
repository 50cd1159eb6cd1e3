"""Build the stub runtime and programs on it: what the hooks tell can then be read line by line."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from m4alloc.monitor.compiler import command
from tests.m4alloc.native import Ran, need, run

HOOKS = Path(__file__).parent / "hooks"
PACKAGE = Path(__file__).resolve().parents[3] / "m4alloc"
COMPILERS = {"gcc": ("gcc", "g++", "gcc g++"), "clang": ("clang", "clang++", "clang")}
"""The C compiler, the C++ compiler, and the packages that have them."""


@dataclass(frozen=True, slots=True)
class Told:
    """One access as the runtime was told of it: bytes [start, start + size) of the watched memory."""

    write: bool
    atomic: bool
    size: int
    start: int
    function: str
    framed: bool

    def __str__(self) -> str:
        return f"{'w' if self.write else 'r'}{self.size}@{self.start}"


@functools.cache
def stub(folder: Path) -> Path:
    """A libm4monitor.so whose runtime is stub.c and whose hooks are the real ones."""
    library = folder / "libm4monitor.so"
    flags = [
        "-std=gnu17",
        "-O2",
        "-g",
        "-fPIC",
        "-shared",
        "-fno-builtin",
        "-fvisibility=hidden",
        "-Wall",
        "-Wextra",
        "-Werror",
    ]
    sources = [HOOKS / "stub.c", *sorted(PACKAGE.glob("monitor_hooks*.c"))]
    words = [need("gcc", "gcc libc6-dev"), *flags, f"-I{PACKAGE}", f"-I{HOOKS}", *map(str, sources)]
    compiled([*words, "-Wl,-z,defs", "-Wl,-soname,libm4monitor.so", "-o", str(library)])
    return library


def words_for(folder: Path, language: str, *words: str | Path, compiler: str = "gcc") -> list[str]:
    """The command that builds with the stub runtime; skips the test where the compiler is missing."""
    c, cxx, packages = COMPILERS[compiler]
    path = need(c if language == "c" else cxx, packages)
    argv = [f"--compiler={path}", f"-I{HOOKS}", *map(str, words)]
    return command(argv, language, library=stub(folder))


def compiled(words: Sequence[str], folder: Path | None = None) -> str:
    """Run a compiler; the test fails with what it says when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"
    return done.stderr


def ran(program: Path, *arguments: str) -> Ran:
    """Run a program that was built so; it exits with 0."""
    finished = run([program, *arguments], preload=False)
    assert finished.status == 0, finished
    return finished


def told(line: str) -> Told:
    """One line of what stub_print writes."""
    found = re.fullmatch(r"([rw])(a?)(\d+)@(\d+) (\S+) (framed|unframed)", line)
    if found is None:
        pytest.fail(f"not a line of stub_print: {line!r}", pytrace=False)
    kind, atomic, size, start, function, framed = found.groups()
    return Told(kind == "w", atomic == "a", int(size), int(start), function, framed == "framed")


def covered(accesses: Sequence[Told], *, write: bool) -> set[int]:
    """The bytes that were read, or written."""
    return {byte for one in accesses if one.write is write for byte in range(one.start, one.start + one.size)}
