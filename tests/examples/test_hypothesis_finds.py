"""Sizes that are multiples of 16 find nothing, any sizes find the fault in three requests, the mended line none."""

from __future__ import annotations

import pytest

from examples import hypothesis_finds


@pytest.mark.slow
def test_any_sizes_find_what_round_sizes_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    hypothesis_finds.main()
    told = capsys.readouterr().out
    assert told.startswith("sizes that are multiples of 16: nothing found\n")
    script = told[told.index("given standard") :].splitlines()
    assert "realloc a" in told
    assert any("! violates " in line for line in script[2:6])
    assert told.endswith("the line mended, any sizes: nothing found\n")
