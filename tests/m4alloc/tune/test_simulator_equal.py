"""The simulator does what the core does: the same counters, and every block at the same place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc import Strategy
from m4alloc.tune.workload import Kind
from tests.m4alloc.tune.simulator_cases import Call, core, differences, random_calls, random_strategy, workload_of

SIZES = st.one_of(
    st.sampled_from([0, 1, 16, 1024, 32_768, 32_769, 65_536, 1 << 20]),
    st.integers(0, 600),
    st.integers(0, 1 << 21),
)


@st.composite
def call_lists(draw: st.DrawFn) -> list[Call]:
    """A few calls of any kind; a block is freed and resized only while it is live."""
    calls = [Call(Kind.ALLOCATE, 99, 10)]
    live: set[int] = set()
    now = 0
    for _ in range(draw(st.integers(0, 60))):
        block = draw(st.integers(1, 12))
        now += draw(st.sampled_from([0, 0, 0, 40, 2000]))
        size = draw(SIZES)
        if block not in live:
            live.add(block)
            alignment = draw(st.sampled_from([0, 0, 0, 8, 64, 4096, 1 << 17]))
            calls.append(Call(Kind.ALLOCATE, block, size, alignment, draw(st.booleans()), time_ms=now))
        elif draw(st.booleans()):
            calls.append(Call(Kind.RESIZE, block, max(size, 1), time_ms=now))
        else:
            live.discard(block)
            calls.append(Call(Kind.FREE, block, time_ms=now))
    return calls


@settings(max_examples=80, deadline=None)
@given(call_lists(), st.integers(0, 1 << 32).map(random_strategy))
def test_short_programs_are_simulated_exactly(calls: list[Call], strategy: Strategy) -> None:
    assert differences(workload_of(calls), strategy) == {}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 32),
    st.sampled_from([(3000, 1500, 600), (3000, 60, 40_000), (800, 100, 1 << 20), (400, 4, 2000)]),
    st.integers(0, 1 << 32).map(random_strategy),
)
def test_long_programs_are_simulated_exactly(seed: int, shape: tuple[int, int, int], strategy: Strategy) -> None:
    assert differences(workload_of(random_calls(seed, *shape)), strategy) == {}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(2, 5), st.integers(0, 1 << 32).map(random_strategy))
def test_threads_that_take_turns_are_simulated_exactly(seed: int, threads: int, strategy: Strategy) -> None:
    assert differences(workload_of(random_calls(seed, 300, 60, 40_000, threads)), strategy) == {}


def test_a_thousand_remote_frees_come_back_to_their_owner_exactly() -> None:
    calls = [Call(Kind.ALLOCATE, i, 40) for i in range(1, 1001)]
    calls += [Call(Kind.FREE, i, thread=1) for i in range(1, 1001)]
    calls += [Call(Kind.ALLOCATE, i, 40) for i in range(1, 2001)]
    workload = workload_of(calls)
    assert core(workload, Strategy())[0]["remote_frees"] == 1000
    assert differences(workload, Strategy()) == {}


def test_pages_go_back_by_age_on_the_clock_of_the_workload() -> None:
    calls = [Call(Kind.ALLOCATE, i, 100_000) for i in range(1, 30)]
    calls += [Call(Kind.FREE, i) for i in range(1, 15)]
    calls += [Call(Kind.FREE, 20, time_ms=5000)]
    workload = workload_of(calls)
    assert core(workload, Strategy(large_delay=0))[0]["purged"] > 0
    assert differences(workload, Strategy(large_delay=0)) == {}


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(400))
def test_many_long_programs_are_simulated_exactly(seed: int) -> None:
    assert differences(workload_of(random_calls(seed, 6000, 1500, 1 << 20)), random_strategy(seed)) == {}
