"""The cost of a label is measured on programs that do what their rows say; no time is looked at."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import label_cost
from tests.m4alloc.native import need


def test_every_row_has_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need("cc", "gcc libc6-dev")
    monkeypatch.setattr(sys, "argv", ["label_cost", "--count", "1000", "--rounds", "1", "--folder", str(tmp_path)])
    label_cost.main()
    lines = capsys.readouterr().out.splitlines()
    names = [*label_cost.PROGRAMS, *label_cost.CALLS]
    assert [line.split("  ")[0] for line in lines[2 : 2 + len(names)]] == names
    assert all(float(line.split()[-2]) > 0 for line in lines[2 : 2 + len(names)])
    assert list(tmp_path.iterdir()) == [], "no trace is left"
