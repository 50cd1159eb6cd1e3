"""Four made-up traces, each hard for another kind of simple allocator; the recorded ones are in bundled/."""

from __future__ import annotations

import random

from m4alloc.tune.workload import Kind, Workload, example

Call = tuple[int, int, int]
"""A kind of call, the number of its block, bytes."""


def binary() -> Workload:
    """Small and large blocks in turn; the large are freed, and blocks a little larger are asked for.

    The holes are between live blocks and too small: whoever does not keep sizes apart needs new memory for all of it.
    """
    pairs = 1500
    calls: list[Call] = []
    for pair in range(pairs):
        calls += [(Kind.ALLOCATE, 2 * pair + 1, 64), (Kind.ALLOCATE, 2 * pair + 2, 448)]
    calls += [(Kind.FREE, 2 * pair + 2, 0) for pair in range(pairs)]
    calls += [(Kind.ALLOCATE, 2 * pair + 2, 512) for pair in range(pairs)]
    calls += [(Kind.FREE, block, 0) for block in range(1, 2 * pairs + 1)]
    return example(calls, "binary")


def coalesce() -> Workload:
    """Two neighbours are freed, and one block of their joint length is asked for, over and over.

    Whoever does not join free neighbours needs new memory for the first of each length; whoever does not split what it
    joined, for the next pair.
    """
    calls: list[Call] = []
    for turn in range(600):
        size = 16384 * (1 + turn % 4)
        calls += [(Kind.ALLOCATE, 1, size), (Kind.ALLOCATE, 2, size)]
        calls += [(Kind.FREE, 1, 0), (Kind.FREE, 2, 0), (Kind.ALLOCATE, 3, 2 * size), (Kind.FREE, 3, 0)]
    return example(calls, "coalesce")


def growing() -> Workload:
    """A buffer grows a little at a time by realloc, while small blocks come and go behind it.

    Whoever moves the buffer to fresh memory each time leaves a trail of holes, each too short for the next.
    """
    calls: list[Call] = [(Kind.ALLOCATE, 1, 512)]
    for turn in range(1, 1500):
        calls.append((Kind.RESIZE, 1, 512 + 128 * turn))
        if turn > 16:
            calls.append((Kind.FREE, 2 + turn % 16, 0))
        calls.append((Kind.ALLOCATE, 2 + turn % 16, 96))
    return example(calls, "growing")


def mixed() -> Workload:
    """Blocks of all sizes at random, mostly small, some hundreds alive at once."""
    chance = random.Random(10)
    calls: list[Call] = []
    live: list[int] = []
    free = list(range(1000, 0, -1))
    while len(calls) < 8000:
        if live and chance.random() < len(live) / 900:
            block = live.pop(chance.randrange(len(live)))
            free.append(block)
            calls.append((Kind.FREE, block, 0))
        else:
            block = free.pop()
            live.append(block)
            calls.append((Kind.ALLOCATE, block, int(2 ** chance.uniform(3, 13))))
    return example(calls, "mixed")


PATTERNS = (binary, coalesce, growing, mixed)
