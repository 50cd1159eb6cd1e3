"""Never claims, and that SPIN takes them to mean what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.error import LogicError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.never import never_claim
from spec.ltl.parser import parse
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata, on_states
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos

needs_spin = pytest.mark.skipif(shutil.which("spin") is None, reason="SPIN is not installed: apt-get install spin")
needs_compiler = pytest.mark.skipif(
    shutil.which("spin") is None or shutil.which("gcc") is None, reason="wants apt-get install spin gcc"
)
LETTER = {"p": "letter & 1", "q": "letter & 2"}
INFINITELY_OFTEN_P = Automaton(("p",), ((Edge(0b01, 0), Edge(0b10, 1)), (Edge(0b01, 0, 1), Edge(0b10, 1, 1))), 0, 1)


def test_states_are_named_as_spin_wants() -> None:
    assert never_claim(INFINITELY_OFTEN_P).splitlines() == [
        "never {",
        "T0_init:",
        "    do",
        "    :: (!p) -> goto T0_init",
        "    :: (p) -> goto accept_S1",
        "    od;",
        "accept_S1:",
        "    do",
        "    :: (!p) -> goto T0_init",
        "    :: (p) -> goto accept_S1",
        "    od;",
        "}",
    ]


def test_the_state_that_takes_anything_is_last_and_there_once() -> None:
    anything = Edge(0b1111, 1, 1), Edge(0b1111, 2, 1)
    edges = ((Edge(0b0010, 2), Edge(0b0100, 1), Edge(0b1001, 3)), anything[:1], anything[1:], ())
    assert never_claim(Automaton(("p", "q"), edges, 0, 1)).splitlines() == [
        "never {",
        "T0_init:",
        "    do",
        "    :: (p && !q) -> goto accept_all",
        "    :: (!p && q) -> goto accept_all",
        "    :: (p && q) -> goto T0_S3",
        "    :: (!p && !q) -> goto T0_S3",
        "    od;",
        "T0_S3:",
        "    false",
        "accept_all:",
        "    skip",
        "}",
    ]


def test_the_claim_of_every_word_is_its_end() -> None:
    assert never_claim(Automaton((), ((Edge(1, 0),),))).split() == ["never", "{", "accept_all:", "skip", "}"]


def test_propositions_stand_for_expressions() -> None:
    claim = never_claim(INFINITELY_OFTEN_P, {"p": "event == 1 || q"})
    assert ":: (!(event == 1 || q)) -> goto T0_init" in claim


def test_a_proposition_that_promela_cannot_name_needs_an_expression() -> None:
    automaton = Automaton(("a b",), ((Edge(0b10, 0),),))
    assert ":: ((x)) -> goto" in never_claim(automaton, {"a b": "x"})
    with pytest.raises(LogicError, match='"a b" is no identifier of Promela'):
        never_claim(automaton)


@pytest.mark.parametrize("sets", [1, 2])
def test_only_plain_automata_with_marks_on_states_are_written(sets: int) -> None:
    with pytest.raises(ValueError, match="degeneralise it first"):
        never_claim(Automaton(("p",), ((Edge(0b01, 0, 1), Edge(0b10, 0, 0)),), 0, sets))


@needs_spin
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(automaton=automata(sets=1))
def test_spin_accepts_the_claims(automaton: Automaton, tmp_path: Path) -> None:
    model = "bool p, q;\nactive proctype main() { do :: p = !p :: q = !q od }\n"
    (tmp_path / "model.pml").write_text(model + never_claim(on_states(automaton)) + "\n", encoding="utf-8")
    done = subprocess.run(["spin", "-a", "model.pml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Error" not in done.stdout + done.stderr, done.stdout


def one_path(word: Word) -> str:
    """A model whose only run is the lasso: SPIN's claim reads the state before each step of the system."""
    lines = ["byte letter;", "active proctype main() {"]
    for position, letter in enumerate(word.letters):
        label = "again: " if position == len(word.prefix) else ""
        lines.append(f"  {label}letter = {int('p' in letter) + 2 * ('q' in letter)};")
    return "\n".join([*lines, "  goto again", "}", ""])


def spin_reports(word: Word, claim: str, folder: Path) -> bool:
    """Whether SPIN, exploring the one path, finds the claim to match."""
    (folder / "model.pml").write_text(one_path(word) + claim + "\n", encoding="utf-8")
    build = "spin -a model.pml && gcc -DNOREDUCE -o pan pan.c"
    subprocess.run(build, shell=True, cwd=folder, check=True, capture_output=True)
    done = subprocess.run(["./pan", "-a", "-E"], cwd=folder, capture_output=True, text=True)
    found = re.search(r"errors: (\d+)", done.stdout)
    assert found is not None, done.stdout
    return found[1] != "0"


def seen(word: Word) -> Word:
    """The word as SPIN sees it: before its first step the model is in a state of its own, in which nothing is true."""
    return Word((frozenset(), *word.prefix), word.cycle)


@pytest.mark.campaign
@needs_compiler
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(automaton=automata(sets=1), word=lassos("pq", 2, 3))
def test_spin_reports_exactly_the_words_that_are_accepted(automaton: Automaton, word: Word, tmp_path: Path) -> None:
    claim = never_claim(on_states(automaton), LETTER)
    assert spin_reports(word, claim, tmp_path) == on_states(automaton).accepts(seen(word))


@pytest.mark.campaign
@needs_compiler
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(formula=formulas(EVERYTHING, names="pq", leaves=5), word=lassos("pq", 2, 3))
def test_spin_reports_exactly_the_words_of_which_the_formula_is_true(
    formula: Formula, word: Word, tmp_path: Path
) -> None:
    assert spin_reports(word, never_claim(formula, LETTER), tmp_path) == holds(formula, seen(word))


@needs_spin
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(formula=formulas(EVERYTHING, names="pq", leaves=6))
def test_spin_accepts_the_claims_of_formulas(formula: Formula, tmp_path: Path) -> None:
    (tmp_path / "model.pml").write_text(f"bool p, q;\ninit {{ p = true }}\n{never_claim(formula)}\n", encoding="utf-8")
    done = subprocess.run(["spin", "-a", "model.pml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "Error" not in done.stdout + done.stderr, done.stdout


def test_a_name_that_would_end_its_comment_is_left_out() -> None:
    assert never_claim(parse("p U q")).startswith("never { /* p U q */\n")
    assert never_claim(parse('"*/" U q'), {"*/": "p"}).startswith("never {\n")
