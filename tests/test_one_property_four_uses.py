"""One property, four uses: model checking, evaluation, monitoring and SPIN agree on every property of the library.

The table is the library's own examples and the 25 traces of the published property. The words of a property become one
model, whose run is any one of them; `expected` is true of those that satisfy the property. So one search, of a model
that must satisfy `expected <-> property`, says that it and evaluation agree on each of them.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import pytest

from m4alloc.model import compiled, spin
from spec.event import Event, Function
from spec.ltl.evaluate import holds
from spec.ltl.finite import weak_reading
from spec.ltl.formula import Formula, iff, negation, next_, proposition
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse_word
from spec.ltl.truth import Truth
from spec.ltl.word import Letter, Word
from spec.model import catalogue
from spec.model.execution import Execution
from spec.model.program import Assign, Binary, Cell, Command, Constant, Expression, Guard, Process, Program, Read
from spec.model.search import check
from spec.model.system import Result, Verdict
from spec.properties import PROPERTIES, find
from spec.property import Index, Kind, Property
from spec.property_verdict import Answer, evaluate

SEED_TRACES = Path(__file__).parent / "vectors" / "ltl" / "seed-traces.json"
EVENTS = {"p": "malloc", "q": "access", "r": "free"}


@cache
def seed_lassos() -> tuple[Word, ...]:
    """The table of facts about the published property: correct uses, leaks, uses after free, double frees, reuse."""

    def named(letters: list[list[str]]) -> list[list[str]]:
        return [[EVENTS[name] for name in letter] for letter in letters]

    rows = json.loads(SEED_TRACES.read_text(encoding="utf-8"))
    return tuple(Word.of(named(row["prefix"]), named(row["cycle"])) for row in rows)


def lassos(asked: Property) -> list[Word]:
    """The infinite words of the table: a finite example is followed by nothing for ever."""
    examples = [parse_word(text) for text in asked.satisfied + asked.violated]
    idle = (frozenset[str](),)
    return [Word(word.prefix, word.cycle or idle) for word in examples] + list(seed_lassos())


def finite_words(asked: Property) -> list[Word]:
    """The finite examples, and every prefix of the lassos that is no longer than two turns."""
    words = [word for text in asked.satisfied + asked.violated if (word := parse_word(text)).finite]
    for lasso in lassos(asked):
        letters = lasso.prefix + lasso.cycle * 2
        words += [Word(letters[:length]) for length in range(1, len(letters) + 1)]
    return words


def any_of(expressions: list[Expression]) -> Expression:
    found: Expression = Constant(0)
    for expression in expressions:
        found = Binary("||", found, expression)
    return found


def model(words: list[Word], expected: list[bool], names: frozenset[str]) -> Program:
    """The program whose runs are the words, each after one empty letter, at which one of them is chosen.

    `expected` is true along the words for which it is to be. (The library's formulas that look back find in an empty
    letter what they find before the beginning: nothing.)
    """
    none = len(words)
    which, place, counter = 0, 1, 2

    def at(number: int, position: int) -> Expression:
        chosen = Binary("==", Read(which), Constant(number))
        return Binary("&&", chosen, Binary("==", Read(place), Constant(position)))

    choose = [
        Command(0, 0, 0, (Guard(at(none, 0)), Assign(Read(which), Constant(number))), f"choose word {number}")
        for number in range(none)
    ]
    walk = [
        Command(0, 0, 0, (Guard(at(number, position)), Assign(Read(place), Constant(word.after(position)))), "next")
        for number, word in enumerate(words)
        for position in range(len(word.letters))
    ]

    def true_in(name: str) -> Expression:
        return any_of(
            [
                at(number, position)
                for number, word in enumerate(words)
                for position, letter in enumerate(word.letters)
                if name in letter
            ]
        )

    right = any_of([Binary("==", Read(which), Constant(number)) for number, truth in enumerate(expected) if truth])
    return Program(
        name="words",
        cells=(
            Cell("which", 0, none, none),
            Cell("place", 0, max(len(word.letters) for word in words) - 1, 0),
            Cell("path", 0, 0, 0, 0),
        ),
        processes=(Process("path", counter, ("walks",), frozenset({0})),),
        commands=(*choose, *walk),
        predicates=(*((name, true_in(name)) for name in sorted(names)), ("expected", right)),
    )


def agreement(asked: Property) -> tuple[Program, Formula]:
    """The model of a property's table, and the formula that holds of it if its checker and evaluation agree."""
    words = lassos(asked)
    expected = [holds(asked.formula, word) for word in words]
    assert True in expected and False in expected  # a table that could not tell a property from a constant is none
    return model(words, expected, asked.formula.propositions), next_(iff(proposition("expected"), asked.formula))


def shown(program: Program, result: Result) -> str:
    found = result.counterexample
    return "" if found is None else str(found.word(Execution(program)))


@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_model_checking_a_path_is_evaluating_it(asked: Property) -> None:
    program, agree = agreement(asked)
    for engine in ("nested", "scc"):
        result = check(Execution(program), agree, engine=engine)
        assert result.verdict is Verdict.HOLDS, shown(program, result)
    result = check(Execution(program), negation(agree))  # and the search did look: each word refutes the opposite
    assert result.verdict is Verdict.VIOLATED


@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_the_compiled_search_agrees(asked: Property) -> None:
    program, agree = agreement(asked)
    result = compiled.check(program, agree)
    assert result.verdict is Verdict.HOLDS, shown(program, result)


@pytest.mark.skipif(not (shutil.which("spin") and shutil.which("gcc")), reason="needs spin: apt-get install spin")
@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_spin_agrees(asked: Property) -> None:
    program, agree = agreement(asked)
    result = spin.check(program, agree, optimise=0)
    assert result.verdict is Verdict.HOLDS, shown(program, result)


@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_a_monitor_is_never_against_the_word_it_is_in(asked: Property) -> None:
    """What is definite after some letters is true of the whole word; and a safety property's violation is noticed."""
    machine = monitor(asked.formula)
    for word in lassos(asked):
        # States of the monitor and places in the cycle repeat together after so many turns, at most.
        letters = word.prefix + word.cycle * (machine.states + 1)
        last = machine.verdict[machine.run(Word(letters))[-1]]
        truth = holds(asked.formula, word)
        if last.definite:
            assert (last is Truth.TRUE) == truth, word
        elif asked.kind is Kind.SAFETY:
            assert truth, word


@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_a_monitor_is_definite_at_the_first_prefix_that_decides(asked: Property) -> None:
    """A state is inconclusive only if some word that begins so satisfies the property, and another one does not."""
    machine = monitor(asked.formula)
    seen: dict[int, tuple[frozenset[str], ...]] = {}
    for word in lassos(asked):
        letters = word.prefix + word.cycle
        for length, state in enumerate(machine.run(Word(letters))):
            seen.setdefault(state, letters[:length])
    for state, prefix in seen.items():
        ways = {holds(asked.formula, Word(prefix + tail.prefix, tail.cycle)) for tail in lassos(asked)}
        if len(ways) == 2:
            assert machine.verdict[state] is Truth.INCONCLUSIVE, prefix
        if machine.verdict[state].definite:
            assert ways == {machine.verdict[state] is Truth.TRUE}, prefix


@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_a_finished_run_is_judged_with_the_weak_next(asked: Property) -> None:
    machine = monitor(asked.formula)
    weak = weak_reading(asked.formula)
    for word in finite_words(asked):
        assert machine.at_end[machine.run(word)[-1]] == holds(weak, word), word


# Traces.

EXAMPLES = [(one, text, True) for one in PROPERTIES for text in one.satisfied]
EXAMPLES += [(one, text, False) for one in PROPERTIES for text in one.violated]


def name_of(value: object) -> str:
    return value.name if isinstance(value, Property) else str(value)


LETTERS = {
    frozenset({"malloc"}): Event(Function.MALLOC, size=24, result=0x1000, usable=32),
    frozenset({"access"}): Event(Function.LOAD, address=0x1008, size=8),
    frozenset({"free"}): Event(Function.FREE, address=0x1000),
    **{
        frozenset({name}): Event(Function.LABEL, address=0x1000, label=name)
        for name in ("quarantine_end", "zeroed", "revoked")
    },
}
"""Letters that one event of one block is."""


def events_of(text: str) -> list[Letter]:
    """The letters in which something happens, two turns of the cycle included."""
    word = parse_word(text)
    return [letter for letter in word.unrolled(2 if word.cycle else 0).prefix if letter]


OF_ONE_BLOCK = [
    (one, text, wanted)
    for one, text, wanted in EXAMPLES
    if one.index in (Index.ADDRESS, Index.BLOCK) and events_of(text) and set(events_of(text)) <= LETTERS.keys()
]


@pytest.mark.parametrize(("one", "text", "wanted"), OF_ONE_BLOCK, ids=name_of)
def test_a_trace_of_the_same_events_is_judged_alike(one: Property, text: str, wanted: bool) -> None:
    cut_off = any(parse_word(text).cycle)
    found = evaluate(one, [LETTERS[letter] for letter in events_of(text)], exited=not cut_off)
    if found.missing:
        assert found.answer is Answer.NOT_OBSERVED
    elif cut_off and found.unfulfilled:
        assert found.answer is Answer.INCONCLUSIVE
    else:
        assert found.answer is (Answer.HOLDS if wanted else Answer.VIOLATED)


# Models of allocators.


@cache
def bundled(name: str, bug: str = "") -> Execution:
    return Execution(catalogue.program(name, catalogue.BUNDLED[name].bugs[bug].constants if bug else None))


@pytest.mark.parametrize(
    ("name", "bug", "violated", "held"),
    [
        ("free_list", "", ("published",), ("S1", "PS1", "no-double-free", "no-double-allocation")),
        ("free_list", "missing-lock", ("no-double-allocation",), ()),
        ("free_list", "double-free", ("no-double-free", "no-double-free-past"), ()),
        ("free_list", "use-after-free", ("S1", "XS1", "F1"), ("no-double-free",)),
        ("delay_line", "", (), ("no-early-reuse", "no-double-allocation")),
        ("delay_line", "one-place-short", ("no-early-reuse",), ()),
    ],
)
def test_models_of_allocators_satisfy_the_library_and_their_bugs_violate_what_names_them(
    name: str, bug: str, violated: tuple[str, ...], held: tuple[str, ...]
) -> None:
    system = bundled(name, bug)
    for wanted, names in ((Verdict.VIOLATED, violated), (Verdict.HOLDS, held)):
        for one in map(find, names):
            result = check(system, one.formula)
            assert result.verdict is wanted, one.name
            if result.counterexample is not None and result.counterexample.back is not None:
                assert not holds(one.formula, result.counterexample.word(system))


def test_leak_freedom_needs_an_assumption_about_the_client() -> None:
    system, leak = bundled("free_list"), find("freed-eventually").formula
    assert check(system, leak).verdict is Verdict.VIOLATED
    assumptions = [one.formula for one in system.program.assumptions]
    assert check(system, leak, assumptions=assumptions).verdict is Verdict.HOLDS
