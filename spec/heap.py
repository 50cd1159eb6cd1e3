"""The abstract heap: which blocks are live, and which were freed when.

It knows nothing of placement, metadata or memory contents; it is what a client may rely on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import NamedTuple

from sortedcontainers import SortedDict

from spec.error import Bug
from spec.event import NOT_OBSERVED


class Block(NamedTuple):
    """One generation of one block, from the reply that handed it out until its free.

    base: address. size: bytes requested. alignment: bytes requested, 0 when the request named none.
    usable: bytes the allocator reported as usable; NOT_OBSERVED when nobody looked (then use `extent`).
    id: number of the generation, from 1; an in-place realloc keeps it.
    thread, born: the thread and the event that the block was handed out to and by.
    """

    base: int
    size: int
    usable: int = NOT_OBSERVED
    alignment: int = 0
    id: int = 0
    thread: int = 0
    born: int = 0

    @property
    def extent(self) -> int:
        """Bytes that no other block may touch: the usable bytes, at least those requested, at least one.

        >>> Block(0x1000, 24, usable=32).extent, Block(0x1000, 24).extent, Block(0x1000, 0).extent
        (32, 24, 1)
        """
        return max(self.usable, self.size, 1)

    @property
    def top(self) -> int:
        """The first address behind the block (exclusive bound)."""
        return self.base + self.extent

    def __str__(self) -> str:
        usable = "" if self.usable == NOT_OBSERVED else f", usable {self.usable}"
        return f"block #{self.id} ({self.size} bytes at {self.base:#x}{usable})"


class Grave(NamedTuple):
    """A block that was given up: when, by which thread, and how many of its size class had been freed by then.

    freed: number of the event that freed it.
    certain: False when nobody can tell whether it is dead: the standard leaves open whether realloc(p, 0) freed
    it, or the allocator had handed out one of its bytes to another block.
    mark: frees of its size class that had ended when its own began.
    """

    block: Block
    freed: int
    thread: int = 0
    certain: bool = True
    mark: int = 0


class Heap:
    """The live blocks by base address, the last grave at each address, and how many blocks were freed so far.

    begun, ended: frees of a size class (its usable size) that have begun, and that have returned; they differ
    only while calls overlap in time. What was freed between two points is counted from them.

    >>> heap = Heap()
    >>> a = heap.insert(Block(0x1000, 24, usable=32))
    >>> heap.lookup(0x101f) == a, heap.lookup(0x1020)
    (True, None)
    >>> heap.overlapping(0x1010, 0x1030)
    [Block(base=4096, size=24, usable=32, alignment=0, id=1, thread=0, born=0)]
    """

    __slots__ = ("begun", "ended", "graves", "live", "next_id")

    def __init__(self) -> None:
        self.live: SortedDict[int, Block] = SortedDict()
        self.graves: dict[int, Grave] = {}
        self.begun: Counter[int] = Counter()
        self.ended: Counter[int] = Counter()
        self.next_id = 1

    def _repr_html_(self) -> str:
        """For notebooks: the blocks along their addresses."""
        from spec.heap_picture import picture

        return picture(self)

    def _repr_svg_(self) -> str:
        """The same where nobody says what the page looks like."""
        from spec.picture import alone

        return alone(self._repr_html_())

    def lookup(self, address: int) -> Block | None:
        """The live block that contains `address`, or None.  Cost: O(log n)."""
        block = self._at_or_below(address)
        return block if block is not None and address < block.top else None

    def overlapping(self, base: int, top: int) -> list[Block]:
        """The live blocks that share a byte with [base, top), by address.

        Cost: O(log n) and O(1) a block found: live blocks are disjoint, so only neighbours can reach in.
        """
        found = []
        below = self._at_or_below(base)
        if below is not None and below.top > base:
            found.append(below)
        for address in self.live.irange(base, top, inclusive=(False, False)):
            found.append(self.live[address])
        return found

    def insert(self, block: Block) -> Block:
        """Make `block` live and return it, numbered with a fresh id when it has none (id 0).

        Raises: Bug when a live block is in the way; the contract judges that before.  Cost: O(log n).
        """
        if self.overlapping(block.base, block.top):
            raise Bug(f"{block} would overlap {self.overlapping(block.base, block.top)[0]}")
        if not block.id:
            block = block._replace(id=self.next_id)
            self.next_id += 1
        self.live[block.base] = block
        return block

    def remove(self, base: int, freed: int = 0, thread: int = 0, *, certain: bool = True) -> Block:
        """End the life of the block at `base`: a free of it has begun, in event `freed` by `thread`.

        Raises: Bug when no live block starts there.  Cost: O(log n).
        """
        block: Block | None = self.live.pop(base, None)
        if block is None:
            raise Bug(f"no live block starts at {base:#x}")
        self.graves[base] = Grave(block, freed, thread, certain, self.ended[block.usable])
        self.begun[block.usable] += 1
        return block

    def settle(self, block: Block) -> None:
        """Note that the free of `block` has returned.  Cost: O(1)."""
        self.ended[block.usable] += 1

    def resize(self, base: int, *, size: int, usable: int) -> Block:
        """Change the size of the block at `base`, which stays the same generation.

        It is realloc's block from here on: a sized free of it names no alignment (ISO C23 7.24.3, free_sized).
        Raises: Bug when no block starts there or a live one is in the way.  Cost: O(log n).
        """
        old: Block | None = self.live.get(base)
        if old is None:
            raise Bug(f"no live block starts at {base:#x}")
        block = old._replace(size=size, usable=usable, alignment=0)
        if any(other.base != base for other in self.overlapping(base, block.top)):
            raise Bug(f"{block} would overlap {self.overlapping(base, block.top)[-1]}")
        self.live[base] = block
        return block

    def grave(self, address: int) -> Grave | None:
        """The most recently freed block that contained `address`, or None.

        Cost: O(1) for a base address, else O(graves): it is asked only to tell the story of a misuse.
        """
        exact = self.graves.get(address)
        if exact is not None:
            return exact
        found = [grave for grave in self.graves.values() if grave.block.base <= address < grave.block.top]
        return max(found, key=lambda grave: grave.freed, default=None)

    @property
    def live_bytes(self) -> int:
        """Bytes requested and not given up.  Cost: O(n)."""
        return sum(block.size for block in self.live.values())

    def copy(self) -> Heap:
        """An independent heap in the same state.  Cost: O(n); the blocks themselves are shared, being immutable."""
        twin = Heap()
        twin.live = self.live.copy()
        twin.graves = dict(self.graves)
        twin.begun = self.begun.copy()
        twin.ended = self.ended.copy()
        twin.next_id = self.next_id
        return twin

    def key(self) -> Hashable:
        """What tells this heap from others for every request to come: blocks renamed, history dropped.

        Two heaps whose live blocks occupy and promise the same have the same key, whatever their past. (A rule
        that looks back, as quarantine does, needs more; a model that has one adds what it remembers.)
        Cost: O(n).
        """
        return tuple((block.base, block.size, block.usable, block.alignment) for block in self.live.values())

    def check(self) -> None:
        """Raise Bug unless every invariant holds: keyed by base, inside the address space, disjoint, numbered.

        Cost: O(n).
        """
        last: Block | None = None
        ids = set()
        for base, block in self.live.items():
            if base != block.base:
                raise Bug(f"{block} is filed under {base:#x}")
            if last is not None and last.top > base:
                raise Bug(f"{last} overlaps {block}")
            if not 0 < block.id < self.next_id or block.id in ids:
                raise Bug(f"{block} has no id of its own below {self.next_id}")
            ids.add(block.id)
            last = block

    def _at_or_below(self, address: int) -> Block | None:
        for base in self.live.irange(None, address, reverse=True):
            found: Block = self.live[base]
            return found
        return None
