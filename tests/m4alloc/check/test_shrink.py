"""What is left of a plan after shrinking still fails, and is never longer."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m4alloc.check.operation import Aim, Operation
from m4alloc.check.shrink import EVEN_SIZES, shortened, shrunk
from m4alloc.check.strategies import plans
from spec.event import Function

MALLOC, FREE = Function.MALLOC, Function.FREE
PLANS = plans(frozenset({MALLOC, Function.CALLOC, Function.REALLOC, FREE}), threads=2)


def needs(plan: list[Operation], chosen: list[int]) -> Counter[Operation]:
    """A few of the plan's operations."""
    return Counter(plan[n] for n in {n % len(plan) for n in chosen}) if plan else Counter()


@given(PLANS, st.lists(st.integers(0, 1000), max_size=4))
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_a_plan_is_shortened_to_what_it_needs(plan: list[Operation], chosen: list[int]) -> None:
    needed = needs(plan, chosen)

    def fails(candidate: list[Operation]) -> bool:
        return needed <= Counter(candidate)

    short = shortened(plan, fails)
    assert Counter(short) == needed
    # Where an allocation goes, a block may be named by one less: what is left may be a later operation, renamed.
    places = iter([operation._replace(block=0) for operation in plan])
    assert all(operation._replace(block=0) in places for operation in short), "the order is kept"


@given(PLANS, st.integers(0, 3), st.integers(1, 5000), st.booleans())
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_what_is_left_fails_and_is_no_longer(plan: list[Operation], count: int, size: int, numbers: bool) -> None:
    tested = []

    def fails(candidate: list[Operation]) -> bool:
        tested.append(candidate)
        return sum(operation.size * operation.count >= size for operation in candidate) >= count

    if not fails(plan):
        return
    before = list(plan)
    left = shrunk(plan, fails, numbers=numbers)
    assert plan == before and left in tested
    assert fails(left) and len(left) == count
    if numbers:
        assert all(operation == Operation(MALLOC, size=size) for operation in left)


def test_a_free_names_its_block_anew_when_an_older_allocation_goes() -> None:
    plan = [Operation(MALLOC, size=n) for n in (1, 2, 3)] + [Operation(FREE, aim=Aim.LIVE, block=2)]

    def fails(candidate: list[Operation]) -> bool:
        held: list[int] = []
        for operation in candidate:
            if operation.function is MALLOC:
                held.append(operation.size)
            elif held and held[-1 - operation.block % len(held)] == 1:
                return True
        return False

    assert shrunk(plan, fails, numbers=False) == [Operation(MALLOC, size=1), Operation(FREE, aim=Aim.LIVE)]


def test_a_size_is_lowered_in_every_operation_that_has_it() -> None:
    plan = [Operation(MALLOC, size=5000)] * 3

    def fails(candidate: list[Operation]) -> bool:
        sizes = [operation.size for operation in candidate]
        return len(sizes) == 3 and len(set(sizes)) == 1 and sizes[0] > 99

    assert shrunk(plan, fails) == [Operation(MALLOC, size=100)] * 3


def test_many_small_blocks_give_way_to_a_few_large_ones() -> None:
    plan = [Operation(MALLOC, size=16)] * 400

    def fails(candidate: list[Operation]) -> bool:
        return sum(operation.size for operation in candidate) >= 6000

    left = shrunk(plan, fails)
    assert len(left) <= 1 + 6000 // max(EVEN_SIZES) and fails(left)
