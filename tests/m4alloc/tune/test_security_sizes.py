"""What a strategy gives a block by its size is what the core gives it, for any classes and any request."""

from __future__ import annotations

import ctypes
from collections import Counter
from itertools import pairwise
from math import log, log2
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from m4alloc.arena import Arena
from m4alloc.strategy import CLASS_MAX, UNIT, Strategy, StrategyError
from m4alloc.tune.security import Security
from m4alloc.tune.security_sizes import (
    BEYOND,
    Steps,
    at,
    mean,
    merged,
    reuse_distance,
    served_by,
    short,
    slab_of,
    slot_wait,
    slots_of,
)

SMALL = st.integers(1, 2048).map(lambda n: 16 * n)
MIDDLE = st.integers(9, 64).map(lambda n: 4096 * n)
"""Slot sizes on the hot path, and above it."""


def class_sets() -> st.SearchStrategy[tuple[int, ...]]:
    """Any class sets of a few classes."""
    fine = st.lists(st.sampled_from([16, 32, 48, 112, 1024, 1040]), max_size=3)
    sizes = st.builds(lambda a, b, c: {*a, *b, *c}, fine, st.lists(SMALL, min_size=1, max_size=4), st.lists(MIDDLE))
    return sizes.map(lambda found: tuple(sorted(found))[:64])


@st.composite
def shapes(draw: st.DrawFn) -> Strategy:
    """Strategies whose blocks wait at most some two hundred frees, of any classes, slabs and stacks."""
    classes = draw(class_sets())
    knobs: dict[str, Any] = {
        "classes": classes,
        "delay_line": draw(st.sampled_from([0, 1, 3, 4, 16, 20, 32])),
        "delay_bytes": draw(st.sampled_from([1 << 12, 1 << 14, 1 << 16, 1 << 20])),
        "quarantine": draw(st.sampled_from([0, 0, 3, 20])),
        "quarantine_bytes": draw(st.sampled_from([1 << 16, 1 << 20])),
        "canaries": draw(st.booleans()),
        "guards": draw(st.booleans()),
        "guard_empty": draw(st.booleans()),
        "randomise": draw(st.integers(0, 2)),
        "large_delay": draw(st.sampled_from([0, 100_000, 1 << 19, 1 << 22])),
        "large_quarantine": draw(st.sampled_from([0, 0, 300_000, 1 << 22])),
    }
    if draw(st.booleans()):
        units = draw(st.integers(1, 3))
        knobs["slab_bytes"] = tuple(-(-units * size // UNIT) * UNIT for size in classes)
    if draw(st.booleans()):
        knobs["stack_depths"] = tuple(draw(st.sampled_from([2, 5, 64])) for _ in classes)
    try:
        return Strategy(**knobs)
    except StrategyError:
        assume(False)
        raise


def first_reuse(strategy: Strategy, size: int, most: int = 300) -> int:
    """How many other blocks are freed before the core uses the first one again, when one at a time is live."""
    with Arena(1 << 28, strategy) as arena:
        first = arena.malloc(size)
        address = first.address
        arena.free(first)
        for freed in range(most):
            block = arena.malloc(size)
            if block.address == address:
                return freed
            arena.free(block)
    return most


@settings(max_examples=150, deadline=None)
@given(shapes(), st.one_of(st.integers(1, 2048), st.integers(1, 1 << 17), st.integers(1, CLASS_MAX + UNIT)))
def test_the_distance_of_reuse_of_any_request_is_that_of_the_core(strategy: Strategy, size: int) -> None:
    taken = size + 8 * strategy.canaries
    slot = served_by(strategy, taken)
    seen, said = first_reuse(strategy, size), reuse_distance(strategy, size)
    assert seen >= said
    if slot is not None and size <= strategy.classes[-1] and strategy.delay_line in (0, 1, 4, 16, 32):
        assert seen == said == at(Security.of(strategy).reuse, taken)


@pytest.mark.parametrize(
    ("strategy", "size", "frees"),
    [
        (Strategy(classes=(16, 32768)), 24, 1),
        (Strategy(classes=(16, 32768)), 1000, 1),
        (Strategy(classes=(16, 32768, 61440)), 40000, 1),
        (Strategy(classes=(16, 32768)), 40000, 8),
        (Strategy(canaries=True), 1016, 16),
        (Strategy(canaries=True), 1017, 8),
        (Strategy(guards=True), 57344, 8),
        (Strategy(guards=True), 57345, 4),
        (Strategy(canaries=True), 65529, 4),
    ],
    ids=lambda value: value.to_environment() if isinstance(value, Strategy) else str(value),
)
def test_a_block_waits_as_what_serves_it(strategy: Strategy, size: int, frees: int) -> None:
    assert first_reuse(strategy, size) == reuse_distance(strategy, size) == frees


@given(shapes())
def test_a_slot_waits_as_the_shape_of_the_strategy_says(strategy: Strategy) -> None:
    for slot in strategy.classes:
        assert slot_wait(strategy, slot) == strategy.shape(slot_size=slot).wait


@settings(max_examples=40, deadline=None)
@given(class_sets(), st.sampled_from([0, 100, 1024, 32768, 131072]), st.booleans(), st.data())
def test_a_freed_slot_is_erased_exactly_when_the_axis_says_so(
    classes: tuple[int, ...], zeroed: int, canaries: bool, data: st.DataObject
) -> None:
    strategy = Strategy(classes=classes, zero_on_free=zeroed, canaries=canaries, delay_bytes=1 << 20)
    slots = slots_of(strategy)
    assume(slots)
    size = data.draw(st.integers(1, slots[-1] - 8))
    with Arena(1 << 28, strategy) as arena:
        block = arena.malloc(size)
        address = block.address
        ctypes.memset(address, 0xA5, size)
        arena.free(block)
        erased = ctypes.string_at(address, size) == bytes(size)
    assert erased == at(Security.of(strategy).erasure, size + 8 * canaries)


def entropy(counts: Counter[int]) -> float:
    """Bits, by Miller's and Madow's estimate."""
    total = counts.total()
    return -sum(n / total * log2(n / total) for n in counts.values()) + (len(counts) - 1) / (2 * total * log(2))


@pytest.mark.parametrize(
    "knobs",
    [
        {"randomise": 1},
        {"randomise": 1, "refill_batch": 1},
        {"randomise": 2, "stack_depth": 16},
        {"randomise": 1, "classes": (16, 256, 32768), "stack_depths": (2, 2, 2)},
        {"randomise": 2, "classes": (128, 32768), "slab_bytes": (UNIT, 4 * UNIT)},
    ],
    ids=str,
)
def test_the_entropy_of_a_fresh_64_byte_block_is_that_of_its_place_in_the_slab(knobs: dict[str, Any]) -> None:
    strategy = Strategy(**{"delay_bytes": 1 << 20, **knobs})
    slab = slab_of(strategy, served_by(strategy, 64) or 0)
    assert slab == UNIT
    seen: Counter[int] = Counter()
    for _ in range(1000):
        with Arena(1 << 21, strategy) as arena:
            seen[arena.malloc(64).address % slab] += 1
    said = at(Security.of(strategy).entropy_fresh, 64)
    assert abs(entropy(seen) - said) < 0.5


@pytest.mark.parametrize(("size", "bits"), [(64, 3.0), (700, log2(5)), (5000, 0.0)])
def test_the_entropy_of_a_reused_address_is_that_of_the_random_quarantine(size: int, bits: float) -> None:
    strategy = Strategy(delay_line=0, quarantine=8, quarantine_bytes=4096, quarantine_random=True)
    assert at(Security.of(strategy).entropy_reused, size) == bits
    count = round(2**bits)
    with Arena(1 << 22, strategy) as arena:
        held = [arena.malloc(size) for _ in range(count + 1)]
        last = held.pop()
        waiting = [block.address for block in held]
        for block in held:
            arena.free(block)
        seen: Counter[int] = Counter()
        for _ in range(800):
            freed = last.address
            arena.free(last)
            last = arena.malloc(size)
            left = waiting.index(last.address)
            waiting[left] = freed
            seen[left] += 1
    assert abs(entropy(seen) - bits) < 0.1


def steps(values: st.SearchStrategy[Any], end: int = BEYOND) -> st.SearchStrategy[Steps]:
    """Any steps of such values that end there."""
    sizes = st.sets(st.sampled_from([16, 48, 64, 1024, 4096, 32768, 131072])).map(lambda found: [*sorted(found), end])
    return sizes.flatmap(
        lambda found: st.lists(values, min_size=len(found), max_size=len(found)).map(
            lambda given: merged(zip(found, given, strict=True))
        )
    )


@given(steps(st.integers(0, 3)), steps(st.integers(0, 3)))
def test_steps_fall_short_exactly_at_the_sizes_that_are_told(mine: Steps, theirs: Steps) -> None:
    runs = list(short(mine, theirs))
    for size in (1, 16, 17, 48, 49, 64, 65, 1024, 1025, 32768, 32769, 131073, BEYOND):
        told = [run[2:] for run in runs if run[0] <= size <= run[1]]
        have, want = at(mine, size), at(theirs, size)
        assert told == ([(have, want)] if have < want else [])
    for one, other in pairwise(runs):
        assert one[1] + 1 < other[0] or (one[1] + 1 == other[0] and one[2:] != other[2:])


@given(steps(st.integers(0, 3)))
def test_the_mean_of_steps_is_that_of_their_octaves(some: Steps) -> None:
    cuts = [8, *(16 << n for n in range(18))]
    whole = [log2(b / a) * at(some, b) for a, b in pairwise(sorted({*cuts, 48}))]
    assert mean(some, float) == pytest.approx(sum(whole) / 18)
