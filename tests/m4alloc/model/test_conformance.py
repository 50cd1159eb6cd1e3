"""What the core does under a strategy is a run of the model that is made from the strategy's shape."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.arena import Arena
from m4alloc.strategy import Strategy
from spec.event import Event
from spec.model.conformance import RefusedError, admits
from spec.model.shape import Shape

STRATEGIES = {
    "default": Strategy(),
    "hardened": Strategy.hardened(),
    "sampled": Strategy.sampled(),
    "no delay": Strategy(delay_line=0),
    "short": Strategy(delay_line=3),
    "quarantine": Strategy(delay_line=2, quarantine=3),
    "random": Strategy(delay_line=2, quarantine=2, quarantine_random=True),
    "few bytes": Strategy(delay_line=16, delay_bytes=256, quarantine=4, quarantine_bytes=128),
}
OPERATION = st.tuples(st.integers(0, 1), st.sampled_from(["malloc", "free"]), st.integers(0, 99))


def recorded(strategy: Strategy, size: int, operations: list[tuple[int, str, int]]) -> list[Event]:
    """What two threads that live all along do, one after the other, on the core."""
    with (
        Arena(1 << 26, strategy) as arena,
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(1) as two,
        arena.record() as events,
    ):
        blocks = []
        for thread, what, which in operations:
            executor = (one, two)[thread]
            if what == "malloc":
                blocks.append(executor.submit(arena.malloc, size).result())
            elif blocks:
                executor.submit(arena.free, blocks.pop(which % len(blocks))).result()
    return events


def shape_of(strategy: Strategy, size: int, events: list[Event]) -> Shape:
    canary = 1 if strategy.canaries else 0
    slot_size = next(slot for slot in strategy.classes if slot >= size + canary)
    addresses = {event.result for event in events if event.result}
    return strategy.shape(slots=max(1, len(addresses)), threads=2, slot_size=slot_size)


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=10, deadline=None)
@given(size=st.sampled_from([16, 40, 100]), operations=st.lists(OPERATION, min_size=1, max_size=60))
def test_every_history_of_the_core_is_a_run_of_the_model_of_its_strategy(
    name: str, size: int, operations: list[tuple[int, str, int]]
) -> None:
    events = recorded(STRATEGIES[name], size, operations)
    shape = shape_of(STRATEGIES[name], size, events)
    assert admits(shape, events) >= len(events)


def churn(rounds: int) -> list[tuple[int, str, int]]:
    """Many frees and mallocs in turn: slots come back as soon as they may."""
    return [(0, "malloc", 0)] * 4 + [(0, what, 0) for _ in range(rounds) for what in ("free", "malloc")]


@pytest.mark.parametrize("name", STRATEGIES)
def test_slots_that_come_back_as_soon_as_they_may_are_admitted_and_not_sooner(name: str) -> None:
    strategy = STRATEGIES[name]
    events = recorded(strategy, 16, churn(60))
    shape = shape_of(strategy, 16, events)
    assert admits(shape, events) == len(events)
    if not shape.quarantine_random:
        with pytest.raises(RefusedError):
            admits(shape.scaled(delay_line=shape.delay_line + 1, quarantine=shape.quarantine + 60), events)
