"""The benchmark of `check` runs and counts something in every row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.check_rate import main
from m4alloc import _backend

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")


@pytest.mark.slow
def test_every_row_has_a_rate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--seconds", "0.1", "--depth", "2", "--json", str(tmp_path / "rates.json")])
    rates = json.loads((tmp_path / "rates.json").read_text(encoding="utf-8"))
    assert len(rates) == 7 and all(rate > 0 for rate in rates.values())
    printed = capsys.readouterr().out
    assert all(name in printed for name in rates)
