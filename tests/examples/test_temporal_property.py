"""A block that outlives its request violates a property of one's own; one that is never freed violates two."""

from __future__ import annotations

import pytest

from examples import temporal_property


def test_a_late_free_and_a_leak_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    temporal_property.main()
    told = capsys.readouterr().out
    good, late, leak = told.split("\n\n")[0], *told.split("\n\n")[1:3]
    assert good.count("HOLDS") == 4
    assert "VIOLATED  freed before the request ends at event 13" in late
    assert "HOLDS     every block is freed" in late
    assert leak.count("VIOLATED") == 2
    assert "VIOLATED  every block is freed" in leak
    assert "a table of 3 states" in told
