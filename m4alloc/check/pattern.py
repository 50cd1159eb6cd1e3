"""What a test client writes into its blocks: bytes that say which block and which offset they belong to."""

from __future__ import annotations

import random

from m4alloc.check.face import CHECKED

PERIOD = 1 << 16
SPARE = 1 << 12

PATTERN = random.Random("m4alloc").randbytes(PERIOD)
"""Random bytes; a block of seed s holds them from offset s on, repeated every PERIOD bytes."""


def expanded() -> bytes:
    """The pattern repeated over the largest block that is compared, with room for every seed.

    >>> len(expanded()) == CHECKED + SPARE
    True
    """
    return (PATTERN * (CHECKED // PERIOD + 1))[: CHECKED + SPARE]


def pattern(seed: int, size: int) -> bytes:
    """The first `size` bytes of the block of `seed`.

    seed: 0 <= seed < SPARE.  Cost: O(size).

    >>> pattern(1, 3) == pattern(0, 4)[1:]
    True
    """
    repeats = (seed + size) // PERIOD + 1
    return (PATTERN if repeats == 1 else PATTERN * repeats)[seed : seed + size]


def common_prefix(left: bytes, right: bytes) -> int:
    """How many leading bytes agree. Cost: O(length), by bisection over comparisons of slices.

    >>> common_prefix(b"abcd", b"abXd"), common_prefix(b"ab", b"abc")
    (2, 2)
    """
    low, high = 0, min(len(left), len(right))
    if left[:high] == right[:high]:
        return high
    while high - low > 1:  # invariant: [:low] agree, [:high] do not
        middle = (low + high) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle
    return low
