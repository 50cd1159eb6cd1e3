"""The paths of what was compiled: the preload libraries, for LD_PRELOAD by hand and for every tool that preloads them,
and the driver of allocators under test; and of the header for labels."""

from __future__ import annotations

import shlex
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


class LibraryError(Exception):
    """What was to be compiled is not there; the message says how to get it."""


def lib() -> Path:
    """The absolute path of libm4alloc.so: malloc and its family, needing libc only.

    Raises LibraryError: the package was installed without the native core.
    """
    return _existing("libm4alloc.so")


def recorder() -> Path:
    """The absolute path of libm4record.so, which records every call and passes it on to the next allocator.

    Raises LibraryError: the package was installed without the native core.
    """
    return _existing("libm4record.so")


def include() -> Path:
    """The absolute path of the folder that holds m4alloc_label.h, for the `-I` of a C or C++ compiler.

    >>> (include() / "m4alloc_label.h").exists()
    True
    """
    return PACKAGE / "include"


def cflags() -> str:
    """What a compiler is given to find m4alloc_label.h, quoted for a shell: `cc $(m4alloc lib --cflags) x.c`."""
    return shlex.quote(f"-I{include()}")


def replayer() -> Path:
    """The absolute path of libm4replay.so, which makes recorded calls again before its host program's main.

    Raises LibraryError: the package was installed without the native core.
    """
    return _existing("libm4replay.so")


def monitor() -> Path:
    """The absolute path of libm4monitor.so, which steps temporal properties while a program runs.

    Raises LibraryError: the package was installed without the native core.
    """
    return _existing("libm4monitor.so")


def driver() -> Path:
    """The absolute path of m4check, the program that carries out plans on an allocator under test.

    Raises LibraryError: the package was installed without the native core.
    """
    return _existing("m4check")


def _existing(name: str) -> Path:
    path = PACKAGE / name
    if not path.exists():
        raise LibraryError(
            f"{path} does not exist: m4alloc was installed without its native core. Install gcc and the Python "
            "headers (apt-get install gcc python3-dev), then: pip install --force-reinstall --no-deps m4alloc, "
            "or `make build` in a checkout"
        )
    return path
