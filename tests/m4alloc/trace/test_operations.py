"""Compiling a trace tells of each operation where it comes from; numba, Python and a plain walk over dicts agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.trace import operations as module
from m4alloc.trace.operations import compile_trace
from m4alloc.trace.read import Trace
from m4alloc.trace.walk import assign, compiled_walk
from m4alloc.trace.write import write
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function

M, R, F, ASK = Function.MALLOC, Function.REALLOC, Function.FREE, Function.USABLE_SIZE
UNKNOWN = 0x999000


def trace_of(folder: Path, *events: Event) -> Trace:
    write(folder / "trace", events)
    return Trace.open(folder / "trace")


def test_index_is_the_record_of_each_operation_and_minus_1_in_the_prelude(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(F, address=0x10, begin=5, end=6),
        Event(Function.LABEL, label="here", begin=3, end=4),
        Event(M, size=8, result=0x20, begin=1, end=2),
    )
    compiled = compile_trace(trace, [Event(M, size=1, result=0x10)])
    assert compiled.array["slot"].tolist() == [1, 2, 1]
    assert compiled.index.tolist() == [-1, 2, 0]


def test_what_makes_a_block_where_there_was_none_is_fresh(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=8, result=0x10),
        Event(R, address=0x10, size=9, result=0x20),
        Event(R, size=9, result=0x30),
        Event(R, address=UNKNOWN, size=9, result=0x40),
        Event(F, address=0x20),
        Event(F),
    )
    assert compile_trace(trace).fresh.tolist() == [True, False, True, True, False, False]


def test_a_block_that_a_resize_of_an_unknown_pointer_returned_is_known_from_then_on(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Event(R, address=UNKNOWN, size=9, result=0x40), Event(F, address=0x40))
    compiled = compile_trace(trace)
    assert [tuple(row) for row in compiled.array.tolist()] == [(R, 1, 9, 0), (F, 1, 0, 0)]
    assert compiled.skipped == 0


def test_the_slot_of_a_resize_that_never_returned_is_not_used_again(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=8, result=0x10, begin=1, end=2),
        Event(R, address=0x10, size=99, begin=3, end=0),
        Event(M, size=8, result=0x20, thread=1, begin=4, end=5),
    )
    compiled = compile_trace(trace)
    assert compiled.array["slot"].tolist() == [1, 2]
    assert compiled.skipped == 1


def plain(events: list[Event], inherited: list[Event]) -> list[tuple[int, int]]:
    """(record, slot) of each operation of a sequential history, with a dict from addresses to slots."""
    at = {event.result: place + 1 for place, event in enumerate(inherited)}
    count, free, made = len(inherited) + 1, [], []
    for number, event in enumerate(events):
        held = at.get(event.address, -1) if event.address else 0
        if event.function in FREEING or event.function is ASK:
            if held >= 0:
                made.append((number, held))
            if held > 0 and event.function in FREEING:
                free.append(at.pop(event.address))
            continue
        if event.errno:
            continue
        if event.function in RESIZING and held > 0:
            del at[event.address]
        if event.function in ALLOCATING or held <= 0:
            if free:
                held = free.pop()
            else:
                held, count = count, count + 1
        at[event.result] = held
        made.append((number, held))
    return made


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], list[Event]]:
    """A sequential history at few addresses, with pointers that are no block, failures and questions."""
    inherited = [Event(M, size=8, result=0x1000 * (100 + place)) for place in range(draw(st.integers(0, 3)))]
    live = [event.result for event in inherited]
    events = []
    for step in range(draw(st.integers(0, 30))):
        pointer = draw(st.sampled_from([*live, 0, UNKNOWN]))
        free_places = [0x10 * place for place in range(1, 40) if 0x10 * place not in live]
        function = draw(st.sampled_from([M, M, R, F, ASK]))
        if function in (F, ASK):
            events.append(Event(function, address=pointer))
            if function is F and pointer in live:
                live.remove(pointer)
            continue
        failed = draw(st.booleans()) and step % 3 == 0
        place = draw(st.sampled_from(free_places))
        address = 0 if function is M else pointer
        events.append(Event(function, address=address, size=step, result=0 if failed else place, errno=12 * failed))
        if not failed:
            live = [each for each in live if each != address] + [place]
    return events, inherited


@given(histories())
def test_operations_are_those_of_a_plain_walk(tmp_path_factory: pytest.TempPathFactory, drawn: tuple) -> None:
    events, inherited = drawn
    compiled = compile_trace(trace_of(tmp_path_factory.mktemp("plain"), *events), inherited)
    own = slice(compiled.prelude, None)
    got = list(zip(compiled.index[own].tolist(), compiled.array["slot"][own].tolist(), strict=True))
    assert got == plain(events, inherited)
    assert compiled.skipped == len(events) - len(got)
    assert compiled.slots == 1 + max([len(inherited), *(slot for _, slot in got)])


@given(histories())
def test_numba_walks_as_python_does(tmp_path_factory: pytest.TempPathFactory, drawn: tuple) -> None:
    if compiled_walk() is None:
        pytest.skip("numba is not installed")
    events, inherited = drawn
    trace = trace_of(tmp_path_factory.mktemp("numba"), *events)
    slow = compile_trace(trace, inherited)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WORTH_COMPILING", 0)
        fast = compile_trace(trace, inherited)
    assert np.array_equal(slow.array, fast.array)
    assert (slow.slots, slow.skipped) == (fast.slots, fast.skipped)


def test_without_numba_a_long_trace_is_walked_by_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_COMPILING", 0)
    monkeypatch.setattr(module, "compiled_walk", lambda: None)
    trace = trace_of(tmp_path, Event(M, size=8, result=0x10), Event(F, address=0x10))
    assert compile_trace(trace).array["slot"].tolist() == [1, 1]


def test_a_free_slot_is_the_one_freed_last() -> None:
    slots, room = [0] * 5, [0] * 5
    blocks, hands_out = [-1, -1, 0, 1, -1], [True, True, False, False, True]
    gives_up = [False, False, True, True, False]
    count = assign(blocks, hands_out, gives_up, [False] * 5, 0, slots, room[:], room[:])
    assert (slots, count) == ([1, 2, 1, 2, 2], 3)
