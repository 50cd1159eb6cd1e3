"""One property, four uses: model checking, evaluation, monitoring and SPIN agree on every property of the library.

Monitoring is held to them where a program runs: tests/m4alloc/monitor/test_agreement.py holds the runtime to the trace
of the run, random programs and random properties; here the words of runs are models.

The table is the library's own examples and the 25 traces of the published property. The words of some properties become
one model, whose run is any one of them; `expected` is true of those that satisfy their property. So one search, of a
model that must satisfy `expected <-> property`, says that it and evaluation agree on each of them.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.model import compiled, spin
from m4alloc.monitor.table import Table
from spec.event import Event, Function
from spec.ltl.evaluate import holds
from spec.ltl.finite import weak_reading
from spec.ltl.formula import Formula, conjunction, iff, implies, next_, proposition
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
from spec.property_verdict import Answer, endless, evaluate
from spec.propositions import Words
from tests.m4alloc.monitor import agreement as agreement_of_runs

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


PLACE, LETTER, ASKED, EXPECTED, COUNTER = range(5)
"""The cells of the model."""


def equal(cell: int, value: int) -> Expression:
    return Binary("==", Read(cell), Constant(value))


def any_of(expressions: list[Expression]) -> Expression:
    found: Expression = Constant(0)
    for expression in expressions:
        found = Binary("||", found, expression)
    return found


def name_of_asked(asked: Property) -> str:
    return f"asked_{asked.name.replace('-', '_')}"


def model(properties: Sequence[Property], wrong: Word | None = None) -> Program:
    """The program whose runs are the words of the properties' tables, after one empty letter, when one is chosen.

    With it, it is chosen of which property it is; `expected` is true along the words that satisfy that one (along
    `wrong`: that do not). The library's formulas that look back find in an empty letter what they find before the
    beginning: nothing.
    """
    letters, successors, starts = [frozenset[str]()], [0], dict[Word, int]()
    numbers: dict[Letter, int] = {letters[0]: 0}

    def laid_out(word: Word) -> int:
        if word not in starts:
            start = starts[word] = len(letters)
            letters.extend(word.letters)
            successors.extend(start + word.after(position) for position in range(len(word.letters)))
        return starts[word]

    def to(place: int) -> tuple[Assign, Assign]:
        number = numbers.setdefault(letters[place], len(numbers))
        return Assign(Read(PLACE), Constant(place)), Assign(Read(LETTER), Constant(number))

    commands = []
    for number, asked in enumerate(properties):
        words = dict.fromkeys(lassos(asked))
        truths = [holds(asked.formula, word) for word in words]
        assert True in truths and False in truths  # a table that could not tell a property from a constant is none
        for word, truth in zip(words, truths, strict=True):
            expected = Assign(Read(EXPECTED), Constant(int(truth is not (word == wrong))))
            body = (Guard(equal(PLACE, 0)), Assign(Read(ASKED), Constant(number)), expected, *to(laid_out(word)))
            commands.append(Command(0, 0, 0, body, "choose"))
    for place in range(1, len(letters)):
        commands.append(Command(0, 0, 0, (Guard(equal(PLACE, place)), *to(successors[place])), "next"))
    names = sorted({name for asked in properties for name in asked.formula.propositions})
    return Program(
        name="words",
        cells=(
            Cell("place", 0, len(letters) - 1, 0),
            Cell("letter", 0, len(numbers) - 1, 0),
            Cell("asked", 0, len(properties), len(properties)),
            Cell("right", 0, 1, 0),
            Cell("path", 0, 0, 0, 0),
        ),
        processes=(Process("path", COUNTER, ("walks",), frozenset({0})),),
        commands=tuple(commands),
        predicates=(
            *((name, any_of([equal(LETTER, k) for one, k in numbers.items() if name in one])) for name in names),
            *((name_of_asked(asked), equal(ASKED, number)) for number, asked in enumerate(properties)),
            ("expected", Read(EXPECTED)),
        ),
    )


def agreement(properties: Iterable[Property]) -> Formula:
    """What holds of the properties' model if its checker and evaluation agree on each of their words."""
    return conjunction(
        *(
            next_(implies(proposition(name_of_asked(asked)), iff(proposition("expected"), asked.formula)))
            for asked in properties
        )
    )


def shown(program: Program, result: Result) -> str:
    found = result.counterexample
    return "" if found is None else str(found.word(Execution(program)))


# Several properties share a model, a search and a verifier; few, as a formula has at most sixteen propositions.
TOGETHER = [PROPERTIES[start : start + 5] for start in range(0, len(PROPERTIES), 5)]
EACH_GROUP = pytest.mark.parametrize("properties", TOGETHER, ids=lambda properties: properties[0].name)


@EACH_GROUP
def test_model_checking_a_path_is_evaluating_it(properties: tuple[Property, ...]) -> None:
    program, agree = model(properties), agreement(properties)
    for engine in ("nested", "scc"):
        result = check(Execution(program), agree, engine=engine)
        assert result.verdict is Verdict.HOLDS, shown(program, result)


@pytest.mark.parametrize("asked", PROPERTIES, ids=lambda asked: asked.name)
def test_one_word_on_which_they_disagreed_would_be_found(asked: Property) -> None:
    for word in lassos(asked)[-1:]:
        program = model([asked], wrong=word)
        result = check(Execution(program), agreement([asked]))
        assert result.verdict is Verdict.VIOLATED and result.counterexample is not None
        found = result.counterexample.word(Execution(program)).unrolled(20).prefix[1:20]
        names = asked.formula.propositions  # and a bad prefix of the word is enough
        assert [letter & names for letter in found] == [letter & names for letter in word.unrolled(20).prefix][
            : len(found)
        ]


@pytest.mark.slow
@EACH_GROUP
def test_the_compiled_search_agrees(properties: tuple[Property, ...]) -> None:
    program = model(properties)
    result = compiled.check(program, agreement(properties))
    assert result.verdict is Verdict.HOLDS, shown(program, result)


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("spin") and shutil.which("gcc")), reason="needs spin: apt-get install spin")
@EACH_GROUP
def test_spin_agrees(properties: tuple[Property, ...]) -> None:
    program = model(properties)
    result = spin.check(program, agreement(properties), optimise=0)
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
    frozenset({"access", "outside"}): Event(Function.LOAD, address=0x1014, size=8),
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
    if found.missing:  # then at most a violation is certain, and none that the run could still make up for
        assert found.answer is Answer.NOT_OBSERVED or (not wanted and found.answer is Answer.VIOLATED)
    elif cut_off and (found.unfulfilled or not (found.violated or endless(one.formula))):
        assert found.answer is Answer.INCONCLUSIVE
    else:
        assert found.answer is (Answer.HOLDS if wanted else Answer.VIOLATED)


# A running program.


def performed(word: Word, names: Iterable[str]) -> Program:
    """The program whose one run is an empty letter, then the word, then nothing for ever."""
    letters = (frozenset[str](), *word.letters, frozenset[str]())
    last = len(letters) - 1
    commands = [
        Command(0, 0, 0, (Guard(equal(0, place)), Assign(Read(0), Constant(min(place + 1, last)))), "next")
        for place in range(len(letters))
    ]
    return Program(
        name="run",
        cells=(Cell("place", 0, last, 0), Cell("path", 0, 0, 0, 0)),
        processes=(Process("path", 1, ("walks",), frozenset({0})),),
        commands=tuple(commands),
        predicates=tuple(
            (name, any_of([equal(0, place) for place, letter in enumerate(letters) if name in letter]))
            for name in names
        ),
    )


WATCHED = tuple(
    map(find, ("S1", "F1", "one-life", "whole-life", "no-double-free", "access-in-bounds", "freed-eventually"))
)
RUNS = [
    "m 0 1700;s 0 0 8;l 0 8 4;f 0 0",
    "m 0 1700;s 0 0 8;f 0 0;m 0 1700;l 0 0 1;f 0 0;l 0 0 1",
    "m 0 1700;m 1 40;f 0 0;f 0 0;s 1 40 8;r 1 3000",
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> agreement_of_runs.Bench:
    if _backend.backend != "fast" or not (shutil.which("gcc") and shutil.which("nm")):
        pytest.skip("needs gcc, and the native core: make build")
    return agreement_of_runs.Bench.of(tmp_path_factory.mktemp("runs"), "thread")


@pytest.mark.parametrize("text", RUNS)
def test_what_a_run_or_its_end_violates_is_violated_by_a_model_of_what_it_did(
    bench: agreement_of_runs.Bench, text: str
) -> None:
    """Each word of the run is the one path of a model. What the library still wants at exit, idling does not bring."""
    watched = (*WATCHED, agreement_of_runs.NEVER_SAID)
    told = bench.run(
        text, Table.of(watched), history="accesses", trace=bench.folder / "trace", quarantine_bytes=0, leaks="all"
    )
    letters = list(Words(told.events))
    for one in WATCHED:
        wrong = 0
        for word, times in Counter(agreement_of_runs.words_of(one, letters)).items():
            result = check(Execution(performed(word, one.formula.propositions)), next_(one.formula))
            wrong += times * (result.verdict is Verdict.VIOLATED)
        violated = sum(one.name in names for _, names in told.during)
        if one.name == "freed-eventually":  # of which only blocks that the program made are told
            assert (told.counts[one.name] > 0) == ("r" in text), one.name
        else:
            assert violated + told.owed.get(one.name, 0) == wrong, one.name


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
