"""`enabled` is true in exactly the states in which the interpreter takes the command."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from spec.model.enabled import enabled, show
from spec.model.execution import Execution
from spec.model.program import (
    Assert,
    Assign,
    Binary,
    Cell,
    Choice,
    Command,
    Constant,
    Element,
    Expression,
    Guard,
    Process,
    Program,
    Raise,
    Read,
    Statement,
    Unary,
)

CELLS = (
    Cell("a[0]", -1, 1, 0),
    Cell("a[1]", -1, 1, 0),
    Cell("x", 0, 2, 0),
    Cell("event", 0, 1, 0),
    Cell("p@", 0, 0, 0, owner=0),
)


def expressions() -> st.SearchStrategy[Expression]:
    leaves = st.one_of(st.integers(-2, 2).map(Constant), st.just(Read(2)), st.just(Read(0)))
    operators = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"])

    def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        return st.one_of(
            st.builds(Binary, operators, inner, inner),
            st.builds(Unary, st.sampled_from(["-", "!"]), inner),
            st.builds(lambda index: Element(0, 2, index), inner),
            st.builds(Choice, inner, inner, inner),
        )

    return st.recursive(leaves, larger, max_leaves=5)


def statements() -> st.SearchStrategy[Statement]:
    targets = st.one_of(st.just(Read(2)), st.just(Read(1)), st.builds(lambda i: Element(0, 2, i), expressions()))
    return st.one_of(
        st.builds(Guard, expressions()),
        st.builds(Assign, targets, expressions()),
        st.builds(lambda condition: Assert(condition, "no"), expressions()),
        st.builds(lambda condition: Raise("e", condition), expressions()),
    )


@given(st.lists(statements(), max_size=4))
def test_enabled_is_what_the_interpreter_does(body: list[Statement]) -> None:
    command = Command(0, 0, 0, tuple(body))
    letters = (frozenset[str](), frozenset({"e"}))
    process = Process("p", 4, ("main",), frozenset({0}))
    system = Execution(Program("m", CELLS, (process,), (command,), 3, letters))
    guard = enabled(body, CELLS)
    # The condition itself as a predicate: it has a value in every state, or making the letter would fail.
    looking = Execution(Program("m", CELLS, (process,), (), None, predicates=(("can", guard),)))
    for a, b, x in product((-1, 0, 1), (-1, 0, 1), (0, 1, 2)):
        state = a, b, x, 0, 0
        assert ("can" in looking.letter(state)) == bool(system.successors(state)), show(guard, CELLS)


def test_a_guard_sees_what_was_assigned_before_it() -> None:
    body = Assign(Element(0, 2, Read(2)), Constant(1)), Guard(Binary("==", Element(0, 2, Constant(1)), Constant(1)))
    assert show(enabled(body, CELLS), CELLS) == "(x < 2) ? (((1 == x) ? 1 : a[1]) == 1) : 1"


def test_a_command_without_guards_can_always_be_taken() -> None:
    assert enabled([Assign(Read(2), Constant(7)), Assert(Constant(0), "never")], CELLS) == Constant(1)
