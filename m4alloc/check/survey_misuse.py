"""Directed plans in which the client breaks its side: what an allocator makes of a block that is freed twice."""

from __future__ import annotations

import random

from m4alloc.check.operation import Aim, Operation
from m4alloc.check.survey_words import CALLOC, FEW, FREE, KIB, MALLOC, MIB, Named, Plan, make, on

SIZES = [*FEW, 256 * KIB, MIB, 4 * MIB, 40 * MIB]
AGAIN = 3
"""Blocks that are asked for afterwards: the two that share memory, and one more."""


def misused(chance: random.Random) -> Named:
    """Double frees in their variants and frees of inner pointers, for each size; one plan each, since most end it."""
    for size in SIZES:
        block = make(MALLOC, size)
        after = [*[block] * AGAIN, make(CALLOC, size), block]
        plans: dict[str, Plan] = {
            "at-once": [block, block, on(FREE, 1), again(), *after],
            "the-only-block": [block, on(FREE), again(), *after],
            "with-one-between": [block, block, block, on(FREE, 2), on(FREE), again(1), *after],
            "with-seven-between": [*[block] * 10, *[on(FREE)] * 8, again(7), *after],
            "after-half-of-it-is-used": [block, block, on(FREE, 1), make(MALLOC, size // 2), again(), *after],
            "by-another-thread": [block, block, on(FREE, 1), again(thread=1), *after, make(MALLOC, size, 1)],
            "after-realloc": [block, block, Operation(MALLOC, size=size), on(FREE, 1), again(), *after],
            "of-an-inner-pointer": [block, block, inner(16), *after],
            "of-the-middle": [block, block, inner(size // 2), *after],
        }
        for name, plan in plans.items():
            yield f"double-free-{name}-of-{size}" if "of-" not in name else f"free-{name}-of-{size}", plan, False


def again(block: int = 0, thread: int = 0) -> Operation:
    """A free of a block that was freed already, counted from the one freed last."""
    return Operation(FREE, thread, Aim.DEAD, block)


def inner(offset: int) -> Operation:
    """A free of a pointer into the youngest block, so many bytes behind its start."""
    return Operation(FREE, 0, Aim.INSIDE, 0, offset=max(offset - 1, 0))
