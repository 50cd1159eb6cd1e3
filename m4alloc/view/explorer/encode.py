"""A life as text inside a page: columns of integers, deflated, in the characters of `encode_text`.

What follows from what is already known is left out, so that a million events fit a page. The bytes, once inflated, are
the length of the head, four bytes, little-endian; the head, JSON; then the streams, one after the other, in the order
in which the head lists them, each as `encode_integers.packed` writes it. decode.py says what each stream means, and
decode.js does the same.

Which block an event is about is told by rank: how many younger ones live. Where a block lies is told by rank, too:
which of the addresses of its size class it got, the one given up last being the first; what was given up long ago by
its place among the addresses of the class. Programs and allocators repeat themselves, and these numbers stay small.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from m4alloc.check.lives import Booleans, Integers
from m4alloc.view.explorer.build import reusable
from m4alloc.view.explorer.build_bounds import address_base
from m4alloc.view.explorer.encode_integers import packed
from m4alloc.view.explorer.encode_ranks import ranks
from m4alloc.view.explorer.encode_text import armoured
from m4alloc.view.explorer.life import FAILED, Life
from spec.event import ACCESSING, ALLOCATING, FREEING, MISUSE_CAUGHT, RESIZING

VERSION = 3
REACH = 48
"""How deep a block's address is looked for among those of its size class that were given up."""
AGAIN = REACH + 2
"""Stands in place of a rank for an address of the size class that lies deeper."""
_HALF = re.compile("[\ud800-\udfff]")
"""What stands for a byte of a name or an argument that is not UTF-8: no page can hold it."""
COLUMNS = frozenset({"events", "blocks"})
LISTS = frozenset({"marks", "retags", "properties", "curves", "guards"})


def encode(life: Life) -> str:
    """The life as text; `decode.decode` gives it back equal.

    life: `build_bounds.bounded`, else a browser's script reads other numbers than `decode`.
    Cost: a second or two for a million events.
    Raises ValueError: its columns contradict each other: an event names a block that is not there yet.
    """
    start = address_base(life)
    entries: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for name, values in streams(life, start):
        entry, data = packed(values)
        entries.append({"name": name, **entry})
        parts.append(data)
    head = {
        "version": VERSION,
        "events": len(life.events),
        "blocks": len(life.blocks),
        "streams": entries,
        "life": rest_of(life, start),
    }
    text = _HALF.sub("\ufffd", json.dumps(head, ensure_ascii=False, separators=(",", ":"))).encode()
    parts.insert(0, len(text).to_bytes(4, "little") + text)
    return armoured(b"".join([*map(_deflated, parts), zlib.compressobj(9, zlib.DEFLATED, -15).flush()]))


def _deflated(data: bytes) -> bytes:
    """One stream, raw and not ended, so that others can follow; what is repeated is looked for where that pays."""
    if not data:
        return b""
    found = []
    for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY):
        deflate = zlib.compressobj(8, zlib.DEFLATED, -15, 9, strategy)
        found.append(deflate.compress(data) + deflate.flush(zlib.Z_FULL_FLUSH))
    return min(found, key=len)


def streams(life: Life, start: int) -> Iterator[tuple[str, Integers | Sequence[int]]]:
    """The streams in order; see `decode`.  Raises ValueError."""
    events, blocks = life.events, life.blocks
    count = len(events)
    there = int(np.searchsorted(blocks.born, 0))
    here = np.arange(there, len(blocks))
    new = np.zeros(count, np.bool_)
    new[blocks.born[there:]] = True
    if np.any(np.diff(blocks.born[there:]) < 1) or not np.array_equal(events.block[blocks.born[there:]], here):
        raise ValueError("blocks must be in the order of the events that handed them out, one an event")
    known = there + np.cumsum(new) - new
    if np.any(events.block[~new] >= known[~new]):
        raise ValueError(
            f"event {int(np.argmax(events.block >= known + new)) + 1} is about a block that is not there yet"
        )

    yield "function", events.function
    yield "thread", events.thread
    yield "flags", events.flags
    unit = max(1, int(np.gcd.reduce(events.time_ns))) if count else 1
    yield "unit", [unit]
    yield "time", events.time_ns // unit
    yield "new?", np.flatnonzero(new != expected(events.function, events.flags))
    other = np.flatnonzero(~new)
    reached = np.isin(events.function[other], [*map(int, ACCESSING)])
    rank, age = ranks(known[other], events.block[other], other, gone(life))
    yield "rank", rank[~reached]
    yield "rank of accessed", rank[reached]
    yield "age of dead", age
    yield "size of new", events.size[new]
    yield "size", events.size[other[~reached]]
    yield "size of access", events.size[other[reached]]
    yield "offset", events.offset[other[reached]][by_size(blocks.size, events.block[other[reached]])]
    elsewhere = np.ones(count, np.bool_)
    elsewhere[other[reached]] = False
    yield from _exceptions("offset", np.where(elsewhere, events.offset, 0), np.zeros(count, np.int64))

    yield "size there", blocks.size[:there]
    yield from _exceptions("size", blocks.size[there:], events.size[blocks.born[there:]])
    yield "usable", blocks.usable - usable_before(blocks.size, blocks.usable)
    resized = np.flatnonzero(new & np.isin(events.function, [*map(int, RESIZING)]))
    heirs = events.block[resized]
    yield "origin", ages(known[resized], blocks.origin[heirs])
    if np.count_nonzero(blocks.origin >= 0) != np.count_nonzero(blocks.origin[heirs] >= 0):
        raise ValueError("a block that has an origin must have been handed out by a realloc")
    yield from _exceptions("died", blocks.died, deaths(life))
    yield from _exceptions("thread", blocks.thread, threads_at(events.thread, blocks.born))
    yield from _exceptions("freer", blocks.freer, threads_at(events.thread, blocks.died))
    promised = (life.quarantine, life.quarantine_limit)
    yield from _exceptions(
        "reusable", blocks.reusable, reusable(blocks.usable, blocks.died, blocks.freer, promised, count)
    )
    place, fresh, again = places(blocks.base - start, blocks.usable, blocks.born, blocks.died, blocks.origin)
    yield "place", place
    yield "fresh", fresh
    yield "again", again
    yield "tag", blocks.tag
    bound = blocks.high > blocks.low
    yield "bounds", [int(bound.any())]
    if bound.any():
        yield "bound?", bound.astype(np.int64)
        yield "low", (blocks.low - blocks.base)[bound]
        yield "high", (blocks.high - blocks.base - blocks.usable)[bound]


def expected(function: Integers, flags: Integers) -> Booleans:
    """Which events most likely handed a block out, by their function and flags alone."""
    asking = np.isin(function, [*map(int, ALLOCATING), *map(int, RESIZING)])
    refused: Booleans = flags & FAILED > 0
    return asking & ~refused


def by_size(sizes: Integers, blocks: Integers) -> Integers:
    """The order in which the offsets of accesses stand: by the size of the block, those of no block first."""
    found = np.where(blocks >= 0, sizes[blocks] if len(sizes) else -1, -1)
    return np.argsort(found, kind="stable")


def ages(known: Integers, blocks: Integers) -> Integers:
    """0 for no block, else one more than the zigzag difference of its age from the age before."""
    some = blocks >= 0
    steps = np.diff((known - blocks)[some], prepend=0)
    told = np.zeros(len(blocks), np.int64)
    told[some] = ((steps << 1) ^ (steps >> 63)) + 1
    return told


def usable_before(size: Integers, usable: Integers) -> Integers:
    """What the last block of the same size had as usable bytes; the size itself for the first."""
    order = np.argsort(size, kind="stable")
    sizes, found = size[order], usable[order]
    before = np.where(np.concatenate(([False], sizes[1:] == sizes[:-1])), np.concatenate(([0], found[:-1])), sizes)
    told = np.empty_like(usable)
    told[order] = before[: len(order)]
    return told


def gone(life: Life) -> Integers:
    """Of each block the first event that gives it up, as far as the events tell; their number for none."""
    blocks = life.blocks
    first = _freed(life)
    moved = np.flatnonzero(blocks.origin >= 0)
    np.minimum.at(first, blocks.origin[moved], blocks.born[moved])
    return first


def _freed(life: Life) -> Integers:
    """Of each block the first free of it; the number of events for none."""
    events, blocks = life.events, life.blocks
    died = np.full(len(blocks), len(events), np.int64)
    frees = np.flatnonzero(
        np.isin(events.function, [*map(int, FREEING)]) & (events.block >= 0) & (events.flags & MISUSE_CAUGHT == 0)
    )[::-1]
    died[events.block[frees]] = frees  # the last one written is the first one made
    return died


def deaths(life: Life) -> Integers:
    """Of each block the event that most likely ended it: the first free of it, or the realloc whose origin it was."""
    blocks = life.blocks
    died = _freed(life)
    moved = np.flatnonzero(blocks.origin >= 0)
    died[blocks.origin[moved]] = blocks.born[moved]
    return died


def threads_at(thread: Integers, at: Integers) -> Integers:
    """The threads of those events; -1 for none."""
    inside = (at >= 0) & (at < len(thread))
    return np.where(inside, thread[np.where(inside, at, 0)] if len(thread) else -1, -1)


def _exceptions(name: str, values: Integers, guess: Integers) -> Iterator[tuple[str, Integers]]:
    """Where `values` is not what it was guessed to be, and by how much it is more."""
    wrong = np.flatnonzero(values != guess)
    yield f"{name} at", wrong
    yield f"{name} off", values[wrong] - guess[wrong]


def places(
    base: Integers, usable: Integers, born: Integers, died: Integers, origin: Integers
) -> tuple[list[int], list[int], list[int]]:
    """Where each block lies: 0 for a fresh address, 1 for that of its origin, AGAIN for one of long ago, else rank + 2.

    Fresh addresses are differences to the one before in the same size class; those of long ago are told by how many
    fresh ones of the class came before. Cost: about a microsecond a block.
    """
    order = np.argsort(died, kind="stable")
    # Blocks that died last of all, or never, can be nobody's address again.
    order = order[: int(np.searchsorted(died[order], int(died.max(initial=0))))]
    dying, moments = order.tolist(), died[order].tolist()
    sizes, classes = np.unique(usable, return_inverse=True)
    bases, kinds, begins, origins = base.tolist(), classes.tolist(), born.tolist(), origin.tolist()
    stacks: list[list[int]] = [[] for _ in sizes]
    last = [0] * len(sizes)
    stayed: set[int] = set()
    ranks: list[int] = []
    fresh: list[int] = []
    again: list[int] = []
    known: list[dict[int, int]] = [{} for _ in sizes]
    at, end = 0, len(dying)
    for address, kind, begin, before in zip(bases, kinds, begins, origins, strict=True):
        while at < end and moments[at] < begin:
            gone = dying[at]
            at += 1
            if gone not in stayed:
                stacks[kinds[gone]].append(bases[gone])
        if before >= 0 and bases[before] == address:
            stayed.add(before)
            ranks.append(1)
            continue
        stack = stacks[kind]
        if stack:
            if stack[-1] == address:
                stack.pop()
                ranks.append(2)
                continue
            near = stack[: -REACH - 1 : -1]
            if address in near:
                rank = near.index(address)
                del stack[-1 - rank]
                ranks.append(rank + 2)
                continue
        number = known[kind].get(address)
        if number is not None:
            ranks.append(AGAIN)
            again.append(number)
            continue
        known[kind][address] = len(known[kind])
        ranks.append(0)
        fresh.append(address - last[kind])
        last[kind] = address
    return ranks, fresh, again


def rest_of(life: Life, start: int) -> dict[str, Any]:
    """Everything of a life but its columns, as JSON; addresses without `start`."""
    rest: dict[str, Any] = {
        one.name: getattr(life, one.name) for one in fields(life) if one.name not in COLUMNS | LISTS
    }
    rest["address_base"] = str(start)
    rest["marks"] = [{**asdict(mark), "address": mark.address - start if mark.length else 0} for mark in life.marks]
    rest["retags"] = [{**asdict(retag), "address": retag.address - start} for retag in life.retags]
    rest["guards"] = [{**asdict(guard), "base": guard.base - start} for guard in life.guards]
    rest["properties"] = [asdict(one) for one in life.properties]
    rest["curves"] = [
        {"name": one.name, "unit": one.unit, "at": one.at.tolist(), "values": list(map(_short, one.values.tolist()))}
        for one in life.curves
    ]
    return rest


def _short(value: float) -> float | int:
    """A number of a curve, to the five digits that can be seen."""
    return int(value) if value.is_integer() else round(value, 5)
