"""Revocation: before memory is reused, every capability to it that is still around loses its tag.

Retiring a capability *paints* its range. A sweep then clears the tag of every capability in memory whose base points
into a painted range, and of every register that holds one; only then may the ranges be reused. Until the sweep a
stale capability still works, but it cannot reach anybody else's block.
Source: Cornucopia (IEEE S&P 2020); CheriBSD's mrs.c for painting and for the base, not the address, being tested.

A model in Python has its registers in Python variables, which no sweep can find. So each derivation for a block has a
number, its provenance, and the registers that a sweep clears are the values whose provenance it took: `current` is
how such a value reads after the sweep.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from typing import NamedTuple

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.memory import TaggedMemory
from capability.perms import Perms


class Sweep(NamedTuple):
    """The ranges that a sweep made safe, in the order they were painted, and the bytes it had to read."""

    reusable: tuple[Range, ...]
    swept_bytes: int


class Revocation:
    """Which provenances are valid, and which of them are painted."""

    __slots__ = ("_next", "_painted", "_valid", "painted_bytes")

    def __init__(self) -> None:
        self._next = 1
        self._valid: dict[int, Range] = {}
        self._painted: dict[int, Range] = {}
        self.painted_bytes = 0

    def issue(self, bounds: Range) -> int:
        """A provenance for a capability about to be derived for a block at `bounds`.  Cost: O(1)."""
        number, self._next = self._next, self._next + 1
        self._valid[number] = bounds
        return number

    def current(self, capability: Capability) -> Capability:
        """The register that holds `capability`, as it is now: with its tag cleared if a sweep took it.  Cost: O(1)."""
        if capability.tag and capability.provenance and capability.provenance not in self._valid:
            return capability.clear_tag()
        return capability

    def paint(self, capability: Capability) -> bool:
        """Mark the capability's range for the next sweep.  Cost: O(1).

        False, and nothing marked, if it was painted or swept before (this is the gate that lets one of two racing frees
        through), or if its bounds are not those of the block: a narrowed copy must not free a part.
        """
        number = capability.provenance
        if number in self._painted or self._valid.get(number) != capability.bounds:
            return False
        self._painted[number] = capability.bounds
        self.painted_bytes += capability.length
        return True

    def sweep(self, memory: TaggedMemory) -> Sweep:
        """Clear the tags of all capabilities to painted ranges, in memory and in registers.

        Pages without capabilities are not read. Holders of SW_VMEM are passed by: the allocator's own are among them.
        Cost: O(capabilities in memory * log(painted)).
        """
        if not self._painted:
            return Sweep((), 0)
        ranges = sorted(self._painted.values())
        bases = [painted.base for painted in ranges]
        pages = set()
        for at in memory.capability_addresses(memory.base, memory.top - memory.base):
            pages.add(at & -memory.page)
            held = memory.load_capability(at)
            assert isinstance(held, Capability), f"{held!r} at {at:#x} is not a capability"
            before = bisect_right(bases, held.base) - 1
            if before >= 0 and held.base < ranges[before].top and Perms.SW_VMEM not in held.rights:
                memory.clear_capability_tag(at)
        done = Sweep(tuple(self._painted.values()), len(pages) * memory.page)
        for number in self._painted:
            del self._valid[number]
        self._painted.clear()
        self.painted_bytes = 0
        return done

    def copy(self) -> Revocation:
        """An independent copy.  Cost: O(valid)."""
        twin = Revocation()
        twin._next = self._next
        twin._valid = dict(self._valid)
        twin._painted = dict(self._painted)
        twin.painted_bytes = self.painted_bytes
        return twin

    def key(self) -> Hashable:
        """What is painted; provenances are names, and names and order do not matter."""
        return frozenset(self._painted.values())
