"""Which library an allocator's name means, and how several libraries are put into LD_PRELOAD."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from m4alloc.lib import lib

HARMLESS = "/bin/true"
"""A program that does nothing: the loader says in it what it thinks of a library."""


class AllocatorError(ValueError):
    """No allocator has this name or lies at this path, or the loader refuses it."""


def library_of(allocator: str | os.PathLike[str]) -> Path | None:
    """The library to preload for "m4alloc" or a path; None for "system", the C library's own malloc.

    Raises AllocatorError: there is none, or the loader cannot load it. LibraryError: m4alloc has no native core here.
    """
    name = os.fspath(allocator)
    if name == "system":
        return None
    if name == "m4alloc":
        return lib()
    path = Path(name).absolute()
    if not path.is_file():
        hint = "" if "/" in name else " (the names are m4alloc and system; a library is given by its path)"
        raise AllocatorError(f"no allocator library {name}{hint}")
    with preloaded([path], "") as value:
        told = subprocess.run([HARMLESS], env={"LD_PRELOAD": value, "LC_ALL": "C"}, capture_output=True, text=True)
    if told.returncode != 0 or "cannot be preloaded" in told.stderr:
        reason = told.stderr.strip().removeprefix("ERROR: ") or f"a program under it ends with status {told.returncode}"
        raise AllocatorError(f"{path} cannot be preloaded: {reason}")
    return path


@contextmanager
def preloaded(libraries: Sequence[Path], others: str) -> Iterator[str]:
    """The value of LD_PRELOAD with the libraries in this order, then what was there; valid inside the context.

    The loader splits the value at spaces and colons, so a library whose path has one is reached by a link.
    """
    with ExitStack() as stack:
        names = []
        for library in libraries:
            name = str(library)
            if " " in name or ":" in name:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="m4alloc-"))
                link = Path(folder) / "library.so"
                link.symlink_to(library)
                name = str(link)
            names.append(name)
        names += [other for other in others.replace(":", " ").split() if other not in names]
        yield ":".join(names)
