from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings

from spec.model import syntax
from spec.model.reader import read_tree
from spec.model.syntax import Number, Operation, Target
from spec.model.writer import show, show_step, write

sys.path.insert(0, str(Path(__file__).parent))
from trees import expressions, models


@settings(max_examples=40, deadline=None)
@given(models())
def test_what_is_written_reads_back_to_the_same_tree(tree: syntax.Tree) -> None:
    assert read_tree(write(tree)) == tree


@settings(max_examples=50, deadline=None)
@given(expressions(12))
def test_an_expression_reads_back_to_the_same(expression: syntax.Expression) -> None:
    tree = read_tree(f"model m process p {{ await {show(expression)} }}")
    process = tree.declarations[0]
    assert isinstance(process, syntax.ProcessOf) and process.body == (syntax.Wait(expression),)


def test_a_formula_of_several_lines_is_written_in_braces() -> None:
    tree = syntax.Tree("m", (syntax.Formal("p", "a &&\n b", "block"),))
    assert write(tree) == "model m\nproperty p of block: { a &&\n b }\n"


def test_names_are_replaced_where_they_are_free() -> None:
    flag = Target("flag", (Target("j"),))
    bound = syntax.Quantified("exists", "j", syntax.Span(Number(0), Target("j")), flag)
    assert show(Operation("&&", (flag, bound)), {"j": "2"}) == "flag[2] && (exists j in 0..2: flag[j])"


def test_statements_with_others_inside_are_no_steps() -> None:
    try:
        show_step(syntax.Loop(()))
    except ValueError as error:
        assert "inside" in str(error)
    else:
        raise AssertionError("a loop was written as one step")
