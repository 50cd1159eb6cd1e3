"""Optuna's samplers as methods, through its ask and tell: TPE and NSGA-II over the indices of the menus."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from m4alloc.tune.evaluate import Scored
from m4alloc.tune.space import Point, Space


class Sampled:
    """A sampler of Optuna over a space. sampler: made by `nsga2` or `tpe`."""

    def __init__(self, name: str, space: Space, sampler: Any) -> None:
        optuna = _optuna()
        self.name = name
        self.space = space
        self._optuna = optuna
        self._study = optuna.create_study(sampler=sampler, directions=["minimize", "minimize", "maximize"])
        self._menus = {knob.name: optuna.distributions.IntDistribution(0, len(knob.values) - 1) for knob in space.knobs}
        self._open: dict[Point, list[Any]] = {}

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        asked = []
        for _ in range(count):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                trial = self._study.ask(self._menus)
            point = tuple(int(trial.params[knob.name]) for knob in self.space.knobs)
            self._open.setdefault(point, []).append(trial)
            asked.append(point)
        return asked

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None:
        for point, one in dict(zip(points, evaluations, strict=True)).items():
            worth = one.objectives
            values = [worth.time, worth.memory, worth.security] if math.isfinite(worth.time) else None
            trials = self._open.pop(point, [])
            for trial in trials:
                if values is None:
                    self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
                else:
                    self._study.tell(trial, values)
            if not trials and values is not None:
                params = {knob.name: index for knob, index in zip(self.space.knobs, point, strict=True)}
                self._study.add_trial(
                    self._optuna.trial.create_trial(params=params, distributions=self._menus, values=values)
                )


def nsga2(space: Space, seed: int = 0) -> Sampled:
    """NSGA-II with a population of 24, which also begins with the points that every method begins with."""
    optuna = _optuna()
    return Sampled("nsga2", space, optuna.samplers.NSGAIISampler(population_size=24, seed=seed))


def tpe(space: Space, seed: int = 0) -> Sampled:
    """Tree-structured Parzen estimators, all knobs together."""
    optuna = _optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these arguments may change in later versions
        sampler = optuna.samplers.TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed)
    return Sampled("tpe", space, sampler)


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise ModuleNotFoundError("this method needs optuna: pip install 'm4alloc[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
