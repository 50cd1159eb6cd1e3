"""The free ranges of an arena: what a placement policy chooses from."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from sortedcontainers import SortedDict, SortedKeyList

from capability.architecture import Range
from capability.word import align_up
from spec.error import Bug


def _length_then_base(free: Range) -> tuple[int, int]:
    return free.top - free.base, free.base


class FreeRanges:
    """Disjoint free ranges inside [base, top), never empty and never adjacent: what touches is merged.

    >>> free = FreeRanges(0x1000, 0x2000)
    >>> free.take(0x1400, 0x100)
    >>> list(free)
    [[0x1000, 0x1400), [0x1500, 0x2000)]
    >>> free.give(0x1400, 0x100)
    >>> list(free)
    [[0x1000, 0x2000)]
    """

    __slots__ = ("_by_length", "_by_magnitude", "_tops", "base", "top")

    def __init__(self, base: int, top: int) -> None:
        if not 0 <= base <= top:
            raise ValueError(f"free range from {base:#x} to {top:#x}: 0 <= base <= top")
        self.base = base
        self.top = top
        self._tops: SortedDict[int, int] = SortedDict()
        self._by_length: SortedKeyList[Range] = SortedKeyList(key=_length_then_base)
        # By the bit length of their length: first fit looks only at ranges that are long enough, or nearly.
        self._by_magnitude: dict[int, SortedDict[int, int]] = {}
        if base < top:
            self._add(base, top)

    def __iter__(self) -> Iterator[Range]:
        """All free ranges, by address."""
        return (Range(base, top) for base, top in self._tops.items())

    def __len__(self) -> int:
        return len(self._tops)

    @property
    def total(self) -> int:
        """Free bytes.  Cost: O(n)."""
        return sum(top - base for base, top in self._tops.items())

    def covering(self, address: int) -> Range | None:
        """The free range that contains `address`, or None.  Cost: O(log n)."""
        for base in self._tops.irange(None, address, reverse=True):
            top = self._tops[base]
            return Range(base, top) if address < top else None
        return None

    def contains(self, base: int, size: int) -> bool:
        """True if all of [base, base + size) is free.  Cost: O(log n)."""
        free = self.covering(base)
        return free is not None and base + size <= free.top

    def between(self, low: int, high: int) -> Iterator[Range]:
        """The free parts of [low, high), by address.  Cost: O(log n + found)."""
        first = self.covering(low)
        if first is not None:
            yield Range(low, min(first.top, high))
        for base in self._tops.irange(low, high, inclusive=(False, False)):
            yield Range(base, min(self._tops[base], high))

    def first_fit(self, size: int, alignment: int, low: int = 0) -> int | None:
        """The lowest address at or above `low` where `size` bytes fit, or None.

        alignment: a power of two.  Cost: O(log n) when the alignment is that of every block; O(n) at worst.
        """
        best: int | None = None
        first = self.covering(low)
        if first is not None:
            at = align_up(low, alignment)
            if at + size <= first.top:
                return at
        for magnitude, tops in self._by_magnitude.items():
            if magnitude < size.bit_length():
                continue
            for base in tops.irange(low, best):
                at = align_up(base, alignment)
                if at + size <= tops[base]:
                    best = at  # not above the old best: that is aligned too, and base is not above it
                    break
        return best

    def at_least(self, size: int) -> Iterator[Range]:
        """The free ranges of `size` bytes or more, shortest first, then by address.  Cost: O(log n + found)."""
        found: Iterator[Range] = self._by_length.irange_key((size, 0), None)
        return found

    def take(self, base: int, size: int) -> None:
        """Remove [base, base + size), all of which must be free.  Raises Bug.  Cost: O(log n)."""
        free = self.covering(base)
        if free is None or size < 1 or base + size > free.top:
            raise Bug(f"{size} bytes at {base:#x} are taken, but not free")
        self._drop(free.base, free.top)
        if free.base < base:
            self._add(free.base, base)
        if base + size < free.top:
            self._add(base + size, free.top)

    def give(self, base: int, size: int) -> None:
        """Add [base, base + size), none of which may be free, and merge it with what touches it.

        Raises Bug.  Cost: O(log n).
        """
        top = base + size
        inside = self.base <= base < top <= self.top
        if not inside or any(True for _ in self.between(base, top)):
            raise Bug(f"{size} bytes at {base:#x} are given back, but they are free already or outside the arena")
        before = self.covering(base - 1)
        if before is not None:
            self._drop(*before)
            base = before.base
        behind: int | None = self._tops.get(top)
        if behind is not None:
            self._drop(top, behind)
            top = behind
        self._add(base, top)

    def copy(self) -> FreeRanges:
        """An independent copy.  Cost: O(n)."""
        twin = FreeRanges(self.base, self.base)
        twin.top = self.top
        for base, top in self._tops.items():
            twin._add(base, top)
        return twin

    def key(self) -> Hashable:
        """Equal for equal sets of free ranges.  Cost: O(n)."""
        return tuple(self._tops.items())

    def check(self) -> None:
        """Raise Bug unless the ranges are ordered, apart and inside, and the three indexes agree.  Cost: O(n log n)."""
        last: int | None = None
        for base, top in self._tops.items():
            if not self.base <= base < top <= self.top:
                raise Bug(f"free range {Range(base, top)} is empty or outside {Range(self.base, self.top)}")
            if last is not None and base <= last:
                raise Bug(f"free range {Range(base, top)} touches the one that ends at {last:#x}")
            last = top
        ranges = list(self)
        if list(self._by_length) != sorted(ranges, key=_length_then_base):
            raise Bug("the index by length differs from the free ranges")
        magnitudes = {(m, b, t) for m, tops in self._by_magnitude.items() for b, t in tops.items()}
        if magnitudes != {((free.top - free.base).bit_length(), *free) for free in ranges}:
            raise Bug("the index by magnitude differs from the free ranges")

    def _add(self, base: int, top: int) -> None:
        self._tops[base] = top
        self._by_length.add(Range(base, top))
        magnitude = (top - base).bit_length()
        tops = self._by_magnitude.get(magnitude)
        if tops is None:
            tops = self._by_magnitude[magnitude] = SortedDict()
        tops[base] = top

    def _drop(self, base: int, top: int) -> None:
        del self._tops[base]
        self._by_length.remove(Range(base, top))
        del self._by_magnitude[(top - base).bit_length()][base]
