"""Statements that are one step: what they do to the cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from spec.model import syntax
from spec.model.interval import Interval, interval
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Constant,
    Element,
    Expression,
    Guard,
    Raise,
    Read,
    Statement,
    reads,
)
from spec.model.scope import NUMBER, Expressions, KnownChannel, Slots, at, fold, meant
from spec.model.syntax import PlacedError, Target
from spec.model.writer import show, show_step, show_target

EVENTS: Mapping[str, str] = {
    "mem_allocate_start": "",
    "mem_allocate_end": "malloc",
    "mem_free_start": "free",
    "mem_free_end": "",
    "client_access_mem": "access",
}
"""The labels of allocators, and the short name that each raises as well."""


class Alternative(NamedTuple):
    """One way in which a statement can happen."""

    body: tuple[Statement, ...]
    text: str


class Steps:
    """Lowers statements that have no others inside of them.

    cells: of the whole model. tracked: the cell of the tracked block. temporary: makes a cell for a value in an
    exchange, given its range; it is 0 between steps.
    """

    def __init__(self, cells: list[Cell], tracked: int | None, temporary: Callable[[int, Interval], int]) -> None:
        self._cells = cells
        self._tracked = tracked
        self._temporary = temporary

    def alternatives(
        self, statement: syntax.Statement, scope: Expressions, names: Mapping[str, str]
    ) -> Iterator[Alternative]:
        """Every way in which the statement can happen.  Raises: PlacedError."""
        text = show_step(statement, names)
        match statement:
            case syntax.Skip():
                yield Alternative((), text)
            case syntax.Wait(condition):
                yield Alternative((Guard(scope.truth(condition, "`await`")),), text)
            case syntax.Claim(condition):
                wrong = f"assertion {show(condition, names)} is false"
                yield Alternative((Assert(scope.truth(condition, "`assert`"), wrong),), text)
            case syntax.Label():
                yield Alternative(self._raised(statement, scope), text)
            case syntax.Set():
                yield Alternative(tuple(self._set(statement, scope)), text)
            case syntax.Pick(target, over):
                slots = scope.variable(target).slots
                place = scope.place_of(target, slots)
                sort, values = scope.range(over, "`any`")
                if sort != slots.sort:
                    raise PlacedError(over.at, f"`{target.name}` is {slots.sort}, and this is {sort}")
                self._check_range(target, slots, values[0], values[-1], over.at)
                for value in values:
                    yield Alternative((Assign(place, Constant(value)),), f"{show_target(target, names)} = {value}")
            case syntax.Send():
                yield Alternative(tuple(self._send(statement, scope)), text)
            case syntax.Receive():
                yield Alternative(tuple(self._receive(statement, scope)), text)
            case _:
                raise PlacedError(statement.at, "this is no single step")

    # Assignments.

    def _set(self, node: syntax.Set, scope: Expressions) -> Iterator[Assign]:
        if len(node.targets) != len(node.values):
            given = f"{len(node.targets)} targets and {len(node.values)} values"
            raise PlacedError(node.at, f"{given}; as many of one as of the other would be right")
        waiting = [self._assign(target, value, scope) for target, value in zip(node.targets, node.values, strict=True)]
        if len(waiting) == 1:
            yield waiting[0]
            return
        written = [_cells_of(each.target) for each in waiting]
        pairs = [(one, other) for number, one in enumerate(written) for other in written[:number]]
        for one, other in pairs:
            if one == other and len(one) == 1:
                name = node.targets[written.index(one)].name
                raise PlacedError(node.at, f"`{name}` is given two values at once")
        overlap = any(one.start < other.stop and other.start < one.stop for one, other in pairs)
        yield from self._at_once(waiting, node, overlap)

    def _at_once(self, waiting: list[Assign], node: syntax.Set, overlap: bool) -> Iterator[Assign]:
        """The assignments in an order in which none reads what another one has written; with exchanges if need be.

        overlap: two targets may be the same element, so that the last one has to stay the last.
        """
        kept: list[int] = []
        while waiting:
            candidates = waiting[:1] if overlap else waiting
            free = next((each for each in candidates if not _is_read(each.target, waiting, each)), None)
            if free is not None:
                waiting.remove(free)
                yield free
                continue
            if kept:
                raise PlacedError(node.at, "the targets are indexed by one another; two statements would be right")
            for each in waiting:
                kept.append(self._temporary(len(kept), interval(each.value, self._cells)))
                yield Assign(Read(kept[-1]), each.value)
            waiting = [Assign(each.target, Read(cell)) for each, cell in zip(waiting, kept, strict=True)]
        yield from (Assign(Read(cell), Constant(0)) for cell in kept)

    def _assign(self, target: Target, value: syntax.Expression, scope: Expressions) -> Assign:
        slots = scope.variable(target).slots
        cell = self._cells[slots.first]
        given = scope.assigned(value, slots.sort, cell.low, cell.high, f"`{target.name}`")
        return Assign(scope.place_of(target, slots), given)

    def _check_range(self, target: Target, slots: Slots, low: int, high: int, place: int) -> None:
        cell = self._cells[slots.first]
        if low < cell.low or high > cell.high:
            raise PlacedError(place, f"`{target.name}` is in {cell.low}..{cell.high}, and this is {low}..{high}")

    # Events.

    def _raised(self, node: syntax.Label, scope: Expressions) -> tuple[Statement, ...]:
        name = node.name
        short = {value: key for key, value in EVENTS.items() if value}
        if name in short:
            raise PlacedError(node.at, f"`{name}` is what `label {short[name]}` raises; that would be right")
        if name not in EVENTS and name.startswith(("mem_", "client_")):
            raise PlacedError(node.at, f"there is no label `{name}` of allocators{meant(name, EVENTS)}")
        if len(node.arguments) > 1:
            raise PlacedError(node.at, f"a label takes one argument or none, and {len(node.arguments)} are given")
        condition: Expression = Constant(1)
        if node.arguments:
            sort, value = scope.typed(node.arguments[0])
            if self._tracked is not None:
                if sort != NUMBER:
                    raise PlacedError(node.arguments[0].at, f"a label's argument is the number of a block, not {sort}")
                condition = fold(Binary("==", value, Read(self._tracked)))
        elif self._tracked is not None and EVENTS.get(name):
            raise PlacedError(node.at, f"of which block is this? `label {name}(block)` would be right")
        return tuple(Raise(event, condition) for event in (name, EVENTS.get(name)) if event)

    # Channels.

    def _send(self, node: syntax.Send, scope: Expressions) -> Iterator[Statement]:
        known, place = scope.channel(node.channel)
        self._check_fields(known, len(node.values), node)
        length = at(known.lengths, place)
        yield Guard(Binary("<", length, Constant(known.capacity)))
        for slots, value in zip(known.fields, node.values, strict=True):
            cell = self._cells[slots.first]
            given = scope.assigned(value, slots.sort, cell.low, cell.high, f"a message of `{known.name}`")
            yield Assign(_slot(slots, known, place, length if known.capacity > 1 else Constant(0)), given)
        yield Assign(length, Binary("+", length, Constant(1)))

    def _receive(self, node: syntax.Receive, scope: Expressions) -> Iterator[Statement]:
        known, place = scope.channel(node.channel)
        self._check_fields(known, len(node.targets), node)
        length = at(known.lengths, place)
        yield Guard(Binary(">", length, Constant(0)))
        for slots, target in zip(known.fields, node.targets, strict=True):
            into = scope.variable(target).slots
            if into.sort != slots.sort:
                raise PlacedError(target.at, f"`{target.name}` is {into.sort}, and a message has {slots.sort} there")
            yield Assign(scope.place_of(target, into), _slot(slots, known, place, Constant(0)))
        for slots in known.fields:
            for number in range(known.capacity - 1):
                after = _slot(slots, known, place, Constant(number + 1))
                yield Assign(_slot(slots, known, place, Constant(number)), after)
            # What is not in the channel has one value, so that states that mean the same are the same.
            unused = Constant(self._cells[slots.first].initial)
            yield Assign(_slot(slots, known, place, Constant(known.capacity - 1)), unused)
        yield Assign(length, Binary("-", length, Constant(1)))

    def _check_fields(self, known: KnownChannel, given: int, node: syntax.Node) -> None:
        if given != len(known.fields):
            fields = "one part" if len(known.fields) == 1 else f"{len(known.fields)} parts"
            raise PlacedError(node.at, f"a message of `{known.name}` has {fields}, and {given} are given")


def _slot(slots: Slots, known: KnownChannel, place: Expression, number: Expression) -> Read | Element:
    """The place of a message's part: `number` counts from the oldest."""
    if isinstance(place, Constant):
        start = slots.first + place.value * known.capacity
        if isinstance(number, Constant):
            return Read(start + number.value)
        return Element(start, known.capacity, number)
    index = fold(Binary("+", fold(Binary("*", place, Constant(known.capacity))), number))
    return Element(slots.first, slots.length, index)


def _cells_of(target: Read | Element) -> range:
    """The cells that a target may be."""
    if isinstance(target, Read):
        return range(target.cell, target.cell + 1)
    return range(target.first, target.first + target.length)


def _is_read(target: Read | Element, among: list[Assign], own: Assign) -> bool:
    """Whether another assignment reads a cell that may be `target`."""
    cells = set(_cells_of(target))
    others = (other for other in among if other is not own)
    return any(
        cells & set(reads(other.value))
        or (isinstance(other.target, Element) and cells & set(reads(other.target.index)))
        for other in others
    )
