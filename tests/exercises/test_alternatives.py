"""What is right in another way than the solutions is right: no promise asks for one design."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from exercises.course.promise import judge
from exercises.course.steps import STEPS

Judge = Callable[..., Any]
SEARCH = "for index, (start, end) in enumerate(self.ranges):"
BY_LENGTH = "sorted(enumerate(self.ranges), key=lambda one: one[1][1] - one[1][0])"
FILL = "        self.memory.fill(issued.base, issued.top - issued.base, 0)\n"
AT_MALLOC = """    def malloc(self, size: int) -> Pointer | None:
        pointer = super().malloc(size)
        if pointer is not None:
            self.memory.fill(pointer.base, pointer.top - pointer.base, 0)
        return pointer

    def free(self, pointer"""
RIGHT: dict[str, tuple[int, list[tuple[str, str]]]] = {
    "best-fit": (1, [(SEARCH, SEARCH.replace("enumerate(self.ranges)", BY_LENGTH))]),
    "worst-fit": (1, [(SEARCH, SEARCH.replace("enumerate(self.ranges)", f"reversed({BY_LENGTH})"))]),
    "from-the-top": (
        1,
        [
            ("start + -start % alignment", "(end - length) // alignment * alignment"),
            ("if address + length <= end:", "if address >= start:"),
        ],
    ),
    "sixty-four-bytes-each": (1, [("size + -size % UNIT, UNIT", "size + -size % 64, 64")]),
    "refuses-by-exception": (1, [("        return 0\n\n    def free", "        raise MemoryError\n\n    def free")]),
    "sorted-list": (2, [("self.ranges = [(start, end), *apart]", "self.ranges = sorted([(start, end), *apart])")]),
    "bounds-to-the-byte": (
        3,
        [
            (
                "        granule = self.architecture.granule\n",
                "        granule, refused = self.architecture.granule, False\n",
            ),
            ("length = align_up(max(size, 1), granule)", "length = align_up(max(size, 1), granule if refused else 1)"),
            ("granule = refusal.granule", "granule, refused = refusal.granule, True"),
        ],
    ),
    "pages-each": (3, [("granule = self.architecture.granule", "granule = max(self.architecture.granule, 4096)")]),
    "zeroes-at-malloc": (4, [(FILL, ""), ("    def free(self, pointer", AT_MALLOC)]),
    "waits-for-twenty": (4, [("WAITING = 8", "WAITING = 20")]),
    "longer-formula": (
        5,
        [
            (
                "[](free -> (!malloc U quarantine_end))",
                "[](free -> <>quarantine_end) && [](free -> (!malloc W quarantine_end))",
            )
        ],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("design", RIGHT)
def test_another_right_design_keeps_every_promise(judged: Judge, design: str) -> None:
    number, changes = RIGHT[design]
    found = judged(number, *changes)
    assert found == {}, found.told()


@pytest.mark.parametrize("policy", ["HardenedMalloc", "Xzone"])
def test_the_tags_of_real_allocators_pass(judged: Judge, policy: str) -> None:
    found = judged(
        4,
        ("from capability.mte.policy import Odds", f"from capability.mte.policy import Odds, {policy}"),
        ("ODDS = {", f"Tags = {policy}\nODDS = {{"),
        promises=("neighbours", "after free", "guess"),
    )
    assert found == {}, found.told()


class Buddy:
    """A buddy system: blocks of a power of two, which are cut in halves, and joined with their other half alone."""

    def __init__(self, base: int, size: int) -> None:
        self.free_at: defaultdict[int, list[int]] = defaultdict(list)
        self.orders: dict[int, int] = {}
        while size:
            order = min((base & -base).bit_length(), size.bit_length()) - 1
            self.free_at[order].append(base)
            base, size = base + (1 << order), size - (1 << order)

    def malloc(self, size: int) -> int:
        return self.aligned_alloc(16, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        wanted = (max(alignment, size, 16) - 1).bit_length()
        order = next((order for order in range(wanted, 64) if self.free_at[order]), 0)
        if not order:
            return 0
        address = self.free_at[order].pop()
        while order > wanted:
            order -= 1
            self.free_at[order].append(address + (1 << order))
        self.orders[address] = order
        return address

    def free(self, address: int) -> None:
        if not address:
            return
        order = self.orders.pop(address)
        while (other := address ^ 1 << order) in self.free_at[order]:
            self.free_at[order].remove(other)
            address, order = min(address, other), order + 1
        self.free_at[order].append(address)

    def usable_size(self, address: int) -> int:
        return 1 << self.orders[address] if address in self.orders else 0


@pytest.mark.parametrize("number", [1, 2])
def test_a_buddy_system_is_a_free_list_that_joins(number: int) -> None:
    module = ModuleType("buddy")
    module.Heap = Buddy  # type: ignore[attr-defined]
    broken = {one.name: found.happened for one in STEPS[number - 1].promises if (found := judge(one, module).broken)}
    assert broken == {}


def test_addresses_from_a_buddy_system_can_be_given_capabilities(
    judged: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exercises.solutions.step2_coalescing.Heap", Buddy)
    found = judged(3)
    assert found == {}, found.told()
