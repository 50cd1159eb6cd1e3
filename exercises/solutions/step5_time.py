"""A solution of step 5: one queue for each size, and a label for whatever leaves it."""

from __future__ import annotations

from collections import deque

from capability.architecture import Architecture, Retirement
from capability.memory import TaggedMemory
from exercises.solutions.step4_attacks import Heap as DefendedHeap

PROPERTY = "[](free -> (!malloc U quarantine_end))"
"""U, not W: a quarantine that never ends leaves `!malloc W quarantine_end` true for ever."""
WAIT = 4


class Heap(DefendedHeap):
    """The heap of step 4, which says when the quarantine of a block ends, and keeps it for WAIT frees of its size."""

    def __init__(self, architecture: Architecture, memory: TaggedMemory, base: int, size: int) -> None:
        super().__init__(architecture, memory, base, size)
        self.queues: dict[int, deque[int]] = {}

    def say(self, label: str, address: int) -> None:
        """Who watches puts a function of theirs in its place."""

    def give_back(self, done: Retirement) -> None:
        """A block is counted with those of its size: others may be freed as often as they like."""
        for block in done.reusable:
            queue = self.queues.setdefault(block.top - block.base, deque())
            queue.append(block.base)
            if len(queue) > WAIT:
                self.end(queue)

    def end(self, queue: deque[int]) -> None:
        """The quarantine of the oldest block ends."""
        base = queue.popleft()
        self.say("quarantine_end", base)
        self.space.free(base)

    def sweep(self) -> bool:
        """Out of memory: all quarantines end."""
        some = super().sweep() or any(self.queues.values())
        for queue in self.queues.values():
            while queue:
                self.end(queue)
        return some

    def close(self) -> None:
        """End what has not ended yet; on CHERI that is also what waits for a sweep."""
        self.sweep()
