"""Several traces: what is held out of the search, what the gain is there, and the choice with the least regret."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from m4alloc.tune.result import Evaluation, Simulation
from m4alloc.tune.workload import Workload

Candidate = TypeVar("Candidate")
Measure = Callable[[Simulation], float]


@dataclass(frozen=True, slots=True)
class Split:
    """One way to hold something out. program: what is held out; train, held_out: places among the workloads."""

    program: str
    train: tuple[int, ...]
    held_out: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a search on the other programs has gained for one that it did not see; a gain of 0.1 is 10 % less cost."""

    program: str
    training: float
    held_out: float

    @property
    def gap(self) -> float:
        """How much of the gain does not carry over; below 0 when the program that was not seen gains more.

        >>> HeldOut("perl", 0.25, 0.125).gap
        0.125
        """
        return self.training - self.held_out


def splits(programs: Sequence[str]) -> list[Split]:
    """Hold out each program in turn, with all of its workloads; of one program alone, each of its workloads in turn.

    programs: of each workload, its program's name. One workload cannot be split: no splits.

    >>> for split in splits(["perl", "git", "perl"]): print(split)
    Split(program='perl', train=(1,), held_out=(0, 2))
    Split(program='git', train=(0, 2), held_out=(1,))
    >>> [split.program for split in splits(["perl", "perl"])], splits(["perl"])
    (['perl, 1', 'perl, 2'], [])
    """
    everything = range(len(programs))
    names = list(dict.fromkeys(programs))
    if len(names) > 1:
        folds = [(name, tuple(place for place in everything if programs[place] == name)) for name in names]
    elif len(programs) > 1:
        folds = [(f"{name}, {place + 1}", (place,)) for place, name in enumerate(programs)]
    else:
        folds = []
    return [Split(name, tuple(place for place in everything if place not in held), held) for name, held in folds]


def held_out(
    search: Callable[[Sequence[Workload]], Candidate],
    cost: Callable[[Candidate, Sequence[Workload]], float],
    workloads: Sequence[Workload],
    programs: Sequence[str] = (),
) -> list[HeldOut]:
    """Search on the workloads of all programs but one, and see what the result is worth on that one; for each in turn.

    search: finds a candidate for some workloads. cost: of a candidate on some workloads, as a ratio to the baseline.
    programs: of each workload, by default its name.  Cost: one search a program.

    >>> from m4alloc.tune.workload import example
    >>> small, large = example([(1, 1, 8)], "small"), example([(1, 1, 64)], "large")
    >>> size_of = lambda workloads: int(workloads[0].size[0])
    >>> fit = lambda size, workloads: 0.5 if size == size_of(workloads) else 1.25
    >>> for row in held_out(size_of, fit, [small, large]): print(row, row.gap)
    HeldOut(program='small', training=0.5, held_out=-0.25) 0.75
    HeldOut(program='large', training=0.5, held_out=-0.25) 0.75
    """
    rows = []
    for split in splits(programs or [workload.name for workload in workloads]):
        train = [workloads[place] for place in split.train]
        candidate = search(train)
        unseen = [workloads[place] for place in split.held_out]
        rows.append(HeldOut(split.program, 1 - cost(candidate, train), 1 - cost(candidate, unseen)))
    return rows


def regrets(costs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Of each candidate, its worst ratio to the best candidate of a workload; 1 is the best everywhere.

    costs: a row a candidate, a column a workload (or a workload and measure), not below 0. Where the best costs
    nothing, one that does not has an infinite regret.
    Raises ValueError: no candidate, no column, a cost below 0 or none.

    >>> regrets([[1.0, 8.0], [2.0, 4.0], [1.25, 5.0]]).tolist()
    [2.0, 2.0, 1.25]
    """
    table = np.asarray(costs, np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"costs of shape {table.shape}: there is no candidate, or no workload, to choose by")
    if not (table >= 0).all():
        raise ValueError("a cost is below 0 or not a number")
    best = table.min(axis=0)
    ratio = np.where(table == best, 1.0, np.inf)
    np.divide(table, best, out=ratio, where=best > 0)
    worst: npt.NDArray[np.float64] = ratio.max(axis=1)
    return worst


def cycles(simulation: Simulation) -> float:
    """The modelled time."""
    return simulation.cycles


def memory(simulation: Simulation) -> float:
    """The peak of the resident bytes."""
    return simulation.footprint_peak


def least_regret(evaluations: Sequence[Evaluation], measures: Sequence[Measure] = (cycles,)) -> tuple[int, float]:
    """The place of the candidate whose worst ratio to the best of any workload, by any measure, is least; that ratio.

    Of equals, the first. measures: `cycles`, `memory`, or others of a simulation.
    Raises ValueError: no evaluations, or some have simulations of other workloads, or none.
    """
    lengths = {len(evaluation.simulations) for evaluation in evaluations}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError("each evaluation needs a simulation of each workload, the same for all")
    costs = [[measure(each) for each in found.simulations for measure in measures] for found in evaluations]
    worst = regrets(costs)
    place = int(worst.argmin())
    return place, float(worst[place])
