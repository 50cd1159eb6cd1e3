"""Step 5: a temporal property. A formula, a heap that satisfies it, and (in quarantine.m4m) a model that does."""

from __future__ import annotations

from capability.architecture import Architecture
from capability.memory import TaggedMemory
from exercises.step4_attacks.heap import Heap as DefendedHeap

PROPERTY = "[](free -> !malloc)"
"""Of each address: after a free it is not handed out before its quarantine has ended, and every quarantine ends.

The propositions are malloc, free and quarantine_end. Write this.
"""
WAIT = 4
"""How many other blocks of its size are freed before a block is handed out again, as long as there is room."""


class Heap(DefendedHeap):
    """The heap of step 4, which says when the quarantine of a block ends, and keeps it for WAIT frees of its size."""

    def __init__(self, architecture: Architecture, memory: TaggedMemory, base: int, size: int) -> None:
        super().__init__(architecture, memory, base, size)

    def say(self, label: str, address: int) -> None:
        """Given: who watches puts a function of theirs in its place. Call self.say("quarantine_end", address)."""

    def close(self) -> None:
        """The program is over: end what has not ended yet.

        Write this, and what else the property asks for.
        """
