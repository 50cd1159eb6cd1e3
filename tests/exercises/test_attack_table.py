"""Step 4: what a heap and its tags do not withstand is told as a run of the attack, with exact odds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Judge = Callable[..., Any]
FILL = "        self.memory.fill(issued.base, issued.top - issued.base, 0)\n"
COMPARE = "        if given != issued:\n"
MISTAKES = {
    "no-look-up": (
        [('raise Misuse("double-free", f"no block is live at {pointer.address:#x}")', "return")],
        "wrong frees",
        "2. free 0xdead0000",
    ),
    "nothing-zeroed": ([(FILL, "")], "stale contents", "Byte 0 of c is 0x5e"),
    "half-zeroed": ([("issued.top - issued.base, 0", "16, 0")], "stale contents", "Byte 16 of c is 0x5e"),
    "no-quarantine": ([("WAITING = 8", "WAITING = 0")], "reuse", "This always succeeds"),
    "believes-any-pointer": (
        [
            ("self.architecture.check(memory, given, issued.address, 1, Access.LOAD)", "pass"),
            (COMPARE, "        if 0:\n"),
        ],
        "believed",
        "a is freed",
    ),
    "narrow-is-enough": ([(COMPARE, "        if 0:\n")], "believed", "narrowed"),
    "neighbours-alike": (
        [("mask_of(0, site.before(), site.after())", "mask_of(0)")],
        "neighbours",
        "fails with probability 14/15, not 1",
    ),
    "keeps-its-tag": (
        [("        return 0\n", "        return site.common_tag()\n")],
        "after free",
        "This always succeeds",
    ),
    "counts": (
        [("site.draw(mask_of(0, site.before(), site.after()))", "1 + max(site.before(), site.after()) % 15")],
        "guess",
        "You expect tag-guess to fail with probability 14/15; it is more",
    ),
    "wrong-odds": ([("Fraction(13, 14)", "Fraction(14, 15)")], "guess", "You expect distant-overflow"),
}


def test_the_starter_is_attacked_on_three_machines(judged: Judge) -> None:
    found = judged(4, starter=True)
    assert list(found) == ["wrong frees", "stale contents", "reuse", "believed", "neighbours", "after free", "guess"]
    assert "KeyError: 65536" in found["wrong frees"].happened
    assert found["reuse"].history[0] == "use-after-reuse-read, on a machine without protection"
    assert found["reuse"].history[-1].endswith("<- here")
    assert "forged-free, on CHERI (ISAv9 128)" in found["believed"].history


@pytest.mark.slow
def test_the_solution_survives_the_table(judged: Judge) -> None:
    assert judged(4) == {}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_typical_mistake_gets_its_own_feedback(judged: Judge, mistake: str) -> None:
    changes, name, happened = MISTAKES[mistake]
    found = judged(4, *changes, promises=(name,))
    assert name in found
    assert happened in "\n".join((*found[name].history, found[name].happened)), found[name].happened
