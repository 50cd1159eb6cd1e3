"""Programs in which one instruction's result is used twice, which terms without shared parts do not reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.enumerate_bank import Bank, Space, Term
from m4alloc.superopt.enumerate_goals import Goal, finished
from m4alloc.superopt.enumerate_kernels import agreements, arms, chains, expand
from m4alloc.superopt.enumerate_operations import FUNNEL, OPERATIONS, SELECT, evaluated

Words = npt.NDArray[np.uint64]

CAPACITY = 4096
HITS = 64
ARMS = 2


class Sharing:
    """For a term t, everything that is one operation away from it, and what a second operation makes of that and t."""

    def __init__(self, space: Space, width: int, row: int) -> None:
        """Cost: about 1 ms for 40 operations and 12 leaves."""
        self.space = space
        self.term = Term(width, row)
        bank = space.banks[width]
        self.leaves = space.leaves[width]
        self.extended = np.concatenate([bank.values[: self.leaves], bank.values[row : row + 1]])
        self.poison = np.zeros(len(self.extended), np.uint64)
        self.banks = {other: Bank(other, space.lanes, CAPACITY) for other in space.banks}
        self.made: dict[int, list[Term]] = {other: [] for other in space.banks}
        for code, into in space.codes(bank):
            self._expand(code, bank, self.banks[into.width])

    def part(self, place: int) -> Term:
        """A row of `extended`: a leaf, or t itself."""
        return self.term if place == self.leaves else Term(self.term.width, place)

    def _expand(self, code: int, bank: Bank, into: Bank) -> None:
        unary = code < FUNNEL and OPERATIONS[code].arity == 1
        commutes = code < FUNNEL and OPERATIONS[code].commutative
        t, every = slice(self.leaves, None), slice(None)
        leaves = slice(0, self.leaves)
        for left, right in ((t, every), (leaves, t)):
            if right == t and (unary or commutes):
                continue
            before = into.size
            into.size = expand(
                code, np.uint64(bank.width), into.mask if unary else bank.mask, self.extended[left], self.poison[left],
                self.extended[right], self.poison[right], False, unary, into.values, into.poison, into.origin,
                into.size, into.table, into.places, CAPACITY,
            )  # fmt: skip
            for i, j, _ in into.origin[before : into.size].tolist():
                first = self.part(self.leaves if left == t else i)
                second = self.part(j if left == t else self.leaves)
                self.made[into.width].append(Term(into.width, 0, code, (first,) if unary else (first, second)))

    def programs(self, goals: Sequence[Goal], *, wide: frozenset[int]) -> Iterator[Term]:
        """Terms that meet one of the goals: op(u, t) and select(u, t, leaf); select(u, v, t) too where `wide` is not
        empty, and op(u, v) for the operations that it holds.

        u, v: results of one operation on t.
        """
        own = self.banks[self.term.width]
        t = self.extended[self.leaves :]
        for code, into in self.space.codes(self.space.banks[self.term.width]):
            here = [goal for goal in goals if goal.width == into.width]
            if not here or (code < FUNNEL and OPERATIONS[code].arity == 1):
                continue
            values = own.values[: own.size]
            commutes = code < FUNNEL and OPERATIONS[code].commutative
            made = self.made[self.term.width]
            yield from self._pairs(code, own, into, values, t, made, [self.term], False, here)
            if not commutes:
                yield from self._pairs(code, own, into, t, values, [self.term], made, False, here)
            if code in wide:
                yield from self._pairs(code, own, into, values, values, made, made, commutes, here)
        if wide and self.term.width != 1:
            bits, made = self.banks[1], self.made[1]
            for code, into in self.space.codes(self.space.banks[1]):
                here = [goal for goal in goals if goal.width == into.width]
                if here and code in wide and OPERATIONS[code].arity == 2:
                    values = bits.values[: bits.size]
                    yield from self._pairs(code, bits, into, values, values, made, made, True, here)
        for goal in goals:
            if goal.size == 0:
                yield from self._selects(goal, wide=bool(wide))

    def _pairs(
        self, code: int, bank: Bank, into: Bank, left: Words, right: Words, left_terms: Sequence[Term],
        right_terms: Sequence[Term], ordered: bool, goals: Sequence[Goal],
    ) -> Iterator[Term]:  # fmt: skip
        wanted = np.stack([goal.wanted for goal in goals])
        care = np.stack([goal.care for goal in goals])
        mode = np.array([goal.mode for goal in goals], np.int64)
        hits = np.zeros((HITS, 3), np.int64)
        width = np.uint64(bank.width)
        count = chains(code, width, bank.mask, left, right, ordered, False, wanted, care, mode, hits, 0, len(left))
        for i, j, g in hits[:count].tolist():
            values = evaluated(code, width, bank.mask, left[i], right[j])
            yield from finished(goals[g], Term(into.width, 0, code, (left_terms[i], right_terms[j])), values)

    def _selects(self, goal: Goal, *, wide: bool) -> Iterator[Term]:
        """Selects whose condition is one operation on t, of t, leaves and (wide) other operations on t."""
        bits, width = self.banks[1], goal.width
        space_bank = self.space.banks[width]
        values, terms = (
            [space_bank.values[: self.space.leaves[width]]],
            [Term(width, row) for row in range(self.space.leaves[width])],
        )
        poison = [np.zeros(len(terms), np.uint64)]
        if self.term.width == width:
            values.append(self.extended[self.leaves :])
            poison.append(self.poison[self.leaves :])
            terms.append(self.term)
        if wide:
            own = self.banks[width]
            values.append(own.values[: own.size])
            poison.append(own.poison[: own.size])
            terms += self.made[width]
        arm = np.concatenate(values)
        agree = np.zeros(len(arm), np.uint64)
        agreements(arm, np.concatenate(poison), goal.wanted, agree)
        places = np.flatnonzero(agree)
        rows = np.flatnonzero(bits.poison[: bits.size] == 0)
        weights = np.uint64(1) << np.arange(self.space.lanes, dtype=np.uint64)
        holds = (bits.values[rows] * weights).sum(axis=1, dtype=np.uint64)
        hits = np.zeros((HITS, 3), np.int64)
        every = np.uint64((1 << self.space.lanes) - 1)
        count = arms(holds, agree[places], agree[places], every, hits, ARMS)
        for c, a, b in hits[:count].tolist():
            parts = self.made[1][int(rows[c])], terms[int(places[a])], terms[int(places[b])]
            yield Term(width, 0, SELECT, parts)


Found = Callable[[Term], bool]


def shared(
    space: Space, goals: Sequence[Goal], found: Found, *, wide: frozenset[int], is_over: Callable[[], bool]
) -> bool:
    """Hand every program around every term of one instruction to `found`; whether one was accepted."""
    accepted = False
    for width, bank in space.banks.items():
        start, stop = bank.span(1)
        for row in range(start, stop):
            if is_over():
                return accepted
            if bank.poison[row] == 0:
                for term in Sharing(space, width, row).programs(goals, wide=wide):
                    accepted = found(term) or accepted
            if accepted and wide:
                return True
    return accepted
