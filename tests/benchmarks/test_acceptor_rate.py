"""The benchmark of the acceptor runs, on correct histories, and says what it measured; no test looks at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.acceptor_rate import history, main, records_of
from m4alloc.check import accept
from m4alloc.trace.read import decode
from tests.m4alloc.traces import write_trace

pytestmark = pytest.mark.skipif(not accept.COMPILED, reason="make build")


def test_every_history_is_judged_by_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_trace(tmp_path / "p.1.0", history(50, 0, 1), pid=1)
    words = ["--events", "800", "--rounds", "1", "--trace", str(tmp_path / "p.1.0"), "--json", str(tmp_path / "json")]
    assert main(words) == 0
    rates = json.loads((tmp_path / "json").read_text())["rates"]
    assert {"one thread: compiled", "one thread: pure Python", "p.1: compiled"} <= set(rates)
    assert all(rate > 0 for rate in rates.values())
    assert "times the pure one" in capsys.readouterr().out


def test_records_hold_the_events() -> None:
    events = history(400, 0, 3)
    assert list(decode(records_of(events))) == events
