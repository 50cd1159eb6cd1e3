"""Heaps of designs that are not the solution's: right ones keep every promise, wrong ones are told what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from exercises.course.promise import BrokenPromise, judge
from exercises.course.steps import STEPS

HEAPS = Path(__file__).with_name("heaps.py")
GIVEN_BACK = "self.lengths.pop(address), self.head)"


def of(design: str, *changes: tuple[str, str]) -> ModuleType:
    """A student's module whose Heap is a class of heaps.py, changed."""
    text = HEAPS.read_text(encoding="utf-8")
    head, found, body = text.partition(f"class {design}")
    body, end, tail = body.partition("\n\n\nclass ")
    assert found
    for old, new in changes:
        assert body.count(old) == 1, f"{old!r} is in {design} {body.count(old)} times"
        body = body.replace(old, new)
    module = ModuleType(f"own_{design}")
    module.__file__ = str(HEAPS)
    sys.modules[module.__name__] = module
    exec(compile(head + found + body + end + tail, str(HEAPS), "exec", dont_inherit=True), module.__dict__)
    module.Heap = module.__dict__[design]  # type: ignore[attr-defined]
    return module


def broken(number: int, module: ModuleType) -> dict[str, tuple[BrokenPromise, str]]:
    """The broken promises of a step, with the hint that the student reads."""
    found = ((promise, judge(promise, module).broken) for promise in STEPS[number - 1].promises)
    return {promise.name: (one, one.hint or promise.hint) for promise, one in found if one is not None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "design"),
    [(1, "Linked"), (1, "BestFit")]
    + [(number, design) for number in (1, 2) for design in ("Bitmap", "Tree", "Tagged", "Sorted", "Late")],
)
def test_another_design_keeps_every_promise(number: int, design: str) -> None:
    assert {name: one.happened for name, (one, _) in broken(number, of(design)).items()} == {}


WRONG: dict[str, tuple[int, str, list[tuple[str, str]], str, str, str]] = {
    "a free loses the rest of the list": (
        1,
        "Linked",
        [(GIVEN_BACK, "self.lengths.pop(address))")],
        "used again",
        "the heap was full of 4 such blocks, and all of them were freed",
        "puts (address, address + length) back",
    ),
    "what lies before a taken range is unlinked": (
        1,
        "Linked",
        [
            (
                "                if before:\n                    before.following = rest\n                else:\n"
                "                    self.head = rest\n",
                "                self.head = rest\n",
            )
        ],
        "gap",
        "the aligned block skipped are free",
        "leaves two ranges",
    ),
    "the head stays when it is taken": (
        1,
        "Linked",
        [("                else:\n                    self.head = rest\n", "")],
        "apart",
        "live since event",
        "Three ways lead here",
    ),
    "a header of 16 bytes": (1, "Headers", [], "whole heap", "4096 bytes was refused", "no room for a header"),
    "a header that is not counted": (
        1,
        "Headers",
        [("UNIT) + self.HEADER", "UNIT)")],
        "inside",
        "not inside [0x10000, 0x11000)",
        "room",
    ),
    "a header that free does not know": (
        1,
        "Headers",
        [("start = address - self.HEADER", "start = address")],
        "apart",
        "live since event",
        "put back more than the block",
    ),
    "best fit that passes an exact fit over": (
        1,
        "BestFit",
        [("end - address >= length", "end - address > length")],
        "whole heap",
        "4096 bytes was refused",
        "with `<=`",
    ),
    "best fit that looks at the alignment too late": (
        1,
        "BestFit",
        [
            ("end - address >= length", "end - start >= length"),
            (
                "        self.ranges.remove(best)\n",
                "        if address + length > best[1]:\n            return 0\n" * 1
                + "        self.ranges.remove(best)\n",
            ),
        ],
        "next range",
        "no more than two blocks of 16 bytes are live",
        "work out the address first",
    ),
    "lists for each length that nothing leaves": (
        1,
        "ByLength",
        [],
        "used again",
        "4096 bytes were freed in one piece",
        "Lists for blocks of one length",
    ),
    "a bitmap that aligns within the heap": (
        1,
        "Bitmap",
        [("at = -self.base % alignment // UNIT", "at = 0")],
        "aligned",
        "aligned_alloc(8192, 16) returned 0x11000",
        "not its distance",
    ),
    "a bitmap that frees one unit too few": (
        2,
        "Bitmap",
        [("self.lengths.pop(address) // UNIT", "(self.lengths.pop(address) - 1) // UNIT")],
        "joins behind",
        "they are one range",
        "touches",
    ),
    "a tree that loses what is below": (
        2,
        "Tree",
        [("below = at.left or at.right", "below = at.left")],
        "joins both",
        "",
        "",
    ),
    "a footer that is forgotten at the cut": (
        2,
        "Tagged",
        [
            (
                "                    self.add(address + length, end)\n",
                "                    self.begins[address + length] = end\n                    self.ends[end] = start\n",
            )
        ],
        "apart",
        "live since event",
        "",
    ),
    "a footer that is forgotten at the free": (
        2,
        "Tagged",
        [("start = low\n        self.add(start, end)", "start = low\n        self.begins[start] = end")],
        "joins behind",
        "KeyError",
        "",
    ),
    "the first of a sorted list is no neighbour": (
        2,
        "Sorted",
        [("if at > 0 and", "if at > 1 and")],
        "joins before",
        "they are one range",
        "touches",
    ),
    "the last of a sorted list is no neighbour": (
        2,
        "Sorted",
        [("at < len(self.ranges) and", "at < len(self.ranges) - 1 and")],
        "joins behind",
        "they are one range",
        "touches",
    ),
    "a sorted list that is not kept in order": (
        2,
        "Sorted",
        [("self.ranges.insert(at, (start, end))", "self.ranges.append((start, end))")],
        "any order",
        "every block has been freed",
        "which two ranges touch",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_heap_of_another_design_is_told_what_is_wrong(mistake: str) -> None:
    number, design, changes, name, happened, hint = WRONG[mistake]
    found = broken(number, of(design, *changes))
    assert next(iter(found)) == name, list(found)
    one, told = found[name]
    assert happened in one.happened
    assert hint in told
