"""The numpy account of a heap's life agrees with one kept by hand, request by request."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.check.heap_life import PAGE, Moment, heap_life
from m4alloc.check.lives import Lives, calls_of, lives_of
from spec.event import Event, Function

PLACES = [0x10000 + step for step in (0, 64, 4080, 8192, 20000, 65536)]
ROOM = {
    0x10000: 64,
    0x10040: 4016,
    0x10000 + 4080: 4112,
    0x10000 + 8192: 11808,
    0x10000 + 20000: 45536,
    0x20000: 1 << 20,
}


@dataclass
class Ledger:
    """The brute force: a dictionary of live blocks, and every number counted anew after every request."""

    live: dict[int, tuple[int, int]] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)

    def note(self, request: int) -> None:
        pages = {
            page
            for base, (_, usable) in self.live.items()
            for page in range(base // PAGE, (base + usable - 1) // PAGE + 1)
        }
        sizes = [size for size, _ in self.live.values()]
        usables = [usable for _, usable in self.live.values()]
        self.moments.append(Moment(request, sum(sizes), sum(usables), len(pages) * PAGE, len(sizes)))


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Event], Ledger]:
    """A sequential history of an allocator that places blocks at PLACES, with what it left alive at each step."""
    ledger = Ledger()
    events: list[Event] = []
    for number in range(1, draw(st.integers(0, 30)) + 1):
        free = [place for place in PLACES if place not in ledger.live]
        taken = sorted(ledger.live)
        kinds = [
            *(["malloc", "memalign"] if free else []),
            *(["free", "realloc", "fail", "zero"] if taken else []),
            "null",
        ]
        kind = draw(st.sampled_from(kinds))
        if kind in ("malloc", "memalign"):
            place = draw(st.sampled_from(free))
            size = draw(st.integers(0, ROOM[place]))
            seen = draw(st.booleans())
            usable = draw(st.integers(max(1, size), ROOM[place])) if seen else -1
            function = Function.MALLOC if kind == "malloc" else Function.POSIX_MEMALIGN
            events.append(Event(function, size=size, result=place, usable=usable))
            ledger.live[place] = (size, max(1, size, usable))
        elif kind == "free":
            place = draw(st.sampled_from(taken))
            events.append(Event(Function.FREE, address=place))
            del ledger.live[place]
        elif kind == "realloc":
            old = draw(st.sampled_from(taken))
            place = draw(st.sampled_from([old, *free]))
            size = draw(st.integers(1, ROOM[place]))
            events.append(Event(Function.REALLOC, address=old, size=size, result=place, usable=size))
            del ledger.live[old]
            ledger.live[place] = (size, size)
        elif kind == "fail":
            events.append(Event(Function.REALLOC, address=draw(st.sampled_from(taken)), size=1 << 50, errno=12))
        elif kind == "zero":
            place = draw(st.sampled_from(taken))
            events.append(Event(Function.REALLOC, address=place, size=0))
            del ledger.live[place]
        else:
            events.append(
                draw(
                    st.sampled_from(
                        [
                            Event(Function.FREE),
                            Event(Function.MALLOC, size=1 << 50, errno=12),
                            Event(Function.POSIX_MEMALIGN, size=8, alignment=3, result=0x10000, errno=22),
                            Event(Function.USABLE_SIZE, address=0x10000, result=64),
                        ]
                    )
                )
            )
        ledger.note(number)
    return events, ledger


@given(histories())
def test_the_curve_is_the_ledger_wherever_it_looks(history: tuple[list[Event], Ledger]) -> None:
    events, ledger = history
    life = heap_life(lives_of(calls_of(events)), samples=1000)
    for moment in life.curve:
        assert moment == ledger.moments[moment.request - 1]
    assert life.requests == len(events)


@given(histories(), st.integers(1, 12))
def test_the_peaks_are_the_ledgers_however_few_the_samples(history: tuple[list[Event], Ledger], samples: int) -> None:
    events, ledger = history
    life = heap_life(lives_of(calls_of(events)), samples=samples)
    assert life.peak.live == max((moment.live for moment in ledger.moments), default=0)
    assert life.peak.live == max((moment.live for moment in life.curve), default=0)
    assert life.footprint_peak >= max((moment.footprint for moment in ledger.moments), default=0)
    assert len(life.curve) <= samples + 1
    if ledger.moments:
        assert (life.last.live, life.last.blocks) == (ledger.moments[-1].live, ledger.moments[-1].blocks)


@given(histories())
def test_every_block_is_counted_once_by_class_by_size_and_by_lifetime(history: tuple[list[Event], Ledger]) -> None:
    events, ledger = history
    lives = lives_of(calls_of(events))
    life = heap_life(lives)
    assert sum(one.blocks for one in life.classes) == sum(one.blocks for one in life.sizes) == life.allocated
    assert sum(one.requested for one in life.classes) == sum(one.requested for one in life.sizes)
    assert sum(blocks for _, blocks in life.lifetimes) == life.allocated - len(ledger.live)
    survivors = lives.survivors
    assert dict(zip(survivors.base.tolist(), survivors.size.tolist(), strict=True)) == {
        base: size for base, (size, _) in ledger.live.items()
    }


@given(histories(), st.data())
def test_a_forked_child_starts_from_the_blocks_that_live_at_the_fork(
    history: tuple[list[Event], Ledger], data: st.DataObject
) -> None:
    events, ledger = history
    cut = data.draw(st.integers(0, len(events)))
    whole = lives_of(calls_of(events))
    inherited = whole.alive_at(2 * cut)
    late = calls_of(events[cut:])
    child = heap_life(lives_of(late, inherited), samples=1000)
    assert child.inherited == (ledger.moments[cut - 1].blocks if cut else 0)
    if child.curve:
        assert (child.last.live, child.last.footprint) == (ledger.moments[-1].live, ledger.moments[-1].footprint)


def test_a_block_is_released_at_the_begin_of_its_free_and_acquired_at_the_end_of_its_malloc() -> None:
    free_meanwhile = Event(Function.FREE, address=0x1000, begin=3, end=6)
    reuse = Event(Function.MALLOC, size=8, result=0x1000, begin=2, end=5)
    first = Event(Function.MALLOC, size=8, result=0x1000, begin=0, end=1)
    lives = lives_of(calls_of([first, reuse, free_meanwhile]))
    assert list(zip(lives.born.tolist(), lives.died.tolist(), strict=True)) == [(1, 3), (5, lives.horizon)]


def test_a_call_that_never_returned_hands_out_nothing() -> None:
    lives = lives_of(calls_of([Event(Function.MALLOC, size=8, result=0, begin=1, end=0)]))
    assert len(lives) == 0 and lives.requests == 1


@pytest.mark.parametrize(("errno", "left"), [(0, 0), (12, 1)])
def test_realloc_to_zero_that_returned_null_freed_the_block_unless_it_failed(errno: int, left: int) -> None:
    events = [Event(Function.MALLOC, size=8, result=0x1000), Event(Function.REALLOC, address=0x1000, errno=errno)]
    assert len(lives_of(calls_of(events)).survivors) == left


def test_misuse_and_overlap_do_not_stop_the_account() -> None:
    events = [
        Event(Function.FREE, address=0x9000),
        Event(Function.MALLOC, size=8, result=0x1000),
        Event(Function.MALLOC, size=16, result=0x1000),
        Event(Function.FREE, address=0x1000),
        Event(Function.FREE, address=0x1000),
        Event(Function.MALLOC, size=1 << 63, result=(1 << 64) - 16, usable=(1 << 64) - 1),
    ]
    life = heap_life(lives_of(calls_of(events)))
    assert [moment.blocks for moment in life.curve][:3] == [1, 1, 0]
    assert life.allocated == 3


def test_a_heap_without_a_block_has_an_empty_life() -> None:
    life = heap_life(lives_of(calls_of([Event(Function.FREE)])))
    assert life.peak == life.last == Moment(0, 0, 0, 0, 0)
    assert life.curve == () and life.classes == () and life.lifetimes == ()


def test_the_fragmentations_are_parts_of_what_was_handed_out_and_of_the_footprint() -> None:
    moment = Moment(request=1, live=60, usable=80, footprint=4096, blocks=1)
    assert moment.internal == 0.25
    assert moment.external == (4096 - 80) / 4096


def test_lives_keep_the_order_of_birth() -> None:
    events = [Event(Function.MALLOC, size=8, result=place) for place in reversed(PLACES)]
    lives: Lives = lives_of(calls_of(events))
    assert np.array_equal(lives.base, np.array(list(reversed(PLACES))))
