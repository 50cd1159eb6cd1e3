"""Between which two numbers the value of an expression lies, as far as the ranges of its cells tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from spec.model.program import Binary, Cell, Choice, Constant, Element, Expression, Read, Unary

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
TRUTHS = COMPARISONS | {"&&", "||"}
"""The binary operators whose value is 1 or 0."""


class Interval(NamedTuple):
    """The integers from `low` to `high`, both included."""

    low: int
    high: int

    def within(self, low: int, high: int) -> bool:
        """Whether nothing of it is outside of low .. high."""
        return low <= self.low and self.high <= high


TRUTH = Interval(0, 1)


def interval(expression: Expression, cells: Sequence[Cell]) -> Interval:
    """An interval that holds every value that `expression` has when it has one.

    It is not the least: cells that depend on one another are taken to be independent. Cost: O(size).

    >>> cells = [Cell("x", 0, 3, 0), Cell("y", -1, 1, 0)]
    >>> interval(Binary("-", Read(0), Binary("*", Constant(2), Read(1))), cells)
    Interval(low=-2, high=5)
    """
    match expression:
        case Constant(value):
            return Interval(value, value)
        case Read(cell):
            return Interval(cells[cell].low, cells[cell].high)
        case Element(first, length, _):
            several = cells[first : first + length]
            return Interval(min(cell.low for cell in several), max(cell.high for cell in several))
        case Unary("-", operand):
            inner = interval(operand, cells)
            return Interval(-inner.high, -inner.low)
        case Unary():
            return TRUTH
        case Choice(_, then, otherwise):
            one, other = interval(then, cells), interval(otherwise, cells)
            return Interval(min(one.low, other.low), max(one.high, other.high))
        case Binary(operator, left, right):
            if operator in TRUTHS:
                return TRUTH
            return _arithmetic(operator, interval(left, cells), interval(right, cells))


def _arithmetic(operator: str, left: Interval, right: Interval) -> Interval:
    match operator:
        case "+":
            return Interval(left.low + right.low, left.high + right.high)
        case "-":
            return Interval(left.low - right.high, left.high - right.low)
        case "*":
            ends = [a * b for a, b in product(left, right)]
            return Interval(min(ends), max(ends))
        case "/":
            # Truncation is monotone on either side of 0, so the ends decide; divisors nearest to 0 are ends as well.
            divisors = [b for b in {*right, -1, 1} if b and right.low <= b <= right.high]
            ends = [quotient(a, b) for a in left for b in divisors] or [0]
            return Interval(min(ends), max(ends))
        case "%":
            most = max(abs(right.low), abs(right.high), 1) - 1
            return Interval(max(-most, min(left.low, 0)), min(most, max(left.high, 0)))
        case _:
            raise ValueError(f"{operator!r} is no operator of expressions")


def quotient(left: int, right: int) -> int:
    """left / right, truncated towards 0 as in C.

    >>> quotient(7, 2), quotient(-7, 2)
    (3, -3)
    """
    return left // right if (left >= 0) == (right > 0) else -(-left // right)


def remainder(left: int, right: int) -> int:
    """left - quotient * right, which has the sign of `left`.

    >>> remainder(7, 2), remainder(-7, 2)
    (1, -1)
    """
    return left - right * quotient(left, right)


def may_fail(expression: Expression, cells: Sequence[Cell]) -> str:
    """Why the value of `expression` may be a fault, or nothing when the ranges show that it never is.

    >>> cells = [Cell("head", -1, 1, 0), Cell("owner[0]", 0, 1, 0), Cell("owner[1]", 0, 1, 0)]
    >>> may_fail(Element(1, 2, Read(0)), cells)
    'the index of owner may be -1, and there are owner[0] to owner[1]'
    """
    match expression:
        case Element(first, length, index):
            found = interval(index, cells)
            if not found.within(0, length - 1):
                value = found.low if found.low < 0 else found.high
                name = array_name(cells, first)
                return f"the index of {name} may be {value}, and there are {name}[0] to {name}[{length - 1}]"
            return may_fail(index, cells)
        case Unary(_, operand):
            return may_fail(operand, cells)
        case Binary(operator, left, right):
            if operator in "/%":
                divisor = interval(right, cells)
                if divisor.low <= 0 <= divisor.high:
                    return "the divisor may be 0"
            return may_fail(left, cells) or may_fail(right, cells)
        case Choice(condition, then, otherwise):
            return may_fail(condition, cells) or may_fail(then, cells) or may_fail(otherwise, cells)
        case _:
            return ""


def array_name(cells: Sequence[Cell], first: int) -> str:
    """The name of the array whose first element is the cell `first`.

    >>> array_name([Cell("client[1].held[0]", 0, 1, 0)], 0)
    'client[1].held'
    """
    return cells[first].name.rpartition("[")[0] or cells[first].name
