"""The default pipeline: what it finds, what it says when it finds nothing, and that it can be interrupted."""

from dataclasses import dataclass

import pytest

from m4alloc.superopt.enumerate import Enumeration
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline import METHODS, MethodError, Result, search_of, superoptimise
from m4alloc.superopt.problem import Budget, Candidate, Judge, Problem

SUM_BY_CARRY = parse_function("""define i32 @f(i32 noundef %x, i32 noundef %y) {
  %a = xor i32 %x, %y
  %b = and i32 %x, %y
  %c = shl i32 %b, 1
  %r = add i32 %a, %c
  ret i32 %r
}""")
SMALLEST = parse_function("define i32 @f(i32 noundef %x) { %a = add i32 %x, 1 ret i32 %a }")
TWICE = parse_function("""define i32 @f(ptr noundef %p) {
  %a = load i32, ptr %p, align 4
  %b = load i32, ptr %p, align 4
  %z = icmp eq i32 %a, %b
  %r = select i1 %z, i32 %a, i32 0
  ret i32 %r
}""")


def _run(source: Function, *methods: str, seconds: float = 60.0, jobs: int = 1) -> Result:
    return superoptimise(Problem(source), Budget(seconds), methods or METHODS, jobs=jobs)


@pytest.mark.campaign
def test_the_sum_by_carry_is_a_sum_and_the_run_ends_early() -> None:
    result = _run(SUM_BY_CARRY)
    assert result.best.cost.ir == 1 and result.best.verdict.accepted and result.is_improved
    assert result.settled and result.seconds < 50.0


def test_a_method_that_found_something_says_when() -> None:
    result = _run(SUM_BY_CARRY, "enumeration")
    (run,) = result.methods
    assert run.name == "enumeration" and run.found[-1] is result.best and run.tally.accepted >= 1


@pytest.mark.campaign
def test_two_processes_find_the_same() -> None:
    result = _run(SUM_BY_CARRY, "seeds", "enumeration", jobs=2, seconds=60.0)
    assert result.best.cost.ir == 1 and not result.interrupted and result.settled
    assert [run.name for run in result.methods] == ["seeds", "enumeration"]


def test_what_llvm_finds_is_proved_and_kept() -> None:
    result = _run(TWICE, "llvm -O3")
    assert result.best.cost.ir == 1 and result.best.method == "llvm -O3" and result.best.verdict.accepted
    assert result.best.steps[0].rule == "llvm -O3"


def test_a_store_that_is_needed_settles_a_function_that_returns_nothing() -> None:
    source = parse_function("define void @f(ptr noundef %p) { store i32 1, ptr %p, align 4 ret void }")
    result = _run(source, "seeds", "rules", "mcmc")
    assert result.settled and [run.name for run in result.methods] == ["seeds", "rules"]


@pytest.mark.campaign
def test_nothing_found_is_explained() -> None:
    result = _run(SMALLEST, "seeds", "llvm -O3", "rules", "enumeration")
    assert not result.is_improved and result.best.function == SMALLEST
    assert any("every program of up to 1 instruction" in line for line in result.why_nothing)


@pytest.mark.campaign
def test_every_proposal_of_every_method_is_counted() -> None:
    result = _run(SUM_BY_CARRY)
    assert sum(run.tally.proposed for run in result.methods) == result.tally.proposed


def test_a_seed_is_proved_before_it_is_used() -> None:
    wrong = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { ret i32 %x }")
    right = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { %a = add i32 %x, %y ret i32 %a }")
    result = superoptimise(Problem(SUM_BY_CARRY, seeds=(wrong, right)), Budget(5.0), ["seeds"])
    assert result.best.cost.ir == 1 and result.tally.refuted_by_tests == 1


@dataclass
class _Interrupted:
    name: str = "interrupted"

    def run(self, judge: Judge, seed: int) -> None:
        raise KeyboardInterrupt


def test_an_interrupt_keeps_the_best_so_far() -> None:
    result = superoptimise(Problem(SUM_BY_CARRY), Budget(20.0), ["enumeration", _Interrupted()], thorough=True)
    assert result.interrupted and result.best.cost.ir == 1
    assert "it was interrupted" in result.why_nothing


def test_an_improvement_is_told_at_once() -> None:
    told: list[Candidate] = []
    superoptimise(Problem(SUM_BY_CARRY), Budget(10.0), ["enumeration"], on_improvement=told.append)
    assert told and told[-1].cost.ir == 1


def test_an_unknown_method_is_named_with_those_there_are() -> None:
    with pytest.raises(MethodError, match="no method 'magic'; there are seeds, llvm -O3"):
        superoptimise(Problem(SMALLEST), Budget(1.0), ["magic"])


@pytest.mark.parametrize("method", METHODS)
def test_every_default_method_exists(method: str) -> None:
    assert search_of(method).name == method


def test_memory_that_others_touch_keeps_both_loads() -> None:
    result = superoptimise(Problem(TWICE), Budget(5.0), ["seeds", "llvm -O3"], shared=True)
    assert sum(one.opcode == "load" for one in result.best.function) == 2


class _Endless(Enumeration):
    def run(self, judge: Judge, seed: int) -> None:
        while True:
            judge.offer(judge.problem.source, self.name)


@pytest.mark.slow
def test_the_counts_of_an_enumeration_that_the_clock_ends_are_in_the_result() -> None:
    result = superoptimise(Problem(SUM_BY_CARRY), Budget(4.0), ["seeds", _Endless()], jobs=2)
    run = next(run for run in result.methods if run.note == "time was up")
    assert run.tally.proposed == run.tally.duplicate > 0
    assert result.tally.proposed == sum(run.tally.proposed for run in result.methods)


def test_a_load_that_is_needed_settles_a_function_that_returns_an_integer() -> None:
    source = parse_function("define i32 @f(ptr noundef %p) { %v = load i32, ptr %p, align 4 ret i32 %v }")
    result = _run(source, "seeds", "rules", "mcmc")
    assert result.settled and not result.is_improved
    assert [run.name for run in result.methods] == ["seeds", "rules"]
