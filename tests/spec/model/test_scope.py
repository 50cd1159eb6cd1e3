from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.model import syntax
from spec.model.program import Binary, Choice, Constant, Expression, Read, Unary
from spec.model.reader import read
from spec.model.scope import BOOL, NUMBER, Budget, Expressions, KnownConstant, Scope, balanced, fold, meant
from spec.model.syntax import ModelError, Number, Operation, PlacedError, Quantified, Span, Target

sys.path.insert(0, str(Path(__file__).parent))
from interpreter import VALUES, Fault, value


def folded(expression: Expression) -> Expression:
    """`fold`, from the leaves on."""
    match expression:
        case Unary(operator, operand):
            return fold(Unary(operator, folded(operand)))
        case Binary(operator, left, right):
            return fold(Binary(operator, folded(left), folded(right)))
        case Choice(condition, then, otherwise):
            return fold(Choice(folded(condition), folded(then), folded(otherwise)))
        case _:
            return expression


LEAVES = st.builds(Constant, st.integers(-2, 2)) | st.builds(Read, st.integers(0, 3))
NUMBERS: st.SearchStrategy[Expression] = st.deferred(
    lambda: st.one_of(
        LEAVES,
        LEAVES,
        st.builds(Unary, st.just("-"), NUMBERS),
        st.builds(Binary, st.sampled_from("+-*/%"), NUMBERS, NUMBERS),
        st.builds(Choice, BOOLS, LEAVES, NUMBERS),
    )
)
BOOLS: st.SearchStrategy[Expression] = st.deferred(
    lambda: st.one_of(
        st.builds(Constant, st.integers(0, 1)),
        st.builds(Unary, st.just("!"), BOOLS),
        st.builds(Binary, st.sampled_from(["&&", "||"]), BOOLS, BOOLS),
        st.builds(Binary, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), NUMBERS, LEAVES),
    )
)


@settings(max_examples=150, deadline=None)
@given(NUMBERS | BOOLS, VALUES)
def test_folding_changes_no_value(expression: Expression, values: tuple[int, ...]) -> None:
    try:
        expected = value(expression, list(values))
    except Fault:
        with pytest.raises(Fault):
            value(folded(expression), list(values))
    else:
        assert value(folded(expression), list(values)) == expected


def test_folding_keeps_what_may_fail_and_drops_what_is_decided() -> None:
    fails = Binary("/", Constant(1), Constant(0))
    assert fold(fails) == fails
    assert fold(Binary("&&", Constant(0), fails)) == Constant(0)
    assert fold(Binary("||", Read(0), Constant(1))) == Binary("||", Read(0), Constant(1))
    assert fold(Choice(Constant(1), Read(0), fails)) == Read(0)


def test_long_chains_are_nested_as_little_as_can_be() -> None:
    expression, depth = balanced("&&", [Read(number) for number in range(100)]), 0
    while isinstance(expression, Binary):
        expression, depth = expression.left, depth + 1
    assert depth == 7
    assert balanced("&&", []) == Constant(1) and balanced("||", []) == Constant(0)
    assert balanced("||", [Read(0), Constant(1), Read(1)]) == Binary("||", Read(0), Constant(1))


def test_an_inner_name_is_known_inside_alone_and_hides_nothing() -> None:
    scope = Scope()
    scope.add(KnownConstant("N", 0, NUMBER, 3))
    outer = Expressions(scope, [], Budget())
    inner = outer.inside(KnownConstant("i", 0, NUMBER, 2))
    both = Operation("+", (Target("N"), Target("i")))
    assert inner.typed(both) == (NUMBER, Constant(5))
    with pytest.raises(PlacedError, match="nothing is called `i`"):
        outer.typed(both)
    with pytest.raises(PlacedError, match="`N` has a meaning already"):
        outer.inside(KnownConstant("N", 0, NUMBER, 2))


def test_quantifiers_over_nothing_are_decided() -> None:
    expressions = Expressions(Scope(), [], Budget())
    nothing = Span(Number(1), Number(0))
    assert expressions.typed(Quantified("exists", "i", nothing, syntax.Truth(True))) == (BOOL, Constant(0))
    assert expressions.typed(Quantified("forall", "i", nothing, syntax.Truth(False))) == (BOOL, Constant(1))


def test_a_name_that_is_close_is_suggested() -> None:
    assert meant("onwer", ["owner", "lock"]) == "; `owner` may be meant"
    assert meant("zzz", ["owner", "lock"]) == ""


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("x", "`await` takes a bool, and this is a number; `!= 0` would make it one"),
        ("!x", "`!` takes a bool, and this is a number; `!= 0` would make it one"),
        ("b && 1", "`&&` takes a bool, and this is a number; `!= 0` would make it one"),
        ("b + 1 == 2", "`+` takes numbers, and this is a bool"),
        ("b == 1", "`==` compares a bool with a number; one sort is right"),
        ("b < b", "`<` compares numbers, and this is a bool; == and != are right"),
        ("b == none", "`==` compares a bool with `none`; one sort is right"),
        ("if b then 1 else b", "`then` gives a number and `else` a bool; one sort is right"),
        ("if x then b else b", "`if` takes a bool, and this is a number; `!= 0` would make it one"),
        ("exists i in 0..1: i", "`exists` takes a bool, and this is a number; `!= 0` would make it one"),
        ("exists x in 0..1: b", "`x` has a meaning already; another name would be right"),
        ("exists i in 0..x: b", "a quantifier takes a constant, and this depends on a variable"),
        ("exists i in 0..99999: b", "the range 0..99999 has more than 65536 values"),
        ("exists i in b: b", "`b` is a variable; a range low..high would be right"),
        ("a[2]", "the index is 2, and `a` has 0..1"),
        ("a[x + 2]", "the index is 2..5, and `a` has 0..1"),
        ("a[b]", "`a` is indexed by numbers, and this is a bool"),
        ("a", "`a` takes one index, and here it has no index"),
        ("a[0, 1]", "`a` takes one index, and here it has 2 indices"),
        ("x[0] == 0", "`x` takes no index, and here it has one index"),
        ("N[0] == 0", "`N` is no array"),
        ("c == 1", "`c` is a channel; len, full, empty and first tell about it"),
        ("lenn(c) == 1", "there is no function `lenn`; there are len, full, empty, first"),
        ("len(x) == 1", "`x` is a variable; a channel would be right"),
        ("p == 1", "`p` is a process; `p@location` tells where it is, in predicates"),
        ("p@end", "predicates alone look into a process; a global variable would be right"),
        ("p.y == 0", "predicates alone look into a process; a global variable would be right"),
        ("x / (N - 2) == 0", "this divides by 0"),
        ("loop == 1", "`loop` is a word of the language and stands for no value here"),
    ],
)
def test_expressions_that_cannot_be_are_refused(expression: str, message: str) -> None:
    head = "model m const N = 2 var x: 0..3 var b: bool var a: array[N] of bool channel c[2] of bool process p { await "
    with pytest.raises(ModelError) as error:
        read(f"{head}{expression} }}")
    assert str(error.value).split("\n")[0].partition(": ")[2] == message
