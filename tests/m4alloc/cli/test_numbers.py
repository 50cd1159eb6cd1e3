"""Numbers look the same whatever prints them: thousands apart by commas, times in the largest unit that fits."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

from m4alloc.cli import replay
from m4alloc.model import text
from m4alloc.model.check import model


def test_a_replay_tells_large_numbers_in_groups_and_three_digits() -> None:
    result = SimpleNamespace(
        allocator="system", seconds=0.00116177, all_seconds=(0.00116177,), peak_bytes=573_440, failures=12_345
    )
    report: Any = SimpleNamespace(results=[result], requests=1000, images=1, skipped=1234)
    told = "\n".join(replay.lines(report))
    assert "1,000 requests" in told and "1,234 calls could not be made again" in told
    assert " 1.16 ms " in told and " 1,162 " in told and " 573 kB " in told and "12,345" in told


def test_a_model_tells_short_times_in_a_unit_that_shows_them() -> None:
    report = model("peterson", properties=["exclusive"], engine="own")
    (answer,) = report.answers
    quick = answer.result._replace(seconds=0.00461)
    shown = "\n".join(text.lines(dataclasses.replace(report, answers=(dataclasses.replace(answer, result=quick),))))
    assert ", 4.61 ms (" in shown
