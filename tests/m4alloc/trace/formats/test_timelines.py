"""Perfetto and Chrome traces say what the history says: every call, every block, every counter, and nothing unknown."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.check.progress import Silent
from m4alloc.trace.formats import History, open_history, timeline
from m4alloc.trace.formats.chrome import write_chrome
from m4alloc.trace.formats.history import of_records, records_of
from m4alloc.trace.formats.perfetto import write_perfetto
from m4alloc.trace.formats.timeline import timeline_of
from m4alloc.trace.formats.wire import Hole, Message, integer, rows, text, varint
from spec.event import Event, Function

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "formats"
EVENTS = [
    Event(Function.MALLOC, thread=5, size=24, result=0x1000, time_ns=10),
    Event(Function.CALLOC, thread=6, size=8, count=4, result=0x7FFF00002000, time_ns=20),
    Event(Function.LABEL, thread=5, label="half way", time_ns=25),
    Event(Function.REALLOC, thread=6, address=0x1000, size=5000, result=0x3000, time_ns=30),
    Event(Function.FREE, thread=5, address=0x7FFF00002000, time_ns=30),
    Event(Function.MALLOC, thread=5, size=40, result=0x7FFF00002000, time_ns=30),
    Event(Function.MALLOC, thread=5, size=1 << 62, errno=12, time_ns=40),
    Event(Function.FREE, thread=6, address=0x3000, time_ns=50),
]


def history_of(events: list[Event]) -> History:
    return of_records(Path("example"), "m4t", *records_of(events), command=["/bin/prog", "-x"], pid=77)


def unknown_fields(message: Any) -> int:
    fields = pytest.importorskip("google.protobuf.unknown_fields")
    count = len(fields.UnknownFieldSet(message))
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            count += sum(map(unknown_fields, value if field.is_repeated else [value]))
    return count


@pytest.fixture
def packets(tmp_path: Path) -> Any:
    """The example as Perfetto's own classes see it."""
    protos = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    assert write_perfetto(tmp_path / "out.pftrace", history_of(EVENTS), Silent()) == ()
    trace = protos.Trace()
    trace.ParseFromString((tmp_path / "out.pftrace").read_bytes())
    return trace.packet


def test_every_field_is_one_that_the_published_protos_know(packets: Any) -> None:
    assert sum(map(unknown_fields, packets)) == 0
    assert {packet.trusted_packet_sequence_id for packet in packets} == {1}
    assert [packet.sequence_flags for packet in packets if packet.HasField("interned_data")] == [1]
    assert all(packet.sequence_flags == 2 for packet in packets if packet.HasField("track_event"))


def test_every_event_is_on_a_track_that_is_described_and_has_a_name_that_is_interned(packets: Any) -> None:
    tracks = {
        packet.track_descriptor.uuid: packet.track_descriptor
        for packet in packets
        if packet.HasField("track_descriptor")
    }
    assert len(tracks) == sum(packet.HasField("track_descriptor") for packet in packets)
    assert all(track.parent_uuid in tracks for track in tracks.values() if track.parent_uuid)
    process = next(track.process for track in tracks.values() if track.HasField("process"))
    assert (process.pid, list(process.cmdline), process.process_name) == (77, ["/bin/prog", "-x"], "prog")
    names = {each.iid for each in packets[0].interned_data.event_names}
    for packet in packets:
        if packet.HasField("track_event"):
            assert packet.track_event.track_uuid in tracks
            assert packet.track_event.type in (2, 4) or packet.track_event.name_iid in names


def test_calls_are_instants_that_say_what_they_are_about(packets: Any) -> None:
    interned = packets[0].interned_data
    names = {each.iid: each.name for each in interned.event_names}
    keys = {each.iid: each.name for each in interned.debug_annotation_names}
    tracks = {packet.track_descriptor.uuid: packet.track_descriptor for packet in packets}
    calls = []
    for packet in packets:
        event = packet.track_event
        if packet.HasField("track_event") and event.type == 3:
            about = {keys[each.name_iid]: each.pointer_value or each.uint_value for each in event.debug_annotations}
            flows = (list(event.flow_ids), list(event.terminating_flow_ids))
            calls.append((packet.timestamp, names[event.name_iid], tracks[event.track_uuid].thread.tid, about, flows))
    assert sorted(calls, key=lambda call: call[:2]) == [
        (10, "malloc", 5, {"address": 0x1000, "bytes": 24}, ([1], [])),
        (20, "calloc", 6, {"address": 0x7FFF00002000, "bytes": 32}, ([2], [])),
        (25, "half way", 5, {}, ([], [])),
        (30, "free", 5, {"address": 0x7FFF00002000}, ([], [2])),
        (30, "malloc", 5, {"address": 0x7FFF00002000, "bytes": 40}, ([3], [])),
        (30, "realloc", 6, {"address": 0x3000, "bytes": 5000}, ([1], [])),
        (40, "malloc", 5, {"address": 0, "bytes": 1 << 62}, ([], [])),
        (50, "free", 6, {"address": 0x3000}, ([], [1])),
    ]


def test_blocks_are_slices_that_never_overlap_in_a_lane(packets: Any) -> None:
    names = {each.iid: each.name for each in packets[0].interned_data.event_names}
    open_: dict[int, tuple[int, str]] = {}
    slices = []
    for packet in packets:
        event = packet.track_event
        if packet.HasField("track_event") and event.type == 1:
            assert event.track_uuid not in open_
            open_[event.track_uuid] = (packet.timestamp, names[event.name_iid])
        elif packet.HasField("track_event") and event.type == 2:
            slices.append((*open_.pop(event.track_uuid), packet.timestamp))
    assert sorted(slices) == [(10, "24 B", 30), (20, "32 B", 30), (30, "5.00 kB", 50)]
    assert list(open_.values()) == [(30, "40 B")]


def test_counters_have_the_value_after_the_last_call_of_each_moment(packets: Any) -> None:
    tracks = {packet.track_descriptor.uuid: packet.track_descriptor.name for packet in packets}
    values: dict[str, list[tuple[int, int]]] = {}
    for packet in packets:
        if packet.HasField("track_event") and packet.track_event.type == 4:
            name = tracks[packet.track_event.track_uuid]
            values.setdefault(name, []).append((packet.timestamp, packet.track_event.counter_value))
    assert values["live bytes"] == [(10, 24), (20, 56), (30, 5040), (50, 40)]
    assert values["live blocks"] == [(10, 1), (20, 2), (50, 1)]
    assert values["footprint"][-1] == (50, 4096)


def test_a_history_without_times_has_a_microsecond_an_event(tmp_path: Path) -> None:
    events = [event._replace(time_ns=0) for event in EVENTS]
    assert timeline_of(history_of(events)).time.tolist() == [1000 * place for place in range(len(EVENTS))]
    assert write_perfetto(tmp_path / "o", history_of(events), Silent()) == (
        "the history has no times: one event is a microsecond",
    )


def test_what_a_timeline_has_no_room_for_is_said(tmp_path: Path) -> None:
    event = Event(Function.MEMALIGN, size=20, alignment=64, result=4096, usable=32, site=9, time_ns=1)
    said = "not in a timeline: call sites, alignments, usable sizes"
    assert write_perfetto(tmp_path / "o", history_of([event]), Silent()) == (said,)
    assert write_chrome(tmp_path / "o", history_of([event]), Silent()) == (said,)
    both = [event._replace(begin=1, end=3), event._replace(result=8192, begin=2, end=4)]
    assert write_perfetto(tmp_path / "o", history_of(both), Silent()) == (f"{said}, which calls overlap",)


def test_blocks_that_have_no_lane_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "LANES", 4)
    made = timeline_of(history_of([Event(Function.MALLOC, size=20, result=64 * place + 64) for place in range(40)]))
    assert int((made.lane < 0).sum()) == 36
    assert made.notes()[-1] == "36 stretches of blocks not drawn: too many of one size lived at once"


def test_chrome_pairs_each_block_and_counts_the_same(tmp_path: Path) -> None:
    assert write_chrome(tmp_path / "out.json", history_of(EVENTS), Silent()) == ("1 call about no block left out",)
    document = json.loads((tmp_path / "out.json").read_bytes())
    events = document["traceEvents"]
    assert document["otherData"]["command"] == "/bin/prog -x"
    assert Counter(event["ph"] for event in events) == {"M": 3, "b": 4, "e": 3, "i": 1, "C": 12}
    begins = {event["id"]: event for event in events if event["ph"] == "b"}
    assert begins[2]["args"] == {"bytes": 5000, "address": "0x3000", "by": "realloc"}
    for event in events:
        if event["ph"] == "e":
            begin = begins[event["id"]]
            assert (begin["name"], begin["cat"], begin["ts"] <= event["ts"]) == (event["name"], event["cat"], True)
    live = [event["args"]["live bytes"] for event in events if event["name"] == "live bytes"]
    assert live == [24, 56, 5040, 40]
    write_chrome(tmp_path / "out.json.gz", history_of(EVENTS), Silent())
    assert json.loads(gzip.decompress((tmp_path / "out.json.gz").read_bytes())) == document


def test_the_footprint_is_that_of_the_report() -> None:
    made = timeline_of(open_history(VECTORS / "churn.mtrace"))
    assert int(made.footprint[1].max()) == 4 * 4096
    assert int(made.live.max()) == 9036


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5), st.integers(0, 2**63 - 1))
def test_rows_are_what_messages_one_by_one_would_be_read_as(values: list[int], constant: int) -> None:
    message = Message(1, [integer(2, constant), Hole(3, np.array(values), 10), Hole(47, np.array(values), fixed=True)])
    content = rows(message, len(values))
    assert len(content) == len(message) * len(values)
    for place, value in enumerate(values):
        row = content[place * len(message) : (place + 1) * len(message)]
        assert row.startswith(text(1, b"x" * message.inside)[: -message.inside])
        inside = row[-message.inside :]
        assert inside.startswith(integer(2, constant))
        assert inside.endswith(value.to_bytes(8, "little"))
        number = inside[len(integer(2, constant)) + 1 :][:10]
        assert sum((byte & 0x7F) << 7 * at for at, byte in enumerate(number)) == value
        assert [byte >> 7 for byte in number] == [1] * 9 + [0]
    assert varint(constant)[-1] < 0x80
