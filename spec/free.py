"""The free ranges of an arena: what a placement policy chooses from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterator

from capability.architecture import Range
from capability.word import align_up
from spec.error import Bug


def _length_class(length: int) -> int:
    """Two classes to each doubling; never lower for a longer range.

    >>> [_length_class(length) for length in (16, 32, 48, 64, 80, 96)]
    [9, 11, 12, 13, 13, 14]
    """
    return (length * length).bit_length()


class FreeRanges:
    """Disjoint free ranges inside [base, top), never empty and never adjacent: what touches is merged.

    Every index is a sorted list: to find a place in one takes O(log n) comparisons, and to insert there moves what is
    behind it, a word a range, which for a hundred thousand ranges still costs less than a tree does.

    >>> free = FreeRanges(0x1000, 0x2000)
    >>> free.take(0x1400, 0x100)
    >>> list(free)
    [[0x1000, 0x1400), [0x1500, 0x2000)]
    >>> free.give(0x1400, 0x100)
    >>> list(free)
    [[0x1000, 0x2000)]
    """

    __slots__ = ("_bases", "_by_class", "_by_length", "_tops", "base", "top")

    def __init__(self, base: int, top: int) -> None:
        if not 0 <= base <= top:
            raise ValueError(f"free range from {base:#x} to {top:#x}: 0 <= base <= top")
        self.base = base
        self.top = top
        self._bases: list[int] = []
        self._tops: dict[int, int] = {}
        # The bases of the ranges of a class of lengths: first fit looks only at what is long enough, or nearly.
        self._by_class: dict[int, list[int]] = {}
        # Lengths and bases, from the first `at_least` on: most policies never ask.
        self._by_length: list[tuple[int, int]] | None = None
        if base < top:
            self._exchange(0, 0, (base, top))

    def __iter__(self) -> Iterator[Range]:
        """All free ranges, by address."""
        return (Range(base, self._tops[base]) for base in self._bases)

    def __len__(self) -> int:
        return len(self._bases)

    @property
    def total(self) -> int:
        """Free bytes.  Cost: O(n)."""
        return sum(self._tops.values()) - sum(self._bases)

    def covering(self, address: int) -> Range | None:
        """The free range that contains `address`, or None.  Cost: O(log n)."""
        place = bisect_right(self._bases, address)
        if not place:
            return None
        base = self._bases[place - 1]
        top = self._tops[base]
        return Range(base, top) if address < top else None

    def contains(self, base: int, size: int) -> bool:
        """True if all of [base, base + size) is free.  Cost: O(log n)."""
        free = self.covering(base)
        return free is not None and base + size <= free.top

    def between(self, low: int, high: int) -> Iterator[Range]:
        """The free parts of [low, high), by address.  Cost: O(log n + found)."""
        first = self.covering(low)
        if first is not None:
            yield Range(low, min(first.top, high))
        for place in range(bisect_right(self._bases, low), bisect_left(self._bases, high)):
            base = self._bases[place]
            yield Range(base, min(self._tops[base], high))

    def first_fit(self, size: int, alignment: int, low: int = 0) -> int | None:
        """The lowest address at or above `low` where `size` bytes fit, or None.

        alignment: a power of two.  Cost: O(log n), but for ranges of the size's own class that are too short, and
        those that are not aligned: all are looked at that lie below the answer.
        """
        first = self.covering(low) if low > self.base else None
        if first is not None:
            at = align_up(low, alignment)
            if at + size <= first.top:
                return at
        best: int | None = None
        wanted, tops = _length_class(size), self._tops
        for number, bases in self._by_class.items():
            if number < wanted:
                continue
            for base in bases[bisect_left(bases, low) :] if low > self.base else bases:
                if best is not None and base >= best:
                    break
                at = (base + alignment - 1) & -alignment
                if at + size <= tops[base]:
                    best = at  # not above the old best: that is aligned too, and base is not above it
                    break
        return best

    def at_least(self, size: int) -> Iterator[Range]:
        """The free ranges of `size` bytes or more, shortest first, then by address.  Cost: O(log n + found)."""
        if self._by_length is None:
            self._by_length = sorted((top - base, base) for base, top in self._tops.items())
        for place in range(bisect_left(self._by_length, (size, 0)), len(self._by_length)):
            length, base = self._by_length[place]
            yield Range(base, base + length)

    def take(self, base: int, size: int) -> None:
        """Remove [base, base + size), all of which must be free.  Raises Bug.  Cost: O(log n), and words moved."""
        place = bisect_right(self._bases, base) - 1
        first = self._bases[place] if place >= 0 else base
        top, end = self._tops.get(first, base), base + size
        if size < 1 or end > top:
            raise Bug(f"{size} bytes at {base:#x} are taken, but not free")
        left = [(first, base)] if first < base else []
        if end < top:
            left.append((end, top))
        self._exchange(place, 1, *left)

    def give(self, base: int, size: int) -> None:
        """Add [base, base + size), none of which may be free, and merge it with what touches it.

        Raises Bug.  Cost: O(log n), and words moved.
        """
        low, high = base, base + size
        place = bisect_left(self._bases, base)
        before = self._tops[self._bases[place - 1]] if place else -1
        behind = self._bases[place] if place < len(self._bases) else self.top + 1
        if not self.base <= low < high <= self.top or before > low or behind < high:
            raise Bug(f"{size} bytes at {base:#x} are given back, but they are free already or outside the arena")
        count = 0
        if behind == high:
            high = self._tops[behind]
            count = 1
        if before == low:
            place -= 1
            low = self._bases[place]
            count += 1
        self._exchange(place, count, (low, high))

    def copy(self) -> FreeRanges:
        """An independent copy.  Cost: O(n)."""
        twin = FreeRanges(self.base, self.base)
        twin.top = self.top
        twin._bases, twin._tops = self._bases.copy(), self._tops.copy()
        twin._by_class = {number: bases.copy() for number, bases in self._by_class.items()}
        twin._by_length = None if self._by_length is None else self._by_length.copy()
        return twin

    def key(self) -> Hashable:
        """Equal for equal sets of free ranges.  Cost: O(n)."""
        return tuple((base, self._tops[base]) for base in self._bases)

    def check(self) -> None:
        """Raise Bug unless the ranges are ordered, apart and inside, and the indexes agree.  Cost: O(n log n)."""
        last: int | None = None
        for base, top in self:
            if not self.base <= base < top <= self.top:
                raise Bug(f"free range {Range(base, top)} is empty or outside {Range(self.base, self.top)}")
            if last is not None and base <= last:
                raise Bug(f"free range {Range(base, top)} touches the one that ends at {last:#x}")
            last = top
        if self._tops.keys() != set(self._bases):
            raise Bug("the tops are not those of the free ranges")
        if self._by_length not in (None, sorted((top - base, base) for base, top in self)):
            raise Bug("the index by length differs from the free ranges")
        classes = {number: bases for number, bases in self._by_class.items() if bases}
        if classes != {
            number: [base for base, top in self if _length_class(top - base) == number]
            for number in {_length_class(top - base) for base, top in self}
        }:
            raise Bug("the index by classes of lengths differs from the free ranges")

    def _exchange(self, place: int, count: int, *ranges: tuple[int, int]) -> None:
        """Put ranges in the place of the `count` ranges from number `place` on."""
        for base in self._bases[place : place + count]:
            length = self._tops.pop(base) - base
            bases = self._by_class[_length_class(length)]
            del bases[bisect_left(bases, base)]
            if self._by_length is not None:
                del self._by_length[bisect_left(self._by_length, (length, base))]
        self._bases[place : place + count] = [base for base, _ in ranges]
        for base, top in ranges:
            self._tops[base] = top
            insort(self._by_class.setdefault(_length_class(top - base), []), base)
            if self._by_length is not None:
                insort(self._by_length, (top - base, base))
