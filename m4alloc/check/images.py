"""Judge every process image of a recording; a forked child starts from its parent's heap at the fork."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m4alloc.check.accept import History, acceptor_on, can_judge, forget_born
from m4alloc.check.lives import HIGHEST, Calls, Integers, Lives, lives_of, one_after_another
from m4alloc.trace.format import EndReason, TraceError
from m4alloc.trace.read import Trace, decode
from spec.acceptor import Acceptor
from spec.event import ERRNO_CHANGED, MISUSE_CAUGHT, Event, Function
from spec.heap import Heap
from spec.history import accept

BLOCK = 1 << 14
"""Events between two looks at whether to stop."""


@dataclass(slots=True)
class Judged:
    """One trace after its events went through the acceptor.

    parent: index among the judged, or None. seconds: what the acceptor took, its children's apart.
    """

    trace: Trace
    parent: int | None
    lives: Lives
    acceptor: Acceptor
    seconds: float = 0.0


def calls_in(trace: Trace) -> Calls:
    """The calls of a trace as columns, in file order, which numbers a history that has no numbers.  Cost: O(n)."""
    records = trace.records
    wanted = (records["function"] > 0) & (records["function"] < Function.LOAD)
    if not wanted.all():
        records = records[wanted]
    function = records["function"].astype(np.int64)

    def column(name: str) -> Integers:
        clipped: Integers = np.minimum(np.ascontiguousarray(records[name]), HIGHEST).astype(np.int64)
        return clipped

    request = column("size")
    counted = np.flatnonzero((function == Function.CALLOC) | (function == Function.REALLOCARRAY))
    factor = np.minimum(records["extra"][counted], HIGHEST).astype(np.float64)
    product = records["size"][counted].astype(np.float64) * factor
    request[counted] = np.minimum(product, float(HIGHEST)).astype(np.int64)
    begin, end = column("begin"), column("end")
    if not begin.any():
        begin, end = one_after_another(len(begin))
    return Calls(
        function,
        column("address"),
        request,
        column("result"),
        records["errno"].astype(np.int64),
        column("usable"),
        begin,
        end,
    )


class Judges:
    """The walk over a recording's process images, parents before and around their children.

    standard: as `spec.standard.contract` takes it. progress: told how many events are done in all images.
    stop: asked every few thousand events; once it says True the walk ends, and what was judged so far stands.
    reference: whether the specification alone judges, without the compiled acceptor.
    """

    def __init__(
        self,
        traces: Sequence[Trace],
        standard: str,
        progress: Callable[[int], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
        reference: bool = False,
    ) -> None:
        self.traces = traces
        self.standard = standard
        self.progress = progress
        self.stop = stop
        self.reference = reference
        self.judged: list[Judged] = []
        self._done = 0
        names = {trace.path.name for trace in traces}
        self._children: dict[str, list[Trace]] = {}
        self._roots = []
        for trace in sorted(traces, key=lambda trace: (trace.fork_sequence, trace.pid, trace.image)):
            if trace.parent in names:
                self._children.setdefault(str(trace.parent), []).append(trace)
            else:
                self._roots.append(trace)

    def run(self) -> list[Judged]:
        """Judge every image and return them, roots in the order given, each followed by its descendants.

        A child whose parent's trace is missing cannot be judged and is left out.
        Raises TraceError: a record has a function that there is not.
        Cost: about a tenth of a microsecond an event, some microseconds by the specification alone or where something
        is wrong, and a copy of the parent's heap for each fork.
        """
        for trace in self._roots:
            if trace.parent is None:
                self._judge(trace, None, None, None)
        return self.judged

    @property
    def orphans(self) -> list[Trace]:
        """Forked children whose parent's trace is missing."""
        return [trace for trace in self._roots if trace.parent is not None]

    def _judge(self, trace: Trace, parent: int | None, inherited: Lives | None, heap: Heap | None) -> None:
        if self.stop():
            return
        children_took = 0.0
        acceptor = acceptor_on(
            heap,
            self.standard,
            quarantine=trace.quarantine,
            quarantine_limit=trace.quarantine_limit,
            observes=ERRNO_CHANGED | (MISUSE_CAUGHT if int(trace.header["info_version"]) else 0),
        )
        judged = Judged(trace, parent, lives_of(calls_in(trace), inherited), acceptor)
        index = len(self.judged)
        self.judged.append(judged)
        done_before = self._done
        apart = 0  # events of children, judged in the middle of this image

        def advance(events: int) -> None:
            self._done = done_before + apart + events
            if self.progress is not None:
                self.progress(self._done)

        def fork(child: Trace) -> None:
            nonlocal apart, children_took
            begun, before = time.perf_counter(), self._done
            snapshot = at_fork(trace, acceptor.heap, child.fork_sequence)
            self._judge(child, index, judged.lives.alive_at(child.fork_sequence), snapshot)
            apart += self._done - before
            children_took += time.perf_counter() - begun

        pending = list(self._children.get(trace.path.name, []))
        started = time.perf_counter()
        try:
            if self.reference or not can_judge(acceptor):
                accept(self._stream(trace, pending, fork), acceptor, advance)
            else:
                self._run(trace, acceptor, pending, fork, advance)
        except KeyError as error:
            message = f"{trace.path}: damaged: there is no function {error}; docs/trace-format.md lists them"
            raise TraceError(message) from None
        judged.seconds = time.perf_counter() - started - children_took
        while pending:
            fork(pending.pop(0))

    def _run(
        self,
        trace: Trace,
        acceptor: Acceptor,
        pending: list[Trace],
        fork: Callable[[Trace], None],
        advance: Callable[[int], None],
    ) -> None:
        """Run a trace through the compiled acceptor, pausing at each fork until the child has been judged."""
        order = trace.order()
        after = _after(trace, order, pending)
        with History(trace.records, acceptor, labels=trace.labels, order=order, progress=advance) as history:
            place = 0
            while place < len(order):
                while after and after[0] == place:
                    after.pop(0)
                    fork(pending.pop(0))
                if self.stop():
                    pending.clear()
                    return
                place = min(place + BLOCK, len(order), *after[:1])
                history.advance(place)

    def _stream(self, trace: Trace, pending: list[Trace], fork: Callable[[Trace], None]) -> Iterator[Event]:
        """The events of a trace, pausing at each fork until the child has been judged.

        `points` holds one event back to see whether another overlaps it. So the heap stands as it was at a fork
        not when the first event after the fork is asked for, but when the one after that is.
        """
        order = trace.order()
        after = _after(trace, order, pending)
        start = 0
        while start < len(order):
            while after and after[0] < start:
                after.pop(0)
                fork(pending.pop(0))
            if self.stop():
                pending.clear()
                return
            stop = min(start + BLOCK, len(order), *(first + 1 for first in after[:1]))
            yield from decode(trace.records[order[start:stop]], trace.labels)
            start = stop
        while after and after[0] < start:
            after.pop(0)
            fork(pending.pop(0))


def _after(trace: Trace, order: NDArray[np.intp], children: Sequence[Trace]) -> list[int]:
    """For each child, how many events had begun when it was forked."""
    begins = trace.records["begin"][order]
    return [int(np.searchsorted(begins, child.fork_sequence, side="right")) for child in children]


def at_fork(trace: Trace, heap: Heap, sequence: int) -> Heap:
    """A copy of `heap` without the blocks that calls in flight at the fork were handed only after it."""
    snapshot = heap.copy()
    records = trace.records
    in_flight = records[(records["begin"] <= sequence) & (records["end"] > sequence) & (records["function"] > 0)]
    for begin, result in zip(in_flight["begin"].tolist(), in_flight["result"].tolist(), strict=True):
        forget_born(snapshot, result, begin)
    return snapshot


def ending(trace: Trace) -> str:
    """Why a trace ends, in words."""
    return {
        EndReason.RUNNING: "killed, or left by _exit or exec",
        EndReason.EXIT: "exit",
        EndReason.LIMIT: "the recording reached its limit",
        EndReason.DISK_FULL: "the disk was full",
        EndReason.FILE_LIMIT: "the recording reached RLIMIT_FSIZE",
        EndReason.MAP_FAILED: "the process had no address space left for its recording",
        EndReason.VANISHED: "the trace file vanished",
    }[trace.end_reason]
