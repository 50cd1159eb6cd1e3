"""Columns of a history: the same whether they come from events or from a trace's records."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from m4alloc.check.lives import HIGHEST
from m4alloc.check.script_strategies import scripts
from m4alloc.trace.format import RECORD, TraceError
from m4alloc.trace.formats.history import of_records, records_of
from m4alloc.view.explorer.build_columns import columns_of_events, columns_of_trace
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function
from spec.script import Script, run


@given(scripts(threads=3, max_steps=30))
def test_a_trace_and_its_events_give_the_same_columns(script: Script) -> None:
    events = [*run(script, ReferenceAllocator(capacity=1 << 20)).events, Event(Function.LABEL, label="end")]
    records, labels = records_of(events)
    one = columns_of_trace(of_records(Path("x"), "m4t", records, labels).trace)
    other = columns_of_events(events)
    for field in fields(one):
        values, twins = getattr(one, field.name), getattr(other, field.name)
        assert np.array_equal(values, twins) if isinstance(values, np.ndarray) else values == twins, field.name


def test_events_stand_in_the_order_in_which_the_calls_began_whatever_the_file_says() -> None:
    events = [Event(Function.FREE, begin=5, end=6, thread=9), Event(Function.FREE, begin=1, end=2, thread=4)]
    trace = of_records(Path("x"), "m4t", records_of(events)[0]).trace
    columns = columns_of_trace(trace)
    assert columns.begin.tolist() == [1, 5]
    assert columns.thread.tolist() == [0, 1]
    assert columns.threads == ("4", "9")


def test_a_history_without_numbers_is_numbered_one_call_after_the_other() -> None:
    columns = columns_of_events([Event(Function.FREE), Event(Function.FREE, flags=4)])
    assert columns.begin.tolist() == [1, 3]
    assert columns.end.tolist() == [2, 0]  # the second never returned


def test_times_begin_with_the_first_that_is_known() -> None:
    columns = columns_of_events([Event(Function.FREE, time_ns=time) for time in (0, 700, 900)])
    assert columns.time_ns.tolist() == [0, 0, 200]


def test_addresses_and_sizes_beyond_any_machine_are_clipped() -> None:
    columns = columns_of_events([Event(Function.CALLOC, size=1 << 40, count=1 << 40, result=1 << 63)])
    assert (columns.request.tolist(), columns.result.tolist()) == ([HIGHEST], [HIGHEST])


def test_a_record_of_no_function_is_damage() -> None:
    records = np.zeros(1, RECORD)
    records["function"] = 99
    with pytest.raises(TraceError, match="x: damaged: there is no function 99"):
        columns_of_trace(of_records(Path("x"), "m4t", records).trace)
