"""Words and truth values of which it does not matter what they are made of: integers, numpy arrays, or z3 terms.

The formulas of `encoding` and `symbolic` are written once over these. On integers they can be compared with
`capability.cheri`; on arrays they run over every state of a small format; on z3 terms they are what is proved. What is
made of constants stays a constant, so that z3 sees no more than it must.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from capability.word import mask


@cache
def solver() -> Any:
    """The z3 module.  Raises ModuleNotFoundError with the line that installs it."""
    try:
        import z3
    except ModuleNotFoundError as missing:  # pragma: no cover - the tests run with z3
        raise ModuleNotFoundError("proofs need z3: pip install 'm4alloc[superopt]'") from missing
    return z3


def is_symbolic(raw: Any) -> bool:
    """True for a z3 term."""
    return hasattr(raw, "as_ast")


class Truth:
    """A truth value: bool, array of bool, or z3's."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __and__(self, other: Truth) -> Truth:
        one, two = self.raw, other.raw
        if one is True or two is False:
            return other
        if two is True or one is False:
            return self
        return Truth(solver().And(one, two) if is_symbolic(one) or is_symbolic(two) else one & two)

    def __or__(self, other: Truth) -> Truth:
        return ~(~self & ~other)

    def __invert__(self) -> Truth:
        raw = self.raw
        if is_symbolic(raw):
            z3 = solver()
            return Truth(raw.arg(0) if z3.is_not(raw) else z3.Not(raw))
        return Truth(not raw if isinstance(raw, bool) else ~raw)

    def implies(self, other: Truth) -> Truth:
        """Not this, or that."""
        return ~self | other

    def same(self, other: Truth) -> Truth:
        """Both or neither."""
        one, two = self.raw, other.raw
        if is_symbolic(one) or is_symbolic(two):
            return other if one is True else self if two is True else Truth(one == two)
        return Truth(one == two)

    def word(self) -> Word:
        """One bit."""
        return choose(self, Word(1, 1), Word(0, 1))


class Word:
    """`width` bits. Arithmetic is modulo 2**width, comparisons are unsigned, and both sides are of one width."""

    __slots__ = ("raw", "width")

    def __init__(self, raw: Any, width: int) -> None:
        self.raw = raw & mask(width) if isinstance(raw, int) else raw
        self.width = width

    def _with(self, other: Word | int) -> tuple[Any, Any]:
        """The two raw values, both lifted to z3 if one of them is of it."""
        two = other.raw if isinstance(other, Word) else other & mask(self.width)
        assert not isinstance(other, Word) or other.width == self.width, f"{self.width} bits and {other.width}"
        if is_symbolic(self.raw) or is_symbolic(two):
            return _lifted(self.raw, self.width), _lifted(two, self.width)
        return self.raw, two

    def _plain(self, raw: Any) -> Word:
        return Word(raw if is_symbolic(raw) else raw & mask(self.width), self.width)

    def __add__(self, other: Word | int) -> Word:
        one, two = self._with(other)
        return self._plain(one + two)

    def __sub__(self, other: Word | int) -> Word:
        one, two = self._with(other)
        return self._plain(one - two)

    def __and__(self, other: Word | int) -> Word:
        one, two = self._with(other)
        return self._plain(one & two)

    def __or__(self, other: Word | int) -> Word:
        one, two = self._with(other)
        return self._plain(one | two)

    def __xor__(self, other: Word | int) -> Word:
        one, two = self._with(other)
        return self._plain(one ^ two)

    def __invert__(self) -> Word:
        return self ^ mask(self.width)

    def __lshift__(self, other: Word | int) -> Word:
        if isinstance(other, int) and is_symbolic(self.raw):
            return self._concatenated(other)
        one, two = self._with(other)
        return self._plain(one << two)

    def __rshift__(self, other: Word | int) -> Word:
        if isinstance(other, int) and is_symbolic(self.raw):
            return self.bits(self.width - 1, other).to(self.width) if other < self.width else Word(0, self.width)
        one, two = self._with(other)
        return self._plain(solver().LShR(one, two) if is_symbolic(one) else one >> two)

    def _concatenated(self, count: int) -> Word:
        if count >= self.width:
            return Word(0, self.width)
        if count == 0:
            return self
        z3 = solver()
        kept = z3.Extract(self.width - 1 - count, 0, self.raw)
        return Word(z3.Concat(kept, z3.BitVecVal(0, count)), self.width)

    def eq(self, other: Word | int) -> Truth:
        """Equal."""
        one, two = self._with(other)
        return Truth(one == two)

    def ne(self, other: Word | int) -> Truth:
        """Not equal."""
        return ~self.eq(other)

    def __lt__(self, other: Word | int) -> Truth:
        one, two = self._with(other)
        return Truth(solver().ULT(one, two) if is_symbolic(one) else one < two)

    def __le__(self, other: Word | int) -> Truth:
        one, two = self._with(other)
        return Truth(solver().ULE(one, two) if is_symbolic(one) else one <= two)

    def bits(self, high: int, low: int) -> Word:
        """Bits high:low, both ends included."""
        if is_symbolic(self.raw):
            return Word(solver().Extract(high, low, self.raw), high - low + 1)
        return Word((self.raw >> low) & mask(high - low + 1), high - low + 1)

    def bit(self, number: int) -> Truth:
        """One bit."""
        return self.bits(number, number).eq(1)

    def to(self, width: int) -> Word:
        """The same number in another width: zeros in front, or the low bits."""
        if width <= self.width:
            return self if width == self.width else self.bits(width - 1, 0)
        if is_symbolic(self.raw):
            return Word(solver().ZeroExt(width - self.width, self.raw), width)
        return Word(self.raw, width)

    def any(self) -> Truth:
        """Not zero."""
        return self.ne(0)


def _lifted(raw: Any, width: int) -> Any:
    return raw if is_symbolic(raw) else solver().BitVecVal(int(raw), width)


def choose(condition: Truth, one: Word, two: Word) -> Word:
    """The first where the condition holds, else the second."""
    raw = condition.raw
    if raw is True:
        return one
    if raw is False:
        return two
    if is_symbolic(raw) or is_symbolic(one.raw) or is_symbolic(two.raw):
        left, right = _lifted(one.raw, one.width), _lifted(two.raw, two.width)
        return Word(solver().If(raw, left, right), one.width)
    return Word(_picked(raw)(raw, one.raw, two.raw), one.width)


def choose_truth(condition: Truth, one: Truth, two: Truth) -> Truth:
    """As `choose`, of truth values."""
    return (condition & one) | (~condition & two)


def _picked(raw: Any) -> Callable[[Any, Any, Any], Any]:
    import numpy

    return numpy.where


def joined(*words: Word) -> Word:
    """The words side by side, the first on top."""
    width = sum(word.width for word in words)
    if any(is_symbolic(word.raw) for word in words):
        z3 = solver()
        parts = [_lifted(word.raw, word.width) for word in words]
        return Word(z3.Concat(*parts) if len(parts) > 1 else parts[0], width)
    raw: Any = 0
    for word in words:
        raw = raw << word.width | word.raw
    return Word(raw, width)


TRUE, FALSE = Truth(True), Truth(False)


def every(*truths: Truth) -> Truth:
    """All of them."""
    total = TRUE
    for truth in truths:
        total = total & truth
    return total


def some(*truths: Truth) -> Truth:
    """One of them or more."""
    return ~every(*(~truth for truth in truths))
