"""Columns as other libraries have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from m4alloc.trace.formats import FormatError, open_history
from spec.event import Event, Function

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
EVENTS = [Event(Function.MALLOC, size=8, result=4096, time_ns=1000), Event(Function.FREE, address=4096, time_ns=2000)]


def written(path: Path, meta: bytes = b"", **columns: Any) -> Path:
    """A table of EVENTS with some columns of other types."""
    base = {"function": ["malloc", "free"], "address": [0, 4096], "size": [8, 0], "result": [4096, 0]}
    table = arrow.table({**base, "time_ns": [1000, 2000], **columns})
    parquet.write_table(table.replace_schema_metadata({b"m4alloc": meta} if meta else {}), path)
    return path


@pytest.mark.parametrize(
    "columns",
    [
        {"size": [8.0, None]},
        {"size": arrow.array([8, 0], arrow.int16()), "result": arrow.array([4096, 0], arrow.uint32())},
        {"address": ["0x0", "0x1000"]},
        {"function": arrow.array(["malloc", "free"], arrow.large_string())},
        {"function": arrow.array(["malloc", "free"]).dictionary_encode()},
        {"time_ns": arrow.array([1, 2], arrow.duration("us"))},
        {"time_ns": arrow.array([1, 2], arrow.timestamp("us", "UTC"))},
    ],
    ids=["floats", "small", "texts", "large", "categories", "durations", "moments"],
)
def test_columns_of_other_types_are_read(columns: dict[str, Any], tmp_path: Path) -> None:
    assert list(open_history(written(tmp_path / "a.parquet", **columns)).events()) == EVENTS


def test_names_of_columns_may_have_capitals(tmp_path: Path) -> None:
    table = parquet.read_table(written(tmp_path / "a.parquet"))
    parquet.write_table(table.rename_columns([name.title() for name in table.column_names]), tmp_path / "b.parquet")
    assert list(open_history(tmp_path / "b.parquet").events()) == EVENTS


@pytest.mark.parametrize(
    "meta",
    [
        b"[" * 99_999,
        b'{"pid": "x"}',
        b'{"pid": -1}',
        b'{"quarantine": 1e99}',
        b'{"notes": 5}',
        b'{"end": 5}',
        b'{"allocator": "\\ud800"}',
    ],
)
def test_damaged_metadata_is_told(meta: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="damaged"):
        open_history(written(tmp_path / "a.parquet", meta))
