"""Output files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` to write to, which takes its place when the block ends well and is gone when it does not.

    Raises OSError: the folder is missing or cannot be written to.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "out"
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    ...     path.exists()
    False
    >>> path.read_bytes(), len(list(path.parent.iterdir()))
    (b'whole', 1)
    """
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w+b") as file:
            yield file
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
