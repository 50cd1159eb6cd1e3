"""Events a second that the acceptor checks, in pure Python on one core, and what the time goes into.

    python benchmarks/acceptor_rate.py [--events 1000000] [--rounds 3] [--json FILE]

Histories are made up beforehand: sizes and lifetimes as in programs that build and drop many small objects, every
reply with all its evidence, all rules in force. A cell is the best of all rounds, in CPU time of this process.
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

from sortedcontainers import SortedDict

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
        overlaps = threads > 1 and rng.random() < 0.25
        events.append(event._replace(begin=clock, end=clock + (3 if overlaps else 1), time_ns=clock * 50))
    return events


def checked(events: list[Event], quarantine: int = 0) -> Acceptor:
    """The fast loop, with every rule that one history can be judged by."""
    observes = ERRNO_CHANGED | MISUSE_CAUGHT
    return accept(events, Acceptor(STANDARD, quarantine=quarantine, quarantine_limit=1024, observes=observes))


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


def seconds(work: Callable[[], object], rounds: int) -> float:
    """The least CPU time of some rounds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, help="events a history")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args(arguments)
    rates: dict[str, float] = {}

    def report(name: str, events: list[Event], work: Callable[[list[Event]], object]) -> None:
        rates[name] = len(events) / seconds(lambda: work(events), options.rounds)
        print(f"{name:44} {rates[name]:>12,.0f} events/s {1e6 / rates[name]:>8.2f} us/event")

    events = history(options.events, 0, 1)
    acceptor = checked(events)
    if acceptor.findings:
        print(f"the made-up history is wrong: {acceptor.findings[0]}", file=sys.stderr)
        return 1
    print(f"{len(events):,} events, at the end {len(acceptor.heap.live):,} live blocks, {acceptor.contract.name}")
    report("one thread", events, checked)
    report("  of that: live blocks in order of address", events, keep_sorted)
    report("  of that: blocks and graves", events, make_records)
    report("  of that: order of begins and ends", events, order)
    report("readable form, on a tenth", events[: max(1, options.events // 10)], readable)
    events = history(options.events, QUARANTINE, 1)
    report(f"one thread, quarantine {QUARANTINE}", events, lambda events: checked(events, QUARANTINE))
    events = history(options.events, 0, 4)
    report("four threads, one call in four overlaps", events, checked)
    if options.json:
        options.json.write_text(json.dumps({"events": options.events, "rates": rates}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
