"""Whole histories: correct ones are admitted, and the fast loop agrees with the readable form on any."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spec.acceptor import Acceptor
from spec.contract import PROMISES
from spec.event import (
    ACCESSING,
    ERRNO_CHANGED,
    FREEING,
    MISUSE_CAUGHT,
    NEVER_RETURNED,
    RESIZING,
    WHOLE_SCANNED,
    Event,
    Function,
)
from spec.history import Phase, accept, points

BASE, GRANULE, GRANULES = 0x10000, 16, 48
OBSERVES = ERRNO_CHANGED | MISUSE_CAUGHT


class TinyAllocator:
    """A correct allocator over 48 granules, so small that every address is soon handed out again."""

    def __init__(self, rng: random.Random, quarantine: int) -> None:
        self.rng = rng
        self.quarantine = quarantine
        self.live: dict[int, tuple[int, int]] = {}  # base -> size, usable
        self.dead: list[tuple[int, int, int]] = []  # base, usable, frees of that class when it was freed, it included
        self.freed: dict[int, int] = {}

    def call(self, event: Event) -> Event:
        """The same event with a reply."""
        function, size = event.function, event.request_size
        if function == Function.LABEL:
            return event
        if function in ACCESSING:
            size = self.rng.randint(0, self.live[event.address][1])
            return event._replace(size=size, intact=size if function == Function.LOAD else -1)
        if function in FREEING:
            if event.address:
                self._release(event.address)
            return event
        if function == Function.USABLE_SIZE:
            return event._replace(result=self.live[event.address][1] if event.address else 0)
        if function in RESIZING and event.address:
            return self._resize(event, size)
        base = self._place(size, max(event.alignment, GRANULE))
        if not base:
            return event._replace(errno=errno.ENOMEM)
        intact = self.rng.choice((size, self.live[base][1])) if function == Function.CALLOC else -1
        return event._replace(result=base, usable=self.live[base][1], intact=intact)

    def _resize(self, event: Event, size: int) -> Event:
        base = event.address
        old_size, old_usable = self.live[base]
        if size == 0:
            self._release(base)
            return event
        need = -(-size // GRANULE) * GRANULE
        own = set(range(base, base + old_usable, GRANULE))
        if set(range(base, base + need, GRANULE)) <= self._free() | own and self.rng.random() < 0.7:
            self.live[base] = (size, need)
            return event._replace(result=base, usable=need, intact=min(old_size, size))
        self._release(base)
        moved = self._place(size, GRANULE)
        if moved:
            return event._replace(result=moved, usable=need, intact=min(old_size, size))
        self.live[base] = (old_size, old_usable)
        self.dead.pop()
        self.freed[old_usable] -= 1
        return event._replace(errno=errno.ENOMEM, intact=old_size)

    def _free(self) -> set[int]:
        free = set(range(BASE, BASE + GRANULES * GRANULE, GRANULE))
        for base, (_, usable) in self.live.items():
            free -= set(range(base, base + usable, GRANULE))
        for base, usable, mark in self.dead:
            if self.freed[usable] - mark < self.quarantine:
                free -= set(range(base, base + usable, GRANULE))
        return free

    def _place(self, size: int, alignment: int) -> int:
        usable = max(-(-size // GRANULE), 1) * GRANULE
        free = self._free()
        fits = [base for base in free if base % alignment == 0 and set(range(base, base + usable, GRANULE)) <= free]
        if not fits:
            return 0
        base = self.rng.choice(sorted(fits))
        self.live[base] = (size, usable)
        return base

    def _release(self, base: int) -> None:
        _, usable = self.live.pop(base)
        self.freed[usable] = self.freed.get(usable, 0) + 1
        self.dead.append((base, usable, self.freed[usable]))


def requests(rng: random.Random, mine: list[int], thread: int) -> Event:
    """One request of a client that owns the blocks `mine`; what it gives up is taken from them."""
    F = Function  # noqa: N806
    size = rng.choice((0, 1, 7, 8, 15, 16, 17, 24, 40, 64, 100))
    kind = rng.random()
    if kind < 0.42 or (kind < 0.8 and not mine):
        functions = (F.MALLOC, F.MALLOC, F.CALLOC, F.NEW, F.ALIGNED_ALLOC, F.MEMALIGN, F.POSIX_MEMALIGN, F.REALLOC)
        function = rng.choice(functions)
        aligned = function in (F.ALIGNED_ALLOC, F.MEMALIGN, F.POSIX_MEMALIGN)
        count = rng.choice((1, 2, 3)) if function == F.CALLOC else 1
        return Event(function, thread, size=size, count=count, alignment=rng.choice((16, 32, 64)) if aligned else 0)
    if kind < 0.8:
        address = mine.pop(rng.randrange(len(mine)))
        if rng.random() < 0.35:
            return Event(rng.choice((F.REALLOC, F.REALLOC, F.REALLOCARRAY)), thread, address, size)
        return Event(rng.choice((F.FREE, F.FREE, F.DELETE)), thread, address)
    if kind < 0.9 and mine:
        function = rng.choice((F.USABLE_SIZE, F.LOAD, F.STORE, F.FILL))
        return Event(function, thread, mine.pop(rng.randrange(len(mine))))
    return Event(rng.choice((F.FREE, F.DELETE, F.LABEL)), thread)


def history(seed: int, length: int, threads: int, quarantine: int) -> list[Event]:
    """A correct history of `length` calls by threads that overlap in every way their order allows."""
    rng = random.Random(seed)
    allocator = TinyAllocator(rng, quarantine)
    mine: list[int] = []
    clock, done = 0, []
    under_way: dict[int, Event] = {}  # by thread
    answered: set[int] = set()
    begun = 0
    while begun < length or under_way:
        thread = rng.randrange(threads)
        event = under_way.get(thread)
        if event is None:
            if begun < length:
                begun += 1
                clock += 1
                under_way[thread] = requests(rng, mine, thread)._replace(begin=clock)
        elif thread not in answered:
            under_way[thread] = allocator.call(event)
            answered.add(thread)
        else:
            clock += 1
            event = event._replace(end=clock)
            done.append(event)
            del under_way[thread]
            answered.discard(thread)
            failed = event.function in RESIZING and event.address and not event.result and event.request_size
            if event.function == Function.USABLE_SIZE or event.function in ACCESSING or failed:
                mine.append(event.address)
            elif event.result:
                mine.append(event.result)
    return sorted(done, key=lambda event: event.begin)


def sequential(events: list[Event]) -> list[Event]:
    return [event._replace(begin=0, end=0) for event in events]


histories = st.builds(
    history,
    seed=st.integers(0, 2**32),
    length=st.integers(0, 120),
    threads=st.integers(1, 4),
    quarantine=st.just(0),
)


def readable(events: list[Event], acceptor: Acceptor) -> Acceptor:
    """The readable form of `accept`."""
    for phase, event in points(events):
        if phase != Phase.END:
            acceptor.release(event)
        if phase != Phase.BEGIN:
            acceptor.acquire(event)
        acceptor.check()
    return acceptor


def state(acceptor: Acceptor) -> dict[str, object]:
    """All that two acceptors must agree on."""
    heap = acceptor.heap
    return {
        "findings": [str(finding) for finding in acceptor.findings],
        "counts": {name: number for name, number in acceptor.counts.items() if number},
        "tally": acceptor.tally,
        "live": dict(heap.live),
        "graves": heap.graves,
        "begun": +heap.begun,
        "ended": +heap.ended,
        "young": dict(acceptor.window.young),
        "events": acceptor.events,
    }


@given(seed=st.integers(0, 2**32), length=st.integers(0, 200), threads=st.integers(1, 4), quarantine=st.integers(0, 4))
def test_correct_histories_are_admitted(seed: int, length: int, threads: int, quarantine: int) -> None:
    events = history(seed, length, threads, quarantine)
    acceptor = accept(events, Acceptor(quarantine=quarantine, observes=OBSERVES))
    assert acceptor.findings == []
    acceptor.check()


@given(seed=st.integers(0, 2**32), length=st.integers(0, 200), quarantine=st.integers(0, 4))
def test_correct_sequential_histories_are_admitted(seed: int, length: int, quarantine: int) -> None:
    events = sequential(history(seed, length, 1, quarantine))
    assert accept(events, Acceptor(quarantine=quarantine, observes=OBSERVES)).findings == []


def mutations(rng: random.Random, events: list[Event]) -> Iterator[Event]:
    """The history with a few things wrong: fields changed, calls lost, doubled, or never returned."""
    for event in events:
        fate = rng.random()
        if fate < 0.90:
            yield event
        elif fate < 0.92:
            continue
        elif fate < 0.93 and event.begin:
            yield event._replace(end=0)
        elif fate < 0.94 and not event.begin:
            yield event
            yield event
        else:
            address = BASE + rng.randrange(0, GRANULES * GRANULE, 8)
            yield event._replace(
                **rng.choice(
                    (
                        {"address": address},
                        {"address": 0},
                        {"result": address},
                        {"result": 0},
                        {"result": 2**64 - 16},
                        {"size": rng.choice((0, 1, 33, 2**63))},
                        {"count": rng.choice((0, 4, 2**60))},
                        {"alignment": rng.choice((0, 3, 64))},
                        {"usable": rng.choice((-1, 0, 16, 80))},
                        {"intact": rng.choice((-1, 0, 3))},
                        {"errno": rng.choice((0, errno.EINVAL, errno.ENOMEM, errno.EPERM))},
                        {"flags": rng.choice((ERRNO_CHANGED, MISUSE_CAUGHT, NEVER_RETURNED, WHOLE_SCANNED, 7))},
                        {"flags": NEVER_RETURNED, "end": 0},
                        {"function": rng.choice(list(Function))},
                    )
                )
            )


@given(
    seed=st.integers(0, 2**32),
    length=st.integers(0, 150),
    threads=st.integers(1, 4),
    quarantine=st.integers(0, 4),
    standard=st.sampled_from(("c17", "c23", "posix", "c17,glibc", "c23,posix")),
    observes=st.sampled_from((0, ERRNO_CHANGED, OBSERVES, WHOLE_SCANNED)),
    limit=st.sampled_from((0, 3, 1000)),
    promises=st.sampled_from((frozenset(), PROMISES)),
    arena=st.sampled_from((None, (1, 2**64))),
)
def test_fast_loop_agrees_with_the_readable_form(
    seed: int,
    length: int,
    threads: int,
    quarantine: int,
    standard: str,
    observes: int,
    limit: int,
    promises: frozenset[str],
    arena: tuple[int, int] | None,
) -> None:
    events = list(mutations(random.Random(seed), history(seed, length, threads, quarantine)))
    if seed % 2 and threads == 1:
        events = sequential(events)
    options = {"quarantine": quarantine, "quarantine_limit": 64, "observes": observes, "limit": limit}
    options |= {"promises": promises, "arena": arena}  # type: ignore[dict-item]
    fast = accept(events, Acceptor(standard, **options))  # type: ignore[arg-type]
    assert state(fast) == state(readable(events, Acceptor(standard, **options)))  # type: ignore[arg-type]


SHARING = {"result-disjoint", "reuse-only-after-free", "zero-size-distinct", "realloc-failure-keeps-block"}


def corrupted(rng: random.Random, event: Event, before: Acceptor) -> Iterator[tuple[Event, set[str]]]:
    """Every way in which this reply can be made wrong, with the rules that may say so; `before` has seen the rest."""
    hands_out = event.result and event.function not in (Function.USABLE_SIZE, Function.LABEL, *ACCESSING)
    if event.function in ACCESSING:
        yield event._replace(flags=NEVER_RETURNED), {"block-accessible"}
    elif event.function != Function.LABEL:
        yield event._replace(flags=NEVER_RETURNED), {"call-returns"}
    if event.function == Function.LOAD and event.size:
        yield event._replace(intact=rng.randrange(event.size)), {"block-keeps-contents"}
    if event.function == Function.USABLE_SIZE and not event.address:
        yield event._replace(result=8), {"usable-size-null"}
    valid = event.address and (event.function in FREEING or event.function in RESIZING)
    if hands_out:
        live = [block for base, block in before.heap.live.items() if base != event.address]
        stolen = [block for block in live if not event.alignment or block.base % event.alignment == 0]
        if stolen:
            yield event._replace(result=rng.choice(stolen).base), SHARING
        yield event._replace(result=2**64 - 4096), {"result-contained"}
        aligned = {"result-aligned-fundamental", "result-aligned-as-requested"}
        if event.function != Function.NEW or event.size % 16 == 0 < event.size:
            yield event._replace(result=event.result + 8), aligned
        if event.request_size:
            yield event._replace(usable=event.request_size - 1), {"usable-at-least-requested"}
            if event.function == Function.POSIX_MEMALIGN:
                yield event._replace(result=0), {"posix-memalign-arguments"}
            elif event.function != Function.NEW:
                yield event._replace(result=0), {"result-non-null-or-enomem"}
        young = [grave.block for grave in before.window.young.values() if grave.block.base != event.address]
        young = [block for block in young if not event.alignment or block.base % event.alignment == 0]
        if young and not event.address:  # a realloc frees first, which may be the free that was missing
            small = event._replace(result=young[0].base, size=1, count=1, usable=16, intact=-1)
            yield small, {"quarantine-respected"}
    if event.function == Function.CALLOC and event.result and event.request_size:
        yield event._replace(intact=rng.randrange(event.request_size)), {"calloc-zeroes"}
    if event.function in RESIZING and event.address and event.intact > 0:
        rules = {"realloc-keeps-contents", "realloc-failure-keeps-block"}
        yield event._replace(intact=rng.randrange(event.intact)), rules
    if event.function == Function.FREE:
        yield event._replace(flags=ERRNO_CHANGED), {"free-keeps-errno"}
    if valid:
        yield event._replace(flags=MISUSE_CAUGHT), {"valid-call-accepted"}
        yield event._replace(address=event.address + 8), {"interior-free"}
    if event.function in FREEING and not event.address:
        yield event._replace(flags=MISUSE_CAUGHT), {"free-null-does-nothing"}
        dead = [base for base in before.heap.graves if before.heap.lookup(base) is None]
        if dead:
            yield event._replace(address=dead[0]), {"double-free"}


def overlaps_none(events: list[Event], place: int) -> bool:
    """Whether the call at `place` has begun after all before it had ended, and ended before any later one began."""
    begin, end = events[place].begin, events[place].end
    return all(event.end < begin for event in events[:place]) and all(
        end < event.begin for event in events[place + 1 :]
    )


@given(
    seed=st.integers(0, 2**32),
    length=st.integers(1, 60),
    threads=st.integers(1, 4),
    quarantine=st.integers(0, 3),
    numbered=st.booleans(),
)
def test_each_single_corruption_is_found(seed: int, length: int, threads: int, quarantine: int, numbered: bool) -> None:
    rng = random.Random(seed)
    events = history(seed, length, threads if numbered else 1, quarantine)
    if not numbered:
        events = sequential(events)
    places = [place for place in range(length) if not numbered or overlaps_none(events, place)]
    assume(places)
    place = places[-1]
    past, last = events[:place], events[place]
    before = accept(past, Acceptor(quarantine=quarantine, observes=OBSERVES))
    for event, rules in corrupted(rng, last, before):
        acceptor = accept([*past, event], Acceptor(quarantine=quarantine, observes=OBSERVES))
        found = {next(iter(acceptor.counts), "")}
        assert found <= rules, (event, acceptor.findings)
        assert all(finding.event is event for finding in acceptor.findings)


def test_points_of_calls_without_numbers_stand_where_they_are() -> None:
    events = [Event(Function.LABEL, label=label) for label in "abc"]
    assert [(phase, event.label) for phase, event in points(events)] == [(Phase.WHOLE, label) for label in "abc"]


@given(histories)
def test_points_are_in_the_order_of_their_numbers(events: list[Event]) -> None:
    numbers = []
    for phase, event in points(events):
        numbers += [event.begin] if phase != Phase.END else []
        numbers += [event.end] if phase != Phase.BEGIN else []
    assert numbers == sorted(numbers)
    assert len(numbers) == 2 * len(events)


def test_call_that_never_returned_has_no_end() -> None:
    events = [Event(Function.MALLOC, begin=1), Event(Function.MALLOC, begin=2, end=3)]
    assert [phase for phase, _ in points(events)] == [Phase.BEGIN, Phase.WHOLE]


def test_events_out_of_order_are_refused() -> None:
    events = [Event(Function.MALLOC, begin=5, end=6), Event(Function.MALLOC, begin=3, end=4)]
    with pytest.raises(ValueError, match=r"^an event begins at 3, after one at 5: order the events by begin$"):
        accept(events)


def test_progress_is_told_every_65536_events_and_at_the_end() -> None:
    told: list[int] = []
    accept((Event(Function.FREE) for _ in range(140_000)), progress=told.append)
    assert told == [65536, 131072, 140_000]


def test_history_goes_on_from_an_earlier_heap() -> None:
    parent = accept([Event(Function.MALLOC, size=24, result=0x1000, begin=1, end=2)])
    child = accept([Event(Function.FREE, address=0x1000, begin=3, end=4)], Acceptor(heap=parent.heap.copy()))
    assert child.findings == []
    assert list(parent.heap.live) == [0x1000] and not child.heap.live
