"""Lockstep with the reference allocator shows where another one answers differently, and only there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from m4alloc.check.foreign import Foreign
from m4alloc.check.local import arena, reference
from m4alloc.check.lockstep import diverges, find_divergence
from m4alloc.check.mutants import ENVIRONMENT
from m4alloc.check.operation import Aim, Operation
from m4alloc.lib import lib
from m4alloc.strategy import Strategy
from spec.event import Function

Bump = Callable[..., str]
MALLOC, REALLOC, FREE = Function.MALLOC, Function.REALLOC, Function.FREE


def test_the_core_agrees_with_the_reference() -> None:
    with Foreign(lib(), environment=ENVIRONMENT) as target:
        assert find_divergence(target, 40) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [Strategy(), Strategy.hardened(), Strategy.sampled().with_(sample_rate=3, sample_slots=200)],
    ids=["default", "hardened", "sampled"],
)
def test_the_core_in_this_process_agrees_with_the_reference(strategy: Strategy) -> None:
    fast = pytest.importorskip("m4alloc._fast", reason="the native core is not built: make")
    assert find_divergence(arena(strategy=strategy), 40) is None
    with fast.Arena(1 << 26, strategy) as heap:  # a life of its own, after which its books must balance
        blocks = [heap.malloc(size % 5000 if size % 9 else 60_000) for size in range(0, 40_000, 37)]
        for number, block in enumerate(blocks):
            if number % 3 == 0:
                blocks[number] = heap.realloc(block, number * 7)
        heap.check()
        for block in blocks:
            heap.free(block)
        heap.check()
        assert heap.totals()["live_blocks"] == 0


def test_the_systems_allocator_agrees_with_the_reference() -> None:
    with Foreign("system") as target:
        assert find_divergence(target, 20) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("macro", "field", "length"), [("LOSE_TAIL", "contents", 2), ("NOT_ZERO", "contents", 1), ("SILENT", "success", 1)]
)
def test_a_difference_is_found_and_shrunk(bump: Bump, macro: str, field: str, length: int) -> None:
    with Foreign(bump(macro)) as target:
        found = find_divergence(target, 200, threads=1)
    assert found is not None and found.field == field
    assert len(found.events) == len(found.theirs) == length
    assert f"# {target.name} and the reference differ in {field}" in str(found)


def test_requests_of_zero_bytes_may_be_answered_differently(bump: Bump) -> None:
    plan = [
        Operation(MALLOC),
        Operation(MALLOC, size=5),
        Operation(REALLOC, aim=Aim.LIVE),  # bump gives a block, the reference frees
        Operation(FREE, aim=Aim.LIVE),
        Operation(FREE, aim=Aim.LIVE),
    ]
    with Foreign(bump()) as target, reference() as other:
        assert diverges(target, other, plan) is None


def test_a_failure_for_lack_of_memory_that_only_one_reports_is_a_divergence() -> None:
    plan = [Operation(MALLOC, size=1 << 20)]
    with reference(capacity=1 << 16) as small, reference() as large:
        found = diverges(small, large, plan)
    assert found is not None and found.field == "success"
    assert found.message == "malloc at event 1: NULL with errno 12 instead of a block"
