"""Worst fit needs the whole arena where first fit needs a fifth, and segregated classes waste inside blocks."""

from __future__ import annotations

import pytest

from examples import policies_compared


def test_worst_fit_leaves_no_long_range_and_size_classes_round_up(capsys: pytest.CaptureFixture[str]) -> None:
    policies_compared.main()
    told = capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in told.splitlines()[1:5]}
    assert list(rows) == ["FirstFit", "BestFit", "WorstFit", "SegregatedSizeClasses"]
    highest = {name: int(row[0].replace(",", "")) for name, row in rows.items()}
    assert highest["FirstFit"] < highest["BestFit"] < highest["SegregatedSizeClasses"] < highest["WorstFit"]
    assert highest["WorstFit"] > 0.95 * policies_compared.CAPACITY
    inside = {name: float(row[1].rstrip("%")) for name, row in rows.items()}
    assert inside["SegregatedSizeClasses"] > 1.5 * inside["FirstFit"]
    assert {row[4] for row in rows.values()} == {"0"}
