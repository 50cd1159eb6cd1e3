"""What every allocator under test can do, whether a library, the core in this process, or the reference."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from m4alloc.check.operation import Operation
from spec.event import ACCESSING, NEVER_RETURNED, Event, Function

ROUNDS = 1 << 14
"""The most often that `repeat` carries out its plan."""


class End(Enum):
    """How an episode ended."""

    FINISHED = "finished"
    CRASHED = "crashed"
    HUNG = "hung"


@dataclass(frozen=True, slots=True)
class Episode:
    """What was seen of one run from a fresh heap.

    events: every request with its reply and evidence, in order. The request or access during which the allocator
    crashed or hung is the last, flagged NEVER_RETURNED; several are when several threads were at it.
    signal: the number of the signal that killed the child, 0 when it was not killed.
    message: what it wrote to standard error.
    """

    events: list[Event]
    end: End = End.FINISHED
    signal: int = 0
    message: str = field(default="", compare=False)

    @property
    def pending(self) -> Event | None:
        """The last event, if it never returned."""
        return self.events[-1] if self.events and self.events[-1].flags & NEVER_RETURNED else None

    def describe_end(self) -> str:
        """The end in words.

        >>> Episode([Event(Function.FREE, address=4096, flags=NEVER_RETURNED)], End.CRASHED, 6).describe_end()
        'SIGABRT inside free'
        """
        if self.end is End.FINISHED:
            return "finished"
        how = "no answer in time" if self.end is End.HUNG else self.signal_name()
        pending = self.pending
        if pending is not None and pending.function not in ACCESSING:
            return f"{how} inside {pending.function.name.lower()}"
        last = self.events[-1] if self.events else None
        if pending is None and last is not None and last.function is Function.LABEL:
            return f"{how} at, or after, {last.label}"
        return f"{how} when the client used its blocks"

    def signal_name(self) -> str:
        """The signal's name, or its number when it has none."""
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"


class EndedError(Exception):
    """The allocator crashed or hung while a session was open; `episode` holds everything up to there."""

    def __init__(self, episode: Episode) -> None:
        super().__init__(f"{episode.describe_end()}, after {len(episode.events)} answered requests: {episode.message}")
        self.episode = episode


class Usage(NamedTuple):
    """What repeating a plan took, in bytes.

    total: handed out in all. distinct: at distinct addresses. live: live at once at most. late_total, late: total and
    distinct of the later rounds, half of them or more: what still grows there is not about to settle. memory: by how
    much the process's resident pages grew meanwhile; -1 where nobody looked.
    """

    total: int
    distinct: int
    live: int
    late_total: int = 0
    late: int = 0
    memory: int = -1


class Session(Protocol):
    """One fresh heap, asked one request at a time."""

    def request(self, event: Event) -> list[Event]:
        """Carry out a request that names its block by address: its event, after LOAD events for changed contents.

        Raises EndedError: the allocator crashed or hung.
        """

    def sweep(self) -> list[Event]:
        """LOAD events for live blocks whose contents changed."""

    def close(self) -> None:
        """End the session and give everything back."""


class Target(Protocol):
    """An allocator that can be started afresh as often as one likes."""

    name: str
    functions: frozenset[Function]

    def run(self, operations: Sequence[Operation]) -> Episode:
        """Carry out a whole plan on a fresh heap; a crash is part of the answer."""

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over on one fresh heap, freeing all after each, until `limit` bytes were used.

        Ends after ROUNDS rounds in any case.  Raises EndedError: the allocator crashed or hung.
        """

    def begin(self) -> Session:
        """A fresh heap to be asked step by step."""

    def close(self) -> None:
        """Give back what the target holds (processes, memory)."""


class Closing:
    """A target or session that is closed at the end of its `with` block."""

    def close(self) -> None:
        """Give everything back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
