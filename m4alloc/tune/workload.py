"""Workload: what a program asks of its allocator, as columns: whom a call is about, how much, on which thread, when."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m4alloc.trace.format import RECORD, EndReason, TraceError
from m4alloc.trace.formats.reading import open_tree
from m4alloc.trace.index import TraceTree
from m4alloc.trace.operations import compile_trace
from m4alloc.trace.read import XZ, Trace
from m4alloc.trace.write import write_records
from m4alloc.view.quantity import number, plural
from spec.event import Event, Function

PRELUDE = "m4alloc.prelude"
"""The label that ends the prelude in a workload that was written as a trace."""
PAGE = 4096
SMALL = 1000
"""Calls below which an image of a recording of several is not worth a simulation of its own."""
THREADS = 1 << 16
ADDRESSES = 1 << 47
"""Bytes of a process's addresses: no block that a program got is larger."""


class Kind(IntEnum):
    """What a call does with its block."""

    ALLOCATE = 1
    FREE = 2
    RESIZE = 3


_KIND = np.full(256, Kind.ALLOCATE, np.uint8)
_KIND[Function.FREE] = Kind.FREE
_KIND[Function.REALLOC] = Kind.RESIZE
_ALIGNED = (Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN)
_WHOLE_PAGES = (Function.VALLOC, Function.PVALLOC)


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """One process image's calls in the order in which they began.

    name: of the program, for tables. kind: of each call, a Kind. block: number of the block that the call is about,
    from 1 to `blocks`; a number is free again after its FREE, and a RESIZE keeps it. size: bytes asked for (FREE: 0).
    alignment: bytes, 0 for none. zeroed: calloc. thread: from 0, in order of appearance. time_ms: from the first call.
    prelude: so many calls at the start make the blocks that a forked process began with. skipped: recorded calls that
    are not among these (failed ones, and those on pointers that were no block). complete: whether the recording goes on
    to the end of the program. program: its command line.
    """

    name: str
    kind: npt.NDArray[np.uint8]
    block: npt.NDArray[np.uint32]
    size: npt.NDArray[np.uint64]
    alignment: npt.NDArray[np.uint64]
    zeroed: npt.NDArray[np.bool_]
    thread: npt.NDArray[np.uint16]
    time_ms: npt.NDArray[np.uint32]
    blocks: int
    threads: int
    prelude: int = 0
    skipped: int = 0
    complete: bool = True
    program: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.kind)

    def __repr__(self) -> str:
        threads = plural(self.threads, "thread")
        return f"<Workload {self.name}, {plural(len(self), 'call')}, {plural(self.blocks, 'block')}, {threads}>"

    @classmethod
    def of(cls, trace: Trace, inherited: Sequence[Event] = ()) -> Workload:
        """The workload of one recorded image that began with the blocks of `inherited`.

        Left out are free(NULL) and the questions for a usable size, which need no allocator; a resize of NULL, or of a
        pointer that was no block, is an ALLOCATE, one to 0 bytes that returned NULL a FREE. Threads beyond 65,536
        share the last number.
        Raises TraceError: nothing is allocated, or a block that no address space holds.
        Cost: 0.5 us a call with numba, 1 us without.

        >>> import pathlib, tempfile
        >>> from m4alloc.trace.write import write
        >>> from spec.event import Event, Function
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "example.m4t"
        >>> one = Event(Function.CALLOC, size=8, count=3, result=0x1000)
        >>> write(path, [one, Event(Function.FREE), Event(Function.REALLOC, address=0x1000, size=99, result=0x2000)])
        >>> workload = Workload.of(Trace.open(path))
        >>> workload.kind.tolist(), workload.block.tolist(), workload.size.tolist(), workload.zeroed.tolist()
        ([1, 3], [1, 1], [24, 99], [True, False])
        """
        operations = compile_trace(trace, inherited)
        kept = (operations.array["slot"] > 0) & (operations.array["kind"] != Function.USABLE_SIZE)
        array, index = operations.array[kept], operations.index[kept]
        function = array["kind"]
        kind = _KIND[function]
        kind[(kind == Kind.RESIZE) & operations.fresh[kept]] = Kind.ALLOCATE
        if not (kind == Kind.ALLOCATE).any():
            raise TraceError(f"{trace.path}: nothing to tune: no call in it allocates a block, of {number(trace.used)}")
        zeroed = function == Function.CALLOC
        size = np.where(zeroed, array["size"] * array["extra"], array["size"])
        size[kind == Kind.FREE] = 0
        alignment = np.where(np.isin(function, _ALIGNED), array["extra"], np.uint64(0))
        alignment[np.isin(function, _WHOLE_PAGES)] = PAGE
        wrong = np.flatnonzero((size >= ADDRESSES) | (alignment >= ADDRESSES))
        if len(wrong):
            call = int(wrong[0])
            asked = f"{int(size[call])} bytes" + f" at a multiple of {int(alignment[call])}" * bool(alignment[call])
            raise TraceError(f"{trace.path}: damaged: a block of {asked}, which no address space holds")
        first = operations.prelude
        thread = np.zeros(len(array), np.uint16)
        thread[first:], threads = _in_order_of_appearance(trace.records["thread"][index[first:]])
        time_ms = np.zeros(len(array), np.uint32)
        time_ms[first:] = _milliseconds(trace.records["time_ns"][index[first:]])
        prelude = first + _marked(trace, index[first:])
        return cls(
            name=_name(trace),
            kind=kind,
            block=array["slot"].astype(np.uint32),
            size=size,
            alignment=alignment,
            zeroed=zeroed,
            thread=thread,
            time_ms=time_ms,
            blocks=operations.slots - 1,
            threads=max(1, threads),
            prelude=prelude,
            skipped=operations.skipped,
            complete=trace.end_reason.is_complete,
            program=trace.command,
        )

    def lives(self) -> npt.NDArray[np.int64]:
        """The number of the life that each call is about, from 0 by beginning: a block from its ALLOCATE to its FREE.

        Cost: O(n log n).

        >>> example([(Kind.ALLOCATE, 1, 8), (Kind.FREE, 1, 0), (Kind.ALLOCATE, 1, 9)]).lives().tolist()
        [0, 0, 1]
        """
        begun = np.cumsum(self.kind == Kind.ALLOCATE) - 1
        order = np.argsort(self.block, kind="stable")
        begins = np.where((self.kind == Kind.ALLOCATE)[order], np.arange(len(self)), 0)
        lives = np.empty(len(self), np.int64)
        lives[order] = begun[order[np.maximum.accumulate(begins)]]
        return lives

    def excerpt(self, first: int, count: int) -> Workload:
        """`count` calls from `first` on, after a prelude that makes the blocks then live, each with its last size.

        Blocks, threads and times are numbered anew. The end of the program is in it if it is in this one.
        Raises ValueError: there is no call `first`, or count is below 1.  Cost: O(n log n).
        """
        if not 0 <= first < len(self) or count < 1:
            raise ValueError(f"calls {first} to {first + count - 1}: the workload has calls 0 to {len(self) - 1}")
        first = max(first, self.prelude)
        stop = min(len(self), first + count)
        lives = self.lives()
        begin = np.flatnonzero(self.kind[:first] == Kind.ALLOCATE)
        last = np.zeros(len(begin), np.int64)
        last[lives[:first]] = np.arange(first)
        live = self.kind[last] != Kind.FREE
        begin, last = begin[live], last[live]
        calls = np.concatenate([last, np.arange(first, stop)])
        taken = self._taken(calls, lives[calls], prelude=len(begin))
        taken.kind[: len(begin)] = Kind.ALLOCATE
        taken.alignment[: len(begin)] = self.alignment[begin]
        taken.zeroed[: len(begin)] = self.zeroed[begin]
        return replace(taken, skipped=0, complete=self.complete and stop == len(self))

    def select(self, thread: int) -> Workload:
        """The calls of one thread. It frees no block that another made (skipped); what another frees, stays.

        A block of another thread that it resizes is an ALLOCATE.
        Raises ValueError: there is no such thread, or it allocates nothing.  Cost: O(n log n).
        """
        if not 0 <= thread < self.threads:
            raise ValueError(f"thread {thread}: the workload has threads 0 to {self.threads - 1}")
        calls = np.flatnonzero(self.thread == thread)
        lives = self.lives()[calls]
        kind = self.kind[calls]
        _, begins = np.unique(lives, return_index=True)  # the first call of each life that the thread makes
        stray = np.zeros(len(calls), np.bool_)
        stray[begins] = kind[begins] == Kind.FREE
        begin = np.zeros(len(calls), np.bool_)
        begin[begins] = True
        begin = begin[~stray]
        taken = self._taken(calls[~stray], lives[~stray], prelude=int((calls[~stray] < self.prelude).sum()))
        if not len(taken):
            raise ValueError(f"thread {thread} of {self.name} allocates nothing")
        taken.kind[begin] = Kind.ALLOCATE
        return replace(taken, skipped=self.skipped + int(stray.sum()))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the workload as a trace, compressed when the path ends in .xz; `load` gives it back.

        Addresses are made up: block n lies at n times 4 GiB, whatever its size. What was skipped is not written.
        Cost: disk speed; compressed 5 MB of trace a second.
        """
        function = np.select(
            [self.kind == Kind.FREE, self.kind == Kind.RESIZE, self.zeroed, self.alignment > 0],
            [Function.FREE, Function.REALLOC, Function.CALLOC, Function.MEMALIGN],
            Function.MALLOC,
        )
        records = np.zeros(len(self), RECORD)
        records["function"] = function
        address = self.block.astype(np.uint64) << np.uint64(32)
        records["address"] = np.where(self.kind == Kind.ALLOCATE, 0, address)
        records["result"] = np.where(self.kind == Kind.FREE, 0, address)
        records["size"] = self.size
        records["extra"] = np.where(function == Function.CALLOC, 1, self.alignment)
        records["usable"] = records["intact"] = -1
        records["thread"] = self.thread.astype(np.uint32) + 1
        records["time_ns"] = self.time_ms.astype(np.uint64) * np.uint64(1_000_000)
        if self.prelude:
            mark = np.zeros(1, RECORD)
            mark["function"], mark["address"], mark["usable"], mark["intact"] = Function.LABEL, 1, -1, -1
            mark["thread"], mark["time_ns"] = records["thread"][0], records["time_ns"][self.prelude - 1]
            records = np.concatenate([records[: self.prelude], mark, records[self.prelude :]])
        write_records(
            path,
            records,
            [PRELUDE] if self.prelude else [],
            end_reason=EndReason.EXIT if self.complete else EndReason.LIMIT,
            executable=self.name,
            command=self.program,
        )

    def _taken(self, calls: npt.NDArray[np.int64], lives: npt.NDArray[np.int64], prelude: int) -> Workload:
        """The calls alone, with the lives as blocks; blocks and threads by appearance, times from the first call."""
        _, block = np.unique(lives, return_inverse=True)
        thread, threads = _in_order_of_appearance(self.thread[calls])
        time_ms = self.time_ms[calls]
        since = time_ms[prelude] if prelude < len(calls) else np.uint32(0)
        return replace(
            self,
            kind=self.kind[calls],
            block=(block + 1).astype(np.uint32),
            size=self.size[calls],
            alignment=self.alignment[calls],
            zeroed=self.zeroed[calls],
            thread=thread,
            time_ms=np.where(time_ms > since, time_ms - since, np.uint32(0)),
            blocks=int(block.max(initial=-1)) + 1,
            threads=max(1, threads),
            prelude=prelude,
        )


def example(calls: Sequence[tuple[int, int, int]], name: str = "example") -> Workload:
    """A workload of one thread from (kind, block, size), for tests and examples.

    >>> example([(Kind.ALLOCATE, 1, 8), (Kind.FREE, 1, 0)])
    <Workload example, 2 calls, 1 block, 1 thread>
    """
    kind, block, size = np.array(calls, np.uint64).reshape(-1, 3).T
    count = len(calls)
    return Workload(
        name=name,
        kind=kind.astype(np.uint8),
        block=block.astype(np.uint32),
        size=size.copy(),
        alignment=np.zeros(count, np.uint64),
        zeroed=np.zeros(count, np.bool_),
        thread=np.zeros(count, np.uint16),
        time_ms=np.zeros(count, np.uint32),
        blocks=int(block.max(initial=0)),
        threads=1,
    )


def load(
    path: str | os.PathLike[str], *, least: int = SMALL, say: Callable[[str], None] | None = None
) -> tuple[Workload, ...]:
    """The workloads of a recording: of each image of an index FILE, or of one trace, .m4t or .m4t.xz.

    least: calls below which an image among several is left out (the largest stays). say: is told, in a sentence each,
    what was left out and what is not whole: small images, unknown blocks, recordings that ended early.
    Raises TraceError: no trace, of another version, damaged, cut off, or nothing is allocated in it; OSError.
    Cost: 0.5 us a call with numba, 1 us without; 8 to 9 bytes of memory a column and call.
    """
    path = Path(path)
    tell = say or (lambda sentence: None)
    with path.open("rb") as file:
        head = file.read(len(XZ))
    if head == XZ or not head:  # an empty file is no index either, and Trace.open says what it is
        trace = Trace.open(path)
        tree = TraceTree(path, trace.command, None, (trace,))
        traces = [trace]
    else:
        tree = open_tree(path)
        traces = [trace for trace in tree.traces if trace.path == path] or list(tree.traces)
    if not traces:
        raise TraceError(f"{path}: no process was recorded; see docs/record.md, What cannot be recorded")
    calls = {trace.path: trace.used for trace in traces}
    most = max(calls.values())
    large = [trace for trace in traces if calls[trace.path] >= min(least, most)]
    small = [calls[trace.path] for trace in traces if calls[trace.path] < min(least, most)]
    if small:
        share = f"{len(small)} of {plural(len(traces), 'image')} left out"
        tell(f"{path}: {share}, of fewer than {plural(least, 'call')} ({number(sum(small))} in all)")
    workloads = []
    for trace in large:
        try:
            workloads.append(Workload.of(trace, _inherited(tree, trace, tell)))
        except TraceError as error:
            if len(large) == 1:
                raise
            tell(str(error))
            continue
        _tell_of(trace, workloads[-1], tell)
    if not workloads:
        raise TraceError(f"{path}: nothing to tune: no image in it allocates a block, of {number(len(traces))}")
    return tuple(workloads)


def _inherited(tree: TraceTree, trace: Trace, tell: Callable[[str], None]) -> list[Event]:
    try:
        return tree.inherited(trace)
    except TraceError as error:
        tell(f"{error}; the blocks that it was forked with are not known")
        return []


def _tell_of(trace: Trace, workload: Workload, tell: Callable[[str], None]) -> None:
    if not workload.complete:
        reason = trace.end_reason.name.lower().replace("_", "-")
        tell(f"{trace.path}: ends before its program does ({reason}), after {plural(len(workload), 'call')}")
    if workload.skipped:
        tell(f"{trace.path}: {plural(workload.skipped, 'call')} left out: failed, or on pointers that were no block")


def _name(trace: Trace) -> str:
    """The word by which the program was called; an executable without a folder is the name of a written workload."""
    called = Path(trace.command[0].lstrip("-")).name if trace.command else ""
    if trace.executable and "/" not in trace.executable:
        return trace.executable
    return called or Path(trace.executable).name or trace.path.name.removesuffix(".xz").removesuffix(".m4t")


def _in_order_of_appearance(thread: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.uint16], int]:
    """Threads numbered from 0 in order of appearance, and how many there are."""
    _, first, inverse = np.unique(thread, return_index=True, return_inverse=True)
    place = np.empty(len(first), np.uint16)
    place[np.argsort(first)] = np.minimum(np.arange(len(first)), THREADS - 1)
    return place[inverse], min(len(first), THREADS)


def _milliseconds(time_ns: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint32]:
    """From the first call; never backwards, as the clocks of two calls that overlap may go."""
    if not len(time_ns):
        return np.zeros(0, np.uint32)
    time_ns = np.maximum.accumulate(time_ns)
    milliseconds: npt.NDArray[np.uint64] = (time_ns - time_ns[0]) // np.uint64(1_000_000)
    return np.minimum(milliseconds, np.uint64(0xFFFFFFFF)).astype(np.uint32)


def _marked(trace: Trace, index: npt.NDArray[np.int64]) -> int:
    """The calls before the label that ends the prelude; 0 in a trace without it."""
    if PRELUDE not in trace.labels:
        return 0
    records = trace.records
    label = trace.labels.index(PRELUDE) + 1
    marks = np.flatnonzero((records["function"] == Function.LABEL) & (records["address"] == label))
    return int((index < marks[0]).sum()) if len(marks) else 0
