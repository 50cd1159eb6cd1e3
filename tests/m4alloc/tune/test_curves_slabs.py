"""Slabs of each class: bounds, and the packing that knows the future."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.tune.curves_pieces import LARGE, Pieces, pieces
from m4alloc.tune.curves_slabs import best_slab_bytes, default_slab_bytes, slab_bounds
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads

CLASSES = (16, 128, 8192, 49152)
UNIT = 65536


def level(parts: Pieces, c: int, call: int) -> int:
    return int(((parts.slot == c) & (parts.begin <= call) & (parts.end > call)).sum())


def packed(parts: Pieces, c: int, slots: int) -> list[int]:
    """Slabs held after each call, when each block goes where it prolongs the life of a slab least; slab by slab."""
    slabs: list[set[int]] = []
    held = []
    for call in range(parts.calls):
        slabs = [alive for slab in slabs if (alive := {piece for piece in slab if parts.end[piece] != call})]
        for piece in range(len(parts)):
            if parts.begin[piece] == call and parts.slot[piece] == c:
                ends = [
                    (max(int(parts.end[one]) for one in slab), n) for n, slab in enumerate(slabs) if len(slab) < slots
                ]
                later = [one for one in ends if one[0] >= parts.end[piece]]
                if ends:
                    slabs[(min(later) if later else max(ends))[1]].add(piece)
                else:
                    slabs.append({piece})
        held.append(len(slabs))
    return held


@given(workloads(most=60))
@settings(max_examples=60, deadline=None)
def test_bounds_and_levels_are_those_of_counting_after_each_call(work: Workload) -> None:
    parts = pieces(work, CLASSES)
    bounds = slab_bounds(work, CLASSES)
    total = [0] * parts.calls
    for c, row in enumerate(bounds.classes):
        live = [level(parts, c, call) for call in range(parts.calls)]
        slabs = [math.ceil(count / row.slots) for count in live]
        assert row.slots == row.slab_bytes // row.slot_size
        assert (row.peak, row.least) == (max(live, default=0), max(slabs, default=0))
        assert row.least_mean == pytest.approx(sum(slabs) / max(1, parts.calls))
        total = [before + count * row.slab_bytes // UNIT for before, count in zip(total, slabs, strict=True)]
    large, used = [0] * parts.calls, [0] * parts.calls
    for piece in range(len(parts)):
        for call in range(int(parts.begin[piece]), int(parts.end[piece])):
            if parts.slot[piece] >= 0:
                used[call] += CLASSES[parts.slot[piece]]
            elif parts.slot[piece] == LARGE:
                total[call] += math.ceil(int(parts.size[piece]) / UNIT)
                used[call] += math.ceil(int(parts.size[piece]) / 4096) * 4096
                large[call] += math.ceil(int(parts.size[piece]) / 4096) * 4096
    changes = [(int(work.time_ms[n]), one) for n, one in enumerate(total) if one != (total[n - 1] if n else 0)]
    assert list(zip(bounds.time_ms.tolist(), bounds.units.tolist(), strict=True)) == changes
    assert bounds.peak == max(total, default=0) * UNIT
    assert bounds.used_peak == max(used, default=0)
    assert bounds.large_peak == max(large, default=0)


@given(workloads(most=60, resizes=False), st.sampled_from(((16,), (100000,), (48, 20000))))
@settings(max_examples=60, deadline=None)
def test_the_clairvoyant_packing_is_the_one_described(work: Workload, classes: tuple[int, ...]) -> None:
    # Slabs of few slots: what packing can do shows where they are several.
    sizes = tuple(-(-2 * slot // UNIT) * UNIT for slot in classes)
    parts = pieces(work, classes)
    for c, row in enumerate(slab_bounds(work, classes, sizes).classes):
        held = packed(parts, c, row.slots)
        assert row.clairvoyant == max(held, default=0)
        assert row.clairvoyant_mean == pytest.approx(sum(held) / max(1, len(held)))
        assert row.clairvoyant_mean >= row.least_mean - 1e-9


def test_who_knows_the_future_lets_slabs_fall_empty() -> None:
    calls = [(Kind.ALLOCATE, n + 1, 30000, 0) for n in range(8)]  # two a slab
    calls += [(Kind.FREE, n + 1, 0, 0) for n in (0, 4, 1, 5)] + [(Kind.ALLOCATE, n + 1, 30000, 0) for n in (0, 4, 1, 5)]
    (row,) = slab_bounds(workload(calls), (32768,), (UNIT,)).classes
    assert (row.least, row.clairvoyant) == (4, 4)
    assert row.clairvoyant_mean > row.least_mean
    assert slab_bounds(workload(calls), (32768,), (UNIT,), future=False).classes[0].clairvoyant_mean == row.least_mean


def test_the_best_slab_takes_least_at_the_peak() -> None:
    calls = [(Kind.ALLOCATE, n + 1, 40960, 0) for n in range(8)]
    bounds = slab_bounds(workload(calls), (40960,))
    assert bounds.classes[0].slab_bytes == default_slab_bytes(40960) == 524288
    assert best_slab_bytes(bounds) == (327680,)  # eight slots to the byte
    assert bounds.least_bytes == 524288


def test_the_largest_slab_allowed_may_be_the_best() -> None:
    calls = [(Kind.ALLOCATE, n + 1, 40960, 0) for n in range(3)]
    assert best_slab_bytes(slab_bounds(workload(calls), (40960,)), most=2 * UNIT) == (2 * UNIT,)  # three in one
    assert best_slab_bytes(slab_bounds(workload([]), (1 << 20,)), most=1 << 20) == (1 << 20,)  # there is no other


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((UNIT,), "there are 2 classes and 1 slab_bytes; there must be one of each"),
        ((UNIT, 100), "slab_bytes of class 32 is 100; it must be a multiple of 65536 that holds a slot"),
    ],
)
def test_slabs_that_hold_no_slot_are_refused(sizes: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        slab_bounds(workload([]), (16, 32), sizes)
    assert str(caught.value) == message
