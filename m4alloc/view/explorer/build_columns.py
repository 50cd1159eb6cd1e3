"""A history as columns: one entry an event, in the order in which the calls began, whatever it was read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from m4alloc.check.lives import HIGHEST, Booleans, Calls, Integers, one_after_another
from m4alloc.trace.format import TraceError
from m4alloc.trace.read import Trace
from spec.event import ACCESSING, MISUSE_CAUGHT, NEVER_RETURNED, NOT_OBSERVED, Event, Function

KNOWN = np.array(sorted(Function), np.int64)
COUNTED = (int(Function.CALLOC), int(Function.REALLOCARRAY))


@dataclass(frozen=True, slots=True)
class Columns:
    """The events of one heap as columns of equal length; each means what it means in `spec.event.Event`.

    request: bytes asked for in all, or accessed. thread: small numbers from 0, in order of appearance. begin, end:
    ascending numbers of one counter, end 0 for a call that never returned. labels: the texts that LABEL events carry,
    by event. threads: what the threads were called where the history was read from, by their small numbers.
    Addresses and sizes are clipped at 2**56.
    """

    function: Integers
    thread: Integers
    address: Integers
    request: Integers
    result: Integers
    errno: Integers
    usable: Integers
    begin: Integers
    end: Integers
    time_ns: Integers
    flags: Integers
    labels: dict[int, str]
    threads: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.function)

    @property
    def accesses(self) -> Booleans:
        """Which events are loads, stores or fills."""
        return np.isin(self.function, [int(function) for function in ACCESSING])

    def calls(self) -> Calls:
        """The events as `lives_of` takes them: accesses and labels, and frees that were refused, do nothing."""
        idle = (self.function >= int(Function.LOAD)) | (self.flags & MISUSE_CAUGHT > 0)
        function = np.where(idle, int(Function.USABLE_SIZE), self.function)
        return Calls(function, self.address, self.request, self.result, self.errno, self.usable, self.begin, self.end)

    def first(self, limit: int) -> Columns:
        """The first `limit` events alone."""
        if limit >= len(self):
            return self
        cut = {name: getattr(self, name)[:limit] for name in self.__slots__ if name not in ("labels", "threads")}
        return replace(self, **cut, labels={event: text for event, text in self.labels.items() if event < limit})


def columns_of_trace(trace: Trace) -> Columns:
    """The events of a trace.  Raises TraceError: a record has a function that there is not.  Cost: O(n log n)."""
    order = trace.order()
    records = trace.records
    ordered = len(order) == len(records) and bool(np.all(order[1:] > order[:-1]))

    def column(name: str) -> Integers:
        raw = np.ascontiguousarray(records[name])
        raw = raw if ordered else raw[order]
        clipped: Integers = (
            np.minimum(raw, HIGHEST).astype(np.int64) if raw.dtype == np.uint64 else raw.astype(np.int64)
        )
        return clipped

    function = column("function")
    strange = np.flatnonzero(~np.isin(function, KNOWN))
    if len(strange):
        raise TraceError(
            f"{trace.path}: damaged: there is no function {function[strange[0]]}; docs/trace-format.md lists them"
        )
    request = column("size")
    counted = np.flatnonzero(np.isin(function, COUNTED))
    if len(counted):
        factor = column("extra")[counted].astype(np.float64)
        request[counted] = np.minimum(request[counted] * factor, float(HIGHEST)).astype(np.int64)
    address = column("address")
    labelled = np.flatnonzero(function == int(Function.LABEL))
    texts = trace.labels
    numbers = address[labelled].tolist()
    labels = {
        int(event): texts[number - 1] if 0 < number <= len(texts) else ""
        for event, number in zip(labelled.tolist(), numbers, strict=True)
    }
    address[labelled] = column("extra")[labelled] if len(labelled) else 0
    names = ("result", "errno", "usable", "begin", "end", "time_ns", "flags")
    return _settled([function, column("thread"), address, request, *map(column, names)], labels)


def columns_of_events(events: Sequence[Event]) -> Columns:
    """The events of a history, in its order.  Cost: O(n), some microseconds an event."""
    rows = [
        (
            event.function,
            event.thread,
            min(event.address, HIGHEST),
            min(event.request_size, HIGHEST),
            min(event.result, HIGHEST),
            event.errno,
            min(event.usable, HIGHEST),
            event.begin,
            event.end,
            event.time_ns,
            event.flags,
        )
        for event in events
    ]
    columns = [np.ascontiguousarray(column) for column in np.array(rows, np.int64).reshape(len(rows), 11).T]
    labels = {place: event.label for place, event in enumerate(events) if event.function is Function.LABEL}
    return _settled(columns, labels)


def _settled(columns: Sequence[Integers], labels: dict[int, str]) -> Columns:
    """Threads numbered as they appear, times from the first, and the counter ascending even where there is none."""
    function, thread, address, request, result, errno, usable, begin, end, time_ns, flags = columns
    names, first, inverse = np.unique(thread, return_index=True, return_inverse=True)
    rank = np.empty(len(names), np.int64)
    rank[np.argsort(first)] = np.arange(len(names))
    if len(begin) and not (begin[0] > 0 and np.all(begin[1:] > begin[:-1])):
        begin, end = one_after_another(len(begin))
        end = np.where(flags & NEVER_RETURNED > 0, 0, end)
    known = time_ns[time_ns > 0]
    times = np.maximum(time_ns - known[0], 0) if len(known) else np.zeros_like(time_ns)
    return Columns(
        function,
        rank[inverse] if len(thread) else thread,
        address,
        request,
        result,
        errno,
        np.maximum(usable, NOT_OBSERVED),
        begin,
        end,
        times,
        flags,
        labels,
        tuple(str(name) for name in names[np.argsort(first)].tolist()),
    )
