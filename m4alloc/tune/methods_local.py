"""Methods that change one good point a little: a sweep over one knob after another, hill climbing, evolution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from m4alloc.tune.archive import Archive, Reference, hypervolume
from m4alloc.tune.evaluate import Scored
from m4alloc.tune.methods import Method
from m4alloc.tune.result import Objectives
from m4alloc.tune.space import Point, Space

Direction = tuple[float, float, float, float]

DIRECTIONS: Final[tuple[Direction, ...]] = (
    (1.0, 1.0, 0.0, 10.0),
    (2.0, 0.5, 0.0, 0.0),
    (0.5, 2.0, 0.0, 0.0),
    (1.0, 1.0, 0.02, 0.0),
)
"""What climbs go for, one after another: weights of the logarithms of time and memory, of a point of security, and of
what either of the first two is above the baseline's. The first is what is recommended unless told otherwise."""

PATIENCE: Final = 24
"""Evaluations without an improvement after which a climb begins anew."""


def merit(one: Objectives, direction: Direction) -> float:
    """Less is better; infinite for what could not be evaluated.

    >>> merit(Objectives(1.0, 1.0, 5.0), (1.0, 1.0, 0.0, 10.0))
    0.0
    """
    if not math.isfinite(one.time):
        return math.inf
    time, memory = math.log(one.time), math.log(one.memory)
    above = max(0.0, time) + max(0.0, memory)
    return direction[0] * time + direction[1] * memory - direction[2] * one.security + direction[3] * above


class _Known:
    """What a method was told."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.points: dict[Point, Scored] = {}
        self.archive = Archive(Reference.of(space.base))
        self.place: dict[int, Point] = {}
        """Of evaluations on the front, by identity, the point."""

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None:
        for point, one in zip(points, evaluations, strict=True):
            if point not in self.points:
                self.points[point] = one
                if self.archive.add(one):
                    self.place[id(one)] = point

    def front(self) -> list[Point]:
        return [self.place[id(one)] for one in self.archive.front]

    def best(self, direction: Direction) -> Point | None:
        """The best point in a direction; the first of equals."""
        return min(self.points, key=lambda point: merit(self.points[point].objectives, direction), default=None)

    def fresh(self, make: Point, rng: np.random.Generator, taken: set[Point]) -> Point:
        """A mutant that is neither known nor taken; after many attempts, any."""
        mutant = make
        for attempt in range(30):
            mutant = self.space.mutate(make if attempt < 20 else mutant, rng)
            if mutant not in self.points and mutant not in taken:
                break
        taken.add(mutant)
        return mutant


class Sweep(_Known):
    """Each knob's values one after another, all else as the best known point has it; then again from there.

    Exact where knobs do not interact; a pass takes as many evaluations as there are values.
    """

    name = "sweep"

    def __init__(self, space: Space, seed: int = 0) -> None:
        super().__init__(space)
        self._queue: list[tuple[int, int]] = []
        self._turn = 0

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        direction = DIRECTIONS[self._turn % len(DIRECTIONS)]
        asked: list[Point] = []
        for _ in range(1000):
            if len(asked) == count:
                break
            if not self._queue:
                self._queue = self._pass(rng)
                self._turn += 1
                if not self._queue:
                    break
            at, index = self._queue.pop(0)
            centre = self.best(direction) or self.space.default
            point = (*centre[:at], index, *centre[at + 1 :])
            if point not in self.points and point not in asked:
                asked.append(point)
        return asked

    def _pass(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        knobs = self.space.knobs
        order = [int(at) for at in rng.permutation(len(knobs))]
        return [(at, index) for at in order for index in range(len(knobs[at].values))]


class Climb(_Known):
    """(1 + lambda) with restarts: mutants of the best point, which they replace when they are no worse.

    A climb that comes no further begins anew in another of DIRECTIONS from the best known there; every second time
    around from a point at random.
    """

    name = "climb"

    def __init__(self, space: Space, seed: int = 0) -> None:
        super().__init__(space)
        self._turn = 0
        self._since = 0
        self._parent: Point | None = None

    @property
    def _direction(self) -> Direction:
        return DIRECTIONS[self._turn % len(DIRECTIONS)]

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        if self._since >= PATIENCE:
            self._turn += 1
            self._since = 0
            again = self._turn // len(DIRECTIONS) % 2 == 1
            self._parent = self.space.sample(rng) if again else self.best(self._direction)
            if again and self._parent is not None:
                return [self._parent]
        parent = self._parent or self.best(self._direction) or self.space.default
        taken: set[Point] = set()
        return [self.fresh(parent, rng, taken) for _ in range(count)]

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None:
        super().tell(points, evaluations)
        if self._parent is None or self._parent not in self.points:
            self._parent = self.best(self._direction)
        better = False
        for point in points:
            if self._parent is None:
                break
            new = merit(self.points[point].objectives, self._direction)
            old = merit(self.points[self._parent].objectives, self._direction)
            if new <= old:
                self._parent = point
                better = better or new < old
        self._since = 0 if better else self._since + len(points)


class Evolve(_Known):
    """Mutants and crossings of the front's own points, of those the more often that the front would miss the more."""

    name = "evolve"

    def __init__(self, space: Space, seed: int = 0) -> None:
        super().__init__(space)

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        front = self.front()
        if not front:
            return [self.space.sample(rng) for _ in range(count)]
        chances = self._shares()
        taken: set[Point] = set()
        asked = []
        for _ in range(count):
            first, second = (front[int(rng.choice(len(front), p=chances))] for _ in range(2))
            child = self.space.crossover(first, second, rng) if rng.random() < 0.5 else first
            # A crossing that is known already is mutated, one that is new may stay as it is.
            if child in self.points or child in taken or rng.random() < 0.5:
                child = self.fresh(child, rng, taken)
            taken.add(child)
            asked.append(child)
        return asked

    def _shares(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """How likely a point of the front is to be a parent: half evenly, half by what the front loses without it."""
        objectives = [one.objectives for one in self.archive.front]
        whole = self.archive.hypervolume
        lost = np.array(
            [
                max(0.0, whole - hypervolume(objectives[:at] + objectives[at + 1 :], self.archive.reference))
                for at in range(len(objectives))
            ]
        )
        even = np.full(len(objectives), 1 / len(objectives))
        return (even + lost / lost.sum()) / 2 if lost.sum() > 0 else even


class Portfolio:
    """Several methods in turn, each told all that any of them found."""

    def __init__(self, name: str, methods: Sequence[Method]) -> None:
        self.name = name
        self._methods = list(methods)
        self._turn = 0

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        for _ in self._methods:
            method = self._methods[self._turn % len(self._methods)]
            self._turn += 1
            asked = method.ask(count, rng)
            if asked:
                return asked
        return []

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None:
        for method in self._methods:
            method.tell(points, evaluations)


def portfolio(space: Space, seed: int = 0) -> Portfolio:
    """Evolution and sweeping in turn: one is good at the breadth of the front, the other at what is best in one way."""
    return Portfolio("portfolio", [Evolve(space, seed), Sweep(space, seed)])
