"""The property library: examples, classes, other forms, and the table of the published property's own verdicts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from spec.ltl.classify import classify
from spec.ltl.decide import difference, implies, satisfying, valid
from spec.ltl.error import LogicError
from spec.ltl.evaluate import holds
from spec.ltl.finite import ltl3, ltlf
from spec.ltl.formula import Formula, conjunction
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse, parse_word
from spec.ltl.truth import Truth
from spec.ltl.word import Word
from spec.properties import PROPERTIES, REPORTED, About, Index, Kind, Property, find

ROOT = Path(__file__).resolve().parents[2]
TRACES: list[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / "ltl" / "seed-traces.json").read_text())
EVENT = {"p": "malloc", "q": "access", "r": "free"}
NOBOX = parse("<>access -> ((!access U malloc) && (!free U access) && <>free)")
ONE_AT_A_TIME = parse("[](!(malloc && access) && !(malloc && free) && !(access && free))")
EXAMPLES = [(one, text, True) for one in PROPERTIES for text in one.satisfied]
EXAMPLES += [(one, text, False) for one in PROPERTIES for text in one.violated]

# When the finite part of each of the 25 traces became definite: published, S1, F1 and F2, by Spot's monitors.
DEFINITE = {
    "01": (2, 0, 0, 0), "02": (2, 0, 0, 0), "03": (0, 0, 0, 0), "04": (2, 0, 0, 0), "05": (0, 0, 0, 0),
    "06": (1, 1, 1, 1), "07": (3, 3, 3, 3), "08": (2, 4, 4, 4), "09": (2, 0, 0, 4), "10": (0, 0, 0, 1),
    "11": (2, 0, 0, 0), "12": (2, 6, 6, 6), "13": (2, 0, 0, 0), "14": (3, 0, 0, 2), "15": (2, 0, 0, 0),
    "16": (2, 0, 0, 4), "17": (2, 0, 0, 0), "19": (2, 0, 0, 0), "20": (0, 0, 0, 0), "21": (0, 0, 0, 2),
    "22": (0, 0, 0, 2), "23": (5, 0, 0, 2), "24": (3, 0, 0, 1), "25": (2, 0, 0, 0),
}  # fmt: skip
FINITE = {"m": "malloc", "a": "access", "f": "free", ".": "1", "x": "malloc&access"}


def says(formula: Formula, word: Word) -> bool:
    """By definition; a finite word is a finished run, with weak X."""
    return ltlf(formula, word, weak=True) if word.finite else holds(formula, word)


# The library.


@pytest.mark.parametrize(("one", "text", "wanted"), EXAMPLES, ids=lambda value: getattr(value, "name", str(value)))
def test_examples_satisfy_and_violate_by_definition_and_by_monitor(one: Property, text: str, wanted: bool) -> None:
    word, machine = parse_word(text), monitor(one.formula)
    assert says(one.formula, word) is wanted
    if word.finite:
        state = machine.run(word)[-1]
        assert machine.at_end[state] is wanted
        assert machine.verdict[state] is not Truth.FALSE or not wanted
    else:
        state = machine.run(Word(word.unrolled(3).prefix))[-1]
        assert machine.verdict[state] is not (Truth.FALSE if wanted else Truth.TRUE)
    if one.kind is Kind.SAFETY:
        assert (machine.verdict[state] is Truth.FALSE) is not wanted


@pytest.mark.parametrize("one", PROPERTIES, ids=lambda one: one.name)
def test_each_property_has_a_sentence_examples_and_its_class(one: Property) -> None:
    assert re.fullmatch(r"[A-Z].*\.", one.sentence)
    assert one.satisfied and one.violated
    assert one.kind == classify(one.formula).name
    assert find(one.name) is one
    assert find(one.text).formula is one.formula


def test_names_and_aliases_are_all_different() -> None:
    names = [name.upper() for one in PROPERTIES for name in (one.name, *one.aliases)]
    assert len(names) == len(set(names))


def test_reports_speak_of_each_property_in_one_form_and_not_of_the_published_one() -> None:
    assert [one.name for one in REPORTED] == [
        "access-only-while-allocated",
        "accessed-then-freed",
        "freed-eventually",
        "no-double-free",
        "no-double-allocation",
        "access-in-bounds",
        "initialised-before-read",
        "no-overlap",
        "no-early-reuse",
        "quarantine",
        "tag-freshness",
        "zeroed-before-reuse",
        "handed-out-zero",
        "revoked-before-reuse",
        "allocation-ends",
        "free-ends",
    ]


@pytest.mark.parametrize("one", [one for one in PROPERTIES if one.restates], ids=lambda one: one.name)
def test_other_forms_say_the_same_when_one_event_happens_at_a_time(one: Property) -> None:
    parts = conjunction(*(find(name).formula for name in one.restates))
    if one.index is Index.ADDRESS:
        assert difference(ONE_AT_A_TIME & one.formula, ONE_AT_A_TIME & parts) is None
    else:  # of one generation: there is one malloc, and the address's words are those of its generations in turn
        generation = ONE_AT_A_TIME & parse("[](malloc -> X[]!malloc)")
        assert difference(generation & one.formula, generation & parts & parse("!access W malloc")) is None


@pytest.mark.parametrize("name", ["access-only-while-allocated-x-free", "access-then-freed-x-free", "quarantine"])
def test_forms_without_x_cannot_tell_repetitions_apart(name: str) -> None:
    assert classify(find(name).formula).stutter_invariant


def test_simultaneous_events_tell_the_x_free_form_from_the_one_with_x() -> None:
    assert difference(find("F1").formula, find("XF1").formula) is not None


def test_the_page_has_the_library_row_by_row() -> None:
    page = (ROOT / "docs" / "properties.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    told = [row for row in rows if len(row) == 6]
    assert told == [
        [
            f"`{one.name}`" + (f" ({', '.join(one.aliases)})" if one.aliases else ""),
            one.index,
            f"`{one.text}`",
            one.sentence,
            one.kind,
            one.about,
        ]
        for one in PROPERTIES
    ]


# The published property.


def test_published_property_says_that_each_access_is_itself_a_malloc() -> None:
    characterised = parse("[](access -> (malloc && <>free)) && [](free -> (access || []!access))")
    assert difference(find("published").formula, characterised) is None


def test_published_property_forbids_every_access_when_one_event_happens_at_a_time() -> None:
    published = find("published").formula
    assert difference(ONE_AT_A_TIME & published, ONE_AT_A_TIME & parse("[]!access")) is None


def test_published_property_implies_the_faithful_one_and_does_not_follow_from_it() -> None:
    published, faithful = find("published").formula, find("F1").formula
    assert implies(published, faithful) and not implies(faithful, published)
    assert implies(find("F2").formula, faithful)
    assert satisfying(published) is not None and not valid(published)


@pytest.mark.parametrize("row", TRACES, ids=lambda row: row["trace"])
def test_each_seed_trace_has_the_verdicts_of_the_table(row: dict[str, Any]) -> None:
    word = Word.of(*([[EVENT[one] for one in letter] for letter in row[part]] for part in ("prefix", "cycle")))
    formulas = {name: find(alias).formula for name, alias in {"LIT": "LIT", "S1": "S1", "F1": "F1", "F2": "F2"}.items()}
    formulas["NOBOX"] = NOBOX
    for name, formula in formulas.items():
        assert holds(formula, word) is row[name], name
    if "finite" not in row:
        return
    finite = parse_word("; ".join(FINITE[letter] for letter in row["finite"]))
    assert ltlf(formulas["F1"], finite) is row["F1f_strongX"]
    for name in ("F1", "F2"):
        assert ltlf(formulas[name], finite, weak=True) is row[f"{name}f_weakN"]
        machine = monitor(formulas[name])
        assert machine.at_end[machine.run(finite)[-1]] is row[f"{name}f_weakN"]
    for name, letter in zip(("LIT", "S1", "F1", "F2"), DEFINITE[row["trace"][:2]], strict=True):
        wanted = (Truth.FALSE, letter) if letter else (Truth.INCONCLUSIVE, None)
        assert ltl3(formulas[name], finite) == wanted, name


# Finding.


def test_a_formula_is_a_property_of_an_address_unless_it_says_otherwise() -> None:
    own = find("[](free -> (!malloc W flush))")
    assert (own.index, own.labels, own.needs, own.about) == (Index.ADDRESS, {"flush"}, set(), About.PROGRAM)
    assert own.name == "address: [](free -> (!malloc W flush))"
    assert find(" global : G(begin -> F commit)").name == "global: [](begin -> <>commit)"
    assert find("thread: access").formula is parse("access")


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        LogicError,
        match=r"^no property is called double-free; did you mean no-double-free\? The properties are published, ",
    ) as caught:
        find("double-free")
    assert all(one.name in str(caught.value) for one in PROPERTIES)
    assert "`address: malloc`" in str(caught.value)


def test_a_formula_that_cannot_be_read_is_answered_with_the_place() -> None:
    with pytest.raises(LogicError, match="line 1, column 12: a formula is missing"):
        find("block: [](free -> )")
    with pytest.raises(LogicError, match="the formula is empty"):
        find("thread:")
