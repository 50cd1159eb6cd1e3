"""One formula has many spellings; a text that is none is refused where it goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.error import LogicError
from spec.ltl.evaluate import holds
from spec.ltl.formula import PAST, Formula, Operator, subformulas
from spec.ltl.parser import parse, parse_word
from spec.ltl.printer import Spelling, readable_by_spin, readable_by_spot, show
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos


@pytest.mark.parametrize("spelling", Spelling)
@given(formula=formulas(EVERYTHING, names=("p", "long_name", "U", "true", "a b")))
def test_what_is_printed_parses_to_the_same_formula(spelling: Spelling, formula: Formula) -> None:
    assert parse(show(formula, spelling)) is formula


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a -> b -> c", "a -> (b -> c)"),
        ("a <-> b <-> c", "a <-> (b <-> c)"),
        ("a U b U c", "a U (b U c)"),
        ("a U b R c W d M e", "a U (b R (c W (d M e)))"),
        ("a && b U c || d", "(a && (b U c)) || d"),
        ("a || b && c", "a || (b && c)"),
        ("a -> b || c <-> d", "(a -> (b || c)) <-> d"),
        ("! a U b", "(!a) U b"),
        ("X a && b", "(X a) && b"),
        ("[] a U b", "([] a) U b"),
        ("<> [] a -> b", "(<>[] a) -> b"),
        ("a S b && c", "(a S b) && c"),
    ],
)
def test_precedence(text: str, plain: str) -> None:
    assert parse(text) is parse(plain)


@pytest.mark.parametrize(
    "text",
    ["[]((p && !q) -> <>(p V q))", "G((p & !q) => F(p R q))", "□((p ∧ ¬q) → ◇(p ℛ q))", "[] ((p /\\ ~q) -> <>(p R q))"],
)
def test_the_ascii_spin_spot_and_mathematical_spellings_are_one(text: str) -> None:
    assert parse(text) is parse("[]((p && !q) -> <>(p R q))")


def test_names_that_begin_like_operators_are_names() -> None:
    assert parse("Xp U Gq_1 && trueish").propositions == {"Xp", "Gq_1", "trueish"}
    assert parse('"U" U "two words"').propositions == {"U", "two words"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the formula is empty; `true` is the formula that holds of everything"),
        ("p U", "line 1, column 4: the formula ends where an operand is missing\n  p U\n     ^"),
        ("[](p -> <>)", "line 1, column 11: a formula is missing before `)`\n  [](p -> <>)\n            ^"),
        ("(p && q", "line 1, column 8: the formula ends before a parenthesis is closed\n  (p && q\n         ^"),
        ("p && q)", "line 1, column 7: this parenthesis closes none that is open\n  p && q)\n        ^"),
        ("p q", "line 1, column 3: an operator is missing before `q`\n  p q\n    ^"),
        ("p &&\nq @ r", "line 2, column 3: '@' is no part of a formula\n  q @ r\n    ^"),
        ("p -> && q", "line 1, column 6: a formula is missing before `&&`\n  p -> && q\n       ^"),
        ("p U (U q)", "line 1, column 6: a formula is missing before `U`\n  p U (U q)\n       ^"),
    ],
)
def test_a_bad_formula_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(LogicError) as caught:
        parse(text)
    assert str(caught.value) == message


def test_a_formula_nested_ten_thousand_deep_is_read_and_written() -> None:
    text = "!(" * 10_000 + "p" + ")" * 10_000
    formula = parse(text)
    assert formula.size == 10_001
    assert parse(str(formula)) is formula


@given(lassos() | finite_words())
def test_a_word_that_is_printed_parses_to_the_same_word(word: Word) -> None:
    assert parse_word(str(word)) == word


ODD = ("p", "true", "1", "a b", "p[0]@waits; q", "x&cycle{y}")


@given(lassos(ODD) | finite_words(ODD))
def test_a_word_of_names_that_need_quotes_parses_to_the_same_word(word: Word) -> None:
    assert parse_word(str(word)) == word


@pytest.mark.parametrize("nothing", ["1", "true", "⊤"])
def test_a_letter_that_is_true_is_the_empty_one_and_no_proposition(nothing: str) -> None:
    assert parse_word(f"{nothing}; p & {nothing}; cycle{{{nothing}}}") == Word.of([[], ["p"]], [[]])
    assert parse_word("truth; cycle{falsehood}") == Word.of([["truth"]], [["falsehood"]])


def test_literals_that_are_false_only_say_so() -> None:
    assert parse_word('p & !q; ¬p && q; cycle { 1 ; "a b" ∧ p }') == Word.of([["p"], ["q"]], [[], ["a b", "p"]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the word is empty; it has one letter at least, and `1` is the letter in which nothing is true"),
        ("p; ; q", "line 1, column 3: a letter is missing; `p & q`, `!p` and `1` are letters\n  p; ; q\n    ^"),
        (
            "p; cycle{}",
            "line 1, column 10: the cycle is empty; a word without one is finite\n  p; cycle{}\n           ^",
        ),
        ("p; cycle{q", "line 1, column 11: the word ends before its cycle is closed; `}` would be right\n"),
        ("p cycle{q}", "line 1, column 3: `;` is missing before the cycle\n"),
        ("p; cycle{q}; r", "line 1, column 12: a word ends with its cycle\n"),
        ("p & !p", "line 1, column 4: `p` is true and false in one letter\n"),
        ("p | q", "line 1, column 3: '|' is no part of a letter; `&` joins, `;` separates\n"),
        ("0", "line 1, column 1: a letter cannot be false; `1` is the letter in which nothing is true\n"),
        ("p & false", "line 1, column 5: a letter cannot be false; `1` is the letter in which nothing is true\n"),
        ("p; !true", "line 1, column 5: a letter cannot be false; `1` is the letter in which nothing is true\n"),
    ],
)
def test_a_bad_word_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(LogicError) as caught:
        parse_word(text)
    assert str(caught.value).startswith(message)


@given(formulas(EVERYTHING), lassos())
@settings(max_examples=60)
def test_what_spin_can_read_is_true_of_the_same_words(formula: Formula, word: Word) -> None:
    other, unread = readable_by_spin(formula)
    assert holds(other, word) == holds(formula, word)
    operators = {part.operator for part in subformulas(other)}
    assert not operators & {Operator.STRONG_RELEASE, Operator.WEAK_NEXT}
    assert ("X" in unread) == (Operator.NEXT in operators)
    assert {operator.value for operator in operators & PAST} == set(unread) - {"X"}


@given(formulas(EVERYTHING), lassos())
@settings(max_examples=60)
def test_what_spot_can_read_is_true_of_the_same_words(formula: Formula, word: Word) -> None:
    other, unread = readable_by_spot(formula)
    assert holds(other, word) == holds(formula, word)
    operators = {part.operator for part in subformulas(other)}
    assert Operator.WEAK_NEXT not in operators
    assert {operator.value for operator in operators & PAST} == set(unread)


def test_names_in_quotes_are_not_read_by_spin() -> None:
    assert readable_by_spin(parse('[]"free list"')) == (parse('[]"free list"'), ('"free list"',))


def test_a_name_of_other_letters_is_told_to_be_quoted() -> None:
    with pytest.raises(LogicError) as caught:
        parse("[]été")
    said = "line 1, column 3: 'é' is no part of a formula; such a name goes in double quotes"
    assert str(caught.value).startswith(said)
    assert parse('[]"été"').propositions == {"été"}
