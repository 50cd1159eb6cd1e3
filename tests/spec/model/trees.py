"""Random trees of models: any that can be written, and single processes that mean something."""

from __future__ import annotations

from hypothesis import strategies as st

from spec.model import syntax
from spec.model.syntax import Body, Expression, Statement

NAMES = st.sampled_from(["a", "b", "owner", "x1", "first"])
GROUPS = st.sampled_from(["client", "node"])


def expressions(leaves: int = 8) -> st.SearchStrategy[Expression]:
    """Any expression, sensible or not."""
    plain = st.one_of(
        st.builds(syntax.Number, st.integers(0, 99)),
        st.builds(syntax.Truth, st.booleans()),
        st.just(syntax.Nobody()),
        st.builds(syntax.Target, NAMES),
        st.builds(syntax.Place, st.builds(syntax.Target, GROUPS), NAMES),
        st.builds(syntax.Call, st.sampled_from(["len", "full", "first"]), st.builds(syntax.Target, NAMES)),
    )
    return st.recursive(plain, _larger, max_leaves=leaves)


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=1, max_size=2).map(tuple)
    indexed = st.builds(syntax.Target, NAMES, several)
    two = st.tuples(inner, inner)
    return st.one_of(
        indexed,
        st.builds(syntax.LocalOf, st.builds(syntax.Target, GROUPS, several), indexed),
        st.builds(syntax.Operation, st.sampled_from("-!"), st.tuples(inner)),
        st.builds(syntax.Operation, st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(syntax.Operation, st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">="]), two),
        st.builds(syntax.Conditional, inner, inner, inner),
        st.builds(syntax.Quantified, st.sampled_from(["exists", "forall"]), NAMES, spans(inner), inner),
    )


def spans(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[syntax.Span | syntax.Group]:
    """Ranges and groups."""
    return st.one_of(st.builds(syntax.Span, inner, inner), st.builds(syntax.Group, GROUPS))


def bodies(depth: int = 2) -> st.SearchStrategy[Body]:
    """Any statements, sensible or not."""
    value = expressions(3)
    values = st.lists(value, min_size=1, max_size=2).map(tuple)
    target = st.one_of(st.builds(syntax.Target, NAMES), st.builds(syntax.Target, NAMES, values))
    targets = st.lists(target, min_size=1, max_size=2).map(tuple)
    simple: list[st.SearchStrategy[Statement]] = [
        st.sampled_from([syntax.Skip(), syntax.Stop(), syntax.Leave()]),
        st.builds(syntax.Goto, NAMES),
        st.builds(syntax.Wait, value),
        st.builds(syntax.Claim, value),
        st.builds(syntax.Label, NAMES, st.one_of(st.just(()), values)),
        st.builds(syntax.Set, targets, values),
        st.builds(syntax.Pick, target, spans(value)),
        st.builds(syntax.Send, target, values),
        st.builds(syntax.Receive, target, targets),
    ]
    if depth:
        inner = bodies(depth - 1)
        simple += [
            st.builds(syntax.Atomic, inner),
            st.builds(syntax.Loop, inner),
            st.builds(syntax.While, st.none() | value, inner),
            st.builds(syntax.Each, NAMES, spans(value), inner),
            st.builds(syntax.ChooseIn, NAMES, spans(value), inner),
            st.builds(syntax.Choose, st.lists(inner, min_size=1, max_size=3).map(tuple)),
            st.builds(
                syntax.Branches,
                st.lists(st.tuples(value, inner), min_size=1, max_size=2).map(tuple),
                st.none() | inner,
            ),
        ]
    statement = st.one_of(simple)
    placed = st.builds(syntax.Located, NAMES, statement, st.booleans())
    return st.lists(statement | placed, max_size=3).map(tuple)


def variables() -> st.SearchStrategy[syntax.Variable]:
    """Declarations of variables and arrays."""
    value = expressions(2)
    kind = st.one_of(st.just(syntax.Boolean()), spans(value))
    values = st.lists(value, min_size=1, max_size=2).map(tuple)
    initial = st.none() | value | values
    return st.builds(syntax.Variable, NAMES, kind, st.just(()) | values, initial)


def models() -> st.SearchStrategy[syntax.Tree]:
    """Any model that can be written, sensible or not."""
    value = expressions(3)
    kind = st.one_of(st.just(syntax.Boolean()), spans(value))
    kinds = st.lists(kind, min_size=1, max_size=2).map(tuple)
    lengths = st.just(()) | st.lists(value, min_size=1, max_size=2).map(tuple)
    single = st.builds(syntax.ProcessOf, NAMES, bodies(), st.lists(variables(), max_size=2).map(tuple))
    group = st.builds(
        syntax.ProcessOf,
        NAMES,
        bodies(1),
        st.just(()),
        NAMES,
        st.builds(syntax.Span, value, value),
        st.booleans(),
        st.booleans(),
    )
    formula = st.sampled_from(["[]a", '[](a -> <>"client[0]@b")', "a U\n b"])
    declaration = st.one_of(
        st.builds(syntax.ConstantOf, NAMES, value),
        variables(),
        st.builds(syntax.Channel, NAMES, value, kinds, lengths),
        st.builds(syntax.Track, NAMES, st.builds(syntax.Span, value, value)),
        single,
        group,
        st.builds(syntax.Predicate, NAMES, value),
        st.builds(syntax.Formal, NAMES, formula, st.sampled_from(["", "block"]), st.booleans()),
    )
    return st.builds(syntax.Tree, NAMES, st.lists(declaration, max_size=4).map(tuple))
