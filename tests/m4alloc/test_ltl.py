"""Temporal logic from text to report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from m4alloc import ltl
from m4alloc.ltl_report import ROWS, Form, LogicReport
from spec.ltl import hoa
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse, parse_word
from spec.ltl.word import Word
from tests.m4alloc.schema import faults
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos

SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs/json-schema/ltl.json").read_text(encoding="utf-8"))
REPORTS = {
    "parse": lambda: ltl.parse("[](p -> Y q)"),
    "sat": lambda: ltl.sat("p U q"),
    "unsatisfiable": lambda: ltl.sat("p && !p"),
    "valid": lambda: ltl.valid("p -> p"),
    "not valid": lambda: ltl.valid("p"),
    "equiv": lambda: ltl.equiv("p", "p && p"),
    "not equivalent": lambda: ltl.equiv("p", "q"),
    "implies": lambda: ltl.implies("[]p", "p"),
    "not implied": lambda: ltl.implies("p", "[]p"),
    "classify": lambda: ltl.classify("[]<>p"),
    "not known": lambda: ltl.classify("[](p -> X <>(q && X !q))", states=1),
    "translate": lambda: ltl.translate("[]<>p"),
    "hoa": lambda: ltl.translate("[]<>p", form="hoa"),
    "dot": lambda: ltl.translate("[]<>p", form=Form.DOT),
    "never": lambda: ltl.translate("[]<>p", form="never"),
    "accepts": lambda: ltl.accepts("X p", "p; cycle{p}"),
    "not accepted": lambda: ltl.accepts("X p", "p"),
    "monitor": lambda: ltl.monitor("!a W m"),
    "monitor of a word": lambda: ltl.monitor("!a W m", "1; m; a"),
    "violation": lambda: ltl.monitor("!a W m", "1; a"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_obeys_the_schema_and_has_a_text(name: str) -> None:
    report = REPORTS[name]()
    assert isinstance(report, LogicReport)
    told = report.to_json()
    assert list(faults(json.loads(json.dumps(told)), SCHEMA)) == []
    assert told["exit_status"] == report.exit_status == (1 if not report.holds else 0)
    assert report.lines() and all(line == line.rstrip("\n") for line in report.lines())


def test_a_formula_is_told_in_every_way() -> None:
    assert ltl.parse("G(malloc => F free)").lines() == [
        "ascii         [](malloc -> <>free)",
        "spin          [](malloc -> <>free)",
        "spot          G(malloc -> F free)",
        "mathematical  □(malloc → ◇free)",
        "normal form   [](!malloc || <>free)",
        "simplified    [](!malloc || <>free)",
        "propositions  free, malloc",
        "size          5 nodes, depth 3",
        "class         recurrence, liveness, stutter-invariant",
    ]


def test_what_spin_does_not_know_is_written_otherwise_or_said_to_be_unreadable() -> None:
    report = ltl.parse("[](p -> (q M r)) && X p")
    assert report.lines()[1] == (
        "spin          [](p -> (r U (q && r))) && X p  (SPIN does not read X: take `translate --never`)"
    )
    assert report.to_json()["spellings"]["spin"] == "[](p -> (r U (q && r))) && X p"
    assert report.to_json()["unread_by_spin"] == ["X"]
    assert ltl.parse("p R q").lines()[1] == "spin          p V q"


def test_questions_about_two_formulas_say_which_one_cannot_be_read() -> None:
    for question in (ltl.equiv, ltl.implies):
        with pytest.raises(LogicError, match="the right formula: line 1, column 4: the formula ends where an operand"):
            question("p", "q U")
        with pytest.raises(LogicError, match="the left formula: the formula is empty"):
            question("", "q")


@settings(deadline=None, max_examples=40)
@given(formulas(EVERYTHING, leaves=5), lassos())
def test_formulas_and_words_may_be_objects_or_their_texts(formula: Formula, word: Word) -> None:
    assert ltl.accepts(str(formula), str(word)) == ltl.accepts(formula, word)
    assert ltl.accepts(formula, word).holds == holds(formula, word)


@settings(deadline=None, max_examples=30)
@given(formulas(leaves=5), finite_words())
def test_the_verdicts_along_a_word_are_those_of_its_prefixes(formula: Formula, word: Word) -> None:
    from spec.ltl.finite import rv_ltl

    report = ltl.monitor(formula, word)
    prefixes = [Word(word.prefix[: i + 1]) for i in range(len(word.prefix))]
    assert list(report.verdicts) == [rv_ltl(formula, prefix, weak=True) for prefix in prefixes]


@pytest.mark.parametrize(
    ("formula", "word", "summary"),
    [
        ("!a W m", "1; m; a", "satisfied at letter 2, whatever follows"),
        ("!a W m", "1; a; a", "violated at letter 2, whatever follows"),
        ("!a W m", "1; 1", "inconclusive; true if the run ends here (X being weak)"),
        ("<>m", "1; 1", "inconclusive; false if the run ends here (X being weak)"),
        ("[](m -> X a)", "m", "inconclusive; true if the run ends here (X being weak)"),
    ],
)
def test_a_monitored_word_ends_in_a_sentence(formula: str, word: str, summary: str) -> None:
    assert ltl.monitor(formula, word).lines()[-1] == summary


def test_a_large_monitor_is_shown_in_part_and_told_in_full() -> None:
    report = ltl.monitor(" && ".join(f"<>p{i}" for i in range(6)))
    assert report.monitor.states == 64 and len(report.lines()) == ROWS + 4
    assert report.lines()[-1] == "and more; --json prints the whole table"
    assert len(report.to_json()["monitor"]["table"]) == 64


def test_many_propositions_are_no_hurdle() -> None:
    lines = ltl.monitor(" && ".join(f"[]p{i}" for i in range(14))).lines()
    assert len(lines) == 6 and lines[3].count("||") == 13


def test_a_monitor_reads_no_lasso() -> None:
    with pytest.raises(LogicError, match=r"the word p; cycle\{q\} has a cycle; a monitor reads finite words"):
        ltl.monitor("p", "p; cycle{q}")


def test_x_is_strong_on_finite_words_unless_asked_otherwise() -> None:
    assert not ltl.accepts("X p", "p").holds and ltl.accepts("X p", "p", weak=True).holds
    assert ltl.accepts("N p", "p").holds
    assert ltl.accepts("X p", "cycle{p}").lines() == ["true"]


def test_the_automaton_that_is_written_is_the_one_that_is_read_back() -> None:
    for plain in (False, True):
        report = ltl.translate("[]<>p && []<>q", form="hoa", plain=plain)
        assert hoa.read(report.text) == report.automaton and report.automaton.state_based == plain


def test_bounds_are_passed_on() -> None:
    formula = "[](p -> X <>(q && X !q))"
    with pytest.raises(TooLargeError, match="states=1"):
        ltl.translate(formula, states=1)
    with pytest.raises(TooLargeError, match="states"):
        ltl.monitor("<>(p && X X p)", states=1)
    assert ltl.classify("[](p -> X(q U (r && X (p U q))))", states=1).classes.unknown


def test_a_form_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'svg' is not a valid Form"):
        ltl.translate("p", form="svg")


def test_propositions_may_be_expressions_of_the_model() -> None:
    text = ltl.translate("<>done", form="never", define={"done": "pc == 3"}).text
    assert ":: ((pc == 3)) -> goto accept_all" in text


def test_the_module_is_imported_without_what_it_does_not_need() -> None:
    code = "import sys, m4alloc.ltl; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "numba", "rich", "hypothesis"} & set(loaded)


def test_reports_answer_with_what_was_asked() -> None:
    report = ltl.equiv("p U q", "p W q")
    assert (report.left, report.right, report.left_holds) == (parse("p U q"), parse("p W q"), False)
    assert report.difference == parse_word("cycle{p}")
