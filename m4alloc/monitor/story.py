"""The story of the block that a finding is about: what happened to it, in order, and what lay beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from m4alloc.monitor.report import Finding, Stack
from m4alloc.trace.format import TraceError
from m4alloc.trace.read import Trace
from spec.event import ACCESSING, ALLOCATING, FREEING, RESIZING, Event, Function
from spec.ltl.word import Letter

SHOWN: Final = 8
"""Moments of a story that are shown; of more, those in the middle are left out."""
BESIDE: Final = 4096
"""Bytes on either side in which other blocks are looked for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to a block.

    what: a few words. letter: what is true in it. event: its number in the clock of its thread, 0 where only the trace
    knows it. between: how much happened to others since the moment before; None: not known. wrong: it is the finding.
    """

    what: str
    letter: Letter
    event: int = 0
    thread: int = 0
    stack: Stack = ()
    between: int | None = None
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another block near by, as it was at the finding."""

    address: int
    size: int
    live: bool


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of a finding's block. left_out: moments between the first ones and the last."""

    moments: tuple[Moment, ...] = ()
    left_out: int = 0
    neighbours: tuple[Neighbour, ...] = ()


def story(finding: Finding) -> Story:
    """The block's story, with the help of the finding's trace where there is one.

    Cost: O(events in the trace).
    """
    events = _events(finding.trace)
    known = _moments(finding, events)
    if len(known) > SHOWN:
        kept = [*known[: SHOWN // 2], *known[-SHOWN // 2 :]]
        return Story(tuple(kept), len(known) - len(kept), _neighbours(finding, events))
    return Story(tuple(known), 0, _neighbours(finding, events))


def moments(finding: Finding) -> tuple[Moment, ...]:
    """All that is known to have happened to the finding's block, in order.

    Cost: O(events in the trace).
    """
    return tuple(_moments(finding, _events(finding.trace)))


def _events(path: str) -> list[Event]:
    if not path or not Path(path).exists():
        return []
    try:
        return list(Trace.open(path).events())
    except (TraceError, OSError):
        return []


def _moments(finding: Finding, events: list[Event]) -> list[Moment]:
    """The finding's own story has malloc, free and what was wrong; accesses and labels are in the trace only."""
    block, stacks = finding.block, finding.stacks
    found: list[Moment] = []
    if block is not None:
        size = f"malloc, {block.size:,} bytes"
        found.append(Moment(size, frozenset({"malloc"}), block.born, 0, stacks.get("malloc", ())))
        middle, counts = _from_trace(finding, events)
        if 0 < block.died < finding.event and not any("free" in moment.letter for moment in middle):
            middle.append(Moment("free", frozenset({"free"})))
        stack = stacks.get("free", ())
        found += [
            replace(moment, event=block.died, stack=stack) if "free" in moment.letter else moment for moment in middle
        ]
        last_gap = counts
    else:
        last_gap = None
    if found and finding.access is not None and finding.access.how == "malloc":
        found.pop()  # the malloc itself was wrong
    if finding.access is not None:
        found.append(_wrong(finding, last_gap))
    elif finding.at_exit:
        found.append(Moment("exit", frozenset(), finding.event, finding.thread, stacks.get("here", ()), last_gap, True))
    return found


def _wrong(finding: Finding, between: int | None) -> Moment:
    """The moment of the finding."""
    access = finding.access
    assert access is not None
    letters = {"malloc": {"malloc"}, "free": {"free"}, "realloc": {"free"}, "read": {"access"}, "write": {"access"}}
    letter = set(letters.get(access.how, {access.how}))
    if "access" in letter:
        letter.add("client_access_mem")
        block = finding.block
        if block is None or block.offset is None or not 0 <= block.offset <= block.size - access.size:
            letter.add("outside")
        if finding.class_ == "uninitialised-read":
            letter.add("uninitialised")
    what = f"{access.how} of {access.size:,} byte{'' if access.size == 1 else 's'}" if access.size else access.how
    what += f" in {access.function}" if access.function else ""
    here = finding.stacks.get("here", ())
    return Moment(what, frozenset(letter), finding.event, finding.thread, here, between, True)


def _from_trace(finding: Finding, events: list[Event]) -> tuple[list[Moment], int | None]:
    """What the trace has of the block between its malloc and the finding, and how many events of others at the end."""
    block = finding.block
    if block is None or not events:
        return [], None
    start = next(
        (at for at in range(len(events) - 1, -1, -1) if _is_malloc(events[at]) and events[at].result == block.address),
        None,
    )
    if start is None:
        return [], None
    stop = len(events) - (finding.access is not None)
    found: list[Moment] = []
    gap = 0
    for event in events[start + 1 : stop]:
        moment = _seen(event, block.address, block.size, gap)
        if moment is None:
            gap += 1
        else:
            found.append(moment)
            gap = 0
    return found, gap


def _seen(event: Event, base: int, size: int, gap: int) -> Moment | None:
    """The event as a moment of that block; None: it is another's."""
    if not base <= event.address < base + max(size, 1):
        return None
    if event.function in FREEING and event.address == base:
        return Moment("free", frozenset({"free"}), between=gap)
    if event.function in ACCESSING:
        verb = "read" if event.function is Function.LOAD else "write"
        what = f"{verb}, byte {event.address - base:,}"
        return Moment(what, frozenset({"access", "client_access_mem"}), between=gap)
    if event.function is Function.LABEL and event.label:
        return Moment(event.label, frozenset({event.label}), between=gap)
    return None


def _is_malloc(event: Event) -> bool:
    return event.function in ALLOCATING or (event.function in RESIZING and event.result != event.address)


def _neighbours(finding: Finding, events: list[Event]) -> tuple[Neighbour, ...]:
    """The blocks of the trace that lie near the finding's, by address."""
    block = finding.block
    if block is None:
        return ()
    found: dict[int, Neighbour] = {}
    for event in events:
        if _is_malloc(event) and event.result:
            found[event.result] = Neighbour(event.result, event.request_size, True)
        elif event.function in FREEING and event.address in found:
            found[event.address] = Neighbour(event.address, found[event.address].size, False)
    low, high = block.address - BESIDE, block.address + block.size + BESIDE
    near = (one for address, one in found.items() if low <= address < high and address != block.address)
    return tuple(sorted(near, key=lambda one: one.address))
