"""Arena and Block keep the same promises on both backends."""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import m4alloc
from m4alloc import _pure, arena
from m4alloc.strategy import Strategy
from spec.error import Misuse
from spec.event import Event, Function
from spec.history import accept

MIB = 1 << 20


def core(name: str) -> Any:
    if name == "pure":
        return _pure
    return pytest.importorskip("m4alloc._fast", reason="the native core is not built: make")


@pytest.fixture(params=["fast", "pure"])
def backend(request: pytest.FixtureRequest) -> Any:
    """The module behind m4alloc.arena: the native core, then the reference allocator."""
    return core(request.param)


@pytest.fixture
def make(backend: Any) -> Callable[..., Any]:
    """The class m4alloc.Arena as it is on this backend."""
    return type("Arena", (arena.ArenaFace, backend.Arena), {})


def test_the_public_names_are_those_of_the_backend_that_is_here() -> None:
    assert m4alloc.backend in ("fast", "pure")
    assert m4alloc.Block is core(m4alloc.backend).Block
    assert issubclass(m4alloc.Arena, core(m4alloc.backend).Arena)
    assert m4alloc.Misuse is Misuse


def test_a_block_is_a_writable_buffer_of_the_size_asked_for(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        block = heap.malloc(100)
        view = memoryview(block)
        view[:3] = b"abc"
        assert (len(view), view.readonly, len(block), block.size) == (100, False, 100, 100)
        assert bytes(memoryview(block)[:3]) == b"abc"
        assert block.usable_size >= 100 and block.address % 16 == 0 and block.alive
        view.release()


def test_blocks_do_not_share_bytes(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        blocks = [heap.malloc(size) for size in (0, 1, 16, 17, 100, 5000, 40000)]
        for number, block in enumerate(blocks):
            memoryview(block)[:] = bytes([number]) * block.size
        assert all(bytes(block) == bytes([number]) * block.size for number, block in enumerate(blocks))
        ranges = sorted((block.address, block.address + max(block.usable_size, 1)) for block in blocks)
        assert all(top <= base for (_, top), (base, _) in pairwise(ranges))


def test_calloc_zeroes_what_was_used_before(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        for _ in range(40):
            block = heap.calloc(8, 25)
            assert bytes(block) == bytes(200)
            memoryview(block)[:] = b"x" * 200
            heap.free(block)


def test_aligned_alloc_takes_any_size_and_power_of_two(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        for bits in range(13):
            assert heap.aligned_alloc(1 << bits, 24).address % (1 << bits) == 0
        for alignment in (0, 3, 24):
            with pytest.raises(ValueError, match=f"alignment is {alignment}; it must be a power of two"):
                heap.aligned_alloc(alignment, 24)


@pytest.mark.parametrize("sizes", [(10, 5000), (5000, 10), (100, 101), (100, 0), (0, 100)])
def test_realloc_keeps_contents_and_kills_the_old_block(make: Callable[..., Any], sizes: tuple[int, int]) -> None:
    old_size, new_size = sizes
    with make(MIB) as heap:
        old = heap.malloc(old_size)
        data = bytes(i % 251 for i in range(old_size))
        memoryview(old)[:] = data
        new = heap.realloc(old, new_size)
        assert new.size == new_size and not old.alive
        kept = min(sizes)
        assert bytes(new)[:kept] == data[:kept]
        with pytest.raises(Misuse):
            heap.realloc(old, 10)


def test_freeing_a_dead_block_raises_misuse(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        block = heap.malloc(24)
        heap.free(block)
        with pytest.raises(Misuse, match="block of 24 bytes is dead") as caught:
            heap.free(block)
        assert caught.value.kind == "double-free"
        assert not block.alive and repr(block) == "<Block of 24 bytes, dead>"
        with pytest.raises(Misuse) as caught:
            _ = block.address
        assert caught.value.kind == "use-after-free"


def test_the_contents_of_a_dead_block_cannot_be_reached(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        block = heap.malloc(24)
        memoryview(block)[:] = b"secret".ljust(24)
        heap.free(block)
        with pytest.raises(Misuse):
            bytes(block)
        try:
            assert len(memoryview(block)) == 0  # the pure backend before Python 3.12
        except Misuse as misuse:
            assert misuse.kind == "use-after-free"


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_block_with_exported_buffers_is_neither_freed_nor_resized(make: Callable[..., Any], size: int) -> None:
    with make(MIB) as heap:
        block = heap.malloc(size)
        view = memoryview(block)
        for give_up in (lambda: heap.free(block), lambda: heap.realloc(block, 50), heap.close):
            with pytest.raises(BufferError, match="exported"):
                give_up()
        assert block.alive
        view.release()
        heap.free(block)
        assert not block.alive


def test_a_view_keeps_the_memory_alive_after_the_block_is_dropped(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        view = memoryview(heap.malloc(16))
        gc.collect()
        view[:] = b"0123456789abcdef"
        assert bytes(view) == b"0123456789abcdef"
        view.release()


def test_dropping_a_block_frees_nothing_and_leaving_with_does(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        heap.malloc(24)
        gc.collect()
        assert heap.stats().live_blocks == 1
        with heap.malloc(24) as block:
            assert heap.stats().live_blocks == 2
        assert not block.alive and heap.stats().live_blocks == 1


def test_leaving_with_after_an_explicit_free_is_no_misuse(make: Callable[..., Any]) -> None:
    with make(MIB) as heap, heap.malloc(24) as block:
        heap.free(block)


def test_closing_an_arena_kills_its_blocks(make: Callable[..., Any]) -> None:
    heap = make(MIB)
    block = heap.malloc(24)
    heap.close()
    heap.close()
    assert heap.closed and not block.alive
    for name, arguments in (("malloc", (1,)), ("calloc", (1, 1)), ("aligned_alloc", (16, 1)), ("free", (block,))):
        with pytest.raises(ValueError, match="the arena is closed"):
            getattr(heap, name)(*arguments)
    assert repr(heap) == "<Arena, closed>"


def test_exhaustion_raises_memory_error_and_freeing_helps(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        blocks = []
        with pytest.raises(MemoryError, match=r"no room for 50000 bytes in an arena of 1048576"):
            while True:
                blocks.append(heap.malloc(50000))
        assert len(blocks) >= 10
        for block in blocks:
            heap.free(block)
        assert heap.malloc(50000).alive


def test_a_failed_realloc_leaves_the_old_block_alive_with_its_contents(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        block = heap.malloc(6)
        memoryview(block)[:] = b"stable"
        with pytest.raises(MemoryError):
            heap.realloc(block, 100 * MIB)
        assert block.alive and bytes(block) == b"stable"
        heap.free(block)


def test_sizes_that_cannot_be_are_refused(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        block = heap.malloc(8)
        others: dict[str, tuple[Any, ...]] = {"malloc": (), "calloc": (1,), "realloc": (block,)}
        for name in others:
            call = functools.partial(getattr(heap, name), *others[name])
            with pytest.raises(ValueError, match="size is -1; it must not be negative"):
                call(-1)
            for size in (2**63, 2**64 - 1, 2**64, 10**30):
                with pytest.raises(MemoryError):
                    call(size)
            with pytest.raises(TypeError):
                call("8")
        with pytest.raises(MemoryError):
            heap.calloc(2**33, 2**33)
        assert block.alive


def test_a_block_of_another_arena_is_refused(make: Callable[..., Any]) -> None:
    with make(MIB) as mine, make(MIB) as other:
        block = other.malloc(8)
        with pytest.raises(Misuse, match="another arena"):
            mine.free(block)
        with pytest.raises(Misuse, match="another arena"):
            mine.realloc(block, 9)
        with pytest.raises(TypeError):
            mine.free(None)
        assert block.alive


@pytest.mark.parametrize("capacity", [-1, 0, 65535, 2**44 + 1])
def test_a_capacity_out_of_range_is_refused(make: Callable[..., Any], capacity: int) -> None:
    with pytest.raises(ValueError, match=rf"capacity is {capacity} bytes; it must be from 65,536"):
        make(capacity)


def test_a_strategys_quarantine_delays_reuse(make: Callable[..., Any]) -> None:
    with make(MIB, Strategy(delay_line=4, quarantine=3)) as heap:
        assert heap.quarantine == 7
        first = heap.malloc(64)
        address = first.address
        heap.free(first)
        seen = []
        for _ in range(7):
            block = heap.malloc(64)
            seen.append(block.address)
            heap.free(block)
        assert address not in seen


def test_stats_count_blocks_and_bytes(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        blocks = [heap.malloc(100) for _ in range(10)]
        stats = heap.stats()
        assert stats.live_blocks == 10 and stats.live == sum(block.usable_size for block in blocks)
        assert stats.spans_peak >= stats.spans >= stats.live and stats.misuses == 0
        for block in blocks:
            heap.free(block)
        assert heap.stats().live_blocks == 0 and heap.stats().live == 0
        assert repr(heap) == "<Arena with 0 live blocks, 0 bytes>"
        heap.check()


def test_stats_draw_themselves_as_a_table(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        heap.malloc(5000)
        html = heap.stats()._repr_html_()
    assert html.startswith("<table>") and html.count("<tr>") == 6
    assert ">live blocks</td>" in html and ">1</td>" in html


def test_a_recording_holds_each_request_with_reply_and_evidence(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        heap.malloc(1)
        with heap.record() as events:
            a = heap.malloc(24)
            memoryview(a)[:] = b"x" * 24
            b = heap.realloc(a, 4000)
            c = heap.calloc(3, 5)
            heap.aligned_alloc(256, 10)
            heap.free(b)
            with pytest.raises(MemoryError):
                heap.malloc(1 << 40)
        heap.free(c)
    assert [(event.function, event.request_size, event.intact, event.errno) for event in events] == [
        (Function.MALLOC, 24, -1, 0),
        (Function.REALLOC, 4000, 24, 0),
        (Function.CALLOC, 15, 15, 0),
        (Function.ALIGNED_ALLOC, 10, -1, 0),
        (Function.FREE, 0, -1, 0),
        (Function.MALLOC, 1 << 40, -1, 12),
    ]
    assert events[1].address == events[0].result and events[4].address == events[1].result
    assert all(event.usable >= event.request_size for event in events[:4])
    assert [event.begin for event in events] == list(range(1, 12, 2))
    assert accept(events).findings == []


def test_a_block_freed_by_its_with_statement_is_recorded(make: Callable[..., Any]) -> None:
    with make(MIB) as heap, heap.record() as events, heap.malloc(8):
        pass
    assert [event.function for event in events] == [Function.MALLOC, Function.FREE]


def test_recordings_nest_and_leave_nothing_behind(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        with heap.record() as outer:
            heap.malloc(1)
            with heap.record() as inner:
                heap.malloc(2)
            heap.malloc(3)
        heap.malloc(4)
        assert not {"malloc", "free"} & set(vars(heap))
    assert [event.size for event in outer] == [1, 2, 3] and [event.size for event in inner] == [2]


def test_requests_refused_for_their_arguments_or_as_misuse_are_no_events(make: Callable[..., Any]) -> None:
    with make(MIB) as heap:
        block = heap.malloc(1)
        heap.free(block)
        with heap.record() as events:
            for name, arguments in (("malloc", (-1,)), ("free", (block,)), ("realloc", (block, 2))):
                with pytest.raises((ValueError, Misuse)):
                    getattr(heap, name)(*arguments)
    assert events == []


def test_threads_share_an_arena(make: Callable[..., Any]) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            held: list[Any] = []
            for step in range(200):
                block = heap.malloc(step % 300)
                memoryview(block)[:] = bytes([number]) * block.size
                held.append(block)
                if len(held) > 5:
                    oldest = held.pop(0)
                    assert bytes(oldest) == bytes([number]) * oldest.size
                    heap.free(oldest)
        except BaseException as failure:
            failures.append(failure)

    with make(16 * MIB) as heap, heap.record() as events:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heap.check()
    assert failures == []
    assert len(events) == 4 * (200 + 195)
    history = sorted(events, key=lambda event: event.begin)
    assert accept(history).findings == []


def test_functions_on_addresses_serve_the_process(backend: Any) -> None:
    address = backend.malloc(100)
    assert address % 16 == 0 and backend.usable_size(address) >= 100
    bigger = backend.realloc(address, 10000)
    assert backend.usable_size(bigger) >= 10000
    other = backend.calloc(3, 7)
    aligned = backend.aligned_alloc(4096, 1)
    assert aligned % 4096 == 0 and len({bigger, other, aligned}) == 3
    assert backend.realloc(other, 0) == 0
    for block in (bigger, aligned, 0):
        backend.free(block)


def test_functions_on_addresses_raise_misuse_and_memory_error(backend: Any) -> None:
    address = backend.malloc(64)
    with pytest.raises(Misuse) as caught:
        backend.free(address + 16)
    assert caught.value.kind == "interior-free"
    backend.free(address)
    with pytest.raises(Misuse) as caught:
        backend.free(address)
    assert caught.value.kind == "double-free"
    with pytest.raises(Misuse):
        backend.realloc(address, 128)
    with pytest.raises(Misuse) as caught:
        backend.free(24)
    assert caught.value.kind == "invalid-free"
    with pytest.raises(MemoryError):
        backend.malloc(2**62)
    with pytest.raises(ValueError, match="size is -5"):
        backend.malloc(-5)


def test_both_backends_have_the_same_public_face() -> None:
    with core("fast").Arena(MIB) as fast, _pure.Arena(MIB) as pure:
        for ours, theirs in ((fast, pure), (fast.malloc(1), pure.malloc(1))):
            own = {name for name in dir(ours) if not name.startswith("_")} - {"call"}
            assert own <= set(dir(theirs))


def test_an_event_of_a_recording_is_the_specs_own(make: Callable[..., Any]) -> None:
    with make(MIB) as heap, heap.record() as events:
        heap.malloc(1)
    assert type(events[0]) is Event


def test_totals_count_calls_and_a_realloc_only_when_it_moves(make: Callable[..., Any]) -> None:
    with make(4 * MIB) as arena:
        kept = [arena.malloc(100) for _ in range(10)]
        for block in kept[:4]:
            arena.free(block)
        arena.realloc(arena.calloc(1, 64), 60)
        totals = arena.totals()
        assert (totals["mallocs"], totals["frees"], totals["live_blocks"]) == (11, 4, 7)
        arena.realloc(kept[9], 50_000)
        totals = arena.totals()
        assert (totals["mallocs"], totals["frees"], totals["live_blocks"]) == (12, 5, 7)


def test_the_classes_of_an_arena_account_for_its_totals(make: Callable[..., Any], backend: Any) -> None:
    with make(4 * MIB) as arena:
        blocks = [arena.malloc(size) for size in (0, 1, 16, 17, 100, 100, 5000, 40_000)]
        arena.free(blocks[4])
        classes = arena.classes()
        if backend is _pure:
            assert classes == [], "the reference allocator has no classes"
            return
        assert [counts["slot_size"] for counts in classes] == [0, 16, 32, 112, 5120]
        assert [counts["live_blocks"] for counts in classes] == [1, 2, 1, 1, 1]
        assert [counts["mallocs"] for counts in classes] == [1, 2, 1, 2, 1]
        assert [counts["frees"] for counts in classes] == [0, 0, 0, 1, 0]
        totals = arena.totals()
        assert totals["mallocs"] == 8 and totals["large_mallocs"] == totals["large_blocks"] == 1
        assert sum(counts["spans"] for counts in classes) == totals["spans"] - 65536
        arena.check()
