"""One program on several allocators, round by round, until it is clear what was to be known."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from m4alloc.bench.analyse import Analysis
from m4alloc.bench.job import Kind, Plan
from m4alloc.bench.measure import Bench, BenchError
from m4alloc.bench.peer import GLIBC, Peer
from m4alloc.bench.state import State
from m4alloc.bench.statistic import Spread, ratios, spread
from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import Interrupts, interrupts_noted
from m4alloc.program import locate

NAME = "program"
"""Not the program's own: by its name m4alloc.bench knows its headline, which has runs of its own."""
LEAST, MOST = 2, 1000
"""Rounds. In one alone nobody can tell whether a program's output differs from run to run."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What the runs gave. analysis: of m4alloc.bench. rounds: those complete. dropped: allocators that ended early."""

    analysis: Analysis
    rounds: int
    interrupted: bool = False
    dropped: tuple[str, ...] = ()

    def error(self, peer: str) -> str:
        """How the program failed there, or that its output differs from glibc's or it never ran; empty: it is right."""
        if not self.analysis.of(Kind.PROGRAM, NAME, 0, peer):
            return "not run"
        return self.analysis.error(Kind.PROGRAM, NAME, 0, peer)

    def values(self, peer: str, what: str) -> dict[int, float]:
        """Round to `cpu` or `wall` seconds, or `peak` bytes; empty when it failed."""
        return {} if self.error(peer) else self.analysis.costs((NAME, 0), peer)[what]

    def value(self, peer: str, what: str) -> Spread | None:
        """The median of the rounds and its quartiles."""
        found = self.values(peer, what)
        return spread(found.values()) if found else None

    def ratios(self, peer: str, base: str, what: str) -> tuple[float, ...]:
        """Round by round, one allocator's cost over another's in the same round."""
        return tuple(ratios(self.values(peer, what), self.values(base, what)).values())

    def ratio(self, peer: str, base: str, what: str) -> Spread | None:
        """The median of those ratios and its quartiles."""
        found = self.ratios(peer, base, what)
        return spread(found) if found else None


def in_rounds(
    command: Sequence[str],
    peers: Sequence[Peer],
    *,
    least: int,
    most: int,
    step: int = 1,
    enough: Callable[[Rounds], bool] = lambda _: False,
    drop: Callable[[Rounds], Sequence[str]] = lambda _: (),
    seed: int = 1,
    timeout: float = 600.0,
    progress: Progress | None = None,
) -> Rounds:
    """Run the program on every allocator once a round, in random order, until it is enough.

    `least` rounds come first, then `step` more each time that it is not `enough`, up to `most`. The first run on glibc
    says what output and exit status are right; it does not count. An allocator on which the program fails, or prints
    something else, is not run again, nor is one that `drop` names; glibc stays. Ctrl-C ends it with what there is, and
    whoever counts interrupts outside is told.
    Raises BenchError: it does not run on glibc, or not that many rounds; AllocatorError, ProgramError, BuildError,
    OSError.

    >>> in_rounds(["true"], [Peer("glibc", "")], least=2, most=2).rounds
    2
    """
    if not LEAST <= least <= most <= MOST:
        raise BenchError(f"{least} to {most} rounds: from {LEAST} to {MOST}")
    if GLIBC not in {peer.name for peer in peers}:
        raise BenchError(f"without {GLIBC} nobody knows what the program's output is")
    program, state = locate(command), State(None, {})
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="m4alloc-rounds-") as scratch, counted() as interrupts:
        rounds, dropped = least, dict[str, None]()
        while True:
            running = [peer for peer in peers if peer.name not in dropped]
            plan = Plan(((NAME, (0,)),), tuple(peer.name for peer in running), rounds, seed, cores)
            bench = Bench(plan, running, (), program, state, False, timeout, Path(scratch), interrupts)
            complete = bench.run(Silent() if progress is None else progress, lambda _: None)
            analysis = bench.analysis
            found = Rounds(analysis, analysis.rounds_done(), not complete, tuple(dropped))
            if not complete or rounds >= most or enough(found):
                return found
            dropped |= dict.fromkeys(name for name in drop(found) if name != GLIBC)
            rounds = min(most, rounds + step)


@contextmanager
def counted() -> Iterator[Interrupts]:
    """Interrupts, counted here, and at the end by whoever counted them before: the handler knows one counter alone."""
    outer = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    with interrupts_noted() as interrupts:
        try:
            yield interrupts
        finally:
            if isinstance(outer, Interrupts):
                outer.count += interrupts.count
