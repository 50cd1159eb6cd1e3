"""What is written in one format is read back from it equal, or with just what the format has no room for gone."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.check.progress import Silent
from m4alloc.check.script_strategies import scripts
from m4alloc.trace.formats import FormatError, History, csv_table, open_history
from m4alloc.trace.formats.blocks import calls_of, live_of, spans_of
from m4alloc.trace.formats.columns import NAMES
from m4alloc.trace.formats.history import PRELUDE, of_records, records_of
from m4alloc.trace.formats.registry import FORMATS, Format, of_output
from m4alloc.trace.write import write
from spec.allocator import ReferenceAllocator
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function
from spec.script import run
from spec.statement import Script

TABLES = ("out.arrow", "out.parquet") if importlib.util.find_spec("pyarrow") else ()
LOSSLESS = ("out.m4t", "out.csv", *TABLES)
LABEL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


def history_of(events: Sequence[Event]) -> History:
    return of_records(Path("example"), "m4t", *records_of(events))


def written(history: History, path: Path) -> History:
    of_output(path).write(path, history, Silent())
    return open_history(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """A script's run on the reference allocator, with times, sites, threads and labels put in."""
    script: Script = draw(scripts(threads=3, max_steps=12, misuse=True))
    events = run(script, ReferenceAllocator(capacity=1 << 20)).events
    moment = 0
    made = []
    for event in events:
        moment += draw(st.integers(0, 1 << 40))
        made.append(event._replace(time_ns=moment, site=draw(st.integers(0, 2**64 - 1))))
        if draw(st.booleans()):
            made.append(Event(Function.LABEL, address=draw(st.integers(0, 2**64 - 1)), label=draw(LABEL)))
    return made


@settings(max_examples=12, deadline=None)
@given(events=histories())
def test_traces_and_tables_come_back_equal(events: list[Event], folder: Path) -> None:
    for name in LOSSLESS:
        assert list(written(history_of(events), folder / name).events()) == events, name


@settings(max_examples=15, deadline=None)
@given(events=histories())
def test_a_script_comes_back_equal_but_for_times(events: list[Event], folder: Path) -> None:
    back = written(history_of(events), folder / "out.heap")
    assert list(back.events()) == [event._replace(time_ns=0) for event in events]
    assert back.placed_by == ""


@settings(max_examples=15, deadline=None)
@given(events=histories())
def test_a_malloc_lab_trace_keeps_the_blocks_and_their_sizes(events: list[Event], folder: Path) -> None:
    history = history_of(events)
    back = calls_of(written(history, folder / "out.rep"))
    calls = calls_of(history)
    for name in ("action", "block", "size"):
        assert getattr(back, name).tolist() == getattr(calls, name).tolist(), name


@settings(max_examples=40, deadline=None)
@given(script=scripts(max_steps=30))
def test_what_is_live_is_what_a_ledger_says(script: Script) -> None:
    events = run(script, ReferenceAllocator(capacity=1 << 20)).events
    ledger: dict[int, int] = {}
    expected = []
    for event in events:
        if event.function in FREEING or (event.function in RESIZING and (event.result or not event.request_size)):
            known = ledger.pop(event.address, None) is not None
            if event.function in FREEING and known:
                expected.append((sum(ledger.values()), len(ledger)))
        if (event.function in ALLOCATING or event.function in RESIZING) and event.result and not event.errno:
            ledger[event.result] = event.request_size
            expected.append((sum(ledger.values()), len(ledger)))
        elif event.function in RESIZING and event.address and not event.errno:
            expected.append((sum(ledger.values()), len(ledger)))
    live, blocks = live_of(calls_of(history_of(events)))
    assert list(zip(live.tolist(), blocks.tolist(), strict=True)) == expected


def test_spans_of_a_block_follow_each_other() -> None:
    events = [
        Event(Function.MALLOC, size=8, result=0x1000),
        Event(Function.REALLOC, address=0x1000, size=99, result=0x2000),
        Event(Function.MALLOC, size=7, result=0x1000),
        Event(Function.FREE, address=0x2000),
    ]
    spans = spans_of(calls_of(history_of(events)))
    assert spans.block.tolist() == [0, 0, 1]
    assert list(zip(spans.first.tolist(), spans.last.tolist(), strict=True)) == [(0, 1), (1, 3), (2, 4)]
    assert (spans.size.tolist(), spans.address.tolist()) == ([8, 99, 7], [0x1000, 0x2000, 0x1000])


@pytest.mark.parametrize("each", [each for each in FORMATS if each.writer], ids=lambda each: each.name)
def test_an_empty_history_can_be_written_and_read(each: Format, tmp_path: Path) -> None:
    path = tmp_path / f"empty{each.suffixes[0]}"
    if each.name in ("arrow", "parquet"):
        pytest.importorskip("pyarrow")
    each.write(path, history_of([]), Silent())
    if each.reader:
        assert list(open_history(path).events()) == []


def test_what_was_there_at_the_start_comes_first_and_a_label_ends_it(tmp_path: Path) -> None:
    inherited = (Event(Function.MALLOC, size=24, result=0x1000, begin=3, end=4, thread=7),)
    own = [Event(Function.FREE, address=0x1000, begin=11, end=12, thread=7)]
    plain = history_of(own)
    plain.trace.header["fork_sequence"] = 10
    history = History(plain.source, "m4t", plain.trace, inherited)
    for name in (*LOSSLESS, "out.m4t.xz"):
        events = list(written(history, tmp_path / name).events())
        assert [event.function for event in events] == [Function.MALLOC, Function.LABEL, Function.FREE]
        assert (events[0], events[1].label, events[2]) == (inherited[0], PRELUDE, own[0])


def test_the_header_of_a_trace_survives_arrow(tmp_path: Path) -> None:
    records, labels = records_of([Event(Function.MALLOC, size=8, result=0x1000)])
    said = {"allocator": "libx.so", "command": ["prog", "a b"], "quarantine": 4, "quarantine_limit": 64, "pid": 77}
    back = written(of_records(Path("x"), "m4t", records, labels, **said), tmp_path / "out.arrow").trace  # type: ignore[arg-type]
    assert (back.allocator, back.command, back.pid) == ("libx.so", ("prog", "a b"), 77)
    assert (back.quarantine, back.quarantine_limit) == (4, 64)


def test_a_table_needs_four_columns_in_any_order_and_takes_the_rest_as_not_known(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("result,function,note,size,address\n0x1000,MALLOC,hello,24,0\n,free,,,4096\n")
    history = open_history(path)
    assert list(history.events()) == [
        Event(Function.MALLOC, size=24, result=0x1000),
        Event(Function.FREE, address=0x1000),
    ]
    assert history.notes == ("columns not read: note",)


def test_a_csv_is_what_python_reads_as_one(tmp_path: Path) -> None:
    event = Event(Function.MALLOC, size=24, result=0x1000)
    written(history_of([event, Event(Function.LABEL, label='a "b", c\nd')]), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == NAMES
    assert (rows[0]["function"], rows[0]["result"], rows[0]["usable"], rows[0]["block"]) == ("malloc", "4096", "", "0")
    assert rows[1]["label"] == 'a "b", c\nd'


def test_arrow_says_null_for_what_nobody_looked_at(tmp_path: Path) -> None:
    ipc = pytest.importorskip("pyarrow.ipc")
    written(history_of([Event(Function.FREE, address=0x1000)]), tmp_path / "out.arrow")
    row = ipc.open_file(tmp_path / "out.arrow").read_all().to_pylist()[0]
    assert (row["function"], row["usable"], row["label"], row["block"]) == ("free", None, None, None)
    assert tuple(row) == NAMES


def test_rows_are_converted_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_table, "ROWS", 4)
    events = [Event(Function.MALLOC, size=size, result=16 * size) for size in range(1, 10)]
    assert list(written(history_of(events), tmp_path / "out.csv").events()) == events
    text = (tmp_path / "out.csv").read_text().splitlines()
    text[7] = text[7].replace("malloc", "mallox")
    (tmp_path / "out.csv").write_text("\n".join(text))
    with pytest.raises(FormatError, match=r"out.csv:8: no function 'mallox'"):
        open_history(tmp_path / "out.csv")


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_command_line_that_is_not_utf_8_goes_there_and_back(tmp_path: Path, name: str) -> None:
    source = tmp_path / "latin.m4t"
    write(source, [Event(Function.MALLOC, size=24, result=0x1000, usable=32)], command=["prog", "caf\udce9"])
    again = written(open_history(source), tmp_path / name).trace
    assert again.used == 1
    assert again.command == (() if name == "out.csv" else ("prog", "caf\udce9")), "for which CSV has no room"
