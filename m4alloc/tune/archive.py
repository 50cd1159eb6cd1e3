"""Archive: the candidates that nothing dominates, how much they gain together, and which of them to recommend."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self, TypeVar

from m4alloc.strategy import Strategy
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.security import Security


@dataclass(frozen=True, slots=True)
class Reference:
    """The corner that hypervolumes are measured from, and their unit.

    time, memory: ratios beyond which a candidate adds nothing. security: the same for scores. unit: of the axis of
    security, so that volumes are pure numbers.

    >>> reference = Reference.of(Strategy())
    >>> round(hypervolume([Objectives(1.0, 1.0, Security.of(Strategy()).score)], reference), 9)
    1.0
    >>> round(hypervolume([Objectives(0.9, 1.0, Security.of(Strategy()).score)], reference), 9)
    1.1
    """

    time: float = 2.0
    memory: float = 2.0
    security: float = 0.0
    unit: float = 1.0

    @classmethod
    def of(cls, baseline: Strategy) -> Self:
        """Where the baseline alone has the volume 1, and the security of the hardened strategy, for nothing, 1.25.

        Security is cheap in points: with more weight, a volume would tell little of time and memory.
        """
        unit = 4 * (Security.of(Strategy.hardened()).score - Security.of(Strategy.default()).score)
        return cls(2.0, 2.0, Security.of(baseline).score - unit, unit)


def hypervolume(objectives: Iterable[Objectives], reference: Reference) -> float:
    """The volume that the candidates dominate, exactly. Cost: O(n^2 log n), 0.1 ms for 30 of them.

    It grows when a candidate is added that nothing dominates, and never shrinks.

    >>> cube = Reference(1.0, 1.0, 0.0)
    >>> hypervolume([Objectives(0.5, 0.5, 1.0), Objectives(0.0, 0.9, 0.5)], cube)
    0.275
    """
    boxes = sorted(
        (
            (one.security, reference.time - one.time, reference.memory - one.memory)
            for one in objectives
            if one.time < reference.time and one.memory < reference.memory and one.security > reference.security
        ),
        reverse=True,
    )
    volume = 0.0
    for place, (security, _, _) in enumerate(boxes):
        below = boxes[place + 1][0] if place + 1 < len(boxes) else reference.security
        if security > below:
            volume += _area([(width, height) for _, width, height in boxes[: place + 1]]) * (security - below)
    return volume / reference.unit


def _area(corners: Sequence[tuple[float, float]]) -> float:
    """The area under the stairs that rectangles with one corner in common make."""
    area = reached = 0.0
    for width, height in sorted(corners, reverse=True):
        if height > reached:
            area += width * (height - reached)
            reached = height
    return area


@dataclass(slots=True)
class Archive:
    """The front of all candidates that were added: none of them dominates another, and none has another's objectives.

    Of candidates with equal objectives the first stays. One that could not be evaluated never enters.

    >>> archive = Archive(Reference.of(Strategy()))
    >>> archive.add(Evaluation(Strategy(), Objectives(1.0, 1.0, 4.0)))
    True
    >>> archive.add(Evaluation(Strategy(placement=1), Objectives(1.1, 1.0, 4.0)))
    False
    >>> archive.add(Evaluation(Strategy(placement=2), Objectives(0.9, 1.0, 4.0))), len(archive)
    (True, 1)
    """

    reference: Reference
    front: list[Evaluation] = field(default_factory=list)
    """By time, the least first."""
    _volume: float | None = None

    def __len__(self) -> int:
        return len(self.front)

    def add(self, evaluation: Evaluation) -> bool:
        """Whether it is on the front now; what it dominates no longer is."""
        new = evaluation.objectives
        if not math.isfinite(new.time) or not math.isfinite(new.memory):
            return False
        if any(one.objectives == new or one.objectives.dominates(new) for one in self.front):
            return False
        self.front = [one for one in self.front if not new.dominates(one.objectives)]
        self.front.append(evaluation)
        self.front.sort(key=lambda one: (one.objectives.time, one.objectives.memory, -one.objectives.security))
        self._volume = None
        return True

    @property
    def hypervolume(self) -> float:
        """Of the front; computed once a change."""
        if self._volume is None:
            self._volume = hypervolume((one.objectives for one in self.front), self.reference)
        return self._volume

    @property
    def least_time(self) -> float:
        """Of the front; infinite when it is empty."""
        return min((one.objectives.time for one in self.front), default=math.inf)

    @property
    def least_memory(self) -> float:
        """Of the front; infinite when it is empty."""
        return min((one.objectives.memory for one in self.front), default=math.inf)

    @property
    def most_secure(self) -> float:
        """The greatest score of the front; minus infinity when it is empty."""
        return max((one.objectives.security for one in self.front), default=-math.inf)

    def check(self) -> None:
        """Every invariant. Raises: AssertionError."""
        for one in self.front:
            others = [other.objectives for other in self.front if other is not one]
            assert one.objectives not in others, "two candidates of the front have the same objectives"
            assert not any(other.dominates(one.objectives) for other in others), "the front is dominated by itself"


class Prefer(StrEnum):
    """What the recommended candidate is to be best at."""

    BALANCED = "balanced"
    """The least product of time and memory among those that are worse than the baseline in neither, by over 0.2 %."""
    TIME = "time"
    """The least time among those with at most 1.25 of the baseline's memory."""
    MEMORY = "memory"
    """The least memory among those with at most 1.05 of the baseline's time."""
    SECURITY = "security"
    """The highest score among those that are worse than the baseline in neither time nor memory, by over 0.2 %."""


MEMORY_SLACK: Final = 1.25
TIME_SLACK: Final = 1.05
EQUAL: Final = 0.002
"""Ratios that are nearer than this are taken for equal: the simulator knows no better."""


Candidate = TypeVar("Candidate", bound=Evaluation)


def recommended(front: Iterable[Candidate], baseline: Candidate, prefer: Prefer | str = Prefer.BALANCED) -> Candidate:
    """The candidate to choose, by the rule of `prefer`; the baseline when none is better by 0.2 % at least.

    Of those within 0.2 % of the best the one with the highest security is taken, then the one with the fewest knobs
    changed. Never one that is worse than the baseline in both time and memory, by over 0.2 %.

    >>> base = Evaluation(Strategy(), Objectives(1.0, 1.0, 4.0))
    >>> fast = Evaluation(Strategy(stack_depth=4096), Objectives(0.8, 1.2, 4.0))
    >>> small = Evaluation(Strategy(stack_depth=64), Objectives(1.0, 0.9, 4.0))
    >>> [recommended([fast, small], base, prefer).strategy.stack_depth for prefer in ("balanced", "time", "memory")]
    [64, 4096, 64]
    >>> recommended([fast], base) is base
    True
    """
    wanted = Prefer(prefer)
    own = baseline.objectives
    candidates = [one for one in front if _admitted(one.objectives, own, wanted)]
    if not candidates:
        return baseline
    merits = [_merit(one.objectives, own, wanted) for one in candidates]
    least = min(merits)
    if least > _merit(own, own, wanted) - EQUAL:
        return baseline
    near = [one for one, merit in zip(candidates, merits, strict=True) if merit <= least + EQUAL]
    return min(near, key=lambda one: (-one.objectives.security, changed(one.strategy, baseline.strategy), repr(one)))


def _admitted(one: Objectives, own: Objectives, wanted: Prefer) -> bool:
    time, memory = one.time / own.time, one.memory / own.memory
    # Of the two that one of them is preferred of, that one has to be better in any case.
    if wanted is Prefer.TIME:
        return memory <= MEMORY_SLACK
    if wanted is Prefer.MEMORY:
        return time <= TIME_SLACK
    return no_worse(time) and no_worse(memory)


def no_worse(ratio: float) -> bool:
    """Whether a ratio to the baseline's is no loss, as far as the simulator knows.

    >>> no_worse(1.0015), no_worse(1.0025)
    (True, False)
    """
    return ratio <= 1 + EQUAL


def _merit(one: Objectives, own: Objectives, wanted: Prefer) -> float:
    """Less is better. Logarithms, or points of security; differences of 0.002 are none."""
    if wanted is Prefer.SECURITY:
        return own.security - one.security
    time, memory = math.log(one.time / own.time), math.log(one.memory / own.memory)
    return {Prefer.TIME: time, Prefer.MEMORY: memory}.get(wanted, time + memory)


def changed(strategy: Strategy, baseline: Strategy) -> int:
    """How many knobs differ.

    >>> changed(Strategy(guards=True, placement=1), Strategy())
    2
    """
    return sum(getattr(strategy, name) != getattr(baseline, name) for name in Strategy.__slots__)
