"""Random mutants judged by the checker and by an oracle that shares no code with it, counted by how the two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from m4alloc.superopt import native
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.generate import Features, functions, vectorised
from m4alloc.superopt.generate_mutants import mutants
from m4alloc.superopt.interpret import Enumeration, confirms
from m4alloc.superopt.ir import Function
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.verdict import Outcome, UnsupportedError, Verdict


@dataclass
class Tally:
    """accepted, rejected, unknown: by the checker.  uncovered: the oracle does not cover the pair; it is not counted.

    mutants: pairs on which both had a say, those of a source with itself left out.  false_accepts, false_rejects: pairs
    on which the oracle disagrees, as text.  refuted: by native code.  unconfirmed: counterexamples that the interpreter
    does not cover.
    """

    mutants: int = 0
    unconfirmed: int = 0

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    uncovered: int = 0
    refuted: int = 0
    false_accepts: list[str] = field(default_factory=list)
    false_rejects: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def judged(self) -> int:
        """Pairs on which both had a say."""
        return self.accepted + self.rejected + self.unknown

    def __str__(self) -> str:
        return (
            f"{self.judged} judged, {self.mutants} mutants: {self.accepted} accepted, {self.rejected} rejected, "
            f"{self.unknown} unknown; {len(self.false_accepts)} false accepts, "
            f"{len(self.false_rejects)} false rejects; {self.refuted} refuted natively, "
            f"{self.uncovered} not covered, {self.unconfirmed} not confirmed"
        )

    def count(self, verdict: Verdict, what: str) -> None:
        """By what the checker said."""
        self.mutants += what != ITSELF
        self.accepted += verdict.accepted
        self.rejected += verdict.outcome is Outcome.COUNTEREXAMPLE
        self.unknown += verdict.outcome is Outcome.UNKNOWN
        if verdict.reason:
            self.reasons[verdict.reason] += 1


ITSELF = "itself"


def pairs(
    seed: int, count: int, width: int, size: int, features: Features, arguments: int, lanes: int = 0, each: int = 12
) -> Iterator[tuple[Function, Function, str]]:
    """`count` generated functions with themselves and with their mutants; `lanes`: on vectors of so many."""
    for number, made in enumerate(functions(seed, count, width, size, features, arguments)):
        source = vectorised(made, lanes, number) if lanes else made
        if source is None:
            continue
        for target, what in [(source, ITSELF), *mutants(source, seed, each)]:
            yield source, target, what


def _shown(source: Function, target: Function, what: str, verdict: Verdict, other: object) -> str:
    return "\n".join(
        [
            what,
            print_function(source),
            print_function(target),
            f"{verdict.outcome}: {verdict.counterexample}",
            f"{other}",
        ]
    )


def by_enumeration(
    seed: int,
    count: int,
    width: int = 4,
    size: int = 6,
    features: Features = Features(),  # noqa: B008  (frozen)
    arguments: int = 2,
    lanes: int = 0,
    facts: Sequence[Fact] = (),
) -> Tally:
    """The checker beside the interpreter, which tries every input with undef and poison, on `count` mutants."""
    tally = Tally()
    known: tuple[Function, Enumeration] | None = None
    for source, target, what in pairs(seed, count, width, size, features, arguments, lanes):
        if tally.mutants == count:
            break
        if known is None or known[0] is not source:
            known = source, Enumeration(source, facts)
        try:
            found = known[1].difference(target)
        except UnsupportedError:
            tally.uncovered += 1
            continue
        verdict = refines(source, target, facts, seconds=5)
        tally.count(verdict, what)
        if verdict.accepted and found is not None:
            tally.false_accepts.append(_shown(source, target, what, verdict, found))
        if verdict.outcome is Outcome.COUNTEREXAMPLE and found is None and not features.memory:
            tally.false_rejects.append(_shown(source, target, what, verdict, found))
    return tally


def by_native(
    seed: int,
    count: int,
    width: int = 8,
    size: int = 6,
    features: Features = Features(noundef=0.8),  # noqa: B008  (frozen)
) -> Tally:
    """The checker beside native code on every input, and its counterexamples beside the interpreter on that input.

    count: mutants that native code refuted, or that were run on some input.
    """
    tally = Tally()
    for source, target, what in pairs(seed, count, width, size, features, 2):
        if tally.mutants == count:
            break
        found, inputs = native.compared(source, target)
        if found is None and not inputs:
            tally.uncovered += 1
            continue
        verdict = refines(source, target, seconds=5)
        tally.count(verdict, what)
        tally.refuted += found is not None
        if verdict.accepted and found is not None:
            tally.false_accepts.append(_shown(source, target, what, verdict, found))
        if verdict.counterexample is not None:
            try:
                right = confirms(source, target, verdict.counterexample)
            except UnsupportedError:
                tally.unconfirmed += 1
                continue
            if not right:
                tally.false_rejects.append(_shown(source, target, what, verdict, found))
    return tally
