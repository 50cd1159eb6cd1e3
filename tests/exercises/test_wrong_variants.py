"""Wrong heaps that once passed: each is caught by the promise that is about its mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Judge = Callable[..., Any]
FREE = "        if address:\n"
GIVE = "            self.space.free(block.base)\n"
FILL = "        self.memory.fill(issued.base, issued.top - issued.base, 0)\n"
MASK = "mask_of(0, site.before(), site.after())"
SAY = '        self.say("quarantine_end", base)\n'
WRONG: dict[str, tuple[int, str, str, str]] = {
    "only small alignments": (
        1,
        "alignment = max(alignment, UNIT)",
        "alignment = max(alignment if alignment <= 256 else 1, UNIT)",
        "aligned",
    ),
    "no block of 0 bytes": (
        1,
        "        alignment = max",
        "        if not size:\n            return 0\n        alignment = max",
        "whole heap",
    ),
    "the small never come back": (1, FREE, "        if address and self.lengths[address] > 16:\n", "used again"),
    "the large never come back": (1, FREE, "        if address and self.lengths[address] <= 2048:\n", "used again"),
    "the lowest never comes back": (1, FREE, "        if address > 0x10000:\n", "used again"),
    "the highest never comes back": (
        1,
        FREE,
        "        if address and address + self.lengths[address] < 0x11000:\n",
        "used again",
    ),
    "padding never comes back": (1, "= length\n                return", "= size\n                return", "used again"),
    "a cut loses the next range": (1, "index : index + 1]", "index : index + 2]", "used again"),
    "free(0) frees the first block": (
        1,
        FREE,
        "        if not address:\n            self.ranges.append((0x10000, 0x10010))\n" + FREE,
        "free(0)",
    ),
    "joins in short lists alone": (
        2,
        "if high == start:",
        "if high == start and len(self.ranges) < 4:",
        "any order",
    ),
    "a refusal keeps the place": (3, "                self.space.free(base)\n", "", "representable"),
    "no pointer to 0 bytes": (
        3,
        "        granule = self.arch",
        "        if not size:\n            return None\n        granule = self.arch",
        "representable",
    ),
    "gives back twice": (
        3,
        GIVE,
        GIVE + "            self.space.ranges.append((block.base, block.top))\n",
        "comes back",
    ),
    "drops small ranges": (
        3,
        GIVE,
        "            if block.top - block.base > 64:\n    " + GIVE,
        "comes back",
    ),
    "free(None) is an error": (3, "        if pointer is not None:\n", "        if True:\n", "comes back"),
    "free never examines": (4, "        self.examine(self.memory, pointer, issued)\n", "", "believed"),
    "rights are not compared": (
        4,
        "given != issued:",
        "given.base != issued.base or given.top != issued.top:",
        "believed",
    ),
    "zeroes large blocks alone": (
        4,
        FILL,
        "        if issued.top - issued.base > 64:\n    " + FILL,
        "stale contents",
    ),
    "the youngest leaves first": (
        4,
        "> WAITING:\n            self.space.free(self.waiting.popleft())",
        "> WAITING:\n            self.space.free(self.waiting.pop())",
        "reuse",
    ),
    "the queue loses blocks": (
        4,
        "> WAITING:\n            self.space.free(self.waiting.popleft())",
        "> WAITING:\n            self.waiting.popleft()",
        "comes back",
    ),
    "tag 0 is drawn": (4, MASK, "mask_of(site.before(), site.after())", "after free"),
    "the neighbour behind is forgotten": (4, MASK, "mask_of(0, site.before())", "neighbours"),
    "says it twice": (5, SAY, SAY + SAY, "once"),
    "says it at the free": (
        5,
        "queue.append(block.base)\n",
        "queue.append(block.base)\n    " + SAY.replace("base)", "block.base)"),
        "waits",
    ),
    "says it of another address": (5, '_end", base)', '_end", base + 1)', "once"),
    "counts sizes that are alike": (5, "block.top - block.base", "(block.top - block.base - 1).bit_length()", "waits"),
    "the large do not wait": (5, "> WAIT:", "> WAIT or block.top - block.base > 4096:", "waits"),
    "the large wait for ever": (5, "> WAIT:", "> WAIT and block.top - block.base < 4096:", "ends"),
    "forgets what waits for a sweep": (
        5,
        "        self.sweep()\n",
        "        for queue in self.queues.values():\n            while queue:\n                self.end(queue)\n",
        "ends",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_heap_breaks_the_promise_that_is_about_its_mistake(judged: Judge, mistake: str) -> None:
    number, old, new, name = WRONG[mistake]
    assert name in judged(number, (old, new), promises=(name,))


def test_a_model_of_one_block_is_no_model_of_a_janitor_with_a_favourite(judged: Judge) -> None:
    found = judged(5, model=(("const BLOCKS = 2", "const BLOCKS = 1"),), promises=("model lives",))
    assert "no two blocks" in found["model lives"].happened


def test_a_heap_that_ends_the_program_has_not_done_the_step(judged: Judge) -> None:
    found = judged(1, (FREE, "        raise SystemExit(0)\n        if address:\n"), promises=("returns", "used again"))
    assert "SystemExit: 0" in found["returns"].happened


@pytest.mark.parametrize(
    ("number", "old", "new", "name", "hint"),
    [
        (1, FREE, "        if adress:\n", "returns", "slip of the pen"),
        (1, FREE, "        if True:\n", "returns", "0 is the null pointer"),
        (5, "block.top - block.base", "block.length", "says so", "slip of the pen"),
        (5, "> WAIT:", "> 9999:", "ends", "longer than WAIT"),
    ],
)
def test_the_hint_is_about_what_went_wrong(
    judged: Judge, number: int, old: str, new: str, name: str, hint: str
) -> None:
    assert hint in judged(number, (old, new), promises=(name,))[name].hint
