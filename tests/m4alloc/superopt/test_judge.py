"""The judge: what it accepts, what it refuses, and that every end is counted."""

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.judge import TheJudge, in_form_of
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import Budget, Candidate, Problem, Step
from m4alloc.superopt.verdict import Outcome, Verdict


def _f(body: str, arguments: str = "i32 noundef %x, i32 noundef %y", type: str = "i32") -> Function:
    return parse_function(f"define {type} @f({arguments}) {{\n{body}\n}}\n")


SOURCE = _f("%a = xor i32 %x, %y\n%b = and i32 %x, %y\n%c = shl i32 %b, 1\n%r = add i32 %a, %c\nret i32 %r")
SUM = _f("%r = add i32 %x, %y\nret i32 %r")


def _judge(source: Function = SOURCE, *facts: str, target: str = "x86-64") -> TheJudge:
    return TheJudge(Problem(source, tuple(map(Fact, facts)), target), Budget(20.0))


def test_a_cheaper_equal_is_accepted_and_becomes_the_best() -> None:
    judge = _judge()
    found = judge.offer(SUM, "test")
    assert found is not None and found is judge.best and found.cost.ir == 1
    assert found.verdict.accepted and found.method == "test" and judge.tally.accepted == 1


def test_the_source_is_the_best_at_first() -> None:
    assert _judge().best.function == SOURCE


def test_a_wrong_proposal_is_refuted_by_tests() -> None:
    judge = _judge()
    assert judge.offer(_f("%r = or i32 %x, %y\nret i32 %r"), "test") is None
    assert judge.tally.refuted_by_tests == 1 and judge.best.function == SOURCE


def test_an_added_flag_is_refuted() -> None:
    judge = _judge()
    assert judge.offer(_f("%r = add nsw i32 %x, %y\nret i32 %r"), "test") is None
    assert judge.tally.refuted_by_tests + judge.tally.refuted_by_smt == 1


def test_what_differs_on_one_input_is_refuted_by_proof_and_its_input_joins_the_tests() -> None:
    judge = _judge()
    assert judge.tests is not None
    before = judge.tests.count
    rare = _f("%c = icmp eq i32 %x, 195951310\n%s = select i1 %c, i32 0, i32 %x\n%r = add i32 %s, %y\nret i32 %r")
    assert judge.offer(rare, "test") is None
    assert judge.tally.refuted_by_smt == 1 and judge.counterexamples
    assert judge.tests.count == before + 1
    assert judge.agreement(rare) < 1.0


def test_the_same_proposal_under_other_names_is_a_duplicate() -> None:
    judge = _judge()
    judge.offer(SUM, "test")
    assert judge.offer(_f("%total = add i32 %x, %y\nret i32 %total"), "test") is None
    assert judge.tally.duplicate == 1


def test_a_larger_proposal_is_not_cheaper() -> None:
    judge = _judge(SUM)
    assert judge.offer(SOURCE, "test") is None
    assert judge.tally.not_cheaper == 1


def test_another_signature_is_malformed() -> None:
    judge = _judge()
    assert judge.offer(_f("ret i32 %x", "i32 %x"), "test") is None
    assert judge.tally.malformed == 1


def test_every_proposal_ends_in_exactly_one_count() -> None:
    judge = _judge()
    for body in ("%r = add i32 %x, %y", "%r = sub i32 %x, %y", "%r = add nuw i32 %x, %y", "%r = add i32 %y, %x"):
        judge.offer(_f(f"{body}\nret i32 %r"), "test")
    tally = judge.tally
    ends = [getattr(tally, name) for name in tally.__dataclass_fields__ if name != "proposed"]
    assert tally.proposed == 4 == sum(ends) == judge.budget.used


def test_a_fact_makes_the_difference() -> None:
    source = _f("%r = urem i32 %x, 16\nret i32 %r", "i32 noundef %x")
    identity = _f("ret i32 %x", "i32 noundef %x")
    assert _judge(source).offer(identity, "test") is None
    found = _judge(source, "x < 16").offer(identity, "test")
    assert found is not None and found.cost.ir == 0


def test_a_source_that_is_always_undefined_is_no_win() -> None:
    source = _f("%a = udiv i32 %x, 0\n%r = add i32 %a, 1\nret i32 %r")
    judge = _judge(source)
    assert judge.offer(_f("ret i32 0"), "test") is None
    assert judge.tally.accepted == 0 and any("undefined" in reason for reason in judge.reasons)


def test_ties_in_ir_are_broken_by_assembly() -> None:
    source = _f("%a = sub i32 %y, %x\n%b = sub i32 0, %a\n%r = xor i32 %b, 0\nret i32 %r")
    judge = _judge(source)
    longer = judge.offer(_f("%a = xor i32 %y, -1\n%b = add i32 %x, 1\n%r = add i32 %a, %b\nret i32 %r"), "test")
    assert longer is None or longer.cost.instructions < judge.cost(source).instructions


def test_an_improvement_is_told() -> None:
    told: list[Candidate] = []
    judge = TheJudge(Problem(SOURCE), Budget(20.0), on_improvement=told.append)
    judge.offer(SUM, "test")
    assert told == [judge.best]


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    judge = _judge()
    judge.offer(SUM, "test")
    assert [(one.cost.ir, one.cost.instructions) for one in judge.front] == [(1, 1)]


def test_agreement_is_a_share_of_the_tests() -> None:
    judge = _judge()
    assert judge.agreement(SUM) == 1.0
    assert 0.0 < judge.agreement(_f("%r = or i32 %x, %y\nret i32 %r")) < 1.0


def test_another_judges_candidate_is_taken_over_where_it_is_better() -> None:
    first, second = _judge(), _judge()
    found = first.offer(SUM, "test")
    assert found is not None
    assert second.adopt(found) and second.best is found
    assert not second.adopt(found)


def test_what_an_optimiser_inferred_of_the_signature_is_dropped() -> None:
    inferred = parse_function(
        "define noundef i32 @f(i32 noundef %a, i32 noundef %b) { %r = add i32 %b, %a ret i32 %r }"
    )
    shaped = in_form_of(SOURCE, inferred)
    assert shaped.arguments == SOURCE.arguments and shaped.return_attributes == SOURCE.return_attributes


def test_a_proof_without_time_is_tried_again_with_more(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def prove(problem: Problem, target: Function, seconds: float, *, shared: bool = False) -> Verdict:
        given.append(seconds)
        if seconds < 10:
            return Verdict(Outcome.UNKNOWN, "SMT", reason=f"z3 gave up after {seconds} s", timed_out=True)
        return Verdict(Outcome.REFINES, "SMT")

    monkeypatch.setattr("m4alloc.superopt.judge.prove", prove)
    judge = _judge()
    assert judge.offer(SUM, "test") is None and judge.has_undecided and judge.tally.timed_out == 1
    judge.retry(15.0)
    assert judge.best.function.size == 1 and not judge.has_undecided
    assert judge.tally.timed_out == 0 and judge.tally.accepted == 1 and given[0] == 5.0


def test_a_reason_that_speaks_of_times_is_no_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Verdict(Outcome.UNKNOWN, "SMT", reason="a loop may run more often than it was unrolled (0 times)")
    monkeypatch.setattr("m4alloc.superopt.judge.prove", lambda *given, **more: loop)
    judge = _judge()
    judge.offer(SUM, "test")
    assert judge.tally.unsupported == 1 and judge.tally.timed_out == 0 and not judge.has_undecided


def test_a_proof_that_the_budget_cut_short_may_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gave_up = Verdict(Outcome.UNKNOWN, "SMT", reason="z3 gave up after 0.5 s", timed_out=True)
    monkeypatch.setattr("m4alloc.superopt.judge.prove", lambda *given, **more: gave_up)
    judge = TheJudge(Problem(SOURCE), Budget(0.0))
    judge.offer(SUM, "test")
    judge.offer(SUM, "test")
    assert judge.tally.duplicate == 0 and judge.tally.timed_out == 2


def test_arguments_of_another_type_are_named() -> None:
    with pytest.raises(ValueError, match="argument %x of @f is i8, not i32"):
        in_form_of(SUM, parse_function("define i32 @f(i8 %x, i32 %y) { ret i32 %y }"))


def test_the_proof_of_what_one_step_gives_is_the_steps_own() -> None:
    judge = _judge()
    found = judge.offer(SUM, "by hand", (Step("a guess", "the function", SUM),))
    assert found is not None and found.steps[0].proof is found.verdict
    assert found.steps[0].result == found.function
