"""What every placement policy owes its allocator, and what each claims for itself."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Range
from spec.free import FreeRanges
from spec.policy import Anywhere, BestFit, FirstFit, Policy, SegregatedSizeClasses, default_classes

POLICIES: list[Policy] = [
    FirstFit(),
    BestFit(),
    Anywhere(),
    SegregatedSizeClasses(),
    SegregatedSizeClasses(classes=(16, 48, 64, 256), large_unit=128),
]
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)

BASE, SIZE = 0x10000, 0x4000
holes = st.lists(st.tuples(st.integers(0, SIZE // 16 - 1), st.integers(1, 200)), max_size=20)
alignments = st.sampled_from([16, 16, 32, 64, 512, 4096])


def arena(holes: list[tuple[int, int]], size: int = SIZE) -> FreeRanges:
    """An arena from which the first free part of each hole was taken."""
    free = FreeRanges(BASE, BASE + size)
    for first, count in holes:
        base = BASE + 16 * first
        found = free.covering(base)
        if found is not None:
            free.take(base, min(16 * count, found.top - base))
    return free


def fits(free: FreeRanges, usable: int, alignment: int) -> list[int]:
    """Every aligned address where the block fits, by trying each."""
    return [at for at in range(free.base, free.top, 16) if at % alignment == 0 and free.contains(at, usable)]


@every_policy
@given(holes=holes, size=st.integers(0, 5000), alignment=alignments)
def test_candidates_are_free_aligned_and_ascending_and_the_placed_one_is_among_them(
    policy: Policy, holes: list[tuple[int, int]], size: int, alignment: int
) -> None:
    free = arena(holes)
    before = free.key()
    usable = policy.usable(size, alignment)
    found = policy.candidates(free, usable, alignment)
    assert set(found) <= set(fits(free, usable, alignment))
    assert found == sorted(set(found))
    placed = policy.place(free, usable, alignment)
    assert placed in found if found else placed is None
    assert free.key() == before, "a policy only looks"


@every_policy
@given(st.lists(st.tuples(st.integers(0, 3000), alignments), max_size=30))
def test_blocks_placed_one_after_another_are_disjoint(policy: Policy, requests: list[tuple[int, int]]) -> None:
    free = arena([], 1 << 22)
    blocks = []
    for size, alignment in requests:
        usable = policy.usable(size, alignment)
        at = policy.place(free, usable, alignment)
        assert at is not None, "the arena is large enough"
        free.take(at, usable)
        blocks.append(Range(at, at + usable))
    assert all(first.top <= second.base for first, second in pairwise(sorted(blocks)))


@every_policy
@given(st.integers(0, 1 << 40), alignments)
def test_usable_covers_the_request_in_whole_units_and_rounds_once(policy: Policy, size: int, alignment: int) -> None:
    usable = policy.usable(size, alignment)
    assert usable >= max(size, 1) and usable % 16 == 0
    assert policy.usable(usable, alignment) == usable
    assert policy.usable(size + 1, alignment) >= usable


@pytest.mark.parametrize("policy", [FirstFit(), BestFit(), Anywhere()], ids=lambda policy: type(policy).__name__)
@given(holes=holes, size=st.integers(0, 5000), alignment=alignments)
def test_a_fit_policy_fails_only_when_nothing_fits(
    policy: Policy, holes: list[tuple[int, int]], size: int, alignment: int
) -> None:
    free = arena(holes)
    usable = policy.usable(size, alignment)
    assert (policy.place(free, usable, alignment) is None) == (not fits(free, usable, alignment))


@given(holes, st.integers(0, 5000), alignments)
def test_first_fit_takes_the_lowest_address_and_anywhere_lists_all(
    holes: list[tuple[int, int]], size: int, alignment: int
) -> None:
    free = arena(holes)
    usable = FirstFit().usable(size, alignment)
    everywhere = fits(free, usable, alignment)
    assert FirstFit().place(free, usable, alignment) == min(everywhere, default=None)
    assert Anywhere().candidates(free, usable, alignment) == everywhere


@given(holes, st.integers(0, 5000), alignments)
def test_best_fit_leaves_the_shortest_range_that_could_be_used(
    holes: list[tuple[int, int]], size: int, alignment: int
) -> None:
    free = arena(holes)
    usable = BestFit().usable(size, alignment)
    lengths = {}
    for at in fits(free, usable, alignment):
        around = free.covering(at)
        assert around is not None
        lengths[at] = around.top - around.base
    shortest = [at for at, length in lengths.items() if length == min(lengths.values())]
    chosen = BestFit().candidates(free, usable, alignment)
    assert set(chosen) <= set(shortest)
    assert BestFit().place(free, usable, alignment) == min(shortest, default=None)
    assert {free.covering(at) for at in chosen} == {free.covering(at) for at in shortest}


@given(st.lists(st.integers(1, 256), max_size=200))
def test_memory_of_one_size_class_is_never_shared_with_another(sizes: list[int]) -> None:
    policy = SegregatedSizeClasses(classes=(16, 48, 64, 256))
    free = arena([], 1 << 16)
    share = (1 << 15) // 4
    for size in sizes:
        usable = policy.usable(size, 16)
        at = policy.place(free, usable, 16)
        if at is None:
            continue
        free.take(at, usable)
        region = (at - BASE) // share
        assert region >= 4 or policy.classes[region] == usable
        assert region >= 4 or (at - BASE - region * share) % usable == 0


def test_a_full_size_class_goes_on_in_the_upper_half() -> None:
    policy = SegregatedSizeClasses(classes=(16, 64))
    free = arena([], 1 << 16)
    free.take(BASE + 0x4000, 0x4000)
    assert policy.candidates(free, 64, 16) == [BASE + 0x8000]
    free.take(BASE + 0x8000, 0x8000)
    assert policy.candidates(free, 64, 16) == []
    assert policy.place(free, 16, 16) == BASE, "the other class still has its region"


def test_an_aligned_request_takes_a_class_whose_slots_are_all_aligned() -> None:
    policy = SegregatedSizeClasses()
    assert policy.usable(100, 64) == 128
    assert policy.usable(100, 4096) == 4096
    assert policy.usable(33000, 16) == 36864, "whole pages above the last class"


def test_default_classes_round_by_a_quarter_at_most() -> None:
    classes = default_classes()
    assert classes[0] == 16 and classes[-1] == 32768
    assert all(large - small <= max(16, small // 4) for small, large in pairwise(classes))


@pytest.mark.parametrize(
    ("classes", "named"),
    [((), "there must be some"), ((32, 16), "each larger"), ((16, 16), "each larger"), ((8, 16), "multiple of 16")],
)
def test_size_classes_that_make_no_sense_are_refused(classes: tuple[int, ...], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        SegregatedSizeClasses(classes=classes)
