"""m4alloc.superopt.cheri.equivalence: proved, refuted with an input, or not decided and why."""

from __future__ import annotations

import pytest

from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from m4alloc.superopt.cheri import equivalence
from m4alloc.superopt.cheri.equivalence import refines
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.smt import Answer
from m4alloc.superopt.cheri.term import Sort, TermError
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Verdict

SORTS = {**dict.fromkeys(("c", "d"), Sort.CAP), **dict.fromkeys(("n", "m", "i"), Sort.INT)}


def verdict(source: str, target: str, *facts: str, isa: Isa = ISAV9_128, seconds: float = 20.0) -> Verdict:
    terms = (parsed(text, SORTS) for text in (source, target))
    return refines(*terms, [Fact(fact) for fact in facts], isa=isa, seconds=seconds, count=150)


def test_a_proof_lists_what_it_assumed_and_what_it_shows() -> None:
    found = verdict("inc(c, 0)", "c", "not sealed(c)", "within(c, addr(c), 0)")
    assert found.accepted and found.exit_status == 0
    assert [fact.text for fact in found.assumptions] == ["not sealed(c)", "within(c, addr(c), 0)"]
    assert found.obligations[0].startswith("a trap of the source is a trap of the target")
    assert found.method == "SMT at full width, from lemmas"
    assert [stage.name for stage in found.stages] == ["tests", "SMT from lemmas"]


def test_a_counterexample_has_been_run_and_is_named_by_its_effect() -> None:
    found = verdict("setexact(c, n)", "set(c, n)")
    assert found.outcome is Outcome.COUNTEREXAMPLE and found.exit_status == 1
    assert found.reason == "gains a tag: vulnerability"
    assert found.counterexample is not None and "invalid" in found.counterexample.source


def test_a_counterexample_that_trying_does_not_find_is_replayed() -> None:
    found = verdict("addr(c) + 1", "if(addr(c) == 0x123456789abcdef, addr(c), addr(c) + 1)")
    assert (found.outcome, found.method) == (Outcome.COUNTEREXAMPLE, "SMT")
    assert found.counterexample is not None and "0x123456789abcdef" in str(found.counterexample)


def test_the_mode_is_an_input_of_the_check() -> None:
    unused, nothing = "do(set(c, n), addr(c))", "addr(c)"
    assert verdict(unused, nothing).accepted
    trapping = verdict(unused, nothing, isa=ISAV8_128)
    assert trapping.reason == "removes a trap: finding"


def test_the_instruction_set_is_an_input_of_the_check() -> None:
    chain = "inc(inc(c, i), n)", "inc(c, i + n)", "tag(c) and not sealed(c)"
    inside = "within(c, addr(c), 0) and within(c, addr(c) + i, 0) and within(c, addr(c) + i + n, 0)"
    assert verdict(*chain, inside).accepted
    assert verdict(*chain, inside, isa=MORELLO).outcome is Outcome.COUNTEREXAMPLE


@pytest.mark.parametrize(
    ("source", "target", "isa", "reason"),
    [
        ("addr(c)", "tag(c)", ISAV9_128, "one yields int, the other bool"),
        ("seal(c, d)", "seal(c, d)", RISCV_128, "RISC-V draft, 128r seals with sentries only"),
        ("inc(c, n)", "inc(c, n + 0)", CHERIOT, "CHERIoT has no proofs: its permissions or its bounds"),
        (
            "do(store(c, 1, 8), store(c, 1, 8))",
            "store(c, 1, 8)",
            ISAV9_128,
            "the two write a different number of times",
        ),
    ],
)
def test_what_cannot_be_decided_is_unknown_and_says_why(source: str, target: str, isa: Isa, reason: str) -> None:
    found = verdict(source, target, isa=isa)
    assert found.outcome is Outcome.UNKNOWN and found.exit_status == 3
    assert reason in found.reason


def test_conditions_that_nothing_satisfies_prove_nothing() -> None:
    found = verdict("addr(c)", "addr(c) + 1", "tag(c) and top(c) < base(c)")
    assert found.outcome is Outcome.UNKNOWN
    assert found.reason == "no input satisfies the conditions, so that a proof would say nothing"


def test_a_time_out_is_unknown() -> None:
    condition = "addr(c) & mask(n) == addr(c) and n <= rounded(n) and within(c, addr(c), rounded(n))"
    found = verdict("set(c, n)", "set(c, rounded(n))", condition, seconds=0.3)  # S17: some minutes
    assert found.outcome is Outcome.UNKNOWN and found.reason


def test_a_claim_that_the_concrete_model_does_not_confirm_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"c": (0, 0, False), "n": 0}
    monkeypatch.setattr(equivalence, "_asked", lambda *args, **named: Answer("refuted", 1, 0.0, model=model))
    found = verdict("and(c, n)", "and(and(c, n), n)")
    assert found.outcome is Outcome.UNKNOWN
    assert found.reason == "z3 has a counterexample that the concrete model does not confirm"


def test_a_condition_that_is_no_truth_is_refused() -> None:
    with pytest.raises(TermError, match="a condition is a bool, and this is int"):
        verdict("addr(c)", "addr(c)", "addr(c)")
