"""When a command can be taken, as one expression over the state before it."""

from __future__ import annotations

from collections.abc import Sequence

from spec.model.interval import interval
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Constant,
    Element,
    Expression,
    Guard,
    Raise,
    Read,
    Statement,
    Unary,
)

TRUE = Constant(1)
FALSE = Constant(0)


def enabled(body: Sequence[Statement], cells: Sequence[Cell]) -> Expression:
    """Not 0 in exactly the states in which the command can be taken, be it to fail; itself it never fails.

    A Guard after an assignment looks at the values that the assignment gives. A statement that fails before a later
    guard has been reached fails: the command can be taken then. Events and the location are not looked at.
    Cost: linear in the body without assignments before guards; each assignment to an array before a guard may add one
    case to every later look at this array.

    >>> more = Assign(Read(0), Binary("+", Read(0), Constant(1)))
    >>> body = more, Guard(Binary("<", Read(0), Constant(3)))
    >>> print(show(enabled(body, [Cell("n", 0, 3, 0)]), [Cell("n", 0, 3, 0)]))
    ((n + 1) <= 3) ? ((n + 1) < 3) : 1
    """
    return _from(tuple(body), [], cells)


_Writes = list[tuple[Read | Element, Expression]]


def _from(body: tuple[Statement, ...], writes: _Writes, cells: Sequence[Cell]) -> Expression:
    if not any(isinstance(statement, Guard) for statement in body):
        return TRUE
    statement, rest = body[0], body[1:]
    match statement:
        case Guard(condition):
            now = substituted(condition, writes)
            return choice(defined(now, cells), conjunction(now, _from(rest, writes, cells)), TRUE)
        case Assert(condition, _):
            now = substituted(condition, writes)
            return choice(conjunction(defined(now, cells), now), _from(rest, writes, cells), TRUE)
        case Raise(_, condition):
            return choice(defined(substituted(condition, writes), cells), _from(rest, writes, cells), TRUE)
        case Assign(target, value):
            now = substituted(value, writes)
            fits = conjunction(defined(now, cells), in_range(target, now, cells))
            if isinstance(target, Element):
                index = substituted(target.index, writes)
                fits = conjunction(defined(Element(target.first, target.length, index), cells), fits)
                target = Element(target.first, target.length, index)
            return choice(fits, _from(rest, [*writes, (target, now)], cells), TRUE)


def substituted(expression: Expression, writes: _Writes) -> Expression:
    """The expression with every look at a cell replaced by what the writes, in their order, have put there."""
    if not writes:
        return expression
    match expression:
        case Constant():
            return expression
        case Read(cell):
            return _value(expression, Constant(cell), writes)
        case Element(first, length, index):
            now = substituted(index, writes)
            return _value(Element(first, length, now), add(Constant(first), now), writes)
        case Unary(operator, operand):
            return Unary(operator, substituted(operand, writes))
        case Binary(operator, left, right):
            return Binary(operator, substituted(left, writes), substituted(right, writes))
        case Choice(condition, then, otherwise):
            return Choice(*(substituted(part, writes) for part in (condition, then, otherwise)))


def _value(before: Read | Element, place: Expression, writes: _Writes) -> Expression:
    """What is at `place`, a number of a cell, after the writes; `before`: what was there before them."""
    value: Expression = before
    reached = _places(before)
    for target, written in writes:
        if reached.isdisjoint(_places(target)):
            continue
        where = Constant(target.cell) if isinstance(target, Read) else add(Constant(target.first), target.index)
        value = choice(equal(place, where), written, value)
    return value


def _places(target: Read | Element) -> set[int]:
    if isinstance(target, Read):
        return {target.cell}
    if isinstance(target.index, Constant):
        return {target.first + target.index.value}
    return set(range(target.first, target.first + target.length))


def defined(expression: Expression, cells: Sequence[Cell]) -> Expression:
    """Not 0 in exactly the states in which the expression has a value; itself it always has one."""
    match expression:
        case Element(_, length, index):
            found = interval(index, cells)
            lowest = TRUE if found.low >= 0 else Binary(">=", index, FALSE)
            highest = TRUE if found.high < length else Binary("<", index, Constant(length))
            return conjunction(defined(index, cells), conjunction(lowest, highest))
        case Unary(_, operand):
            return defined(operand, cells)
        case Binary("&&" | "||" as operator, left, right):
            needed = defined(right, cells)
            looks = choice(left, needed, TRUE) if operator == "&&" else choice(left, TRUE, needed)
            return conjunction(defined(left, cells), looks)
        case Binary("/" | "%", left, right):
            divisor = interval(right, cells)
            zero = TRUE if divisor.low > 0 or divisor.high < 0 else Binary("!=", right, FALSE)
            return conjunction(conjunction(defined(left, cells), defined(right, cells)), zero)
        case Binary(_, left, right):
            return conjunction(defined(left, cells), defined(right, cells))
        case Choice(condition, then, otherwise):
            inner = choice(condition, defined(then, cells), defined(otherwise, cells))
            return conjunction(defined(condition, cells), inner)
        case _:
            return TRUE


def in_range(target: Read | Element, value: Expression, cells: Sequence[Cell]) -> Expression:
    """Not 0 in exactly the states in which the value may be given to the target, whose index exists."""
    found = interval(value, cells)
    if isinstance(target, Read):
        several = [cells[target.cell]]
    else:
        several = list(cells[target.first : target.first + target.length])
    if len({(cell.low, cell.high) for cell in several}) > 1:
        assert isinstance(target, Element)
        fits: Expression = TRUE
        for place in range(target.length):
            one = in_range(Read(target.first + place), value, cells)
            fits = conjunction(fits, choice(equal(target.index, Constant(place)), one, TRUE))
        return fits
    lowest = TRUE if found.low >= several[0].low else Binary(">=", value, Constant(several[0].low))
    highest = TRUE if found.high <= several[0].high else Binary("<=", value, Constant(several[0].high))
    return conjunction(lowest, highest)


def conjunction(left: Expression, right: Expression) -> Expression:
    """left && right, without operands that are known to be true."""
    if isinstance(left, Constant):
        return right if left.value else FALSE
    return left if right == TRUE else Binary("&&", left, right)


def disjunction(left: Expression, right: Expression) -> Expression:
    """left || right, without operands that are known to be false."""
    if isinstance(left, Constant):
        return TRUE if left.value else right
    return left if right == FALSE else Binary("||", left, right)


def choice(condition: Expression, then: Expression, otherwise: Expression) -> Expression:
    """condition ? then : otherwise, without a condition that is known."""
    if isinstance(condition, Constant):
        return then if condition.value else otherwise
    return then if then == otherwise else Choice(condition, then, otherwise)


def equal(left: Expression, right: Expression) -> Expression:
    """left == right, decided when both are numbers."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return TRUE if left.value == right.value else FALSE
    return Binary("==", left, right)


def add(left: Expression, right: Expression) -> Expression:
    """left + right, added when both are numbers."""
    if isinstance(left, Constant) and isinstance(right, Constant):
        return Constant(left.value + right.value)
    return right if left == FALSE else Binary("+", left, right)


def show(expression: Expression, cells: Sequence[Cell]) -> str:
    """The expression in the usual notation, for people; operands that are no names or numbers in parentheses."""
    match expression:
        case Constant(value):
            return str(value)
        case Read(cell):
            return cells[cell].name
        case Element(first, _, index):
            return f"{cells[first].name.rpartition('[')[0]}[{show(index, cells)}]"
        case Unary(operator, operand):
            return f"{operator}{_inner(operand, cells)}"
        case Binary(operator, left, right):
            return f"{_inner(left, cells)} {operator} {_inner(right, cells)}"
        case Choice(condition, then, otherwise):
            return " ".join([_inner(condition, cells), "?", _inner(then, cells), ":", _inner(otherwise, cells)])


def _inner(expression: Expression, cells: Sequence[Cell]) -> str:
    text = show(expression, cells)
    return f"({text})" if isinstance(expression, Binary | Choice) else text
