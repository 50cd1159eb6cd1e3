"""Hypothesis strategies for requests: sizes, alignments, and whole plans.

They lean towards the edges where allocators break (size classes, powers of two, pages, zero, overflow) and shrink
towards fewer requests, smaller sizes, the youngest block, and thread 0.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from hypothesis import strategies as st

from m4alloc.check.operation import Aim, Operation
from spec.event import Function

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


SMALL_EDGES = around(*class_edges(1024))
LARGE_EDGES = around(*class_edges(LARGEST)[28:], *(PAGE * n for n in (1, 2, 3, 8, 16, 17, 31, 32, 33, 64, 128)))
IMPOSSIBLE = [PTRDIFF_MAX, PTRDIFF_MAX + 1, SIZE_MAX - PAGE, SIZE_MAX - 15, SIZE_MAX]


@cache
def sizes(limit: int = LARGEST) -> st.SearchStrategy[int]:
    """Request sizes from 0 to `limit`: any small one, class edges, page edges, powers of two and their neighbours.

    Shrinks towards 0.
    """
    edges = sorted({size for size in SMALL_EDGES if size <= limit})
    choices = [st.integers(0, min(256, limit)), st.sampled_from(edges or [0])]
    large = sorted({size for size in LARGE_EDGES if size <= limit})
    if large:
        choices.append(st.sampled_from(large))
    return st.one_of(*choices)


@cache
def impossible_sizes() -> st.SearchStrategy[int]:
    """Sizes that no allocator can hand out: at and above PTRDIFF_MAX, where rounding up would wrap."""
    return st.sampled_from(IMPOSSIBLE)


@cache
def alignments(largest: int = 1 << 16) -> st.SearchStrategy[int]:
    """Powers of two from 1 to `largest`, shrinking towards 1."""
    return st.integers(0, largest.bit_length() - 1).map(lambda bits: 1 << bits)


def bad_alignments() -> st.SearchStrategy[int]:
    """Alignments that aligned_alloc and posix_memalign may refuse: zero, not a power of two, less than a pointer."""
    return st.sampled_from([0, 1, 2, 3, 4, 24, 48, PAGE - 1])


FREQUENT = (Function.MALLOC, Function.CALLOC, Function.FREE, Function.REALLOC, Function.ALIGNED_ALLOC)


@cache
def operations(
    functions: frozenset[Function], threads: int = 1, limit: int = LARGEST, misuse: bool = False
) -> st.SearchStrategy[Operation]:
    """One operation among `functions`, on one of `threads`.

    misuse: also double frees and frees of interior pointers, for allocators that promise to catch them.
    """
    thread = st.integers(0, threads - 1)
    block = st.integers(0, 7)
    size = sizes(limit)
    kinds: list[st.SearchStrategy[Operation]] = []

    def kind(function: Function, weight: int = 1, **fields: st.SearchStrategy[object]) -> None:
        if function in functions or function is Function.LABEL:
            kinds.extend([st.builds(Operation, st.just(function), thread=thread, **fields)] * weight)

    live = {"aim": st.just(Aim.LIVE), "block": block}
    kind(Function.MALLOC, 4, size=size)
    kind(Function.FREE, 5, **live)
    kind(Function.CALLOC, 2, size=size, count=st.integers(1, 3))
    kind(Function.REALLOC, 3, size=size, **live)
    kind(Function.REALLOCARRAY, 1, size=sizes(min(limit, PAGE)), count=st.integers(1, 9), **live)
    kind(Function.REALLOC, 1, size=size)
    kind(Function.ALIGNED_ALLOC, 2, size=size, alignment=alignments())
    kind(Function.POSIX_MEMALIGN, 1, size=size, alignment=alignments().map(lambda alignment: max(alignment, 8)))
    kind(Function.MEMALIGN, 1, size=size, alignment=alignments())
    kind(Function.USABLE_SIZE, 1, **live)
    kind(Function.FREE_SIZED, 1, **live)
    kind(Function.NEW, 1, size=size)
    kind(Function.VALLOC, 1, size=sizes(min(limit, PAGE)))
    kind(Function.MALLOC, 1, size=impossible_sizes())
    kind(Function.CALLOC, 1, size=impossible_sizes(), count=st.sampled_from([1, 2, 1 << 32, SIZE_MAX]))
    kind(Function.REALLOC, 1, size=impossible_sizes(), **live)
    kind(Function.FREE)
    if threads > 1:
        kind(Function.LABEL, 1)
    if misuse:
        kind(Function.FREE, 1, aim=st.just(Aim.DEAD), block=block)
        kind(Function.FREE, 1, aim=st.just(Aim.INSIDE), block=block, offset=st.integers(0, PAGE))
    return st.one_of(kinds)


def plans(
    functions: Collection[Function], *, length: int = 60, threads: int = 1, limit: int = LARGEST, misuse: bool = False
) -> st.SearchStrategy[list[Operation]]:
    """Lists of up to `length` operations; every sublist is a plan, too, so that they shrink by deletion.

    Raises ValueError at once: no threads, or no function that hands out a block.
    """
    chosen = frozenset(functions)
    if threads < 1:
        raise ValueError(f"{threads} threads: at least 1 is needed")
    if Function.MALLOC not in chosen:
        raise ValueError("a plan needs malloc among its functions")
    return st.lists(operations(chosen, threads, limit, misuse), max_size=length)
