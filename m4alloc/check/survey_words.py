"""The words that directed plans are written in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from m4alloc.check.edges import LARGE_EDGES, around
from m4alloc.check.operation import Aim, Operation
from spec.event import Function

Plan = list[Operation]
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MALLOC, CALLOC, REALLOC, FREE = Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.FREE
ALIGNED_ALLOC, POSIX_MEMALIGN, LABEL = Function.ALIGNED_ALLOC, Function.POSIX_MEMALIGN, Function.LABEL
EVERY_SMALL = list(range(1, 1100))
EDGES = sorted({*around(*(1 << n for n in range(4, 18))), *LARGE_EDGES[:60], *(48 << n for n in range(12))})
FEW = [1, 8, 16, 17, 24, 40, 64, 100, 128, 250, 512, 1000, 2048, 4000, 4096, 4097, 8192, 16384, 32768, 65536, 131073]


Named = Iterator[tuple[str, Plan, bool]]
Part = Callable[[random.Random], Named]
"""Makes some plans: the name of each, the plan, and whether it matters what it takes over and over."""


def make(function: Function, size: int, thread: int = 0, *, count: int = 1, alignment: int = 0) -> Operation:
    """A request for a block."""
    return Operation(function, thread, size=size, count=count, alignment=alignment)


def on(function: Function, block: int = 0, thread: int = 0, *, size: int = 0, count: int = 1) -> Operation:
    """A request on the block number `block`, counted from the youngest."""
    return Operation(function, thread, Aim.LIVE, block, size, count)


def drop_all(count: int, *, oldest_first: bool = False, thread: int = 0) -> Plan:
    """Free `count` blocks, all that there are."""
    return [on(FREE, left - 1 if oldest_first else 0, thread) for left in range(count, 0, -1)]
