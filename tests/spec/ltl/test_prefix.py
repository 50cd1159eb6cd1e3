"""Which words can go on: live states, lasting states, and the subsets of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula, negation
from spec.ltl.parser import parse, parse_word
from spec.ltl.prefix import FOREVER, Beginnings, Prefixes, Together, beginnings, lasting, live
from spec.ltl.translate import translate
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos

FALSE, TRUE, ANY = 0b01, 0b10, 0b11
"""Labels over one proposition."""


def test_a_state_is_live_if_an_accepting_cycle_can_be_reached() -> None:
    automaton = Automaton(
        ("p",),
        (
            (Edge(TRUE, 1), Edge(FALSE, 2)),
            (Edge(ANY, 1, 0b1),),
            (Edge(ANY, 2),),
            (Edge(ANY, 3, 0b1),),
        ),
        0,
        1,
    )
    assert live(automaton) == {0, 1}, "2 has a cycle without the mark, and 3 is not reachable"


def test_a_cycle_must_bear_every_mark() -> None:
    edges = ((Edge(TRUE, 0, 0b01), Edge(FALSE, 1)), (Edge(ANY, 1, 0b10),))
    assert live(Automaton(("p",), edges, 0, 2)) == frozenset()
    unmarked = tuple(tuple(edge._replace(marks=0) for edge in row) for row in edges)
    assert live(Automaton(("p",), unmarked, 0, 0)) == {0, 1}, "without acceptance sets any cycle will do"


def test_a_lasting_state_has_an_edge_for_every_letter_that_stays_lasting() -> None:
    edges = ((Edge(TRUE, 0), Edge(FALSE, 1)), (Edge(TRUE, 1),), (Edge(TRUE, 2), Edge(FALSE, 3)), (Edge(ANY, 3),))
    automaton = Automaton(("p",), edges, 0, 0)
    assert lasting(automaton, frozenset({0, 1})) == frozenset()
    assert lasting(automaton, frozenset({0, 1, 2, 3})) == {2, 3}


def test_a_property_without_bad_prefixes_has_one_subset() -> None:
    for text in ("[]<>p", "<>[]p && <>[]q", "[](p -> <>q)"):
        words = Prefixes(translate(parse(text)))
        assert words.initial == FOREVER
        assert set(words.branches(FOREVER)) == {FOREVER}


@given(formulas(EVERYTHING, leaves=6), lassos())
def test_no_prefix_of_an_accepted_word_is_bad(formula: Formula, word: Word) -> None:
    try:
        words = Prefixes(translate(formula))
    except TooLargeError:
        assume(False)
    accepted = words.automaton.accepts(word)
    subset = words.initial
    for letter in word.unrolled(2).letters:
        assert subset or not accepted
        number = words.automaton.number(letter)
        after = words.after(subset, letter)
        assert [after] == [target for target, label in words.branches(subset).items() if label >> number & 1]
        subset = after


def test_an_automaton_that_accepts_nothing_begins_nowhere() -> None:
    nothing = Automaton(("p",), ((),), 0, 1)
    assert Prefixes(nothing).initial == frozenset()
    assert Prefixes(nothing).branches(frozenset()) == {frozenset(): ANY}


def chained(words: Beginnings, word: Word) -> list[bool]:
    state: Any = words.initial
    found = [words.alive(state)]
    for letter in word.letters:
        state = words.after(state, letter)
        found.append(words.alive(state))
    return found


@given(formulas(EVERYTHING, names="pq", leaves=4), formulas(EVERYTHING, names="rs", leaves=4), finite_words("pqrs"))
def test_what_is_put_together_begins_like_the_whole(one: Formula, other: Formula, word: Word) -> None:
    for formula in (one & other, one | other, negation(one & other), one >> other):
        try:
            words, whole = beginnings(formula), Prefixes(translate(formula))
        except TooLargeError:
            assume(False)
        assert chained(words, word) == chained(whole, word)


def test_formulas_that_share_a_proposition_are_not_put_together() -> None:
    # Each of []p and <>!p can begin with p, but both together cannot.
    words = beginnings(parse("[]p && <>!p && <>q"))
    assert isinstance(words, Together) and len(words.parts) == 2
    assert chained(words, parse_word("p&q; p"))[1:] == [False, False]
    assert isinstance(beginnings(parse("[]p && <>(p && q)")), Prefixes)


def test_a_long_conjunction_of_independent_promises_needs_no_large_automaton() -> None:
    formula = parse(" && ".join(f"<>p{number}" for number in range(40)))
    words = beginnings(negation(formula))
    word = parse_word("; ".join(f"p{number}" for number in range(40)))
    assert chained(words, word) == [True] * 40 + [False]


def test_brackets_do_not_count_as_nesting() -> None:
    deep = parse("X p || (" * 3000 + "X q" + ")" * 3000)
    assert isinstance(beginnings(deep), Together)


def test_a_formula_that_is_nested_too_deeply_is_refused() -> None:
    text = "X p"
    for number in range(400):
        text = f"(({text}) && q{number}) || r{number}"
    with pytest.raises(TooLargeError, match=r"^the formula is nested deeper than sys\.getrecursionlimit\(\) allows$"):
        beginnings(parse(text))
