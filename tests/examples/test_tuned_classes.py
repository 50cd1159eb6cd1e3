"""The best sixteen classes waste less than the default's forty, and the core's count agrees."""

from __future__ import annotations

import pytest

import m4alloc
from examples import tuned_classes


@pytest.mark.skipif(m4alloc.backend != "fast", reason="strategies are the core's")
def test_sixteen_fitting_classes_waste_less_than_forty_others(capsys: pytest.CaptureFixture[str]) -> None:
    tuned_classes.main()
    told = capsys.readouterr().out
    assert "8,000 calls, 4,000 blocks, 1 thread" in told
    default = float(told.partition("classes waste ")[2].partition("%")[0])
    best = float(told.partition("16: ")[2].partition("%")[0])
    assert best < default / 2
    before, after = (int(line.split()[4].replace(",", "")) for line in told.splitlines()[-2:])
    assert after < 0.93 * before
