"""Method: what a search asks for points and tells what they were worth; and the methods by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final, Protocol

import numpy as np

from m4alloc.tune.evaluate import Scored
from m4alloc.tune.space import Point, Space


class MethodError(ValueError):
    """There is no method of that name; the message lists those there are."""


class Method(Protocol):
    """One search, from its first point to its last.

    The same space, seed, generator and answers give the same points: a campaign that was interrupted goes on by telling
    a new method what was found before.
    """

    name: str

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        """Points to evaluate next, at most `count` of them. One that was evaluated before is told, not evaluated."""
        ...

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None:
        """What points are worth: those asked for, and before the first ask those that every method begins with.

        The objectives of one that could not be evaluated are infinite.
        """
        ...


Factory = Callable[[Space, int], Method]
"""Makes a method for a space; the number is its seed."""

METHODS: Final[Mapping[str, str]] = {
    "random": "m4alloc.tune.methods:Random",
    "sweep": "m4alloc.tune.methods_local:Sweep",
    "climb": "m4alloc.tune.methods_local:Climb",
    "evolve": "m4alloc.tune.methods_local:Evolve",
    "nsga2": "m4alloc.tune.methods_optuna:nsga2",
    "tpe": "m4alloc.tune.methods_optuna:tpe",
    "agent": "m4alloc.tune.method_learned:method",
    "portfolio": "m4alloc.tune.methods_local:portfolio",
}
"""Where each method is; it is loaded when it is asked for, and so is what it needs."""

DEFAULT: Final = "portfolio"


def method_of(method: str | Factory, space: Space, seed: int) -> Method:
    """A method by its name, or by what makes it. Raises: MethodError, ModuleNotFoundError that names the extra.

    >>> method_of("random", Space.of(), 1).name
    'random'
    >>> method_of("guess", Space.of(), 1)
    Traceback (most recent call last):
    m4alloc.tune.methods.MethodError: there is no method 'guess'; there are random, sweep, ...
    """
    if not isinstance(method, str):
        return method(space, seed)
    if method not in METHODS:
        raise MethodError(f"there is no method {method!r}; there are {', '.join(METHODS)}")
    module, _, name = METHODS[method].partition(":")
    made: Method = getattr(import_module(module), name)(space, seed)
    return made


class Random:
    """Every point as likely as any other, whatever was told: what a method has to be better than.

    >>> space = Space.of()
    >>> len(Random(space, 0).ask(3, np.random.default_rng(1)))
    3
    """

    name = "random"

    def __init__(self, space: Space, seed: int = 0) -> None:
        self.space = space

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        return [self.space.sample(rng) for _ in range(count)]

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None: ...
