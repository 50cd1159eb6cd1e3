"""Heaps as students write them in other ways than the solutions; wrong ones are made of them by small changes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from exercises.solutions.step1_free_list import UNIT
from exercises.solutions.step1_free_list import Heap as FreeList


class Node:
    """A free range, and the next one in the list."""

    def __init__(self, start: int, end: int, following: Node | None = None) -> None:
        self.start, self.end, self.following = start, end, following


class Linked:
    """A linked list of free ranges, the one freed last at its head."""

    def __init__(self, base: int, size: int) -> None:
        self.head: Node | None = Node(base, base + size)
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        return self.aligned_alloc(UNIT, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        length = max(size + -size % UNIT, UNIT)
        before, node = None, self.head
        while node:
            address = node.start + -node.start % max(alignment, UNIT)
            if address + length <= node.end:
                rest = node.following
                if address + length < node.end:
                    rest = Node(address + length, node.end, rest)
                if node.start < address:
                    rest = Node(node.start, address, rest)
                if before:
                    before.following = rest
                else:
                    self.head = rest
                self.lengths[address] = length
                return address
            before, node = node, node.following
        return 0

    def free(self, address: int) -> None:
        if address:
            self.head = Node(address, address + self.lengths.pop(address), self.head)

    def usable_size(self, address: int) -> int:
        return self.lengths.get(address, 0)


class Headers:
    """Each block has a header of 16 bytes in the memory, which the exercise has no room for."""

    HEADER = 16

    def __init__(self, base: int, size: int) -> None:
        self.ranges = [(base, base + size)]
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        return self.aligned_alloc(UNIT, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        length = max(size + -size % UNIT, UNIT) + self.HEADER
        for index, (start, end) in enumerate(self.ranges):
            address = start + self.HEADER
            address += -address % max(alignment, UNIT)
            begin = address - self.HEADER
            if begin + length <= end:
                rest = [(start, begin), (begin + length, end)]
                self.ranges[index : index + 1] = [(low, high) for low, high in rest if low < high]
                self.lengths[address] = length
                return address
        return 0

    def free(self, address: int) -> None:
        if address:
            start = address - self.HEADER
            self.ranges.insert(0, (start, start + self.lengths.pop(address)))

    def usable_size(self, address: int) -> int:
        return max(self.lengths.get(address, 0) - self.HEADER, 0)


class BestFit(FreeList):
    """The shortest range in which the block fits."""

    def aligned_alloc(self, alignment: int, size: int) -> int:
        alignment, length = max(alignment, UNIT), max(size + -size % UNIT, UNIT)
        best = None
        for start, end in self.ranges:
            address = start + -start % alignment
            if end - address >= length and (best is None or end - start < best[1] - best[0]):
                best = start, end
        if best is None:
            return 0
        address = best[0] + -best[0] % alignment
        self.ranges.remove(best)
        self.ranges += [(low, high) for low, high in ((best[0], address), (address + length, best[1])) if low < high]
        self.lengths[address] = length
        return address


class ByLength(FreeList):
    """Lists of blocks of one length, behind a heap that is cut once."""

    def __init__(self, base: int, size: int) -> None:
        super().__init__(base, size)
        self.lists: dict[int, list[int]] = {}

    def aligned_alloc(self, alignment: int, size: int) -> int:
        length = max(size + -size % UNIT, UNIT)
        for address in self.lists.get(length, ()):
            if address % alignment == 0:
                self.lists[length].remove(address)
                self.lengths[address] = length
                return address
        return super().aligned_alloc(alignment, size)

    def free(self, address: int) -> None:
        if address:
            length = self.lengths.pop(address)
            self.lists.setdefault(length, []).append(address)


class Bitmap:
    """One bit for each unit; 1 is free. Neighbours are joined by nobody, and yet they are."""

    def __init__(self, base: int, size: int) -> None:
        self.base, self.units = base, size // UNIT
        self.unused = (1 << self.units) - 1
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        return self.aligned_alloc(UNIT, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        units = max(-(-size // UNIT), 1)
        if units > self.units:
            return 0
        mask = (1 << units) - 1
        at = -self.base % alignment // UNIT
        while at + units <= self.units:
            if self.unused >> at & mask == mask:
                self.unused &= ~(mask << at)
                address = self.base + at * UNIT
                self.lengths[address] = units * UNIT
                return address
            at += max(alignment // UNIT, 1)
        return 0

    def free(self, address: int) -> None:
        if address:
            units = self.lengths.pop(address) // UNIT
            self.unused |= ((1 << units) - 1) << (address - self.base) // UNIT

    def usable_size(self, address: int) -> int:
        return self.lengths.get(address, 0)


class Leaf:
    """A free range in a search tree."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.left: Leaf | None = None
        self.right: Leaf | None = None


class Tree:
    """A search tree of free ranges, ordered by address, and not balanced; first fit from the lowest address."""

    def __init__(self, base: int, size: int) -> None:
        self.root: Leaf | None = Leaf(base, base + size)
        self.lengths: dict[int, int] = {}

    def insert(self, leaf: Leaf) -> None:
        if self.root is None:
            self.root = leaf
            return
        at = self.root
        while True:
            side = "left" if leaf.start < at.start else "right"
            below: Leaf | None = getattr(at, side)
            if below is None:
                setattr(at, side, leaf)
                return
            at = below

    def remove(self, start: int) -> None:
        above, at = None, self.root
        while at and at.start != start:
            above, at = at, at.left if start < at.start else at.right
        assert at
        if at.left and at.right:
            parent, heir = at, at.right
            while heir.left:
                parent, heir = heir, heir.left
            at.start, at.end = heir.start, heir.end
            above, at = parent, heir
        below = at.left or at.right
        if above is None:
            self.root = below
        elif above.left is at:
            above.left = below
        else:
            above.right = below

    def walk(self) -> Iterator[tuple[int, int]]:
        stack: list[Leaf] = []
        at = self.root
        while stack or at:
            while at:
                stack.append(at)
                at = at.left
            at = stack.pop()
            yield at.start, at.end
            at = at.right

    def malloc(self, size: int) -> int:
        return self.aligned_alloc(UNIT, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        length = max(size + -size % UNIT, UNIT)
        for start, end in self.walk():
            address = start + -start % max(alignment, UNIT)
            if address + length <= end:
                self.remove(start)
                for low, high in ((start, address), (address + length, end)):
                    if low < high:
                        self.insert(Leaf(low, high))
                self.lengths[address] = length
                return address
        return 0

    def free(self, address: int) -> None:
        if not address:
            return
        start, end = address, address + self.lengths.pop(address)
        for low, high in [*self.walk()]:
            if high == start:
                self.remove(low)
                start = low
            elif low == end:
                self.remove(low)
                end = high
        self.insert(Leaf(start, end))

    def usable_size(self, address: int) -> int:
        return self.lengths.get(address, 0)


class Tagged(FreeList):
    """Boundary tags: where each free range ends, found at its beginning, and where it begins, found at its end."""

    def __init__(self, base: int, size: int) -> None:
        super().__init__(base, size)
        self.begins = {base: base + size}
        self.ends = {base + size: base}

    def add(self, start: int, end: int) -> None:
        self.begins[start] = end
        self.ends[end] = start

    def take(self, start: int) -> int:
        end = self.begins.pop(start)
        del self.ends[end]
        return end

    def aligned_alloc(self, alignment: int, size: int) -> int:
        length = max(size + -size % UNIT, UNIT)
        for start, end in sorted(self.begins.items()):
            address = start + -start % max(alignment, UNIT)
            if address + length <= end:
                self.take(start)
                if start < address:
                    self.add(start, address)
                if address + length < end:
                    self.add(address + length, end)
                self.lengths[address] = length
                return address
        return 0

    def free(self, address: int) -> None:
        if not address:
            return
        start, end = address, address + self.lengths.pop(address)
        if end in self.begins:
            end = self.take(end)
        if start in self.ends:
            low = self.ends[start]
            self.take(low)
            start = low
        self.add(start, end)


class Sorted(FreeList):
    """The list is in order of addresses, so that a free looks at two ranges alone."""

    def free(self, address: int) -> None:
        if not address:
            return
        start, end = address, address + self.lengths.pop(address)
        at = bisect_left(self.ranges, (start, end))
        if at < len(self.ranges) and self.ranges[at][0] == end:
            end = self.ranges.pop(at)[1]
        if at > 0 and self.ranges[at - 1][1] == start:
            at -= 1
            start = self.ranges.pop(at)[0]
        self.ranges.insert(at, (start, end))


class Late(FreeList):
    """Neighbours are joined when a request is refused, and not before."""

    def aligned_alloc(self, alignment: int, size: int) -> int:
        found = super().aligned_alloc(alignment, size)
        if found:
            return found
        joined: list[tuple[int, int]] = []
        for low, high in sorted(self.ranges):
            if joined and joined[-1][1] == low:
                joined[-1] = joined[-1][0], high
            else:
                joined.append((low, high))
        self.ranges = joined
        return super().aligned_alloc(alignment, size)
