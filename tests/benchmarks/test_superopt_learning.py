"""The comparison of searches runs on a few functions and has every search in both tables; no figure is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import superopt_learning
from m4alloc.superopt.agent import Agent


@pytest.mark.campaign
def test_every_search_has_a_line_in_both_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "weights.npz"
    Agent.fresh(0).save(weights)
    words = ["--weights", str(weights), "--most", "3", "--seconds", "0.05", "--proposals", "5", "--seeds", "1"]
    files = ["--course", str(tmp_path / "course.svg"), "--json", str(tmp_path / "all.json")]
    assert superopt_learning.main([*words, *files]) == 0
    printed = capsys.readouterr().out
    assert all(printed.count(f"\n{name} ") == 2 for name in superopt_learning.methods(Agent.fresh(0)))
    assert (tmp_path / "course.svg").read_text().count("<path") >= 7


def test_nothing_that_is_learned_from_is_held_out() -> None:
    shown = {name for name, _ in superopt_learning.training_set()}
    assert not shown & {name for name, _ in superopt_learning.held_out_set(40)}
