"""One guess of fifteen succeeds, half of all tens do; odd and even tags stop overflows and are guessed more easily."""

from __future__ import annotations

import pytest

from examples import tag_guessing_odds


def test_the_odds_of_guessing_are_exact_and_the_simulation_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    tag_guessing_odds.main()
    told = capsys.readouterr().out
    rows = {
        line.split()[0]: line.split()[1:] for line in told.splitlines() if line.startswith("mte-") and "," not in line
    }
    assert rows["mte-glibc"] == ["1/15", "0.4984", "2/3", "1/15", "1/15"]
    assert rows["mte-scudo-odd-even"] == ["1/8", "0.7369", "5/8", "0", "0"]
    assert rows["mte-hardened_malloc"][3:] == ["0", "0"]
    assert abs(int(told.partition("exactly, ")[2].split()[0]) / tag_guessing_odds.TRIALS - 0.498) < 0.1
    assert "0.5:  11 if tags are drawn anew,   8 if they stay" in told
