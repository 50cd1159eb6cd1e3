"""The packing that knows the future, compiled by numba; its sets of slabs are trees of bitmaps."""

from __future__ import annotations

from typing import Any

import numpy as np

from m4alloc.model.native import inlined, kept

Array = Any


@inlined
def _lowest(word: np.uint64) -> int:
    """The number of the lowest bit that is set."""
    place = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if word & ((np.uint64(1) << np.uint64(shift)) - np.uint64(1)) == np.uint64(0):
            word >>= np.uint64(shift)
            place += shift
    return place


@inlined
def _highest(word: np.uint64) -> int:
    place = 0
    for shift in (32, 16, 8, 4, 2, 1):
        if word >> np.uint64(shift) != np.uint64(0):
            word >>= np.uint64(shift)
            place += shift
    return place


@inlined
def _mark(levels: Array, starts: Array, key: int, on: bool) -> None:
    """Put a key into the set of keys, a tree of bitmaps of 64 children each, or take it out."""
    for level in range(starts.size):
        word = starts[level] + key // 64
        bit = np.uint64(1) << np.uint64(key % 64)
        if on:
            levels[word] |= bit
        else:
            levels[word] &= ~bit
            if levels[word] != np.uint64(0):
                return
        key //= 64


@inlined
def _next(levels: Array, starts: Array, key: int) -> int:
    """The least key in the set that is at least `key`; -1: none."""
    level = 0
    while level < starts.size:
        word = starts[level] + key // 64
        limit = starts[level + 1] if level + 1 < starts.size else levels.size
        if word < limit:
            rest = levels[word] >> np.uint64(key % 64)
            if rest != np.uint64(0):
                key += _lowest(rest)
                while level > 0:
                    level -= 1
                    key = key * 64 + _lowest(levels[starts[level] + key])
                return key
        key = key // 64 + 1
        level += 1
    return -1


@inlined
def _last(levels: Array, starts: Array) -> int:
    """The greatest key in the set; -1: it is empty. The topmost bitmap is one word."""
    level = starts.size - 1
    if levels[starts[level]] == np.uint64(0):
        return -1
    key = _highest(levels[starts[level]])
    while level > 0:
        level -= 1
        key = key * 64 + _highest(levels[starts[level] + key])
    return key


@kept
def class_events(begin_at: Array, end_at: Array, of_class: Array, classes: int) -> tuple[Array, Array, Array, Array]:
    """For one class after the other: its events, their calls, and for its pieces the events that end them.

    An event is the number + 1 that the piece has within its class where it begins, and the negative of that where it
    ends; at one call the end comes first, since a resized block may take its own place. The last result is where the
    events of each class begin.
    """
    count = np.zeros(classes, np.int64)
    pieces_of = np.zeros(classes, np.int64)
    for call in range(begin_at.size):
        for piece in (end_at[call], begin_at[call]):
            if piece >= 0 and of_class[piece] >= 0:
                count[of_class[piece]] += 1
        piece = begin_at[call]
        if piece >= 0 and of_class[piece] >= 0:
            pieces_of[of_class[piece]] += 1
    begins = np.zeros(classes + 1, np.int64)
    first = np.zeros(classes + 1, np.int64)
    for c in range(classes):
        begins[c + 1] = begins[c] + count[c]
        first[c + 1] = first[c] + pieces_of[c]
    events = np.empty(begins[classes], np.int64)
    when = np.empty(begins[classes], np.int64)
    ends = np.empty(first[classes], np.int64)
    number = np.empty(of_class.size, np.int64)
    place = np.zeros(classes, np.int64)
    made = np.zeros(classes, np.int64)
    for call in range(begin_at.size):
        piece = end_at[call]
        if piece >= 0 and of_class[piece] >= 0:
            c = of_class[piece]
            events[begins[c] + place[c]] = -number[piece] - 1
            when[begins[c] + place[c]] = call
            ends[first[c] + number[piece]] = place[c]
            place[c] += 1
        piece = begin_at[call]
        if piece >= 0 and of_class[piece] >= 0:
            c = of_class[piece]
            number[piece] = made[c]
            events[begins[c] + place[c]] = made[c] + 1
            when[begins[c] + place[c]] = call
            ends[first[c] + made[c]] = count[c]
            made[c] += 1
            place[c] += 1
    return events, when, ends, begins


@kept
def clairvoyant(events: Array, ends: Array, per_slab: int, when: Array, calls: int) -> tuple[int, int]:
    """Slabs at the peak, and the sum over the calls of slabs held, of one class, when ends of blocks are known.

    events, ends, when: of class_events. A block goes into the slab with a free slot that it
    keeps alive for the least longer time: the first to be done after it, else the last to be done, else a new one.
    """
    last = events.size
    sizes = np.empty(12, np.int64)
    depth = 0
    words = last + 1
    total = 0
    while True:
        words = (words + 63) // 64
        sizes[depth] = words
        total += words
        depth += 1
        if words == 1:
            break
    starts = np.zeros(depth, np.int64)
    for level in range(1, depth):
        starts[level] = starts[level - 1] + sizes[level - 1]
    levels = np.zeros(total, np.uint64)
    first = np.full(last + 1, -1, np.int64)
    following = np.full(ends.size + 1, -1, np.int64)
    used = np.zeros(ends.size + 1, np.int64)
    until = np.zeros(ends.size + 1, np.int64)
    free_slabs = np.empty(ends.size + 1, np.int64)
    slab_of = np.empty(ends.size, np.int64)
    listed = np.zeros(ends.size + 1, np.bool_)
    spare = 0
    made = 0
    live = 0
    peak = 0
    held = 0
    since = 0
    for place in range(last):
        event = events[place]
        before = live
        if event > 0:
            piece = event - 1
            end = ends[piece]
            key = _next(levels, starts, end)
            if key < 0:
                key = _last(levels, starts)
            if key >= 0:
                slab = first[key]
                first[key] = following[slab]
                listed[slab] = False
                if first[key] < 0:
                    _mark(levels, starts, key, False)
            else:
                if spare > 0:
                    spare -= 1
                    slab = free_slabs[spare]
                else:
                    slab = made
                    made += 1
                used[slab] = 0
                until[slab] = 0
                live += 1
            used[slab] += 1
            until[slab] = max(until[slab], end)
            slab_of[piece] = slab
            if used[slab] < per_slab:
                key = until[slab]
                following[slab] = first[key]
                first[key] = slab
                listed[slab] = True
                _mark(levels, starts, key, True)
        else:
            slab = slab_of[-event - 1]
            used[slab] -= 1
            key = until[slab]
            if used[slab] == 0:
                if listed[slab]:
                    # Its key is this event's own number, which no other slab can have.
                    first[key] = -1
                    listed[slab] = False
                    _mark(levels, starts, key, False)
                free_slabs[spare] = slab
                spare += 1
                live -= 1
            elif not listed[slab]:
                following[slab] = first[key]
                first[key] = slab
                listed[slab] = True
                _mark(levels, starts, key, True)
        if live != before:
            held += before * (when[place] - since)
            since = when[place]
            peak = max(peak, live)
    held += live * (calls - since)
    return peak, held
