"""Calls made on the core itself, through the Arena face, in the order and at the times of a workload."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from m4alloc import Arena, Strategy
from m4alloc.tune.simulate import CLOCK, run, summary
from m4alloc.tune.workload import Kind, Workload

MALLOC, CALLOC, REALLOC, FREE, MEMALIGN = 1, 2, 3, 5, 7  # spec.event.Function
CAPACITY = 1 << 32
COUNTERS = (
    *("mallocs", "frees", "remote_frees", "large_mallocs", "large_frees", "refills", "flushes", "slabs_made", "purges"),
    *("purged", "spans_peak", "live", "spans", "dirty", "held", "metadata", "commits", "prefaults"),
)
OF_CLASS = ("slot_size", "mallocs", "frees", "remote_frees", "refills", "flushes", "slabs_made", "slabs_peak")


@dataclass(frozen=True, slots=True)
class Call:
    """One row of a workload."""

    kind: Kind
    block: int
    size: int = 0
    alignment: int = 0
    zeroed: bool = False
    thread: int = 0
    time_ms: int = 0


def workload_of(calls: Sequence[Call]) -> Workload:
    """The calls as columns."""
    return Workload(
        name="case",
        kind=np.array([call.kind for call in calls], np.uint8),
        block=np.array([call.block for call in calls], np.uint32),
        size=np.array([call.size for call in calls], np.uint64),
        alignment=np.array([call.alignment for call in calls], np.uint64),
        zeroed=np.array([call.zeroed for call in calls], np.bool_),
        thread=np.array([call.thread for call in calls], np.uint16),
        time_ms=np.array([call.time_ms for call in calls], np.uint32),
        blocks=max((call.block for call in calls), default=0),
        threads=max((call.thread for call in calls), default=0) + 1,
    )


def random_calls(seed: int, count: int, blocks: int, largest: int, threads: int = 1) -> list[Call]:
    """Calls of a program that grows and shrinks by turns; the first is a plain malloc."""
    chance = random.Random(seed)
    sizes = [size for size in (0, 1, 16, 100, 500, 1024, 4000, 9000, 32_768, 70_000, 1 << 20) if size <= largest]
    calls = [Call(Kind.ALLOCATE, blocks + 1, 10)]
    live: set[int] = set()
    now, growth = 0, 0.5
    for i in range(count):
        if chance.random() < 0.01:
            now += chance.choice([1, 50, 300, 1500, 5000])
        if i % 500 == 0:
            growth = chance.random()
        block = chance.randrange(1, blocks + 1)
        thread = min(chance.randrange(threads), i * 2 * threads // count) if threads > 1 else 0
        size = chance.choice(sizes) + chance.randrange(64) if chance.random() < 0.7 else chance.randrange(600)
        if block not in live:
            live.add(block)
            alignment = chance.choice([0] * 9 + [16, 32, 64, 4096, 1 << 16, 1 << 18, 1 << 21])
            zeroed = alignment == 0 and chance.random() < 0.1
            calls.append(Call(Kind.ALLOCATE, block, size, alignment, zeroed, thread, now))
        elif chance.random() < 0.15:
            calls.append(Call(Kind.RESIZE, block, max(size, 1), thread=thread, time_ms=now))
        elif chance.random() > growth:
            live.discard(block)
            calls.append(Call(Kind.FREE, block, thread=thread, time_ms=now))
    return calls


def random_strategy(seed: int) -> Strategy:
    """A strategy that draws nothing by chance; about half of its knobs are as they are by default."""
    chance = random.Random(seed)
    pick = chance.choice
    knobs: dict[str, Any] = {
        "delay_line": pick([0, 1, 3, 16, 64]),
        "quarantine": pick([0, 1, 7, 50]),
        "stack_depth": pick([16, 20, 64]),
        "refill_batch": pick([1, 3, 8, 1000]),
        "stack_bytes": 65_536,
        "retain_bytes": pick([0, 1 << 20]),
        "retain_share": pick([0, 10]),
        "retain_ms": pick([0, 100, 1000]),
        "guard_empty": False,
        "large_delay": pick([0, 1 << 23]),
        "large_quarantine": 1 << 22,
        "guards": True,
        "guard_slabs": pick([1, 3]),
        "check_on_reuse": 64,
        "zero_on_free": 1024,
        "history": True,
        "side_bytes": 8,
        "placement": pick([1, 2]),
        "prefault": pick([4096, 65_536, 1 << 20]),
        "huge_pages": pick([1, 2]),
    }
    knobs = {name: value for name, value in knobs.items() if chance.random() < 0.35}
    if chance.random() < 0.3:
        knobs |= {"canaries": True, "zero_on_free": pick([0, 64, 32_768])}
    if chance.random() < 0.4:
        classes = pick([(16, 64, 256, 1024), (32, 128, 4096, 32_768, 65_536, 1 << 20), (16,), (48, 96, 8192, 40_960)])
        knobs["classes"] = classes
        if chance.random() < 0.5:
            fitting = [[units for units in (1, 2, 3, 8, 17) if units << 16 >= size] for size in classes]
            knobs["slab_bytes"] = tuple(pick(units) << 16 for units in fitting)
        if chance.random() < 0.5:
            knobs["stack_depths"] = tuple(pick([2, 16, 33, 500]) for _ in classes)
    return Strategy(**knobs)


@contextmanager
def on_threads(arena: Arena, workload: Workload) -> Iterator[Any]:
    """A function that makes one request of the arena on a thread of its own for each thread of the workload.

    A thread ends, and has left the arena, after its last call; the first one stays.
    """
    last = {int(thread): i for i, thread in enumerate(workload.thread)}
    inboxes: dict[int, queue.SimpleQueue[Any]] = {}
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    workers: dict[int, threading.Thread] = {}

    def work(inbox: queue.SimpleQueue[Any]) -> None:
        while (request := inbox.get()) is not None:
            answers.put(arena.call(*request))

    def end(thread: int) -> None:
        inboxes[thread].put(None)
        workers[thread].join()

    def call(i: int, *request: int) -> tuple[int, int, int]:
        thread = int(workload.thread[i])
        if thread not in workers:
            inboxes[thread] = queue.SimpleQueue()
            workers[thread] = threading.Thread(target=work, args=(inboxes[thread],))
            workers[thread].start()
        inboxes[thread].put(request)
        answer: tuple[int, int, int] = answers.get()
        if i == last[thread] and thread != 0:
            before = arena.totals()["threads"]
            end(thread)
            while arena.totals()["threads"] == before:  # the thread leaves the arena after Python's part of it ended
                time.sleep(0.0002)
            del workers[thread]
        return answer

    try:
        yield call
    finally:
        for thread in workers:
            end(thread)


def core(workload: Workload, strategy: Strategy) -> tuple[dict[str, int], list[dict[str, int]], list[int]]:
    """What the core counts, all in all and by class, and the address of each call's block (0: none)."""
    addresses = []
    live: dict[int, int] = {}
    with Arena(CAPACITY, strategy=strategy) as arena, on_threads(arena, workload) as on_thread:
        call = on_thread if workload.threads > 1 else lambda i, *request: arena.call(*request)
        try:
            for i in range(len(workload)):
                Arena.set_clock(CLOCK + int(workload.time_ms[i]))
                block, size, alignment = int(workload.block[i]), int(workload.size[i]), int(workload.alignment[i])
                if workload.kind[i] == Kind.FREE:
                    answer = call(i, FREE, live.pop(block))
                elif workload.kind[i] == Kind.RESIZE:
                    answer = call(i, REALLOC, live[block], size)
                elif alignment:
                    answer = call(i, MEMALIGN, 0, size, 1, alignment)
                else:
                    answer = call(i, CALLOC if workload.zeroed[i] else MALLOC, 0, size)
                assert answer[1:] == (0, 0)
                if answer[0]:
                    live[block] = answer[0]
                addresses.append(answer[0])
            return arena.totals(), arena.classes(), addresses
        finally:
            Arena.set_clock(None)


def differences(workload: Workload, strategy: Strategy) -> dict[str, Any]:
    """What the core and the simulator disagree about: (core, simulator) by name."""
    totals, classes, addresses = core(workload, strategy)
    first = run(workload_of([Call(Kind.ALLOCATE, 1, int(workload.size[0]))]), strategy, placed=True)
    base = addresses[0] - int(first.offsets[0])
    simulated = run(workload, strategy, base=base, placed=True)
    ours = summary(simulated, len(workload))
    found: dict[str, Any] = {
        name: (totals[name], getattr(ours, name)) for name in COUNTERS if totals[name] != getattr(ours, name)
    }
    rows = sorted([getattr(c, name) for name in OF_CLASS] for c in ours.classes if c.slabs_made)
    theirs = [[c[name] for name in OF_CLASS] for c in classes]
    if rows != theirs:
        found["classes"] = (theirs, rows)
    placed = [address - base if address else -1 for address in addresses]
    if placed != simulated.offsets.tolist():
        i = next(i for i, (a, b) in enumerate(zip(placed, simulated.offsets.tolist(), strict=True)) if a != b)
        found["placement"] = (i, placed[i], int(simulated.offsets[i]))
    return found
