"""Rounds of the random search as a strategy of Hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from m4alloc.check.operation import Directive
from m4alloc.check.round import Round
from m4alloc.check.strategies import alignments, sizes
from spec.event import Function

LARGEST = 1 << 22
MAKING = (
    Function.MALLOC,
    Function.CALLOC,
    Function.ALIGNED_ALLOC,
    Function.POSIX_MEMALIGN,
    Function.MEMALIGN,
    Function.VALLOC,
    Function.PVALLOC,
    Function.NEW,
)


@st.composite
def rounds(
    draw: st.DrawFn, functions: frozenset[Function], *, misuse: bool = False, limit: int = LARGEST, length: int = 4000
) -> Round:
    """Rounds for an allocator with these functions.

    limit: bytes, the largest size. length: operations of a phase at most.
    """
    makers = draw(st.lists(st.sampled_from([f for f in MAKING if f in functions]), min_size=1, max_size=3))
    if draw(st.booleans()):
        makers = [Function.MALLOC]
    # Rounds of large blocks are few: most of their time goes into the bytes, not into the calls.
    largest = draw(st.sampled_from((1 << 10, 1 << 10, 1 << 13, 1 << 15, limit)))
    palette = draw(st.lists(sizes(min(largest, limit)), min_size=1, max_size=5))
    live = max(1, min(1 << 28, sum(palette)))
    most = max(50, min(length, (1 << 29) // (live // len(palette) + 1)))
    share = st.sampled_from((0.5, 0.5, 0.55, 0.7, 0.95, 0.4, 0.2))
    phases = draw(st.lists(st.tuples(st.integers(20, most), share), min_size=1, max_size=4))
    threads = draw(st.sampled_from((1, 1, 1, 2, 3, 4)))
    return Round(
        seed=draw(st.integers(0, 2**32 - 1)),
        palette=tuple(palette),
        makers=tuple(makers),
        alignment=draw(alignments()),
        resizing=draw(st.booleans()),
        sized=draw(st.booleans()),
        measuring=draw(st.booleans()),
        impossible=draw(st.booleans()),
        misuse=misuse and draw(st.booleans()),
        spread=draw(st.sampled_from((1, 2, 4, 16, 64, 1 << 20))),
        phases=tuple(phases),
        threads=threads,
        parallel=threads > 1 and draw(st.booleans()),
        ends=threads > 1 and draw(st.booleans()),
        fork=draw(st.sampled_from((None, None, None, None, Directive.FORK_CHILD, Directive.FORK_PARENT))),
        memory=draw(st.sampled_from((0, 0, 0, 0, 0, 1 << 20, 1 << 24))),
    )
