"""The temporal properties of a history's blocks: in which state each one's monitor is, and when that changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from m4alloc.view.explorer.build_marks import in_order
from m4alloc.view.explorer.life import Life, Mark, PropertyLife
from spec.event import Event
from spec.judge import SIZE_MAX
from spec.ltl.monitor import Monitor, monitor
from spec.ltl.truth import Truth
from spec.ltl.word import Letter
from spec.properties import REPORTED, Property
from spec.property_verdict import OF_BLOCKS, concerns, missing
from spec.propositions import ACCESS, FREE, MALLOC, Delivery, Sort, Words, values

EVENTS = 20_000
"""Events that monitors are followed for at most; of a longer history those that are about marked blocks."""
_NATURAL: tuple[tuple[str, Letter], ...] = (("a malloc", MALLOC), ("a free", FREE), ("an access", ACCESS))
_NUMBERS = {
    "overlap": "a malloc that overlaps",
    "early": "a malloc that comes early",
    "dirty": "a malloc that is not zero",
    "outside": "an access outside",
}


def followed(life: Life, events: Sequence[Event], numbers: Sequence[int], quarantine: tuple[int, int]) -> Life:
    """The life with the properties of its blocks, and a mark where one is violated for good.

    events: the history, or that part of it that is about some blocks; numbers: of each its number in the life.
    quarantine: as of `build.life_of`.  Cost: some tens of microseconds an event.

    >>> from m4alloc.view.explorer.build import life_of
    >>> from m4alloc.view.explorer.build_columns import columns_of_events
    >>> from spec.script import parse, to_events
    >>> events = to_events(parse("a = malloc 24 -> 0x1000\\nfree a\\nfree a"))
    >>> life = life_of(columns_of_events(events), title="", allocator="")
    >>> found = followed(life, events, range(3), (0, 0))
    >>> once = next(one for one in found.properties if one.name == "no-double-free")
    >>> [once.states[state] for _, _, state in once.changes]
    ['allocated', 'not allocated: a free violates', 'violated']
    """
    plain = [event._replace(begin=0, end=0) for event in events]
    length, limit = quarantine
    words = Words(plain, quarantine=length, quarantine_limit=limit if length else SIZE_MAX)
    deliveries = list(words)
    owners = _Owners(life, numbers)
    lives, marks = [], []
    for one in REPORTED:
        if one.index in OF_BLOCKS and not missing(one, words.observed) and not one.labels - words.observed:
            found, began, broken = _follow(one, deliveries, owners)
            # Where every block stays as it began there is nothing to see.
            lives += [found] if any(state != began for _, _, state in found.changes) else []
            marks += [
                Mark(
                    event,
                    block,
                    "property",
                    one.name,
                    f"Violated from here on: {one.sentence}",
                    one.text,
                )
                for event, block in broken
            ]
    return replace(life, properties=tuple(lives), marks=in_order([*life.marks, *marks]))


def about_marks(life: Life) -> list[int]:
    """The numbers of the events that are about marked blocks, or about others that lay where these did."""
    marked = {mark.block for mark in life.marks if mark.block >= 0}
    bases = life.blocks.base[sorted(marked)] if marked else np.zeros(0, np.int64)
    chosen = np.flatnonzero(np.isin(life.blocks.base, bases))
    near = np.isin(life.events.block, [*chosen.tolist(), *life.blocks.origin[chosen].tolist()])
    near |= np.isin(life.events.block, np.flatnonzero(np.isin(life.blocks.origin, chosen)))
    return np.flatnonzero(near & (life.events.block >= 0)).tolist()[:EVENTS]


class _Owners:
    """Which block of the life a letter is about."""

    def __init__(self, life: Life, numbers: Sequence[int]) -> None:
        self.life, self.numbers = life, numbers

    def event(self, delivery: Delivery) -> int:
        """The number of the event, in the life."""
        return self.numbers[delivery.number - 1] if delivery.number else 0

    def block(self, delivery: Delivery) -> int:
        """The block: of a realloc that moves, the old one for its free, the new one for its malloc."""
        event = self.event(delivery)
        block = int(self.life.events.block[event])
        gives_up = "free" in delivery.letter and block >= 0 and int(self.life.blocks.born[block]) == event
        return int(self.life.blocks.origin[block]) if gives_up else block


def _follow(
    one: Property, deliveries: Iterable[Delivery], owners: _Owners
) -> tuple[PropertyLife, int, list[tuple[int, int]]]:
    """The property's life, the state that all begin in, and where it is violated: events and blocks."""
    machine = monitor(one.formula)
    state: dict[Hashable, int] = {}
    changes: list[tuple[int, int, int]] = []
    broken: list[tuple[int, int]] = []
    for delivery in deliveries:
        heard = concerns(one, delivery)
        if not heard and delivery.sort is not Sort.RESIZE:
            continue
        event, block = owners.event(delivery), owners.block(delivery)
        for value in values(one.index, delivery) or ():
            before = state.get(value, machine.initial)
            after = machine.step(before, machine.number(delivery.letter)) if heard else before
            state[value] = after
            born = delivery.sort is Sort.RESIZE or "malloc" in delivery.letter
            if after != before or born:
                changes.append((event, block, after))
            if machine.verdict[after] is Truth.FALSE and machine.verdict[before] is not Truth.FALSE:
                broken.append((event, block))
    order, names = _named(machine)
    told = tuple((event, block, order[after]) for event, block, after in changes)
    return PropertyLife(one.name, one.text, one.sentence, str(one.index), names, told), order[machine.initial], broken


def _named(machine: Monitor) -> tuple[dict[int, int], tuple[str, ...]]:
    """The states' new numbers and names: those that a run can be in, what is violated for good last."""
    known = sorted(range(machine.states), key=lambda state: machine.verdict[state] is Truth.FALSE)
    return {state: place for place, state in enumerate(known)}, tuple(_name(machine, state) for state in known)


def _name(machine: Monitor, state: int) -> str:
    """A state in words: what led there, and what would violate the property next, or is still owed."""
    if machine.verdict[state] is Truth.FALSE:
        return "violated"
    if machine.verdict[state] is Truth.TRUE:
        return "holds for good"
    wrong = _leading(machine, state, lambda to: machine.verdict[to] is Truth.FALSE)
    parts = [f"{' or '.join(wrong)} violates"] if wrong else []
    if not machine.at_end[state]:
        owed = _leading(machine, state, lambda to: machine.at_end[to] and machine.verdict[to] is not Truth.FALSE)
        parts.insert(0, f"owes {' or '.join(owed) or 'something'}")
    entered = _entered(machine, state)
    return f"{entered}: {', '.join(parts)}" if parts else entered


def _leading(machine: Monitor, state: int, wanted: Callable[[int], bool]) -> list[str]:
    """The letters that lead from the state to one that is wanted, in words."""
    found = [name for name, letter in _NATURAL if wanted(machine.step(state, machine.number(letter)))]
    for number, name in _NUMBERS.items():
        plain = ACCESS if number == "outside" else MALLOC
        beside = wanted(machine.step(state, machine.number(plain)))
        if (
            number in machine.propositions
            and not beside
            and wanted(machine.step(state, machine.number(plain | {number})))
        ):
            found.append(name)
    return found


def _entered(machine: Monitor, state: int) -> str:
    """What lies behind in this state, as far as all ways into it agree."""
    ways = {
        word
        for word, letter in (("allocated", MALLOC), ("freed", FREE), ("accessed", ACCESS))
        for before in range(machine.states)
        if before != state and machine.step(before, machine.number(letter)) == state
    }
    if state == machine.initial:
        return "not allocated" if ways == {"freed"} else "at first"
    return next(iter(ways)) if len(ways) == 1 else "in use"
