"""What is to be run, in which order, and how long that takes."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from m4alloc.bench.catalogue import BenchProgram
from m4alloc.bench.peer import GLIBC


class Kind(StrEnum):
    """What a run is for."""

    TRIAL = "trial"
    """Once on glibc before all else: does the program work, what does it print, how long does it take?"""
    PROGRAM = "program"
    HEADLINE = "headline"
    """One binary_tree a core at once."""
    LATENCY = "latency"
    HEAP_SIZE = "heap size"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Job:
    """One run.

    name: of the program; empty for a harness. number: threads of a program, copies of the headline, live blocks of a
    heap.
    """

    kind: Kind
    name: str
    number: int
    peer: str
    round: int = 0

    @property
    def key(self) -> str:
        """What tells it from every other run of the same benchmark.

        >>> Job(Kind.PROGRAM, "cfrac", 0, "glibc", 2).key
        'program/cfrac/0/glibc/2'
        """
        return f"{self.kind}/{self.name}/{self.number}/{self.peer}/{self.round}"

    @property
    def subject(self) -> tuple[Kind, str, int, str]:
        """The same for all rounds."""
        return self.kind, self.name, self.number, self.peer


HEADLINE = "binary_tree"


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of all runs: it follows from these values alone.

    programs: with the numbers of threads that each runs on, the one of the tables last. peers: names, glibc among them.
    cores: copies of the headline. latency, memory: whether those are measured. heap_sizes: numbers of live blocks.
    """

    programs: tuple[tuple[str, tuple[int, ...]], ...]
    peers: tuple[str, ...]
    rounds: int
    seed: int
    cores: int
    latency: bool = False
    memory: bool = False
    heap_sizes: tuple[int, ...] = ()

    def jobs(self) -> Iterator[Job]:
        """Every run: first the trials; then the rounds, in which each program meets every allocator in random order."""
        for name, numbers in self.programs:
            yield from (Job(Kind.TRIAL, name, number, GLIBC) for number in numbers)
        for number in range(self.rounds):
            yield from self.round(number)
        if self.memory:
            for name, numbers in self.programs:
                yield from self.shuffled(Kind.MEMORY, name, numbers[-1], 0)

    def round(self, number: int) -> Iterator[Job]:
        """One round."""
        for name, numbers in self.programs:
            for threads in numbers:
                yield from self.shuffled(Kind.PROGRAM, name, threads, number)
            if name == HEADLINE:
                yield from self.shuffled(Kind.HEADLINE, name, self.cores, number)
        if self.latency:
            yield from self.shuffled(Kind.LATENCY, "", 0, number)
        for blocks in self.heap_sizes:
            yield from self.shuffled(Kind.HEAP_SIZE, "", blocks, number)

    def shuffled(self, kind: Kind, name: str, number: int, round_: int) -> list[Job]:
        """The same run on every allocator. The order depends on the seed and on what is run, on nothing before it."""
        order = random.Random(f"{self.seed}/{kind}/{name}/{number}/{round_}")
        return [Job(kind, name, number, peer, round_) for peer in order.sample(self.peers, len(self.peers))]


def thread_counts(program: BenchProgram, threads: Sequence[int]) -> tuple[int, ...]:
    """The numbers of threads that a program runs on: those asked for, or 0 alone when it takes none."""
    return tuple(threads) if program.scales else (0,)


def usual_threads(cores: int) -> list[int]:
    """1, 2, 4 and so on up to the number of cores, and that number itself.

    >>> usual_threads(1), usual_threads(8), usual_threads(12)
    ([1], [1, 2, 4, 8], [1, 2, 4, 8, 12])
    """
    counts = [1]
    while counts[-1] * 2 <= cores:
        counts.append(counts[-1] * 2)
    return counts if counts[-1] == cores else [*counts, cores]


HARNESS_SECONDS = {Kind.LATENCY: 1.0}
NANOSECONDS_A_BLOCK = 1500
"""Of the heap-size harness: build, replace and clear a block, on a heap that fits no cache."""


def expected_seconds(job: Job, trials: dict[tuple[str, int], float], quick: bool) -> float:
    """How long a run takes, judged by the trials: (program, threads) to seconds on glibc."""
    if job.kind is Kind.LATENCY:
        return 0.05 if quick else HARNESS_SECONDS[job.kind]
    if job.kind is Kind.HEAP_SIZE:
        return 0.4 + job.number * NANOSECONDS_A_BLOCK * 1e-9
    number = 0 if job.kind is Kind.HEADLINE else job.number
    return trials.get((job.name, number), 0.0)


def total_seconds(jobs: Iterable[Job], trials: dict[tuple[str, int], float], quick: bool) -> float:
    """How long all of them take."""
    return sum(expected_seconds(job, trials, quick) for job in jobs)
