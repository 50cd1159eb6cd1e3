"""From a history to lives of blocks: each against the heap walked by hand, one event after another."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given

from m4alloc.check.script_strategies import scripts
from m4alloc.view.explorer.build import STEPS, life_of
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.life import FAILED, Life
from spec.allocator import ReferenceAllocator
from spec.event import ALLOCATING, FREEING, MISUSE_CAUGHT, RESIZING, Event, Function
from spec.judge import extent, hands_out
from spec.script import Script, parse, run, to_events


def drawn(text: str, **options: Any) -> Life:
    return life_of(columns_of_events(to_events(parse(text))), title="t", allocator="a", **options)


def walked(events: list[Event]) -> list[tuple[int, ...]]:
    """Each block as (base, size, usable, born, died, thread, freer, origin), the readable way."""
    blocks: list[list[int]] = []
    live: dict[int, int] = {}
    for number, event in enumerate(events):
        function, given_up = event.function, -1
        moves = function in RESIZING and (hands_out(event) or (event.request_size == 0 and not event.errno))
        served = not event.flags & MISUSE_CAUGHT
        if served and (function in FREEING or moves) and event.address in live:
            given_up = live.pop(event.address)
            blocks[given_up][4], blocks[given_up][6] = number, event.thread
        if served and (function in ALLOCATING or function in RESIZING) and hands_out(event):
            if event.result in live:
                blocks[live[event.result]][4] = number
            live[event.result] = len(blocks)
            size = event.request_size
            born = [event.result, size, extent(event), number, len(events), event.thread, -1, given_up]
            blocks.append(born)
    return [tuple(block) for block in blocks]


@given(scripts(threads=1, max_steps=40, misuse=True))
def test_every_block_lives_as_long_as_the_heap_walked_by_hand_says(script: Script) -> None:
    events = run(script, ReferenceAllocator(capacity=1 << 20)).events
    blocks = life_of(columns_of_events(events), title="", allocator="").blocks
    columns = (
        blocks.base,
        blocks.size,
        blocks.usable,
        blocks.born,
        blocks.died,
        blocks.thread,
        blocks.freer,
        blocks.origin,
    )
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == walked(events)


def test_a_realloc_in_place_ends_a_block_and_begins_the_next() -> None:
    life = drawn("a = malloc 24 -> 0x1000\na = realloc a 30 -> 0x1000\nfree a")
    assert life.blocks.died.tolist() == [1, 2]
    assert life.blocks.origin.tolist() == [-1, 0]
    assert life.events.block.tolist() == [0, 1, 1]


def test_a_failed_request_hands_out_nothing_and_is_flagged() -> None:
    life = drawn("a = malloc 24 -> 0x1000\nb = malloc 99 -> NULL ENOMEM\nc = realloc a 999 -> NULL ENOMEM\nfree a")
    assert (life.events.flags & FAILED > 0).tolist() == [False, True, True, False]
    assert life.events.block.tolist() == [0, -1, 0, 0]
    assert life.blocks.died.tolist() == [3]


def test_a_free_that_the_allocator_refused_frees_nothing() -> None:
    life = drawn("a = malloc 24 -> 0x1000\nfree_sized a 99 misuse-caught\nfree a")
    assert life.blocks.died.tolist() == [2]


def test_a_block_handed_out_over_a_live_one_ends_it_and_nobody_gave_it_up() -> None:
    life = drawn("a = malloc 24 -> 0x1000\nb = malloc 24 -> 0x1000\nfree b")
    assert life.blocks.died.tolist() == [1, 2]
    assert life.blocks.freer.tolist() == [-1, 0]


def test_bytes_may_be_reused_when_as_many_of_their_class_were_freed_as_was_promised() -> None:
    text = "\n".join(f"b{n} = malloc 24 -> {0x1000 + 64 * n:#x} usable 32" for n in range(4))
    text += "\nbig = malloc 500 -> 0x8000 usable 512\nfree big\n" + "\n".join(f"free b{n}" for n in range(4))
    life = drawn(text, quarantine=(2, 256))
    assert life.blocks.died.tolist() == [6, 7, 8, 9, 5]
    assert life.blocks.reusable.tolist() == [8, 9, 10, 10, 5]  # the large block is above the limit
    assert (life.quarantine, life.quarantine_limit) == (2, 256)


def test_times_are_rounded_only_where_there_are_many() -> None:
    count = 120_000
    step = 40_000
    events = [Event(Function.FREE, time_ns=1 + step * number) for number in range(count)]
    life = life_of(columns_of_events(events), title="", allocator="")
    unit = (count - 1) * step // STEPS
    assert life.left_out == "Times are rounded to 9.15 us."
    assert np.abs(life.events.time_ns - step * np.arange(count)).max() <= unit // 2 + 1
    few = life_of(columns_of_events(events[:1000]), title="", allocator="")
    assert few.left_out == ""
    assert few.events.time_ns.tolist() == [step * number for number in range(1000)]


def test_a_history_without_calls_has_no_blocks() -> None:
    life = life_of(columns_of_events([]), title="", allocator="")
    assert (len(life.events), len(life.blocks), life.curves, life.marks) == (0, 0, (), ())


def test_a_block_that_was_overwritten_by_a_call_that_began_earlier_ends_where_it_began() -> None:
    life = drawn("@1 [1..6] a = malloc 16 -> 0x1000\n@2 [2..5] b = malloc 32 -> 0x1000\n@1 [7..8] load 0x1000 8 1")
    assert (life.blocks.born.tolist(), life.blocks.died.tolist()) == ([0, 1], [3, 1])
    assert life.events.block.tolist() == [0, 1, 0]
