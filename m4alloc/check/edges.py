"""Sizes at which allocators break: class edges, page edges, and what no memory can hold."""

from __future__ import annotations

PAGE = 4096
SIZE_MAX = 2**64 - 1
PTRDIFF_MAX = 2**63 - 1
LARGEST = 1 << 20
"""Sizes up to here are handed out in tests; beyond, only sizes that must fail."""


def around(*edges: int) -> list[int]:
    """Each edge, one less and one more, without negative numbers.

    >>> around(16)
    [15, 16, 17]
    """
    return sorted({edge + step for edge in edges for step in (-1, 0, 1) if edge + step >= 0})


def class_edges(limit: int) -> list[int]:
    """The usual size-class boundaries up to `limit`: multiples of 16 to 128, then four steps a doubling.

    >>> class_edges(256)[-5:]
    [128, 160, 192, 224, 256]
    """
    edges = list(range(16, min(128, limit) + 1, 16))
    step = 32
    while edges[-1] + step <= limit:
        edges += [edges[-1] + step * i for i in range(1, 5) if edges[-1] + step * i <= limit]
        step *= 2
    return edges


USUAL = (0, 1, 8, 16, 24, 32, 64)
SMALL_EDGES = around(*class_edges(1024))
LARGE_EDGES = around(*class_edges(LARGEST)[28:], *(PAGE * n for n in (1, 2, 3, 8, 16, 17, 31, 32, 33, 64, 128)))
IMPOSSIBLE = [PTRDIFF_MAX, PTRDIFF_MAX + 1, SIZE_MAX - PAGE, SIZE_MAX - 15, SIZE_MAX]
