"""The moves of every search that goes from rule to rule: what applies to a function, and what comes of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from m4alloc.superopt import match, rules, simplify
from m4alloc.superopt.cost import cost
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, canonical
from m4alloc.superopt.problem import Problem, Step
from m4alloc.superopt.rule import Rule

GROWTH: Final = 4
"""Instructions by which a function may be larger than the source on the way to a smaller one."""

PARTS: Final = 8

KEPT: Final = 2000
"""Functions whose moves are kept, some 50 MB."""

Applications = Callable[[Function, Sequence[Rule], Sequence[Fact]], Iterable[tuple[Rule, str, Callable[[], Function]]]]
"""As m4alloc.superopt.match.applications."""


@dataclass(frozen=True, slots=True)
class Move:
    """A rule that applies at a place, `%name`; nothing is computed before it is taken."""

    rule: Rule
    at: str
    apply: Callable[[], Function]


@dataclass(frozen=True, slots=True)
class Rewriting:
    """How moves are found and taken.  applications: who matches. cleaned: what is done after each move.

    What applies to a function is kept, so that a search may come by again.
    """

    rules: tuple[Rule, ...] = rules.ALL
    applications: Applications = match.applications
    cleaned: Callable[[Function], Function] = simplify.cleaned
    parts: tuple[tuple[Rule, ...], ...] = field(init=False, repr=False, compare=False)
    """The rules in PARTS parts, so that one move can be found without finding all."""
    _known: dict[tuple[Function, tuple[Fact, ...]], tuple[Move, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def moves(self, function: Function, facts: tuple[Fact, ...] = ()) -> tuple[Move, ...]:
        """All that applies, in the matcher's order; nothing in a function that is opaque.  Cost: 1 to 5 ms, or 20 us
        where it was asked before."""
        if function.is_opaque:
            return ()
        found = self._known.get((function, facts))
        if found is None:
            if len(self._known) >= KEPT:
                self._known.clear()
            found = tuple(Move(*one) for one in self.applications(function, self.rules, facts))
            self._known[function, facts] = found
        return found

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.rules[first::PARTS] for first in range(PARTS)))

    def moves_in(self, part: int, function: Function, facts: tuple[Fact, ...] = ()) -> tuple[Move, ...]:
        """What applies of one part of the rules."""
        if function.is_opaque or not self.parts[part]:
            return ()
        return tuple(Move(*one) for one in self.applications(function, self.parts[part], facts))

    def some(self, function: Function, facts: tuple[Fact, ...], rng: random.Random) -> Move | None:
        """A move at random, None where there is none: a part of the rules first, so that not all have equal chances."""
        for part in rng.sample(range(PARTS), PARTS):
            moves = self.moves_in(part, function, facts)
            if moves:
                return rng.choice(moves)
        return None

    def taken(self, function: Function, move: Move, problem: Problem) -> Step | None:
        """The step, cleaned; None where the rule gives nothing new, or something far larger than the source."""
        try:
            result = self.cleaned(move.apply())
        except ValueError:
            return None
        if result.size > problem.source.size + GROWTH or key(result) == key(function):
            return None
        return Step(move.rule.name, move.at, result)


def price(problem: Problem, function: Function) -> float:
    """What the function costs, in the unit that the problem minimises."""
    return float(cost(function, problem.target, problem.objective, emit=False).objective)


def key(function: Function) -> Function:
    """The same for functions that differ in names only.  Cost: 20 us for ten instructions."""
    return canonical(function)


def starts(problem: Problem, rewriting: Rewriting) -> list[tuple[Function, tuple[Step, ...]]]:
    """Where searches begin: the source, cleaned, and what seeds the problem, each with the step that led there."""
    found: dict[Function, tuple[Function, tuple[Step, ...]]] = {key(problem.source): (problem.source, ())}
    cleaned = rewriting.cleaned(problem.source)
    found.setdefault(key(cleaned), (cleaned, (Step("clean", "the function", cleaned),)))
    for number, seed in enumerate(problem.seeds):
        found.setdefault(key(seed), (seed, (Step(f"seed {number}", "the function", seed),)))
    return list(found.values())
