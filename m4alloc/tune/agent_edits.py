"""What an agent that edits strategies sees and may do: steps of single knobs, in an environment and in a campaign."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from m4alloc.tune.agent_summary import SUMMARY
from m4alloc.tune.result import Evaluation, Objectives

if TYPE_CHECKING:
    from m4alloc.tune.space import Point, Space

Vector = npt.NDArray[np.float32]

COUNTERS: Final = (
    "footprint_mean",
    "footprint_peak",
    "live_peak",
    "refills",
    "flushes",
    "slabs_made",
    "purges",
    "os_calls",
    "faults",
    "lines",
    "cycles",
)
"""Counters of a Simulation that the agent sees, as logarithms of their ratio to the baseline's."""

OWN: Final = ("time", "memory", "security", "score", "best")
"""What else it sees of where it is: the logarithms of both ratios, the security gained, and both scores."""

MOST: Final = 3.0
"""No number that the agent sees is further from 0."""


class Reward(Enum):
    """What is earned by a step. The rewards of an episode add up to what the name says, whatever the way there.

    LAST: the score of the last point, less that of the first. BEST: the score of the best point, less that of the
    first. FRONT: the hypervolume of all points (m4alloc.tune.archive), less that of the first.
    """

    LAST = "last"
    BEST = "best"
    FRONT = "front"


@dataclass(frozen=True, slots=True)
class Worth:
    """How much each objective counts for in a score.

    The score is 0 for the baseline, and is 0.1 where everything that counts is 10% less, nearly. security: of each part
    of the baseline's score more.

    >>> round(Worth().score(Objectives(0.9, 0.9, 5.0), Objectives(1.0, 1.0, 5.0)), 3)
    0.105
    """

    time: float = 0.5
    memory: float = 0.5
    security: float = 0.0

    def score(self, found: Objectives, baseline: Objectives) -> float:
        """More is better; a candidate that could not be evaluated is worth -MOST."""
        if not all(map(math.isfinite, (found.time, found.memory, found.security))):
            return -MOST
        return (
            -self.time * _log(found.time, baseline.time)
            - self.memory * _log(found.memory, baseline.memory)
            + self.security * (found.security - baseline.security) / max(1.0, abs(baseline.security))
        )


def _log(value: float, reference: float) -> float:
    return math.log(min(max(value, 1e-6), 1e6) / max(reference, 1e-6))


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is kept of an evaluation: its objectives, and its counters beside the baseline's."""

    objectives: Objectives
    counters: Vector

    @classmethod
    def of(cls, evaluation: Evaluation, baseline: Evaluation) -> Seen:
        """Counters over all workloads: the mean of the logarithms; 0 where there are no simulations."""
        found = np.zeros(len(COUNTERS), np.float32)
        pairs = list(zip(evaluation.simulations, baseline.simulations, strict=False))
        for mine, other in pairs:
            for at, name in enumerate(COUNTERS):
                found[at] += math.log((getattr(mine, name) + 1) / (getattr(other, name) + 1)) / len(pairs)
        return cls(evaluation.objectives, found)


def names_of(space: Space) -> tuple[str, ...]:
    """What weights of an agent belong to: the knobs. Menus may differ, their ends are what counts.

    >>> from m4alloc.tune.space import Knob, Space
    >>> names_of(Space((Knob("placement", (0, 1, 2)),)))
    ('placement',)
    """
    return tuple(knob.name for knob in space.knobs)


def width_of(space: Space) -> int:
    """How many numbers the agent sees."""
    return len(space.knobs) + len(COUNTERS) + len(OWN) + len(SUMMARY) + 1


def actions_of(space: Space) -> int:
    """How many actions there are: 2i is a step down of knob i, 2i + 1 a step up, the last one is to stop."""
    return 2 * len(space.knobs) + 1


def masks(space: Space, point: Point) -> npt.NDArray[np.bool_]:
    """Which actions lead somewhere: no step goes beyond the end of a menu; stopping is always possible.

    >>> from m4alloc.tune.space import Knob, Space
    >>> masks(Space((Knob("placement", (0, 1, 2)),)), (0,))
    array([False,  True,  True])
    """
    found = np.ones(actions_of(space), np.bool_)
    for at, (index, knob) in enumerate(zip(point, space.knobs, strict=True)):
        found[2 * at] = index > 0
        found[2 * at + 1] = index + 1 < len(knob.values)
    return found


def moved(space: Space, point: Point, action: int) -> Point | None:
    """The point after an action; None for stopping. An action that the mask forbids leaves it where it is."""
    at, up = divmod(action, 2)
    if at >= len(space.knobs):
        return None
    index = min(max(point[at] + (1 if up else -1), 0), len(space.knobs[at].values) - 1)
    return (*point[:at], index, *point[at + 1 :])


def observe(
    space: Space, point: Point, seen: Seen, baseline: Objectives, scores: tuple[float, float], told: Vector, left: float
) -> Vector:
    """What the agent sees at a point: indices, counters, objectives, scores, the workload, and the share of steps left.

    scores: of this point, and the best so far. told: the workload's `summary`.
    """
    indices = [i / max(1, len(knob.values) - 1) for i, knob in zip(point, space.knobs, strict=True)]
    objectives = seen.objectives
    own = (
        _log(objectives.time, baseline.time),
        _log(objectives.memory, baseline.memory),
        (objectives.security - baseline.security) / max(1.0, abs(baseline.security)),
        *scores,
    )
    found = np.concatenate([indices, seen.counters, own, told, [left]])
    bounded: Vector = np.clip(found, -MOST, MOST).astype(np.float32)
    return bounded
