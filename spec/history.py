"""Whole histories: the order of a concurrent one, and the acceptor's fast loop over it.

The fast loop admits at a glance what no rule can object to and hands every other call to the readable acceptor,
which shares its heap. Tests hold the two equal: same findings, same tally, same heap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from heapq import heappop, heappush
from itertools import chain

from spec.acceptor import Acceptor
from spec.event import ACCESSING, ERRNO_CHANGED, MISUSE_CAUGHT, NEVER_RETURNED, Event, Function
from spec.heap import Block, Grave
from spec.judge import PTRDIFF_MAX
from spec.standard import FUNDAMENTAL
from spec.tiling import Tiling

PROGRESS_EVERY = 65536


class Phase(IntEnum):
    """Which end of a call a point is; WHOLE when no other call begins or ends in between."""

    BEGIN = 1
    END = 2
    WHOLE = 3


def points(events: Iterable[Event]) -> Iterator[tuple[Phase, Event]]:
    """Merge the begin and end numbers of `events` into one order.

    events: ordered by begin; those without numbers (begin 0) overlap nothing and stand right before the next begin.
    Calls that never returned (end 0) have no END.
    Raises: ValueError when begins do not ascend.  Cost: O(log c) an event with c calls under way.

    >>> a, b = (Event(Function.MALLOC, begin=1, end=4), Event(Function.FREE, begin=2, end=3))
    >>> [(phase.name, event.function.name) for phase, event in points([a, b])]
    [('BEGIN', 'MALLOC'), ('WHOLE', 'FREE'), ('END', 'MALLOC')]
    """
    begin_phase, end_phase, whole = Phase
    under_way: list[tuple[int, Event]] = []
    held: Event | None = None  # has begun; whether another call begins before it ends is not known yet
    waiting: list[Event] = []  # events without a number, until it is known which calls have ended
    last = 0
    for event in chain(events, (_AFTER_ALL,)):
        begin = event.begin
        if not begin:
            if held is None and not under_way:
                yield whole, event
            else:
                waiting.append(event)
            continue
        if begin <= last:
            raise ValueError(f"an event begins at {begin}, after one at {last}: order the events by begin")
        last = begin
        if held is not None:
            if held.end < begin and not (under_way and under_way[0][0] < held.end):
                yield whole, held
            else:
                yield begin_phase, held
                heappush(under_way, (held.end, held))
            held = None
        while under_way and under_way[0][0] < begin:
            yield end_phase, heappop(under_way)[1]
        if waiting:
            yield from ((whole, other) for other in waiting)
            waiting.clear()
        if event.end:
            held = event
        elif event is not _AFTER_ALL:
            yield begin_phase, event


_AFTER_ALL = Event(Function.LABEL, begin=2**64)


def accept(
    events: Iterable[Event],
    acceptor: Acceptor | None = None,
    progress: Callable[[int], None] | None = None,
) -> Acceptor:
    """Run `events`, ordered by begin, through `acceptor` (a new one by default) and return it.

    progress: called with the number of events done, every 65,536 of them and at the end.
    Raises: ValueError when the events are out of order.
    Cost: a few microseconds an event; O(1) for a block at an address whose surroundings have not changed since it was
    last handed out, else O(log n) in live blocks.

    >>> history = [Event(Function.MALLOC, size=24, result=0x1000), Event(Function.FREE, address=0x1000)]
    >>> accept(history).tally["result-disjoint"]
    1
    """
    acceptor = Acceptor() if acceptor is None else acceptor
    heap, window, contested, survivors = acceptor.heap, acceptor.window, acceptor.contested, acceptor.survivors
    live, graves, begun, ended, under_way = heap.live, heap.graves, heap.begun, heap.ended, acceptor.under_way
    tiling = Tiling(heap, window)
    tiles, claim, young, quarantined, bury = tiling.tiles, tiling.claim, window.young, window.length > 0, window.bury
    low, high = acceptor.span
    high = min(high, PTRDIFF_MAX)  # no block that lies below is too large for any rule
    # The low bits of an address that must be clear, by size: enough for every rule of fundamental alignment.
    masks = [max(acceptor.contract.fundamental(size), size & -size) - 1 for size in range(FUNDAMENTAL)]
    large = FUNDAMENTAL - 1
    calloc, realloc, free, new = Function.CALLOC, Function.REALLOC, Function.FREE, Function.NEW
    allocates, frees, load, never = (Function.MALLOC, calloc), (free, Function.DELETE), Function.LOAD, NEVER_RETURNED
    zeroes_usable = "calloc-zeroes-usable" in acceptor.contract.rules
    begin_phase, end_phase, whole = Phase
    blocks = measured = scanned = compared = resized = freed = deleted = freed_null = deleted_null = created = 0
    replied = zeroed = accessed = read = 0
    done = acceptor.events

    for phase, event in points(events):
        (
            function,
            thread,
            address,
            size,
            count,
            alignment,
            result,
            _,
            usable,
            intact,
            begin,
            end,
            _,
            _,
            flags,
            _,
        ) = event
        if phase is not end_phase:
            done += 1
            if progress is not None and not done % PROGRESS_EVERY:
                progress(done)

        if function in frees:
            if phase is end_phase:
                entry = under_way.pop(begin, None)
                if entry is not None:
                    ended[entry[0].usable] += 1
                continue
            if not flags and not address:
                if not end and begin:
                    pass  # cut off: nobody saw what came of it
                elif function == free:
                    freed_null += 1
                else:
                    deleted_null += 1
                continue
            block = live.get(address)
            if block is not None and not flags and (function == free or not size) and address not in contested:
                usable = block.usable
                del live[address]
                graves[address] = Grave(block, begin or done, thread, True, ended[usable])
                begun[usable] += 1
                if quarantined:
                    bury(block)
                if phase is whole:
                    ended[usable] += 1
                else:
                    under_way[begin] = block, True
                if not end and begin:
                    pass
                elif function == free:
                    freed += 1
                else:
                    deleted += 1
                continue

        elif function in allocates or (function == new and not alignment):
            if phase is begin_phase and not flags & never:
                if end:
                    replied += 1
                continue
            request = size * count
            top = result + (usable if usable > request else request)
            if (
                request > 0
                and result
                and low <= result
                and top <= high
                and not flags & never
                and not result & (masks[request] if request <= large else large)
                and (usable < 0 or usable >= request)
                and (intact < 0 or function != calloc or intact >= request)
                and (not zeroes_usable or function != calloc or intact >= usable)
                and result not in live
                and (tiles.get(result, 0) >= top or claim(result, top))
                and not (quarantined and result in young)
            ):
                live[result] = Block(result, request, usable, alignment, heap.next_id, thread, begin or done)
                heap.next_id += 1
                blocks += 1
                if phase is whole:
                    replied += 1
                if usable >= 0:
                    measured += 1
                if function == calloc:
                    if intact >= 0:
                        scanned += 1
                        if usable >= 0:
                            zeroed += 1
                elif function == new:
                    created += 1
                continue

        elif function == realloc and phase is whole and not flags:
            request = size * count
            top = result + (usable if usable > request else request)
            old = live.get(address)
            if (
                request > 0
                and result
                and low <= result
                and top <= high
                and not result & (masks[request] if request <= large else large)
                and (usable < 0 or usable >= request)
                and (old is not None or not address)
                and (old is None or intact < 0 or intact >= (request if request < old.size else old.size))
                and (result == address or result not in live)
                and (tiles.get(result, 0) >= top or claim(result, top))
                and not (quarantined and result in young)
                and address not in contested
                and not (survivors and old is not None and old.id in survivors)
            ):
                if old is not None and result == address:
                    live[result] = Block(result, request, usable, 0, old.id, old.thread, old.born)
                else:
                    if old is not None:
                        del live[address]
                        graves[address] = Grave(old, begin or done, thread, True, ended[old.usable])
                        begun[old.usable] += 1
                        if quarantined:
                            bury(old)
                        ended[old.usable] += 1
                    live[result] = Block(result, request, usable, alignment, heap.next_id, thread, begin or done)
                    heap.next_id += 1
                blocks += 1
                replied += 1
                if usable >= 0:
                    measured += 1
                if old is not None:
                    resized += 1
                    if intact >= 0:
                        compared += 1
                continue

        elif function in ACCESSING:
            if phase is end_phase:
                continue
            block = live.get(address)
            if (
                block is not None
                and not flags & never
                and (size <= block.size or size <= block.usable)
                and (intact < 0 or function != load or intact >= size)
            ):
                if end or not begin:
                    accessed += 1
                    if function == load and intact >= 0:
                        read += 1
                continue

        # Not plain: the readable acceptor decides.
        if phase is not end_phase:
            acceptor.events = done - 1
            acceptor.release(event)
        if phase is not begin_phase:
            acceptor.acquire(event)
        for base in (event.address, event.result):
            block = live.get(base)
            if block is not None and tiles.get(base, 0) < block.top:
                claim(base, block.top)

    acceptor.events = done
    observes = acceptor.observes
    erring, misusing = observes & ERRNO_CHANGED, observes & MISUSE_CAUGHT
    tally = acceptor.tally
    for name, number in {
        "call-returns": freed + freed_null + deleted + deleted_null + replied,
        "result-non-null-or-enomem": blocks - created,
        "result-aligned-fundamental": blocks,
        "result-contained": blocks,
        "result-disjoint": blocks,
        "reuse-only-after-free": blocks,
        "quarantine-respected": blocks if quarantined else 0,
        "usable-at-least-requested": measured,
        "calloc-zeroes": scanned,
        "calloc-zeroes-usable": zeroed,
        "realloc-keeps-contents": compared,
        "free-null-does-nothing": freed_null + deleted_null if misusing else 0,
        "free-keeps-errno": freed + freed_null if erring else 0,
        "valid-call-accepted": freed + deleted + resized if misusing else 0,
        "block-accessible": accessed,
        "block-keeps-contents": read,
    }.items():
        if name in tally:
            tally[name] += number
    if progress is not None:
        progress(done)
    return acceptor
