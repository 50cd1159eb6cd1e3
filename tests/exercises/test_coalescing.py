"""Step 2: joining in one direction only, with the wrong neighbours, or twice, is told apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Judge = Callable[..., Any]
FORWARDS = "            if high == start:\n                start = low\n            elif low == end:"
BACKWARDS = "            elif low == end:\n                end = high\n"
KEPT = "            else:\n                apart.append((low, high))"
ONE_OF_TWO = (
    "        apart = []\n        for low, high in self.ranges:\n            if high",
    "        apart, whole = [], (start, end)\n        for low, high in self.ranges:\n"
    "            if (start, end) != whole:\n                apart.append((low, high))\n            elif high",
)
MISTAKES = {
    "joins-behind-only": ((FORWARDS, "            if low == end:"), "joins before", "b begins where a"),
    "joins-before-only": ((BACKWARDS, ""), "joins behind", "a ends where b"),
    "joins-one-of-two": (ONE_OF_TWO, "joins both", "b fills the hole between two free ranges"),
    "off-by-one-neighbour": (("high == start", "high + 16 == start"), "joins before", "b begins where a"),
    "joins-whatever-is-next": (("high == start", "high <= start"), "only neighbours", "b is live, and lies between"),
    "keeps-what-it-joined": ((KEPT, "            apart.append((low, high))"), "once", "four blocks of a quarter"),
}


def test_the_starter_frees_without_joining_and_the_history_has_two_blocks(judged: Judge) -> None:
    found = judged(2, starter=True)
    assert list(found) == ["joins behind", "joins before", "joins both", "any order", "nothing lost"]
    assert [line.split(" <-")[0].strip() for line in found["joins behind"].history] == [
        "a = malloc 2048 -> 0x10000 usable 2048",
        "b = malloc 2048 -> 0x10800 usable 2048",
        "free b",
        "free a",
        "malloc 4096 -> NULL",
    ]


def test_the_solution_keeps_every_promise(judged: Judge) -> None:
    assert judged(2) == {}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_gets_its_own_feedback(judged: Judge, mistake: str) -> None:
    change, name, happened = MISTAKES[mistake]
    found = judged(2, change, promises=(name,))
    assert name in found, list(found)
    assert happened in found[name].happened
