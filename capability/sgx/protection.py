"""SGX as an allocator sees it: pages that must be asked for and accepted, and that can be given back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from capability.architecture import Access, Hazard, Pointer, Range, Retirement
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import Perms
from capability.sgx.access import reach
from capability.sgx.heap import THREAD, EnclaveHeap
from capability.sgx.page import PAGE
from capability.word import align_down, is_aligned

_USER_TOP = 1 << 47
"""Linear addresses of a process end here; no enclave reaches further."""


class EnclavePointer(NamedTuple):
    """An address. SGX knows nothing of blocks; the bounds are the model's.

    >>> EnclavePointer(0x1000, 0x1000, 0x1040)
    0x1000
    """

    address: int
    base: int
    top: int

    def __repr__(self) -> str:
        return f"{self.address:#x}"


class BlocksOnPages:
    """How many live blocks touch each page, and which committed pages have none: what the enclave's heap remembers."""

    __slots__ = ("counts", "empty")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.empty: set[int] = set()

    def add(self, page: int) -> None:
        """One more block touches the page."""
        self.counts[page] = self.counts.get(page, 0) + 1
        self.empty.discard(page)

    def remove(self, page: int) -> None:
        """One block fewer."""
        if self.counts[page] > 1:
            self.counts[page] -= 1
        else:
            del self.counts[page]
            self.empty.add(page)

    def copy(self) -> BlocksOnPages:
        """An independent copy.  Cost: O(pages)."""
        twin = BlocksOnPages()
        twin.counts, twin.empty = dict(self.counts), set(self.empty)
        return twin

    def key(self) -> Hashable:
        """All of it."""
        return frozenset(self.counts.items()), frozenset(self.empty)


@dataclass(frozen=True, slots=True)
class Sgx:
    """An allocator in an enclave; the enclave's range covers the memory.

    granule: what blocks are multiples of; with 4096 each block has its pages for itself. trim_at: empty pages that
    are kept before all of them are given back; 0 gives each back at once.
    Raises ValueError for a granule that is no power of two up to a page.

    >>> from capability.perms import DATA
    >>> memory, sgx = TaggedMemory(0x10000, 0x10000), Sgx(granule=4096, trim_at=0)
    >>> pointer = sgx.derive(memory, 0x10000, 8192, DATA)
    >>> sgx.check(memory, pointer, 0x10ffc, 8, Access.STORE)
    >>> sgx.retire(memory, pointer).pages
    2
    >>> sgx.check(memory, pointer, 0x10000, 1, Access.LOAD)
    Traceback (most recent call last):
    capability.fault.Fault: 0x10000 is not mapped: #PF
    """

    granule: int = 16
    trim_at: int = 16

    def __post_init__(self) -> None:
        if not 0 < self.granule <= PAGE or self.granule & self.granule - 1 or self.trim_at < 0:
            raise ValueError(
                f"granule of {self.granule}, {self.trim_at} empty pages: the granule is a power of two up to {PAGE}, "
                "and trim_at at least 0"
            )

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> EnclavePointer:
        """Commit the pages of the block that the enclave does not have; they are zero. `perms` are not kept anywhere.

        Raises ValueError when `base` is not a multiple of the granule.  Cost: O(pages * log n).
        """
        if not is_aligned(base, self.granule) or size < 1:
            raise ValueError(f"{size} bytes at {base:#x}: size >= 1, and the base must be a multiple of {self.granule}")
        heap, blocks = memory.state(EnclaveHeap), memory.state(BlocksOnPages)
        if not heap.is_built:
            heap.build(memory.base, min(memory.top, _USER_TOP))
        for page in _pages(memory, base, base + size):
            if not heap.is_committed(page):
                heap.commit([page])
                _zero(memory, page)
            blocks.add(page)
        return EnclavePointer(base, base, base + size)

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Let the access pass where the enclave's thread may reach every page of it; the pointer does not matter.

        Raises Fault: UNMAPPED, PERMISSION (a fetch: heap pages are not executable), ENCLAVE_PAGE.
        Cost: O(pages * log n).
        """
        memory.check_mapped(address, size)
        heap = memory.state(EnclaveHeap)
        if not heap.is_built:
            heap.build(memory.base, min(memory.top, _USER_TOP))
        for page in _pages(memory, address, address + size):
            reach(heap.machine, THREAD, heap.table, max(page, address), access)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """The block may be reused at once; pages that no block touches are trimmed when there are more than `trim_at`.

        None trims them all.  Raises Fault ENCLAVE_PAGE when the block's pages have no block.
        Cost: O(pages * log n).
        """
        heap, blocks = memory.state(EnclaveHeap), memory.state(BlocksOnPages)
        if pointer is not None:
            pages = _pages(memory, pointer.base, pointer.top)
            if any(page not in blocks.counts for page in pages):
                text = f"retire of {pointer!r}: no block is on its page"
                raise Fault(FaultKind.ENCLAVE_PAGE, 0, pointer.address, text)
            for page in pages:
                blocks.remove(page)
        going = sorted(blocks.empty) if pointer is None or len(blocks.empty) > self.trim_at else []
        if going:
            heap.trim(going)
            blocks.empty.clear()
        reusable = () if pointer is None else (Range(pointer.base, pointer.top),)
        return Retirement(reusable, pages=len(going))

    def detection(self, kind: Hazard) -> Fraction:
        """Nothing but a use after free of pages that were given back: blocks do not exist for SGX.

        >>> Sgx().detection(Hazard.USE_AFTER_FREE), Sgx(granule=4096, trim_at=0).detection(Hazard.USE_AFTER_FREE)
        (Fraction(0, 1), Fraction(1, 1))
        """
        own_pages = self.granule == PAGE and self.trim_at == 0
        return Fraction(kind is Hazard.USE_AFTER_FREE and own_pages)


def _pages(memory: TaggedMemory, base: int, top: int) -> range:
    """The pages that [base, top) touches, as far as they are in memory."""
    return range(align_down(max(base, memory.base), PAGE), min(top, memory.top, _USER_TOP), PAGE)


def _zero(memory: TaggedMemory, page: int) -> None:
    """EAUG gives a zeroed page: so far as the page is in memory, its bytes are zero."""
    start, top = max(page, memory.base), min(page + PAGE, memory.top)
    memory.fill(start, top - start, 0)
