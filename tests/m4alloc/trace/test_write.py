"""Whatever history fits a trace comes back equal; what does not fit is refused before anything is replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.trace.format import RECORD, EndReason
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write, write_records
from spec.event import Event, Function

WORD = st.integers(0, 2**64 - 1)
COUNTED = (Function.CALLOC, Function.REALLOCARRAY)


@st.composite
def events(draw: st.DrawFn) -> Event:
    function = draw(st.sampled_from(Function))
    counted = function in COUNTED
    label = function is Function.LABEL
    return Event(
        function,
        thread=draw(st.integers(0, 2**32 - 1)),
        address=draw(WORD),
        size=draw(WORD),
        count=draw(WORD) if counted else 1,
        alignment=0 if counted or label else draw(WORD),
        result=draw(WORD),
        errno=draw(st.integers(0, 2**16 - 1)),
        usable=draw(st.integers(-1, 2**63 - 1)),
        intact=draw(st.integers(-1, 2**63 - 1)),
        time_ns=draw(WORD),
        site=draw(WORD),
        flags=draw(st.integers(0, 255)),
        label=draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))) if label else "",
    )


@given(history=st.lists(events(), max_size=20))
def test_a_sequential_history_without_numbers_comes_back_in_its_order(
    history: list[Event], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("write") / "trace"
    write(path, history)
    assert list(Trace.open(path).events()) == history


@given(history=st.lists(events(), max_size=20), data=st.data())
def test_a_history_with_numbers_comes_back_by_begin(
    history: list[Event], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    begins = data.draw(st.lists(st.integers(1, 2**64 - 1), min_size=20, max_size=20, unique=True))
    ends = data.draw(st.lists(WORD, min_size=20, max_size=20))
    numbered = [event._replace(begin=begins[i], end=ends[i]) for i, event in enumerate(history)]
    path = tmp_path_factory.mktemp("write") / "trace"
    write(path, numbered)
    assert list(Trace.open(path).events()) == sorted(numbered, key=lambda event: event.begin)


def test_more_events_than_are_written_at_once_keep_their_order(tmp_path: Path) -> None:
    history = [Event(Function.MALLOC, size=size, result=16 * size + 16) for size in range(40000)]
    write(tmp_path / "trace", history)
    assert list(Trace.open(tmp_path / "trace").events()) == history


def test_what_is_told_about_the_run_is_in_the_header(tmp_path: Path) -> None:
    write(tmp_path / "trace", [], allocator="lib.so", command=["a", "b c"], quarantine=3, quarantine_limit=64)
    trace = Trace.open(tmp_path / "trace")
    assert (trace.allocator, trace.command, trace.end_reason) == ("lib.so", ("a", "b c"), EndReason.EXIT)
    assert (trace.quarantine, trace.quarantine_limit) == (3, 64)


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            Event(Function.MALLOC, size=2**64),
            "event 1: size is 18446744073709551616; a trace holds 0 to 1844674407370955",
        ),
        (Event(Function.MALLOC, size=-1), "event 1: size is -1; a trace holds 0 to"),
        (Event(Function.MALLOC, count=2), "event 1: a trace has no room for count 2 in a call of malloc"),
        (Event(Function.CALLOC, alignment=8), "event 1: a trace has no room for alignment 8 in a call of calloc"),
        (Event(Function.LABEL, count=2, label="x"), "event 1: a trace has no room for count 2 in a call of label"),
        (Event(Function.LABEL, alignment=8), "event 1: a trace has no room for alignment 8 in a call of label"),
        (Event(Function.FREE, label="x"), "event 1: label 'x' of free: only a LABEL"),
        (Event(Function.LABEL, label="a\0b"), "event 1: label 'a\\x00b' of label"),
        (Event(Function.FREE, flags=256), "event 1: flags is 256; a trace holds 0 to 255"),
    ],
)
def test_an_event_that_does_not_fit_is_named_and_the_old_file_stays(event: Event, message: str, tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("old")
    with pytest.raises(ValueError) as caught:
        write(path, [Event(Function.MALLOC, size=1), event])
    assert str(caught.value).startswith(message)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@given(st.lists(events(), max_size=20))
def test_a_history_written_to_a_name_in_xz_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory, history: list[Event]
) -> None:
    path = tmp_path_factory.mktemp("packed") / "trace.m4t.xz"
    write(path, history)
    assert list(Trace.open(path).events()) == history
    assert path.read_bytes()[:6] == b"\xfd7zXZ\0"


def test_records_are_written_as_they_are_with_what_the_header_says(tmp_path: Path) -> None:
    write(tmp_path / "one", [Event(Function.MALLOC, size=8, result=16, begin=1, end=2)])
    records = Trace.open(tmp_path / "one").records
    write_records(tmp_path / "two", records, end_reason=EndReason.LIMIT, executable="prog", command=["prog", "x"])
    trace = Trace.open(tmp_path / "two")
    assert trace.records.tobytes() == records.tobytes()
    assert (trace.end_reason, trace.executable, trace.command) == (EndReason.LIMIT, "prog", ("prog", "x"))


def test_labels_of_records_are_their_texts_from_1(tmp_path: Path) -> None:
    records = np.zeros(1, RECORD)
    records["function"], records["address"] = Function.LABEL, 2
    write_records(tmp_path / "trace", records, ["one", "two"])
    assert [event.label for event in Trace.open(tmp_path / "trace").events()] == ["two"]
