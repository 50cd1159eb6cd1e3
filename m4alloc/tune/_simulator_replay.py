"""The simulator's malloc, free and realloc, and the loop over a workload: malloc, large, hold, resize.pxd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from m4alloc.tune._simulator_caches import fetch, is_far, look
from m4alloc.tune._simulator_layout import (
    ALLOCATE,
    BIN,
    BOTTOM,
    CANARIES,
    CELLS,
    CLASS,
    CLASS_DELAY,
    CLASS_FREES,
    CLASS_MALLOCS,
    CLASS_OF,
    CLASS_QUARANTINE,
    CLASS_REMOTE_FREES,
    CLASS_ROW,
    CLASS_USABLE,
    CLASS_WIPED,
    CLASSES,
    COLD_LINES,
    DELAY,
    DELAY_MASK,
    DIRTY_UNITS,
    EMPTY_CLASS,
    FENCE,
    FINE,
    FREED,
    GUARDS,
    HEAP,
    HELD_BYTES,
    HELD_FIRST,
    HELD_LAST,
    HELD_SPAN,
    HOOKED,
    HOOKED_CALLS,
    HOOKED_MALLOC,
    KIND,
    LARGE,
    LARGE_BLOCKS,
    LARGE_BYTES,
    LARGE_DELAY,
    LARGE_FREES,
    LARGE_QUARANTINE,
    LARGEST,
    LEAD,
    LIMIT,
    LIVE,
    LIVE_PEAK,
    LOCKS,
    MOVED,
    NEXT,
    NO_FENCE,
    NO_SPAN,
    NOTHING,
    NOW,
    OLDEST,
    OS_CALLS,
    OWNER,
    PAGE,
    PAGE_SHIFT,
    PAGES,
    PAGES_MOVED,
    PREFAULT,
    PURGED_MS,
    QUARANTINE,
    QUARANTINE_NEXT,
    QUARANTINE_RANDOM,
    RECORD,
    RELEASE,
    REMAP_LEAST,
    REQUESTED,
    REQUESTED_PEAK,
    RESIDENT,
    RESIDENT_SUM,
    RESIZE,
    RESIZED,
    RETAIN_MS,
    REUSE_LEAST,
    REUSES,
    SCAVENGED_MS,
    SLACK,
    SLOT_SIZE,
    STAMPS,
    STATE_BITS,
    STATE_MASK,
    STEPS,
    TICK,
    TOP,
    TURNS,
    UNIT,
    UNIT_OF_CELL,
    UNIT_SHIFT,
    UNITS,
    USABLE,
    WIPED,
    WIPED_COLD,
    Bytes,
    Words,
    kept,
    kernel,
)
from m4alloc.tune._simulator_slabs import (
    abandon,
    delay_remote,
    drain_abandoned,
    draw_below,
    empty_stacks,
    flush,
    new_heap,
    refill,
)
from m4alloc.tune._simulator_spans import (
    adopt,
    give_span,
    grow_span,
    lift_fence,
    populate,
    purge_until,
    raise_fence,
    retained,
    take_span,
    touch,
    touch_metadata,
)

LARGE_STATE = 1
AHEAD = 16
"""How many calls before its own a block's row is fetched; its state's and its unit's rows half as many."""
MANY_BLOCKS = 1 << 17
METADATA_LINES = 1 << 40
RECORD_LINES = 1 << 41
IN_PLACE = -1


@kernel
def note_reuse(m: Words, b: Bytes, distance: int) -> None:
    """Count how many frees of its class a slot has waited: exactly below FINE, by a 64th of a doubling above."""
    m[REUSE_LEAST] = min(m[REUSE_LEAST], distance)
    if distance >= FINE:
        shift = 0
        while distance >> shift >= 2 * STEPS:
            shift += 1
        distance = FINE + (shift - 6) * STEPS + (distance >> shift) - STEPS
    m[REUSES + distance] += 1


@kernel
def place_guards(m: Words, b: Bytes, span: int) -> None:
    """Make the pages beside a large block inaccessible."""
    if m[GUARDS] != 0:
        start = (span << UNIT_SHIFT) + m[span * RECORD + LEAD]
        raise_fence(m, b, start + m[span * RECORD + USABLE], PAGE)
        if m[span * RECORD + LEAD] != 0:
            raise_fence(m, b, span << UNIT_SHIFT, PAGE)


@kernel
def lift_guards(m: Words, b: Bytes, span: int) -> None:
    """Undo place_guards."""
    if m[GUARDS] != 0:
        m[OS_CALLS] += 2 if m[span * RECORD + LEAD] != 0 else 1


@kernel
def large_usable(m: Words, b: Bytes, size: int) -> int:
    """Whole pages for a request."""
    if m[CANARIES] != 0 and m[GUARDS] == 0:
        size += 8
    return (size + PAGE - 1) & ~(PAGE - 1)


@kernel
def touch_block(m: Words, b: Bytes, address: int, size: int) -> None:
    """The program writes to all of a block."""
    if size > 0:
        touch(m, b, address >> PAGE_SHIFT, (address + size - 1) >> PAGE_SHIFT)


@kernel
def allocate_large(m: Words, b: Bytes, size: int, alignment: int, moved: int) -> int:
    """A block with a span of its own; the first `moved` bytes get their pages from another block."""
    lead = PAGE if m[GUARDS] != 0 and alignment <= PAGE else 0
    tail = PAGE if m[GUARDS] != 0 else 0
    usable = large_usable(m, b, max(size, m[LARGEST] + 1))
    units = (lead + usable + tail + UNIT - 1) >> UNIT_SHIFT
    m[LOCKS] += 1
    drain_abandoned(m, b)
    span = take_span(m, b, units, alignment)
    dirty = m[span * RECORD + DIRTY_UNITS] != 0
    m[span * RECORD + LEAD] = lead
    m[span * RECORD + USABLE] = usable
    m[span * RECORD + KIND] = LARGE
    m[span * RECORD + SLACK] = usable - size if m[CANARIES] != 0 else 0
    m[LARGE_BYTES] += usable
    m[LARGE_BLOCKS] += 1
    m[LIVE] += usable
    m[REQUESTED] += size
    place_guards(m, b, span)
    address = (span << UNIT_SHIFT) + lead
    if not dirty and m[PREFAULT] != 0:
        length = min(usable, m[PREFAULT])
        populate(m, b, address >> PAGE_SHIFT, (address + length - 1) >> PAGE_SHIFT)
    if moved != 0:
        adopt(m, b, address >> PAGE_SHIFT, moved >> PAGE_SHIFT)
    touch_block(m, b, address, size)
    look(m, b, address >> 6)
    return (address >> 4 << STATE_BITS) + LARGE_STATE


@kernel
def let_go(m: Words, b: Bytes, limit: int) -> None:
    """Make held spans free, oldest first, until at most so many bytes are held."""
    while m[HELD_FIRST] != NOTHING and m[HELD_BYTES] > limit:
        span = m[HELD_FIRST]
        m[HELD_FIRST] = m[span * RECORD + NEXT]
        if m[HELD_FIRST] == NOTHING:
            m[HELD_LAST] = NOTHING
        m[HELD_BYTES] -= m[span * RECORD + UNITS] << UNIT_SHIFT
        lift_fence(m, b, m[span * RECORD + FENCE])
        m[span * RECORD + KIND] = NO_SPAN
        give_span(m, b, span, m[span * RECORD + UNITS], m[span * RECORD + FENCE] == NO_FENCE)


@kernel
def hold_span(m: Words, b: Bytes, span: int) -> bool:
    """Hold the span of a freed large block; False: there is no room for it."""
    length = m[span * RECORD + UNITS] << UNIT_SHIFT
    limit = m[LARGE_QUARANTINE]
    m[span * RECORD + FENCE] = NO_FENCE
    if limit != 0 and length <= limit:
        m[span * RECORD + FENCE] = raise_fence(m, b, span << UNIT_SHIFT, length)
    if limit == 0:
        limit = m[LARGE_DELAY]
    if length > limit:
        return False
    m[span * RECORD + KIND] = HELD_SPAN
    m[span * RECORD + NEXT] = NOTHING
    if m[HELD_LAST] != NOTHING:
        m[(m[HELD_LAST]) * RECORD + NEXT] = span
    else:
        m[HELD_FIRST] = span
    m[HELD_LAST] = span
    m[HELD_BYTES] += length
    let_go(m, b, limit)
    return True


@kernel
def free_large(m: Words, b: Bytes, span: int, size: int) -> None:
    """Free a large block."""
    m[LOCKS] += 1
    lift_guards(m, b, span)
    m[LARGE_BYTES] -= m[span * RECORD + USABLE]
    m[LARGE_BLOCKS] -= 1
    m[LARGE_FREES] += 1
    m[LIVE] -= m[span * RECORD + USABLE]
    m[REQUESTED] -= size
    m[span * RECORD + KIND] = NO_SPAN
    if not hold_span(m, b, span):
        give_span(m, b, span, m[span * RECORD + UNITS], True)


@kernel
def resize_large(m: Words, b: Bytes, span: int, size: int) -> bool:
    """Resize a live large block in place; False when it has to move."""
    usable = large_usable(m, b, size)
    tail = PAGE if m[GUARDS] != 0 else 0
    m[LOCKS] += 1
    units = (m[span * RECORD + LEAD] + usable + tail + UNIT - 1) >> UNIT_SHIFT
    lift_guards(m, b, span)
    done = True
    if units > m[span * RECORD + UNITS]:
        done = grow_span(m, b, span, units)
    elif units < m[span * RECORD + UNITS]:
        rest = m[span * RECORD + UNITS] - units
        m[span * RECORD + UNITS] = units
        give_span(m, b, span + units, rest, True)
    if done:
        m[LARGE_BYTES] += usable - m[span * RECORD + USABLE]
        m[LIVE] += usable - m[span * RECORD + USABLE]
        m[span * RECORD + USABLE] = usable
        m[span * RECORD + SLACK] = usable - size if m[CANARIES] != 0 else 0
    place_guards(m, b, span)
    return done


@kernel
def class_for(m: Words, b: Bytes, size: int, alignment: int) -> int:
    """The class of a request, or NOTHING: it gets a span of its own."""
    room = size
    if m[CANARIES] != 0 and size <= m[LARGEST] and (size != 0 or m[EMPTY_CLASS] == NOTHING):
        room += 8
    if alignment > 16:
        room = max(room, 1)
    if room > m[LARGEST]:
        return NOTHING
    c = m[CLASS_OF + ((room + 15) >> 4)]
    if alignment > 16:
        if alignment > UNIT:
            return NOTHING
        while c != NOTHING and m[c * CLASS_ROW + SLOT_SIZE] % alignment != 0:
            c += 1
            if c == m[CLASSES]:
                c = NOTHING
    return c


@kernel
def allocate(m: Words, b: Bytes, heap: int, size: int, alignment: int, moved: int) -> int:
    """A block of `size` bytes."""
    c = class_for(m, b, size, alignment)
    if c == NOTHING:
        m[REQUESTED] -= max(size, 1) - size
        return allocate_large(m, b, max(size, 1), alignment, moved)
    place = heap * HEAP + c * BIN
    top = m[place + TOP]
    if top == m[place + BOTTOM]:
        refill(m, b, heap, c)
        top = m[place + TOP]
    top -= 1
    m[place + TOP] = top
    cell = m[CELLS + top]
    state = cell & STATE_MASK
    stamp = m[STAMPS + state]
    if stamp != 0:
        note_reuse(m, b, m[c * CLASS_ROW + CLASS_FREES] + 1 - stamp)
    m[c * CLASS_ROW + CLASS_MALLOCS] += 1
    m[LIVE] += m[c * CLASS_ROW + CLASS_USABLE]
    m[REQUESTED] += size
    look(m, b, METADATA_LINES + (top >> 2))
    look(m, b, METADATA_LINES + (state >> 6))
    if m[HOOKED_MALLOC] != 0:
        m[HOOKED_CALLS] += 1
    if c != m[EMPTY_CLASS]:
        address = cell >> STATE_BITS << 4
        if look(m, b, address >> 6):
            m[COLD_LINES] += max(size - 1, 0) >> 6
        last = size if m[CANARIES] == 0 else m[c * CLASS_ROW + SLOT_SIZE]
        touch_block(m, b, address, last)
    return cell


@kernel
def tick(m: Words, b: Bytes, heap: int) -> None:
    """Once every TICK frees of a class: stacks and pages that have not been used for too long go back."""
    now = m[NOW]
    m[TURNS] += 1
    if now - m[heap * HEAP + SCAVENGED_MS] >= m[RETAIN_MS]:
        m[heap * HEAP + SCAVENGED_MS] = now
        empty_stacks(m, b, heap)
    if m[OLDEST] != NOTHING and now - m[heap * HEAP + PURGED_MS] >= m[RETAIN_MS] // 4:
        m[heap * HEAP + PURGED_MS] = now
        purge_until(m, b, retained(m, b), now)


@kernel
def wipe(m: Words, b: Bytes, c: int, address: int) -> None:
    """Zero or poison the slot of a block that is freed."""
    length = m[c * CLASS_ROW + CLASS_WIPED]
    if length != 0:
        m[WIPED] += length
        if is_far(m, b, address >> 6):  # and stays so: wiping is never taken for a way to fetch
            m[WIPED_COLD] += (length + 63) >> 6
        touch_block(m, b, address, length)


@kernel
def release(m: Words, b: Bytes, heap: int, cell: int, size: int) -> None:
    """Free a block."""
    unit = cell >> UNIT_OF_CELL
    state = cell & STATE_MASK
    if state == LARGE_STATE:
        free_large(m, b, unit, size)
        return
    c = m[unit * RECORD + CLASS]
    place = heap * HEAP + c * BIN
    m[c * CLASS_ROW + CLASS_FREES] += 1
    m[STAMPS + state] = m[c * CLASS_ROW + CLASS_FREES] + 1
    m[LIVE] -= m[c * CLASS_ROW + CLASS_USABLE]
    m[REQUESTED] -= size
    look(m, b, RECORD_LINES + 2 * unit)
    look(m, b, METADATA_LINES + (state >> 6))
    hooked = m[HOOKED] != 0
    if hooked:
        m[HOOKED_CALLS] += 1
        wipe(m, b, c, cell >> STATE_BITS << 4)
    if m[unit * RECORD + OWNER] != heap:
        m[c * CLASS_ROW + CLASS_REMOTE_FREES] += 1
        delay_remote(m, b, place, c, cell)
        return
    freed = m[place + FREED]
    m[place + FREED] = freed + 1
    if hooked and (freed + 1) % TICK == 0:
        tick(m, b, heap)
    if m[c * CLASS_ROW + CLASS_DELAY] != 0:
        at = m[place + DELAY] + (freed & m[place + DELAY_MASK])
        oldest = m[CELLS + at]
        m[CELLS + at] = cell
        look(m, b, METADATA_LINES + (at >> 2))
        if oldest == 0:
            touch_metadata(m, b, at << 4, 16)
        cell = oldest
    if cell != 0 and m[c * CLASS_ROW + CLASS_QUARANTINE] != 0:
        if m[QUARANTINE_RANDOM] != 0:
            at = m[place + QUARANTINE] + draw_below(m, b, m[c * CLASS_ROW + CLASS_QUARANTINE])
        else:
            at = m[place + QUARANTINE] + m[place + QUARANTINE_NEXT]
            m[place + QUARANTINE_NEXT] += 1
            if m[place + QUARANTINE_NEXT] == m[c * CLASS_ROW + CLASS_QUARANTINE]:
                m[place + QUARANTINE_NEXT] = 0
        oldest = m[CELLS + at]
        m[CELLS + at] = cell
        look(m, b, METADATA_LINES + (at >> 2))
        if oldest == 0:
            touch_metadata(m, b, at << 4, 16)
        cell = oldest
    if cell != 0:
        if m[place + TOP] == m[place + LIMIT]:
            flush(m, b, place, c)
        top = m[place + TOP]
        m[CELLS + top] = cell
        m[place + TOP] = top + 1
        look(m, b, METADATA_LINES + (top >> 2))
        if top & (PAGE // 16 - 1) == 0:
            touch_metadata(m, b, top << 4, 16)
    if not hooked and (freed + 1) % TICK == 0:
        tick(m, b, heap)


@kernel
def resize(m: Words, b: Bytes, cell: int, before: int, size: int) -> int:
    """realloc of a live block to another size than 0: IN_PLACE, or how many bytes' pages the new block is to get."""
    unit = cell >> UNIT_OF_CELL
    moved = 0
    if cell & STATE_MASK == LARGE_STATE:
        if size > m[LARGEST]:
            if resize_large(m, b, unit, size):
                m[REQUESTED] += size - before
                m[RESIZED] += 1
                touch_block(m, b, cell >> STATE_BITS << 4, size)
                return IN_PLACE
            moved = min(m[unit * RECORD + USABLE] - m[unit * RECORD + SLACK], size) & ~(UNIT - 1)
            if moved < REMAP_LEAST:
                moved = 0
        kept = min(m[unit * RECORD + USABLE] - m[unit * RECORD + SLACK], size)
    else:
        c = m[unit * RECORD + CLASS]
        usable = m[c * CLASS_ROW + CLASS_USABLE]
        room = usable - 8 if m[CANARIES] != 0 and usable != 0 else usable
        if size <= room and (size > room // 2 or room <= 32):
            m[REQUESTED] += size - before
            m[RESIZED] += 1
            touch_block(m, b, cell >> STATE_BITS << 4, size)
            return IN_PLACE
        kept = min(before if m[CANARIES] != 0 else usable, size)
    if moved != 0:
        m[OS_CALLS] += 1
        m[PAGES_MOVED] += moved >> PAGE_SHIFT
        start = (cell >> STATE_BITS << 4) >> PAGE_SHIFT
        for page in range(start, start + (moved >> PAGE_SHIFT)):
            m[RESIDENT] -= b[PAGES + page]
            b[PAGES + page] = 0
    m[MOVED] += kept - moved
    return moved


@kept
def replay(
    m: Words,
    b: Bytes,
    kinds: Any,
    numbers: Any,
    sizes: Any,
    alignments: Any,
    threads: Any,
    times: Any,
    clock: int,
    last_calls: Any,
    heap_of: Any,
    blocks: Any,
    placement: Any,
    samples: Any,
) -> None:
    """Make the calls of a workload.

    clock: milliseconds before the first call. last_calls: of each thread; heap_of: -1 for each. blocks: two zeros for
    each, for where it is and what was asked for. placement: room for where each call left its block, or empty.
    samples: rows of call, requested, live and resident bytes, the calls given.
    """
    sample = 0
    next_sample = samples[0, 0] if len(samples) != 0 else len(kinds) + 1
    placed = len(placement) != 0
    calls = len(kinds)
    # Tables that the caches hold need nothing fetched, and looking ahead is not free.
    ahead_until = calls - AHEAD if len(blocks) > MANY_BLOCKS else 0
    for i in range(calls):
        if i < ahead_until:
            fetch(blocks, 2 * np.int64(numbers[i + AHEAD]))
            coming = blocks[2 * np.int64(numbers[i + AHEAD // 2])]
            if coming != 0:
                fetch(m, STAMPS + (coming & STATE_MASK))
                fetch(m, (coming >> UNIT_OF_CELL) * RECORD + CLASS)
        thread = threads[i]
        m[NOW] = clock + times[i]
        heap = heap_of[thread]
        if heap < 0:
            heap = new_heap(m, b)
            heap_of[thread] = heap
        kind = kinds[i]
        number = 2 * np.int64(numbers[i])
        cell = blocks[number]
        before = blocks[number + 1]
        size = sizes[i]
        # One place that allocates and one that frees: whatever is inlined there is compiled once.
        old = moved = 0
        wanted = kind == ALLOCATE or cell == 0
        if not wanted and kind == RESIZE and size != 0:
            moved = resize(m, b, cell, before, size)
            wanted = moved != IN_PLACE
            blocks[number + 1] = size
        if cell != 0 and kind != ALLOCATE and moved != IN_PLACE:
            old = cell
            cell = 0
        if wanted and kind != RELEASE:
            cell = allocate(m, b, heap, size, alignments[i] if old == 0 else 0, moved)
        if old != 0:
            release(m, b, heap, old, before)
        blocks[number] = cell
        if kind != RELEASE:
            blocks[number + 1] = size
            if placed:
                placement[i] = cell >> STATE_BITS << 4 if cell != 0 else -1
            if m[REQUESTED] > m[REQUESTED_PEAK]:
                m[REQUESTED_PEAK] = m[REQUESTED]
            if m[LIVE] > m[LIVE_PEAK]:
                m[LIVE_PEAK] = m[LIVE]
        m[RESIDENT_SUM] += m[RESIDENT]
        if i + 1 == next_sample:
            samples[sample, 1] = m[REQUESTED]
            samples[sample, 2] = m[LIVE]
            samples[sample, 3] = m[RESIDENT] << PAGE_SHIFT
            sample += 1
            next_sample = samples[sample, 0] if sample < len(samples) else len(kinds) + 1
        if i == last_calls[thread]:
            abandon(m, b, heap)


def _forget_stale() -> None:
    """Remove what numba has kept of this file if it was made before one of the files that are compiled into it."""
    folder = Path(__file__).parent
    newest = max(path.stat().st_mtime for path in folder.glob("_simulator_*.py"))
    kept = getattr(replay, "stats").cache_path  # noqa: B009  (what numba returns is no function to type checkers)
    for index in Path(kept).glob("_simulator_replay.*.nbi") if kept else ():
        if index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)


_forget_stale()
