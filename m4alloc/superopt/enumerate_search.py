"""The search over one window: programs of ever more instructions, met in the middle by sub-goals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.enumerate_bank import Bank, Space, Term, splits
from m4alloc.superopt.enumerate_build import function_of
from m4alloc.superopt.enumerate_goals import Goal, Leaf, derived, whole
from m4alloc.superopt.enumerate_kernels import agreements, arms
from m4alloc.superopt.enumerate_operations import CORE, OPERATIONS, OR, SELECT, applies_to
from m4alloc.superopt.enumerate_scan import Scan, Span
from m4alloc.superopt.enumerate_sharing import shared
from m4alloc.superopt.enumerate_window import Samples, amounts, constants, widths
from m4alloc.superopt.ir import Function, Int, Value, constant
from m4alloc.superopt.vectors import Vectors, run
from m4alloc.superopt.vectors_ops import Lanes

Words = npt.NDArray[np.uint64]

BANKED = 2
"""Instructions of the largest terms that are kept."""
SHARED = 3
"""Instructions of the smallest program that needs a shared part: an operation, one on it, and one on both."""
CAPACITY = 400_000
HITS = 256
MISLED = 6
"""Terms that are right in the lanes but wrong elsewhere, before their inputs become lanes."""


class MisledError(Exception):
    """Too many terms were right by chance: the search has to begin again with these inputs among the lanes."""

    def __init__(self, inputs: Sequence[tuple[int, ...]]) -> None:
        super().__init__(f"{len(inputs)} inputs")
        self.inputs = tuple(inputs)


Goals = Sequence[Sequence[Goal]]
"""The goal itself, sub-goals of one more instruction, of two more."""
Offer = Callable[[Function, Term, "Hunt"], bool]


@dataclass
class Done:
    """How far a search came.

    sizes: up to which every program was tried; partly: up to which those were that the banks and sub-goals reach;
    windows: into the function, that were searched; accepted: a program was; stopped: why no further;
    tried: combinations of two terms; hits: programs that were right in all lanes.
    """

    sizes: int = -1
    partly: int = -1
    windows: int = 0
    accepted: bool = False
    tried: int = 0
    hits: int = 0
    stopped: str = ""
    operations: tuple[str, ...] = ()
    constants: dict[int, list[int]] = field(default_factory=dict)


class Hunt:
    """One window, its banks of terms, and what was offered."""

    def __init__(
        self,
        samples: Samples,
        codes: Sequence[int],
        offer: Offer,
        deadline: float,
        *,
        capacity: int = CAPACITY,
        patient: bool = False,
    ) -> None:
        """offer: takes a function that agrees with the window's on all its inputs, the term it returns, and this; says
        whether it was accepted.

        deadline: on `time.monotonic`'s clock.  patient: never raise MisledError.
        """
        self.samples = samples
        self.offer = offer
        self.deadline = deadline
        self.patient = patient
        self.done = Done(operations=tuple(OPERATIONS[code].word for code in codes))
        function = samples.function
        lanes = len(samples.lanes)
        self.space = Space(widths(function), lanes, codes, amounts(function), capacity)
        self.near = CORE | {code for code in codes if applies_to(code, function)}
        self.leaves: list[Leaf] = []
        self.values: dict[int, list[Value]] = {width: [] for width in self.space.banks}
        for place, argument in enumerate(function.arguments):
            assert isinstance(argument.type, Int)
            self._leaf(argument.type.width, samples.column(place), argument.value, None)
        for width in self.space.banks:
            self.done.constants[width] = constants(function, width)
            for value in self.done.constants[width]:
                self._leaf(width, np.full(lanes, value, np.uint64), constant(Int(width), value), value)
        self.space.seal_leaves()
        self._misled: dict[tuple[int, ...], None] = {}
        self._seen: set[Function] = set()
        self._whole = True
        self._vectors = Vectors(tuple(map(Lanes, samples.inputs)), len(samples.goal))
        self.scan = Scan(self.space, self._hit, self._is_over)

    def _leaf(self, width: int, values: Words, value: Value, number: int | None) -> None:
        bank = self.space.banks[width]
        row = bank.add_leaf(values)
        if row is not None:
            self.values[width].append(value)
            self.leaves.append(Leaf(bank.term(row), values, number))

    def run(self, least: int, most: int, finished: int = -1) -> None:
        """Try every program of `least` to `most` instructions, until one was accepted.

        finished: up to which size every program has been tried before.
        Raises MisledError.  What was tried is in `done`.
        """
        goals = [[whole(self.samples.width, self.samples.wanted)]]
        every = list(self.space.banks)
        self.done.sizes = finished
        for size in range(least, most + 1):
            while len(goals) <= min(size, 2):
                goals.append([found for goal in goals[-1] for found in derived(goal, self.leaves, every)])
            enough = self._grow(min(size - 1, BANKED))
            steps = (self._quick, self._wrapped, self._arms, self._plain, self._shared, self._wrapped_twice)
            # Small sizes are gone through to the end: of the programs found, one may have the shorter assembly.
            tried = (step(size, goals) for step in steps)
            accepted = any(list(tried) if size <= SHARED else tried)
            if accepted:
                self.done.accepted = True
                self.done.stopped = f"a program of {size} instructions was found"
                return
            if self._is_over():
                self.done.stopped = "time was up"
                return
            # A term that is right by chance stands for others, of which one may be right: then not all were tried.
            is_next = size <= SHARED and enough and self.done.sizes == size - 1
            if is_next and self._misled and size < SHARED and not self.patient:
                raise MisledError(list(self._misled))
            if is_next and not self._misled:
                self.done.sizes = size
            else:
                self.done.partly = size
        self.done.stopped = "every size was tried"

    def _quick(self, size: int, goals: Goals) -> bool:
        """Programs of two large terms that look-up or sieve find, before anything that takes long."""
        return size > SHARED and self._scan(size, goals[0], dear=True)

    def _wrapped(self, size: int, goals: Goals) -> bool:
        """Programs whose last instruction is undone in the goal."""
        return size >= 1 and self._scan(size - 1, goals[1], dear=size > SHARED + 1)

    def _wrapped_twice(self, size: int, goals: Goals) -> bool:
        """Programs whose last two instructions are undone in the goal."""
        return size >= 2 and self._scan(size - 2, goals[2])

    def _plain(self, size: int, goals: Goals) -> bool:
        """Programs that combine two terms."""
        return self._scan(size, goals[0])

    def _shared(self, size: int, goals: Goals) -> bool:
        """Programs that use one instruction twice."""
        if size not in (SHARED, SHARED + 1):
            return False
        near = goals[0] if size == SHARED else [*goals[0], *goals[1]]
        wide = self.near if size > SHARED else frozenset()
        return shared(self.space, near, self._hit, wide=wide, is_over=self._is_over)

    def _is_over(self) -> bool:
        return time.monotonic() >= self.deadline

    def _grow(self, level: int) -> bool:
        bank = next(iter(self.space.banks.values()))
        while len(bank.ends) <= level:
            self._whole = self.space.grow(self.deadline) and self._whole
        return self._whole

    def _scan(self, size: int, goals: Sequence[Goal], *, dear: bool = False) -> bool:
        """All programs of `size` instructions without a shared part against the goals; whether one was accepted."""
        accepted = False
        for code, bank, into, left, right, ordered in self._raw(size):
            here = [goal for goal in goals if goal.width == into.width]
            if here:
                accepted = self.scan.all(code, bank, into, left, right, ordered, here, dear=dear) or accepted
            if self._is_over() or (accepted and size > SHARED):
                break
        self.done.tried = self.scan.tried
        return accepted

    def _raw(self, size: int) -> Iterator[tuple[int, Bank, Bank, Span, Span, bool]]:
        """(operation, bank of the operands, bank of the result, rows, rows, one order is enough)."""
        banks = self.space.banks
        if size <= BANKED:
            # What is in the banks already: `or` with nothing stands for the term itself.
            for bank in banks.values():
                span = bank.span(size)
                if span[0] < span[1]:
                    yield OR, bank, bank, span, (0, 0), False
            if size < len(next(iter(banks.values())).ends):
                return
        for bank in banks.values():
            for code, into in self.space.codes(bank):
                for left, right, ordered in splits(code, bank, size):
                    yield code, bank, into, left, right, ordered

    def _arms(self, size: int, goals: Goals) -> bool:
        """Selects of `size` instructions in all whose three parts share nothing."""
        if size == 0:
            return False
        accepted = False
        hasty = size > SHARED
        bank, conditions = self.space.banks[self.samples.width], self.space.banks[1]
        for condition in range(1, size):
            for left in range(size - condition):
                right = size - 1 - condition - left
                if condition > BANKED or left > BANKED or right > BANKED or (accepted and hasty):
                    continue
                accepted = self._select(bank, conditions, condition, left, right) or accepted
        return accepted or self._select(bank, conditions, 0, size - 1, 0)

    def _select(self, bank: Bank, conditions: Bank, condition: int, left: int, right: int) -> bool:
        start, stop = conditions.span(condition)
        rows = np.flatnonzero(conditions.poison[start:stop] == 0) + start
        weights = np.uint64(1) << np.arange(self.space.lanes, dtype=np.uint64)
        holds = (conditions.values[rows] * weights).sum(axis=1, dtype=np.uint64)
        agree, places = self._agreeing(bank, left)
        others, other_places = self._agreeing(bank, right)
        every = np.uint64((1 << self.space.lanes) - 1)
        hits = np.zeros((HITS, 3), np.int64)
        count = arms(holds, agree, others, every, hits, 4)
        accepted = False
        for c, a, b in hits[:count].tolist():
            parts = Term(1, int(rows[c])), bank.term(int(places[a])), bank.term(int(other_places[b]))
            accepted = self._hit(Term(bank.width, 0, SELECT, parts)) or accepted
        return accepted

    def _agreeing(self, bank: Bank, size: int) -> tuple[Words, npt.NDArray[np.int64]]:
        start, stop = bank.span(size)
        out = np.zeros(stop - start, np.uint64)
        agreements(bank.values[start:stop], bank.poison[start:stop], self.samples.wanted, out)
        places = np.flatnonzero(out)
        return out[places], places + start

    def _hit(self, term: Term) -> bool:
        """Check a term on all inputs and offer it; whether it was accepted."""
        function = function_of(term, self.space, self.values, self.samples.function)
        if function in self._seen:
            return False
        self._seen.add(function)
        self.done.hits += 1
        results = run(function, self._vectors)
        if results is None:
            return False
        wrong = np.flatnonzero((results.value[0] != self.samples.goal) | results.poison[0] | results.ub)
        if len(wrong):
            place = int(wrong[0])
            self._misled[tuple(int(column[place]) for column in self.samples.inputs)] = None
            if len(self._misled) >= MISLED and not self.patient:
                raise MisledError(list(self._misled))
            return False
        return self.offer(function, term, self)
