"""The passes over millions of calls, compiled by numba: one loop over the calls each."""

from __future__ import annotations

from typing import Any

import numpy as np

from m4alloc.model.native import inlined, kept
from m4alloc.tune._curves_packing import clairvoyant as clairvoyant
from m4alloc.tune._curves_packing import class_events as class_events
from m4alloc.tune.workload import Kind

Array = Any
_ALLOCATE, _FREE, _RESIZE = int(Kind.ALLOCATE), int(Kind.FREE), int(Kind.RESIZE)
_LARGE, _EMPTY = -1, -2


@inlined
def _class_of(size: Any, alignment: Any, slots: Array) -> Any:
    """The core's choice: the smallest slot that holds the request and keeps its alignment."""
    if size == 0:
        return _EMPTY
    if alignment > 65536:
        return _LARGE
    c = np.searchsorted(slots, size)
    while c < slots.size and alignment > 16 and slots[c] % alignment != 0:
        c += 1
    return c if c < slots.size else _LARGE


@kept
def pieces(
    kind: Array, block: Array, size: Array, alignment: Array, blocks: int, slots: Array, whole: bool
) -> tuple[Array, Array, Array, Array, Array]:
    """Begin, end, class, requested and aligned size of each piece. whole: a resize within its slot begins no piece."""
    calls = kind.size
    begin = np.empty(calls, np.int64)
    end = np.empty(calls, np.int64)
    of_class = np.empty(calls, np.int32)
    asked = np.empty(calls, np.int64)
    need = np.empty(calls, np.int64)
    current = np.full(blocks + 1, -1, np.int64)
    count = 0
    for call in range(calls):
        what = kind[call]
        number = block[call]
        piece = current[number]
        if what == _FREE:
            if piece >= 0:
                end[piece] = call
                current[number] = -1
            continue
        wanted = np.int64(size[call])
        to = np.int64(alignment[call])
        if what == _RESIZE and piece >= 0:
            if wanted == asked[piece]:
                continue
            c = of_class[piece]
            if whole and c >= 0 and wanted <= slots[c] and (wanted > slots[c] // 2 or slots[c] <= 32):
                continue
            if (
                whole
                and c == _LARGE
                and wanted > slots[-1]
                and (wanted + 4095) // 4096 == (asked[piece] + 4095) // 4096
            ):
                continue
            end[piece] = call
        begin[count] = call
        end[count] = calls
        of_class[count] = _class_of(wanted, to, slots)
        asked[count] = wanted
        need[count] = (wanted + to - 1) // to * to if to > 1 else wanted
        current[number] = count
        count += 1
    return begin[:count], end[:count], of_class[:count], asked[:count], need[:count]


@kept
def slab_levels(
    begin_at: Array, end_at: Array, of_class: Array, per_slab: Array, units: Array, spans: Array, time: Array
) -> tuple[Array, Array, Array, Array]:
    """Peak of live slots, sum over the calls of slabs needed, and the units that all need, where that changes.

    spans: units of each piece that is large. The changes are two arrays: the time, and the units from then on.
    """
    classes = per_slab.size
    live = np.zeros(classes, np.int64)
    peak = np.zeros(classes, np.int64)
    slabs = np.zeros(classes, np.int64)
    since = np.zeros(classes, np.int64)
    held = np.zeros(classes, np.int64)
    calls = begin_at.size
    when = np.empty(calls, np.int64)
    level = np.empty(calls, np.int64)
    changes = 0
    total = 0
    for call in range(calls):
        before = total
        for turn in range(2):
            piece = end_at[call] if turn == 0 else begin_at[call]
            if piece < 0:
                continue
            step = 1 if turn == 1 else -1
            c = of_class[piece]
            if c == _LARGE:
                total += step * spans[piece]
            elif c >= 0:
                live[c] += step
                if live[c] > peak[c]:
                    peak[c] = live[c]
                now = (live[c] + per_slab[c] - 1) // per_slab[c]
                if now != slabs[c]:
                    held[c] += slabs[c] * (call - since[c])
                    since[c] = call
                    total += (now - slabs[c]) * units[c]
                    slabs[c] = now
        if total != before:
            when[changes] = time[call]
            level[changes] = total
            changes += 1
    for c in range(classes):
        held[c] += slabs[c] * (calls - since[c])
    return peak, held, when[:changes], level[:changes]


@kept
def stack_needs(
    begin_at: Array, end_at: Array, of_class: Array, maker: Array, freer: Array, delay: Array, threads: int
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """The depth that each malloc needs to be served from its thread's stack, 0 for none; and that of slots left there.

    Also, of each class: mallocs, frees by the owner, frees by others, threads that use it. One stack a class and
    thread; a malloc takes the top, a free by the owner pushes the slot freed `delay` frees before.
    """
    classes = delay.size
    keys = classes * threads
    frees = np.zeros(keys, np.int64)
    used = np.zeros(keys, np.bool_)
    mallocs = np.zeros(classes, np.int64)
    local = np.zeros(classes, np.int64)
    remote = np.zeros(classes, np.int64)
    users = np.zeros(classes, np.int64)
    for piece in range(of_class.size):
        c = of_class[piece]
        if c < 0:
            continue
        key = maker[piece] * classes + c
        mallocs[c] += 1
        if not used[key]:
            used[key] = True
            users[c] += 1
        if freer[piece] == maker[piece]:
            frees[key] += 1
            local[c] += 1
        elif freer[piece] >= 0:
            remote[c] += 1
    start = np.zeros(keys + 1, np.int64)
    for key in range(keys):
        start[key + 1] = start[key] + max(0, frees[key] - delay[key % classes])
    highest = np.empty(start[keys], np.int32)
    height = np.zeros(keys, np.int64)
    frees[:] = 0
    need = np.zeros(of_class.size, np.int32)
    for call in range(begin_at.size):
        piece = begin_at[call]
        if piece >= 0 and of_class[piece] >= 0:
            key = maker[piece] * classes + of_class[piece]
            now = height[key]
            if now > 0:
                top = start[key] + now - 1
                need[piece] = highest[top] - now + 1
                if now > 1 and highest[top - 1] < highest[top]:
                    highest[top - 1] = highest[top]
                height[key] = now - 1
        piece = end_at[call]
        if piece >= 0 and of_class[piece] >= 0 and freer[piece] == maker[piece]:
            c = of_class[piece]
            key = maker[piece] * classes + c
            if frees[key] < delay[c]:
                frees[key] += 1
            else:
                height[key] += 1
                highest[start[key] + height[key] - 1] = height[key]
    rest = 0
    for key in range(keys):
        rest += height[key]
    left_need = np.empty(rest, np.int32)
    left_class = np.empty(rest, np.int32)
    rest = 0
    for key in range(keys):
        most = 0
        for now in range(height[key], 0, -1):
            most = max(most, highest[start[key] + now - 1])
            left_need[rest] = most - now + 1
            left_class[rest] = key % classes
            rest += 1
    return need, left_need, left_class, mallocs, local, np.stack((remote, users))


@kept
def quarantined(freed: Array, high: Array, span: Array, limits: Array) -> tuple[Array, Array, Array, Array, Array]:
    """For every limit, of a queue that blocks leave, oldest first, until it holds at most so many bytes.

    freed: bytes of each block, in the order of the frees. high: the most bytes live from there until the next one;
    span: the calls until then. Returns the sum over the calls of bytes held, their peak, the peak of live and held
    together, the least number of frees that a block waits and all these waits together; what never leaves waits until
    the last.
    """
    total = np.zeros(limits.size, np.float64)
    most = np.zeros(limits.size, np.int64)
    together = np.zeros(limits.size, np.int64)
    least = np.full(limits.size, -1, np.int64)
    waits = np.zeros(limits.size, np.float64)
    for number in range(limits.size):
        limit = limits[number]
        held = 0
        out = 0
        for place in range(freed.size):
            held += freed[place]
            while held > limit:
                held -= freed[out]
                wait = place - out
                waits[number] += wait
                if least[number] < 0 or wait < least[number]:
                    least[number] = wait
                out += 1
            most[number] = max(most[number], held)
            total[number] += held * span[place]
            together[number] = max(together[number], high[place] + held)
        for still in range(out, freed.size):
            waits[number] += freed.size - 1 - still
    return total, most, together, least, waits


@kept
def counted_quarantine(
    key: Array, size: Array, high: Array, span: Array, counts: Array, keys: int
) -> tuple[Array, Array]:
    """For every count of blocks that each key's queue holds: the sum over the calls of bytes held, and the peak of live
    and held bytes together.
    """
    total = np.zeros(counts.size, np.float64)
    together = np.zeros(counts.size, np.int64)
    seen = np.zeros(keys, np.int64)
    held = np.zeros(counts.size, np.int64)
    for place in range(key.size):
        seen[key[place]] += 1
        for number in range(counts.size):
            if seen[key[place]] <= counts[number]:
                held[number] += size[place]
            total[number] += held[number] * span[place]
            together[number] = max(together[number], high[place] + held[number])
    return total, together


@kept
def idle_gaps(when: Array, level: Array) -> tuple[Array, Array, Array, Array]:
    """The gaps of units, when the unit that fell idle last is the next one used: begin, end, units, first unit.

    A gap that nothing ends has the end -1. One row for units with the same gap that lie side by side.
    """
    begin = np.empty(2 * when.size + 1, np.int64)
    end = np.empty(2 * when.size + 1, np.int64)
    units = np.empty(2 * when.size + 1, np.int64)
    first = np.empty(2 * when.size + 1, np.int64)
    since = np.empty(when.size + 1, np.int64)
    count = np.empty(when.size + 1, np.int64)
    runs = 0
    gaps = 0
    now = 0
    for place in range(when.size):
        step = level[place] - now
        if step < 0:
            since[runs] = when[place]
            count[runs] = -step
            runs += 1
        at = now
        while step > 0 and runs > 0:
            taken = min(step, count[runs - 1])
            begin[gaps] = since[runs - 1]
            end[gaps] = when[place]
            units[gaps] = taken
            first[gaps] = at
            gaps += 1
            step -= taken
            at += taken
            count[runs - 1] -= taken
            if count[runs - 1] == 0:
                runs -= 1
        now = level[place]
    at = now
    for run in range(runs - 1, -1, -1):
        begin[gaps] = since[run]
        end[gaps] = -1
        units[gaps] = count[run]
        first[gaps] = at
        at += count[run]
        gaps += 1
    return begin[:gaps], end[:gaps], units[:gaps], first[:gaps]


@kept
def retained(when: Array, level: Array, last: int, limits: Array, share: int) -> tuple[Array, Array, Array]:
    """For every limit on idle units that keep their pages: calls that give pages back, units given back that were used
    again, and the integral over time of units kept. What exceeds the limit is given back at once, longest idle first.
    share: the limit is that many hundredths of what is in use, where that is more.
    """
    calls = np.zeros(limits.size, np.int64)
    faults = np.zeros(limits.size, np.int64)
    kept_time = np.zeros(limits.size, np.float64)
    for number in range(limits.size):
        limit = limits[number]
        now = 0
        kept_units = 0
        most = 0
        before = 0
        for place in range(when.size):
            kept_time[number] += kept_units * (when[place] - before)
            before = when[place]
            step = level[place] - now
            now = level[place]
            if step < 0:
                kept_units -= step
                most_kept = max(limit, now * share // 100)
                if kept_units > most_kept:
                    calls[number] += 1
                    kept_units = most_kept
            else:
                reused = min(step, kept_units)
                kept_units -= reused
                # Units beyond the highest level so far were never used before: their faults are nobody's choice.
                faults[number] += max(0, min(now, most) - (now - step) - reused)
            most = max(most, now)
        kept_time[number] += kept_units * (last - before)
    return calls, faults, kept_time


@kept
def hull(across: Array, up: Array) -> Array:
    """The corners of the lower convex hull of points with increasing `across`, as far as it falls: their numbers."""
    corners = np.empty(across.size, np.int64)
    count = 0
    for point in range(across.size):
        if count > 0 and up[point] >= up[corners[count - 1]]:
            continue
        while count >= 2:
            first, second = corners[count - 2], corners[count - 1]
            rise = (up[second] - up[first]) * (across[point] - across[second])
            if rise < (up[point] - up[second]) * (across[second] - across[first]):
                break
            count -= 1
        corners[count] = point
        count += 1
    return corners[:count]
