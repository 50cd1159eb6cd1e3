"""What the equivalence checker answers: proved, refuted with an input, or not decided and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from m4alloc.superopt.facts import Fact


class UnsupportedError(ValueError):
    """A construct that a checker, the interpreter or the quick tests do not cover; the message names it."""


class Outcome(Enum):
    """`UNKNOWN` is never acceptance: a time-out, an unsupported construct and a bound reached all end there."""

    REFINES = "refines"
    COUNTEREXAMPLE = "counterexample"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Counterexample:
    """One input on which the target may do what the source may not.

    inputs: argument name to its value as text ("2147483648", "poison", "undef", "0x7fff0010 (block 0, offset 16)");
    memory: what the input memory holds where it matters; source, target: what each does there.
    """

    inputs: tuple[tuple[str, str], ...]
    source: str
    target: str
    memory: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        given = ", ".join(f"{name} = {value}" for name, value in self.inputs) or "no inputs"
        memory = "".join(f"; [{place}] = {value}" for place, value in self.memory)
        return f"{given}{memory}: the source gives {self.source}, the target {self.target}"


@dataclass(frozen=True)
class Stage:
    """One part of the funnel: its name ("tests", "exhaustive natively", "SMT"), what it found, how long it took."""

    name: str
    result: str
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """Whether the target refines the source, by which method, and under which assumptions.

    reason: for UNKNOWN what could not be decided and why; "" otherwise.
    obligations: what was proved, one claim a line ("the result is at most as poisonous", "memory is the same" ...).
    vacuous: the source is undefined for every input, so that the proof says nothing: no win.
    timed_out: for UNKNOWN that the solver had too little time, so that more of it may help.
    """

    outcome: Outcome
    method: str
    reason: str = ""
    counterexample: Counterexample | None = None
    assumptions: tuple[Fact, ...] = ()
    obligations: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    seconds: float = 0.0
    vacuous: bool = False
    timed_out: bool = False

    @property
    def accepted(self) -> bool:
        """True for a proof, and for nothing else."""
        return self.outcome is Outcome.REFINES

    @property
    def exit_status(self) -> int:
        """0 refines, 1 does not, 3 not decided."""
        return {Outcome.REFINES: 0, Outcome.COUNTEREXAMPLE: 1, Outcome.UNKNOWN: 3}[self.outcome]
