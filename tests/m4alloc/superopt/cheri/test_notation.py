"""m4alloc.superopt.cheri.notation: terms as text."""

from __future__ import annotations

import pytest

from m4alloc.superopt.cheri.killed import UNSOUND
from m4alloc.superopt.cheri.notation import parsed, unparsed
from m4alloc.superopt.cheri.rules import SOUND
from m4alloc.superopt.cheri.term import Sort, TermError, variables

RULES = [*SOUND, *(killed.rule for killed in UNSOUND)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_reads_as_it_prints(rule: object) -> None:
    from m4alloc.superopt.cheri.rules import Rule

    assert isinstance(rule, Rule)
    for term in (rule.source, rule.target):
        assert parsed(unparsed(term), variables(term)) == term


def test_and_is_an_operator_before_a_bracket_and_a_conjunction_between_two() -> None:
    term = parsed("tag(and(c, p)) and sealed(c)")
    assert unparsed(term) == "tag(and(c, p)) and sealed(c)"
    assert variables(term) == {"c": Sort.CAP, "p": Sort.INT}


def test_precedence_is_pythons() -> None:
    assert parsed("a + b & c2 == d2 or x < y", dict.fromkeys(("a", "b"), Sort.INT)) == parsed(
        "((a + b) & c2) == d2 or (x < y)", dict.fromkeys(("a", "b"), Sort.INT)
    )


def test_brackets_are_printed_only_where_they_are_needed() -> None:
    assert unparsed(parsed("(a - (b - d)) - e + 0")) == "a - (b - d) - e + 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set(c, n", r"column 9: \) expected, and the text ends"),
        ("set(c n)", r"column 7: \) expected, and 'n' stands there"),
        ("set(c, n) c", "column 11: the end expected, and 'c' stands there"),
        ("set(c, n; 3)", r"column 9: ';' begins no token"),
        ("shrink(c)", "there is no operator shrink"),
        ("set(n, c, 3)", r"set takes \(cap, int\), not \(cap, int, int\)"),
        ("if(true, x, y)", "nothing says whether x is a cap, an int or a bool"),
        ("let(3, c, c)", "let takes a name"),
        ("", "column 1: a term expected, and the text ends"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(TermError, match=message):
        parsed(text)
