"""Where pages and pictures are written: what is refused before any work is done, and files that appear whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from m4alloc.trace.whole import write_whole
from m4alloc.view.explorer.sources_problem import ViewError


def refuse_to_write(target: Path, inputs: Sequence[Path] = ()) -> None:
    """Raise ViewError when a picture cannot be written there, or would replace something that is none.

    inputs: files that are never replaced. Of a symbolic link it is the file that it leads to that counts.

    >>> refuse_to_write(Path("nowhere/x.html"))
    Traceback (most recent call last):
    m4alloc.view.explorer.sources_problem.ViewError: nowhere/x.html: there is no directory nowhere
    """
    if not target.name:
        raise ViewError("the output has no name; the name of a file is wanted")
    try:
        _refuse(target, inputs)
    except OSError as error:
        raise ViewError(f"{target}: {error.strerror or error}") from error


def _refuse(target: Path, inputs: Sequence[Path]) -> None:
    if target.is_dir():
        raise ViewError(f"{target}: a directory; the name of a file is wanted")
    if target.exists() and not target.is_file():
        raise ViewError(f"{target}: neither a file nor a new name; the name of a file is wanted")
    place = Path(os.path.realpath(target)) if target.is_symlink() else target
    if not place.parent.is_dir():
        raise ViewError(f"{target}: there is no directory {place.parent}")
    if target.exists() and any(_same(target, one) for one in inputs):
        raise ViewError(f"{target}: the output is the input itself; write to another name")
    with suppress(FileNotFoundError):
        place.stat()  # raises where the name is too long for a file
    if target.exists():
        with target.open("rb") as file:
            head = file.read(64).lstrip().lower()
        if head and not head.startswith((b"<!doctype html", b"<html", b"<?xml", b"<svg")):
            raise ViewError(f"{target}: exists and is neither a page nor a picture; it is kept: write to another name")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise ViewError(f"{target}: the directory {place.parent} is not writable")


def _same(target: Path, one: Path) -> bool:
    """Whether both are one file; what is wrong with an input is told when it is read."""
    try:
        return target.samefile(one)
    except OSError:
        return False


def write(target: Path, text: str) -> int:
    """Write the file whole or not at all; its bytes.  Raises ViewError."""
    content = text.encode()
    try:
        write_whole(target, content)
    except OSError as error:
        raise ViewError(f"{target}: {error.strerror or error}") from error
    return len(content)
