"""Demand: how much of each size."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.tune.curves_demand import Demand, Weight
from m4alloc.tune.curves_pieces import pieces
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads

HISTORY = workload(
    [
        (Kind.ALLOCATE, 1, 20, 0),
        (Kind.ALLOCATE, 2, 100, 0),
        (Kind.FREE, 2, 0, 0),
        (Kind.ALLOCATE, 2, 30, 0),
        (Kind.FREE, 1, 0, 0),
    ]
)


@pytest.mark.parametrize(
    ("weight", "weights"),
    [(Weight.REQUESTS, [2, 1]), (Weight.TIME, [4 + 2, 1]), (Weight.PEAK, [1, 1])],
)
def test_a_weight_counts_requests_their_calls_or_those_at_the_peak(weight: Weight, weights: list[float]) -> None:
    demand = Demand.of(HISTORY, weight)
    assert demand.sizes.tolist() == [32, 112]
    assert demand.weights.tolist() == weights


@given(workloads(), st.sampled_from(list(Weight)))
@settings(max_examples=30, deadline=None)
def test_the_bytes_of_a_demand_are_those_of_its_requests(work: Workload, weight: Weight) -> None:
    parts = pieces(work)
    demand = Demand.of(work, weight)
    if weight is Weight.REQUESTS:
        assert demand.total == parts.size.sum()
    elif weight is Weight.TIME:
        assert demand.total == ((parts.end - parts.begin) * parts.size).sum()
    elif len(work):
        live = [int(parts.size[(parts.begin <= call) & (parts.end > call)].sum()) for call in range(len(work))]
        assert demand.total == max(live)
    assert demand.sizes.tolist() == sorted(set(demand.sizes.tolist()))


@given(workloads(resizes=False))
@settings(max_examples=25, deadline=None)
def test_the_waste_of_classes_is_what_their_slots_have_beyond_the_requests(work: Workload) -> None:
    classes = (16, 48, 128, 1024, 8192)
    wasted = 0
    for size in pieces(work).size.tolist():
        if size:
            wasted += next((slot for slot in classes if slot >= size), -(-size // 4096) * 4096) - size
    assert Demand.of(work, Weight.REQUESTS).waste(classes) == wasted


def test_sizes_and_weights_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^there are 2 sizes and 1 weights; there must be one of each$"):
        Demand.counted([1, 2], [1.0])
    with pytest.raises(ValueError, match=r"^sizes must be positive, and weights not negative$"):
        Demand.counted([0])
