"""Wrong heaps that once passed: each is caught by the promise that is about its mistake."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from capability.architecture import UnrepresentableError
from capability.cheri.isa import CHERIOT, ISAV9_128, MORELLO
from capability.cheri.protection import Cheri
from capability.memory import TaggedMemory
from capability.perms import DATA
from capability.word import align_up
from exercises.course.promise import Result
from exercises.course.steps import STEPS
from exercises.course.telling import told_broken

Judge = Callable[..., Any]
FREE = "        if address:\n"
REST = "if low < high]"
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
    "short rests are dropped": (1, REST, "if high - low >= 64]", "rest"),
    "a rest of one unit is dropped": (1, REST, "if high - low > UNIT]", "rest"),
    "a short gap is dropped": (
        1,
        "[(start, address), (",
        "[*([(start, address)] if address - start >= 64 else []), (",
        "rest",
    ),
    "the rest begins at a multiple of the alignment": (
        1,
        "(address + length, end)]",
        "(address + length + -(address + length) % alignment, end)]",
        "rest",
    ),
    "a table of 64 free ranges": (1, FREE, "        if address and len(self.ranges) < 64:\n", "used again"),
    "free(0) frees the first block": (
        1,
        FREE,
        "        if not address:\n            self.ranges.append((0x10000, 0x10010))\n" + FREE,
        "free(0)",
    ),
    "a short range is no neighbour and lost": (
        2,
        "self.ranges = [(start, end), *apart]",
        "self.ranges = [(start, end), *(one for one in apart if one[1] - one[0] != 48)]",
        "nothing lost",
    ),
    "joins in short lists alone": (
        2,
        "if high == start:",
        "if high == start and len(self.ranges) < 4:",
        "any order",
    ),
    "a refusal keeps the place": (3, "                self.space.free(base)\n", "", "representable"),
    "padded in length alone": (
        3,
        "aligned_alloc(granule, l",
        "aligned_alloc(self.architecture.granule, l",
        "representable",
    ),
    "no pointers may be stored": (
        3,
        "import DATA\n",
        "import DATA as ALL, Perms\nDATA = ALL & ~Perms.PERMIT_STORE_CAP\n",
        "data only",
    ),
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
    "padding is not zeroed": (4, "issued.top - issued.base, 0)", "issued.top - issued.base - 8, 0)", "stale contents"),
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


def test_bounds_that_are_refused_for_ever_are_told_as_a_history_and_not_as_a_loop(judged: Judge) -> None:
    change = ("length = align_up(max(size, 1), granule)", "length = align_up(max(size, 1), self.architecture.granule)")
    found = judged(3, change, promises=("representable",))["representable"]
    assert found.history[1] == "a = malloc 65537  <- here"
    assert "derive was refused 8 times in one call" in found.happened
    assert "65552 bytes at 0x10000 have no exact bounds: both must be multiples of 128" in found.happened


def test_a_refused_free_that_loses_the_block_is_told_to_look_before_it_takes(judged: Judge) -> None:
    taken = ("issued = self.pointers.get(pointer.address)", "issued = self.pointers.pop(pointer.address, None)")
    restored = (
        "        super().free(pointer)\n",
        "        self.pointers[pointer.address] = issued\n        super().free(pointer)\n",
    )
    found = judged(4, taken, restored, promises=("believed",))["believed"]
    assert "it then refused the right one, too" in found.happened
    assert found.history[-1] == "free a  <- here"
    assert "with .get" in found.hint


def test_a_padded_and_aligned_block_is_not_refused_again() -> None:
    draw = random.Random(3)
    for isa in (ISAV9_128, MORELLO, CHERIOT):
        memory = TaggedMemory(0x10000, 1 << 25, capability_granule=isa.format.capability_bytes)
        for _ in range(400):
            size = draw.randrange(1, 1 << draw.randrange(4, 24))
            try:
                Cheri(isa).derive(memory, 0x10000, align_up(size, 16), DATA)
            except UnrepresentableError as refusal:
                base = 0x10000 + refusal.granule  # aligned no better than it has to be
                Cheri(isa).derive(memory, base, align_up(size, refusal.granule), DATA)


def test_what_lies_outside_is_told_with_the_size_asked_for(judged: Judge) -> None:
    wraps = ("max(size + -size % UNIT, UNIT)", "max(size + -size % UNIT, UNIT) % (1 << 32)")
    found = judged(1, wraps, promises=("refused",))["refused"]
    assert "1099511627776 bytes at 0x10000 are not all in [0x10000, 0x11000)" in found.happened


def test_a_byte_that_is_not_zero_is_told_as_it_is(judged: Judge) -> None:
    found = judged(4, ("issued.top - issued.base, 0)", "issued.top - issued.base, 0xDD)"), promises=("stale contents",))
    assert "Byte 0 of c is 0xdd, not 0." in found["stale contents"].happened


def test_a_quarantine_that_keeps_memory_for_ever_is_not_told_to_zero_it(judged: Judge) -> None:
    kept = "        while self.waiting:\n            self.space.free(self.waiting.popleft())\n        return some"
    found = judged(4, (kept, "        return some"), promises=("stale contents",))
    assert "the quarantine is emptied" in found["stale contents"].hint


def test_a_long_history_is_told_by_its_ends(judged: Judge) -> None:
    found = judged(1, (FREE, "        if address and len(self.ranges) < 64:\n"), promises=("used again",))["used again"]
    assert len(found.history) > 200
    told = told_broken(Result(next(one for one in STEPS[0].promises if one.name == "used again"), found))
    assert len(told) < 40
    assert any("lines ..." in line for line in told)


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
        (
            3,
            "aligned_alloc(granule, l",
            "aligned_alloc(self.architecture.granule, l",
            "representable",
            "both, and then",
        ),
        (5, "block.top - block.base", "block.length", "says so", "slip of the pen"),
        (5, "> WAIT:", "> 9999:", "ends", "longer than WAIT"),
    ],
)
def test_the_hint_is_about_what_went_wrong(
    judged: Judge, number: int, old: str, new: str, name: str, hint: str
) -> None:
    assert hint in judged(number, (old, new), promises=(name,))[name].hint
