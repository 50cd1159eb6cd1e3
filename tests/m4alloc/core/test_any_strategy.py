"""Whatever classes, slabs, stacks and placement a strategy has: every reply is admitted, the core's books balance."""

from __future__ import annotations

import ctypes
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc import _backend
from m4alloc.check.judgement import Terms
from m4alloc.check.local import ArenaFace, LocalTarget
from m4alloc.check.mutants import STANDARD
from m4alloc.check.strategies import plans
from m4alloc.strategy import CLASS_MAX, SMALL_MAX, UNIT, Strategy
from spec.history import accept

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

CAPACITY = 1 << 28
SMALL = [*range(16, 129, 16), 192, 256, 400, 512, 1024, 2048, 4096, 4112, 8192, 20480, SMALL_MAX]
MIDDLE = [36864, 40960, 65536, 98304, 131072, 262144, 524288, CLASS_MAX]


@st.composite
def strategies(draw: st.DrawFn) -> Strategy:
    """A strategy whose classes end anywhere, and whose stacks are short, so that slabs are filled and dissolved."""
    classes = tuple(sorted(draw(st.sets(st.sampled_from(SMALL + MIDDLE), min_size=1, max_size=8))))
    slabs = tuple(draw(st.sampled_from([1, 2, 3, 8])) * max(UNIT, -(-size // UNIT) * UNIT) for size in classes)
    depths = tuple(draw(st.sampled_from([2, 3, 5, 16, 64])) for _ in classes)
    hooks = draw(st.booleans())
    return Strategy(
        classes=classes,
        slab_bytes=draw(st.sampled_from([(), slabs])),
        stack_depths=draw(st.sampled_from([(), depths])),
        placement=draw(st.integers(0, 2)),
        prefault=draw(st.sampled_from([0, 4096, 1 << 20])),
        huge_pages=draw(st.integers(0, 2)),
        delay_line=draw(st.sampled_from([0, 1, 2, 5])),
        delay_bytes=8 << 20,
        quarantine=draw(st.sampled_from([0, 0, 3])),
        large_delay=draw(st.sampled_from([0, 512 << 10])),
        refill_batch=draw(st.sampled_from([1, 4, 64])),
        retain_bytes=draw(st.sampled_from([0, 32 << 20])),
        retain_share=draw(st.sampled_from([0, 100])),
        guard_empty=draw(st.booleans()),
        canaries=hooks and draw(st.booleans()),
        guards=hooks and draw(st.booleans()),
        history=hooks and draw(st.booleans()),
        zero_on_free=draw(st.sampled_from([0, 256, CLASS_MAX])) if hooks else 0,
        check_on_reuse=draw(st.sampled_from([0, 64, SMALL_MAX])) if hooks else 0,
        randomise=draw(st.integers(0, 2)) if hooks else 0,
    )


class Kept:
    """Makes arenas of one strategy, and remembers them."""

    def __init__(self, strategy: Strategy) -> None:
        from m4alloc import _fast

        self.strategy = strategy
        self.made: list[_fast.Arena] = []

    def __call__(self) -> ArenaFace:
        from m4alloc import _fast

        self.made.append(_fast.Arena(CAPACITY, self.strategy))
        return ArenaFace(self.made[-1])


@given(strategy=strategies(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_acceptor_admits_every_reply(strategy: Strategy, data: st.DataObject) -> None:
    make = Kept(strategy)
    target = LocalTarget("core", make)
    plan = data.draw(plans(target.functions, threads=2, limit=300_000, misuse=data.draw(st.booleans())))
    terms = Terms(
        STANDARD,
        quarantine=strategy.quarantine_length,
        quarantine_limit=strategy.quarantine_limit,
        catches_misuse=True,
    )
    episode = target.run(plan)
    found = accept(episode.events, terms.acceptor())
    assert not found.violations
    for arena in make.made:
        arena.check()


@given(strategy=strategies(), seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_blocks_of_a_long_life_keep_their_bytes_and_the_books_balance(strategy: Strategy, seed: int) -> None:
    from m4alloc import _fast

    chance = random.Random(seed)
    ends = [size + more for size in strategy.classes for more in (-1, 0, 1)]
    live: list[tuple[_fast.Block, bytes]] = []
    with _fast.Arena(CAPACITY, strategy) as arena:
        for number in range(400):
            what = chance.random()
            size = chance.choice([*ends, chance.randrange(1, 70_000)])
            mark = bytes([number % 255 + 1])
            if what < 0.5 or not live:
                how = chance.randrange(3)
                block = (
                    arena.malloc(size)
                    if how == 0
                    else arena.calloc(1, size)
                    if how == 1
                    else arena.aligned_alloc(1 << chance.randrange(18), size)
                )
                view = memoryview(block)
                assert how != 1 or bytes(view) == bytes(size)
            elif what < 0.7:
                block, old = live.pop(chance.randrange(len(live)))
                last = block.size - 1
                block = arena.realloc(block, size)
                view = memoryview(block)
                assert view[0] == old[0] and (last >= size or view[last] == old[0])
            else:
                block, old = live.pop(chance.randrange(len(live)))
                view = memoryview(block)
                assert view[0] == view[-1] == old[0]
                view.release()
                arena.free(block)
                continue
            assert block.usable_size >= size
            view[0] = view[-1] = mark[0]
            view.release()
            live.append((block, mark))
            if number % 50 == 0:
                arena.check()
        for block, _ in live:
            arena.free(block)
        arena.check()
        totals = arena.totals()
    assert totals["live_blocks"] == totals["live"] == totals["misuses"] == 0
    assert totals["mallocs"] == totals["frees"]
    assert totals["commits"] >= 1 and (strategy.prefault or not totals["prefaults"])


@pytest.mark.parametrize("size", [40960, 65536, CLASS_MAX])
@pytest.mark.parametrize("slot", [0, 1, 6])
def test_no_pointer_into_a_middle_slot_but_its_start_is_freed(size: int, slot: int) -> None:
    from m4alloc import _fast

    with _fast.Arena(CAPACITY, Strategy(classes=(16, size))) as arena:
        blocks = sorted(arena.malloc(size).address for _ in range(7))
        start = blocks[slot]
        for offset in (1, 16, 4096, UNIT, size - 1):
            if 0 < offset < size:
                assert arena.call(5, start + offset)[2] == 2  # interior
        assert arena.call(5, start) == (0, 0, 0)
        assert arena.call(5, start)[2] == 1  # double


def test_a_slot_is_found_at_every_multiple_of_its_size_and_nowhere_else() -> None:
    """The reciprocal, in Python's exact numbers, for every size, at the hardest offsets of the longest slab."""
    sizes = [*range(16, SMALL_MAX + 1, 16), *range(SMALL_MAX + 4096, CLASS_MAX + 1, 4096)]
    chance = random.Random(1)
    for size in sizes:
        reciprocal = (2**64 - 1) // size + 1
        last = (64 << 20) // size
        offsets = [*(index * size + more for index in (0, 1, 2, last - 1, last) for more in (-1, 0, 1, size // 2))]
        offsets += [chance.randrange(64 << 20) for _ in range(20)]
        for offset in offsets:
            if 0 <= offset < 64 << 20:
                index, low = divmod(offset * reciprocal, 2**64)
                assert index == offset // size and (low < reciprocal) == (offset % size == 0)


def test_a_canary_of_a_long_slot_tells_the_size_of_the_request_to_the_byte() -> None:
    from m4alloc import _fast

    with _fast.Arena(CAPACITY, Strategy(classes=(16, 65536, CLASS_MAX), canaries=True)) as arena:
        for size in (1, 9, 65528, 65529, 131072, 524288, CLASS_MAX - 8, CLASS_MAX - 7):
            block = arena.malloc(size)
            assert block.usable_size == size
            arena.free(block)
        assert arena.totals()["misuses"] == 0


@pytest.mark.parametrize("size", [40000, 524288, CLASS_MAX - 8])
def test_an_overflow_in_a_middle_slot_is_told_at_the_free(size: int) -> None:
    from m4alloc import _fast

    with _fast.Arena(CAPACITY, Strategy(classes=(16, 40960, CLASS_MAX), canaries=True)) as arena:
        block = arena.malloc(size)
        ctypes.memset(block.address + size, 0, 1)
        arena.free(block)  # which is the client's to free: the misuse is counted, not refused
        assert arena.totals()["misuses"] == 1


@pytest.mark.parametrize("classes", [(16, 48), (64, 4096), (16, SMALL_MAX), (16, 65536), (16, CLASS_MAX)])
def test_no_large_block_looks_like_a_slot(classes: tuple[int, ...]) -> None:
    from m4alloc import _fast

    with _fast.Arena(CAPACITY, Strategy(classes=classes, large_delay=0)) as arena:
        for size in (0, 1, classes[-1], classes[-1] + 1):
            block = arena.aligned_alloc(2 * UNIT, size)  # which no slab's slots are sure to have
            assert block.usable_size > classes[-1] and block.address % (2 * UNIT) == 0
        assert arena.totals()["large_blocks"] == 4


def test_a_middle_class_is_served_without_the_lock_once_its_stack_is_filled() -> None:
    from m4alloc import _fast

    with _fast.Arena(CAPACITY, Strategy(classes=(16, 65536))) as arena:
        for _ in range(1000):
            arena.free(arena.malloc(50_000))
        (counts,) = arena.classes()
        assert counts["slot_size"] == 65536 and counts["mallocs"] == counts["frees"] == 1000
        assert counts["slabs_made"] == 1 and counts["refills"] <= 2 and not arena.totals()["large_mallocs"]


def test_what_is_left_in_front_of_an_aligned_span_joins_the_free_span_before_it() -> None:
    from m4alloc import _fast

    with _fast.Arena(1 << 26, Strategy(large_delay=0)) as arena:
        arena.malloc(UNIT)
        arena.free(arena.malloc(UNIT))  # the last span of the region is free, and too short for what follows
        blocks = [arena.aligned_alloc(4 * UNIT, 3 * UNIT) for _ in range(3)]
        arena.check()
        for block in blocks:
            arena.free(block)
        arena.check()
