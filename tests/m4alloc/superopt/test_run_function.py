"""One function, as a whole and piece by piece; an interrupt keeps what was proved."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from m4alloc.superopt import cost_mca, run_function, text
from m4alloc.superopt.agent import Agent
from m4alloc.superopt.agent_search import Policy
from m4alloc.superopt.cost_mca import Estimate
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.measure import Measurement, Timing
from m4alloc.superopt.parse import parse_function, parse_module
from m4alloc.superopt.problem import Candidate
from m4alloc.superopt.run_function import Rewrite
from m4alloc.superopt.verdict import Counterexample, Outcome, Verdict
from tests.m4alloc.superopt.report_cases import LOOP, MODULE, QUICK, report


def test_a_loop_over_bits_becomes_an_instruction_and_is_proved_as_a_whole() -> None:
    one = Rewrite(parse_function(LOOP), (), replace(QUICK, budget=60.0)).rewritten()
    assert one.pieces[0].name == "idiom: bits in a loop" and one.pieces[0].put_back
    assert (one.cost_before.ir, one.cost_after.ir, one.proof) == (11, 2, "whole")
    assert one.verdict.method.startswith("induction") and one.pieces[0].steps[0].proof == one.verdict


def test_around_a_call_pieces_are_rewritten_and_the_call_stays() -> None:
    one = Rewrite(parse_module(MODULE).function("calls"), (), QUICK).rewritten()
    assert one.proof == "pieces" and one.cost_after.ir < one.cost_before.ir
    assert any(each.opcode == "opaque" and "@puts" in each.text for each in one.after)
    assert all(piece.result.best.verdict.accepted for piece in one.pieces if piece.put_back)


def test_a_function_without_a_piece_says_why() -> None:
    one = Rewrite(parse_module(MODULE).function("moved"), (), QUICK).rewritten()
    assert not one.is_improved and one.note.startswith("no piece of it can be searched")


def test_pieces_that_are_refuted_when_put_together_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Counterexample((("x", "1"),), "1", "2")
    refuted = Verdict(Outcome.COUNTEREXAMPLE, "made up", counterexample=seen)
    monkeypatch.setattr(run_function, "refines", lambda *_, **__: refuted)
    one = Rewrite(parse_module(MODULE).function("calls"), (), QUICK).rewritten()
    assert not one.is_improved and one.after == one.before
    assert any(piece.refused.startswith("put together, the function was refuted") for piece in one.pieces)


def test_an_interrupt_keeps_what_was_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    function = parse_module(MODULE).function("sum")
    whole = Rewrite(function, (), QUICK).rewritten()

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_function, "timed", stopped)
    run = Rewrite(function, (), replace(QUICK, measure=True))
    one = run.rewritten()
    assert run.interrupted and one.measured is None and (one.after, one.proof) == (whole.after, "whole")


def test_an_interrupt_before_anything_was_found_leaves_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_function, "superoptimise", stopped)
    run = Rewrite(parse_module(MODULE).function("sum"), (), QUICK)
    one = run.rewritten()
    assert run.interrupted and not one.is_improved and one.note == ""


def test_where_the_best_by_the_model_is_slower_the_next_proved_one_that_is_not_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    function = parse_module(MODULE).function("sum")
    result = Rewrite(function, (), QUICK).rewritten().pieces[0].result
    other = parse_function(
        "define i32 @sum(i32 noundef %x, i32 noundef %y) { %d = add i32 %y, 0 %r = add i32 %d, %y ret i32 %r }"
    )
    second = Candidate(other, replace(result.best.cost, objective=2.0, ir=2), result.best.verdict, "made up")
    monkeypatch.setattr(run_function, "superoptimise", lambda *_, **__: replace(result, front=(result.best, second)))
    slow = Timing(1.0, 2.0, 2.0, 1.9, 2.1, 0.1, 31)
    fast = Timing(1.0, 0.5, 0.5, 0.4, 0.6, 0.1, 31)
    times = {result.best.function: Measurement(slow, slow), other: Measurement(fast, fast)}
    monkeypatch.setattr(run_function, "timed", lambda before, after, *_: times[after])
    one = Rewrite(function, (), replace(QUICK, measure=True)).rewritten()
    assert one.after == other and not one.is_slower and one.proof == "whole"
    assert "measured: 1 instruction by llvm -O3: proved, and slower as measured" in one.pieces[0].reasons
    times[other] = Measurement(slow, slow)
    one = Rewrite(function, (), replace(QUICK, measure=True)).rewritten()
    assert one.after == result.best.function and one.is_slower


def test_facts_are_assumed_and_listed() -> None:
    function = parse_function("define i32 @f(i32 noundef %x) { %r = urem i32 %x, 1000 ret i32 %r }")
    facts = (Fact("x < 1000"),)
    one = Rewrite(function, facts, replace(QUICK, methods=("enumeration",))).rewritten()
    assert one.cost_after.ir == 0 and one.assumptions == facts


def test_memory_that_other_threads_touch_is_not_given_to_idioms(monkeypatch: pytest.MonkeyPatch) -> None:
    function = parse_function(
        "define i32 @f(ptr %p) { %a = load i32, ptr %p %b = load i32, ptr %p %r = add i32 %a, %b ret i32 %r }"
    )
    monkeypatch.setattr(run_function.idioms, "find", lambda *_, **__: pytest.fail("it was asked"))
    assert not Rewrite(function, (), replace(QUICK, shared=True)).rewritten().is_improved


def test_weights_are_those_of_the_policy(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "weights.npz"
    agent = Agent.fresh()
    agent.save(path)
    first, second = replace(QUICK, methods=("rules", "policy"), weights=str(path)).searches()
    assert first == "rules" and isinstance(second, Policy) and second.agent is not None


def test_the_identity_has_all_on_which_a_result_depends() -> None:
    assert replace(QUICK, jobs=7).identity == QUICK.identity
    assert replace(QUICK, shared=True).identity != QUICK.identity


CALLING = """
declare void @g(i32)
define i32 @f(ptr noundef %p, i32 noundef %n) {
  %dead = load i32, ptr %p
  %x = load i32, ptr %p
  %y = load i32, ptr %p
  %a = xor i32 %n, -1
  %b = add i32 %a, 1
  call void @g(i32 %b)
  %s = add i32 %x, %y
  %r = add i32 %s, %b
  ret i32 %r
}
"""


def test_memory_that_other_threads_touch_keeps_every_access_around_a_call() -> None:
    function = parse_module(CALLING).function("f")
    one = Rewrite(function, (), replace(QUICK, shared=True)).rewritten()
    assert one.is_improved and one.proof == "pieces" and one.verdict == run_function.BY_PIECES
    assert [each.name for each in one.after if each.opcode == "load"] == ["dead", "x", "y"]
    assert one.cost_llvm is None  # it merges the loads


def test_what_was_removed_around_pieces_without_a_proof_is_told() -> None:
    repeated = CALLING.replace(
        "%s = add", "%m = mul i32 %n, 7\n  call void @g(i32 %m)\n  %o = mul i32 %n, 7\n  %s = add"
    )
    function = parse_module(repeated.replace("%r = add i32 %s, %b", "%r = xor i32 %o, %b")).function("f")
    one = Rewrite(function, (), QUICK).rewritten()
    assert sum(each.opcode == "mul" for each in one.after) == 1 and one.verdict == run_function.TIDIED
    told = list(text.lines(replace(report(), functions=(one,), wanted=1), 200))
    assert any(row.startswith("proof") and row.endswith("were removed, which no proof looked at") for row in told)


def test_a_fact_that_the_proof_does_without_is_no_assumption() -> None:
    function = parse_module(MODULE).function("sum")
    one = Rewrite(function, (Fact("x < 1000"),), QUICK).rewritten()
    assert one.proof == "whole" and one.assumptions == one.verdict.assumptions == ()
    assert one.pieces[0].result.best.verdict.assumptions == ()


def test_llvm_mca_says_what_it_thinks_or_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    product = parse_function("define i32 @f(i32 noundef %x) { %a = mul i32 %x, 2 %r = mul i32 %a, %x ret i32 %r }")
    one = parse_function("define i32 @f(i32 noundef %x) { ret i32 %x }")
    told = Estimate(4.0, 1.0, "haswell")
    monkeypatch.setattr(cost_mca, "estimate", lambda function, _: (told, "") if function == one else (None, "no model"))
    assert run_function.estimated(product, one, "x86-64").reason == "no model"
    assert run_function.estimated(one, one, "x86-64").after == told
    loop = parse_function(LOOP)
    monkeypatch.undo()
    assert run_function.estimated(loop, loop, "x86-64").reason.startswith("llvm-mca ")


def test_a_method_whose_package_is_missing_is_refused_before_any_time_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "egglog.bindings", None)
    with pytest.raises(ModuleNotFoundError, match="equality saturation needs egglog: pip install"):
        replace(QUICK, methods=("egglog",)).searches()
