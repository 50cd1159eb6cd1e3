"""The content of a text file that gzip, xz or zstd may have compressed."""

from __future__ import annotations

import gzip
import importlib
import io
import lzma
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import IO, Any

from m4alloc.trace.formats.problem import FormatError, MissingPackageError
from m4alloc.trace.read import XZ

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"
SUFFIXES = (".gz", ".xz", ".zst")
"""How the names of compressed files end."""
LIMIT = 1 << 32
"""Bytes that come out of a compressed file at most: a few kilobytes may say that they are terabytes."""


def decompressed(path: Path) -> bytes:
    """All of the file, decompressed when its first bytes say that it is compressed, whatever its name.

    zstd: by Python 3.14's own module, pyarrow, or the program zstd, whichever there is.
    Raises FormatError: damaged, cut off, or more than LIMIT. MissingPackageError: none of the three. OSError.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x"
    >>> _ = path.write_bytes(gzip.compress(b"v 10400 3"))
    >>> decompressed(path)
    b'v 10400 3'
    """
    content = path.read_bytes()
    if content.startswith(GZIP):
        return _read(path, "gzip", gzip.GzipFile(fileobj=io.BytesIO(content)))
    if content.startswith(XZ):
        return _read(path, "xz", lzma.LZMAFile(io.BytesIO(content)))
    return _zstd(path, content) if content.startswith(ZSTD) else content


def _read(path: Path, name: str, stream: IO[bytes] | Any) -> bytes:
    """All that comes out of a stream."""
    try:
        with stream:
            content: bytes = stream.read(LIMIT + 1)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise FormatError(path, f"{name} cannot decompress it: {error}") from error
    except MemoryError as error:
        raise FormatError(path, "what comes out of it does not fit into memory") from error
    if len(content) > LIMIT:
        raise FormatError(path, f"more than {LIMIT:,} bytes come out of it; decompress it first, if that is right")
    return content


def _zstd(path: Path, content: bytes) -> bytes:
    for module in ("compression.zstd", "pyarrow"):
        try:
            package = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        if module == "pyarrow":
            return _read(path, "zstd", package.CompressedInputStream(package.BufferReader(content), "zstd"))
        return _read(path, "zstd", _ByPython(package, content))
    program = shutil.which("zstd")
    if program is None:
        raise MissingPackageError(f"{path}: compressed by zstd; install pyarrow (pip install 'm4alloc[arrow]') or zstd")
    return _read(path, "zstd", _ByProgram(program, path))


class _ByPython:
    """Python 3.14's module, whose errors are of a class that older ones do not have."""

    def __init__(self, package: Any, content: bytes) -> None:
        self.error = package.ZstdError
        self.stream = package.ZstdFile(io.BytesIO(content))

    def __enter__(self) -> _ByPython:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def read(self, size: int) -> bytes:
        try:
            content: bytes = self.stream.read(size)
        except self.error as error:
            raise ValueError(str(error)) from error
        return content


class _ByProgram:
    """The program zstd."""

    def __init__(self, program: str, path: Path) -> None:
        self.process = subprocess.Popen(
            [program, "-dcq", "--", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def __enter__(self) -> _ByProgram:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        content = self.process.stdout.read(size)
        if len(content) < size:
            said = self.process.stderr.read()
            if self.process.wait():
                raise ValueError(said.decode(errors="replace").strip())
        return content
