"""The alphabet: one event is one call of the malloc family, one client access, or one label.

The same type is what the contract admits or refuses, what the recorder writes, what monitors step on,
what replay drives and what the viewer draws.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Function(IntEnum):
    """The operation of an event; the numbers are those of the binary trace format and never change."""

    MALLOC = 1
    CALLOC = 2
    REALLOC = 3
    REALLOCARRAY = 4
    FREE = 5
    ALIGNED_ALLOC = 6
    MEMALIGN = 7
    POSIX_MEMALIGN = 8
    VALLOC = 9
    PVALLOC = 10
    USABLE_SIZE = 11
    FREE_SIZED = 12
    FREE_ALIGNED_SIZED = 13
    NEW = 14
    DELETE = 15
    LOAD = 32
    STORE = 33
    FILL = 34
    LABEL = 40


ALLOCATING = frozenset(
    {
        Function.MALLOC,
        Function.CALLOC,
        Function.ALIGNED_ALLOC,
        Function.MEMALIGN,
        Function.POSIX_MEMALIGN,
        Function.VALLOC,
        Function.PVALLOC,
        Function.NEW,
    }
)
RESIZING = frozenset({Function.REALLOC, Function.REALLOCARRAY})
FREEING = frozenset({Function.FREE, Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED, Function.DELETE})
ACCESSING = frozenset({Function.LOAD, Function.STORE, Function.FILL})

NOT_OBSERVED = -1


class Event(NamedTuple):
    """One event of a heap's history: the request, the reply, and the evidence seen inside the call.

    address: the pointer handed in (free, realloc, usable_size) or accessed; 0 is NULL.
    size: bytes requested; of one element for calloc and reallocarray; of the access for loads and stores.
    result: the pointer handed out (0 is NULL), the number that usable_size returned, or the byte that fill writes.
    For posix_memalign, result is what *memptr held after the call and address what it held before (0: not known).
    errno: the error after a failed request (for posix_memalign the value returned), else 0.
    usable: usable bytes of the block handed out; NOT_OBSERVED when nobody looked.
    intact: leading bytes found zero (calloc) or unchanged (realloc); NOT_OBSERVED when nobody looked.
    begin, end: numbers from one counter of the process, drawn before the call entered the allocator and after
    it returned; end 0 is a call that never returned. Both 0 in a history that is sequential by construction.
    """

    function: Function
    thread: int = 0
    address: int = 0
    size: int = 0
    count: int = 1  # type: ignore[assignment]  # hides tuple.count, which nobody calls on an event
    alignment: int = 0
    result: int = 0
    errno: int = 0
    usable: int = NOT_OBSERVED
    intact: int = NOT_OBSERVED
    begin: int = 0
    end: int = 0
    time_ns: int = 0
    site: int = 0
    flags: int = 0
    label: str = ""

    @property
    def request_size(self) -> int:
        """Bytes asked for in all: size, times count for calloc and reallocarray (unbounded, so that overflow shows).

        >>> Event(Function.CALLOC, size=8, count=3).request_size
        24
        """
        return self.size * self.count


ERRNO_CHANGED = 1
"""Flag: errno after the call differs from errno before it, though the call did not fail."""
MISUSE_CAUGHT = 2
"""Flag: the allocator itself reported this call as misuse by the client."""
NEVER_RETURNED = 4
"""Flag: the call or access never returned: the process ended in it, or it hung.

A call that merely has no end was cut off by the end of the recording, which is nobody's fault.
"""
WHOLE_SCANNED = 8
"""Flag: `intact` of a calloc was looked for in every usable byte, not only in those requested."""


def returned(event: Event) -> bool:
    """Whether the call came back, so that its reply and what was seen after it mean something.

    >>> free = Event(Function.FREE)
    >>> returned(free), returned(free._replace(begin=3)), returned(free._replace(flags=NEVER_RETURNED))
    (True, False, False)
    """
    return not event.flags & NEVER_RETURNED and bool(event.end or not event.begin)
