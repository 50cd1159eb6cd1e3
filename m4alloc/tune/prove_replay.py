"""Gate 4: every call of a workload made on an arena with the strategy, every reply judged, in a child that may crash.

The judge is the compiled acceptor, then the property library; neither knows what the strategy is worth. A workload that
was recorded with a clock is replayed on that clock, where the core lets itself be told the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m4alloc.check.accept import accept_records, acceptor_on
from m4alloc.check.excerpt import excerpt
from m4alloc.check.judgement import Terms
from m4alloc.check.progress import Progress
from m4alloc.check.properties import evaluate
from m4alloc.check.scripted import told
from m4alloc.check.surroundings import no_collector
from m4alloc.check.threads import Turns
from m4alloc.strategy import UNIT, Strategy
from m4alloc.trace.format import HEADER, RECORD, EndReason
from m4alloc.trace.read import Records, Trace
from m4alloc.tune.prove_child import in_child
from m4alloc.tune.prove_lockstep import STANDARD, promised
from m4alloc.tune.prove_result import REPLAY, GateResult
from m4alloc.tune.prove_rows import LONGEST, from_rows, part, smallest, to_rows
from m4alloc.tune.security import Floor
from m4alloc.tune.workload import Kind, Workload
from m4alloc.view.quantity import number, plural
from spec.acceptor import Acceptor
from spec.error import Misuse
from spec.event import Function
from spec.model.system import Verdict
from spec.properties import REPORTED
from spec.property import About, Property
from spec.property_verdict import Answer
from spec.script_writer import render

CAPACITY = 1 << 36
"""Bytes of address space of the arena that a workload is replayed on."""
BLOCK = 1 << 16
"""Calls between two looks of the acceptor."""
SWITCHES = 200_000
"""Changes of thread up to which each of the workload's threads is a real one; a change takes 10 microseconds."""
THREADS = 64
WHOLE = 2_000_000
"""Calls at the start of a workload over which the property library is evaluated: a record takes 88 bytes."""
PER_CALL = 50e-6
"""Seconds that a call may take, on average, before a replay counts as one that does not end."""
PATIENCE = 60.0
SHRINKING = 5.0
"""Seconds that the smallest part of a workload that still shows a violation is looked for."""
ATTEMPTS = 3
"""How often a part is tried under a strategy that is random inside."""
SHORT = 400
"""Calls up to which the script of a violation holds all of them, and not only those at the same addresses."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the replay of one workload saw. found: what was wrong, and script: what shows it; empty when nothing."""

    calls: int
    threads: int
    letters: int = 0
    found: str = ""
    script: str = ""


def replay_gate(
    strategy: Strategy,
    workloads: Sequence[Workload],
    floor: Floor,
    *,
    most: int | None = None,
    progress: Progress | None = None,
) -> GateResult:
    """Replay every workload, the whole of it unless `most` calls are allowed, and judge every reply.

    HOLDS: all calls of all workloads were admitted, and the property library objects to nothing. EXHAUSTED: `most`
    cut one off, or there was none. Cost: 3 microseconds a call, 10 for each change of thread.
    """
    began = time.monotonic()
    seen: list[Replayed] = []
    for workload in workloads:
        if progress is not None:
            progress.phase(f"replaying {workload.name}")
        one = replayed(strategy, workload, floor, most)
        if one.found:
            small, shown = shrunk(strategy, workload, floor, one)
            return GateResult(
                name=REPLAY,
                verdict=Verdict.VIOLATED,
                seconds=time.monotonic() - began,
                detail=f"{workload.name}: {one.found}",
                counterexample=shown.script or shown.found,
                rows=to_rows(small) if len(small) <= LONGEST else "",
            )
        seen.append(one)
    done, whole = sum(one.calls for one in seen), sum(len(workload) for workload in workloads)
    detail = f"{plural(done, 'call')} of {plural(len(workloads), 'workload')} admitted"
    detail += f", {plural(sum(one.letters for one in seen), 'event')} judged by {len(ours())} properties"
    if done < whole:
        detail += f"; {number(whole - done)} calls were left out"
    flat = [w.name for w, one in zip(workloads, seen, strict=True) if one.threads < min(w.threads, THREADS)]
    if flat:
        detail += f"; on one thread: {', '.join(flat)}"
    verdict = Verdict.HOLDS if workloads and done == whole else Verdict.EXHAUSTED
    return GateResult(name=REPLAY, verdict=verdict, seconds=time.monotonic() - began, detail=detail)


def replayed(strategy: Strategy, workload: Workload, floor: Floor, most: int | None = None) -> Replayed:
    """What one workload shows of the core under the strategy. Raises RuntimeError: the replay itself failed."""
    calls = len(workload) if most is None else min(most, len(workload))
    terms = promised(Terms(STANDARD), strategy, floor)
    warm()
    patience = PATIENCE + calls * PER_CALL
    ended = in_child(lambda counter: _Replay(strategy, workload, calls, terms, counter).run(), patience)
    if not ended.how:
        answer: Replayed = ended.value
        return answer
    if not ended.how.startswith("SIG") and not ended.how.startswith("no end"):
        raise RuntimeError(f"the replay of {workload.name} failed: {ended.how}")
    what = f"call-returns: {ended.how} in call {number(ended.at + 1)}, {describe(workload, ended.at)}"
    return Replayed(ended.at + 1, 1, 0, what, ended.said)


@cache
def warm() -> None:
    """Make here, once, what every child would make for itself: formulas and their automata, a third of a second."""
    replay = _Replay(Strategy(), from_rows("malloc 1 8\nfree 1"), 2, Terms(STANDARD), memoryview(bytes(8)))
    replay.address = np.array([0, UNIT], np.uint64)
    replay.result = np.array([UNIT, 0], np.uint64)
    replay.usable = np.array([16, -1], np.int64)
    acceptor = acceptor_on(None, STANDARD, quarantine=1, quarantine_limit=UNIT)
    accept_records(replay.records(0, 2), acceptor)
    replay.properties(acceptor, 1)


def shrunk(strategy: Strategy, workload: Workload, floor: Floor, seen: Replayed) -> tuple[Workload, Replayed]:
    """The smallest part of a workload found that shows what it showed, and what that part shows."""
    kind = seen.found.partition(":")[0]
    attempts = ATTEMPTS if strategy.quarantine_random or strategy.randomise else 1
    best = part(workload, slice(seen.calls)), seen

    def breaks(less: Workload) -> bool:
        nonlocal best
        for _ in range(attempts):
            one = replayed(strategy, less, floor)
            if one.found.partition(":")[0] == kind:
                best = part(less, slice(one.calls)), one
                return True
        return False

    until = time.monotonic() + SHRINKING
    length = len(workload) + 1
    while len(best[0]) < length and breaks(best[0]):
        length = len(best[0])
        smallest(best[0], breaks, until - time.monotonic())
    return best


def describe(workload: Workload, at: int) -> str:
    """One call of a workload in words."""
    if at >= len(workload):
        return "after the last call"
    kind = Kind(int(workload.kind[at]))
    size = "" if kind is Kind.FREE else f" to {int(workload.size[at])} bytes"
    return f"{kind.name.lower()} of block {int(workload.block[at])}{size}"


def ours() -> tuple[Property, ...]:
    """The properties of the library that are about the allocator."""
    return tuple(one for one in REPORTED if one.about is About.ALLOCATOR)


@dataclass(slots=True)
class _Replay:
    """One workload on one arena, in the child."""

    strategy: Strategy
    workload: Workload
    calls: int
    terms: Terms
    counter: memoryview
    address: npt.NDArray[np.uint64] = field(init=False)
    result: npt.NDArray[np.uint64] = field(init=False)
    usable: npt.NDArray[np.int64] = field(init=False)
    tell: Callable[[int], None] | None = None
    now: int = -1

    def run(self) -> Replayed:
        from m4alloc.arena import Arena

        self.address = np.zeros(self.calls, np.uint64)
        self.result = np.zeros(self.calls, np.uint64)
        self.usable = np.full(self.calls, -1, np.int64)
        acceptor = acceptor_on(
            None, STANDARD, quarantine=self.terms.quarantine, quarantine_limit=self.terms.quarantine_limit
        )
        cuts = [*range(0, self.calls, BLOCK), self.calls]
        numbers, threads = self.threads()
        turns = Turns()
        self.tell = getattr(Arena, "set_clock", None)
        self.at(int(self.workload.time_ms[0]) if self.calls else 0)
        arena: Any = Arena(CAPACITY, self.strategy)
        with no_collector():
            where = [0] * (self.workload.blocks + 1)
            for start, stop in pairwise(cuts):
                for first, last in segments(numbers, start, stop):
                    call = self.caller(arena, where, first, last)
                    turns.run(int(numbers[first]), call)
                wrong = self.wrong(arena, acceptor, start, stop)
                if wrong is not None:
                    return wrong
            turns.close()
            return self.properties(acceptor, threads)

    def at(self, clock: int) -> None:
        """Tell the core the time, in milliseconds; it never goes back."""
        self.now = clock
        if self.tell is not None:
            self.tell(clock)

    def threads(self) -> tuple[npt.NDArray[np.uint16], int]:
        """The thread of every call, and how many there are: one when they change too often."""
        numbers = self.workload.thread[: self.calls] % THREADS
        if np.count_nonzero(numbers[1:] != numbers[:-1]) > SWITCHES:
            return np.zeros_like(numbers), 1
        return numbers, max(1, len(set(numbers.tolist())))

    def caller(self, arena: Any, where: list[int], first: int, last: int) -> Callable[[], None]:
        """Makes the calls from `first` to before `last`."""
        one = self.workload
        rows = zip(
            range(first, last),
            *(
                column[first:last].tolist()
                for column in (one.kind, one.block, one.size, one.alignment, one.zeroed, one.time_ms)
            ),
            strict=True,
        )
        request, counter = arena.call, self.counter
        address, result, usable = self.address, self.result, self.usable
        malloc, calloc, aligned = int(Function.MALLOC), int(Function.CALLOC), int(Function.ALIGNED_ALLOC)
        free, realloc, measure = int(Function.FREE), int(Function.REALLOC), int(Function.USABLE_SIZE)
        allocate, release = int(Kind.ALLOCATE), int(Kind.FREE)

        def calls() -> None:
            for at, kind, block, size, alignment, zeroed, clock in rows:
                counter[0] = at
                if clock > self.now:
                    self.at(clock)
                if kind == release:
                    old = address[at] = where[block]
                    where[block] = 0
                    request(free, int(old))
                    continue
                if kind == allocate:
                    if alignment:
                        got = request(aligned, 0, size, 1, alignment)[0]
                    else:
                        got = request(calloc if zeroed else malloc, 0, size)[0]
                else:
                    address[at] = where[block]
                    got = request(realloc, where[block], size)[0]
                    if not got and size:
                        continue
                where[block] = got
                if got:
                    result[at] = got
                    usable[at] = request(measure, got)[0]

        return calls

    def records(self, start: int, stop: int) -> Records:
        """The calls from `start` to before `stop` as a recorder would have written them."""
        one = self.workload
        rows: Records = np.zeros(stop - start, RECORD)
        kind, chosen = one.kind[start:stop], slice(start, stop)
        function = np.where(kind == Kind.FREE, int(Function.FREE), int(Function.REALLOC))
        aligned, zeroed = one.alignment[chosen] > 0, one.zeroed[chosen]
        made = np.where(
            aligned, int(Function.ALIGNED_ALLOC), np.where(zeroed, int(Function.CALLOC), int(Function.MALLOC))
        )
        rows["function"] = np.where(kind == Kind.ALLOCATE, made, function)
        rows["begin"] = 2 * np.arange(start, stop) + 1
        rows["end"] = rows["begin"] + 1
        rows["address"], rows["result"] = self.address[chosen], self.result[chosen]
        rows["size"] = one.size[chosen]
        allocates = kind == Kind.ALLOCATE
        rows["extra"] = np.where(
            allocates & aligned, one.alignment[chosen], np.where(allocates & zeroed, 1, 0).astype(np.uint64)
        )
        rows["usable"], rows["intact"] = self.usable[chosen], -1
        rows["thread"] = one.thread[chosen]
        failed = (self.result[chosen] == 0) & ((kind == Kind.ALLOCATE) | (one.size[chosen] > 0) & (kind == Kind.RESIZE))
        rows["errno"] = np.where(failed, 12, 0)
        return rows

    def wrong(self, arena: Any, acceptor: Acceptor, start: int, stop: int) -> Replayed | None:
        """What the calls from `start` to before `stop` were refused for, if anything."""
        rows = self.records(start, stop)
        accept_records(rows, acceptor)
        if acceptor.violations:
            violation = acceptor.violations[0]
            if violation.event is not None:
                stop = (violation.event.begin + 1) // 2
            trace = self.trace(stop)
            if stop <= SHORT:
                events = [event._replace(begin=0, end=0) for event in trace.events()]
                script = render(told(events, self.terms))
            else:
                script = excerpt(trace, (), violation, acceptor)
            return Replayed(stop, 1, 0, f"{violation.rule.name}: {violation.message}", script)
        failed = np.flatnonzero(rows["errno"])
        if len(failed):
            at = start + int(failed[0])
            what = f"call {number(at + 1)}, {describe(self.workload, at)}, failed though there is memory for it"
            return Replayed(at + 1, 1, 0, f"request-served: {what}", what)
        try:
            arena.check()
        except (AssertionError, Misuse) as error:
            return Replayed(stop, 1, 0, f"an invariant of the core broke by call {number(stop)}: {error}", str(error))
        misuses = arena.totals()["misuses"]
        if misuses:
            what = f"{plural(misuses, 'correct call was', 'correct calls were')} reported as misuse"
            return Replayed(stop, 1, 0, f"valid-call-accepted: {what} by call {number(stop)}", what)
        return None

    def trace(self, stop: int) -> Trace:
        """The calls before `stop` as a trace that is nowhere on disk: the last WHOLE of them."""
        header = np.zeros(1, HEADER)
        header["end_reason"] = int(EndReason.RUNNING)
        header["quarantine"], header["quarantine_limit"] = self.terms.quarantine, self.terms.quarantine_limit
        return Trace(Path(self.workload.name), header[0], self.records(max(0, stop - WHOLE), stop))

    def properties(self, acceptor: Acceptor, threads: int) -> Replayed:
        """What the property library says of the first WHOLE calls."""
        stop = min(self.calls, WHOLE)
        trace = self.trace(stop)
        if stop < self.calls:
            acceptor = acceptor_on(
                None, STANDARD, quarantine=self.terms.quarantine, quarantine_limit=self.terms.quarantine_limit
            )
            accept_records(trace.records, acceptor)
        said = evaluate(trace, ours(), acceptor)
        for verdict in said:
            if verdict.answer is Answer.VIOLATED:
                what = f"{verdict.which.name}: {verdict.witness}"
                return Replayed(self.calls, threads, 0, what, what)
        letters = max((verdict.letters for verdict in said), default=0)
        return Replayed(self.calls, threads, letters)


def segments(numbers: npt.NDArray[np.uint16], start: int, stop: int) -> list[tuple[int, int]]:
    """The runs of calls of one thread within a range, as (first, last + 1).

    >>> segments(np.array([0, 0, 1, 0], np.uint16), 1, 4)
    [(1, 2), (2, 3), (3, 4)]
    """
    inner = np.flatnonzero(numbers[start + 1 : stop] != numbers[start : stop - 1]) + start + 1
    return list(pairwise([start, *inner.tolist(), stop]))
