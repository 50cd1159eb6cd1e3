"""Monitors say what the verdicts on finite words say, and are the smallest that do."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given

from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.finite import ltl3, ltlf, rv_ltl
from spec.ltl.formula import Formula, negation
from spec.ltl.monitor import Monitor, monitor, safety_monitor
from spec.ltl.parser import parse, parse_word
from spec.ltl.truth import FourTruth, Truth
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas

VECTORS = Path(__file__).parents[2] / "vectors" / "ltl"
F1 = "(!access W malloc) && [](free -> X(!access W malloc)) && [](access -> <>free)"


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(VECTORS / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@given(formulas(EVERYTHING), finite_words())
def test_a_monitor_says_after_each_letter_what_the_definitions_say(formula: Formula, word: Word) -> None:
    try:
        monitors = {weak: monitor(formula, weak=weak) for weak in (False, True)}
    except TooLargeError:
        assume(False)
    for weak, machine in monitors.items():
        machine.check()
        assert machine.propositions == tuple(sorted(formula.propositions))
        for length, state in enumerate(machine.run(word)):
            if length:
                read = Word(word.prefix[:length])
                assert machine.verdict[state] is ltl3(formula, read).truth
                assert machine.at_end[state] == ltlf(formula, read, weak=weak)
                assert machine.four(state) is rv_ltl(formula, read, weak=weak)


@given(formulas(EVERYTHING))
def test_no_two_states_answer_alike(formula: Formula) -> None:
    try:
        machine = monitor(formula)
    except TooLargeError:
        assume(False)
    # The pairs that are told apart: by their answers, or by a letter that leads to such a pair.
    apart = {
        pair
        for pair in combinations(range(machine.states), 2)
        if len({(machine.verdict[state], machine.at_end[state]) for state in pair}) == 2
    }
    found = -1
    while found != len(apart):
        found = len(apart)
        for one, other in combinations(range(machine.states), 2):
            steps = zip(machine.table[one], machine.table[other], strict=True)
            if any(tuple(sorted(step)) in apart for step in steps):
                apart.add((one, other))
    assert found == machine.states * (machine.states - 1) // 2


@given(formulas(EVERYTHING))
def test_a_formula_and_its_double_negation_have_one_monitor(formula: Formula) -> None:
    try:
        machine, opposite = monitor(formula), monitor(negation(formula))
    except TooLargeError:
        assume(False)
    swapped = {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE, Truth.INCONCLUSIVE: Truth.INCONCLUSIVE}
    assert opposite == replace(
        machine,
        verdict=tuple(swapped[verdict] for verdict in machine.verdict),
        at_end=tuple(not value for value in machine.at_end),
    )


@given(formulas(EVERYTHING))
def test_a_monitor_survives_json(formula: Formula) -> None:
    try:
        machine = monitor(formula)
    except TooLargeError:
        assume(False)
    assert Monitor.from_json(json.loads(json.dumps(machine.to_json()))) == machine


HARD = {"u-left-12", "r-left-12", "kv-psi-3"}
"""Formulas of which some automaton is refused; they take seconds."""


def check_sizes(names_are_hard: bool) -> None:
    compared = 0
    for row in rows("formulas.public.jsonl.gz"):
        if (row["name"] in HARD) != names_are_hard:
            continue
        formula = parse(row["formula"])
        for wanted, what in ((row["monitor_states"], formula), (row["neg_monitor_states"], negation(formula))):
            if wanted is not None:
                assert safety_monitor(what).states == wanted, row["name"]
                compared += 1
    assert compared == (1 if names_are_hard else 209)


def test_safety_monitors_are_as_small_as_the_recorded_ones() -> None:
    check_sizes(False)


@pytest.mark.campaign
def test_safety_monitors_of_hard_formulas_are_as_small_as_the_recorded_ones() -> None:
    check_sizes(True)


@pytest.mark.campaign
def test_every_public_formula_is_monitored_or_refused() -> None:
    refused = set()
    for row in rows("formulas.public.jsonl.gz"):
        try:
            monitor(parse(row["formula"])).check()
        except TooLargeError:
            refused.add(row["name"])
    assert refused <= HARD


def test_the_monitor_of_proper_use_has_four_states() -> None:
    machine = monitor(parse(F1))
    assert machine.states == 4
    states = machine.run(parse_word("malloc; access; free; access"))
    assert [machine.four(state).value for state in states[1:]] == [
        "presumably-true",
        "presumably-false",
        "presumably-true",
        "false",
    ]


def test_the_past_form_of_proper_use_has_the_monitor_of_the_future_form() -> None:
    past = parse("[](access -> (!free S malloc))")
    future = parse("(!access W malloc) && [](free -> ((!access && X(!access W malloc)) || (malloc && !access)))")
    one, other = monitor(past), monitor(future)
    for word in ("malloc; access; free; malloc; access", "access", "malloc; free; access", "malloc; free; 1; access"):
        assert [one.verdict[state] for state in one.run(parse_word(word))] == [
            other.verdict[state] for state in other.run(parse_word(word))
        ]


def test_a_safety_monitor_has_runs_on_what_is_not_a_bad_prefix() -> None:
    automaton = safety_monitor(parse("[](free -> X !access)"))
    automaton.check()
    assert automaton.deterministic and automaton.sets == 0
    assert automaton.accepts(parse_word("free; 1; cycle{access}"))
    assert not automaton.accepts(parse_word("free; access; cycle{1}"))
    unsatisfiable = safety_monitor(parse("p && !p"))
    assert (unsatisfiable.states, unsatisfiable.edges) == (1, ((),))


def test_letters_are_numbered_by_the_propositions_in_order() -> None:
    machine = monitor(parse("[](a -> <>c)"))
    assert machine.propositions == ("a", "c")
    assert [machine.number(frozenset(letter)) for letter in ("", "a", "c", "ac", "xc")] == [0, 1, 2, 3, 2]
    assert [machine.letter(number) for number in range(4)] == [frozenset(letter) for letter in ("", "a", "c", "ac")]


def test_a_lasso_is_not_run() -> None:
    with pytest.raises(ValueError, match=r"^a lasso: a monitor reads words without a cycle$"):
        monitor(parse("p")).run(parse_word("cycle{p}"))


def test_what_is_too_large_is_refused_by_the_name_of_the_bound() -> None:
    with pytest.raises(TooLargeError, match=r"^the monitor needs more than 7 states; states=\.\.\. allows more$"):
        monitor(parse("<>(p && X X X X X q)"), states=7)
    wide = parse(" || ".join(f"p{number}" for number in range(30)))
    with pytest.raises(TooLargeError, match=r"^30 propositions: a table has at most 4194304 entries$"):
        monitor(wide)


SMALL = monitor(parse("[]p"))
WRONG = [
    (replace(SMALL, initial=2), "initial state 2 of 2"),
    (replace(SMALL, propositions=("p", "p")), "a proposition is named twice: ('p', 'p')"),
    (replace(SMALL, propositions=("p", "q")), "state 0: 2 letters of 2 propositions"),
    (replace(SMALL, table=((0, 5), (1, 1))), "state 0, letter 1: a step to 5, of 2 states"),
    (replace(SMALL, table=((0, 1), (1, 0))), "state 1, letter 1: false becomes inconclusive, though it is definite"),
    (
        replace(SMALL, at_end=(True,)),
        "2 rows, 2 verdicts and 1 values at the end; one of each is for each state",
    ),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_table_that_is_no_monitor_is_refused(wrong: Monitor, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        wrong.check()
    assert str(raised.value) == message
    with pytest.raises(LogicError) as refused:
        Monitor.from_json(wrong.to_json())
    assert str(refused.value) == f"no monitor: {message}"


def test_json_without_a_part_is_refused_by_its_name() -> None:
    data = SMALL.to_json()
    del data["verdict"]
    with pytest.raises(LogicError) as raised:
        Monitor.from_json(data)
    assert str(raised.value) == "a monitor has no 'verdict'; it has propositions, initial, table, verdict, at_end"
    with pytest.raises(LogicError, match=r"^no monitor: 'perhaps' is not a valid Truth$"):
        Monitor.from_json({**SMALL.to_json(), "verdict": ["perhaps", "false"]})


def test_a_formula_of_every_word_has_a_monitor_of_one_state() -> None:
    machine = monitor(parse("p || !p"))
    assert (machine.states, machine.four(machine.initial)) == (1, FourTruth.TRUE)
