"""Sub-goals: what a term has to give so that one or two further instructions make the goal of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.enumerate_bank import CONSTANT, Term
from m4alloc.superopt.enumerate_operations import (
    ADD,
    AND,
    ASHR,
    BITREVERSE,
    BSWAP,
    EQ,
    LSHR,
    MUL,
    NE,
    OR,
    SEXT,
    SHL,
    SLT,
    SUB,
    TRUNC,
    ULT,
    XOR,
    ZEXT,
)

Words = npt.NDArray[np.uint64]

EXACT, PLUS, XORED, MINUS, ANDED, ORED, COMPARED = range(7)
"""How a term meets a sub-goal: as it stands, or after one operation with a constant that the lanes tell."""
MOST = 96
"""Sub-goals of one depth, in the order in which they are derived."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """One instruction around a term: its code, the width of its result, the other operand, and its side."""

    code: int
    width: int
    other: Term | None = None
    first: bool = True
    """The term is the left operand."""


@dataclass(frozen=True)
class Goal:
    """What a term of `width` bits has to be: `wanted` in the bits of `care`, lane by lane, by way of `mode`.

    wraps: the instructions that then make the search's own goal, from the inside outwards.
    """

    width: int
    wanted: Words
    care: Words
    mode: int = EXACT
    wraps: tuple[Wrap, ...] = ()

    @property
    def size(self) -> int:
        """Instructions that are added to the term's own."""
        return len(self.wraps) + (self.mode != EXACT)

    @property
    def is_exact(self) -> bool:
        """All bits matter."""
        return bool((self.care == np.uint64((1 << self.width) - 1)).all())


def whole(width: int, wanted: Words) -> Goal:
    """The goal itself, without anything around it."""
    return Goal(width, wanted, np.full(len(wanted), (1 << width) - 1, np.uint64))


@dataclass(frozen=True)
class Leaf:
    """An argument or constant that sub-goals may be derived with."""

    term: Term
    values: Words
    constant: int | None


def derived(goal: Goal, leaves: Sequence[Leaf], widths: Sequence[int]) -> list[Goal]:
    """Sub-goals of one more instruction; those that no term could meet are left out."""
    if goal.mode != EXACT:
        return []
    found = list(_any(goal, [leaf for leaf in leaves if leaf.term.width == goal.width]))
    if goal.is_exact:
        found = [*_constants(goal, widths), *_casts(goal, widths), *_exact(goal, leaves), *found]
    return found[:MOST]


def _around(goal: Goal, wanted: Words, care: Words, wrap: Wrap, width: int | None = None) -> Goal:
    return Goal(goal.width if width is None else width, wanted, care, EXACT, (wrap, *goal.wraps))


def _constants(goal: Goal, widths: Sequence[int]) -> Iterator[Goal]:
    """One operation with a constant that is read off the lanes."""
    if goal.width == 1:
        for width in widths:
            if width > 1:
                full = np.full(len(goal.wanted), (1 << width) - 1, np.uint64)
                yield Goal(width, goal.wanted, full, COMPARED, goal.wraps)
        yield Goal(1, goal.wanted, goal.care, XORED, goal.wraps)
        return
    for mode in (PLUS, XORED, MINUS, ANDED, ORED):
        yield Goal(goal.width, goal.wanted, goal.care, mode, goal.wraps)


def _casts(goal: Goal, widths: Sequence[int]) -> Iterator[Goal]:
    for width in widths:
        mask = np.uint64((1 << width) - 1)
        full = np.full(len(goal.wanted), mask)
        if width < goal.width:
            low = goal.wanted & mask
            if (low == goal.wanted).all():
                yield _around(goal, low, full, Wrap(ZEXT, goal.width), width)
            high = np.where(low >> np.uint64(width - 1) != 0, np.uint64((1 << goal.width) - 1) ^ mask, np.uint64(0))
            if (low | high == goal.wanted).all():
                yield _around(goal, low, full, Wrap(SEXT, goal.width), width)
        elif width > goal.width:
            care = np.full(len(goal.wanted), (1 << goal.width) - 1, np.uint64)
            yield _around(goal, goal.wanted, care, Wrap(TRUNC, goal.width), width)


def _exact(goal: Goal, leaves: Sequence[Leaf]) -> Iterator[Goal]:
    """Operations that can be undone."""
    width, mask = goal.width, np.uint64((1 << goal.width) - 1)
    for leaf in leaves:
        if leaf.term.width != width or width == 1:
            continue
        if leaf.constant is None:
            yield _around(goal, (goal.wanted - leaf.values) & mask, goal.care, Wrap(ADD, width, leaf.term))
            yield _around(goal, (goal.wanted + leaf.values) & mask, goal.care, Wrap(SUB, width, leaf.term))
            yield _around(goal, (leaf.values - goal.wanted) & mask, goal.care, Wrap(SUB, width, leaf.term, False))
        elif leaf.constant % 2 and leaf.constant not in (1, int(mask)):
            inverse = np.uint64(pow(leaf.constant, -1, 1 << width))
            yield _around(goal, (goal.wanted * inverse) & mask, goal.care, Wrap(MUL, width, leaf.term))
    if width % 16 == 0:
        yield _around(goal, goal.wanted.byteswap() >> np.uint64(64 - width), goal.care, Wrap(BSWAP, width))
        bits = np.unpackbits(goal.wanted.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")[:, :width]
        turned = np.packbits(np.pad(bits[:, ::-1], ((0, 0), (0, 64 - width))), axis=1, bitorder="little")
        yield _around(goal, turned.view(np.uint64).ravel(), goal.care, Wrap(BITREVERSE, width))


def _any(goal: Goal, leaves: Sequence[Leaf]) -> Iterator[Goal]:
    """Operations that leave some bits of their operand free, and xor."""
    width, mask = goal.width, np.uint64((1 << goal.width) - 1)
    wanted, care = goal.wanted, goal.care
    for leaf in leaves:
        values = leaf.values
        if leaf.constant is None or not goal.is_exact:
            yield _around(goal, wanted ^ values, care, Wrap(XOR, width, leaf.term))
            if not (wanted & ~values & care).any():
                yield _around(goal, wanted, care & values, Wrap(AND, width, leaf.term))
            if not (values & ~wanted & care).any():
                yield _around(goal, wanted, care & ~values, Wrap(OR, width, leaf.term))
    if width == 1:
        return
    amounts = [(leaf.term, leaf.values) for leaf in leaves if (leaf.values < np.uint64(width)).all()]
    fixed = {leaf.constant for leaf in leaves}
    for most in _most(wanted, care, width):
        if most not in fixed:
            amounts.append((Term(width, most, CONSTANT), np.full(len(wanted), most, np.uint64)))
    for term, by in amounts:
        if not by.any():
            continue
        kept = mask >> by
        if not (wanted & care & ~((mask << by) & mask)).any():
            yield _around(goal, wanted >> by, care >> by, Wrap(SHL, width, term))
        up = (wanted << by) & mask
        if not (wanted & care & ~kept).any():
            yield _around(goal, up, (care & kept) << by, Wrap(LSHR, width, term))
        sign = np.where(up >> np.uint64(width - 1) != 0, mask & ~kept, np.uint64(0))
        if goal.is_exact and ((up >> by) | sign == wanted).all():
            yield _around(goal, up, (mask << by) & mask, Wrap(ASHR, width, term))


def _most(wanted: Words, care: Words, width: int) -> list[int]:
    """The largest shifts, left and right, that may have been the last step: the free bits at either end."""
    seen = int(np.bitwise_or.reduce(wanted & care))
    if not seen:
        return []
    low = (seen & -seen).bit_length() - 1
    high = width - seen.bit_length()
    return sorted({amount for amount in (low, high) if 0 < amount < width})


def finished(goal: Goal, term: Term, values: Words) -> Iterator[Term]:
    """The terms for the search's own goal, of one that meets the sub-goal with these values in the lanes."""
    mask = (1 << goal.width) - 1
    wanted = goal.wanted
    if goal.mode == EXACT:
        inner = [term]
    elif goal.mode == PLUS:
        inner = [_with(ADD, term, int(wanted[0]) - int(values[0]))]
    elif goal.mode == XORED:
        inner = [_with(XOR, term, int(wanted[0] ^ values[0]))]
    elif goal.mode == MINUS:
        inner = [_with(SUB, term, int(wanted[0]) + int(values[0]), first=False)]
    elif goal.mode == ANDED:
        inner = [_with(AND, term, int(np.bitwise_or.reduce(wanted)))]
        # Bits that the term never has where the goal does not want them may be kept or masked alike.
        never = int(np.bitwise_or.reduce(values & ~wanted))
        inner.append(_with(AND, term, mask & ~never))
    elif goal.mode == ORED:
        inner = [_with(OR, term, int(np.bitwise_and.reduce(wanted)))]
    else:
        inner = list(_comparisons(term, values, wanted != 0))
    for one in inner:
        for wrap in goal.wraps:
            if wrap.other is None:
                one = Term(wrap.width, 0, wrap.code, (one,))
            else:
                one = Term(wrap.width, 0, wrap.code, (one, wrap.other) if wrap.first else (wrap.other, one))
        yield one


def _with(code: int, term: Term, value: int, first: bool = True, width: int | None = None) -> Term:
    constant = Term(term.width, value & ((1 << term.width) - 1), CONSTANT)
    return Term(term.width if width is None else width, 0, code, (term, constant) if first else (constant, term))


def _comparisons(term: Term, values: Words, holds: npt.NDArray[np.bool_]) -> Iterator[Term]:
    """icmp of the term with a constant that tells the lanes where the goal holds from the others."""
    if holds.all() or not holds.any():
        return
    top = 1 << (term.width - 1)
    for code, turn in ((ULT, 0), (SLT, top)):
        yes = values[holds] ^ np.uint64(turn)
        no = values[~holds] ^ np.uint64(turn)
        if yes.max() < no.min():
            for limit in _between(int(yes.max()) + 1, int(no.min())):
                yield _with(code, term, limit ^ turn, width=1)
        if no.max() < yes.min():
            for limit in _between(int(no.max()), int(yes.min()) - 1):
                yield _with(code, term, limit ^ turn, first=False, width=1)
    if values[holds].min() == values[holds].max() and not (values[~holds] == values[holds][0]).any():
        yield _with(EQ, term, int(values[holds][0]), width=1)
    if values[~holds].min() == values[~holds].max() and not (values[holds] == values[~holds][0]).any():
        yield _with(NE, term, int(values[~holds][0]), width=1)


def _between(low: int, high: int) -> list[int]:
    """Both ends of a range, and the roundest number in between."""
    round_ = high
    while round_ & (round_ - 1) >= low and round_ & (round_ - 1):
        round_ &= round_ - 1
    return list(dict.fromkeys((low, high, round_, *((round_ - 1,) if round_ > low else ()))))
