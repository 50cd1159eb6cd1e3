"""Pairs of terms against goals: by look-up where the operation can be undone, by trial where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.enumerate_bank import Bank, Space, Term
from m4alloc.superopt.enumerate_goals import EXACT, Goal, finished
from m4alloc.superopt.enumerate_kernels import chains, join, pairs, sieve
from m4alloc.superopt.enumerate_operations import (
    ADD,
    AND,
    FUNNEL,
    LSHR,
    OPERATIONS,
    OR,
    SMAX,
    SMIN,
    SUB,
    UADD_SAT,
    UDIV,
    UMAX,
    UMIN,
    USUB_SAT,
    XOR,
    evaluated,
)

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Span = tuple[int, int]

CHUNK = 4_000_000
"""Pairs that one call of a kernel looks at, about 20 ms, so that time is kept."""
HITS = 256
"""Pairs that one call gives at most; more that are right in all lanes are left out."""
LARGE = 50_000
"""Pairs from which on look-up and sieve pay."""

JOINED = frozenset({ADD, SUB, XOR})
ANY = -1
SIEVED = {
    AND: (0, 0),
    OR: (1, 1),
    UMIN: (2, 2),
    UMAX: (3, 3),
    SMIN: (4, 4),
    SMAX: (5, 5),
    LSHR: (2, ANY),
    UDIV: (2, ANY),
    UADD_SAT: (3, 3),
    USUB_SAT: (2, ANY),
}
"""What each operand has to be, as `sieve` has it."""


class Scan:
    """Finds the pairs of terms that meet goals, and hands each as a term to `found`, which says whether to accept."""

    def __init__(self, space: Space, found: Callable[[Term], bool], is_over: Callable[[], bool]) -> None:
        self.space, self.found, self.is_over = space, found, is_over
        self.tried = 0
        self._clean: dict[tuple[int, Span], tuple[Words, Places]] = {}

    def all(
        self, code: int, bank: Bank, into: Bank, left: Span, right: Span, ordered: bool, goals: Sequence[Goal], *,
        dear: bool = False,
    ) -> bool:  # fmt: skip
        """Try one operation on all pairs of rows; whether a term was accepted.

        right: (0, 0) for the rows of `left` as they are.  ordered: both sides are the same and one order is enough.
        dear: leave out, as too dear, what cannot be looked up or sieved.
        """
        unary = right[1] == 0 or (code < FUNNEL and OPERATIONS[code].arity == 1)
        a, a_rows = self._rows(bank, left)
        b, b_rows = self._rows(bank, right) if not unary else (a, a_rows)
        rest = list(goals)
        accepted = False
        if not unary and len(a) * len(b) > LARGE and (code in JOINED or code in SIEVED):
            exact = [goal for goal in goals if goal.mode == EXACT and goal.is_exact]
            rest = [goal for goal in goals if not (goal.mode == EXACT and goal.is_exact)]
            for goal in exact:
                if code in JOINED:
                    accepted = self._join(code, bank, into, left, right, b, b_rows, goal) or accepted
                else:
                    chosen, others = (
                        self._sieved(SIEVED[code][0], bank, a, goal),
                        self._sieved(SIEVED[code][1], bank, b, goal),
                    )
                    rows = a_rows[chosen], b_rows[others]
                    accepted = (
                        self._pairs(code, bank, into, a[chosen], b[others], *rows, False, False, [goal]) or accepted
                    )
        if rest and not dear:
            accepted = self._pairs(code, bank, into, a, b, a_rows, b_rows, ordered, unary, rest) or accepted
        return accepted

    def _rows(self, bank: Bank, span: Span) -> tuple[Words, Places]:
        """The rows of a span that are poison in no lane, and their numbers."""
        key = (bank.width, span)
        found = self._clean.get(key)
        if found is None:
            rows = np.flatnonzero(bank.poison[span[0] : span[1]] == 0) + span[0]
            clean = len(rows) == span[1] - span[0]
            found = self._clean[key] = (bank.values[span[0] : span[1]] if clean else bank.values[rows], rows)
        return found

    @staticmethod
    def _sieved(how: int, bank: Bank, rows: Words, goal: Goal) -> Places:
        if how == ANY:
            return np.arange(len(rows))
        out = np.zeros(len(rows), np.bool_)
        sieve(how, np.uint64(bank.width), rows, goal.wanted, out)
        return np.flatnonzero(out)

    def _join(
        self, code: int, bank: Bank, into: Bank, left: Span, right: Span, b: Words, b_rows: Places, goal: Goal
    ) -> bool:
        """By the bank's own table: the term that makes the goal with another is looked up."""
        hits = np.zeros((HITS, 3), np.int64)
        self.tried += len(b)
        count = join(code, bank.mask, b, goal.wanted, bank.table, bank.places, left[0], left[1], hits)
        accepted = False
        for i, j, _ in hits[:count].tolist():
            term = Term(into.width, 0, code, (bank.term(i), bank.term(int(b_rows[j]))))
            for one in finished(goal, term, goal.wanted):
                accepted = self.found(one) or accepted
        return accepted

    def _pairs(
        self, code: int, bank: Bank, into: Bank, a: Words, b: Words, a_rows: Places, b_rows: Places, ordered: bool,
        unary: bool, goals: Sequence[Goal],
    ) -> bool:  # fmt: skip
        """By trial, the first lane first."""
        width, mask = np.uint64(bank.width), into.mask if unary else bank.mask
        step = max(1, CHUNK // max(1, 1 if unary else len(b)) // max(1, len(goals) // 4))
        accepted = False
        plain = len(goals) == 1 and goals[0].mode == EXACT and goals[0].is_exact
        hits = np.zeros((HITS, 3), np.int64)
        wanted = np.stack([goal.wanted for goal in goals])
        care = np.stack([goal.care for goal in goals])
        mode = np.array([goal.mode for goal in goals], np.int64)
        for start in range(0, len(a), step):
            if self.is_over():
                break
            stop = min(len(a), start + step)
            self.tried += (stop - start) * (1 if unary else len(b))
            if plain:
                count = pairs(code, width, mask, a[:stop], b, ordered, unary, wanted[0], hits, start)
                hits[:count, 2] = 0
            else:
                count = chains(code, width, mask, a, b, ordered, unary, wanted, care, mode, hits, start, stop)
            for i, j, g in hits[:count].tolist():
                term = bank.term(int(a_rows[i]))
                if not (unary and code == OR):
                    parts = (term,) if unary else (term, bank.term(int(b_rows[j])))
                    term = Term(into.width, 0, code, parts)
                values = evaluated(code, width, mask, a[i], None if unary else b[j])
                for one in finished(goals[g], term, values):
                    accepted = self.found(one) or accepted
        return accepted
