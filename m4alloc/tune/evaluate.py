"""Evaluator: what a strategy is worth on some workloads, as ratios to a baseline; the same numbers wherever it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from m4alloc import __version__
from m4alloc.strategy import Strategy
from m4alloc.tune.result import Evaluation, Objectives, Simulation
from m4alloc.tune.security import Security
from m4alloc.tune.workload import Workload

Simulate = Callable[[Workload, Strategy], Simulation]

MODEL = 1
"""Rises with whatever changes the numbers for the same calls and strategy: the simulator's counting, or its costs. A
campaign that went on, or a cluster that was shared, across such a change would compare what cannot be compared."""

WORST = Objectives(math.inf, math.inf, -math.inf)
"""What a candidate is worth that could not be evaluated."""


class Objective(StrEnum):
    """How several workloads make one number."""

    MEAN = "mean"
    """The weighted geometric mean of the ratios."""
    REGRET = "regret"
    """The worst of the ratios to what is best for each workload alone: no program is sacrificed for the others."""


class EvaluatorError(ValueError):
    """Workloads that candidates cannot be judged by; the message says why."""


@dataclass(frozen=True, slots=True)
class Scored(Evaluation):
    """An evaluation as a search keeps it.

    ratios: of each workload time and memory as ratios to the baseline's. failure: why there are none; "": there are.
    """

    ratios: tuple[tuple[float, float], ...] = ()
    failure: str = ""

    @property
    def failed(self) -> bool:
        """Whether the candidate could not be evaluated."""
        return bool(self.failure)


def failed(strategy: Strategy, why: str) -> Scored:
    """The evaluation of a candidate that could not be evaluated: worse than any other.

    >>> failed(Strategy(), "its worker died twice").objectives.time
    inf
    """
    return Scored(strategy, WORST, failure=why)


def simulated(workload: Workload, strategy: Strategy) -> Simulation:
    """The simulator, loaded when it is first asked. Raises: ModuleNotFoundError without numba."""
    from m4alloc.tune.simulate import simulate

    return simulate(workload, strategy)


@dataclass(frozen=True)
class Evaluator:
    """Judges strategies by the simulated cycles and the simulated peak footprint on its workloads.

    objective: how the workloads make one number. weights: of the workloads in the mean; none: all the same. best: of
    each workload the least ratios known, which regret is against; none: the baseline's own. simulate: a pure function,
    which workers can import. The baseline is worth (1, 1) under either objective. Pickled without its cache.
    Raises EvaluatorError: no workloads, an empty one, weights that do not fit.

    >>> from m4alloc.tune.example import example_simulate, example_workload
    >>> evaluator = Evaluator((example_workload(),), simulate=example_simulate)
    >>> evaluator.evaluate(Strategy()).objectives.time
    1.0
    >>> evaluator.evaluate(Strategy(refill_batch=256)).objectives.time < 1
    True
    """

    workloads: tuple[Workload, ...]
    baseline: Strategy = field(default_factory=Strategy)
    objective: Objective = Objective.MEAN
    weights: tuple[float, ...] = ()
    best: tuple[tuple[float, float], ...] = ()
    simulate: Simulate = simulated
    _cache: dict[Strategy, Scored] = field(default_factory=dict, init=False, repr=False, compare=False)
    _baselines: list[tuple[float, float]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "workloads", tuple(self.workloads))
        object.__setattr__(self, "objective", Objective(self.objective))
        if not self.workloads:
            raise EvaluatorError("there is no workload to judge a strategy by")
        for workload in self.workloads:
            if not len(workload):
                raise EvaluatorError(f"workload {workload.name} has no calls; no strategy is better than another on it")
        for name in ("weights", "best"):
            value = tuple(getattr(self, name))
            object.__setattr__(self, name, value)
            if value and len(value) != len(self.workloads):
                raise EvaluatorError(f"there are {len(value)} {name} for {len(self.workloads)} workloads")
        if self.weights and not (min(self.weights) >= 0 and sum(self.weights) > 0):
            raise EvaluatorError(f"weights are {self.weights}; none may be negative, and one must be positive")

    def __getstate__(self) -> dict[str, Any]:
        # The baseline is simulated once, before the evaluator is sent to the workers.
        self._measured()
        return {**self.__dict__, "_cache": {}}

    def _measured(self) -> list[tuple[float, float]]:
        """Cycles and peak footprint of the baseline on each workload."""
        if not self._baselines:
            simulations = [self.simulate(workload, self.baseline) for workload in self.workloads]
            for workload, one in zip(self.workloads, simulations, strict=True):
                if one.cycles <= 0 or one.footprint_peak <= 0:
                    raise EvaluatorError(f"workload {workload.name} costs the baseline nothing")
            self._baselines.extend((one.cycles, float(one.footprint_peak)) for one in simulations)
        return self._baselines

    def evaluate(self, strategy: Strategy) -> Scored:
        """What the strategy is worth, with the simulations that show it."""
        simulations = tuple(self.simulate(workload, strategy) for workload in self.workloads)
        return replace(self._judged(strategy, simulations), simulations=simulations)

    def scored(self, strategy: Strategy) -> Scored:
        """The same without the simulations; a strategy that was judged before costs nothing."""
        if strategy not in self._cache:
            self._cache[strategy] = replace(self.evaluate(strategy), simulations=())
        return self._cache[strategy]

    def _judged(self, strategy: Strategy, simulations: Sequence[Simulation]) -> Scored:
        pairs = zip(simulations, self._measured(), strict=True)
        ratios = tuple((one.cycles / cycles, one.footprint_peak / peak) for one, (cycles, peak) in pairs)
        security = Security.of(strategy).score
        return Scored(strategy, Objectives(*self.combined(ratios), security), ratios=ratios)

    def combined(self, ratios: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Time and memory of all workloads together from the ratios on each.

        >>> from m4alloc.tune.example import example_workload
        >>> two = (example_workload(), example_workload())
        >>> Evaluator(two).combined([(0.5, 1.0), (2.0, 1.0)])
        (1.0, 1.0)
        >>> Evaluator(two, objective="regret").combined([(0.5, 1.0), (2.0, 1.0)])
        (2.0, 1.0)
        """
        times, memories = zip(*ratios, strict=True)
        if self.objective is Objective.MEAN:
            return self._mean(times), self._mean(memories)
        best = self.best or tuple((1.0, 1.0) for _ in ratios)
        return _regret(times, [one[0] for one in best]), _regret(memories, [one[1] for one in best])

    def _mean(self, values: Sequence[float]) -> float:
        weights = self.weights or (1.0,) * len(values)
        return math.exp(sum(w * math.log(v) for w, v in zip(weights, values, strict=True)) / sum(weights))

    def against(self, seen: Iterable[Scored]) -> Evaluator:
        """The evaluator whose regret is against the best that these evaluations show of each workload.

        >>> from m4alloc.tune.example import example_workload
        >>> plain = Evaluator((example_workload(), example_workload()), objective="regret")
        >>> known = plain.against([Scored(Strategy(), WORST, ratios=((0.5, 1.0), (1.0, 0.9)))])
        >>> known.best
        ((0.5, 1.0), (1.0, 0.9))
        >>> known.combined([(1.0, 1.0), (1.0, 1.0)]), known.combined([(0.5, 1.0), (1.2, 1.0)])[0]
        ((1.0, 1.0), 0.6)
        """
        columns = list(zip(*(one.ratios for one in seen if one.ratios), strict=True))
        best = tuple((min(1.0, *(t for t, _ in c)), min(1.0, *(m for _, m in c))) for c in columns)
        return replace(self, best=best)

    def rescored(self, seen: Iterable[Scored]) -> list[Scored]:
        """The evaluations as this evaluator would have made them; nothing is simulated."""
        return [
            one
            if one.failed
            else replace(one, objectives=Objectives(*self.combined(one.ratios), one.objectives.security))
            for one in seen
        ]

    def identity(self) -> Mapping[str, Any]:
        """All that its numbers depend on, for a state file: workloads by a digest of their columns."""
        return {
            "workloads": [{"name": one.name, "calls": len(one), "digest": digest(one)} for one in self.workloads],
            "baseline": self.baseline.to_toml(),
            "objective": str(self.objective),
            "weights": list(self.weights),
            "best": [list(one) for one in self.best],
            "version": __version__,
            "model": MODEL,
            "simulate": f"{self.simulate.__module__}.{getattr(self.simulate, '__qualname__', '')}",
        }


def version() -> str:
    """What evaluates here; numbers of different ones are not to be mixed.

    >>> version() == f"m4alloc {__version__}, model {MODEL}"
    True
    """
    return f"m4alloc {__version__}, model {MODEL}"


def digest(workload: Workload) -> str:
    """Sixteen hexadecimal digits that name the calls of a workload."""
    from hashlib import blake2b

    total = blake2b(digest_size=8)
    for name in ("kind", "block", "size", "alignment", "zeroed", "thread", "time_ms"):
        total.update(getattr(workload, name).tobytes())
    return total.hexdigest()


def _regret(values: Sequence[float], best: Sequence[float]) -> float:
    worst = max(value / least for value, least in zip(values, best, strict=True))
    # The baseline has a regret too, wherever something better is known; ratios are to that.
    return worst / max(1.0 / least for least in best)
