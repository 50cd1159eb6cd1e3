"""Verdicts: what became of an attack, with exact probabilities where tags are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from capability.fault import Fault
from spec.attacks.seam import RefusedError
from spec.error import Misuse


class Outcome(Enum):
    """How one run of an attack can end."""

    CAUGHT = "caught"
    """It was stopped before the goal was reached."""
    LATE = "caught late"
    """The goal was reached, and the hardware reported the access afterwards (asynchronous modes)."""
    HARMLESS = "harmless"
    """Nothing was reported, and the goal was not reached."""
    MISSED = "missed"
    """The goal was reached and nobody noticed."""


class Catcher(Enum):
    """Who caught it; the value is its sign in the table."""

    HARDWARE = "H"
    ALLOCATOR = "A"
    """The allocator, by the address alone or by comparing the pointer with the one it issued."""
    BRIDGE = "B"
    """The code at an enclave's boundary."""


class Catch(NamedTuple):
    """Where and how an attack is caught.

    step: counted from 1; one more than there are steps for what is reported afterwards. kind: of fault or of misuse.
    code: the architecture's own name or number for a fault. message: of one such run, the first that was met.
    """

    step: int
    by: Catcher
    kind: str
    code: str
    message: str
    probability: Fraction


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one attack on one defence: the probability of each outcome, and how it is caught.

    shares: exact, adding up to 1; empty when the attack does not apply. catches: by step, then by kind.
    floor: what the architecture promises for the attack's kind of hazard at the least favourable moment, if it has one.
    reason: why the attack does not apply.
    """

    attack: str
    defence: str
    shares: dict[Outcome, Fraction]
    catches: tuple[Catch, ...] = ()
    floor: Fraction | None = None
    reason: str = ""

    @property
    def applies(self) -> bool:
        """Whether the attack means anything here."""
        return bool(self.shares)

    @property
    def caught(self) -> Fraction:
        """The probability that it is reported at all, at once or late."""
        return self.share(Outcome.CAUGHT) + self.share(Outcome.LATE)

    def share(self, outcome: Outcome) -> Fraction:
        """The probability of one outcome."""
        return self.shares.get(outcome, Fraction(0))

    @property
    def symbol(self) -> str:
        """The cell of the table: see `LEGEND`."""
        if not self.applies:
            return "."
        if self.share(Outcome.HARMLESS) == 1:
            return "-"
        if self.caught == 0:
            return "!"
        by = self.catches[0].by.value
        sign = by.lower() if self.share(Outcome.LATE) else by
        if self.caught == 1:
            return sign
        return f"{sign}{fraction_text(self.caught)}{'' if self.share(Outcome.MISSED) else '-'}"

    def _repr_html_(self) -> str:
        """For notebooks: the probability of each outcome as a bar, and how it is caught."""
        from spec.attacks.picture import picture

        return picture(self)

    def __str__(self) -> str:
        if not self.applies:
            return f"not applicable: {self.reason}"
        if self.caught == 0:
            return "missed" if self.share(Outcome.MISSED) == 1 else "harmless"
        other = "" if self.share(Outcome.MISSED) else ", else harmless"
        chance = "" if self.caught == 1 else f" with probability {fraction_text(self.caught)}{other}"
        late = " after the goal was reached" if self.share(Outcome.LATE) else ""
        first = self.catches[0]
        return f"caught{chance}{late}, at step {first.step}: {described(first)}"


LEGEND = (
    "H caught by the hardware, A by the allocator, B by the enclave's bridge; h by the hardware, but only after the "
    "goal was reached; with a fraction: with that probability, else missed, or harmless where a - follows; ! missed; "
    "- harmless: nothing is reported and the goal is not reached; . does not apply"
)


def fraction_text(value: Fraction) -> str:
    """A fraction as it is, or in per cent when that is shorter to read.

    >>> fraction_text(Fraction(13, 14)), fraction_text(Fraction(13, 14) ** 40), fraction_text(Fraction(1, 3) ** 9)
    ('13/14', '5.16%', '0.00508%')
    """
    return str(value) if value.denominator < 1000 else f"{float(value * 100):.3g}%"


def described(catch: Catch) -> str:
    """A catch in words: `tag mismatch (SEGV_MTESERR)`, `misuse double-free`, `buffer within`."""
    if catch.by is Catcher.HARDWARE:
        return f"{catch.kind} fault ({catch.code})"
    return f"misuse {catch.kind}" if catch.by is Catcher.ALLOCATOR else catch.kind


def catch_of(error: BaseException, step: int) -> Catch:
    """How an attack was caught, from what was raised at step index `step`; its probability is still to be known."""
    one = Fraction(1)
    if isinstance(error, Fault):
        code = getattr(error.code, "name", str(error.code))
        return Catch(step + 1, Catcher.HARDWARE, error.kind.value, code, error.message, one)
    if isinstance(error, Misuse):
        return Catch(step + 1, Catcher.ALLOCATOR, error.kind, "", error.message, one)
    assert isinstance(error, RefusedError)
    refusal = error.refusal
    by = Catcher.ALLOCATOR if refusal.by == "allocator" else Catcher.BRIDGE
    return Catch(step + 1, by, refusal.kind, "", refusal.message, one)
