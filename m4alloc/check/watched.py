"""Watches what is asked of an Arena: which blocks are live, who asked for them, and how many bytes at once and in all.

Of sizes it counts what was asked for, so that a limit means the same on every backend and with every strategy.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

OURS = str(Path(__file__).resolve().parents[1])
METHODS = ("malloc", "calloc", "realloc", "aligned_alloc", "free")


class Held(NamedTuple):
    """A live block: its number among those made, its size in bytes, and the file and line that asked for it."""

    number: int
    block: Any
    size: int
    file: str
    line: int


class Watch:
    """Stands in front of an arena's methods from `begin` on.

    made: blocks handed out so far. now, peak, total: bytes asked for that are live, were live at most, and were asked
    for in all. highest: the block with which the peak was reached.
    A method of the arena that is looked up before `begin` is not watched.  Cost: 2 us a request.

    >>> from m4alloc import Arena
    >>> with Arena(1 << 20) as arena:
    ...     watch = Watch(arena)
    ...     watch.begin()
    ...     with arena.malloc(100):
    ...         kept = arena.malloc(20)
    ...     watch.peak, watch.total, [held.size for held in watch.live()]
    (120, 120, [20])
    """

    def __init__(self, arena: Any) -> None:
        self.arena = arena
        self.made = self.now = self.peak = self.total = 0
        self.highest: Held | None = None
        self._held: dict[int, Held] = {}
        self._inner: dict[str, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Step in front of the arena's methods."""
        for name in METHODS:
            self._inner[name] = getattr(self.arena, name)
            setattr(self.arena, name, getattr(self, name))

    def live(self, after: int = 0) -> list[Held]:
        """The live blocks but the first `after` that were made, in the order they were asked for.

        Cost: O(live blocks).
        """
        with self._lock:
            return [held for held in self._held.values() if held.number > after]

    def check(self) -> None:
        """Raise AssertionError unless the counts agree with the blocks and the blocks are alive."""
        held = self.live()
        assert sum(one.size for one in held) == self.now <= self.peak <= self.total, "now <= peak <= total"
        assert all(one.block.alive for one in held), "every block that is held is alive"

    # The arena's methods, watched.

    def malloc(self, size: int) -> Any:
        return self._acquired(self._inner["malloc"](size))

    def calloc(self, count: int, size: int) -> Any:
        return self._acquired(self._inner["calloc"](count, size))

    def aligned_alloc(self, alignment: int, size: int) -> Any:
        return self._acquired(self._inner["aligned_alloc"](alignment, size))

    def realloc(self, block: Any, size: int) -> Any:
        fresh = self._inner["realloc"](block, size)
        self._released(block)
        return self._acquired(fresh)

    def free(self, block: Any) -> None:
        self._inner["free"](block)
        self._released(block)

    def _acquired(self, block: Any) -> Any:
        frame = sys._getframe(2)
        while frame.f_code.co_filename.startswith(OURS) and frame.f_back is not None:
            frame = frame.f_back
        with self._lock:
            self.made += 1
            size = len(block)
            held = Held(self.made, block, size, frame.f_code.co_filename, frame.f_lineno)
            self._held[id(block)] = held  # which keeps the block, so that no other gets its id
            self.now += size
            self.total += size
            if self.now > self.peak:
                self.peak, self.highest = self.now, held
        return block

    def _released(self, block: Any) -> None:
        with self._lock:
            held = self._held.pop(id(block), None)
            if held is not None:
                self.now -= held.size
