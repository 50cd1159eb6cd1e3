"""Text files line by line, with progress, and with the place of what is wrong."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

from m4alloc.check.progress import Progress

EVERY = 1 << 16
"""Lines between two words to the progress."""


def lines_of(path: Path, content: bytes, progress: Progress, what: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers from 1, without their ends; bytes that are no UTF-8 become backslash escapes.

    >>> from m4alloc.check.progress import Silent
    >>> list(lines_of(Path("x"), b"one\\r\\ntwo", Silent(), "reading"))
    [(1, 'one'), (2, 'two')]
    """
    progress.phase(what, content.count(b"\n") + (not content.endswith(b"\n")))
    for place, line in enumerate(io.BytesIO(content), 1):
        if not place % EVERY:
            progress.advance(place)
        yield place, line.rstrip(b"\r\n").decode(errors="backslashreplace")


def shown(text: str) -> str:
    """A piece of a file as a message shows it: quoted, and not all of it when it is long.

    >>> shown("free(0x10)"), len(shown("x" * 1000))
    ("'free(0x10)'", 66)
    """
    quoted = repr(text.strip())
    return quoted if len(quoted) <= 66 else quoted[:60] + "[...]" + quoted[0]
