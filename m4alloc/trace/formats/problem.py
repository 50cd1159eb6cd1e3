"""What is wrong with a file of some format, and where in it."""

from __future__ import annotations

import os

from m4alloc.trace.format import TraceError


class FormatError(TraceError):
    """A file that cannot be read or written as the format that it should be: where, what was found, what is right.

    >>> print(FormatError("sort.rep", "expected a, r or f, found 'x'", line=7, column=1))
    sort.rep:7:1: expected a, r or f, found 'x'
    >>> print(FormatError("sort.zst", "cut off", byte=4096))
    sort.zst: byte 4096: cut off
    """

    def __init__(
        self, source: str | os.PathLike[str], message: str, *, line: int = 0, column: int = 0, byte: int | None = None
    ) -> None:
        place = os.fspath(source)
        if line:
            place += f":{line}" + (f":{column}" if column else "")
        elif byte is not None:
            place += f": byte {byte}"
        super().__init__(f"{place}: {message}")
        self.line, self.column, self.byte = line, column, byte


class UnknownFormatError(TraceError):
    """No format has this name, or a file of this name; the message lists those there are."""


class MissingPackageError(TraceError):
    """A format needs a package that is not installed; the message says how to install it."""
