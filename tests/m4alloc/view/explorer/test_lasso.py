"""The page of a counterexample, without a browser: what it holds, and what is true along a run."""

from __future__ import annotations

import json
import re
from pathlib import Path as File

import pytest
from hypothesis import given

from m4alloc.model.check import model
from m4alloc.model.runs import RunError
from m4alloc.view.explorer.lasso import describe, draw, page
from m4alloc.view.explorer.lasso_open import known
from spec.ltl.evaluate import holds, values
from spec.ltl.formula import Formula
from spec.ltl.parser import parse, parse_word
from spec.ltl.word import Word
from spec.model.execution import Execution
from spec.model.path import PathSystem
from spec.model.system import Path, Step
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos
from tests.spec.model.programs import philosophers

ROUND = Path((0, 1, 2), (Step(0, "p"), Step(0, "q"), Step(0, "r")), 1)


def held(text: str) -> dict[str, object]:
    """The data inside a page."""
    found = re.search(r'id="lasso-data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def test_a_page_fetches_nothing_and_no_text_in_it_ends_its_data() -> None:
    run = Path((0,), (Step(0, "</script><script>alert(1)</script>"),), 0)
    text = draw(PathSystem(parse_word("cycle{p}")), run, parse("<>!p"), name="<b>")
    assert not re.search(r'(?:src|href)="|@import|url\(["h]', text)
    assert text.count("</script>") == 2 and "alert(1)</script>" not in text
    assert "<title>&lt;b&gt; is violated</title>" in text
    steps = held(text)["steps"]
    assert isinstance(steps, list) and steps[0]["text"].startswith("</script>")


def test_the_truth_of_each_part_at_each_state_is_that_of_the_definition() -> None:
    word, formula = parse_word("p; cycle{q; p&q}"), parse("[](p -> X q) && <>[]q")
    rows = describe(PathSystem(word), ROUND, formula)["truths"]
    assert [row["formula"] for row in rows][-1] == str(formula)
    for row in rows:
        part = parse(row["formula"])
        assert row["values"] == "".join("01"[holds(part, word, at)] for at in range(3)), row


def test_what_a_finite_run_leaves_open_is_marked_open() -> None:
    run = Path((0, 1), (Step(0, "p"),))
    data = describe(PathSystem(parse_word("p; q")), run, parse("[](p -> <>q) && !q"))
    values = {row["formula"]: row["values"] for row in data["truths"]}
    assert values["p -> <>q"] == "11" and values["[](p -> <>q)"] == "??"
    assert values["[](p -> <>q) && !q"] == "?0"
    assert data["back"] is None


def test_a_long_lasso_has_its_rows() -> None:
    many = 300
    around = Path(tuple(range(many)), tuple(Step(0, "p") for _ in range(many)), 0)
    system = PathSystem(parse_word(f"cycle{{{'; '.join('p' * many)}}}"))
    (*_, whole) = describe(system, around, parse("[](p -> X<>q)"))["truths"]
    assert whole == {"formula": "[](p -> X <>q)", "values": "0" * many}


def test_a_finite_run_with_past_operators_has_its_rows() -> None:
    run = Path((0, 1), (Step(0, "free"),))
    data = describe(PathSystem(parse_word("free; malloc")), run, parse("[](free -> O malloc)"))
    told = {row["formula"]: row["values"] for row in data["truths"]}
    assert told == {"O malloc": "01", "free -> O malloc": "01", "[](free -> O malloc)": "0?"}


@given(formulas(EVERYTHING), lassos())
def test_what_is_known_of_a_run_is_so_however_it_goes_on(formula: Formula, word: Word) -> None:
    length = len(word.letters)
    for cycle in (word.cycle, (frozenset(),), (frozenset("pqr"), frozenset("q"))):
        exact = values(formula, Word(word.letters, cycle))
        for part, row in known(formula, Word(word.letters)).items():
            told = zip(row, exact[part][:length], strict=True)
            assert all(one is None or one == other for one, other in told), (part, cycle)


def test_the_monitor_is_followed_until_two_turns_of_the_cycle_are_alike() -> None:
    data = describe(PathSystem(parse_word("p; cycle{q; p}")), ROUND, parse("<>(q && X(p && X q))"))
    turns = data["monitor"]["turns"]
    assert len(turns) > 1 and all(len(turn) == 3 for turn in turns)
    assert data["monitor"]["states"][turns[-1][-1]] == "holds for good"


def test_a_counterexample_in_a_file_is_replayed_and_drawn(tmp_path: File) -> None:
    report = model("free_list", properties=["handed_out_once"], constants={"LOCKED": 0}, output=str(tmp_path))
    file = report.answers[0].file
    data = held(page(file))
    assert data["title"] == "handed_out_once is violated" and data["constants"] == {"LOCKED": 0}
    assert data["replay"] == f"m4alloc model --replay {file}"
    assert data["cells"] == ["lock", "head", "next", "block", "client[0]@", "mine", "client[1]@", "mine"]
    monitor, values = data["monitor"], data["values"]
    assert isinstance(monitor, dict) and isinstance(values, list) and len(values) == 16
    assert monitor["states"][monitor["turns"][0][-1]] == "violated for good"
    with pytest.raises(RunError, match="holds no run of a model"):
        (tmp_path / "x.json").write_text("{}")
        page(tmp_path / "x.json")


def test_a_deadlock_has_no_formula_and_stays_where_it_is() -> None:
    from spec.model.search import check

    system = Execution(philosophers(2, ordered=False))
    result = check(system)
    assert result.counterexample is not None
    text = draw(system, result.counterexample, None, reason=result.reason)
    data = held(text)
    assert data["truths"] == [] and data["monitor"] is None and data["title"] == "deadlock"
    assert data["back"] == len(result.counterexample.states) - 1


def test_a_run_that_fails_is_called_by_its_fault_and_a_very_long_one_is_told_without_the_formula() -> None:
    run = Path((0, 1), (Step(0, "n = n + 1", fault="n = 4 is out of its range"),))
    system = PathSystem(parse_word("p; q"))
    assert held(draw(system, run, parse("[]p"), name="small"))["title"] == "n = 4 is out of its range"
    many = 3000
    around = Path(tuple(range(many)), tuple(Step(0, "p") for _ in range(many)), 0)
    data = describe(PathSystem(parse_word(f"cycle{{{'; '.join('p' * many)}}}")), around, parse("[](p -> X<>q)"))
    assert data["truths"] == [] and len(data["letters"]) == many
