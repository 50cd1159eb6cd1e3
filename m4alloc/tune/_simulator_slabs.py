"""The simulator's slabs, stacks, remote frees and heaps: slab.pxd, stack.pxd, remote.pxd and heap.pxd."""

from __future__ import annotations

import numpy as np

from m4alloc.tune._simulator_layout import (
    ABANDONED,
    ABSENT,
    BIN,
    BINS,
    BOTTOM,
    CELLS,
    CLASS,
    CLASS_BATCH,
    CLASS_CLEAN,
    CLASS_DELAY,
    CLASS_DEPTH,
    CLASS_FLUSHES,
    CLASS_LINE,
    CLASS_QUARANTINE,
    CLASS_REFILLS,
    CLASS_ROW,
    CLASS_SIDE,
    CLASS_SLABS,
    CLASS_SLABS_MADE,
    CLASS_SLABS_PEAK,
    CLASS_SLOTS,
    CLASS_SPARE,
    CLASS_UNITS,
    DELAY,
    DELAY_MASK,
    DIRTY_UNITS,
    DRAINED,
    EMPTY_CLASS,
    FENCE,
    FIRST_FREE,
    FLUSHED,
    FREE,
    FREE_SLOTS,
    FREED,
    GUARD_SLABS,
    HEAD,
    HEAP,
    HEAP_BYTES,
    HEAP_REMOTE,
    HEAP_SLABS_MADE,
    HEAPS,
    HEAPS_MAX,
    KIND,
    LIMIT,
    LINE,
    LINE_AT,
    LISTED,
    LOCKS,
    NEXT,
    NEXT_ABANDONED,
    NO_FENCE,
    NO_SPAN,
    NOTHING,
    NOW,
    OPEN,
    OWNER,
    PAGE_SHIFT,
    PLACEMENT,
    PREFAULT,
    PREVIOUS,
    PURGED_MS,
    QUARANTINE,
    RANDOM,
    RANDOMISE,
    RECORD,
    REFILL_BATCH,
    REFILLED,
    REMOTE,
    REMOTE_COUNT,
    REMOTE_NEXT,
    SCAVENGED_MS,
    SEEN_FREED,
    SEEN_TOP,
    SIDE_LENGTH,
    SLAB,
    SLABS,
    SLABS_MADE,
    SLOT_SIZE,
    SLOTS,
    STAMPS,
    STATE_BITS,
    STATE_BYTES,
    STATE_MASK,
    STATE_WORDS,
    STATES,
    TAKEN,
    TOP,
    UNIT,
    UNIT_OF_CELL,
    UNIT_PAGES,
    UNIT_SHIFT,
    UNITS,
    Bytes,
    Words,
    kernel,
)
from m4alloc.tune._simulator_spans import (
    give_span,
    lift_fence,
    populate,
    raise_fence,
    take_metadata,
    take_span,
    touch,
    touch_metadata,
)

ONES = 0x0101010101010101
HIGHS = -0x7F7F7F7F7F7F7F80
REMOTES = REMOTE * ONES
RANDOM_ALL_OVER = 2
PLACE_LOWEST = 1
LOOK = 16


@kernel
def draw_below(m: Words, b: Bytes, limit: int) -> int:
    """A number below the limit from the simulator's own generator (xorshift, 64 bits)."""
    x = np.uint64(m[RANDOM])
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    m[RANDOM] = int(np.int64(x))
    return int(np.int64(((x >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)))


@kernel
def list_slab(m: Words, b: Bytes, place: int, slab: int) -> None:
    """Put a slab that has FREE slots in front of its bin's list."""
    first = m[place + SLABS]
    m[slab * RECORD + LISTED] = 1
    m[slab * RECORD + PREVIOUS] = NOTHING
    m[slab * RECORD + NEXT] = first
    if first != NOTHING:
        m[first * RECORD + PREVIOUS] = slab
    m[place + SLABS] = slab


@kernel
def unlist_slab(m: Words, b: Bytes, place: int, slab: int) -> None:
    """Take a slab out of its bin's list."""
    before, after = m[slab * RECORD + PREVIOUS], m[slab * RECORD + NEXT]
    m[slab * RECORD + LISTED] = 0
    if before != NOTHING:
        m[before * RECORD + NEXT] = after
    else:
        m[place + SLABS] = after
    if after != NOTHING:
        m[after * RECORD + PREVIOUS] = before


@kernel
def preferred_slab(m: Words, b: Bytes, first: int) -> int:
    """Of the first LOOK slabs of a list the one at the lowest address, or the one with the fewest FREE slots."""
    lowest = m[PLACEMENT] == PLACE_LOWEST
    best = first
    slab = m[first * RECORD + NEXT]
    left = LOOK - 1
    while slab != NOTHING and left != 0:
        if (slab < best) if lowest else (m[slab * RECORD + FREE_SLOTS] < m[best * RECORD + FREE_SLOTS]):
            best = slab
        slab = m[slab * RECORD + NEXT]
        left -= 1
    return best


@kernel
def new_slab(m: Words, b: Bytes, heap: int, c: int) -> int:
    """A slab of FREE slots for the heap."""
    units, slots, length = m[c * CLASS_ROW + CLASS_UNITS], m[c * CLASS_ROW + CLASS_SLOTS], m[c * CLASS_ROW + CLASS_SIDE]
    side = slots * m[SIDE_LENGTH]
    if m[c * CLASS_ROW + CLASS_SLABS_MADE] == 0:  # the line for threads without memory for their own, in reserve
        take_metadata(m, b, m[c * CLASS_ROW + CLASS_LINE] * 16)
    at = m[c * CLASS_ROW + CLASS_SPARE]
    if at != NOTHING:
        # The link to the next spare array lies in the array itself; here in its first stamp.
        m[c * CLASS_ROW + CLASS_SPARE] = m[STAMPS + at] - 1
    else:
        at = take_metadata(m, b, length + side)
    m[SLABS_MADE] += 1
    guard = 0
    if m[GUARD_SLABS] != 0 and c != m[EMPTY_CLASS] and m[SLABS_MADE] % m[GUARD_SLABS] == 0:
        guard = 1
    slab = take_span(m, b, units + guard, UNIT)
    for i in range(slots):
        b[STATE_BYTES + at + i] = FREE
        m[STAMPS + at + i] = 0
    for i in range(slots, length):
        b[STATE_BYTES + at + i] = ABSENT
    touch_metadata(m, b, at, length + side)
    m[slab * RECORD + FREE_SLOTS] = slots
    m[slab * RECORD + FIRST_FREE] = 0
    m[slab * RECORD + REMOTE_COUNT] = 0
    m[slab * RECORD + FENCE] = NO_FENCE
    if c == m[EMPTY_CLASS]:
        m[slab * RECORD + FENCE] = raise_fence(m, b, slab << UNIT_SHIFT, units << UNIT_SHIFT)
    elif guard != 0:
        m[slab * RECORD + FENCE] = raise_fence(m, b, (slab + units) << UNIT_SHIFT, UNIT)
    if m[c * CLASS_ROW + CLASS_CLEAN] != 0 and m[slab * RECORD + DIRTY_UNITS] != 0:
        touch(m, b, slab * UNIT_PAGES, (slab + units) * UNIT_PAGES - 1)
    m[c * CLASS_ROW + CLASS_SLABS_MADE] += 1
    m[c * CLASS_ROW + CLASS_SLABS] += 1
    m[c * CLASS_ROW + CLASS_SLABS_PEAK] = max(m[c * CLASS_ROW + CLASS_SLABS_PEAK], m[c * CLASS_ROW + CLASS_SLABS])
    for unit in range(slab, slab + units):
        m[unit * RECORD + KIND] = SLAB
        m[unit * RECORD + CLASS] = c
        m[unit * RECORD + OWNER] = heap
        m[unit * RECORD + HEAD] = slab
    m[slab * RECORD + STATES] = at
    m[slab * RECORD + SLOTS] = slots
    return slab


@kernel
def release_slab(m: Words, b: Bytes, slab: int) -> None:
    """Dissolve a slab whose slots are all FREE."""
    units, c, at = m[slab * RECORD + UNITS], m[slab * RECORD + CLASS], m[slab * RECORD + STATES]
    lift_fence(m, b, m[slab * RECORD + FENCE])
    m[c * CLASS_ROW + CLASS_SLABS] -= 1
    for unit in range(slab, slab + units):
        m[unit * RECORD + KIND] = NO_SPAN
        m[unit * RECORD + OWNER] = NOTHING
    m[STAMPS + at] = m[c * CLASS_ROW + CLASS_SPARE] + 1
    m[c * CLASS_ROW + CLASS_SPARE] = at
    give_span(m, b, slab, units, True)


@kernel
def settle_slab(m: Words, b: Bytes, place: int, slab: int) -> None:
    """After slots became FREE: list the slab, or dissolve it when it is wholly FREE and the bin has another."""
    first = m[place + SLABS]
    if (
        m[slab * RECORD + FREE_SLOTS] == m[slab * RECORD + SLOTS]
        and first != NOTHING
        and (first != slab or m[slab * RECORD + NEXT] != NOTHING)
    ):
        m[LOCKS] += 1
        if m[slab * RECORD + LISTED] != 0:
            unlist_slab(m, b, place, slab)
        release_slab(m, b, slab)
        return
    if m[slab * RECORD + FREE_SLOTS] != 0 and m[slab * RECORD + LISTED] == 0:
        list_slab(m, b, place, slab)


@kernel
def give_slots(m: Words, b: Bytes, place: int, start: int, end: int) -> None:
    """Return slots of the bin to their slabs as FREE, one step for each run of one slab."""
    m[FLUSHED] += end - start
    i = start
    while i < end:
        slab = m[(m[CELLS + i] >> UNIT_OF_CELL) * RECORD + HEAD]
        first = m[slab * RECORD + STATES]
        last = first + m[slab * RECORD + SLOTS]
        returned = 0
        lowest = m[slab * RECORD + FIRST_FREE]
        while i < end:
            state = m[CELLS + i] & STATE_MASK
            if state < first or state >= last:
                break
            b[STATE_BYTES + state] = FREE
            lowest = min(lowest, (state - first) >> 3)
            returned += 1
            i += 1
        m[slab * RECORD + FIRST_FREE] = lowest
        m[slab * RECORD + FREE_SLOTS] += returned
        settle_slab(m, b, place, slab)


@kernel
def open_bin(m: Words, b: Bytes, place: int, c: int) -> None:
    """Give a bin its stack, delay line and quarantine at first use."""
    delay, quarantine, depth = (
        m[c * CLASS_ROW + CLASS_DELAY],
        m[c * CLASS_ROW + CLASS_QUARANTINE],
        m[c * CLASS_ROW + CLASS_DEPTH],
    )
    m[LOCKS] += 1
    at = take_metadata(m, b, (depth + delay + quarantine) * 16) >> 4
    m[place + OPEN] = 1
    m[place + DELAY] = at
    m[place + DELAY_MASK] = delay - 1 if delay != 0 else 0
    m[place + QUARANTINE] = at + delay
    bottom = at + delay + quarantine
    m[place + BOTTOM] = bottom
    m[place + TOP] = bottom
    m[place + LIMIT] = bottom + depth
    touch_metadata(m, b, bottom << 4, 16)


@kernel
def empty_stacks(m: Words, b: Bytes, heap: int) -> None:
    """Return every slot on every stack to its slab."""
    for c in range(m[BINS]):
        empty_stack(m, b, heap * HEAP + c * BIN)


@kernel
def empty_stack(m: Words, b: Bytes, place: int) -> None:
    """Return every slot on the stack to its slab."""
    top = m[place + TOP]
    bottom = m[place + BOTTOM]
    m[place + TOP] = bottom
    give_slots(m, b, place, bottom, top)


@kernel
def flush(m: Words, b: Bytes, place: int, c: int) -> None:
    """A full stack gives its older half back to the slabs."""
    bottom, limit = m[place + BOTTOM], m[place + LIMIT]
    half = (limit - bottom) // 2
    m[c * CLASS_ROW + CLASS_FLUSHES] += 1
    give_slots(m, b, place, bottom, bottom + half)
    for i in range(bottom + half, limit):
        m[CELLS + i - half] = m[CELLS + i]
    m[place + TOP] -= half


@kernel
def take_slots(m: Words, b: Bytes, slab: int, into: int, most: int, slot_size: int) -> int:
    """Move up to `most` FREE slots of the slab to the stack, the lowest address last; how many."""
    group = m[slab * RECORD + FIRST_FREE]
    most = min(most, m[slab * RECORD + FREE_SLOTS])
    taken = most
    to = into + most
    first = m[slab * RECORD + STATES]
    step = (slot_size >> 4 << STATE_BITS) + 1
    cell = (slab << UNIT_OF_CELL) + first + 8 * group * step
    while True:
        word = m[STATE_WORDS + (first >> 3) + group]
        if ((word - ONES) & ~word & HIGHS) != 0:
            for j in range(8):
                state = first + 8 * group + j
                if b[STATE_BYTES + state] == FREE:
                    b[STATE_BYTES + state] = TAKEN
                    to -= 1
                    m[CELLS + to] = cell + j * step
                    most -= 1
                    if most == 0:
                        m[slab * RECORD + FIRST_FREE] = group
                        m[slab * RECORD + FREE_SLOTS] -= taken
                        return taken
        group += 1
        cell += 8 * step


@kernel
def take_any_slots(m: Words, b: Bytes, slab: int, into: int, most: int, slot_size: int) -> int:
    """take_slots from a random place on, in random order, by chance of the simulator's own."""
    slots, first = m[slab * RECORD + SLOTS], m[slab * RECORD + STATES]
    at = draw_below(m, b, slots)
    pace = draw_below(m, b, slots) if m[RANDOMISE] == RANDOM_ALL_OVER else 1
    most = min(most, m[slab * RECORD + FREE_SLOTS])
    while True:
        divisor, rest = slots, pace
        while rest != 0:
            divisor, rest = rest, divisor % rest
        if divisor == 1:
            break
        pace += 1
    pace %= slots
    step = (slot_size >> 4 << STATE_BITS) + 1
    taken = 0
    while taken < most:
        if b[STATE_BYTES + first + at] == FREE:
            b[STATE_BYTES + first + at] = TAKEN
            m[CELLS + into + taken] = (slab << UNIT_OF_CELL) + first + at * step
            taken += 1
        at += pace
        if at >= slots:
            at -= slots
    m[slab * RECORD + FREE_SLOTS] -= taken
    for i in range(taken - 1, 0, -1):
        j = draw_below(m, b, i + 1)
        m[CELLS + into + i], m[CELLS + into + j] = m[CELLS + into + j], m[CELLS + into + i]
    return taken


@kernel
def publish(m: Words, b: Bytes, start: int, end: int) -> None:
    """Hand a batch of slots to their owners, one step for each run of one slab."""
    for i in range(start, end):
        cell = m[CELLS + i]
        if cell == 0:
            continue
        m[CELLS + i] = 0
        slab = m[(cell >> UNIT_OF_CELL) * RECORD + HEAD]
        b[STATE_BYTES + (cell & STATE_MASK)] = REMOTE
        m[slab * RECORD + REMOTE_COUNT] += 1
        if m[slab * RECORD + REMOTE_COUNT] == 1:
            owner = m[slab * RECORD + OWNER]
            m[slab * RECORD + REMOTE_NEXT] = m[owner * HEAP + HEAP_REMOTE]
            m[owner * HEAP + HEAP_REMOTE] = slab


@kernel
def delay_remote(m: Words, b: Bytes, place: int, c: int, cell: int) -> None:
    """Put another thread's slot into our line; the oldest batch leaves when its place is needed."""
    batch = m[c * CLASS_ROW + CLASS_BATCH]
    if m[place + LINE] == NOTHING:
        m[LOCKS] += 1
        m[place + LINE] = take_metadata(m, b, m[c * CLASS_ROW + CLASS_LINE] * 16) >> 4
        touch_metadata(m, b, m[place + LINE] << 4, m[c * CLASS_ROW + CLASS_LINE] * 16)
    line, at = m[place + LINE], m[place + LINE_AT]
    if at & (batch - 1) == 0:
        publish(m, b, line + at, line + at + batch)
    m[CELLS + line + at] = cell
    m[place + LINE_AT] = at + 1 if at + 1 != m[c * CLASS_ROW + CLASS_LINE] else 0


@kernel
def drain_remote(m: Words, b: Bytes, heap: int) -> None:
    """Collect what other threads have freed of the heap's since the last time."""
    slab = m[heap * HEAP + HEAP_REMOTE]
    m[heap * HEAP + HEAP_REMOTE] = NOTHING
    while slab != NOTHING:
        following = m[slab * RECORD + REMOTE_NEXT]
        first = m[slab * RECORD + STATES]
        found = 0
        for group in range((m[slab * RECORD + SLOTS] + 7) >> 3):
            word = m[STATE_WORDS + (first >> 3) + group] ^ REMOTES
            if ((word - ONES) & ~word & HIGHS) != 0:
                for state in range(first + 8 * group, first + 8 * group + 8):
                    if b[STATE_BYTES + state] == REMOTE:
                        b[STATE_BYTES + state] = FREE
                        found += 1
                        if group < m[slab * RECORD + FIRST_FREE]:
                            m[slab * RECORD + FIRST_FREE] = group
        m[DRAINED] += found
        m[slab * RECORD + FREE_SLOTS] += found
        m[slab * RECORD + REMOTE_COUNT] = 0
        settle_slab(m, b, heap * HEAP + m[slab * RECORD + CLASS] * BIN, slab)
        slab = following


@kernel
def drain_abandoned(m: Words, b: Bytes) -> None:
    """Collect for heaps that no thread owns."""
    heap = m[ABANDONED]
    while heap != NOTHING:
        drain_remote(m, b, heap)
        heap = m[heap * HEAP + NEXT_ABANDONED]


@kernel
def new_heap(m: Words, b: Bytes) -> int:
    """A heap for a thread: an abandoned one, else a new one."""
    m[LOCKS] += 1
    heap = m[ABANDONED]
    if heap != NOTHING:
        m[ABANDONED] = m[heap * HEAP + NEXT_ABANDONED]
        return heap
    heap = m[HEAPS]
    if heap == HEAPS_MAX:
        raise OverflowError("threads")
    m[HEAPS] += 1
    at = take_metadata(m, b, HEAP_BYTES)
    touch_metadata(m, b, at, HEAP_BYTES)
    m[heap * HEAP + HEAP_SLABS_MADE] = 0
    m[heap * HEAP + SCAVENGED_MS] = m[NOW]
    m[heap * HEAP + PURGED_MS] = 0
    m[heap * HEAP + HEAP_REMOTE] = NOTHING
    for c in range(m[BINS]):
        place = heap * HEAP + c * BIN
        m[place + SLABS] = NOTHING
        m[place + LINE] = NOTHING
    return heap


@kernel
def abandon(m: Words, b: Bytes, heap: int) -> None:
    """The thread of a heap exits: its stacks go back, the rest waits for the next thread."""
    drain_remote(m, b, heap)
    empty_stacks(m, b, heap)
    m[LOCKS] += 1
    m[heap * HEAP + NEXT_ABANDONED] = m[ABANDONED]
    m[ABANDONED] = heap


@kernel
def scavenge(m: Words, b: Bytes, heap: int) -> None:
    """Give back the stacks of classes that have not been used since the last look."""
    for c in range(m[BINS]):
        place = heap * HEAP + c * BIN
        if m[place + TOP] == m[place + SEEN_TOP] and m[place + FREED] == m[place + SEEN_FREED]:
            empty_stack(m, b, place)
        m[place + SEEN_TOP] = m[place + TOP]
        m[place + SEEN_FREED] = m[place + FREED]


@kernel
def refill(m: Words, b: Bytes, heap: int, c: int) -> None:
    """Put slots on an empty stack: from remote frees, from the heap's slabs, from a new slab."""
    place = heap * HEAP + c * BIN
    if m[place + OPEN] == 0:
        open_bin(m, b, place, c)
    if m[heap * HEAP + HEAP_REMOTE] != NOTHING:
        drain_remote(m, b, heap)
    slab = m[place + SLABS]
    if slab == NOTHING:
        m[heap * HEAP + HEAP_SLABS_MADE] += 1
        if m[heap * HEAP + HEAP_SLABS_MADE] % 16 == 0:
            scavenge(m, b, heap)
        m[LOCKS] += 1
        drain_abandoned(m, b)
        slab = new_slab(m, b, heap, c)
        list_slab(m, b, place, slab)
        if m[PREFAULT] != 0 and m[slab * RECORD + DIRTY_UNITS] == 0 and c != m[EMPTY_CLASS]:
            length = min(m[c * CLASS_ROW + CLASS_UNITS] << UNIT_SHIFT, m[PREFAULT])
            populate(m, b, slab * UNIT_PAGES, ((slab << UNIT_SHIFT) + length - 1) >> PAGE_SHIFT)
    elif m[PLACEMENT] != 0:
        slab = preferred_slab(m, b, slab)
    most = min(m[REFILL_BATCH], m[c * CLASS_ROW + CLASS_DEPTH] // 2)
    bottom = m[place + BOTTOM]
    if m[RANDOMISE] != 0:
        taken = take_any_slots(m, b, slab, bottom, most, m[c * CLASS_ROW + SLOT_SIZE])
    else:
        taken = take_slots(m, b, slab, bottom, most, m[c * CLASS_ROW + SLOT_SIZE])
    if m[slab * RECORD + FREE_SLOTS] == 0:
        unlist_slab(m, b, place, slab)
    m[place + TOP] = bottom + taken
    touch_metadata(m, b, bottom << 4, taken << 4)
    m[REFILLED] += taken
    m[c * CLASS_ROW + CLASS_REFILLS] += 1
