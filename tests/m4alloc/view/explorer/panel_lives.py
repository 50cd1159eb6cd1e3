"""Small lives, written by hand, that the panels' tests look at."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from m4alloc.view.explorer.life import Curve, Events, Guard, Life, LifeBlocks, Mark, PropertyLife, Retag
from spec.event import Function

Row = dict[str, int]
SAFE = "[](free -> [](!load && !store))"


def block(base: int, size: int, usable: int, born: int, died: int, **more: int) -> Row:
    """A block as a row; what is not told is as for a plain heap."""
    row = {"base": base, "size": size, "usable": usable, "born": born, "died": died, "reusable": died}
    row |= {"thread": 0, "freer": 0, "origin": -1, "tag": -1, "low": 0, "high": 0}
    return row | more


def event(function: Function, block: int, size: int = 0, offset: int = 0, **more: int) -> Row:
    """An event as a row."""
    row = {"function": function, "thread": 0, "block": block, "size": size, "offset": offset}
    return row | {"time_ns": 0, "flags": 0} | more


def life(title: str, events: Sequence[Row], blocks: Sequence[Row], **more: object) -> Life:
    """A life from its rows, with curves of live bytes and fragmentation."""

    def columns(kind: type, rows: Sequence[Row]) -> object:
        return kind(**{name: np.array([row[name] for row in rows], np.int64) for name in rows[0]})

    at = np.arange(len(events), dtype=np.int64)

    def total(name: str) -> np.ndarray:
        return np.array([sum(b[name] for b in blocks if b["born"] <= e < b["died"]) for e in at], np.float64)

    live, usable = total("size"), total("usable")
    footprint = np.maximum.accumulate(usable)
    curves = (
        Curve("live", "bytes", at, live),
        Curve("usable", "bytes", at, usable),
        Curve("footprint", "bytes", at, footprint),
        Curve("internal fragmentation", "share", at, 1 - live / np.maximum(usable, 1)),
        Curve("external fragmentation", "share", at, 1 - usable / np.maximum(footprint, 1)),
    )
    held = columns(Events, events), columns(LifeBlocks, blocks)
    return Life(title, "the reference allocator", *held, curves=curves, **more)  # type: ignore[arg-type]


def use_after_free() -> Life:
    """A block is read after it was freed and its bytes were handed out again."""
    f = Function
    events = [
        event(f.MALLOC, 0, 24),
        event(f.MALLOC, 1, 40),
        event(f.STORE, 0, 8, 8),
        event(f.STORE, 1, 8, 32),
        event(f.FREE, 0),
        event(f.STORE, 1, 4, 0),
        event(f.MALLOC, 2, 24),
        event(f.STORE, 2, 8, 8),
        event(f.LOAD, 0, 8, 8),
        event(f.FREE, 2),
        event(f.FREE, 1),
    ]
    blocks = [
        block(0x1000, 24, 32, 0, 4, reusable=6),
        block(0x1020, 40, 48, 1, 10),
        block(0x1000, 24, 32, 6, 9),
    ]
    script = (
        "# the stale pointer reads what its successor wrote",
        "a = malloc 24",
        "b = malloc 40",
        "store a 8 8",
        "store b 32 8",
        "free a",
        "store b 0 4",
        "c = malloc 24",
        "store c 8 8",
        "load a 8 8   # <b>not markup</b>",
        "free c",
        "free b",
    )
    states = ("allocated", "freed: any access violates", "violated")
    watch = PropertyLife(
        "used_while_allocated",
        SAFE,
        "Nobody touches a block that was freed.",
        "block",
        states,
        ((0, 0, 0), (1, 1, 0), (4, 0, 1), (6, 2, 0), (8, 0, 2), (9, 2, 1), (10, 1, 1)),
    )
    marks = (
        Mark(
            8,
            0,
            "misuse",
            "use_after_free",
            "bytes 8 to 15 of a freed block",
            "No access to what was freed.",
            0x1008,
            8,
        ),
        Mark(8, 0, "property", "used_while_allocated", "violated for good: load after free.", SAFE, 0x1008, 8),
    )
    return life(
        "stale.heap",
        events,
        blocks,
        sentence="A freed block is read.",
        marks=marks,
        properties=(watch,),
        script=script,
        script_lines=tuple(range(2, 13)),
        guards=(Guard(0x1050, 48, 0, 11),),
    )


def tagged_attack() -> Life:
    """An attack on MTE: a stale pointer's tag, drawn again, passes."""
    f = Function
    events = [
        event(f.MALLOC, 0, 40),
        event(f.STORE, 0, 8, 0),
        event(f.FREE, 0),
        event(f.LOAD, 0, 8, 0),
        event(f.MALLOC, 1, 40),
        event(f.LOAD, 0, 8, 0),
        event(f.FREE, 1),
        event(f.MALLOC, 2, 40),
        event(f.LOAD, 0, 8, 0),
        event(f.MALLOC, 3, 16),
    ]
    blocks = [
        block(0x1000, 40, 48, 0, 2, tag=5),
        block(0x1000, 40, 48, 4, 6, tag=12),
        block(0x1000, 40, 48, 7, 10, tag=5),
        block(0x1030, 16, 16, 9, 10, tag=3),
    ]
    marks = (
        Mark(2, 0, "attack", "victim frees", "the victim frees its block and keeps the pointer"),
        Mark(3, 0, "fault", "stale load", "the granule was retagged 9 at the free; the pointer has 5", "", 0x1000, 8),
        Mark(5, 0, "fault", "stale load", "the new block has tag 12; the pointer has 5", "", 0x1000, 8),
        Mark(7, 2, "attack", "spray", "the attacker allocates until the tag comes again: 1 of 15 each time"),
        Mark(8, 0, "missed", "stale load", "tag 5 was drawn again: the check passes", "", 0x1000, 8),
    )
    retags = (Retag(2, 0x1000, 48, 9), Retag(6, 0x1000, 48, 7))
    said = "The attack succeeds when the tag is drawn again: 1 in 15 at each try."
    hardware = {"protection": "mte", "granule": 16, "retags": retags}
    return life("use after free on MTE", events, blocks, marks=marks, sentence=said, **hardware)


def out_of_bounds() -> Life:
    """A store past the bounds of a capability."""
    f = Function
    asked = [event(f.MALLOC, 0, 20), event(f.MALLOC, 1, 64)]
    events = [*asked, event(f.STORE, 0, 4, 16), event(f.STORE, 0, 8, 28), event(f.FREE, 1)]
    blocks = [
        block(0x4000, 20, 32, 0, 5, low=0x4000, high=0x4018),
        block(0x4020, 64, 64, 1, 4, low=0x4020, high=0x4060),
    ]
    mark = Mark(3, 0, "fault", "length violation", "bytes 28 to 35 end past the bounds", "", 0x401C, 8)
    said = "The hardware stops the store."
    return life("overflow on CHERI", events, blocks, protection="morello", marks=(mark,), sentence=said)


def resized() -> Life:
    """A block that grows three times, once in place, and is freed by another thread."""
    f = Function
    events = [
        event(f.MALLOC, 0, 16, time_ns=1000),
        event(f.REALLOC, 1, 30, time_ns=2500),
        event(f.MALLOC, 2, 100, thread=1, time_ns=4000),
        event(f.REALLOC, 3, 4000, time_ns=900_000),
        event(f.REALLOC, 4, 9000, time_ns=1_200_000),
        event(f.FREE, 4, thread=1, time_ns=2_000_000),
    ]
    blocks = [
        block(0x2000, 16, 32, 0, 1),
        block(0x2000, 30, 32, 1, 3, origin=0),
        block(0x2020, 100, 112, 2, 6, thread=1, freer=-1),
        block(0x3000, 4000, 4096, 3, 4, origin=1),
        block(0x5000, 9000, 9216, 4, 5, origin=3, freer=1),
    ]
    return life("grows.heap", events, blocks, threads=("main", "worker"))


@cache
def many(count: int = 20_000) -> Life:
    """Blocks that come and go: a long run without findings."""
    events: list[Row] = []
    blocks: list[Row] = []
    live: list[int] = []
    for number in range(count):
        if len(live) > 200 or (number % 3 == 2 and live):
            gone = live.pop(number * 7919 % len(live))
            blocks[gone]["died"] = blocks[gone]["reusable"] = number
            events.append(event(Function.FREE, gone))
        else:
            size = 8 + number * 31 % 500
            base = 0x10000 + 512 * (len(blocks) % 997)
            blocks.append(block(base, size, size + (-size) % 16, number, count, freer=-1))
            live.append(len(blocks) - 1)
            events.append(event(Function.MALLOC, len(blocks) - 1, size))
    rows = {name: np.array([row[name] for row in events], np.int64) for name in events[0]}
    held = {name: np.array([row[name] for row in blocks], np.int64) for name in blocks[0]}
    at = np.arange(0, count, 10, dtype=np.int64)
    values = (1000 * (at % 997)).astype(np.float64)
    curve = Curve("live", "bytes", at, values)
    return Life("many calls", "synthetic", Events(**rows), LifeBlocks(**held), curves=(curve,))
