"""The comparison of the learned agent runs on tiny inputs and has every method in its table; no figure is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import learned_tuning


def test_every_method_has_a_column_and_every_program_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--synthetic", "--steps", "60", "--budget", "6", "--folds", "2", "--seeds", "1"]
    files = ["--curve", str(tmp_path / "curve.svg"), "--json", str(tmp_path / "all.json")]
    assert learned_tuning.main([*words, *files]) == 0
    printed = capsys.readouterr().out
    assert all(method in printed for method in learned_tuning.METHODS)
    assert all(f"synthetic {number}" in printed for number in range(6))
    assert "trained on synthetic" in printed and (tmp_path / "curve.svg").read_text().count("<path") >= 5


def test_placements_are_told_beside_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--placement", "--synthetic", "--steps", "60", "--folds", "2", "--blocks", "60"]
    assert learned_tuning.main(words) == 0
    assert "knows the future" in capsys.readouterr().out
