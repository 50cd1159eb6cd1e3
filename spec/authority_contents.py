"""What blocks hold: kept by the acceptor of authority to see whether bytes come back that nobody should reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.memory import TaggedMemory
from spec.event import RESIZING, Event

WORD = 8
"""Bytes that are compared together; one byte may be the same by chance."""


class Contents(NamedTuple):
    """What a part of a block holds: `data` from `offset` bytes into the block on, and the capabilities there.

    capabilities: by offset into the block.
    """

    offset: int
    data: bytes
    capabilities: Mapping[int, Capability]

    @classmethod
    def of(cls, memory: TaggedMemory, base: int, offset: int, top: int) -> Contents:
        """What [base + offset, top) holds now, as far as it is in memory; base: of the block.

        >>> memory = TaggedMemory()
        >>> memory.store(0x1008, b"secret")
        >>> Contents.of(memory, 0x1000, 8, 0x1010).data
        b'secret\\x00\\x00'
        """
        first, top = max(base + offset, memory.base), min(top, memory.top)
        if top <= first:
            return cls(offset, b"", {})
        found = {}
        for at in memory.capability_addresses(first, top - first):
            held = memory.load_capability(at)
            if isinstance(held, Capability):
                found[at - base] = held
        return cls(first - base, memory.load(first, top - first), found)

    def behind(self, offset: int) -> Contents | None:
        """The part of it from `offset` bytes into the block on; None when nothing is there."""
        cut = max(offset - self.offset, 0)
        if cut >= len(self.data):
            return None
        kept = {at: held for at, held in self.capabilities.items() if at >= offset}
        return Contents(self.offset + cut, self.data[cut:], kept)

    def shown(self, memory: TaggedMemory, base: int, top: int) -> int | None:
        """The offset of the first word of it that [base, top) shows again at the same offset, or None.

        A word of zeros tells nothing, and neither do fewer than four bytes.  Cost: O(length).
        """
        end = min(self.offset + len(self.data), top - base)
        if end <= self.offset or base + self.offset < memory.base or base + end > memory.top:
            return None
        for offset, held in self.capabilities.items():
            granule = memory.capability_granule
            if self.offset <= offset <= end - granule and (base + offset) % granule == 0:
                now = memory.load_capability(base + offset)
                if now is not None and now == held:
                    return offset
        now_there = memory.load(base + self.offset, end - self.offset)
        for start in range(0, len(now_there), WORD):
            word = self.data[start : start + WORD][: len(now_there) - start]
            if len(word) >= 4 and any(word) and now_there[start : start + len(word)] == word:
                return self.offset + start
        return None


class Held(NamedTuple):
    """A live block as its client holds it.

    capability: as it was handed out. bounds: its own, decoded once.
    lost: what realloc cut off behind its end, and the block has not had room for since.
    """

    capability: Capability
    bounds: Range
    lost: Contents | None = None


class Before(NamedTuple):
    """The block that a realloc is handed, as it was before the call.

    whole: its contents. hidden: those that the pointer handed in did not reach.
    """

    old: Held | None = None
    whole: Contents | None = None
    hidden: Contents | None = None

    @classmethod
    def of(cls, memory: TaggedMemory, event: Event, presented: Capability | None, old: Held | None) -> Before:
        if old is None or presented is None or event.function not in RESIZING:
            return cls()
        base, top = old.capability.bounds
        whole = Contents.of(memory, base, 0, top)
        reached = presented.top if presented.base == base else base
        hidden = Contents.of(memory, base, reached - base, top) if reached < top else None
        return cls(old, whole, hidden)

    def lost(self, length: int) -> Contents | None:
        """What the block has lost once it is `length` bytes long: the tail cut off now, and what was cut off before."""
        old, whole = self.old, self.whole
        if old is None or whole is None:
            return None
        earlier = old.lost
        if length >= old.capability.length:
            return None if earlier is None else earlier.behind(length)
        tail = whole.behind(length)
        if tail is None or earlier is None or earlier.offset != tail.offset + len(tail.data):
            return tail
        return Contents(tail.offset, tail.data + earlier.data, {**tail.capabilities, **earlier.capabilities})
