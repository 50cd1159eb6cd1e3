# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: autotestdict=False, auto_pickle=False, embedsignature=True, freethreading_compatible=False
"""The compiled acceptor's heap: what is live, what was freed, and what is in quarantine, in flat memory.

CompiledHeap is its face, through which the readable acceptor works on it (m4alloc.check.accept gives it the form of
spec.heap and spec.reuse). What it does is in _accept_map, _accept_tiles and _accept_life.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, qsort

from m4alloc._accept_life cimport *
from m4alloc._accept_life cimport bury as bury_block, settle as settle_class, too_young as first_young
from m4alloc._accept_map cimport *
from m4alloc._accept_tiles cimport *
from m4alloc._accept_types cimport *

from spec.error import Bug
from spec.heap import Block as _Block, Grave as _Grave

cdef object new = tuple.__new__
cdef object TOP = 1 << 64


cdef struct Freed:
    uint64_t freed
    uint64_t id
    uint32_t place


cdef int by_freed(const void *one, const void *other) noexcept nogil:
    cdef const Freed *a = <const Freed *>one
    cdef const Freed *b = <const Freed *>other
    if a.freed != b.freed:
        return -1 if a.freed < b.freed else 1
    return -1 if a.id < b.id else 1 if a.id > b.id else 0


cdef inline uint64_t last_of(object top) except? 0:
    """The last byte below `top`, which may lie beyond the address space."""
    return <uint64_t>(min(top, TOP) - 1)


cdef object block_of(uint64_t base, const Block *block):
    return new(_Block, (base, block.size, block.usable, block.alignment, block.id, block.thread, block.born))


cdef class CompiledHeap:
    """A heap with its tiles and its window of quarantine in flat memory."""

    def __cinit__(self):
        if not open_heap(&self.heap):
            raise MemoryError
        self.shown = {}

    def __dealloc__(self):
        close_heap(&self.heap)

    def __len__(self):
        return self.heap.live

    @property
    def next_id(self) -> int:
        return self.heap.next_id

    cdef int sound(self) except -1:
        if self.heap.failed:
            raise MemoryError
        return 0

    cdef object show(self, uint32_t place):
        """The live block of a place: the same object as long as the block is the same."""
        cdef Place *at = &self.heap.places[place]
        cdef Block block
        if at.flags & SHOWN:
            return self.shown[at.base]
        read_block(at, &block)
        shown = block_of(at.base, &block)
        self.shown[at.base] = shown
        at.flags |= SHOWN
        return shown

    cdef object grave_of(self, uint32_t place):
        cdef Place *at = &self.heap.places[place]
        dead = block_of(at.base, &at.dead)
        return new(_Grave, (dead, at.freed, at.dead.by, bool(at.flags & CERTAIN), at.mark))

    cdef uint32_t enter(self, uint64_t base) except 0:
        """The place at `base`, a new one when there is none."""
        cdef uint32_t place = index_of(&self.heap, base)
        if place == 0:
            place = add_place(&self.heap, base)
            self.sound()
        return place

    # What spec.heap.Heap can do.

    def get(self, uint64_t base):
        """The live block that starts at `base`, or None."""
        cdef uint32_t place = index_of(&self.heap, base)
        return self.show(place) if self.heap.places[place].flags & LIVE else None

    def discard(self, uint64_t base):
        """Forget the live block at `base`; whether there was one."""
        cdef Place *at = find(&self.heap, base)
        if not at.flags & LIVE:
            return False
        at.flags &= ~<uint32_t>(LIVE | SHOWN)
        self.heap.live -= 1
        return True

    def discard_born(self, uint64_t base, uint64_t born) -> None:
        """Forget the live block at `base` if event `born` handed it out."""
        if find(&self.heap, base).born == born:
            self.discard(base)

    def bases(self) -> list[int]:
        """Where live blocks start, in order of address."""
        cdef list found = []
        cdef uint32_t number, index
        cdef Place *at
        for number in range(self.heap.chunk_count):
            for index in range(self.heap.chunks[number].count):
                at = &self.heap.places[self.heap.chunks[number].places[index]]
                if at.flags & LIVE:
                    found.append(at.base)
        return found

    def lookup(self, uint64_t address):
        """The live block that contains `address`, or None."""
        cdef uint32_t place = holder(&self.heap, address)
        return self.show(place) if place else None

    def overlapping(self, uint64_t base, top) -> list:
        """The live blocks that share a byte with [base, top), by address."""
        cdef list found = []
        cdef Spot spot
        cdef Place *at
        cdef uint64_t last
        cdef bint empty = top <= base
        last = base if empty else last_of(top)
        if not start_at(&self.heap, base, &spot):
            return found
        while True:
            at = &self.heap.places[tile(&self.heap, spot)]
            if at.base > last:
                return found
            if at.flags & LIVE and end_of(at) >= base:
                found.append(self.show(tile(&self.heap, spot)))
            if not step(&self.heap, &spot):
                return found

    def insert(self, block):
        """Make `block` live and return it, numbered with a fresh id when it has none. Raises Bug: one is in the way."""
        cdef uint64_t base = block.base
        cdef uint32_t place
        cdef Place *at
        others = self.overlapping(base, block.top)
        if others:
            raise Bug(f"{block} would overlap {others[0]}")
        if not block.id:
            block = block._replace(id=self.heap.next_id)
            self.heap.next_id += 1
        place = self.enter(base)
        if not claim(&self.heap, place, last_of(block.top)):
            raise Bug(f"{block} would lie in a block in quarantine")
        self.sound()
        at = &self.heap.places[place]
        at.size = block.size
        at.usable = block.usable
        at.alignment = block.alignment
        at.id = block.id
        at.born = block.born
        at.thread = block.thread
        at.flags |= LIVE | SHOWN
        self.heap.live += 1
        self.shown[base] = block
        return block

    def remove(self, uint64_t base, uint64_t freed, uint32_t thread, bint certain):
        """End the life of the block at `base`. Raises Bug: none starts there."""
        cdef uint32_t place = index_of(&self.heap, base)
        if not self.heap.places[place].flags & LIVE:
            raise Bug(f"no live block starts at {base:#x}")
        block = self.show(place)
        die(&self.heap, place, freed, thread, certain)
        self.sound()
        return block

    def settle(self, int64_t usable) -> None:
        """Note that the free of a block with so many usable bytes has returned."""
        settle_class(&self.heap, usable)
        self.sound()

    def resize(self, uint64_t base, uint64_t size, int64_t usable):
        """Change the size of the block at `base`. Raises Bug: none starts there, or one is in the way."""
        cdef uint32_t place = index_of(&self.heap, base)
        if not self.heap.places[place].flags & LIVE:
            raise Bug(f"no live block starts at {base:#x}")
        block = self.show(place)._replace(size=size, usable=usable, alignment=0)
        others = [other for other in self.overlapping(base, block.top) if other.base != base]
        if others:
            raise Bug(f"{block} would overlap {others[len(others) - 1]}")
        if self.heap.places[place].last < last_of(block.top) and not claim(&self.heap, place, last_of(block.top)):
            raise Bug(f"{block} would lie in a block in quarantine")
        self.sound()
        resized(&self.heap.places[place], size, usable)
        return self.show(place)

    def grave_at(self, uint64_t base):
        """The last block that started at `base` and was given up, or None."""
        cdef uint32_t place = index_of(&self.heap, base)
        return self.grave_of(place) if self.heap.places[place].flags & BURIED else None

    def grave(self, uint64_t address):
        """The block that contained `address` and was given up last, or None."""
        cdef uint32_t place = index_of(&self.heap, address), found = 0
        cdef Place *at
        if self.heap.places[place].flags & BURIED:
            return self.grave_of(place)
        for place in range(1, self.heap.count):
            at = &self.heap.places[place]
            if at.flags & BURIED and at.base <= address and address <= end_of_dead(at):
                if found == 0 or at.freed > self.heap.places[found].freed:
                    found = place
        return self.grave_of(found) if found else None

    def graves(self) -> dict:
        """The last grave at each base that has one."""
        cdef uint32_t place
        return {self.heap.places[place].base: self.grave_of(place) for place in range(1, self.heap.count)
                if self.heap.places[place].flags & BURIED}

    def frees(self) -> tuple:
        """How many frees of each usable size have begun, and how many have returned."""
        cdef uint32_t number
        cdef dict begun = {}, ended = {}
        for number in range(self.heap.class_count):
            if self.heap.classes[number].begun:
                begun[self.heap.classes[number].usable] = self.heap.classes[number].begun
            if self.heap.classes[number].ended:
                ended[self.heap.classes[number].usable] = self.heap.classes[number].ended
        return begun, ended

    def adopt(self, blocks, graves, dict begun, dict ended, uint64_t next_id) -> None:
        """Take over what a heap holds; this one is empty. Raises OverflowError, ValueError: it cannot be held here."""
        cdef uint32_t place
        cdef Place *at
        cdef Class *one
        for base, grave in graves:
            block = grave.block
            if block.base != base or last_of(block.top) != block.top - 1 or grave.mark < 0:
                raise ValueError(f"{block} lies nowhere")
            place = self.enter(base)
            at = &self.heap.places[place]
            at.dead.size = block.size
            at.dead.usable = block.usable
            at.dead.alignment = block.alignment
            at.dead.id = block.id
            at.dead.born = block.born
            at.dead.thread = block.thread
            at.freed = grave.freed
            at.mark = grave.mark
            at.dead.by = grave.thread
            at.flags |= BURIED | (CERTAIN if grave.certain else 0)
        for base, block in blocks:
            if block.base != base or last_of(block.top) != block.top - 1 or not block.id or block.size >> 63:
                raise ValueError(f"{block} lies nowhere")
            self.insert(block)
        for usable, number in begun.items():
            one = class_of(&self.heap, usable)
            self.sound()
            one.begun = number
        for usable, number in ended.items():
            one = class_of(&self.heap, usable)
            self.sound()
            one.ended = number
        self.heap.next_id = next_id

    def copy(self) -> CompiledHeap:
        """An independent heap in the same state."""
        cdef CompiledHeap twin = CompiledHeap()
        close_heap(&twin.heap)
        if not copy_heap(&twin.heap, &self.heap):
            raise MemoryError
        return twin

    # What spec.reuse.ReuseWindow can do.

    def open_window(self, int64_t length, uint64_t limit) -> None:
        """Put the graves that lie free in quarantine, in the order in which they were dug, and no others."""
        cdef uint32_t number, place, count = 0
        cdef Place *at
        cdef Freed *all
        for number in range(self.heap.class_count):
            self.heap.classes[number].head = 0
            self.heap.classes[number].waiting = 0
        for place in range(1, self.heap.count):
            self.heap.places[place].flags &= ~<uint32_t>YOUNG
        self.heap.quarantine = length
        self.heap.limit = limit
        if not length:
            return
        all = <Freed *>malloc(self.heap.count * sizeof(Freed))
        if all == NULL:
            raise MemoryError
        for place in range(1, self.heap.count):
            at = &self.heap.places[place]
            if at.flags & BURIED:
                all[count].freed = at.freed
                all[count].id = at.dead.id
                all[count].place = place
                count += 1
        qsort(all, count, sizeof(Freed), by_freed)
        for number in range(count):
            place = all[number].place
            at = &self.heap.places[place]
            if not at.flags & LIVE and claim(&self.heap, place, end_of_dead(at)):
                bury_block(&self.heap, place)
        free(all)
        self.sound()

    def continue_window(self, int64_t length, uint64_t limit, young) -> None:
        """Take over the graves that are in quarantine, oldest first. Raises ValueError: they cannot be held here."""
        cdef uint32_t place
        self.open_window(0, limit)
        self.heap.quarantine = length
        for grave in young:
            place = index_of(&self.heap, grave.block.base)
            if (not self.heap.places[place].flags & BURIED or self.grave_of(place) != grave
                    or self.heap.places[place].flags & LIVE
                    or not claim(&self.heap, place, end_of_dead(&self.heap.places[place]))):
                raise ValueError(f"{grave.block} is in quarantine, though its place is taken")
            bury_block(&self.heap, place)
            if not self.heap.places[place].flags & YOUNG:
                raise ValueError(f"{grave.block} is in quarantine, though its time has passed")
        self.sound()

    def young(self) -> list:
        """The graves in quarantine, oldest first."""
        cdef uint32_t number, index
        cdef Class *one
        cdef Buried *buried
        cdef list found = []
        for number in range(self.heap.class_count):
            one = &self.heap.classes[number]
            for index in range(one.waiting):
                buried = &one.queue[(one.head + index) & (one.room - 1)]
                if self.heap.places[buried.place].flags & YOUNG and self.heap.places[buried.place].dead.id == buried.id:
                    found.append(self.grave_of(buried.place))
        found.sort(key=_age)
        return found

    def count_frees(self, bint counts) -> None:
        """Whether frees are counted by size class; only quarantine and the graves that others see need that."""
        self.heap.counts = counts

    def bury(self, uint64_t base) -> None:
        """Start the quarantine of the block at `base`, which has just been removed."""
        bury_block(&self.heap, index_of(&self.heap, base))
        self.sound()

    def too_young(self, uint64_t base, top):
        """The first grave in [base, top) that may not be reused yet, or None."""
        cdef uint32_t place = first_young(&self.heap, base, last_of(max(top, base + 1)))
        return self.grave_of(place) if place else None

    def since(self, int64_t usable) -> int:
        """Frees of that size class that have begun."""
        cdef Class *one = class_of(&self.heap, usable)
        self.sound()
        return one.begun

    def forget(self, uint64_t base, top) -> None:
        """Drop every grave in [base, top) out of quarantine."""
        cdef uint64_t last = last_of(max(top, base + 1))
        cdef uint32_t place = first_young(&self.heap, base, last)
        while place:
            self.heap.places[place].flags &= ~<uint32_t>YOUNG
            place = first_young(&self.heap, base, last)

    def check(self) -> None:
        """Raise Bug unless tiles are in order, disjoint, and cover each live block and young grave; O(n)."""
        cdef uint32_t number, index, place, tiles = 0, marked = 0
        cdef uint64_t live = 0
        cdef Place *at
        cdef object last = -1
        for number in range(self.heap.chunk_count):
            if self.heap.chunks[number].count == 0 and self.heap.chunk_count > 1:
                raise Bug(f"chunk {number} is empty")
            if self.heap.chunks[number].count and self.heap.firsts[number] != self.heap.chunks[number].bases[0]:
                raise Bug(f"chunk {number} begins elsewhere")
            for index in range(self.heap.chunks[number].count):
                place = self.heap.chunks[number].places[index]
                at = &self.heap.places[place]
                tiles += 1
                if at.base != self.heap.chunks[number].bases[index] or not at.flags & TILE:
                    raise Bug(f"the tile at {at.base:#x} is filed elsewhere")
                if not last < at.base <= at.last:
                    raise Bug(f"the tile [{at.base:#x}, {at.last:#x}] overlaps the one before, which ends at {last:#x}")
                last = at.last
        for place in range(1, self.heap.count):
            at = &self.heap.places[place]
            if index_of(&self.heap, at.base) != place:
                raise Bug(f"{at.base:#x} is not found")
            marked += bool(at.flags & TILE)
            live += bool(at.flags & LIVE)
            if at.flags & LIVE and not (at.flags & TILE and end_of(at) <= at.last):
                raise Bug(f"the block at {at.base:#x} reaches out of its tile")
            if at.flags & YOUNG and not (at.flags & TILE and end_of_dead(at) <= at.last):
                raise Bug(f"the grave at {at.base:#x} reaches out of its tile")
            if at.flags & SHOWN and self.shown[at.base] != (at.base, at.size, at.usable, at.alignment, at.id, at.thread,
                                                            at.born):
                raise Bug(f"{self.shown[at.base]} is no longer what is at {at.base:#x}")
        if marked != tiles or live != self.heap.live:
            raise Bug(f"{marked} places of {tiles} tiles, {live} blocks of {self.heap.live}")


def _age(grave):
    return grave.mark, grave.freed
