"""Quarantines: windows against memory."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings

from m4alloc.tune.curves_pieces import LARGE, pieces
from m4alloc.tune.curves_quarantine import counted_curve, held_slots, quarantine_curve
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads

SIZES = (0, 16, 100, 5000, 60000, 300000, 10**7)
CLASSES = (16, 128, 8192)


@given(workloads(most=50))
@settings(max_examples=30, deadline=None)
def test_each_size_holds_what_a_queue_of_blocks_holds(work: Workload) -> None:
    parts = pieces(work)
    frees = [piece for piece in parts.end_at().tolist() if piece >= 0 and parts.need[piece]]
    for point in quarantine_curve(work, SIZES).by_bytes:
        queue: list[int] = []
        done: dict[int, int] = {}
        held, peaks, freed = [], [], 0
        for call in range(len(work)):
            for piece in [one for one in frees if parts.end[one] == call]:
                queue.append(piece)
                freed += 1
                while sum(int(parts.need[one]) for one in queue) > point.size:
                    oldest = queue.pop(0)
                    done[oldest] = freed - 1 - frees.index(oldest)
            held.append(sum(int(parts.need[one]) for one in queue))
            live = (parts.begin <= call) & (parts.end > call)
            peaks.append(held[-1] + int(parts.need[live].sum()))
        assert point.held_peak == max(held, default=0)
        assert point.held_mean == pytest.approx(sum(held) / max(1, len(held)))
        assert point.peak == max(peaks, default=0)
        assert point.window == min(done.values(), default=-1)
        waits = sum(done.values()) + sum(len(frees) - 1 - frees.index(piece) for piece in queue)
        assert point.window_mean == pytest.approx(waits / max(1, len(frees)))


@given(workloads(most=50))
@settings(max_examples=30, deadline=None)
def test_the_bytes_a_window_needs_are_the_least_that_give_it(work: Workload) -> None:
    for window, needed in quarantine_curve(work).needed:
        enough, less = quarantine_curve(work, (needed, needed - 1)).by_bytes
        # A block that waits for `window` frees is still held when `window - 1` more have been freed.
        assert enough.window == -1 or enough.window >= window
        assert 0 <= less.window < window


@given(workloads(most=50))
@settings(max_examples=30, deadline=None)
def test_each_count_holds_the_last_so_many_blocks_of_each_class_and_thread(work: Workload) -> None:
    parts = pieces(work, CLASSES)
    for point in counted_curve(work, CLASSES, (1, 2, 5, 100)):
        queues: dict[tuple[int, int], int] = defaultdict(int)
        shared: dict[int, int] = defaultdict(int)
        held, peaks = [], []
        for call in range(len(work)):
            for piece in range(len(parts)):
                if parts.end[piece] == call and parts.slot[piece] >= 0:
                    queues[int(parts.freer[piece]), int(parts.slot[piece])] += 1
                    shared[int(parts.slot[piece])] += 1
            held.append(sum(min(point.count, count) * CLASSES[c] for (_, c), count in queues.items()))
            live = 0
            for piece in range(len(parts)):
                if parts.begin[piece] <= call < parts.end[piece]:
                    slot, size = int(parts.slot[piece]), int(parts.size[piece])
                    live += -(-size // 4096) * 4096 if slot == LARGE else CLASSES[slot] if slot >= 0 else 0
            peaks.append(held[-1] + live)
        assert point.held == max(held, default=0)
        assert point.held_mean == pytest.approx(sum(held) / max(1, len(held)))
        assert point.peak == max(peaks, default=0)
        assert point.shared == sum(min(point.count, count) * CLASSES[c] for c, count in shared.items())


def test_lines_hold_slots_by_class_and_thread() -> None:
    calls = [(Kind.ALLOCATE, n, size, 0) for n, size in enumerate((16, 16, 16, 100, 100), 1)]
    calls += [(Kind.FREE, n, 0, n % 2) for n in range(1, 6)]
    assert held_slots(workload(calls), CLASSES, (1, 5, 0)) == (16 * 2 + 128 * 2, 16 + 128 * 2)


def test_a_block_larger_than_the_quarantine_does_not_wait() -> None:
    calls = [(Kind.ALLOCATE, 1, 1000, 0), (Kind.FREE, 1, 0, 0)]
    (point,) = quarantine_curve(workload(calls), (500,)).by_bytes
    assert (point.window, point.held_peak) == (0, 0)
