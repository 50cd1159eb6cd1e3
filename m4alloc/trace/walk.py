"""Give every block of a history a slot: the one sequential loop of compiling a trace, and numba's form of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def assign(
    blocks: Any, hands_out: Any, gives_up: Any, keeps: Any, inherited: int, slots: Any, slot_of: Any, free: Any
) -> int:
    """Write the slot of each call into `slots`, 0 for NULL and -1 for a pointer that is no block; how many there are.

    blocks: of each call, the block that it is made on: -1 for NULL, -2 for a pointer that is no block; block
    `inherited` + i is the one that call i hands out. hands_out, gives_up: whether a call does. keeps: a call that gives
    its block up and leaves its slot taken. slot_of, free: room for one number a block. Lists or arrays all.
    The calls are walked in the order in which they will be made: a slot is free once the call on its block was made.
    Cost: O(n); 0.3 us a call in Python, 10 ns compiled.

    >>> slots, room = [0] * 4, [0] * 4
    >>> malloc, free, malloc_again, stray = -1, 0, -1, -2
    >>> taken, given = [True, False, True, False], [False, True, False, True]
    >>> assign([malloc, free, malloc_again, stray], taken, given, [False] * 4, 0, slots, room[:], room[:]), slots
    (2, [1, 1, 1, -1])
    """
    for place in range(inherited):
        slot_of[place] = place + 1
    count = inherited + 1
    idle = 0
    for call in range(len(blocks)):
        block = blocks[call]
        slot = slot_of[block] if block >= 0 else 0
        if hands_out[call]:
            if slot == 0:
                if idle:
                    idle -= 1
                    slot = free[idle]
                else:
                    slot = count
                    count += 1
            slot_of[inherited + call] = slot
        elif block == -2:
            slot = -1
        elif slot > 0 and gives_up[call] and not keeps[call]:
            free[idle] = slot
            idle += 1
        slots[call] = slot
    return count


@functools.cache
def compiled_walk() -> Callable[..., int] | None:
    """`assign` for arrays, compiled and kept on disk; None where numba is not installed."""
    try:
        import numba
    except ModuleNotFoundError:
        return None
    compiled: Callable[..., int] = numba.njit(cache=True)(assign)
    return compiled
