"""A second process for one search: the two judges tell each other what they have proved."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from typing import Any

from m4alloc.superopt.ir import Function
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.problem import Budget, Candidate, Problem, Search, Step, Tally

LOOK = 0.05
"""Seconds between two looks at what the other process has sent."""
TELL = 1.0
"""Seconds between two messages of why proofs were not decided."""
COUNTS = tuple(one.name for one in fields(Tally))


@dataclass
class Ended:
    """What a search in the other process came to: its counts, and the search itself with what it has to say."""

    tally: Tally
    reasons: dict[str, int]
    search: Search
    seconds: float
    front: list[Candidate]


class LinkedJudge(TheJudge):
    """A judge that takes over what the other process has proved, and tells it what it proves itself.

    outcome: of the other process's search, once it has ended.  on_end: called then.  counts: memory that both
    processes share, where this one's tally is kept, so that it outlives the process; None for no such memory.
    others_reasons: of the other process, as far as it has told them.
    """

    def __init__(
        self, problem: Problem, budget: Budget, connection: Connection | None = None, counts: Any = None,
        **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(problem, budget, **settings)
        self.connection = connection
        self.counts = counts
        self.others_reasons: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._told_at = time.monotonic()
        self.outcome: Ended | None = None
        self.on_end: Callable[[], None] = lambda: None
        self.adopted: list[Candidate] = []
        self._looked = time.monotonic()

    def offer(self, function: Function, method: str, steps: tuple[Step, ...] = ()) -> Candidate | None:
        """As TheJudge's, after a look at what has come."""
        self.look()
        found = super().offer(function, method, steps)
        if found is not None:
            self.tell(found)
        self._keep()
        return found

    def agreement(self, function: Function) -> float:
        """As TheJudge's, after a look at what has come."""
        self.look()
        found = super().agreement(function)
        self._keep()
        return found

    def _keep(self) -> None:
        """Write the tally where the other process finds it, and tell it the reasons."""
        if self.counts is None:
            return
        for place, name in enumerate(COUNTS):
            self.counts[place] = getattr(self.tally, name)
        now = time.monotonic()
        if now - self._told_at >= TELL and self.reasons != self._told:
            self._told, self._told_at = dict(self.reasons), now
            self.tell(self._told)

    def tell(self, message: Candidate | dict[str, int]) -> None:
        """Send something to the other process, if there is one still."""
        if self.connection is not None:
            try:
                self.connection.send(message)
            except OSError:
                self.connection = None

    def look(self, seconds: float = 0.0) -> None:
        """Take over what has come, at most every 50 ms; `seconds` to wait for something."""
        now = time.monotonic()
        if self.connection is None or (seconds == 0.0 and now - self._looked < LOOK):
            return
        self._looked = now
        try:
            while self.connection is not None and self.connection.poll(seconds):
                seconds = 0.0
                self._take(self.connection.recv())
        except (EOFError, OSError):
            self.connection = None
            self.on_end()

    def _take(self, message: Candidate | Ended | dict[str, int]) -> None:
        if isinstance(message, dict):
            self.others_reasons = message
        elif isinstance(message, Candidate):
            if self.adopt(message):
                self.adopted.append(message)
                if self.on_improvement is not None:
                    self.on_improvement(message)
        else:
            self.outcome = message
            self.connection = None
            self.on_end()


class Helper:
    """The other process, which runs one search on the same problem until the budget is spent.

    A script that uses it must be a file whose work is under `if __name__ == "__main__"`, as with all of
    multiprocessing's "spawn".
    """

    def __init__(
        self, problem: Problem, search: Search, best: Candidate, seconds: float, seed: int, settings: dict[str, Any]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._counts = context.RawArray(ctypes.c_int64, len(COUNTS))
        work = (theirs, self._counts, problem, search, best, time.monotonic(), seconds, seed, settings)
        self.process = context.Process(target=_work, args=work, daemon=True)
        # Ctrl-C is the parent's: the child is born with SIGINT blocked, and ignores it from its first line on.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    @property
    def tally(self) -> Tally:
        """How every proposal of the other process ended up to now, whether it is running or not."""
        return Tally(**dict(zip(COUNTS, self._counts, strict=True)))

    def end(self) -> None:
        """Stop the process if it is still running."""
        if self.process.is_alive():
            self.process.terminate()
        self.process.join(5.0)
        self.connection.close()


def _work(
    connection: Connection, counts: Any, problem: Problem, search: Search, best: Candidate, started: float,
    seconds: float, seed: int, settings: dict[str, Any],
) -> None:  # fmt: skip
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    judge = LinkedJudge(problem, Budget(seconds, started=started), connection, counts, **settings)
    judge.adopt(best)
    begun = time.monotonic()
    try:
        search.run(judge, seed)
        outcome = Ended(judge.tally, judge.reasons, search, time.monotonic() - begun, judge.front)
        connection.send(outcome)
    except (KeyboardInterrupt, BrokenPipeError):
        return


def added(a: Tally, b: Tally, sign: int = 1) -> Tally:
    """The sum of two tallies, or their difference where `sign` is -1.

    >>> added(Tally(proposed=1), Tally(proposed=2, accepted=1)).proposed
    3
    """
    return Tally(**{one.name: getattr(a, one.name) + sign * getattr(b, one.name) for one in fields(Tally)})
