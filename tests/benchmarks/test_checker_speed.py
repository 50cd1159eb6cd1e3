"""The benchmark of the compiled search asks what it says it asks; no test looks at a time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
from benchmarks.checker import checker_speed
from benchmarks.checker.checker_speed import CASES, Case, main, ours, program, question
from spec.ltl.parser import parse


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_every_case_is_a_model_and_a_question(case: Case) -> None:
    of = program(case)
    formula = question(case, of)
    assert (formula is None) == (not case.formula)
    known = {name for name, _ in of.predicates}.union(*of.event_letters)
    assert formula is None or formula.propositions <= known


def test_constants_and_lines_change_the_model() -> None:
    small = program(Case("small", "free_list", {"CLIENTS": "2", "BLOCKS": "3"}, lines="predicate unlocked = !lock"))
    assert len(small.processes) == 2
    assert [cell.initial for cell in small.cells if cell.name.startswith("next")] == [1, 2, -1]
    assert "unlocked" in dict(small.predicates)


def test_a_search_counts_and_takes_time() -> None:
    of = program(Case("small", "philosophers", {"PHILOSOPHERS": "4"}))
    whole, less = ours(of, None, False), ours(of, None, True)
    assert whole.states > less.states > 0
    assert whole.rate > 0
    assert ours(of, parse("[]!(eating0 && eating1)"), False).states == whole.states


@pytest.mark.campaign
@pytest.mark.skipif(shutil.which("spin") is None, reason="apt-get install spin")
def test_spin_stores_as_many_states(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"PHILOSOPHERS": "4"}
    cases = Case("states", "philosophers", small), Case("nested", "philosophers", small, "[]<>!eating0")
    monkeypatch.setattr(checker_speed, "CASES", cases)
    assert main(["--rounds", "1", "--json", str(tmp_path / "json")]) == 0
    states, nested = json.loads((tmp_path / "json").read_text())
    assert states["ours"]["states"] == states["spin"]["states"]
    assert nested["ours"]["states"] > 0
    assert "SPIN" in capsys.readouterr().out
