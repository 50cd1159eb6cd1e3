"""The first proposals."""

from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline_seeds import Llvm, Seeds
from m4alloc.superopt.problem import Budget, Problem

DEAD = parse_function("define i8 @f(i8 noundef %x) { %a = add i8 %x, 1 %b = mul i8 %x, 3 ret i8 %a }")


def test_dead_code_is_cleaned_away_and_proved() -> None:
    judge = TheJudge(Problem(DEAD), Budget(20.0))
    Seeds().run(judge, 0)
    assert judge.best.cost.ir == 1 and judge.best.steps[0].rule == "clean"


def test_llvms_output_is_proved_like_any_other() -> None:
    source = parse_function("define i32 @f(i32 noundef %x) { %a = urem i32 %x, 8 %b = add i32 %a, 0 ret i32 %b }")
    judge = TheJudge(Problem(source), Budget(20.0))
    search = Llvm()
    search.run(judge, 0)
    assert judge.best.cost.ir == 1 and judge.best.verdict.accepted and search.refused == ""


def test_capability_code_is_never_given_to_llvm() -> None:
    source = parse_function("define i64 @f(i64 %x) { %a = add i64 %x, 0 ret i64 %a }")
    judge = TheJudge(Problem(source), Budget(20.0))
    capability = parse_function("define ptr addrspace(200) @f(ptr addrspace(200) %x) { ret ptr addrspace(200) %x }")
    judge.problem = Problem(capability)
    search = Llvm()
    search.run(judge, 0)
    assert "capability" in search.refused and judge.tally.proposed == 0
