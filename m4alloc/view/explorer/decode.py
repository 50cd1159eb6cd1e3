"""A life from the text inside a page: what decode.js does, written to be read, and to hold the two to each other."""

from __future__ import annotations

import json
import zlib
from collections import deque
from typing import Any

import numpy as np
from sortedcontainers import SortedList

from m4alloc.check.lives import Integers
from m4alloc.view.explorer.encode import AGAIN, VERSION, by_size, expected
from m4alloc.view.explorer.encode_integers import unpacked
from m4alloc.view.explorer.encode_ranks import DEAD, LIVE, NONE
from m4alloc.view.explorer.encode_text import bare
from m4alloc.view.explorer.life import Curve, Events, Guard, Life, LifeBlocks, Mark, PropertyLife, Retag
from spec.event import ACCESSING, FREEING, MISUSE_CAUGHT, RESIZING

ACCESSES = frozenset(map(int, ACCESSING))
FREES = frozenset(map(int, FREEING))
RESIZES = frozenset(map(int, RESIZING))


def decode(text: str) -> Life:
    """The life that `encode` was given.  Cost: some microseconds an event.

    Raises ValueError: a page of another version.
    """
    body = zlib.decompress(bare(text), -15)
    length = int.from_bytes(body[:4], "little")
    head = json.loads(body[4 : 4 + length])
    if head["version"] != VERSION:
        raise ValueError(f"the page has format {head['version']}; this m4alloc reads {VERSION}")
    place = 4 + length
    streams: dict[str, Integers] = {}
    for entry in head["streams"]:
        stop = place + entry.get("bytes", 0)
        streams[entry["name"]] = unpacked(entry, body[place:stop])
        place = stop
    start = int(head["life"]["address_base"])
    promised = (head["life"]["quarantine"], head["life"]["quarantine_limit"])
    events, blocks = _columns(streams, head["events"], head["blocks"], start, promised)
    return _life(head["life"], events, blocks, start)


def _columns(
    streams: dict[str, Integers], count: int, total: int, start: int, promised: tuple[int, int]
) -> tuple[Events, LifeBlocks]:
    """The columns of the events and the blocks."""
    function, thread, flags = streams["function"], streams["thread"], streams["flags"]
    new = expected(function, flags)
    new[streams["new?"]] ^= True
    there = total - int(np.count_nonzero(new))
    block, size = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    born, origin = np.full(total, -1, np.int64), np.full(total, -1, np.int64)
    told = {name: iter(column.tolist()) for name, column in streams.items()}
    known, last_origin = there, 0
    live = SortedList(range(there))
    for event in range(count):
        if new[event]:
            block[event], born[known], size[event] = known, event, next(told["size of new"])
            if function[event] in RESIZES and (step := next(told["origin"])):
                last_origin += _step(step)
                origin[known] = known - last_origin
                live.discard(origin[known])
            live.add(known)
            known += 1
            continue
        reached = function[event] in ACCESSES
        rank = next(told["rank of accessed" if reached else "rank"])
        size[event] = next(told["size of access" if reached else "size"])
        if rank != NONE:
            block[event] = known - next(told["age of dead"]) if rank == DEAD else live[-1 - (rank - LIVE)]
        if function[event] in FREES and not flags[event] & MISUSE_CAUGHT:
            live.discard(block[event])

    sizes = np.concatenate((streams["size there"], size[born[there:]]))
    sizes[there + streams["size at"]] += streams["size off"]
    offset = np.zeros(count, np.int64)
    accesses = np.flatnonzero(~new & np.isin(function, [*ACCESSES]))
    offset[accesses[by_size(sizes, block[accesses])]] = streams["offset"]
    offset[streams["offset at"]] += streams["offset off"]
    events = Events(function, thread, block, size, offset, streams["time"] * streams["unit"][0], flags)
    usable = _usable(sizes, streams["usable"])
    died = np.full(total, count, np.int64)
    for event in range(count - 1, -1, -1):
        if function[event] in FREES and block[event] >= 0 and not flags[event] & MISUSE_CAUGHT:
            died[block[event]] = event
    for heir in range(total):
        if origin[heir] >= 0:
            died[origin[heir]] = born[heir]
    died[streams["died at"]] += streams["died off"]
    owner, freer = _threads(thread, born), _threads(thread, died)
    owner[streams["thread at"]] += streams["thread off"]
    freer[streams["freer at"]] += streams["freer off"]
    reusable = _reusable(usable, died, freer, promised, count)
    reusable[streams["reusable at"]] += streams["reusable off"]
    base = _bases(streams, usable, born, died, origin) + start
    low, high = np.zeros(total, np.int64), np.zeros(total, np.int64)
    if streams["bounds"][0]:
        bound = streams["bound?"] > 0
        low[bound] = base[bound] + streams["low"]
        high[bound] = base[bound] + usable[bound] + streams["high"]
    blocks = LifeBlocks(base, sizes, usable, born, died, reusable, owner, freer, origin, streams["tag"], low, high)
    return events, blocks


def _step(told: int) -> int:
    """A difference of ages, from one more than its zigzag number."""
    return (told - 1) >> 1 ^ -((told - 1) & 1)


def _usable(sizes: Integers, over: Integers) -> Integers:
    """Usable bytes: those of the last block of the same size, or that size, and what is told beyond."""
    last: dict[int, int] = {}
    found = []
    for size, more in zip(sizes.tolist(), over.tolist(), strict=True):
        last[size] = last.get(size, size) + more
        found.append(last[size])
    return np.array(found, np.int64)


def _threads(thread: Integers, at: Integers) -> Integers:
    """The threads of those events; -1 for none."""
    return np.array([thread[event] if 0 <= event < len(thread) else -1 for event in at.tolist()], np.int64)


def _reusable(usable: Integers, died: Integers, freer: Integers, promised: tuple[int, int], count: int) -> Integers:
    """From which event on a block's bytes may be handed out again: when as many of its size class died after it."""
    length, limit = promised
    found = died.copy()
    waiting: dict[int, deque[int]] = {}
    for moment, block in sorted((moment, block) for block, moment in enumerate(died.tolist())):
        if length and freer[block] >= 0 and usable[block] <= limit:
            queue = waiting.setdefault(int(usable[block]), deque())
            queue.append(block)
            found[block] = count
            if len(queue) > length:
                found[queue.popleft()] = moment
    return found


def _bases(
    streams: dict[str, Integers], usable: Integers, born: Integers, died: Integers, origin: Integers
) -> Integers:
    """Where each block lies, from 0: `encode.places` the other way round."""
    last_death = int(died.max(initial=0))
    order = iter(sorted((moment, block) for block, moment in enumerate(died.tolist()) if moment < last_death))
    gone = next(order, None)
    stacks: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    stayed: set[int] = set()
    fresh, again = iter(streams["fresh"].tolist()), iter(streams["again"].tolist())
    known: dict[int, list[int]] = {}
    base: list[int] = []
    for block, rank in enumerate(streams["place"].tolist()):
        while gone is not None and gone[0] < born[block]:
            if gone[1] not in stayed:
                stacks.setdefault(int(usable[gone[1]]), []).append(base[gone[1]])
            gone = next(order, None)
        size = int(usable[block])
        if rank == 0:
            last[size] = last.get(size, 0) + next(fresh)
            base.append(last[size])
            known.setdefault(size, []).append(last[size])
        elif rank == 1:
            stayed.add(int(origin[block]))
            base.append(base[origin[block]])
        elif rank == AGAIN:
            base.append(known[size][next(again)])
        else:
            base.append(stacks[size].pop(1 - rank))
    return np.array(base, np.int64)


def _life(rest: dict[str, Any], events: Events, blocks: LifeBlocks, start: int) -> Life:
    """The life with those columns."""
    told: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in rest.items()}
    del told["address_base"]
    told["marks"] = tuple(
        Mark(**{**mark, "address": mark["address"] + start if mark["length"] else 0}) for mark in rest["marks"]
    )
    told["retags"] = tuple(Retag(**{**one, "address": one["address"] + start}) for one in rest["retags"])
    told["guards"] = tuple(Guard(**{**one, "base": one["base"] + start}) for one in rest["guards"])
    told["properties"] = tuple(
        PropertyLife(
            **{**one, "states": tuple(one["states"]), "changes": tuple(tuple(change) for change in one["changes"])}
        )
        for one in rest["properties"]
    )
    told["curves"] = tuple(
        Curve(one["name"], one["unit"], np.array(one["at"], np.int64), np.array(one["values"], np.float64))
        for one in rest["curves"]
    )
    return Life(events=events, blocks=blocks, **told)
