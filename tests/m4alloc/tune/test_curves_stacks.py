"""The hit curve of the thread stacks, and the best use of a budget."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.strategy import Strategy
from m4alloc.tune.curves_pieces import Pieces, pieces
from m4alloc.tune.curves_stacks import (
    best_depths,
    class_delays,
    depths_by_hull,
    hull,
    menu,
    stack_curves,
    strategy_depths,
)
from m4alloc.tune.example import example_workload
from m4alloc.tune.simulate import simulate
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads

CLASSES = (16, 128, 8192)


def missed(parts: Pieces, c: int, depth: int, delay: int) -> tuple[int, int]:
    """Refills and flushes of one class, with a counter for each thread's stack and line."""
    refills = flushes = 0
    stack: dict[int, int] = defaultdict(int)
    line: dict[int, int] = defaultdict(int)
    begin, end = parts.begin_at(), parts.end_at()
    for call in range(parts.calls):
        piece = begin[call]
        if piece >= 0 and parts.slot[piece] == c:
            thread = int(parts.maker[piece])
            if stack[thread]:
                stack[thread] -= 1
            else:
                refills += 1
        piece = end[call]
        if piece >= 0 and parts.slot[piece] == c and parts.freer[piece] == parts.maker[piece]:
            thread = int(parts.maker[piece])
            if line[thread] < delay:
                line[thread] += 1
            elif stack[thread] < depth:
                stack[thread] += 1
            else:
                flushes += 1
    return refills, flushes


@given(workloads(most=80), st.integers(0, 4))
@settings(max_examples=50, deadline=None)
def test_one_pass_gives_the_misses_of_every_depth(work: Workload, delay: int) -> None:
    parts = pieces(work, CLASSES)
    for c, curve in enumerate(stack_curves(work, CLASSES, delay)):
        for depth in range(25):
            assert (curve.refills(depth), curve.flushes(depth)) == missed(parts, c, depth, delay)
            assert curve.misses(depth) == curve.refills(depth) + curve.flushes(depth)
        assert curve.cold == curve.refills(10**6)
        assert curve.flushes(10**6) == 0
        frees = curve.frees + curve.remote_frees
        assert frees == ((parts.slot == c) & (parts.freer >= 0)).sum()
        assert curve.threads == len(set(parts.maker[parts.slot == c].tolist()))


@pytest.mark.parametrize("seed", [1, 2])
def test_with_batches_of_one_the_simulator_refills_as_often(seed: int) -> None:
    work = example_workload(2000, seed=seed)
    strategy = Strategy(refill_batch=1, stack_depth=65536, stack_bytes=1 << 30, retain_ms=10**9)
    curves = stack_curves(work, strategy.classes, class_delays(strategy))
    counted = simulate(work, strategy)
    assert counted.flushes == sum(curve.flushes(65536) for curve in curves) == 0
    # The simulator has one class more: blocks of no bytes.
    assert [row.refills for row in counted.classes[: len(curves)]] == [curve.refills(65536) for curve in curves]


def sawtooth(heights: tuple[int, ...], size: int, first: int = 1) -> list[tuple[Kind, int, int, int]]:
    """For each height so many mallocs, then as many frees."""
    calls = []
    for height in heights:
        calls += [(Kind.ALLOCATE, first + n, size, 0) for n in range(height)]
        calls += [(Kind.FREE, first + n, 0, 0) for n in range(height)]
    return calls


def test_a_stack_as_deep_as_the_swing_misses_only_the_first_time() -> None:
    (curve,) = stack_curves(workload(sawtooth((10, 10, 10), 16)), (16,))
    assert [curve.refills(depth) for depth in (0, 9, 10)] == [30, 12, 10]
    assert [curve.flushes(depth) for depth in (0, 9, 10)] == [30, 3, 0]
    assert curve.bytes(10) == 160


def test_what_another_thread_frees_comes_on_no_stack() -> None:
    calls = [(Kind.ALLOCATE, 1, 16, 0), (Kind.FREE, 1, 0, 1), (Kind.ALLOCATE, 1, 16, 0)]
    (curve,) = stack_curves(workload(calls), (16,))
    assert (curve.refills(8), curve.frees, curve.remote_frees, curve.threads) == (2, 0, 1, 1)


swings = st.lists(st.lists(st.integers(1, 8), min_size=1, max_size=4).map(tuple), min_size=1, max_size=3)


@given(swings, st.integers(0, 1200))
@settings(max_examples=60, deadline=None)
def test_no_depths_within_the_budget_miss_less(heights: list[tuple[int, ...]], budget: int) -> None:
    classes = (16, 48, 128)[: len(heights)]
    calls = []
    for n, (one, size) in enumerate(zip(heights, classes, strict=True)):
        calls += sawtooth(one, size, first=100 * n + 1)
    curves = stack_curves(workload(calls), classes)
    least = 1
    found = best_depths(curves, budget, least, 64, unit=16)
    greedy = depths_by_hull(curves, budget, least, 64)
    menus = [menu(curve, least, 64) for curve in curves]
    fewest = [
        sum(curve.misses(depth) for curve, depth in zip(curves, depths, strict=True))
        for depths in product(*(range(least, 10) for _ in menus))
        if sum(curve.bytes(depth) for curve, depth in zip(curves, depths, strict=True)) <= budget
    ]
    if fewest:
        assert found.misses == min(fewest)
        assert found.bytes <= budget
        assert greedy.bytes <= budget
        assert greedy.misses >= found.misses
    else:
        assert found.depths == greedy.depths == (least,) * len(classes)
    assert found.misses == sum(curve.misses(depth) for curve, depth in zip(curves, found.depths, strict=True))


def test_with_coarse_steps_the_budget_is_kept_all_the_same() -> None:
    calls = sawtooth((2, 2), 48) + sawtooth((2, 2, 2), 128, first=10)
    curves = stack_curves(workload(calls), (48, 128))
    # A second slot of 128 bytes takes six steps of 24, and one of 48 two: of seven there are not enough for both.
    found = best_depths(curves, 48 + 128 + 7 * 24, 1, 64, unit=24)
    assert (found.depths, found.bytes) == ((1, 2), 48 + 2 * 128)
    assert found.misses < depths_by_hull(curves, 48 + 128 + 7 * 24, 1, 64).misses


@given(workloads(most=80, threads=1))
@settings(max_examples=40, deadline=None)
def test_the_hull_of_a_curve_lies_below_it(work: Workload) -> None:
    for curve in stack_curves(work, CLASSES):
        corners = hull(curve, 1, 64)
        points = [(depth, curve.misses(depth)) for depth in corners]
        assert corners[0] == 1
        assert min(curve.misses(depth) for depth in range(1, 65)) == points[-1][1]
        slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points)]
        assert slopes == sorted(slopes)
        for (x0, y0), (x1, y1) in pairwise(points):
            for depth in range(x0, x1):
                assert curve.misses(depth) >= y0 + (y1 - y0) * (depth - x0) / (x1 - x0) - 1e-9


def test_a_long_menu_keeps_corners_of_the_hull() -> None:
    (curve,) = stack_curves(workload(sawtooth(tuple(range(1, 120)), 16)), (16,))
    assert len(menu(curve, 16, 65536)) > 64 or menu(curve, 16, 65536)[-1] == curve.depths[-1]
    short = menu(curve, 16, 65536, entries=8)
    assert len(short) <= 10
    assert short[0] == 16
    assert short[-1] == hull(curve, 16, 65536)[-1]


def test_the_delay_of_a_class_is_its_line_and_its_quarantine() -> None:
    assert class_delays(Strategy(delay_line=0, quarantine=0)) == (0,) * 40
    some = Strategy(delay_line=20, delay_bytes=16 << 10, quarantine=3)
    assert class_delays(some)[0] == 32 + 3
    assert class_delays(some)[-1] == 1 + 3


def test_depths_are_bounded_in_slots_and_bytes() -> None:
    depths = strategy_depths(Strategy(stack_depth=100, stack_bytes=65536))
    assert (depths[0], depths[-1]) == (100, 16)
    sizes = Strategy().classes
    assert [depth for depth, size in zip(depths, sizes, strict=True) if size == 2048] == [32]


def test_classes_above_32768_may_have_two_slots() -> None:
    strategy = Strategy(classes=(16, 32768, 36864, 131072, 1 << 20))
    assert strategy_depths(strategy) == (1024, 16, 7, 2, 2)
    curves = stack_curves(workload([]), strategy.classes)
    assert best_depths(curves, 0).depths == depths_by_hull(curves, 0).depths == (16, 16, 2, 2, 2)


def test_a_delay_for_each_class_has_to_be_one_for_each() -> None:
    with pytest.raises(ValueError):
        stack_curves(workload([]), (16, 32), (1, 2, 3))
