"""How far a search has come, and where it has to stop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_STATM = Path("/proc/self/statm")
_OFTEN = 0x3FF
"""Clocks and memory are looked at each time so many transitions, less one, have been tried."""


class BoundReached(Exception):  # noqa: N818  (not an error: how a search that must stop comes back)
    """The search has used up what it was given; the text names the bound."""


class Meter:
    """Counts what a search does, and stops it at a bound.

    states: how many it may store. memory: bytes that may be resident in this process. seconds: how long it may take.
    progress: called with the meter about once a second. None of a bound is no bound.

    >>> meter = Meter(states=1)
    >>> meter.state()
    >>> meter.state()
    Traceback (most recent call last):
    spec.ltl.meter.BoundReached: more than 1 states
    """

    __slots__ = ("_begin", "_bound", "_deadline", "_memory", "_next", "_progress", "depth", "states", "transitions")

    def __init__(
        self,
        *,
        states: int | None = None,
        memory: int | None = None,
        seconds: float | None = None,
        progress: Callable[[Meter], object] | None = None,
    ) -> None:
        for name, bound in (("states", states), ("memory", memory), ("seconds", seconds)):
            if bound is not None and bound < 0:
                raise ValueError(f"the bound {name} is {bound}; it must not be negative")
        self.states = 0
        self.transitions = 0
        self.depth = 0
        self._bound = states
        self._memory = memory
        self._progress = progress
        self._begin = time.perf_counter()
        self._deadline = seconds
        self._next = 1.0

    def fresh(self) -> Meter:
        """A meter with the same bounds that has counted nothing; its time is what is left of this one's."""
        left = None if self._deadline is None else max(0.0, self._deadline - self.seconds)
        return Meter(states=self._bound, memory=self._memory, seconds=left, progress=self._progress)

    @property
    def seconds(self) -> float:
        """Since the meter was made."""
        return time.perf_counter() - self._begin

    def state(self) -> None:
        """Count a state that is stored.  Raises: BoundReached when it is one too many."""
        if self.states == self._bound:
            raise BoundReached(f"more than {self._bound:,} states")
        self.states += 1

    def transition(self) -> None:
        """Count a transition that is tried.  Raises: BoundReached, now and then, when time or memory is used up."""
        self.transitions += 1
        if not self.transitions & _OFTEN:
            self.look()

    def deep(self, depth: int) -> None:
        """Note how long the path is now."""
        self.depth = max(self.depth, depth)

    def look(self) -> None:
        """Look at the clock and at the memory, and report."""
        seconds = self.seconds
        if self._deadline is not None and seconds > self._deadline:
            raise BoundReached(f"more than {self._deadline:g} seconds")
        if self._memory is not None and resident() > self._memory:
            raise BoundReached(f"more than {self._memory:,} bytes of memory")
        if self._progress is not None and seconds >= self._next:
            self._next = seconds + 1.0
            self._progress(self)


def resident() -> int:
    """Bytes of memory that this process has resident now; where the system does not say, the most it ever had."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
