"""The content of a file that gzip or zstd may have compressed."""

from __future__ import annotations

import gzip
import importlib
import shutil
import subprocess
import zlib
from pathlib import Path

from m4alloc.trace.formats.problem import FormatError, MissingPackageError

GZIP = b"\x1f\x8b"
ZSTD = b"\x28\xb5\x2f\xfd"


def decompressed(path: Path) -> bytes:
    """All of the file, decompressed when its first bytes say that it is compressed, whatever its name.

    zstd: by Python 3.14's own module, pyarrow, or the program zstd, whichever there is.
    Raises FormatError: damaged or cut off. MissingPackageError: none of the three. OSError.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x"
    >>> _ = path.write_bytes(gzip.compress(b"v 10400 3"))
    >>> decompressed(path)
    b'v 10400 3'
    """
    content = path.read_bytes()
    if content.startswith(GZIP):
        try:
            return gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise FormatError(path, f"gzip cannot decompress it: {error}") from error
    return _zstd(path, content) if content.startswith(ZSTD) else content


def _zstd(path: Path, content: bytes) -> bytes:
    for module, function in (("compression.zstd", _by_python), ("pyarrow", _by_arrow)):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        try:
            return function(content)
        except Exception as error:  # each has errors of its own
            raise FormatError(path, f"zstd cannot decompress it: {error}") from error
    program = shutil.which("zstd")
    if program is None:
        raise MissingPackageError(f"{path}: compressed by zstd; install pyarrow (pip install 'm4alloc[arrow]') or zstd")
    done = subprocess.run([program, "-dc"], input=content, capture_output=True)
    if done.returncode:
        raise FormatError(path, f"zstd cannot decompress it: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _by_python(content: bytes) -> bytes:
    whole: bytes = importlib.import_module("compression.zstd").decompress(content)
    return whole


def _by_arrow(content: bytes) -> bytes:
    arrow = importlib.import_module("pyarrow")
    with arrow.CompressedInputStream(arrow.BufferReader(content), "zstd") as stream:
        whole: bytes = stream.read()
    return whole
