"""Hypothesis strategies for the search: sizes, alignments, and whole plans.

They lean towards the edges where allocators break (size classes, powers of two, pages, zero, overflow) and shrink
towards fewer requests, smaller sizes, the youngest block, and thread 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from m4alloc.check.edges import IMPOSSIBLE, LARGE_EDGES, LARGEST, PAGE, SIZE_MAX, SMALL_EDGES, USUAL
from m4alloc.check.operation import Aim, Operation
from spec.event import ALLOCATING, RESIZING, Function


@cache
def sizes(limit: int = LARGEST) -> st.SearchStrategy[int]:
    """Request sizes from 0 to `limit`: any small one, class edges, page edges, powers of two and their neighbours.

    Shrinks towards 0.
    """
    edges = sorted({size for size in SMALL_EDGES if size <= limit})
    usual = [size for size in USUAL if size <= limit]
    choices = [st.integers(0, min(256, limit)), st.sampled_from(usual), st.sampled_from(edges or [0])]
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
    """Alignments that posix_memalign refuses: zero, not a power of two, less than a pointer."""
    return st.sampled_from([0, 1, 2, 3, 4, 24, 48, PAGE - 1, SIZE_MAX])


@cache
def ordered_sizes(limit: int = LARGEST, impossible: bool = False) -> st.SearchStrategy[int]:
    """The sizes of `sizes`, and any up to a page, in one order: Hypothesis shrinks along it, whatever it drew first.

    impossible: and those that cannot be served, as the largest.
    """
    listed = sorted({size for size in (*range(257), *SMALL_EDGES, *LARGE_EDGES) if size <= limit})
    more = sorted(IMPOSSIBLE * 8) if impossible else []
    return st.one_of(st.sampled_from(listed + more), st.integers(0, min(limit, PAGE)))


def operation_of(function: Function, fields: dict[str, Any]) -> st.SearchStrategy[Operation]:
    """Operations of one function, the named fields drawn in this order and the others left at their defaults."""
    names = tuple(fields)  # not st.builds, which draws every field of a NamedTuple
    return st.tuples(*fields.values()).map(lambda drawn: Operation(function, **dict(zip(names, drawn, strict=True))))


PALETTE = 4
SIZED = ALLOCATING | RESIZING
BURSTS = (1, 1, 1, 1, 2, 3, 8, 40)


@cache
def operations(functions: frozenset[Function], threads: int = 1, misuse: bool = False) -> st.SearchStrategy[Operation]:
    """One operation among `functions`, on one of `threads`; its size is a number of the plan's palette.

    misuse: also double frees and frees of interior pointers, for allocators that promise to catch them.
    """
    thread = st.integers(0, threads - 1)
    size = st.integers(0, PALETTE - 1)
    live = {"aim": st.just(Aim.LIVE), "block": st.integers(0, 7)}
    kinds: list[st.SearchStrategy[Operation]] = []

    def kind(function: Function, weight: int = 1, **fields: st.SearchStrategy[object]) -> None:
        if function in functions or function is Function.LABEL:
            kinds.extend([operation_of(function, {"thread": thread, **fields})] * weight)

    kind(Function.MALLOC, 5, size=size)
    kind(Function.FREE, 6, **live)
    kind(Function.CALLOC, 2, size=size, count=st.integers(1, 3))
    kind(Function.REALLOC, 3, size=size, **live)
    kind(Function.REALLOCARRAY, 1, size=size, count=st.integers(1, 9), **live)
    kind(Function.REALLOC, 1, size=size)
    kind(Function.ALIGNED_ALLOC, 2, size=size, alignment=alignments())
    kind(Function.POSIX_MEMALIGN, 1, size=size, alignment=alignments().map(lambda alignment: max(alignment, 8)))
    kind(Function.POSIX_MEMALIGN, 1, size=size, alignment=bad_alignments())
    kind(Function.MEMALIGN, 1, size=size, alignment=alignments())
    kind(Function.USABLE_SIZE, 1, **live)
    kind(Function.FREE_SIZED, 1, **live)
    kind(Function.NEW, 1, size=size)
    kind(Function.VALLOC, 1, size=size)
    kind(Function.MALLOC, 1, size=impossible_sizes())
    kind(Function.CALLOC, 1, size=impossible_sizes(), count=st.sampled_from([1, 2, 1 << 32, SIZE_MAX]))
    kind(Function.REALLOC, 1, size=impossible_sizes(), **live)
    kind(Function.FREE)
    if threads > 1:
        kind(Function.LABEL)
    if misuse:
        kind(Function.FREE, 1, aim=st.just(Aim.DEAD), block=st.integers(0, 7))
        kind(Function.FREE, 1, aim=st.just(Aim.INSIDE), block=st.integers(0, 7), offset=st.integers(0, PAGE))
    return st.one_of(kinds)


def paint(palette: Sequence[int], groups: Iterable[Iterable[tuple[Operation, int]]]) -> list[Operation]:
    """The plan that palette and bursts stand for: sizes looked up, each operation as many times as it says."""
    plan: list[Operation] = []
    for group in groups:
        for operation, times in group:
            if operation.size < PALETTE and operation.function in SIZED:
                operation = operation._replace(size=palette[operation.size % len(palette)])
            plan += [operation] * times
    return plan


@cache
def plans(
    functions: frozenset[Function], *, threads: int = 1, limit: int = LARGEST, misuse: bool = False
) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations on up to four sizes; every sublist is a plan, too, so that they shrink by deletion.

    Few sizes and bursts of one operation, because most faults need several blocks of one size class: a full slab,
    a quarantine that overflows. The lists are nested because Hypothesis draws short ones.
    Raises ValueError at once: no threads, or no function that hands out a block.
    """
    if threads < 1:
        raise ValueError(f"{threads} threads: at least 1 is needed")
    if Function.MALLOC not in functions:
        raise ValueError("a plan needs malloc among its functions")
    palette = st.lists(sizes(limit), min_size=1, max_size=PALETTE)
    burst = st.tuples(operations(functions, threads, misuse), st.sampled_from(BURSTS))
    groups = st.lists(st.lists(burst, max_size=12), max_size=12)
    return st.builds(paint, palette, groups)
