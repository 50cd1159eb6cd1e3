"""Comparison: searches side by side on the same functions at equal budget, each run counted and timed alike."""

from __future__ import annotations

import math
import signal
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.moves import price
from m4alloc.superopt.problem import Budget, Candidate, Judge, Problem, Search

LEAST: Final = 0.05
"""A ratio below this counts as this: a function that costs nothing would make a geometric mean 0."""


PATIENCE: Final = 60.0


@dataclass
class CpuBudget(Budget):
    """A budget whose seconds are this process's time on the processor: what else runs here does not shorten it.

    PATIENCE seconds more are left as long as any are, because provers and some searches look at the clock on the wall.
    """

    begun: float = field(default_factory=time.process_time)

    @property
    def left(self) -> float:
        """Seconds that remain, 0 at the end."""
        rest = self.seconds - (time.process_time() - self.begun)
        return PATIENCE + rest if rest > 0.0 else 0.0


@dataclass(frozen=True, slots=True)
class Race:
    """One search on one function with one seed.

    base: cost of the source; cost: of the best. proposals, seconds: spent when the best was found; used, took: in all.
    Seconds are on the processor. course: proposals and seconds after which a better one was found, and its cost.
    """

    method: str
    problem: str
    seed: int
    base: float
    cost: float
    proposals: int
    seconds: float
    used: int
    took: float
    course: tuple[tuple[int, float, float], ...] = ()

    @property
    def ratio(self) -> float:
        """Cost of the best by the source's."""
        return self.cost / self.base if self.base else 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """A search over all its races.

    solved: share of races that reached the least cost known for their function. ratio: geometric mean of the ratios.
    proposals, seconds: median of what was spent when the best was found, over the races that improved anything.
    """

    method: str
    races: int
    solved: float
    ratio: float
    proposals: float
    seconds: float
    used: float
    took: float


class _Spent(BaseException):
    """The time on the processor is used up: no error, and not to be caught by what catches those."""


def within(seconds: float, work: Callable[[], None]) -> None:
    """Do the work, and end it after so many seconds of this process on the processor: for searches that look at the
    clock on the wall themselves.  Native code is let finish.  Only in the main thread."""

    def spent(number: int, frame: object) -> None:
        raise _Spent

    previous = signal.signal(signal.SIGPROF, spent)
    try:
        try:
            signal.setitimer(signal.ITIMER_PROF, max(seconds, 1e-3))
            work()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0.0)
    except _Spent:
        pass
    finally:
        signal.signal(signal.SIGPROF, previous)


def race(problem: Problem, search: Search, budget: Budget, seed: int, name: str = "") -> Race:
    """Run a search to the end of its budget; a CpuBudget ends it even where it looks at no budget."""
    course: list[tuple[int, float, float]] = []
    began = time.process_time()
    least = price(problem, problem.source)

    def better(found: Candidate) -> None:
        nonlocal least
        if found.cost.objective < least:
            least = found.cost.objective
            course.append((budget.used, time.process_time() - began, least))

    judge: Judge = TheJudge(problem, budget, on_improvement=better)
    base = judge.best.cost.objective
    if isinstance(budget, CpuBudget):
        within(budget.seconds, lambda: search.run(judge, seed))
    else:
        search.run(judge, seed)
    return _race(search.name, name, seed, base, budget.used, time.process_time() - began, tuple(course))


def cut(one: Race, *, proposals: float = math.inf, seconds: float = math.inf) -> Race:
    """The race as it stood after so many proposals or seconds, whichever was first."""
    course = tuple(point for point in one.course if point[0] <= proposals and point[1] <= seconds)
    used, took = min(one.used, proposals), min(one.took, seconds)
    return _race(one.method, one.problem, one.seed, one.base, int(used), took, course)


def _race(
    method: str,
    problem: str,
    seed: int,
    base: float,
    used: int,
    took: float,
    course: tuple[tuple[int, float, float], ...],
) -> Race:
    proposals, seconds, cost = course[-1] if course else (0, 0.0, base)
    return Race(method, problem, seed, base, cost, proposals, seconds, used, took, course)


def races(
    problems: Sequence[tuple[str, Problem]],
    methods: Mapping[str, Callable[[], Search]],
    budget: Callable[[], Budget],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Progress | None = None,
) -> list[Race]:
    """Every method on every problem with every seed, each with a budget of its own.  SIGINT ends it after a race."""
    found: list[Race] = []
    with progress or Silent() as shown, interrupts_noted() as interrupts:
        shown.phase("comparing searches", len(problems) * len(methods) * len(seeds))
        for name, problem in problems:
            for label, make in methods.items():
                for seed in seeds:
                    if interrupts:
                        return found
                    one = race(problem, make(), budget(), seed, name)
                    found.append(replace(one, method=label))
                    shown.advance(len(found))
    return found


def rows_of(found: Sequence[Race], known: Mapping[str, float] | None = None) -> list[Row]:
    """A row for each method, the one that solved most first.

    known: the least cost known of a function, where that is less than what any race found.
    """
    least = dict(known or {})
    for one in found:
        least[one.problem] = min(one.cost, least.get(one.problem, math.inf))
    rows = []
    for method in dict.fromkeys(one.method for one in found):
        own = [one for one in found if one.method == method]
        improved = [one for one in own if one.course] or own
        rows.append(
            Row(
                method,
                len(own),
                sum(one.cost <= least[one.problem] for one in own) / len(own),
                math.exp(statistics.fmean(math.log(max(one.ratio, LEAST)) for one in own)),
                statistics.median(one.proposals for one in improved),
                statistics.median(one.seconds for one in improved),
                statistics.fmean(one.used for one in own),
                statistics.fmean(one.took for one in own),
            )
        )
    return sorted(rows, key=lambda row: (-row.solved, row.ratio))


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """A table with its head first.

    >>> for line in cells([Row("random", 6, 0.5, 0.8123, 41, 0.25, 1000, 2.5)]):
    ...     print(" | ".join(line))
    search | solved | mean cost ratio | proposals to best | seconds to best | proposals | seconds
    random | 50% | 0.812 | 41 | 0.250 | 1,000 | 2.50
    """
    head = ["search", "solved", "mean cost ratio", "proposals to best", "seconds to best", "proposals", "seconds"]
    return [head] + [
        [
            row.method,
            f"{row.solved:.0%}",
            f"{row.ratio:.3f}",
            f"{row.proposals:,.0f}",
            f"{row.seconds:.3f}",
            f"{row.used:,.0f}",
            f"{row.took:.2f}",
        ]
        for row in rows
    ]


def courses(found: Sequence[Race], at: Sequence[float], *, by_seconds: bool = False) -> dict[str, list[float]]:
    """For each method the mean ratio over its races after so many proposals, or so many seconds.

    >>> one = Race("random", "f", 0, 4.0, 2.0, 10, 0.1, 20, 0.2, ((4, 0.05, 3.0), (10, 0.1, 2.0)))
    >>> courses([one], [1, 4, 10]), courses([one], [0.2], by_seconds=True)
    ({'random': [1.0, 0.75, 0.5]}, {'random': [0.5]})
    """
    told: dict[str, list[float]] = {}
    for method in dict.fromkeys(one.method for one in found):
        own = [one for one in found if one.method == method]
        told[method] = [
            statistics.fmean(
                (cut(one, seconds=point) if by_seconds else cut(one, proposals=point)).ratio for one in own
            )
            for point in at
        ]
    return told
