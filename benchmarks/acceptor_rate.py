"""Events a second that the acceptor checks on one core: compiled, in pure Python, and what the latter's time goes into.

    python benchmarks/acceptor_rate.py [--events 1000000] [--rounds 3] [--trace FILE ...] [--json FILE]

Histories are made up beforehand: sizes and lifetimes as in programs that build and drop many small objects, every
reply with all its evidence, all rules in force. --trace adds recordings of programs, each by its largest process image.
A cell is the best of all rounds, in CPU time of this process; compiled and pure take turns on the same history.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sortedcontainers import SortedDict

from m4alloc.check.accept import COMPILED, Order, accept_records, suspects
from m4alloc.trace.format import RECORD
from m4alloc.trace.index import open_index
from m4alloc.trace.read import Records, decode
from spec.acceptor import Acceptor
from spec.event import ERRNO_CHANGED, MISUSE_CAUGHT, Event, Function
from spec.heap import Block, Grave
from spec.history import Phase, accept, points

STANDARD = "c17,glibc"
LIVE = 40_000
QUARANTINE = 64
BASE = 0x7F0000000000


def history(length: int, quarantine: int, threads: int, seed: int = 1) -> list[Event]:
    """A correct history: size classes of 16 bytes, free lists in order of age, `quarantine` blocks kept back in each.

    With more than one thread, each call overlaps the one after it in one case of four.
    """
    rng = random.Random(seed)
    aged: defaultdict[int, deque[int]] = defaultdict(deque)
    live: list[tuple[int, int, int]] = []  # address, size, usable
    top, clock = BASE, 0
    events: list[Event] = []

    def place(usable: int) -> int:
        nonlocal top
        if len(aged[usable]) > quarantine:
            return aged[usable].popleft()
        top += usable
        return top - usable

    while len(events) < length:
        kind, thread = rng.random(), rng.randrange(threads)
        clock += 2
        if live and (kind < 0.47 or len(live) > LIVE):
            recent = max(0, len(live) - 1 - int(rng.expovariate(0.1)))
            index = recent if rng.random() < 0.8 else rng.randrange(len(live))
            address, size, usable = live[index]
            live[index] = live[-1]
            live.pop()
            if kind < 0.03:
                wanted = size * 2
                need = -(-wanted // 16) * 16
                moved = place(need)
                aged[usable].append(address)
                live.append((moved, wanted, need))
                event = Event(Function.REALLOC, thread, address, wanted, result=moved, usable=need, intact=size)
            else:
                aged[usable].append(address)
                event = Event(Function.FREE, thread, address)
        else:
            size = 1 + int(rng.lognormvariate(3.8, 1))
            usable = -(-size // 16) * 16
            address = place(usable)
            live.append((address, size, usable))
            if kind > 0.95:
                event = Event(Function.CALLOC, thread, size=size, result=address, usable=usable, intact=size)
            else:
                event = Event(Function.MALLOC, thread, size=size, result=address, usable=usable)
        if event.address and events and event.address == events[-1].result and events[-1].end > clock:
            events[-1] = events[-1]._replace(end=clock - 1)  # nobody gives up what has not been handed out yet
        overlaps = threads > 1 and rng.random() < 0.25
        events.append(event._replace(begin=clock, end=clock + (3 if overlaps else 1), time_ns=clock * 50))
    return events


def judge_of(quarantine: int = 0, limit: int = 1024) -> Acceptor:
    """An acceptor with every rule that one history can be judged by."""
    observes = ERRNO_CHANGED | MISUSE_CAUGHT
    return Acceptor(STANDARD, quarantine=quarantine, quarantine_limit=limit, observes=observes)


def records_of(events: list[Event]) -> Records:
    """The events as a recording would hold them."""
    records = np.zeros(len(events), RECORD)
    for field in ("address", "size", "result", "usable", "intact", "begin", "end", "time_ns", "thread", "function"):
        records[field] = [getattr(event, field) for event in events]
    records["extra"] = [event.count if event.function == Function.CALLOC else event.alignment for event in events]
    return records


def readable(events: list[Event]) -> Acceptor:
    """The readable form: every rule asked one by one."""
    acceptor = Acceptor(STANDARD, observes=ERRNO_CHANGED | MISUSE_CAUGHT)
    for phase, event in points(events):
        if phase != Phase.END:
            acceptor.release(event)
        if phase != Phase.BEGIN:
            acceptor.acquire(event)
    return acceptor


def order(events: list[Event]) -> None:
    """Only the order of begins and ends."""
    deque(points(events), maxlen=0)


def keep_sorted(events: list[Event]) -> None:
    """Only the live blocks by address."""
    live: SortedDict[int, None] = SortedDict()
    for event in events:
        if event.address:
            del live[event.address]
        if event.result:
            live[event.result] = None


def make_records(events: list[Event]) -> None:
    """Only the blocks and graves, each made as the loop makes it and dropped."""
    block = Block(0, 0)
    for number, event in enumerate(events):
        if event.address:
            Grave(block, number, event.thread, True, number)
        if event.result:
            block = Block(event.result, event.size, event.usable, 0, number, event.thread, number)


def episodes(length: int) -> tuple[Records, Order]:
    """About `length` records of correct histories of eight events each, and where each begins."""
    several = [records_of(history(8, 0, 1, seed)) for seed in range(100)]
    whole = np.tile(np.concatenate(several), max(1, length // 800))
    return whole, np.arange(0, len(whole), 8)


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The least CPU time of some rounds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


class Table:
    """Rates by name, printed as they come."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.rates: dict[str, float] = {}

    def row(self, name: str, count: int, work: Callable[[], object]) -> None:
        """Measure one piece of work on so many events."""
        self._tell(name, count / seconds(work, self.rounds))

    def both(
        self, name: str, records: Records, quarantine: int = 0, limit: int = 1024, order: Order | None = None
    ) -> int:
        """Measure the compiled acceptor and the pure one in turn on the same history; how much it is found wrong."""
        events = list(decode(records if order is None else records[order]))
        least = [float("inf")] * 2
        wrong = 0
        for _ in range(self.rounds):
            for place, work in enumerate((compiled, pure)):
                acceptor = judge_of(quarantine, limit)
                history = events if work is pure else records
                least[place] = min(least[place], seconds(lambda: work(history, acceptor, order), 1))  # noqa: B023
                wrong += len(acceptor.findings)
        self._tell(f"{name}: compiled", len(events) / least[0], f"{least[1] / least[0]:.1f} times the pure one")
        self._tell(f"{name}: pure Python", len(events) / least[1])
        return wrong

    def _tell(self, name: str, rate: float, remark: str = "") -> None:
        self.rates[name] = rate
        print(f"{name:48} {rate:>12,.0f} events/s {1e6 / rate:>8.3f} us/event  {remark}".rstrip())


def compiled(records: Records, acceptor: Acceptor, order: Order | None) -> None:
    """What `m4alloc verify` does."""
    accept_records(records, acceptor, order=order)


def pure(events: list[Event], acceptor: Acceptor, order: Order | None) -> None:
    """What `m4alloc verify --reference` does, but for reading the events."""
    accept(events, acceptor)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events a history")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trace", action="append", default=[], metavar="FILE", help="a recording; repeatable")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    if not COMPILED:
        print("the compiled acceptor is not built: make build", file=sys.stderr)
        return 2
    table, wrong = Table(options.rounds), 0

    events = history(options.events, 0, 1)
    print(f"{len(events):,} events, {STANDARD}, up to {LIVE:,} live blocks")
    records = records_of(events)
    wrong += table.both("one thread", records)
    short, starts = episodes(options.events)
    table.row("compiled, eight events on a fresh heap each", len(short), lambda: suspects(short, starts, judge_of()))
    wrong += len(suspects(short, starts, judge_of())[0])
    table.row("  pure: live blocks in order of address", len(events), lambda: keep_sorted(events))
    table.row("  pure: blocks and graves", len(events), lambda: make_records(events))
    table.row("  pure: order of begins and ends", len(events), lambda: order(events))
    tenth = events[: max(1, options.events // 10)]
    table.row("readable form, on a tenth", len(tenth), lambda: readable(tenth))
    wrong += table.both(
        f"one thread, quarantine {QUARANTINE}", records_of(history(options.events, QUARANTINE, 1)), QUARANTINE
    )
    wrong += table.both("four threads, one in four overlaps", records_of(history(options.events, 0, 4)))
    for name in options.trace:
        trace = max(open_index(name).traces, key=lambda trace: len(trace.records))
        table.both(Path(name).stem, trace.records, trace.quarantine, trace.quarantine_limit, trace.order())
    if options.json:
        options.json.write_text(json.dumps({"events": options.events, "rates": table.rates}, indent=2) + "\n")
    if wrong:
        print("a made-up history is wrong", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
