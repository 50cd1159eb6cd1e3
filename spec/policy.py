"""Placement policies: where a block goes, as pure functions over the free ranges.

A policy answers two questions: how many bytes a request really gets, and where they may be. `place` gives the one
address that the policy takes; `candidates` lists every address that a policy of its kind could take, which is what
the exploration of all behaviours branches on. `place` is always among the candidates.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from capability.word import align_down, align_up
from spec.free import FreeRanges

UNIT = 16
"""Every block begins at a multiple of 16 bytes and has one for its usable size: the fundamental alignment."""
PAGE = 4096


class Policy(Protocol):
    """Rounds requests, and chooses among free ranges."""

    def usable(self, size: int, alignment: int) -> int:
        """The usable size of a block for `size` bytes: at least `size`, at least 16, a multiple of 16."""

    def place(self, free: FreeRanges, usable: int, alignment: int) -> int | None:
        """The address that the policy takes, a multiple of `alignment` with `usable` free bytes, or None."""

    def candidates(self, free: FreeRanges, usable: int, alignment: int) -> list[int]:
        """Every address that a policy of this kind may take, in ascending order; empty when there is none."""


def _whole_units(size: int) -> int:
    return align_up(max(size, 1), UNIT)


@dataclass(frozen=True, slots=True)
class FirstFit:
    """The lowest address where the block fits.

    >>> FirstFit().place(FreeRanges(0x1010, 0x2000), 0x100, 0x100)
    4352
    """

    def usable(self, size: int, alignment: int) -> int:
        """The size in whole units of 16 bytes."""
        return _whole_units(size)

    def place(self, free: FreeRanges, usable: int, alignment: int) -> int | None:
        """Cost: O(log n) for ordinary alignments."""
        return free.first_fit(usable, alignment)

    def candidates(self, free: FreeRanges, usable: int, alignment: int) -> list[int]:
        """One at most: there is one lowest address."""
        at = free.first_fit(usable, alignment)
        return [] if at is None else [at]


@dataclass(frozen=True, slots=True)
class BestFit:
    """The start of the shortest free range in which the block fits; the lowest of several equally short.

    >>> free = FreeRanges(0x1000, 0x2000)
    >>> free.take(0x1100, 0x10)
    >>> BestFit().place(free, 0x40, 16), BestFit().place(free, 0x200, 16)
    (4096, 4368)
    """

    def usable(self, size: int, alignment: int) -> int:
        """The size in whole units of 16 bytes."""
        return _whole_units(size)

    def place(self, free: FreeRanges, usable: int, alignment: int) -> int | None:
        """Cost: O(log n) for ordinary alignments."""
        for found in free.at_least(usable):
            at = align_up(found.base, alignment)
            if at + usable <= found.top:
                return at
        return None

    def candidates(self, free: FreeRanges, usable: int, alignment: int) -> list[int]:
        """One for each of the equally short ranges."""
        fitting: list[int] = []
        shortest = 0
        for found in free.at_least(usable):
            length = found.top - found.base
            if fitting and length > shortest:
                break
            at = align_up(found.base, alignment)
            if at + usable <= found.top:
                fitting.append(at)
                shortest = length
        return fitting


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Any aligned address at which the block fits: the policy that every other one refines.

    For exploring small arenas; `place` is first fit.

    >>> Anywhere().candidates(FreeRanges(0x1000, 0x1040), 32, 16)
    [4096, 4112, 4128]
    """

    def usable(self, size: int, alignment: int) -> int:
        """The size in whole units of 16 bytes."""
        return _whole_units(size)

    def place(self, free: FreeRanges, usable: int, alignment: int) -> int | None:
        """Cost: O(log n) for ordinary alignments."""
        return free.first_fit(usable, alignment)

    def candidates(self, free: FreeRanges, usable: int, alignment: int) -> list[int]:
        """Cost: O(free bytes / alignment)."""
        return [
            at
            for found in free
            for at in range(align_up(found.base, alignment), found.top - usable + 1, max(alignment, UNIT))
        ]


def default_classes() -> tuple[int, ...]:
    """Multiples of 16 up to 128, then four classes to each doubling up to 32 KiB: at most a quarter is rounding.

    >>> default_classes()[6:14]
    (112, 128, 160, 192, 224, 256, 320, 384)
    """
    small = range(16, 129, 16)
    larger = (power + step * power // 4 for power in (128 << n for n in range(8)) for step in (1, 2, 3, 4))
    return (*small, *larger)


@dataclass(frozen=True, slots=True)
class SegregatedSizeClasses:
    """One region of the arena for each size class, so that a slot's class follows from its address.

    The regions share the lower half of the arena equally and are cut into slots; what is larger than every class, or
    finds its region full, goes first fit into the upper half. Memory of one class is never reused for another, as in
    hardened_malloc: https://github.com/GrapheneOS/hardened_malloc#core-design.

    classes: slot sizes, ascending multiples of 16. large_unit: blocks above the last class are whole multiples of it.

    >>> policy = SegregatedSizeClasses(classes=(16, 64))
    >>> free = FreeRanges(0x10000, 0x20000)
    >>> [hex(policy.place(free, policy.usable(size, 16), 16)) for size in (10, 20, 1000)]
    ['0x10000', '0x14000', '0x18000']
    """

    classes: tuple[int, ...] = default_classes()
    large_unit: int = PAGE

    def __post_init__(self) -> None:
        if not self.classes or list(self.classes) != sorted(set(self.classes)):
            raise ValueError(f"size classes {self.classes}: there must be some, each larger than the one before")
        for number in (*self.classes, self.large_unit):
            if number < UNIT or number % UNIT:
                raise ValueError(f"slots of {number} bytes: must be a positive multiple of {UNIT}")

    def usable(self, size: int, alignment: int) -> int:
        """The smallest class that holds `size` and whose slots are all aligned; else whole large units."""
        for slot in self.classes[bisect_left(self.classes, size) :]:
            if alignment <= UNIT or slot % alignment == 0:
                return slot
        return -(-max(size, 1) // self.large_unit) * self.large_unit

    def place(self, free: FreeRanges, usable: int, alignment: int) -> int | None:
        """Cost: O(log n) for ordinary alignments."""
        for at in self._slots(free, usable, alignment):
            return at
        return free.first_fit(usable, alignment, self._large_base(free))

    def candidates(self, free: FreeRanges, usable: int, alignment: int) -> list[int]:
        """Every free slot of the class; the upper half only when there is none.  Cost: O(free slots)."""
        slots = list(self._slots(free, usable, alignment))
        if slots:
            return slots
        at = free.first_fit(usable, alignment, self._large_base(free))
        return [] if at is None else [at]

    def _share(self, free: FreeRanges) -> int:
        """Bytes of one class's region: in whole pages, unless the arena is too small for that."""
        share = (free.top - free.base) // 2 // len(self.classes)
        return align_down(share, PAGE if share >= PAGE else UNIT)

    def _large_base(self, free: FreeRanges) -> int:
        return free.base + self._share(free) * len(self.classes)

    def _slots(self, free: FreeRanges, slot: int, alignment: int) -> Iterator[int]:
        """The free slots of the class, by address; none when `slot` is not the size of a class."""
        number = bisect_left(self.classes, slot)
        if number == len(self.classes) or self.classes[number] != slot:
            return
        share = self._share(free)
        low = free.base + number * share
        for part in free.between(low, low + share):
            first = low + -(-(part.base - low) // slot) * slot
            yield from (at for at in range(first, part.top - slot + 1, slot) if at % alignment == 0)
