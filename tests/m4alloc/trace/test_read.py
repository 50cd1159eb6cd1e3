"""Traces are read in the order of the calls; what is no whole trace is refused with the reason."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import numpy as np
import pytest

from m4alloc.trace.format import HEADER, HEADER_SIZE, RECORD, RECORD_SIZE, TraceError
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write
from spec.event import Event, Function

ONE = Event(Function.MALLOC, size=24, result=0x1000, usable=32, begin=1, end=2)
TWO = Event(Function.CALLOC, size=8, count=3, result=0x2000, usable=32, intact=24, begin=3, end=6)
THREE = Event(Function.FREE, address=0x1000, begin=4, end=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "trace", [ONE, TWO, THREE], command=["prog", "--x"], quarantine=7, quarantine_limit=512)
    return tmp_path / "trace"


def patch(path: Path, field: str, value: object) -> None:
    """Overwrite one field of the header."""
    assert HEADER.fields is not None
    kind, offset = HEADER.fields[field][:2]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(np.array(value, kind).tobytes())


def rearrange(path: Path, records: np.ndarray) -> None:
    """Replace the records."""
    path.write_bytes(path.read_bytes()[:HEADER_SIZE] + records.tobytes())


def records_of(path: Path) -> np.ndarray:
    return np.frombuffer(path.read_bytes()[HEADER_SIZE:], RECORD).copy()


def test_the_header_is_read_back(path: Path) -> None:
    trace = Trace.open(path)
    assert trace.command == ("prog", "--x")
    assert (trace.quarantine, trace.quarantine_limit) == (7, 512)
    assert (trace.parent, trace.image, trace.used) == (None, 0, 3)


def test_events_come_in_the_order_in_which_they_began(path: Path) -> None:
    rearrange(path, records_of(path)[[2, 0, 1]])
    assert list(Trace.open(path).events()) == [ONE, TWO, THREE]


def test_unused_slots_between_and_after_the_records_are_skipped(path: Path) -> None:
    holes = np.zeros(9000, RECORD)
    holes[[0, 5, 700]] = records_of(path)[[1, 0, 2]]
    rearrange(path, holes)
    trace = Trace.open(path)
    assert list(trace.events()) == [ONE, TWO, THREE]
    assert (trace.used, len(trace.records)) == (3, 701)


def test_a_call_that_never_returned_is_an_event_with_end_0(path: Path) -> None:
    records = records_of(path)
    records[2]["end"] = 0
    rearrange(path, records)
    assert list(Trace.open(path).events())[-1] == THREE._replace(end=0)


def test_bytes_after_the_last_whole_record_are_not_read(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])
    assert list(Trace.open(path).events()) == [ONE, TWO]


def test_records_are_mapped_and_not_copied(path: Path) -> None:
    records = Trace.open(path).records
    assert isinstance(records, np.memmap)
    assert not records.flags.writeable


def test_a_trace_without_records_has_no_events(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:HEADER_SIZE])
    assert list(Trace.open(path).events()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty; a trace begins with a header of 4096 bytes"),
        (b"\0" * HEADER_SIZE, "the process ended before its trace had begun"),
        (b"\x7fELF\2\1\1" + b"\0" * HEADER_SIZE, r"not a trace: it begins with b'\x7fELF\x02\x01\x01\x00'"),
        (b"\x89M4T\n\x1a\n" + b"\0" * HEADER_SIZE, "not a trace"),
        (b"\x89M4T\r\n\x1a\n" + b"\0" * 100, "cut off: 108 bytes, and the header alone has 4096"),
    ],
)
def test_what_is_no_trace_is_refused_with_the_reason(content: bytes, message: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(content)
    with pytest.raises(TraceError) as caught:
        Trace.open(foreign)
    assert str(caught.value).startswith(f"{foreign}: {message}")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("version", 2, "trace version 2; this m4alloc reads version 1"),
        ("record_size", 80, "damaged: header of 4096 bytes and records of 80; version 1 has 4096 and 88"),
        ("end_reason", 99, "damaged: there is no end reason 99"),
        ("labels_offset", HEADER_SIZE + 4 * RECORD_SIZE, "cut off: its header says that labels lie at"),
        ("labels_offset", HEADER_SIZE + 1, "cut off"),
    ],
)
def test_a_damaged_header_is_refused_with_the_reason(field: str, value: int, message: str, path: Path) -> None:
    patch(path, field, value)
    with pytest.raises(TraceError) as caught:
        Trace.open(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_record_of_an_unknown_function_is_refused(path: Path) -> None:
    records = records_of(path)
    records[1]["function"] = 200
    rearrange(path, records)
    with pytest.raises(TraceError, match=r"damaged: there is no function 200; docs/trace-format\.md lists them"):
        list(Trace.open(path).events())


def compress(path: Path) -> Path:
    packed = path.with_name("trace.xz")
    packed.write_bytes(lzma.compress(path.read_bytes()))
    return packed


def test_a_trace_that_xz_compressed_is_read_as_the_plain_one(path: Path) -> None:
    plain, packed = Trace.open(path), Trace.open(compress(path))
    assert list(packed.events()) == list(plain.events())
    assert packed.header == plain.header


@pytest.mark.parametrize("padding", [0, 8])
def test_xz_streams_that_follow_one_another_are_one(path: Path, padding: int) -> None:
    content, packed = path.read_bytes(), path.with_name("trace.xz")
    middle = len(content) - 100
    packed.write_bytes(
        lzma.compress(content[:middle]) + bytes(padding) + lzma.compress(content[middle:]) + bytes(padding)
    )
    assert list(Trace.open(packed).events()) == list(Trace.open(path).events())


def test_what_follows_an_xz_stream_and_is_none_is_damage(path: Path) -> None:
    packed = compress(path)
    packed.write_bytes(packed.read_bytes() + b"more")
    with pytest.raises(TraceError, match=f"^{re.escape(str(packed))}: (damaged|cut off): "):
        Trace.open(packed)


def test_labels_of_a_compressed_trace_are_read(tmp_path: Path) -> None:
    write(tmp_path / "trace.xz", [ONE, Event(Function.LABEL, label="here", begin=7, end=8)])
    trace = Trace.open(tmp_path / "trace.xz")
    assert (trace.labels, [event.label for event in trace.events()]) == (("here",), ["", "here"])


def test_labels_that_are_no_text_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    write(path, [ONE, Event(Function.LABEL, label="here", begin=7, end=8)])
    content = path.read_bytes()
    path.write_bytes(content[:-3] + b"\xff" + content[-2:])
    with pytest.raises(TraceError, match=r"damaged: the texts of its labels are no UTF-8 at byte 1$"):
        Trace.open(path)


def test_a_compressed_trace_that_is_cut_off_says_so(path: Path) -> None:
    packed = compress(path)
    content = packed.read_bytes()[:-20]
    packed.write_bytes(content)
    message = re.escape(f"{packed}: cut off: its xz stream has no end after {len(content):,} bytes")
    with pytest.raises(TraceError, match=f"^{message}$"):
        Trace.open(packed)


def test_a_damaged_compressed_trace_says_what_xz_says(path: Path) -> None:
    packed = compress(path)
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    packed.write_bytes(bytes(content))
    message = re.escape(f"{packed}: damaged: xz cannot decompress it: Corrupt input data")
    with pytest.raises(TraceError, match=f"^{message}$"):
        Trace.open(packed)


def test_what_is_wrong_with_a_compressed_trace_is_said_as_of_a_plain_one(path: Path) -> None:
    patch(path, "version", 9)
    packed = compress(path)
    message = re.escape(f"{packed}: trace version 9; this m4alloc reads version 1")
    with pytest.raises(TraceError, match=f"^{message}$"):
        Trace.open(packed)
