"""A proof keeps the facts that it needs, and loses the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.needed import MOST, needed
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.verdict import Outcome, Verdict

MASK = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { %r = urem i32 %x, 1000 ret i32 %r }")
SAME = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { ret i32 %x }")
TWICE = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { %r = shl i32 %x, 1 ret i32 %r }")
SUM = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { %r = add i32 %x, %x ret i32 %r }")


@pytest.mark.parametrize(
    ("source", "target", "facts", "kept"),
    [
        (SUM, TWICE, ("x < 1000", "y > 3"), []),
        (MASK, SAME, ("y > 3", "x < 1000", "x != 7"), ["x < 1000"]),
        (MASK, SAME, ("x < 1000",), ["x < 1000"]),
    ],
)
def test_only_the_facts_that_a_proof_needs_are_kept(source, target, facts, kept) -> None:  # type: ignore[no-untyped-def]
    given = [Fact(text) for text in facts]
    found = needed(refines(source, target, given), lambda fewer, left: refines(source, target, fewer, seconds=left))
    assert found.accepted and [fact.text for fact in found.assumptions] == kept
    assert found.stages[0].name == "SMT" and (len(found.stages) > 1) == (len(kept) < len(facts))


def test_a_proof_that_cannot_be_found_again_stays_as_it_was() -> None:
    verdict = Verdict(Outcome.REFINES, "SMT", assumptions=tuple(Fact(f"x != {number}") for number in range(20)))
    asked = []

    def gives_up(facts: tuple[Fact, ...], seconds: float) -> Verdict:
        asked.append(len(facts))
        return Verdict(Outcome.UNKNOWN, "SMT", "z3 gave up")

    assert needed(verdict, gives_up) is verdict and asked == [0, *[19] * MOST]
    assert needed(verdict, gives_up, seconds=0.0) is verdict and len(asked) == MOST + 1


def test_nothing_is_tried_where_nothing_was_assumed_or_proved() -> None:
    proved = Verdict(Outcome.REFINES, "SMT")
    refuted = replace(proved, outcome=Outcome.COUNTEREXAMPLE, assumptions=(Fact("x < 3"),))
    for verdict in (proved, refuted):
        assert needed(verdict, lambda *_: pytest.fail("it was asked")) is verdict
