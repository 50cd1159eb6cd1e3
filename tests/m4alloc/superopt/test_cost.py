"""What a function costs: IR, assembly, latency, and how costs compare."""

import pytest

from m4alloc.cli import superopt as cli
from m4alloc.superopt import toolchain
from m4alloc.superopt.cost import cost, instructions
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import OBJECTIVES, TARGETS

SUM = "define i32 @f(i32 %x, i32 %y) {\n  %a = add i32 %x, %y\n  ret i32 %a\n}\n"
SUM_BY_CARRY = """define i32 @f(i32 %x, i32 %y) {
  %a = xor i32 %x, %y
  %b = and i32 %x, %y
  %c = shl i32 %b, 1
  %r = add i32 %a, %c
  ret i32 %r
}
"""


def test_the_command_line_offers_what_there_is() -> None:
    assert cli.TARGETS == TARGETS == tuple(toolchain.TARGETS)
    assert cli.OBJECTIVES == OBJECTIVES


@pytest.mark.parametrize("target", TARGETS)
def test_the_sum_is_one_instruction_everywhere(target: str) -> None:
    assert cost(parse_function(SUM), target).ir == 1
    assert instructions(parse_function(SUM), target) == 1


@pytest.mark.parametrize("objective", ["ir", "instructions", "latency"])
def test_the_sum_is_cheaper_than_the_sum_by_carry_by_every_objective(objective: str) -> None:
    assert cost(parse_function(SUM), objective=objective) < cost(parse_function(SUM_BY_CARRY), objective=objective)


def test_a_return_costs_nothing() -> None:
    assert cost(parse_function("define void @f() {\n  ret void\n}\n")).instructions == 0


def test_names_do_not_matter() -> None:
    renamed = SUM.replace("%a", "%total").replace("%x", "%left")
    assert cost(parse_function(SUM)) == cost(parse_function(renamed))


def test_assembly_is_not_emitted_where_it_is_not_asked_for() -> None:
    assert cost(parse_function(SUM), emit=False).instructions == -1


def test_an_unknown_target_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no target 'vax': one of x86-64, x86-64-v3"):
        cost(parse_function(SUM), "vax")


def test_an_unknown_objective_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no objective 'beauty': one of ir"):
        cost(parse_function(SUM), objective="beauty")
