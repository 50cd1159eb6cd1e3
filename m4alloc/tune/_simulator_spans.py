"""The simulator's pages and spans, as m4alloc/_core/span.pxd, region.pxd, fence.pxd and metadata.pxd have them."""

from __future__ import annotations

from m4alloc.tune._simulator_layout import (
    AGE_NEXT,
    AGE_PREVIOUS,
    BASE_UNITS,
    CHUNK,
    CHUNK_SHARE,
    COMMITS,
    COMMITTED,
    DIRTY_BYTES,
    DIRTY_UNITS,
    FAULTS,
    FENCE_MAPPED,
    FENCE_MARKED,
    FREE_SPAN,
    FREE_SPANS,
    FREED_MS,
    HEAD,
    HUGE_PAGED,
    HUGE_PAGES,
    KIND,
    LIST_BITS,
    LIVE,
    MARKED_MAX,
    METADATA,
    METADATA_BYTES,
    METADATA_END,
    METADATA_MAX,
    METADATA_PAGES,
    NEXT,
    NO_FENCE,
    NO_SPAN,
    NOTHING,
    NOW,
    OLDEST,
    OS_CALLS,
    PAGE,
    PAGE_SHIFT,
    PAGES,
    PEAK_LIVE,
    PEAK_REQUESTED,
    POPULATED,
    PREFAULTS,
    PREVIOUS,
    PURGED,
    PURGES,
    RECORD,
    RECORD_BYTES,
    RECORDS_COMMITTED,
    REQUESTED,
    RESIDENT,
    RESIDENT_PEAK,
    RETAIN_BYTES,
    RETAIN_MS,
    RETAIN_SHARE,
    SPAN_BYTES,
    SPAN_BYTES_PEAK,
    SPAN_LISTS,
    UNIT,
    UNIT_PAGES,
    UNIT_SHIFT,
    UNITS,
    UNITS_MAX,
    USED,
    YOUNGEST,
    Bytes,
    Words,
    kernel,
)

HUGE_WANTED = 1
HUGE = 512
"""Pages of a huge page."""


@kernel
def note_peak(m: Words, b: Bytes) -> None:
    """Keep what was live when the footprint was largest."""
    if m[RESIDENT] > m[RESIDENT_PEAK]:
        m[RESIDENT_PEAK] = m[RESIDENT]
        m[PEAK_LIVE] = m[LIVE]
        m[PEAK_REQUESTED] = m[REQUESTED]


@kernel
def touch(m: Words, b: Bytes, first: int, last: int) -> None:
    """The program uses the pages from the first to the last: those that are not resident fault."""
    new = 0
    page = first
    while page <= last:
        if b[PAGES + page] == 0:
            m[FAULTS] += 1
            if m[HUGE_PAGES] == HUGE_WANTED and ((page | (HUGE - 1)) + 1) << PAGE_SHIFT <= m[COMMITTED]:
                m[HUGE_PAGED] += HUGE
                for other in range(page & ~(HUGE - 1), (page | (HUGE - 1)) + 1):
                    new += 1 - b[PAGES + other]
                    b[PAGES + other] = 1
            else:
                b[PAGES + page] = 1
                new += 1
        page += 1
    if new != 0:
        m[RESIDENT] += new
        note_peak(m, b)


@kernel
def populate(m: Words, b: Bytes, first: int, last: int) -> None:
    """The core makes the pages resident in one system call."""
    new = 0
    for page in range(first, last + 1):
        new += 1 - b[PAGES + page]
        b[PAGES + page] = 1
    m[OS_CALLS] += 1
    m[PREFAULTS] += 1
    m[POPULATED] += new
    m[RESIDENT] += new
    note_peak(m, b)


@kernel
def adopt(m: Words, b: Bytes, first: int, count: int) -> None:
    """Pages come from elsewhere, as mremap moves them."""
    for page in range(first, first + count):
        m[RESIDENT] += 1 - b[PAGES + page]
        b[PAGES + page] = 1


@kernel
def drop(m: Words, b: Bytes, first: int, last: int) -> int:
    """The system takes the pages back; how many there were."""
    gone = 0
    for page in range(first, last + 1):
        gone += b[PAGES + page]
        b[PAGES + page] = 0
    m[RESIDENT] -= gone
    return gone


@kernel
def touch_metadata(m: Words, b: Bytes, at: int, length: int) -> None:
    """The core writes to its own memory."""
    new = 0
    for page in range(at >> PAGE_SHIFT, ((at + length - 1) >> PAGE_SHIFT) + 1):
        new += 1 - b[METADATA_PAGES + page]
        b[METADATA_PAGES + page] = 1
    if new != 0:
        m[FAULTS] += new
        m[RESIDENT] += new
        note_peak(m, b)


@kernel
def take_metadata(m: Words, b: Bytes, length: int) -> int:
    """Where the next `length` bytes of the core's own memory are, from a multiple of 64 on."""
    at = (m[METADATA] + 63) & ~63
    if m[METADATA_END] == 0 or at + length > m[METADATA_END]:
        share = (m[METADATA_BYTES] // CHUNK_SHARE + UNIT - 1) & ~(UNIT - 1)
        body = max((length + 16 + 64 + UNIT - 1) & ~(UNIT - 1), CHUNK, share)
        start = m[METADATA_END]
        if start + body > METADATA_MAX:
            raise OverflowError("metadata")
        m[METADATA_END] = start + body
        m[OS_CALLS] += 1
        touch_metadata(m, b, start, 16)
        at = (start + 16 + 63) & ~63
    m[METADATA] = at + length
    m[METADATA_BYTES] += length
    return at


@kernel
def raise_fence(m: Words, b: Bytes, address: int, length: int) -> int:
    """Make pages inaccessible and drop them: by markers, or by mprotect when they are many."""
    drop(m, b, address >> PAGE_SHIFT, (address + length - 1) >> PAGE_SHIFT)
    marked = length <= MARKED_MAX
    m[OS_CALLS] += 1 if marked else 2
    return FENCE_MARKED if marked else FENCE_MAPPED


@kernel
def lift_fence(m: Words, b: Bytes, made: int) -> None:
    """Make them accessible again."""
    if made != NO_FENCE:
        m[OS_CALLS] += 1 if made == FENCE_MARKED else 2


@kernel
def age_insert(m: Words, b: Bytes, span: int) -> None:
    """Put a dirty free span in front of the list by age."""
    m[span * RECORD + AGE_PREVIOUS] = NOTHING
    m[span * RECORD + AGE_NEXT] = m[YOUNGEST]
    if m[YOUNGEST] != NOTHING:
        m[(m[YOUNGEST]) * RECORD + AGE_PREVIOUS] = span
    else:
        m[OLDEST] = span
    m[YOUNGEST] = span
    m[DIRTY_BYTES] += m[span * RECORD + DIRTY_UNITS] << UNIT_SHIFT


@kernel
def age_remove(m: Words, b: Bytes, span: int) -> None:
    """Take a dirty free span out of the list by age."""
    younger, older = m[span * RECORD + AGE_PREVIOUS], m[span * RECORD + AGE_NEXT]
    if younger != NOTHING:
        m[younger * RECORD + AGE_NEXT] = older
    else:
        m[YOUNGEST] = older
    if older != NOTHING:
        m[older * RECORD + AGE_PREVIOUS] = younger
    else:
        m[OLDEST] = younger
    m[DIRTY_BYTES] -= m[span * RECORD + DIRTY_UNITS] << UNIT_SHIFT


@kernel
def list_span(m: Words, b: Bytes, span: int, units: int, dirty: int, now: int) -> None:
    """Make units a free span and list it."""
    i = min(units, SPAN_LISTS - 1)
    m[span * RECORD + KIND] = FREE_SPAN
    m[span * RECORD + UNITS] = units
    m[span * RECORD + HEAD] = span
    m[span * RECORD + DIRTY_UNITS] = dirty
    m[span * RECORD + FREED_MS] = now
    m[(span + units - 1) * RECORD + KIND] = FREE_SPAN
    m[(span + units - 1) * RECORD + HEAD] = span
    m[span * RECORD + PREVIOUS] = NOTHING
    m[span * RECORD + NEXT] = m[FREE_SPANS + i]
    if m[FREE_SPANS + i] != NOTHING:
        m[(m[FREE_SPANS + i]) * RECORD + PREVIOUS] = span
    m[FREE_SPANS + i] = span
    if i < SPAN_LISTS - 1:
        m[LIST_BITS] |= 1 << i
    if dirty != 0:
        age_insert(m, b, span)


@kernel
def list_front(m: Words, b: Bytes, span: int, units: int, dirty: int, now: int) -> None:
    """list_span of what is left in front of an aligned span; the unused end of the region may follow a free span."""
    if span > 0 and m[(span - 1) * RECORD + KIND] == FREE_SPAN:
        left = m[(span - 1) * RECORD + HEAD]
        units += m[left * RECORD + UNITS]
        dirty += m[left * RECORD + DIRTY_UNITS]
        now = m[left * RECORD + FREED_MS]
        unlist_span(m, b, left)
        span = left
    list_span(m, b, span, units, dirty, now)


@kernel
def unlist_span(m: Words, b: Bytes, span: int) -> None:
    """Take a free span out of the lists and erase its two marks."""
    i = min(m[span * RECORD + UNITS], SPAN_LISTS - 1)
    before, after = m[span * RECORD + PREVIOUS], m[span * RECORD + NEXT]
    if before != NOTHING:
        m[before * RECORD + NEXT] = after
    else:
        m[FREE_SPANS + i] = after
        if after == NOTHING and i < SPAN_LISTS - 1:
            m[LIST_BITS] &= ~(1 << i)
    if after != NOTHING:
        m[after * RECORD + PREVIOUS] = before
    if m[span * RECORD + DIRTY_UNITS] != 0:
        age_remove(m, b, span)
    m[(span + m[span * RECORD + UNITS] - 1) * RECORD + KIND] = NO_SPAN
    m[span * RECORD + KIND] = NO_SPAN


@kernel
def purge_until(m: Words, b: Bytes, dirty_limit: int, now: int) -> None:
    """Purge oldest first until so many dirty bytes remain, and all that is older than retain_ms."""
    while m[OLDEST] != NOTHING:
        span = m[OLDEST]
        if m[DIRTY_BYTES] <= dirty_limit and now - m[span * RECORD + FREED_MS] < m[RETAIN_MS]:
            break
        drop(m, b, span * UNIT_PAGES, (span + m[span * RECORD + UNITS]) * UNIT_PAGES - 1)
        age_remove(m, b, span)
        m[OS_CALLS] += 1
        m[PURGES] += 1
        m[PURGED] += m[span * RECORD + DIRTY_UNITS] << UNIT_SHIFT
        m[span * RECORD + DIRTY_UNITS] = 0


@kernel
def retained(m: Words, b: Bytes) -> int:
    """Bytes of free spans that may keep their pages."""
    return max(m[SPAN_BYTES] // 100 * m[RETAIN_SHARE], m[RETAIN_BYTES])


@kernel
def find_free(m: Words, b: Bytes, units: int) -> int:
    """A listed free span of at least so many units: best fit below 64, the smallest of the rest."""
    if units < SPAN_LISTS - 1 and m[LIST_BITS] >> units != 0:
        i = units
        while m[FREE_SPANS + i] == NOTHING:
            i += 1
        return m[FREE_SPANS + i]
    span = m[FREE_SPANS + SPAN_LISTS - 1]
    best = NOTHING
    while span != NOTHING:
        if m[span * RECORD + UNITS] >= units and (
            best == NOTHING or m[span * RECORD + UNITS] < m[best * RECORD + UNITS]
        ):
            best = span
            if m[span * RECORD + UNITS] == units:
                break
        span = m[span * RECORD + NEXT]
    return best


@kernel
def extend(m: Words, b: Bytes, units: int) -> int:
    """A span from the unused end of the region, committed in steps that grow with it."""
    span = m[USED] >> UNIT_SHIFT
    used = m[USED] + (units << UNIT_SHIFT)
    if (used >> UNIT_SHIFT) + 2 > UNITS_MAX:
        raise OverflowError("units")
    if used > m[COMMITTED]:
        step = min(max(m[COMMITTED] // 8, 4 * UNIT), 1024 * UNIT)
        grain = HUGE * PAGE if m[HUGE_PAGES] == HUGE_WANTED else UNIT
        m[COMMITTED] = (used + step + grain - 1) & ~(grain - 1)
        m[COMMITS] += 1
        m[OS_CALLS] += 1
    length = (((m[COMMITTED] >> UNIT_SHIFT) + 1) * RECORD_BYTES + UNIT - 1) & ~(UNIT - 1)
    if length > m[RECORDS_COMMITTED]:
        m[RECORDS_COMMITTED] = length
        m[OS_CALLS] += 1
    pages = ((used >> UNIT_SHIFT) * RECORD_BYTES + PAGE - 1) >> PAGE_SHIFT
    before = ((m[USED] >> UNIT_SHIFT) * RECORD_BYTES + PAGE - 1) >> PAGE_SHIFT
    m[FAULTS] += pages - before
    m[RESIDENT] += pages - before
    m[USED] = used
    m[span * RECORD + DIRTY_UNITS] = 0
    return span


@kernel
def add_span_bytes(m: Words, b: Bytes, units: int) -> None:
    """So many units more are in use."""
    m[SPAN_BYTES] += units << UNIT_SHIFT
    m[SPAN_BYTES_PEAK] = max(m[SPAN_BYTES_PEAK], m[SPAN_BYTES])


@kernel
def take_span(m: Words, b: Bytes, units: int, alignment: int) -> int:
    """A span of so many units at a multiple of the alignment."""
    wanted = units
    if alignment > UNIT:
        wanted += (alignment >> UNIT_SHIFT) - 1
    span = find_free(m, b, wanted)
    if span != NOTHING:
        total, dirty, now = m[span * RECORD + UNITS], m[span * RECORD + DIRTY_UNITS], m[span * RECORD + FREED_MS]
        unlist_span(m, b, span)
    else:
        total, dirty, now = wanted, 0, 0
        span = extend(m, b, wanted)
    head = span
    front = 0
    if alignment > UNIT:
        front = -(m[BASE_UNITS] + span) & ((alignment >> UNIT_SHIFT) - 1)
        head = span + front
        if front != 0:
            list_front(m, b, span, front, front if dirty != 0 else 0, now)
    back = total - front - units
    if back != 0:
        list_span(m, b, head + units, back, back if dirty != 0 else 0, now)
    m[head * RECORD + UNITS] = units
    m[head * RECORD + DIRTY_UNITS] = units if dirty != 0 else 0
    add_span_bytes(m, b, units)
    return head


@kernel
def give_span(m: Words, b: Bytes, span: int, units: int, dirty: bool) -> None:
    """Make a span free: coalesce it with free neighbours, list it, and purge what exceeds the strategy."""
    dirty_units = units if dirty else 0
    m[SPAN_BYTES] -= units << UNIT_SHIFT
    if span > 0 and m[(span - 1) * RECORD + KIND] == FREE_SPAN:
        left = m[(span - 1) * RECORD + HEAD]
        dirty_units += m[left * RECORD + DIRTY_UNITS]
        units += m[left * RECORD + UNITS]
        unlist_span(m, b, left)
        span = left
    right = span + units
    if right << UNIT_SHIFT < m[USED] and m[right * RECORD + KIND] == FREE_SPAN:
        dirty_units += m[right * RECORD + DIRTY_UNITS]
        units += m[right * RECORD + UNITS]
        unlist_span(m, b, right)
    list_span(m, b, span, units, dirty_units, m[NOW])
    purge_until(m, b, retained(m, b), m[NOW])


@kernel
def grow_span(m: Words, b: Bytes, span: int, units: int) -> bool:
    """Grow a taken span in place; False: its right neighbour is not free or too small."""
    right = span + m[span * RECORD + UNITS]
    more = units - m[span * RECORD + UNITS]
    if right << UNIT_SHIFT >= m[USED] or m[right * RECORD + KIND] != FREE_SPAN or m[right * RECORD + UNITS] < more:
        return False
    total, dirty, now = m[right * RECORD + UNITS], m[right * RECORD + DIRTY_UNITS], m[right * RECORD + FREED_MS]
    unlist_span(m, b, right)
    if total > more:
        list_span(m, b, right + more, total - more, total - more if dirty != 0 else 0, now)
    m[span * RECORD + UNITS] = units
    m[span * RECORD + DIRTY_UNITS] = more if dirty != 0 else 0
    add_span_bytes(m, b, more)
    return True
