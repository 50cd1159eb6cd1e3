"""m4alloc.superopt.cheri.program: single steps, in order."""

from __future__ import annotations

import pytest

from m4alloc.superopt.cheri.notation import parsed, unparsed
from m4alloc.superopt.cheri.program import Branch, Parameter, Program, Step, flattened
from m4alloc.superopt.cheri.term import Apply, Number, Sort, TermError, Variable, apply

C, N = Variable("c", Sort.CAP), Variable("n", Sort.INT)
PARAMETERS = (Parameter("c", Sort.CAP), Parameter("n", Sort.INT))


def step(name: str, text: str) -> Step:
    value = parsed(text, {"x": Sort.CAP, "y": Sort.CAP, "c": Sort.CAP, "n": Sort.INT})
    assert isinstance(value, Apply)
    return Step(name, value)


def test_the_term_evaluates_every_step_in_order_used_or_not() -> None:
    program = Program("f", PARAMETERS, (step("x", "set(c, n)"), step("y", "inc(c, 8)")), Variable("x", Sort.CAP))
    assert unparsed(program.term) == "let(x, set(c, n), let(y, inc(c, 8), x))"
    assert (program.cost, program.uses("c"), program.uses("y")) == (2, 2, 0)


def test_a_branch_costs_its_dearer_arm_and_one_more() -> None:
    arm = Program("then", (), (step("y", "inc(x, 8)"),), Variable("y", Sort.CAP))
    other = Program("else", (), (), Variable("x", Sort.CAP))
    whole = Program("f", PARAMETERS, (step("x", "set(c, n)"),), Branch(Variable("t", Sort.BOOL), arm, other))
    assert (whole.cost, whole.uses("x")) == (3, 2)


def test_renaming_reaches_results_and_arms() -> None:
    program = Program("f", PARAMETERS, (step("y", "inc(x, n)"),), Variable("x", Sort.CAP))
    renamed = program.renamed({"x": C, "n": Number(4)})
    assert unparsed(renamed.term) == "let(y, inc(c, 4), c)"


def test_flattening_shares_what_a_let_shares_and_takes_no_name_twice() -> None:
    steps, result = flattened(parsed("let(x, set(t0, n), select(tag(x), x, t0))", {"n": Sort.INT}))
    assert [(one.name, unparsed(one.value)) for one in steps] == [
        ("t1", "set(t0, n)"),
        ("t2", "tag(t1)"),
        ("t3", "select(t2, t1, t0)"),
    ]
    assert result == Variable("t3", Sort.CAP)


def test_a_choice_of_what_to_evaluate_is_no_step() -> None:
    with pytest.raises(TermError, match="if is no single step"):
        flattened(apply("if", Variable("t", Sort.BOOL), C, C))
