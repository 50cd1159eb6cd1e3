"""The quarantine: freed blocks that may not be reused yet.

A block waits for two things, in either order. The architecture must say that no pointer to it works any more
(`Architecture.retire` reports it reusable), and at least `length` other blocks of its size class must have been freed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator

from capability.architecture import Range
from spec.error import Bug


class Quarantine:
    """Freed ranges by what they wait for; a block's size class is its usable size.

    length: how many other frees of its class a block sits out, at least 0.

    >>> quarantine = Quarantine(length=1)
    >>> quarantine.bury(0x1000, 64, [Range(0x1000, 0x1040)])
    []
    >>> quarantine.bury(0x2000, 64, [Range(0x2000, 0x2040)])
    [[0x1000, 0x1040)]
    """

    __slots__ = ("_classes", "_waits", "length")

    def __init__(self, length: int = 0) -> None:
        if length < 0:
            raise ValueError(f"quarantine of {length} blocks: must be at least 0")
        self.length = length
        self._classes: dict[int, deque[int]] = {}
        self._waits: dict[int, tuple[int, int]] = {}

    def bury(self, base: int, usable: int, retired: Iterable[Range]) -> list[Range]:
        """Take in a freed block, and what retiring it made reusable; say what may be reused now.

        Cost: O(1) and O(1) a range in `retired`.
        """
        self._waits[base] = (usable, 2)
        if self.length:
            queue = self._classes.setdefault(usable, deque())
            queue.append(base)
            outlived = queue.popleft() if len(queue) > self.length else None
        else:
            outlived = base
        released = [] if outlived is None else self._met(outlived)
        return released + self.retired(retired)

    def retired(self, ranges: Iterable[Range]) -> list[Range]:
        """Note what the architecture made reusable; say what may be reused now."""
        return [released for found in ranges for released in self._met(found.base)]

    def _met(self, base: int) -> list[Range]:
        """One of the two conditions of the block at `base` is met."""
        if base not in self._waits:
            raise Bug(f"{base:#x} is released from quarantine, but is not in it")
        usable, waits = self._waits.pop(base)
        if waits == 1:
            return [Range(base, base + usable)]
        self._waits[base] = (usable, waits - 1)
        return []

    def __iter__(self) -> Iterator[Range]:
        return (Range(base, base + usable) for base, (usable, _) in sorted(self._waits.items()))

    def copy(self) -> Quarantine:
        """An independent copy.  Cost: O(n)."""
        twin = Quarantine(self.length)
        twin._classes = {usable: queue.copy() for usable, queue in self._classes.items()}
        twin._waits = dict(self._waits)
        return twin

    def key(self) -> Hashable:
        """Equal when the same blocks wait for the same, in the same order in each class.  Cost: O(n)."""
        queues = frozenset((usable, tuple(queue)) for usable, queue in self._classes.items() if queue)
        return frozenset(self._waits.items()), queues

    def check(self) -> None:
        """Raise Bug unless each class holds back `length` blocks at most, all of them waiting.  Cost: O(n)."""
        for usable, queue in self._classes.items():
            if len(queue) > self.length:
                raise Bug(f"{len(queue)} blocks of {usable} bytes are held back, {self.length} at most may be")
            for base in queue:
                if self._waits.get(base, (0, 0))[0] != usable:
                    raise Bug(f"{base:#x} is held back as {usable} bytes, but waits as {self._waits.get(base)}")
