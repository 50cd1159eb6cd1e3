"""Bottom-up enumeration with observational equivalence: the baseline that every other search is measured against."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from m4alloc.superopt.enumerate_bank import Term
from m4alloc.superopt.enumerate_operations import OPERATIONS, applies_to, require_numba
from m4alloc.superopt.enumerate_search import CAPACITY, Done, Hunt, MisledError, Offer
from m4alloc.superopt.enumerate_slices import Window, facts_of, windows
from m4alloc.superopt.enumerate_window import NoWindowError, samples
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, canonical
from m4alloc.superopt.problem import Judge
from m4alloc.superopt.simplify import cleaned

WHOLE = 3
"""Instructions of the programs that are tried for the whole function before any window."""
WINDOW = ((0, 1), (2, 2), (3, 3))
"""Least and most instructions of the programs that are tried in windows, all windows before the next sizes."""
WINDOWS = 200
"""Into one function, those first that could save most."""
WINDOW_SECONDS = 4.0
RESTARTS = 12
"""How often counterexamples may become lanes before a search goes on with what it has."""


@dataclass
class Enumeration:
    """A `Search` that offers programs of 0, 1, 2 ... instructions that agree with the source on 1,024 inputs.

    A program is built from arguments, constants near those of the source, and up to 45 operations; terms that agree on
    64 inputs are one.  most: instructions of the largest programs, one less than the best has where that is less.
    ties: up to three instructions, go on to programs as large as the best, whose assembly may be shorter.
    found: how far the last run came, for a report.
    """

    name: str = "enumeration"
    most: int = 5
    ties: bool = True
    capacity: int = CAPACITY
    operations: tuple[int, ...] = tuple(OPERATIONS)
    found: Done = field(default_factory=Done)

    def __post_init__(self) -> None:
        require_numba()

    def run(self, judge: Judge, seed: int) -> None:
        """Offer programs until the budget is spent or every size is done; deterministic but for the clock.

        The whole function first, where it is one of integers, up to three instructions, then windows into the best so
        far, then the larger sizes.
        """
        self.found = Done()
        try:
            small = min(self.most, WHOLE)
            self._whole(judge, seed, 0, small)
            if judge.best.cost.ir > small:
                self._windows(judge, seed)
                if judge.budget.is_spent:
                    self.found.stopped = "the budget was spent"
                else:
                    self._whole(judge, seed, small + 1, self.most)
        except NoWindowError as error:
            self.found.stopped = str(error)
            self._windows(judge, seed)

    def _whole(self, judge: Judge, seed: int, least: int, most: int) -> None:
        """Programs for the whole function."""
        limit = min(most, self._largest(judge))
        if least > limit:
            return

        def offer(function: Function, term: Term, hunt: Hunt) -> bool:
            return judge.offer(function, self.name) is not None

        before = self.found
        done = hunted(
            judge.problem.source, judge.problem.facts, self, offer, least, limit, judge.budget.left, seed, before.sizes
        )
        self.found = replace(
            done, windows=before.windows, tried=before.tried + done.tried, hits=before.hits + done.hits
        )

    def _windows(self, judge: Judge, seed: int) -> None:
        """Windows into the best so far, ever larger programs in each, until none is any better."""
        tried: set[tuple[Function, int]] = set()
        for least, most in WINDOW:
            again = True
            while again and not judge.budget.is_spent:
                again = False
                for window in windows(cleaned(judge.best.function))[:WINDOWS]:
                    if judge.budget.is_spent:
                        return
                    limit = min(most, window.dies - 1)
                    key = (canonical(window.function), limit)
                    if key not in tried and limit >= least:
                        tried.add(key)
                        if self._window(judge, window, least, limit, seed):
                            again = True
                            break

    def _window(self, judge: Judge, window: Window, least: int, most: int, seed: int) -> bool:
        """Programs of some sizes for one window; whether one made the function cheaper."""

        def offer(function: Function, term: Term, hunt: Hunt) -> bool:
            return judge.offer(window.put_back(term, hunt.space, hunt.values), self.name) is not None

        facts = facts_of(window.function, judge.problem.facts)
        seconds = min(judge.budget.left, WINDOW_SECONDS)
        try:
            done = hunted(window.function, facts, self, offer, least, most, seconds, seed)
        except NoWindowError:
            return False
        self.found.windows += 1
        self.found.tried += done.tried
        return done.accepted

    def _largest(self, judge: Judge) -> int:
        best = judge.best.cost.ir
        if judge.problem.objective != "ir":
            return min(self.most, best)
        return min(self.most, best if self.ties and best <= WHOLE else best - 1)


def hunted(
    source: Function, facts: Sequence[Fact], settings: Enumeration, offer: Offer, least: int, most: int,
    seconds: float, seed: int, finished: int = -1,
) -> Done:  # fmt: skip
    """Search the programs of `least` to `most` instructions for a function of integers; how far that came.

    finished: up to which size every program has been tried before.

    Inputs on which programs were right by chance, and so far wrong elsewhere, become lanes, and the search begins
    again.  Raises NoWindowError.
    """
    more: tuple[tuple[int, ...], ...] = ()
    deadline = time.monotonic() + seconds
    place = samples(source, facts, seed)
    for turn in range(RESTARTS):
        hunt = Hunt(
            place, codes(source, settings.operations), offer, deadline, capacity=settings.capacity,
            patient=turn == RESTARTS - 1,
        )  # fmt: skip
        try:
            hunt.run(least, most, finished)
            break
        except MisledError as misled:
            more = (*misled.inputs, *more)[:48]
            place = samples(source, facts, seed, more)
    return hunt.done


def codes(source: Function, operations: Sequence[int]) -> list[int]:
    """The operations in the order in which they are tried: those of the source first, then as they are listed.

    Division is left out where the source has none: it is dear, and seldom what a cheaper program needs.
    """
    own = {code for code in operations if applies_to(code, source)}
    rest = [code for code in operations if code not in own and OPERATIONS[code].word not in DIVISIONS]
    return [*(code for code in operations if code in own), *rest]


DIVISIONS = frozenset({"udiv", "sdiv", "urem", "srem"})


def sentence(done: Done) -> str:
    """What a run that found nothing may claim.

    >>> sentence(Done(sizes=2, tried=1000, operations=("add",), constants={8: [0, 1]}, stopped="time was up"))
    'every program of up to 2 instructions over 1 operation and 2 constants was tried (1,000 tests); time was up'
    """
    if done.sizes < 0 and done.windows:
        windows = counted(done.windows, "window")
        return f"{windows} into the function enumerated, but not the whole of it: {done.stopped}"
    if done.sizes < 0:
        return f"nothing was enumerated: {done.stopped}"
    constants = counted(sum(map(len, done.constants.values())), "constant")
    operations = counted(len(done.operations), "operation")
    return (
        f"every program of up to {counted(done.sizes, 'instruction')} over {operations} and {constants} was tried "
        f"({done.tried:,} tests); {done.stopped}"
    )


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "operation"), counted(2, "operation")
    ('1 operation', '2 operations')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
