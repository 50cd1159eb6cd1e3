"""The compiled acceptor as Python uses it: one history, many short ones, or a tree of them, from trace records.

Its results are those of spec.acceptor. What no rule can object to, it admits at a glance; every other call goes to the
readable acceptor, which works on the same heap. Nor does it know which rules a call counts for: the first call of
each kind is shown to the readable acceptor, and all plain calls of that kind count as that one did. Where m4alloc is
not compiled, or a rule is in force that the glance does not know, spec.history does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from m4alloc.check.lessons import Lessons, Tally, is_glanced, terms_of
from m4alloc.trace.format import RECORD
from m4alloc.trace.read import BLOCK, Records, decode
from spec.acceptor import Acceptor
from spec.event import Event
from spec.heap import Heap
from spec.history import accept
from spec.judge import PTRDIFF_MAX, SIZE_MAX

try:
    from m4alloc import _accept as native
    from m4alloc._accept_heap import CompiledHeap
    from m4alloc.check.compiled_heap import (
        LaterHeap,
        LaterWindow,
        SharedHeap,
        SharedWindow,
        UnfitError,
        compiled_from,
    )
except ImportError:
    COMPILED = False
else:
    COMPILED = True
"""Whether the compiled acceptor is there."""

Order = npt.NDArray[np.intp]


def accept_records(
    records: Records,
    acceptor: Acceptor,
    *,
    labels: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
    order: Order | None = None,
) -> Acceptor:
    """Run the records, ordered by begin, through `acceptor` and return it, as `spec.history.accept` runs events.

    records: of m4alloc.trace.format. labels: the texts that LABEL records name. order: the indices of the records that
    count, in order; all of them by default. progress: as for `spec.history.accept`.
    The acceptor's heap and window are other objects afterwards.
    Raises: ValueError when records are out of order, KeyError when one has a function that there is not, or 0,
    IndexError when the order names one that there is not.
    Cost: some tens of nanoseconds a record that no rule can object to, some microseconds any other.

    >>> records = np.zeros(2, RECORD)
    >>> records["function"], records["size"], records["usable"], records["intact"] = [1, 5], 24, -1, -1
    >>> records["result"], records["address"] = [4096, 0], [0, 4096]
    >>> acceptor = accept_records(records, Acceptor())
    >>> acceptor.tally["result-disjoint"], acceptor.findings, len(acceptor.heap.live)
    (1, [], 0)
    """
    if can_judge(acceptor):
        try:
            history = History(records, acceptor, labels=labels, order=order, progress=progress)
        except UnfitError:
            pass
        else:
            with history:
                history.advance(history.length)
            return acceptor
    return accept(events_of(records, order, labels), acceptor, progress)


def suspects(records: Records, starts: Order, acceptor: Acceptor) -> tuple[Order, Tally]:
    """Which of many episodes, each on a fresh heap, hold anything that is not plainly admitted; the others' tally.

    records: of all episodes, one after the other. starts: where each begins, ascending from 0.
    acceptor: one that says what they are held to; it is not changed. A suspect need not be guilty: let the readable
    acceptor judge it, whose tally then has to be added.
    Raises ValueError: the starts do not ascend from 0.
    Cost: some tens of nanoseconds a record, and as much an episode.

    >>> records = np.zeros(2, RECORD)
    >>> records["usable"], records["intact"] = -1, -1
    >>> records["function"], records["size"], records["result"] = 1, 24, [4096, 7]
    >>> numbers, tally = suspects(records, np.array([0, 1]), Acceptor())
    >>> numbers.tolist(), tally["result-disjoint"]
    ([1], 1)
    """
    places = np.ascontiguousarray(starts, np.int64)
    if len(places) and (places[0] or np.any(places[1:] < places[:-1]) or places[-1] > len(records)):
        raise ValueError(f"episodes start at ascending places from 0 to {len(records)}")
    loop, lessons = _fresh_loop(records, acceptor)
    if loop is None:
        return np.arange(len(places)), {}
    found = loop.suspects(places)
    return np.array(found, np.intp), lessons.tally(loop.counts())


def tree_suspects(records: Records, acceptor: Acceptor, *, done: int = 0) -> tuple[npt.NDArray[np.uint64], Tally]:
    """Which nodes of a tree of histories have a path that is not plainly admitted, and the tally of all others.

    records: a depth-first walk; `site` is the depth of a record's node, from 1, and `time_ns` the node's number.
    Records of one node stand together. A node's history is that of the last nodes at the depths above it, then its own;
    its calls come one after the other. acceptor: as for `suspects`.
    done: how many records at the start were judged before; nodes that follow on them are judged, they are not.
    Each node is counted once, whatever follows on it. A node below a suspect is a suspect.
    Raises ValueError: a node is deeper than the one before it by more than one, or deeper than 64.
    Cost: some tens of nanoseconds for each record of a path.

    >>> records = np.zeros(3, RECORD)
    >>> records["usable"], records["intact"] = -1, -1
    >>> records["function"], records["size"], records["result"] = 1, 24, [4096, 8192, 4096]
    >>> records["site"], records["time_ns"] = [1, 2, 2], [1, 2, 3]
    >>> nodes, tally = tree_suspects(records, Acceptor())
    >>> nodes.tolist(), tally["result-disjoint"]
    ([3], 2)
    """
    loop, lessons = _fresh_loop(records, acceptor)
    if loop is None:
        numbers = records["time_ns"][done:]
        return np.unique(numbers), {}
    found = loop.tree_suspects(done)
    return np.array(found, np.uint64), lessons.tally(loop.counts())


class History:
    """A history that runs through an acceptor in steps; until it is closed the acceptor's heap is a shared one.

    The arguments are those of `accept_records`. length: how many records it has.
    Raises IndexError: the order names a record that there is not. UnfitError: the acceptor's heap cannot be held in
    flat memory. The acceptor is unchanged then.
    """

    def __init__(
        self,
        records: Records,
        acceptor: Acceptor,
        *,
        labels: Sequence[str] = (),
        order: Order | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._acceptor = acceptor
        self._progress = progress
        self._lessons = Lessons.of(acceptor)
        window = acceptor.window
        self._compiled = compiled_from(acceptor.heap, window)
        self._loop = native.Loop(
            self._compiled, terms_of(acceptor), self._lessons.learn, acceptor, tuple(labels), progress
        )
        self.length = _load(self._loop, records, order)
        acceptor.heap = SharedHeap(self._compiled)
        acceptor.window = SharedWindow(self._compiled, window.length, window.limit)

    def advance(self, stop: int) -> None:
        """Go on up to record `stop` of the order, and to the ends of calls that come before the one after."""
        try:
            self._loop.run(stop)
        finally:
            self._count()

    def snapshot(self) -> LaterHeap:
        """A copy of the heap as it is now.  Cost: O(n), some nanoseconds an address."""
        return LaterHeap(self._compiled.copy())

    def close(self) -> None:
        """Let the calls under way return, and give the acceptor a heap of its own."""
        try:
            self._loop.finish()
        finally:
            self._count()
            self._release()
        if self._progress is not None:
            self._progress(self._acceptor.events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._release()

    def _count(self) -> None:
        for name, number in self._lessons.tally(self._loop.counts()).items():
            self._acceptor.tally[name] += number
        self._acceptor.events = self._loop.events

    def _release(self) -> None:
        window = self._acceptor.window
        heap = LaterHeap(self._compiled)
        self._acceptor.heap = heap
        self._acceptor.window = LaterWindow(self._compiled, heap, window.length, window.limit)


def forget_born(heap: Heap, base: int, born: int) -> None:
    """Drop the live block at `base` if event `born` handed it out, without looking inside a heap more than that.

    >>> from spec.heap import Block
    >>> heap = Heap()
    >>> block = heap.insert(Block(4096, 24, born=7))
    >>> forget_born(heap, 4096, 6), len(heap.live), forget_born(heap, 4096, 7), len(heap.live)
    (None, 1, None, 0)
    """
    compiled = heap.compiled if COMPILED and isinstance(heap, LaterHeap) else None
    if compiled is not None:
        compiled.discard_born(base, born)
    elif base in heap.live and heap.live[base].born == born:
        del heap.live[base]


def can_judge(acceptor: Acceptor) -> bool:
    """Whether the compiled acceptor is there and can judge what this one is asked to."""
    return COMPILED and is_glanced(acceptor)


def acceptor_on(heap: Heap | None, standard: str, **options: Any) -> Acceptor:
    """`Acceptor(standard, heap=heap, ...)`, without looking inside a heap that a compiled history has left."""
    compiled = heap.compiled if COMPILED and isinstance(heap, LaterHeap) else None
    if heap is None or compiled is None:
        return Acceptor(standard, heap=heap, **options)
    acceptor = Acceptor(standard, **options)
    length, limit = acceptor.window.length, acceptor.window.limit
    if length > PTRDIFF_MAX or not 0 <= limit <= SIZE_MAX:
        return Acceptor(standard, heap=heap, **options)
    compiled.open_window(length, limit)
    acceptor.heap = heap
    acceptor.window = LaterWindow(compiled, heap, length, limit)
    return acceptor


def events_of(records: Records, order: Order | None, labels: Sequence[str]) -> Iterator[Event]:
    """The records as events, a block at a time."""
    total = len(records) if order is None else len(order)
    for start in range(0, total, BLOCK):
        chosen = slice(start, start + BLOCK)
        yield from decode(records[chosen] if order is None else records[order[chosen]], tuple(labels))


def _fresh_loop(records: Records, acceptor: Acceptor) -> tuple[native.Loop | None, Lessons]:
    """A loop over the records on a heap of its own, or None."""
    lessons = Lessons.of(acceptor)
    if not can_judge(acceptor):
        return None, lessons
    compiled = CompiledHeap()
    compiled.open_window(acceptor.window.length, acceptor.window.limit)
    compiled.count_frees(acceptor.window.length > 0)
    loop = native.Loop(compiled, terms_of(acceptor), lessons.learn)
    _load(loop, records, None)
    return loop, lessons


def _load(loop: native.Loop, records: Records, order: Order | None) -> int:
    """Give the loop its records; how many count."""
    flat = np.ascontiguousarray(records, RECORD)
    if order is None:
        loop.load(flat.view(np.uint8).reshape(-1))
        return len(flat)
    places = np.ascontiguousarray(order, np.int64)
    if len(places) and not 0 <= int(places.min()) <= int(places.max()) < len(flat):
        raise IndexError(f"the order names records outside the {len(flat)} there are")
    loop.load(flat.view(np.uint8).reshape(-1), places)
    return len(places)
