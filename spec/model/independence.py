"""Which commands of different processes commute, wherever both can be taken: what partial-order reduction rests on.

Commands that touch no cell in common, unless both only read it, commute. Others are run in both orders on symbols, once
for each value of the cells that both depend on; so sending to a channel commutes with receiving from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import NamedTuple

from spec.model.interval import interval, quotient, remainder
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Program,
    Raise,
    Read,
    Unary,
    reads,
)

VALUATIONS = 256
"""A pair of commands whose shared cells have more values than this, taken together, is held to be dependent."""


class UnknownError(Exception):
    """What an expression is, or a command does, cannot be told from symbols."""


class Effect(NamedTuple):
    """The cells that a command may read and write, its location included, the event cell left out.

    examined: those whose value decides something, or is computed with: all that is read but not just copied.
    """

    reads: frozenset[int]
    writes: frozenset[int]
    examined: frozenset[int]


def effect(command: Command, program: Program) -> Effect:
    """The cells that a command touches; an array with an index that is not constant counts as a whole."""
    counter = program.processes[command.process].counter
    read: set[int] = {counter}
    written: set[int] = {counter} if command.source != command.target else set()
    examined: set[int] = {counter}
    for statement in command.body:
        match statement:
            case Guard(condition) | Assert(condition) | Raise(_, condition):
                examined.update(reads(folded(condition, {})))
            case Assign(target, value):
                value = folded(value, {})
                (read if isinstance(value, Read) else examined).update(reads(value))
                target = folded(target, {})  # type: ignore[assignment]
                if isinstance(target, Read):
                    written.add(target.cell)
                else:
                    written.update(range(target.first, target.first + target.length))
                    examined.update(reads(target.index))
    return Effect(frozenset(read | examined), frozenset(written), frozenset(examined))


def folded(expression: Expression, values: Mapping[int, Expression]) -> Expression:
    """The expression with cells replaced by what is known of them, and constants computed where nothing can fail.

    Raises: UnknownError for an element of which it is not known whether it is one of the cells that are.

    >>> folded(Binary("+", Read(0), Element(4, 3, Read(1))), {0: Constant(2), 1: Constant(1)})
    Binary(operator='+', left=Constant(value=2), right=Read(cell=5))
    """
    match expression:
        case Constant():
            return expression
        case Read(cell):
            return values.get(cell, expression)
        case Element(first, length, index):
            place = folded(index, values)
            if isinstance(place, Constant) and 0 <= place.value < length:
                return values.get(first + place.value, Read(first + place.value))
            if any(first <= cell < first + length for cell in values):
                raise UnknownError
            return Element(first, length, place)
        case Unary(operator, operand):
            inner = folded(operand, values)
            if isinstance(inner, Constant):
                return Constant(-inner.value if operator == "-" else int(not inner.value))
            return Unary(operator, inner)
        case Binary(operator, left, right):
            return _binary(operator, folded(left, values), right, values)
        case Choice(condition, then, otherwise):
            test = folded(condition, values)
            if isinstance(test, Constant):
                return folded(then if test.value else otherwise, values)
            return Choice(test, folded(then, values), folded(otherwise, values))


def _binary(operator: str, left: Expression, right: Expression, values: Mapping[int, Expression]) -> Expression:
    if operator in ("&&", "||") and isinstance(left, Constant):
        if bool(left.value) == (operator == "||"):
            return Constant(int(bool(left.value)))
        right = folded(right, values)
        return Constant(int(bool(right.value))) if isinstance(right, Constant) else Binary(operator, left, right)
    right = folded(right, values)
    if not (isinstance(left, Constant) and isinstance(right, Constant)):
        return Binary(operator, left, right)
    a, b = left.value, right.value
    match operator:
        case "+":
            return Constant(a + b)
        case "-":
            return Constant(a - b)
        case "*":
            return Constant(a * b)
        case "/" | "%":
            if b == 0:
                return Binary(operator, left, right)
            return Constant(quotient(a, b) if operator == "/" else remainder(a, b))
        case "==":
            return Constant(int(a == b))
        case "!=":
            return Constant(int(a != b))
        case "<":
            return Constant(int(a < b))
        case "<=":
            return Constant(int(a <= b))
        case ">":
            return Constant(int(a > b))
        case ">=":
            return Constant(int(a >= b))
        case "&&":
            return Constant(int(bool(a and b)))
        case _:
            return Constant(int(bool(a or b)))


class _Ran(NamedTuple):
    """What a command did to symbols: the cells after it, and everything that it asked on the way, in order."""

    values: dict[int, Expression]
    asked: tuple[object, ...]


def _run(command: Command, program: Program, before: Mapping[int, Expression]) -> _Ran | None:
    """None when the command cannot be taken.  Raises: UnknownError."""
    cells = program.cells
    values = dict(before)
    asked: list[object] = []
    may_fail = False
    for statement in command.body:
        match statement:
            case Guard(condition):
                now = folded(condition, values)
                if not isinstance(now, Constant):
                    asked.append(("guard", now))
                    may_fail |= not _safe(now, cells)
                elif not now.value:
                    if may_fail:  # and a command that fails before it comes to this guard can be taken
                        raise UnknownError
                    return None
            case Assert(condition, _):
                now = folded(condition, values)
                if not isinstance(now, Constant) or not now.value:
                    asked.append(("assert", now))
                    may_fail = True
            case Raise(event, condition):
                now = folded(condition, values)
                asked.append((event, now))
                may_fail |= not _safe(now, cells)
            case Assign(target, value):
                now = folded(value, values)
                place = _place(target, values)
                cell = cells[place]
                if not _safe(now, cells) or not interval(now, cells).within(cell.low, cell.high):
                    asked.append((cell.low, cell.high, now))
                    may_fail = True
                values[place] = now
    values[program.processes[command.process].counter] = Constant(command.target)
    return _Ran(values, tuple(asked))


def _place(target: Read | Element, values: Mapping[int, Expression]) -> int:
    """The cell that is written."""
    if isinstance(target, Read):
        return target.cell
    index = folded(target.index, values)
    if isinstance(index, Constant) and 0 <= index.value < target.length:
        return target.first + index.value
    raise UnknownError


def _safe(expression: Expression, cells: tuple[Cell, ...]) -> bool:
    """Whether evaluating cannot fail, as far as one can see."""
    match expression:
        case Constant() | Read():
            return True
        case Element(_, length, index):
            return _safe(index, cells) and interval(index, cells).within(0, length - 1)
        case Unary(_, operand):
            return _safe(operand, cells)
        case Binary(operator, left, right):
            return operator not in ("/", "%") and _safe(left, cells) and _safe(right, cells)
        case Choice(condition, then, otherwise):
            return _safe(condition, cells) and _safe(then, cells) and _safe(otherwise, cells)


def commute(first: Command, second: Command, program: Program) -> bool:
    """Whether, in every state in which both can be taken, neither prevents the other and the order does not matter.

    The commands are of different processes; neither raising events nor the idle step after it comes between them
    (`spec.model.reduction`). False when it cannot be shown.  Cost: at most VALUATIONS symbolic runs, four each.
    """
    one, other = effect(first, program), effect(second, program)
    shared = (one.writes & (other.reads | other.writes)) | (one.reads & other.writes)
    if not shared:
        return True
    counters = {program.processes[c.process].counter: Constant(c.source) for c in (first, second)}
    chosen = sorted((shared & (one.examined | other.examined)) - counters.keys())
    try:
        return all(
            _same(first, second, program, {**counters, **values}) for values in _valuations(chosen, program.cells)
        )
    except UnknownError:
        return False


def _valuations(chosen: list[int], cells: tuple[Cell, ...]) -> Iterator[dict[int, Expression]]:
    count = 1
    for cell in chosen:
        count *= cells[cell].high - cells[cell].low + 1
    if count > VALUATIONS:
        raise UnknownError
    for values in product(*(range(cells[cell].low, cells[cell].high + 1) for cell in chosen)):
        yield {cell: Constant(value) for cell, value in zip(chosen, values, strict=True)}


def _same(first: Command, second: Command, program: Program, values: Mapping[int, Expression]) -> bool:
    one, other = _run(first, program, values), _run(second, program, values)
    if one is None or other is None:
        return True
    then_second, then_first = _run(second, program, one.values), _run(first, program, other.values)
    if then_second is None or then_first is None:
        return False
    if (then_first.asked, then_second.asked) != (one.asked, other.asked):
        return False
    touched = then_second.values.keys() | then_first.values.keys()
    return all(then_second.values.get(cell, Read(cell)) == then_first.values.get(cell, Read(cell)) for cell in touched)
