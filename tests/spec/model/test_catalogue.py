"""The bundled models: correct ones give the answers they declare, seeded bugs are found by runs that replay."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from spec.ltl.error import LogicError
from spec.ltl.evaluate import holds
from spec.ltl.parser import parse_word
from spec.model import catalogue
from spec.model.catalogue import BUNDLED, FOLDER, text, with_constants
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.program import Program
from spec.model.search import check
from spec.model.system import Result, Verdict

BUGS = [(name, bug) for name, bundled in BUNDLED.items() for bug in bundled.bugs]


def program(name: str, constants: Mapping[str, int] | None = None) -> Program:
    """The model, read once."""
    return _program(name, tuple((constants or {}).items()))


@cache
def _program(name: str, constants: tuple[tuple[str, int], ...]) -> Program:
    return catalogue.program(name, dict(constants))


def answer(model: Program, question: str, *, alone: bool) -> Result:
    """What our search says to a property, or to "deadlock": of all runs, or under what the model declares."""
    formula = {one.name: one.formula for one in model.properties}.get(question)
    if formula is None:
        assert question == "deadlock"
        return check(Execution(model))
    assumptions = () if alone else [one.formula for one in model.assumptions]
    return check(Execution(model), formula, assumptions=assumptions, fairness=False if alone else None)


def test_every_file_is_in_the_catalogue_and_named_as_its_model() -> None:
    assert {path.stem for path in FOLDER.glob("*.m4m")} == set(BUNDLED)
    assert all(program(name).name == name for name in BUNDLED)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_catalogue_answers_every_property_of_the_model(name: str) -> None:
    assert list(BUNDLED[name].answers) == [one.name for one in program(name).properties]
    assert set(BUNDLED[name].alone) <= set(BUNDLED[name].answers)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_correct_model_has_no_deadlock_no_fault_and_the_pinned_number_of_states(name: str) -> None:
    result = answer(program(name), "deadlock", alone=True)
    assert (result.verdict, result.states) == (Verdict.HOLDS, BUNDLED[name].states)


@pytest.mark.parametrize(("name", "question"), [(name, one) for name in BUNDLED for one in BUNDLED[name].answers])
def test_a_correct_model_gives_the_declared_answer(name: str, question: str) -> None:
    model, bundled = program(name), BUNDLED[name]
    alone = answer(model, question, alone=True)
    assert alone.verdict == bundled.alone.get(question, bundled.answers[question])
    if alone.verdict is Verdict.VIOLATED and (model.fair or model.assumptions):
        result = answer(model, question, alone=False)
        assert result.verdict == bundled.answers[question]


@pytest.mark.parametrize(("name", "bug"), BUGS)
def test_a_seeded_bug_is_found_by_a_run_that_replays(name: str, bug: str) -> None:
    seeded = BUNDLED[name].bugs[bug]
    model = program(name, seeded.constants)
    result = answer(model, seeded.found_by, alone=seeded.found_by not in BUNDLED[name].alone)
    path = result.counterexample
    assert result.verdict is Verdict.VIOLATED and path is not None
    replay(Execution(model), path)
    formula = {one.name: one.formula for one in model.properties}.get(seeded.found_by)
    if formula is not None and path.back is not None:
        assert not holds(formula, path.word(Execution(model)))


@pytest.mark.parametrize(("name", "bug"), BUGS)
def test_a_seeded_bug_changes_an_answer_of_the_correct_model(name: str, bug: str) -> None:
    # A bug "found" by what is violated anyway would prove nothing.
    found_by = BUNDLED[name].bugs[bug].found_by
    assert found_by == "deadlock" or BUNDLED[name].answers[found_by] is Verdict.HOLDS


def test_the_published_property_is_violated_by_one_correct_use_of_a_block() -> None:
    named = {one.name: one.formula for one in program("free_list").properties}
    use = parse_word("malloc; 1; access; 1; free; cycle{1}")
    assert {name: holds(formula, use) for name, formula in named.items()} == {
        name: name != "published" for name in named
    }


def test_the_run_that_violates_the_published_property_satisfies_all_the_others() -> None:
    model = program("free_list")
    path = answer(model, "published", alone=False).counterexample
    assert path is not None
    word = path.word(Execution(model))
    assert [one.name for one in model.properties if not holds(one.formula, word)] == ["published"]
    assert all(holds(one.formula, word) for one in model.assumptions)


def test_constants_are_replaced_where_they_are_declared_and_nowhere_else() -> None:
    changed = with_constants("model m\nconst A = 1 + 1   # A = 1\nconst AB = 3", {"A": -4})
    assert changed == "model m\nconst A = -4   # A = 1\nconst AB = 3"


def test_a_truth_value_stays_one() -> None:
    assert "const LOCKED = false " in with_constants(text("free_list"), {"LOCKED": 0})
    with pytest.raises(LogicError, match="the constant LOCKED is a truth value; 2 is none, 0 and 1 are"):
        with_constants(text("free_list"), {"LOCKED": 2})


def test_a_constant_that_is_not_declared_is_refused_by_name() -> None:
    with pytest.raises(LogicError, match="the model has no constant TURNS; it has SAYS_LATE"):
        program("peterson", {"TURNS": 3})


def test_the_table_in_the_documentation_is_the_catalogue() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- models -->\n")[2].partition("<!-- end -->")[0].strip().split("\n")[2:]
    for row, (name, bundled) in zip(shown, BUNDLED.items(), strict=True):
        answers = [
            f"`{one}`{' †' * (one in bundled.alone)}{' ✗' * (verdict is Verdict.VIOLATED)}"
            for one, verdict in bundled.answers.items()
        ]
        bugs = [f"{bug}: `{seeded.found_by}`" for bug, seeded in bundled.bugs.items()]
        cells = f"`{name}`", bundled.sentence, f"{bundled.states:,}", ", ".join(answers), "; ".join(bugs)
        assert row == f"| {' | '.join(cells)} |"


def test_a_racing_double_free_is_reported_and_its_slot_is_not_handed_out_twice() -> None:
    model = program("thread_stacks", {"RACES": 1, "SLOTS": 1})
    assert answer(model, "handed_out_once", alone=True).verdict is Verdict.HOLDS
    assert answer(model, "races_are_reported", alone=False).verdict is Verdict.HOLDS
    assert answer(model, "races_are_reported", alone=True).verdict is Verdict.VIOLATED
