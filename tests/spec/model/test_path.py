from __future__ import annotations

import pytest
from hypothesis import given

from spec.ltl.word import Word
from spec.model.counterexample import replay
from spec.model.path import PathSystem
from spec.model.system import Path
from tests.spec.ltl.formulas import lassos


@given(lassos())
def test_the_only_run_of_a_path_system_has_the_letters_of_its_word(word: Word) -> None:
    system = PathSystem(word)
    states = tuple(range(len(word.letters)))
    steps = tuple(system.successors(state)[0][0] for state in states)
    path = Path(states, steps, len(word.prefix))
    replay(system, path)
    assert path.word(system) == word
    assert all(len(system.successors(state)) == 1 for state in states)


def test_a_finite_word_stays_at_its_last_letter() -> None:
    system = PathSystem(Word.of([["p"], []]))
    assert [list(system.successors(state)) != [] for state in (0, 1)] == [True, False]
    assert system.ended(1)


def test_the_empty_word_is_refused() -> None:
    with pytest.raises(ValueError, match="the empty word"):
        PathSystem(Word(()))
