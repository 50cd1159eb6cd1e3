"""Step 1: the starter shows the feedback at work, the solution is done, and typical mistakes are told apart."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from exercises.course import promise
from exercises.course.promise import BrokenPromise, Promise, judge

Judge = Callable[..., Any]
SPLIT = "(address + length, end)]"
MISTAKES = {
    "off-by-one-split": (
        SPLIT,
        "(address + length - 16, end)]",
        "apart",
        "16 bytes into block #1",
        "begins where the block",
    ),
    "lost-alignment": ("start + -start % alignment", "start", "aligned", "is no multiple of", "Round the start"),
    "no-bounds-check": ("address + length <= end", "length", "inside", "does not lie inside the heap", "room"),
    "never-exact": ("address + length <= end", "address + length < end", "whole heap", "4096 bytes", "Off by one"),
    "gap-lost": (
        "[(start, address), ",
        "[",
        "gap",
        "though the 960 bytes that the aligned block skipped",
        "leaves two ranges",
    ),
    "rounded-down": ("size + -size % UNIT", "size - size % UNIT", "large enough", "usable", "rounded up, never down"),
    "never-back": ("self.ranges.insert(0, (", "sorted((", "used again", "2048 bytes", "puts"),
    "null-freed": ("if address:", "if True:", "free(0)", "KeyError: 0, in free()", "null pointer"),
}


def test_the_starter_breaks_alignment_first_and_says_so_in_two_lines_of_history(judged: Judge) -> None:
    found = judged(1, starter=True)
    assert list(found) == ["aligned", "inside", "apart", "refused", "whole heap", "used again"]
    assert found["aligned"].history == (
        "a = malloc 1 -> 0x10000 usable 1",
        f"{'b = malloc 1 -> 0x10001 usable 1':<40}  <- here",
    )
    assert "0x10001, which is no multiple of 16" in found["aligned"].happened


def test_the_solution_keeps_every_promise(judged: Judge) -> None:
    assert judged(1) == {}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_gets_its_own_feedback(judged: Judge, mistake: str) -> None:
    old, new, name, happened, hint = MISTAKES[mistake]
    found = judged(1, (old, new), promises=(name,))
    assert name in found, list(found)
    broken = found[name]
    assert happened in broken.happened
    told = broken.hint or next(one.hint for one in promise_list() if one.name == name)
    assert hint in told
    assert len(broken.history) <= 6


def promise_list() -> tuple[Promise, ...]:
    from exercises.course.free_list import PROMISES

    return PROMISES


def test_a_heap_that_never_answers_is_stopped_at_the_line_where_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promise, "SECONDS", 0.05)

    def hang(module: ModuleType) -> None:
        while True:
            pass

    broken = judge(Promise("ends", "It ends.", "", hang), ModuleType("heap")).broken
    assert isinstance(broken, BrokenPromise)
    assert broken.happened == "The heap had not answered after 0.05 seconds."
