"""Text files that are compressed, by whatever there is, and what a few bytes may say that they are."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from m4alloc.trace.formats import FormatError, compressed, open_history

TEXTS = {
    "a.rep": b"1\n1\n1\n1\na 0 8\n",
    "a.mtrace": b"= Start\n+ 0x10 0x8\n",
    "a.ltrace": b"malloc(8) = 0x10000\n",
    "a.csv": b"function,address,size,result\nmalloc,0,8,16\n",
    "a.heap": b"a = malloc 8\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_compressed_text_is_read_as_what_its_name_says(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(TEXTS[name]))
    (tmp_path / f"{name}.xz").write_bytes(lzma.compress(TEXTS[name]))
    for suffix in (".gz", ".xz"):
        history = open_history(tmp_path / f"{name}{suffix}")
        assert (history.format, [event.size for event in history.events()]) == (name.removeprefix("a."), [8])


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_more_than_the_limit_is_not_decompressed(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "LIMIT", 1 << 16)
    pack = gzip.compress if suffix == ".gz" else lzma.compress
    for size, right in ((1 << 16, True), ((1 << 16) + 1, False)):
        (tmp_path / f"a{suffix}").write_bytes(pack(b"\0" * size))
        if right:
            assert len(compressed.decompressed(tmp_path / f"a{suffix}")) == size
        else:
            with pytest.raises(FormatError, match="more than 65,536 bytes come out of it"):
                compressed.decompressed(tmp_path / f"a{suffix}")


def test_what_does_not_fit_into_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bytes:
        raise MemoryError

    (tmp_path / "a.gz").write_bytes(gzip.compress(b"hello"))
    monkeypatch.setattr(gzip.GzipFile, "read", full)
    with pytest.raises(FormatError, match="does not fit into memory"):
        compressed.decompressed(tmp_path / "a.gz")


@pytest.mark.skipif(shutil.which("zstd") is None, reason="no zstd: apt install zstd")
def test_the_program_zstd_serves_when_there_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = subprocess.run(["zstd", "-c"], input=b"hello" * 999, capture_output=True, check=True).stdout
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    (tmp_path / "a.zst").write_bytes(packed)
    assert compressed.decompressed(tmp_path / "a.zst") == b"hello" * 999
    (tmp_path / "a.zst").write_bytes(packed[:-3])
    with pytest.raises(FormatError, match="zstd cannot decompress it"):
        compressed.decompressed(tmp_path / "a.zst")
    monkeypatch.setattr(compressed, "LIMIT", 99)
    (tmp_path / "a.zst").write_bytes(packed)
    with pytest.raises(FormatError, match="more than 99 bytes"):
        compressed.decompressed(tmp_path / "a.zst")
