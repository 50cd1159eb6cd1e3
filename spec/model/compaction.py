"""Hash compaction: a search stores a few bytes of each state, and says how likely it is that it has missed one."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from hashlib import blake2b

DIGEST_SIZE = 8
"""Bytes of a digest when nothing else is asked for."""


def digest(size: int = DIGEST_SIZE) -> Callable[[Hashable], bytes]:
    """What is stored of a node: `size` bytes, 1 to 64, of a hash of how it prints.

    Nodes that are equal must print the same, as tuples of numbers and strings do.
    Source: Wolper and Leroy, Reliable hashing without collision detection (1993); RFC 7693.

    >>> len(digest(5)((1, 2))), digest(5)((1, 2)) == digest(5)((2, 1))
    (5, False)
    """
    if not 1 <= size <= 64:
        raise ValueError(f"a digest of {size} bytes; 1 to 64 would be right")

    def of(node: Hashable) -> bytes:
        return blake2b(repr(node).encode(), digest_size=size).digest()

    return of


def omission(states: int, size: int = DIGEST_SIZE) -> float:
    """At most how likely it is that two of so many states have the same digest of `size` bytes.

    If no two have, the search is exact. The bound is that of the union over all pairs: states^2 / 2 / 256^size.

    >>> f"{omission(1_000_000):.1e}", omission(100, 1)
    ('2.7e-08', 1.0)
    """
    return min(1.0, states * (states - 1) / 2 / (1 << 8 * size))


def warning(states: int, size: int) -> str:
    """What a result says that rests on digests."""
    return f"unless a state was missed: {size}-byte digests, probability at most {omission(states, size):.1e}"
