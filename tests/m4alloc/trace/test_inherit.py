"""A forked child begins with exactly the blocks that its parent held at the fork."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.trace.inherit import live_at
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write
from spec.event import Event, Function
from spec.history import accept

ENOMEM = 12
M, C, R, F = Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.FREE


def trace_of(folder: Path, *events: Event) -> Trace:
    write(folder / "trace", events)
    return Trace.open(folder / "trace")


def held(trace: Trace, sequence: int, *inherited: Event) -> list[tuple[int, int]]:
    """Address and size of each block live at that moment."""
    return [(event.result, event.size) for event in live_at(trace, sequence, inherited)]


def test_a_block_is_held_from_the_end_of_its_malloc_to_the_begin_of_its_free(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Event(M, size=8, result=16, begin=2, end=5), Event(F, address=16, begin=8, end=9))
    assert [bool(held(trace, sequence)) for sequence in range(10)] == [5 <= sequence < 8 for sequence in range(10)]


def test_a_realloc_gives_up_the_old_block_at_its_begin(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=8, result=16, begin=1, end=2),
        Event(R, address=16, size=99, result=64, begin=3, end=5),
    )
    assert [held(trace, sequence) for sequence in (2, 3, 4, 5)] == [[(16, 8)], [], [], [(64, 99)]]


def test_a_realloc_in_place_keeps_the_address_with_the_new_size(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=8, result=16, begin=1, end=2),
        Event(R, address=16, size=9, result=16, intact=8, begin=3, end=4),
    )
    (block,) = live_at(trace, 4)
    assert block == Event(M, size=9, result=16, begin=3, end=4), "a malloc of that size, so that the heap takes it"


def test_a_failed_realloc_gives_up_nothing(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=8, result=16, begin=1, end=2),
        Event(R, address=16, size=2**60, errno=ENOMEM, begin=3, end=4),
    )
    assert held(trace, 9) == [(16, 8)]


def test_a_realloc_to_nothing_frees(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path, Event(M, size=8, result=16, begin=1, end=2), Event(R, address=16, size=0, begin=3, end=4)
    )
    assert held(trace, 9) == []


def test_a_failed_posix_memalign_hands_out_nothing(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Event(Function.POSIX_MEMALIGN, size=8, result=16, errno=22, begin=1, end=2))
    assert held(trace, 9) == []


def test_a_call_that_never_returned_holds_nothing(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Event(M, size=8, result=16, begin=1, end=0))
    assert held(trace, 9) == []


def test_inherited_blocks_are_held_until_they_are_freed(tmp_path: Path) -> None:
    trace = trace_of(tmp_path, Event(F, address=32, begin=11, end=12))
    before = [Event(C, size=4, count=2, result=address, begin=1, end=2) for address in (16, 32, 48)]
    assert [event.result for event in live_at(trace, 20, before)] == [16, 48]
    assert live_at(trace, 20, before)[0] == before[0]


@given(
    choices=st.lists(st.tuples(st.sampled_from("mmrf"), st.integers(0, 50)), max_size=30),
    sequence=st.integers(0, 60),
)
def test_the_blocks_are_those_of_the_specifications_heap(
    choices: list[tuple[str, int]], sequence: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Sequential histories: run the acceptor up to the moment, and compare its heap."""
    events: list[Event] = []
    live: list[int] = []
    fresh = 0x10000
    for step, (choice, pick) in enumerate(choices):
        numbers = {"begin": 2 * step + 1, "end": 2 * step + 2}
        if choice == "m" or not live:
            events.append(Event(M, size=pick + 1, result=fresh, **numbers))
            live.append(fresh)
            fresh += 0x100
        elif choice == "f":
            events.append(Event(F, address=live.pop(pick % len(live)), **numbers))
        else:
            old = live.pop(pick % len(live))
            events.append(Event(R, address=old, size=pick + 60, result=fresh, **numbers))
            live.append(fresh)
            fresh += 0x100
    trace = trace_of(tmp_path_factory.mktemp("live"), *events)
    sequence -= sequence % 2
    heap = accept(event for event in events if event.end <= sequence).heap
    assert sorted(held(trace, sequence)) == [(base, block.size) for base, block in heap.live.items()]
