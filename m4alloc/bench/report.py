"""What a benchmark showed: typed values, and the same as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from m4alloc.bench.statistic import Spread

SCHEMA = "m4alloc/1"


@dataclass(frozen=True, slots=True)
class Allocator:
    """One of those compared. library: its path; empty: the system's own. strategy: of our core. digest: of the file."""

    name: str
    library: str
    strategy: str
    digest: str


@dataclass(frozen=True, slots=True)
class Cost:
    """One quantity: of the round's glibc run (1.0: the same), and absolute (seconds, or bytes)."""

    ratio: Spread
    value: Spread


@dataclass(frozen=True, slots=True)
class Result:
    """What one program took on one allocator.

    error: why it took nothing that could be compared; the other fields are None then. peak: resident bytes.
    operations: allocator calls a second of wall time; None when the program counts none.
    """

    allocator: str
    error: str
    cpu: Cost | None
    wall: Cost | None
    peak: Cost | None
    operations: Spread | None


@dataclass(frozen=True, slots=True)
class ProgramRow:
    """One program at one number of threads (0: it takes none). tabled: it is a row of the tables, and in the means."""

    name: str
    threads: int
    fixed: bool
    pattern: str
    tabled: bool
    results: tuple[Result, ...]

    @property
    def label(self) -> str:
        """The name, with the threads when there are any."""
        if not self.threads:
            return self.name
        return f"{self.name}, {self.threads} thread{'' if self.threads == 1 else 's'}"

    def result(self, allocator: str) -> Result:
        """That of one allocator."""
        return next(one for one in self.results if one.allocator == allocator)


@dataclass(frozen=True, slots=True)
class MeanResult:
    """Geometric means of ratios over programs. count: how many programs; fewer than all when it failed the others."""

    allocator: str
    count: int
    cpu: Spread | None
    wall: Spread | None
    peak: Spread | None


@dataclass(frozen=True, slots=True)
class Mean:
    """One row of means. programs: over which: "all", or "without fixed", those that no allocator can move."""

    programs: str
    count: int
    results: tuple[MeanResult, ...]

    @property
    def label(self) -> str:
        """What it is the mean of."""
        return f"geometric mean of {self.count}, {self.programs}"


@dataclass(frozen=True, slots=True)
class HeadlineResult:
    """binary_tree, one copy a core: malloc calls a second of wall time in all, and of processor time of one core.

    copies: how many run at once. alone: a second of wall time when one copy runs.
    ns_a_pair: of processor time, a malloc with its free and the program's own work on the node.
    """

    allocator: str
    copies: int
    calls_a_second: Spread
    calls_a_core_second: Spread
    alone: Spread | None
    ns_a_pair: Spread


@dataclass(frozen=True, slots=True)
class LatencyResult:
    """Nanoseconds of single calls, without what reading the clock costs.

    mean: of the fastest 999 in 1,000. step: by how much the clock advances at least; the percentiles are no finer.
    """

    allocator: str
    call: str
    calls: int
    step: float
    mean: float
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float


@dataclass(frozen=True, slots=True)
class MemoryCurve:
    """Resident bytes of a program in the course of its run, one run."""

    program: str
    allocator: str
    seconds: tuple[float, ...]
    resident: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeapSizeResult:
    """A heap of so many live blocks.

    build, replace, clear: nanoseconds of an allocation, of a free with its allocation, of a free.
    live: bytes requested. overhead: resident bytes over live ones. freed, settled: resident bytes after all is freed,
    and a little later, over those before.
    """

    allocator: str
    blocks: int
    live: float
    build: Spread
    replace: Spread
    clear: Spread
    overhead: Spread
    freed: Spread
    settled: Spread


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of a program as it was measured."""

    program: str
    threads: int
    allocator: str
    round: int
    wall: float
    user: float
    system: float
    peak: int


@dataclass(frozen=True, slots=True)
class BenchReport:
    """What was compared, what each took, and what failed.

    command: the user's own program; empty: those of the catalogue. rounds: asked for. rounds_done: those complete.
    errors: each allocator that failed, with the program and how. missing: what was not there, with the line that
    installs it. files: what was written. resume: the command that goes on; empty when all is done.
    """

    machine: dict[str, str | int]
    allocators: tuple[Allocator, ...]
    command: tuple[str, ...]
    rounds: int
    rounds_done: int
    seed: int
    quick: bool
    programs: tuple[ProgramRow, ...]
    means: tuple[Mean, ...]
    headline: tuple[HeadlineResult, ...]
    latency: tuple[LatencyResult, ...]
    memory: tuple[MemoryCurve, ...]
    heap_sizes: tuple[HeapSizeResult, ...]
    samples: tuple[Sample, ...]
    errors: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    resume: str = ""
    files: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The allocators, glibc first."""
        return tuple(one.name for one in self.allocators)

    @property
    def tabled(self) -> tuple[ProgramRow, ...]:
        """The rows of the tables: each program at its greatest number of threads."""
        return tuple(row for row in self.programs if row.tabled)

    @property
    def exit_status(self) -> int:
        """0 all ran; 1 an allocator failed; 3 nothing was measured; 130 interrupted."""
        if self.errors:
            return 1
        if self.interrupted:
            return 130
        return 0 if self.samples or self.latency or self.heap_sizes else 3

    def to_json(self) -> dict[str, Any]:
        """The report as plain data; docs/json-schema/bench.json describes it."""
        first = {"schema": SCHEMA, "verb": "bench", "exit_status": self.exit_status}
        return {**first, **asdict(self)}


def installed(rows: Sequence[Allocator]) -> list[str]:
    """A line an allocator: its name and where it is from.

    >>> installed([Allocator("glibc", "", "", "")])
    ['glibc: the system']
    """
    return [f"{one.name}: {one.library or 'the system'}{f' ({one.strategy})' if one.strategy else ''}" for one in rows]
