"""How much a program could gain from another allocator, measured before anything is tuned: "nothing" is said early."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from m4alloc.bench.heap_size import available
from m4alloc.bench.measure import BenchError
from m4alloc.bench.peer import DEBIAN, GLIBC, OURS, Peer, machine, peers
from m4alloc.bench.report import SCHEMA
from m4alloc.bench.statistic import Spread
from m4alloc.check.progress import Progress
from m4alloc.tune.native import library
from m4alloc.tune.rounds import Rounds, in_rounds
from m4alloc.tune.share import Share, fault_seconds, share
from m4alloc.tune.summary import live_bytes
from m4alloc.tune.workload import Workload
from m4alloc.view.quantity import duration, percent, plural, ratio, size
from m4alloc.view.text import table

BUMP = "bump"
LEAST = 0.03
"""Below this part of time or memory there is nothing to gain."""
SHARE_RUNS = 10
LIMIT = 4 << 30
"""Bytes that bump may take of a process, unless half of what is available is less."""


@dataclass(frozen=True, slots=True)
class Row:
    """The program on one allocator. error: why there are no figures. cpu: seconds; peak: bytes; the ratios: to our
    default in the same round."""

    allocator: str
    error: str
    cpu: Spread | None
    peak: Spread | None
    cpu_ratio: Spread | None
    peak_ratio: Spread | None


@dataclass(frozen=True, slots=True)
class Headroom:
    """What a program could gain at most, as parts of what it takes on our default.

    rows: our default first. shares: of our default and of glibc. fault: seconds a first touch of a page takes.
    live: bytes that the program itself has at most live in one process, when a workload was given, else 0.
    """

    command: tuple[str, ...]
    machine: dict[str, str | int]
    rounds: int
    rows: tuple[Row, ...]
    shares: tuple[Share, ...]
    fault: float
    live: int = 0
    missing: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def best_time(self) -> Row:
        """The row that took least time; our default when it is that."""
        return min((row for row in self.rows if row.cpu_ratio), key=lambda row: _median(row.cpu_ratio))

    @property
    def best_memory(self) -> Row:
        """The row that took least memory."""
        return min((row for row in self.rows if row.peak_ratio), key=lambda row: _median(row.peak_ratio))

    @property
    def share(self) -> float | None:
        """The part of the time that our default takes, in its own code; None: not measured."""
        return self.shares[0].fraction if self.shares else None

    @property
    def refaults(self) -> float:
        """The part of the time that goes into pages which were given back and touched again, an estimate."""
        mine = self.shares[0] if self.shares else None
        return min(1.0, mine.refaults * self.fault / mine.cpu) if mine and mine.cpu else 0.0

    @property
    def time(self) -> float:
        """The part of the CPU time that could be gained at most.

        What the best allocator here gains, or all that is spent in our allocator and in pages touched again, whichever
        is more.
        """
        return max(0.0, 1 - _median(self.best_time.cpu_ratio), (self.share or 0.0) + self.refaults)

    @property
    def memory(self) -> float:
        """The part of the peak memory that the best allocator here gains."""
        return max(0.0, 1 - _median(self.best_memory.peak_ratio))

    @property
    def memory_bound(self) -> float | None:
        """The part that no allocator could gain more than: live blocks must be somewhere. None without a workload."""
        peak = self.rows[0].peak
        return max(0.0, 1 - self.live / peak.median) if self.live and peak else None

    @property
    def noise(self) -> tuple[float, float]:
        """What time and memory could be gained by chance.

        Half the distance of the quartiles of the best ratios, or two standard deviations of the share where time is it.
        """
        gained = 1 - _median(self.best_time.cpu_ratio) >= self.time
        time = _half(self.best_time.cpu_ratio) if gained or not self.shares else 2 * self.shares[0].error
        return time, _half(self.best_memory.peak_ratio)

    @property
    def verdict(self) -> str:
        """`time`, `memory`, `time and memory`, or `nothing`: where something could be gained."""
        gains = zip(("time", "memory"), (self.time, self.memory), self.noise, strict=True)
        return " and ".join(what for what, gain, noise in gains if gain >= max(LEAST, noise)) or "nothing"

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        if self.verdict == "nothing":
            return (
                f"nothing to gain: at most {percent(self.time)} of the CPU time and {percent(self.memory)} of the peak "
                f"memory, less than {percent(LEAST)} or than the noise"
            )
        parts = f"{percent(self.time)} of the CPU time, {percent(self.memory)} of the peak memory"
        return f"to gain in {self.verdict}: up to {parts}"

    def text(self) -> str:
        """The report as lines for a terminal."""
        rows = [
            [
                row.allocator,
                _cell(row.cpu, duration),
                _ratio(row.cpu_ratio),
                _cell(row.peak, size),
                _ratio(row.peak_ratio),
            ]
            for row in self.rows
        ]
        lines = [f"headroom of {shlex.join(self.command)}", self.sentence, ""]
        lines += table(rows, ["allocator", "CPU time", "to default", "peak", "to default"], right=range(1, 5))
        lines.append(f"medians of {plural(self.rounds, 'round')}, +- half the distance of the quartiles")
        lines += [f"{row.allocator}: {row.error}" for row in self.rows if row.error]
        lines += [told(one) for one in self.shares]
        if self.shares:
            mine = self.shares[0]
            lines.append(
                f"page faults on {mine.allocator} meanwhile: {mine.faults:,}, {mine.refaults:,} of them of pages that "
                f"had been there: about {percent(self.refaults)} of the CPU time at {duration(self.fault)} each"
            )
        if self.memory_bound is not None:
            lines.append(
                f"at most {size(self.live)} were live: no allocator could save more than {percent(self.memory_bound)}"
            )
        return "\n".join([*lines, *self.missing, *(["interrupted"] if self.interrupted else [])])

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, what follows from the rows included."""
        derived = {name: getattr(self, name) for name in ("time", "memory", "memory_bound", "verdict", "sentence")}
        return {"schema": SCHEMA, "verb": "headroom", **asdict(self), **derived, "refaults": self.refaults}


def headroom(
    command: Sequence[str],
    *,
    rounds: int = 3,
    limit_bytes: int | None = None,
    timeout: float = 600.0,
    workload: Workload | None = None,
    seed: int = 1,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Headroom:
    """Measure what a program takes on our default, on glibc, the allocators installed here, and one that never frees.

    rounds: each runs the program once on every allocator, in random order; 2 at least. limit_bytes: what the one that
    never frees may take in a process (None: half of what is available, 4 GiB at most); a program that needs more "does
    not fit". workload: a recording of the program, for the least memory that any allocator needs. timeout: seconds of
    a run. tell: told the allocator's share before the rounds begin.
    CPU time is that of the program and the children it waited for, peak memory that of the largest of them.
    Raises BenchError, AllocatorError, ProgramError, BuildError, OSError. Cost: 7 runs of the program a round, 2 more,
    and for the shares as many as fill 2 s of CPU time, 10 at most.

    >>> found = headroom(["true"], rounds=2)
    >>> [row.allocator for row in found.rows][:2], found.rows[-1].allocator
    (['m4alloc', 'glibc'], 'bump')
    """
    among, missing = compared(limit_bytes)
    shares = tuple(
        share(command, peer, runs=SHARE_RUNS, timeout=timeout) for peer in among if peer.name in (OURS, GLIBC)
    )
    for one in shares:
        tell(told(one))
    found = in_rounds(command, among, least=rounds, most=rounds, seed=seed, timeout=timeout, progress=progress)
    return assembled(command, found, [peer.name for peer in among], shares, live=peak_live(workload), missing=missing)


def compared(limit_bytes: int | None = None) -> tuple[list[Peer], list[str]]:
    """Our default first, glibc, those installed, and bump; and the lines about what is missing. Raises BenchError."""
    found, missing = peers()
    by_name = {peer.name: peer for peer in found}
    if OURS not in by_name:
        raise BenchError(missing[0])
    limit = min(LIMIT, available() // 2) if limit_bytes is None else limit_bytes
    bump = Peer(BUMP, str(library("bump")), settings=(("M4ALLOC_BUMP_LIMIT", str(limit)),))
    return [by_name[OURS], *(by_name[name] for name in (GLIBC, *DEBIAN) if name in by_name), bump], missing


def assembled(
    command: Sequence[str],
    found: Rounds,
    names: Sequence[str],
    shares: Sequence[Share],
    *,
    live: int = 0,
    missing: Sequence[str] = (),
) -> Headroom:
    """The rows, from the rounds. Raises BenchError: our default has no figures."""
    wrong = found.error(OURS)
    if wrong and found.interrupted:
        raise BenchError(f"interrupted before {command[0]} had run")
    if wrong:
        raise BenchError(f"{command[0]} on {OURS}: {wrong}")
    ordered = sorted(shares, key=lambda one: one.allocator != OURS)
    rows = tuple(row_of(found, name) for name in names)
    return Headroom(
        *(tuple(command), machine(), found.rounds, rows, tuple(ordered), fault_seconds()),
        *(live, tuple(missing), found.interrupted),
    )


def row_of(found: Rounds, name: str) -> Row:
    """One allocator's."""
    error = found.error(name)
    if "bump: does not fit" in error or (name == BUMP and "status 97" in error):
        error = "does not fit in the memory that it may take"
    values = (found.value(name, what) for what in ("cpu", "peak"))
    return Row(name, error, *values, *(found.ratio(name, OURS, what) for what in ("cpu", "peak")))


def told(one: Share) -> str:
    """A share in words.

    >>> told(Share("glibc", 0.25, 0.01, 1000, 0, 0, 1, 1.0)), told(Share("mine", None, 0, 0, 0, 0, 0, 0, "too short"))
    ('share of glibc in the CPU time: 25.0 % +- 1.0 %', 'share of mine in the CPU time: not measured: too short')
    """
    what = f"share of {one.allocator} in the CPU time"
    if one.fraction is None:
        return f"{what}: not measured: {one.reason}"
    return f"{what}: {percent(one.fraction)} +- {percent(one.error)}"


def peak_live(workload: Workload | None) -> int:
    """The most bytes that were asked for and not yet freed at any time.

    No allocator that does not move blocks does with less. Cost: O(n log n), in numpy.
    """
    if workload is None or not len(workload):
        return 0
    return int(max(0, live_bytes(workload).max()))


def _median(one: Spread | None) -> float:
    return 1.0 if one is None else one.median


def _half(one: Spread | None) -> float:
    return 0.0 if one is None else (one.high - one.low) / 2


def _cell(one: Spread | None, show: Callable[[float], str]) -> str:
    return "-" if one is None else show(one.median)


def _ratio(one: Spread | None) -> str:
    return "-" if one is None else f"{ratio(one.median)} +-{100 * one.relative:.0f}%"
