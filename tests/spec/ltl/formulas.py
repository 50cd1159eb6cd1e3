"""Random formulas and words, for the laws of temporal logic."""

from __future__ import annotations

from hypothesis import strategies as st

from spec.ltl.formula import FALSE, TRUE, UNARY, VARIADIC, Formula, Operator, make, proposition
from spec.ltl.word import Word

BOOLEAN = (Operator.NOT, Operator.AND, Operator.OR, Operator.IMPLIES, Operator.IFF)
FUTURE = (
    Operator.NEXT,
    Operator.WEAK_NEXT,
    Operator.EVENTUALLY,
    Operator.ALWAYS,
    Operator.UNTIL,
    Operator.WEAK_UNTIL,
    Operator.RELEASE,
    Operator.STRONG_RELEASE,
)
PAST = (
    Operator.YESTERDAY,
    Operator.WEAK_YESTERDAY,
    Operator.SINCE,
    Operator.TRIGGER,
    Operator.ONCE,
    Operator.HISTORICALLY,
)
EVERYTHING = BOOLEAN + FUTURE + PAST


def formulas(
    operators: tuple[Operator, ...] = BOOLEAN + FUTURE, names: str = "pqr", leaves: int = 8
) -> st.SearchStrategy[Formula]:
    """Formulas over the operators, with at most so many leaves."""

    def extend(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        def apply(operator: Operator) -> st.SearchStrategy[Formula]:
            most = 1 if operator in UNARY else 3 if operator in VARIADIC else 2
            operands = st.lists(inner, min_size=1 if operator in UNARY else 2, max_size=most)
            return operands.map(lambda found: make(operator, tuple(found)))

        return st.sampled_from(operators).flatmap(apply)

    atoms = st.sampled_from(names).map(proposition)
    return st.recursive(st.one_of(atoms, atoms, atoms, st.sampled_from((TRUE, FALSE))), extend, max_leaves=leaves)


def letters(names: str = "pqr") -> st.SearchStrategy[frozenset[str]]:
    """Sets of true propositions."""
    return st.frozensets(st.sampled_from(names))


def lassos(names: str = "pqr", prefix: int = 4, cycle: int = 4) -> st.SearchStrategy[Word]:
    """Infinite words with a prefix and a cycle of at most so many letters."""
    return st.builds(
        lambda before, again: Word(tuple(before), tuple(again)),
        st.lists(letters(names), max_size=prefix),
        st.lists(letters(names), min_size=1, max_size=cycle),
    )


def finite_words(names: str = "pqr", most: int = 6) -> st.SearchStrategy[Word]:
    """Finite words of one letter to so many."""
    return st.lists(letters(names), min_size=1, max_size=most).map(lambda found: Word(tuple(found)))
