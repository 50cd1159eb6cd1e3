"""C programs, each compiled once a process; what is compiled lives as long as the process."""

from __future__ import annotations

import functools
import hashlib
import tempfile
from pathlib import Path

from m4alloc._build import run_compiler

FLAGS = ("-std=gnu17", "-O2", "-fno-builtin", "-pthread")
"""-fno-builtin: the compiler knows nothing of malloc, and removes no malloc with its free."""


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-bench-")


def sources(folder: Path) -> str:
    """A digest of all C files in a folder: what tells one state of the programs there from another."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in {".c", ".h"})
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()[:16]


def compiled(source: Path, *libraries: str) -> Path:
    """The program compiled from one C file, which may include others beside it.

    Raises BuildError: no compiler, or what it said. Cost: 0.3 s the first time.
    """
    return _compiled(source.resolve(), sources(source.parent), libraries)


@functools.cache
def _compiled(source: Path, state: str, libraries: tuple[str, ...]) -> Path:
    folder = Path(tempfile.mkdtemp(dir=_folder().name))
    output = folder / source.stem
    run_compiler(*FLAGS, str(source), *libraries, "-o", str(output))
    return output
