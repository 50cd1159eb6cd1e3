"""Tests of m4alloc.tune.simulate: what the core does not count, and what is said of wrong use."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc import Strategy
from m4alloc.tune.simulate import COSTS, class_table, happened, run, simulate
from m4alloc.tune.workload import Kind, Workload, example
from tests.m4alloc.tune.simulator_cases import random_calls, random_strategy, workload_of

PAGE = 4096


def churn(count: int, live: int, size: int = 100) -> Workload:
    """`live` blocks, each replaced in turn."""
    calls = [(Kind.ALLOCATE, block, size) for block in range(1, live + 1)]
    for i in range(count):
        calls += [(Kind.FREE, i % live + 1, 0), (Kind.ALLOCATE, i % live + 1, size)]
    return example(calls)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32).map(random_strategy))
def test_a_simulation_is_the_same_whenever_it_is_made(seed: int, strategy: Strategy) -> None:
    workload = workload_of(random_calls(seed, 1000, 100, 40_000, threads=3))
    assert simulate(workload, strategy, timeline=7) == simulate(workload, strategy, timeline=7)


@pytest.mark.parametrize("knobs", [{"randomise": 1}, {"randomise": 2}, {"quarantine": 50, "quarantine_random": True}])
def test_what_is_drawn_by_chance_is_drawn_alike_each_time(knobs: dict[str, int]) -> None:
    workload, strategy = churn(5000, 300), Strategy(**knobs)
    first = run(workload, strategy, placed=True)
    assert np.array_equal(first.offsets, run(workload, strategy, placed=True).offsets)
    assert not np.array_equal(first.offsets, run(workload, Strategy(), placed=True).offsets)
    live = first.offsets[workload.kind == Kind.ALLOCATE][:300]
    assert len(set(live.tolist())) == 300


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32).map(random_strategy))
def test_blocks_that_are_live_together_do_not_overlap(seed: int, strategy: Strategy) -> None:
    calls = random_calls(seed, 400, 40, 70_000, threads=2)
    offsets = run(workload_of(calls), strategy, placed=True).offsets
    live: dict[int, tuple[int, int]] = {}
    for call, offset in zip(calls, offsets.tolist(), strict=True):
        live.pop(call.block, None)
        if call.kind != Kind.FREE:
            live[call.block] = (offset, offset + max(call.size, 1))
            assert offset % max(call.alignment, 16) == 0
        ends = sorted(live.values())
        assert all(a[1] <= b[0] for a, b in pairwise(ends))


def test_one_small_block_touches_its_own_page_and_six_of_the_core() -> None:
    """The heap's three, one of the stack, one of states and the header, one of the records: as the layout has it."""
    found = simulate(example([(Kind.ALLOCATE, 1, 100)]), Strategy())
    assert (found.requested_peak, found.live_peak, found.faults) == (100, 112, found.footprint_peak // PAGE)
    assert PAGE * 4 <= found.footprint_peak <= PAGE * 9


@pytest.mark.parametrize("pages", [16, 160])
def test_a_large_block_is_resident_where_the_program_asked_for_it(pages: int) -> None:
    one, two = (simulate(example([(Kind.ALLOCATE, 1, n * pages * PAGE)]), Strategy()) for n in (1, 2))
    assert two.footprint_peak - one.footprint_peak == pages * PAGE
    assert two.faults - one.faults == pages


def test_freed_pages_stay_resident_until_they_are_purged() -> None:
    calls = [(Kind.ALLOCATE, 1, 1 << 20), (Kind.FREE, 1, 0), (Kind.ALLOCATE, 2, 1 << 20)]
    kept = simulate(example(calls), Strategy(large_delay=0))
    purged = simulate(example(calls), Strategy(large_delay=0, retain_bytes=0, retain_share=0))
    assert (kept.purged, purged.purged) == (0, 1 << 20)
    assert purged.faults - kept.faults == 256
    assert purged.footprint_peak == kept.footprint_peak


def test_what_is_populated_does_not_fault() -> None:
    calls = [(Kind.ALLOCATE, i, 1 << 20) for i in range(1, 11)]
    plain, populated = simulate(example(calls), Strategy()), simulate(example(calls), Strategy(prefault=1 << 20))
    assert populated.populated == 2560 == plain.faults - populated.faults
    assert populated.cycles < plain.cycles


def test_a_huge_page_costs_as_much_as_each_of_its_pages() -> None:
    workload = example([(Kind.ALLOCATE, 1, 2 << 20)])
    plain, huge = (simulate(workload, Strategy(huge_pages=value)) for value in (0, 1))
    assert happened(run(workload, Strategy(huge_pages=1)))["huge"] % 512 == 0
    assert huge.faults < plain.faults
    assert huge.cycles - plain.cycles >= 512 * (COSTS["huge"] - COSTS["faults"]) - COSTS["os_calls"]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 400), st.integers(1, 3000), st.sampled_from([0, 64, 1024, 32_768]))
def test_zeroing_is_never_modelled_as_a_gain(live: int, size: int, least: int) -> None:
    workload = churn(1000, live, size)
    assert simulate(workload, Strategy(zero_on_free=32_768)).cycles >= simulate(workload, Strategy()).cycles
    zeroed = simulate(workload, Strategy(zero_on_free=least))
    assert simulate(workload, Strategy(zero_on_free=32_768)).cycles >= zeroed.cycles


def test_deep_stacks_pay_for_bursts_that_slabs_need_not_see_and_not_for_a_heap_that_is_emptied_once() -> None:
    """Measured: sh6, which fills and empties a buffer again and again, gains; a perl that grows hashes does not."""
    deep = Strategy(stack_depth=65_536, stack_bytes=4 << 20)
    fill = [(Kind.ALLOCATE, block, 64) for block in range(1, 5001)]
    empty = [(Kind.FREE, block, 0) for block in range(1, 5001)]
    bursts = example((fill + empty) * 10)
    assert simulate(bursts, deep).cycles < simulate(bursts, Strategy()).cycles
    fill = [(Kind.ALLOCATE, block, 32) for block in range(1, 70_001)]
    empty = [(Kind.FREE, int(block) + 1, 0) for block in np.random.default_rng(1).permutation(70_000)]
    once = example(fill + empty)
    ours, theirs = simulate(once, deep), simulate(once, Strategy())
    assert ours.cycles > theirs.cycles
    assert ours.footprint_peak > theirs.footprint_peak


def test_a_moved_large_block_takes_its_pages_along() -> None:
    calls = [(Kind.ALLOCATE, 1, 4 << 20), (Kind.ALLOCATE, 2, 40_000), (Kind.RESIZE, 1, 8 << 20)]
    found = simulate(example(calls), Strategy())
    assert found.footprint_peak < (8 << 20) + (1 << 18)


@pytest.mark.parametrize("delay_line", [0, 4, 64])
def test_no_slot_is_reused_before_its_delay_line_says_so(delay_line: int) -> None:
    found = simulate(churn(3000, 10), Strategy(delay_line=delay_line, delay_bytes=1 << 20))
    assert found.reuse_least == delay_line
    assert found.reuse_median >= delay_line


def test_nothing_freed_means_no_reuse() -> None:
    found = simulate(example([(Kind.ALLOCATE, i, 50) for i in range(1, 100)]), Strategy())
    assert (found.reuse_least, found.reuse_median) == (-1, -1)


@given(st.integers(0, 1 << 32))
@settings(max_examples=20, deadline=None)
def test_the_requested_peak_is_that_of_the_calls(seed: int) -> None:
    calls = random_calls(seed, 500, 50, 70_000)
    live: dict[int, int] = {}
    peak = 0
    for call in calls:
        live[call.block] = call.size
        peak = max(peak, sum(live.values()))
    assert simulate(workload_of(calls), Strategy()).requested_peak == peak


def test_the_timeline_ends_with_what_is_live_at_the_end() -> None:
    workload = churn(500, 20)
    found = simulate(workload, Strategy(), timeline=5)
    assert [calls for calls, *_ in found.timeline] == [204, 408, 612, 816, 1020]
    assert found.timeline[-1][1:3] == (2000, found.live)
    assert max(resident for *_, resident in found.timeline) == found.footprint_peak


def test_a_timeline_of_more_samples_than_calls_has_one_a_call() -> None:
    workload = churn(2, 2)
    assert [calls for calls, *_ in simulate(workload, Strategy(), timeline=100).timeline] == [1, 2, 3, 4, 5, 6]


def test_a_workload_without_calls_does_nothing() -> None:
    found = simulate(example([]), Strategy())
    assert (found.calls, found.footprint_peak, found.cycles, found.timeline) == (0, 0, 0.0, ())


def test_columns_that_cannot_be_written_to_are_read() -> None:
    workload = churn(10, 3)
    expected = simulate(workload, Strategy())
    for name in ("kind", "block", "size", "alignment", "thread", "time_ms"):
        getattr(workload, name).flags.writeable = False
    assert simulate(workload, Strategy()) == expected


def test_sizes_between_classes_go_to_the_next_and_above_the_last_to_spans() -> None:
    table = class_table(Strategy(classes=(16, 64, 256), guard_empty=True, delay_bytes=1 << 20))
    assert table[[0, 1, 2, 4, 5, 16, 17]].tolist() == [3, 0, 1, 1, 2, 2, -1]


def test_without_numba_the_extra_is_named() -> None:
    program = """
import sys
sys.modules["numba"] = None
from m4alloc import Strategy
from m4alloc.tune.simulate import simulate
from m4alloc.tune.workload import example
try:
    simulate(example([(1, 1, 8)]), Strategy())
except ModuleNotFoundError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "the simulator needs numba: pip install 'm4alloc[tune]'\n"
