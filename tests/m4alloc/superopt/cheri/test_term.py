"""m4alloc.superopt.cheri.term: terms are frozen, sorted values."""

from __future__ import annotations

import pytest

from m4alloc.superopt.cheri.notation import parsed, unparsed
from m4alloc.superopt.cheri.term import Number, Sort, TermError, Variable, apply, substituted, variables


def test_an_operator_refuses_operands_of_other_sorts() -> None:
    with pytest.raises(TermError, match=r"set takes \(cap, int\), not \(int, cap\)"):
        apply("set", Number(1), Variable("c", Sort.CAP))


def test_an_unknown_operator_is_named_with_those_there_are() -> None:
    with pytest.raises(TermError, match=r"there is no operator shrink; there are set, setexact"):
        apply("shrink", Variable("c", Sort.CAP))


def test_a_choice_is_between_two_of_one_sort() -> None:
    with pytest.raises(TermError, match="if takes a bool and two of one sort"):
        apply("if", apply("true"), Number(1), Variable("c", Sort.CAP))


def test_variables_are_the_free_ones_in_order() -> None:
    term = parsed("let(x, set(c, n), tuple(inc(x, i), addr(d)))")
    assert list(variables(term)) == ["c", "n", "i", "d"]


def test_substitution_does_not_capture() -> None:
    term = parsed("let(x, set(c, n), tuple(x, base(d)))")
    with pytest.raises(TermError, match="let binds x, which is free in what would be put below it"):
        substituted(term, {"d": Variable("x", Sort.CAP)})
    assert unparsed(substituted(term, {"d": parsed("inc(d, 8)")})) == "let(x, set(c, n), tuple(x, base(inc(d, 8))))"
