"""A search says how much of its time is over, by itself."""

from __future__ import annotations

import time

import pytest

from m4alloc.check.progress import Silent
from m4alloc.superopt.run_progress import Seconds


class Noted(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def phase(self, name: str, total: int | None = None) -> None:
        self.told.append((name, total))

    def advance(self, done: int) -> None:
        self.told.append(done)


@pytest.mark.slow
def test_phases_are_named_after_what_is_searched_and_seconds_pass() -> None:
    noted = Noted()
    with Seconds(noted, "@f", 9.6) as shown:
        shown.phase("rules")
        time.sleep(1.3)
    assert noted.told[:2] == [("@f: rules", 10), 0] and noted.told[2:] == [1]
    time.sleep(1.1)
    assert noted.told[2:] == [1]


@pytest.mark.slow
def test_no_more_seconds_are_told_than_there_are() -> None:
    noted = Noted()
    with Seconds(noted, "@f", 0.2):
        time.sleep(2.2)
    assert set(noted.told) == {1}
