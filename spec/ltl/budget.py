"""A bound on what a translation may cost, so that none hangs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from spec.ltl.error import TooLargeError


@dataclass(slots=True)
class Budget:
    """How many states may be made, and how many elementary steps spent; what goes beyond raises TooLargeError.

    states: at most so many in any automaton on the way. work: steps left, of about a microsecond each.
    letters: of the alphabet; a step on labels over many letters counts as several.

    >>> Budget(states=2).admit(3, "the tableau")
    Traceback (most recent call last):
    spec.ltl.error.TooLargeError: the tableau has more than states=2 states
    >>> Budget(work=10).spend(11, "the tableau")
    Traceback (most recent call last):
    spec.ltl.error.TooLargeError: the tableau takes more than work=10 steps
    """

    states: int = 5000
    work: int = 8_000_000
    letters: int = 1
    weight: int = field(init=False)
    spent: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.weight = 1 + self.letters // 4096

    @contextmanager
    def over(self, letters: int) -> Iterator[None]:
        """Meanwhile labels are over so many letters."""
        weight = self.weight
        self.weight = 1 + letters // 4096
        try:
            yield
        finally:
            self.weight = weight

    def admit(self, states: int, what: str) -> None:
        """Raise TooLargeError if that many states are too many."""
        if states > self.states:
            raise TooLargeError(f"{what} has more than states={self.states} states")

    def spend(self, steps: int, what: str, *, labels: bool = True) -> None:
        """Count steps, on labels or on what is small; raise TooLargeError when more are spent than there are."""
        self.spent += steps * self.weight if labels else steps
        if self.spent > self.work:
            raise TooLargeError(f"{what} takes more than work={self.work} steps")

    def part(self, states: int, work: int) -> Budget:
        """A smaller budget, for an attempt that may be given up."""
        return Budget(min(states, self.states), min(work, max(0, self.work - self.spent)), self.letters)
