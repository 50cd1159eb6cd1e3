"""The libraries that the tuner preloads, each compiled once a process with the user's C compiler."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from m4alloc._build import run_compiler

PACKAGE = Path(__file__).resolve().parent
FLAGS = ("-std=gnu17", "-O2", "-fno-builtin", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread")
"""-fno-builtin: the compiler must not make a calloc of what the library's own calloc does."""


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-tune-")


@functools.cache
def library(name: str) -> Path:
    """The shared library compiled from NAME.c of this package; it lives as long as the process.

    Raises BuildError: no compiler, or what it said. Cost: 0.3 s the first time.

    >>> library("bump").name
    'libm4bump.so'
    """
    output = Path(_folder().name) / f"libm4{name}.so"
    run_compiler(*FLAGS, str(PACKAGE / f"{name}.c"), "-ldl", "-lrt", "-o", str(output))
    return output
