"""A file that is there whole or not at all: it is written beside its place, and renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` to write to, which takes its place when the block ends well and is gone when it does not.

    Where `path` is a link, the file that it leads to is replaced.
    Raises OSError, which names `path`: the folder is missing or cannot be written to, the disk is full.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "out"
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    ...     path.exists()
    False
    >>> path.read_bytes(), len(list(path.parent.iterdir()))
    (b'whole', 1)
    """
    place = Path(os.path.realpath(path))
    scratch = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        with scratch.open("w+b") as file:
            yield file
        scratch.replace(place)
    except OSError as error:
        # Of a write it says only what, not where; of the file beside, a name that nobody has given.
        if error.errno is None or error.filename not in (None, os.fspath(scratch)):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink()


def write_whole(path: Path, content: str | bytes) -> None:
    """Write the text, or the bytes, in one step: whoever reads the file sees all of it, or what was there before.

    A link stays one, and what is no file, such as /dev/stdout or a pipe, is written to as it is.
    Raises OSError, which names the path; then nothing is left behind.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "a"), "text")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a', 'text')]
    """
    told = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        try:
            path.write_bytes(told)
        except OSError as error:
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        return
    with replacing(path) as file:
        file.write(told)
