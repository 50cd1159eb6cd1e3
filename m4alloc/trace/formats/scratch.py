"""Pipes and devices, which can be read and written once only: files beside take their place meanwhile."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from m4alloc.trace.format import TraceError
from m4alloc.trace.formats.compressed import LIMIT
from m4alloc.trace.formats.problem import FormatError

STANDARD = {"-": (Path("/dev/stdin"), Path("/dev/stdout"))}
"""Names of the standard input and output."""
_STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


def is_stream(path: Path) -> bool:
    """Whether it is neither a file nor a folder, nor the name of one that is still to be made: a pipe, a device.

    >>> is_stream(Path("/dev/null")), is_stream(Path("/nowhere")), is_stream(Path("/"))
    (True, False, False)
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return path.parent in _STREAMS or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """A file that can be read from its beginning more than once: `path`, or for a pipe a copy of what comes from it.

    Messages of a TraceError are about `path` then.  Raises FormatError: more than LIMIT bytes come. OSError.
    """
    if not is_stream(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder) / path.name
        with path.open("rb") as stream, spool.open("wb") as copy:
            while part := stream.read(1 << 20):
                if copy.tell() > LIMIT:
                    raise FormatError(path, f"more than {LIMIT:,} bytes come from it; make it a file first")
                copy.write(part)
        try:
            yield spool
        except TraceError as error:
            error.args = (str(error).replace(os.fspath(spool), os.fspath(path)),)
            raise


@contextmanager
def writable(path: Path) -> Iterator[Path]:
    """A file to write to: `path`, or for a pipe or device one whose content it gets when the block ends well."""
    if not is_stream(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        spool = Path(folder) / path.name
        yield spool
        # What `>>` has opened is to be added to, so it is not opened anew.
        standard = path == STANDARD["-"][1]
        try:
            with spool.open("rb") as content, os.fdopen(os.dup(1), "wb") if standard else path.open("wb") as stream:
                shutil.copyfileobj(content, stream)
        except OSError as error:  # of a write it says only what, not where
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
