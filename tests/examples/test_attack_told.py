"""The same stale store passes, does no harm, and is caught with certainty or with 14/15."""

from __future__ import annotations

import pytest

from examples import attack_told


def test_one_attack_ends_in_four_ways(capsys: pytest.CaptureFixture[str]) -> None:
    attack_told.main()
    told = capsys.readouterr().out
    endings = [line for line in told.splitlines() if "all runs: " in line]
    assert [line.partition("all runs: ")[2] for line in endings] == [
        "missed 1",
        "harmless 1",
        "caught 1",
        "caught 14/15, missed 1/15",
    ]


def test_any_other_attack_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert attack_told.main("double-free", "isav9") == 0
    assert "caught at step 3 by the allocator" in capsys.readouterr().out


def test_a_name_that_nobody_knows_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert attack_told.main("double-fre") == 2
    assert "double-fre: the names are linear-overflow" in capsys.readouterr().err
