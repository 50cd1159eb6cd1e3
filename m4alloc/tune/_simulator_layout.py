"""The simulator's memory: which number lies where, in one array of int64 whose bytes a second array shows.

The single numbers come first, then a table a kind of record. A column's name is where it lies in the first row, so that
m[unit * RECORD + UNITS] is one of the span that begins at a unit. Columns have the core's names. All tables are as long
as they can ever get, since what is never touched of them takes no memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from numba import njit


class Words(Protocol):
    """The simulator's memory, an array of int64."""

    def __getitem__(self, at: int, /) -> int: ...
    def __setitem__(self, at: int, value: int, /) -> None: ...


class Bytes(Protocol):
    """The same memory, as an array of uint8."""

    def __getitem__(self, at: int, /) -> int: ...
    def __setitem__(self, at: int, value: int, /) -> None: ...


F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiled by numba into whatever calls it."""
    return _compiled(cache=False)(function)


def kept(function: F) -> F:
    """Compiled, and kept on disk."""
    return _compiled(cache=True)(function)


def _compiled(*, cache: bool) -> Callable[[F], F]:
    # Nothing here allocates: without numba's counting of references a call costs a fifth.
    return njit(cache=cache, _nrt=False)  # type: ignore[call-overload,no-any-return]


UNIT_SHIFT = 16
UNIT = 1 << UNIT_SHIFT
PAGE_SHIFT = 12
PAGE = 1 << PAGE_SHIFT
UNIT_PAGES = UNIT // PAGE
SPAN_LISTS = 65
RECORD_BYTES = 128
HEAP_BYTES = 8560
CHUNK = 512 * 1024
CHUNK_SHARE = 8
UNMARKED_MAX = 4096
PART_SHIFT = 9
REMAP_LEAST = 1 << 20
MARKED_MAX = 64 << 20
TICK = 1024
NOTHING = -1

# A slot as one number: a sixteenth of its address (from the arena's base), then where its state byte is. A large block
# has no state; its is 1, which lies in the metadata's first header.
STATE_BITS = 30
STATE_MASK = (1 << STATE_BITS) - 1
UNIT_OF_CELL = STATE_BITS + UNIT_SHIFT - 4

# States of slots: FREE, ABSENT and REMOTE are all that the core looks for.
FREE, TAKEN, REMOTE, ABSENT = range(4)

NO_SPAN, SLAB, LARGE, FREE_SPAN, HELD_SPAN = range(5)

ALLOCATE, RELEASE, RESIZE = 1, 2, 3

(
    NOW,
    USED,
    COMMITTED,
    RECORDS_COMMITTED,
    LIST_BITS,
    YOUNGEST,
    OLDEST,
    DIRTY_BYTES,
    SPAN_BYTES,
    SPAN_BYTES_PEAK,
    LARGE_BYTES,
    LARGE_BLOCKS,
    LARGE_FREES,
    HELD_FIRST,
    HELD_LAST,
    HELD_BYTES,
    METADATA,
    METADATA_END,
    METADATA_BYTES,
    ABANDONED,
    HEAPS,
    SLABS_MADE,
    PURGES,
    PURGED,
    OS_CALLS,
    FAULTS,
    POPULATED,
    RESIDENT,
    RESIDENT_PEAK,
    LIVE,
    REQUESTED,
    LIVE_PEAK,
    REQUESTED_PEAK,
    PEAK_LIVE,
    PEAK_REQUESTED,
    LINES,
    FAR_LINES,
    REFILLED,
    FLUSHED,
    LOCKS,
    DRAINED,
    TURNS,
    MOVED,
    WIPED,
    HOOKED_CALLS,
    PAGES_MOVED,
    RESIZED,
    RANDOM,
    REUSE_LEAST,
    # Knobs and what follows from them.
    CLASSES,
    BINS,
    EMPTY_CLASS,
    HOOKED,
    HOOKED_MALLOC,
    CANARIES,
    REFILL_BATCH,
    RETAIN_BYTES,
    RETAIN_SHARE,
    RETAIN_MS,
    RANDOMISE,
    GUARDS,
    GUARD_SLABS,
    QUARANTINE_RANDOM,
    LARGE_QUARANTINE,
    LARGE_DELAY,
    PLACEMENT,
    PREFAULT,
    HUGE_PAGES,
    SIDE_LENGTH,
    BASE_UNITS,
    RESIDENT_SUM,
    LARGEST,
    COMMITS,
    PREFAULTS,
    POISONS,
    STRAYS,
    COLD_LINES,
    TLB_MISSES,
    HUGE_PAGED,
    WIPED_COLD,
) = range(80)

CLASSES_AT, CLASS_ROW = 128, 32
(
    SLOT_SIZE,
    CLASS_UNITS,
    CLASS_SLOTS,
    CLASS_DEPTH,
    CLASS_DELAY,
    CLASS_QUARANTINE,
    CLASS_BATCH,
    CLASS_LINE,
    CLASS_SIDE,
    CLASS_WIPED,
    CLASS_SPARE,
    CLASS_SLABS,
    CLASS_SLABS_PEAK,
    CLASS_SLABS_MADE,
    CLASS_MALLOCS,
    CLASS_FREES,
    CLASS_REMOTE_FREES,
    CLASS_REFILLS,
    CLASS_FLUSHES,
    CLASS_USABLE,
    CLASS_CLEAN,
) = range(CLASSES_AT, CLASSES_AT + 21)

CLASSES_MAX = 66
FREE_SPANS = CLASSES_AT + CLASSES_MAX * CLASS_ROW  # the first of each list, by units
NEAR, NEAR_LINES = FREE_SPANS + 128, 512
FAR, FAR_LINES_MAX = NEAR + NEAR_LINES, 16384
FINE, STEPS = 4096, 64
TLB, TLB_PAGES = FAR + FAR_LINES_MAX, 2048
REUSES = TLB + TLB_PAGES
CLASS_OF = REUSES + FINE + 64 * STEPS
HEAPS_AT = CLASS_OF + 65_600

HEAP, HEAPS_MAX, BIN = 1088, 4096, 8
TOP, BOTTOM, LIMIT, DELAY, FREED, DELAY_MASK, SLABS, OPEN = range(HEAPS_AT, HEAPS_AT + 8)
RINGS_AT = HEAPS_AT + BIN * CLASSES_MAX
QUARANTINE, QUARANTINE_NEXT, LINE, LINE_AT, SEEN_TOP, SEEN_FREED = range(RINGS_AT, RINGS_AT + 6)
HEAP_AT = RINGS_AT + BIN * CLASSES_MAX
HEAP_SLABS_MADE, SCAVENGED_MS, PURGED_MS, HEAP_REMOTE, NEXT_ABANDONED = range(HEAP_AT, HEAP_AT + 5)

RECORDS_AT = HEAPS_AT + HEAP * HEAPS_MAX
RECORD, UNITS_MAX = 24, 1 << 21
(
    KIND,
    CLASS,
    OWNER,
    HEAD,
    UNITS,
    STATES,
    SLOTS,
    FREE_SLOTS,
    FIRST_FREE,
    LISTED,
    NEXT,
    PREVIOUS,
    AGE_NEXT,
    AGE_PREVIOUS,
    USABLE,
    SLACK,
    LEAD,
    FREED_MS,
    DIRTY_UNITS,
    REMOTE_COUNT,
    REMOTE_NEXT,
    FENCE,
) = range(RECORDS_AT, RECORDS_AT + 22)

METADATA_MAX = 1 << 28
CELLS = RECORDS_AT + RECORD * UNITS_MAX  # slots on stacks and in lines, by where they lie in the core's own memory
STATE_WORDS = CELLS + METADATA_MAX // 16
STATE_BYTES = 8 * STATE_WORDS
STAMPS = STATE_WORDS + METADATA_MAX // 8  # for each state: its class's frees when it was freed, and 1
PAGE_WORDS = STAMPS + METADATA_MAX
PAGES = 8 * PAGE_WORDS  # is it resident?
METADATA_PAGE_WORDS = PAGE_WORDS + UNITS_MAX * UNIT_PAGES // 8
METADATA_PAGES = 8 * METADATA_PAGE_WORDS
WORDS = METADATA_PAGE_WORDS + METADATA_MAX // PAGE // 8

NO_FENCE, FENCE_MARKED, FENCE_MAPPED = range(3)
