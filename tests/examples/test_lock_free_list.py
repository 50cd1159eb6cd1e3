"""Compare-and-swap is not enough, a counter only makes the failure longer, and a lock holds in every run."""

from __future__ import annotations

import pytest

from examples import lock_free_list


def test_only_the_lock_holds_and_each_failure_is_longer_than_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    lock_free_list.main()
    told = capsys.readouterr().out
    parts = told.split("\n\n")[1:]
    assert [part.split(",")[0] for part in parts] == [
        "bare: VIOLATED",
        "compare-and-swap: VIOLATED",
        "and a counter: VIOLATED",
        "locked: HOLDS",
    ]
    bare, swap, counter, locked = (part.count("\n  thread") for part in parts)
    assert (bare, locked) == (6, 0)
    assert bare < swap < counter
    assert "gives a block back" in parts[1]
