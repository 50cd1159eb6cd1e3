"""m4alloc.superopt.cheri.prove: every sound rule is proved over the full encoding, and the recorded proofs are real."""

from __future__ import annotations

import pytest

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from m4alloc.superopt.cheri.killed import UNSOUND, Blame, Killed
from m4alloc.superopt.cheri.layout import layout_of
from m4alloc.superopt.cheri.lemmas import LEMMAS, PROVED
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.proofs import ISAS, recorded
from m4alloc.superopt.cheri.prove import FULL, REDUCED, prove
from m4alloc.superopt.cheri.rules import SOUND, Rule
from m4alloc.superopt.cheri.smt import Question, ask

QUICK = 0.3
"""Seconds that a recorded proof took, up to which it is derived anew in the quick tests."""
RULES = {rule.name: rule for rule in (*SOUND, *LEMMAS)}
FAST = [proof for proof in recorded() if proof.outcome == FULL and proof.seconds <= QUICK and proof.rule in RULES]


@pytest.mark.parametrize("isa", ISAS, ids=str)
def test_every_rule_has_a_record_on_every_instruction_set_that_is_proved_for(isa: Isa) -> None:
    names = [proof.rule for proof in recorded() if proof.isa == str(isa)]
    assert sorted(names) == sorted([*(rule.name for rule in SOUND), *(lemma.name for lemma in LEMMAS)])


def test_every_record_is_a_proof_or_says_why_the_rule_is_not_used() -> None:
    for proof in recorded():
        isa = next(isa for isa in ISAS if str(isa) == proof.isa)
        used = RULES[proof.rule].condition_on(isa) is not None
        assert proof.outcome in ((FULL, REDUCED) if used else ("not used",)), str(proof)


def test_lemmas_are_used_only_where_all_of_them_are_proved() -> None:
    for isa in ISAS:
        outcomes = {proof.outcome for proof in recorded() if proof.isa == str(isa) and proof.rule in LEMMA_NAMES}
        assert (outcomes == {FULL}) or layout_of(isa).format not in PROVED


LEMMA_NAMES = frozenset(lemma.name for lemma in LEMMAS)


@pytest.mark.parametrize("proof", FAST, ids=lambda proof: f"{proof.rule} on {proof.isa}")
def test_a_quick_proof_is_found_again(proof: object) -> None:
    from m4alloc.superopt.cheri.prove import Proof

    assert isinstance(proof, Proof)
    isa = next(isa for isa in ISAS if str(isa) == proof.isa)
    assert prove(RULES[proof.rule], isa, seconds=60.0, reduced=False).outcome == FULL


@pytest.mark.campaign
@pytest.mark.parametrize("isa", ISAS, ids=str)
@pytest.mark.parametrize("rule", SOUND, ids=lambda rule: rule.name)
def test_every_proof_is_found_again(rule: Rule, isa: Isa) -> None:
    known = next(proof for proof in recorded() if (proof.rule, proof.isa) == (rule.name, str(isa)))
    assert prove(rule, isa, seconds=600.0).outcome == known.outcome


@pytest.mark.campaign
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("isa", (ISAV9_128, MORELLO, RISCV_128), ids=str)
@pytest.mark.parametrize("lemma", LEMMAS, ids=lambda lemma: lemma.name)
def test_every_lemma_is_proved_without_lemmas(lemma: Rule, isa: Isa) -> None:
    """Half a minute each at most, but `monotonic`: 36 minutes on Morello, 26 on ISAv9, 7 on RISC-V."""
    assert prove(lemma, isa, seconds=7000.0, reduced=False).outcome == FULL


@pytest.mark.parametrize("isa", (ISAV9_128, MORELLO, RISCV_128), ids=str)
@pytest.mark.parametrize("killed", [one for one in UNSOUND if one.blame is Blame.TRAPPING], ids=lambda one: one.name)
def test_what_only_traps_make_wrong_is_proved_where_tags_are_cleared(killed: Killed, isa: Isa) -> None:
    assert prove(killed.rule, isa, seconds=60.0, reduced=False).outcome == FULL


@pytest.mark.parametrize("isa", (ISAV9_128, ISAV8_128, MORELLO, RISCV_128), ids=str)
def test_what_only_a_sweep_makes_wrong_is_proved_without_one(isa: Isa) -> None:
    killed = next(one for one in UNSOUND if one.blame is Blame.REVOCATION)
    assert killed.without is not None
    assert prove(killed.without, isa, seconds=60.0, reduced=False).outcome == FULL
    assert prove(killed.rule, isa, seconds=60.0, reduced=False).outcome == "refuted"


def test_a_rule_is_refuted_once_its_condition_is_taken_away() -> None:
    rule = RULES["S8"]
    bare = Rule(rule.name, rule.pattern, rule.replacement)
    assert prove(bare, ISAV9_128, seconds=30.0).outcome == "refuted"


def test_without_the_invariant_a_true_rule_looks_false() -> None:
    """An encoding that no hardware holds: T far above what its length can be beside this B."""
    source, target = parsed("within(c, base(c), 0)"), parsed("true")
    layout = layout_of(ISAV9_128)
    assert ask(Question(source, target, parsed("tag(c)"), layout), seconds=20.0).outcome == "proved"
    assert ask(Question(source, target, parsed("true"), layout), seconds=20.0).outcome == "refuted"


@pytest.mark.campaign
@pytest.mark.parametrize("isa", (ISAV9_128, ISAV8_128, MORELLO, RISCV_128), ids=str)
def test_a_tagged_capability_keeps_its_length_wherever_it_points(isa: Isa) -> None:
    """U8 of the length, which is killed with U8 of the base, is sound of what is tagged and unsealed: a finding."""
    rule = next(killed.rule for killed in UNSOUND if killed.name == "U8 length")
    assert prove(rule, isa, seconds=600.0).outcome == FULL
