"""Formula progression gives the LTLf value of every word, past operators included."""

from __future__ import annotations

import pytest
from hypothesis import given

from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse
from spec.ltl.residual import NEVER, NOTHING, Progression, State
from spec.ltl.word import Letter, Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas


def step(progression: Progression, state: State, letter: Letter) -> State:
    number = sum(1 << i for i, name in enumerate(progression.propositions) if name in letter)
    branches = progression.branches(state)
    everything = (1 << (1 << len(progression.propositions))) - 1
    assert sum(branches.values()) == everything, "the labels name every letter, once"
    (target,) = (target for target, label in branches.items() if label >> number & 1)
    return target


@given(formulas(EVERYTHING), finite_words())
def test_each_prefix_of_a_word_is_judged_as_by_definition(formula: Formula, word: Word) -> None:
    progression = Progression(formula, tuple(sorted(formula.propositions)))
    state = progression.initial
    for length, letter in enumerate(word.prefix, 1):
        state = step(progression, state, letter)
        assert progression.at_end(state) == holds(formula, Word(word.prefix[:length]))


@given(formulas(EVERYTHING), finite_words())
def test_what_is_settled_stays_settled(formula: Formula, word: Word) -> None:
    progression = Progression(formula, tuple(sorted(formula.propositions)))
    state, settled = progression.initial, None
    for letter in word.prefix:
        state = step(progression, state, letter)
        assert settled is None or state.now == settled
        settled = state.now if state.now in (NOTHING, NEVER) else None


def test_a_past_operator_may_look_at_the_future() -> None:
    # Some earlier p was followed at once by q: at the third letter it is known that the first p was.
    progression = Progression(parse("<>(r && O(p && X q))"), ("p", "q", "r"))
    state = progression.initial
    for letter in ("p", "q", "r"):
        state = step(progression, state, frozenset(letter))
    assert state.now == NOTHING


def test_what_follows_from_the_rest_is_not_asked_twice() -> None:
    # Each release implies those inside it, so that of eleven only the outermost is ever left to ask.
    text = "p11"
    for number in range(10, 0, -1):
        text = f"p{number} R ({text})"
    formula = parse(text)
    progression = Progression(formula, tuple(sorted(formula.propositions)))
    assert len(progression.branches(progression.initial)) == 12


def test_a_formula_that_asks_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spec.ltl.residual.STEPS", 1000)
    text = " && ".join(f"<>[]p{number}" for number in range(9))
    with pytest.raises(TooLargeError, match=r"^the progression of the formula takes more than 1000 steps$"):
        Progression(parse(text), tuple(f"p{number}" for number in range(9)))


def test_a_formula_of_too_many_parts_is_refused() -> None:
    with pytest.raises(TooLargeError, match=r"^the formula can ask 1001 things of the next letter, 1000 at most$"):
        Progression(parse("X " * 1000 + "p"), ("p",))


def test_what_only_follows_is_not_asked_before_its_value_is_known() -> None:
    formula = parse("p && N N O <>!p")
    machine = Progression(formula, ("p",))
    for length in range(1, 6):
        for number in range(1 << length):
            word = Word(tuple(frozenset("p" if number >> i & 1 else "") for i in range(length)))
            state = machine.initial
            for letter in word.prefix:
                number_of = int("p" in letter)
                state = next(target for target, label in machine.branches(state).items() if label >> number_of & 1)
            assert machine.at_end(state) == holds(formula, word)
