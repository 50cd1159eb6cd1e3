"""The checker against oracles that share no code with it, on random mutants: no false accept, no false reject."""

from __future__ import annotations

import pytest

from m4alloc.superopt.equivalence import ENCODING_FAILED
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.generate import Features
from tests.m4alloc.superopt.agreement import Tally, by_enumeration, by_native


def _agreed(tally: Tally) -> None:
    assert not tally.false_accepts, tally.false_accepts[0]
    assert not tally.false_rejects, tally.false_rejects[0]
    assert not [reason for reason in tally.reasons if reason.startswith(ENCODING_FAILED)]


def test_the_checker_agrees_with_enumeration_on_mutants_with_poison_and_undef() -> None:
    tally = by_enumeration(seed=9, count=100, width=3)
    _agreed(tally)
    assert tally.accepted >= 30
    assert tally.rejected >= 30
    assert tally.unknown == 0


def test_the_checker_accepts_no_mutant_with_memory_that_enumeration_refutes() -> None:
    tally = by_enumeration(seed=4, count=14, width=8, size=4, features=Features(memory=1, undefined=False), arguments=0)
    _agreed(tally)
    assert tally.accepted
    assert tally.rejected


def test_the_checker_accepts_no_mutant_that_native_code_refutes() -> None:
    tally = by_native(seed=3, count=30)
    _agreed(tally)
    assert tally.accepted
    assert tally.refuted
    assert tally.mutants == 30


def test_pairs_that_native_code_does_not_cover_are_no_agreement() -> None:
    """Undefined everywhere, or on too many bits: nothing is run."""
    tally = by_native(seed=3, count=3, width=20)
    assert tally.judged == 0 and tally.uncovered > 0


def test_the_checker_agrees_with_enumeration_on_vectors() -> None:
    tally = by_enumeration(seed=5, count=16, width=2, size=4, features=Features(branches=False), lanes=2)
    _agreed(tally)
    assert tally.accepted
    assert tally.rejected


@pytest.mark.parametrize("fact", ["x < 3 or y % 3 == 1", "signed(x) >= signed(y)", "popcount(x ^ y) <= 1 and ~x >= 2"])
def test_the_checker_agrees_with_enumeration_under_facts(fact: str) -> None:
    _agreed(by_enumeration(seed=6, count=20, width=3, size=5, facts=[Fact(fact)]))


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_no_false_verdict_in_two_thousand_mutants_at_four_bits(capsys: pytest.CaptureFixture[str]) -> None:
    tally = by_enumeration(seed=2026, count=2000, size=7)
    with capsys.disabled():
        print(f"\nby enumeration at 4 bits: {tally}")
    _agreed(tally)
    assert tally.mutants == 2000


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_no_false_verdict_in_two_thousand_mutants_at_eight_bits(capsys: pytest.CaptureFixture[str]) -> None:
    tally = by_native(seed=2026, count=2000)
    with capsys.disabled():
        print(f"\nby native code at 8 bits: {tally}")
    _agreed(tally)
    assert tally.mutants == 2000


@pytest.mark.campaign
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("count", "pointers", "undefined"), [(120, 1, False), (60, 2, False), (40, 1, True)])
def test_no_false_accept_in_mutants_with_memory(
    count: int, pointers: int, undefined: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    features = Features(memory=pointers, undefined=undefined)
    tally = by_enumeration(seed=2026, count=count, width=8, size=4, features=features, arguments=0)
    with capsys.disabled():
        print(f"\nby enumeration with {pointers} pointers: {tally}")
    _agreed(tally)
