"""The shape of an allocator: what a model needs to know of one, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """An arena of slots, who uses it, and how long a freed slot waits.

    sizes: size classes; slots: of each class, at least 1. clients: parts of the program that hold blocks, each on a
    thread: client i on thread i mod `threads`. delay_line, quarantine: slots of a class that a thread frees, one after
    the other, before the first of them may be handed out again. quarantine_random: whether the quarantine gives out any
    of its slots instead of the one that waited longest; then nothing is promised beyond the delay line.
    Raises: ValueError when a number is out of its range.

    >>> Shape(slots=3, delay_line=1, quarantine=1).wait
    2
    """

    slots: int = 3
    sizes: int = 1
    clients: int = 1
    threads: int = 1
    delay_line: int = 0
    quarantine: int = 0
    quarantine_random: bool = False

    def __post_init__(self) -> None:
        for name, least in (
            ("slots", 1),
            ("sizes", 1),
            ("clients", 1),
            ("threads", 1),
            ("delay_line", 0),
            ("quarantine", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        if self.clients % self.threads:
            raise ValueError(
                f"{self.clients} clients on {self.threads} threads: each thread must have as many as another"
            )

    @property
    def wait(self) -> int:
        """Other slots of its class that are freed between the free of a slot and its next use, at least."""
        return self.delay_line + (0 if self.quarantine_random else self.quarantine)

    def scaled(self, **changes: Any) -> Self:
        """The same shape with some of its numbers changed: to what a search can exhaust.

        >>> Shape(delay_line=16).scaled(delay_line=1, slots=2)
        Shape(slots=2, sizes=1, clients=1, threads=1, delay_line=1, quarantine=0, quarantine_random=False)
        """
        return replace(self, **changes)
