"""TaggedMemory: bytes, and the two kinds of tags that hardware keeps beside them.

A *capability tag* says that a granule holds a valid capability; any store of data to any byte of the granule clears
it. An *allocation tag* is the small number that MTE (16-byte granules) and ADI (64-byte lines) compare with the
pointer's. Both are out of band: no load or store of bytes can read or forge them.

The methods here are the memory's own view, with no protection in the way; an `Architecture` decides beforehand
whether an access may happen. Memory is sparse: a page exists once something other than zero may be in it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from enum import IntEnum
from typing import Protocol, Self, TypeVar, cast

from capability.fault import Fault, FaultKind
from capability.word import WidthError, is_power_of_two


class SegvCode(IntEnum):
    """The code of a Fault where there is no memory, whatever the architecture: Linux's si_code under SIGSEGV."""

    SEGV_MAPERR = 1


class BusCode(IntEnum):
    """The code of a Fault for an unaligned access: Linux's si_code under SIGBUS, which counts from 1 again."""

    BUS_ADRALN = 1


class State(Protocol):
    """What an architecture keeps besides memory: a random tag's seed, a revocation bitmap, a page map."""

    def copy(self) -> Self: ...
    def key(self) -> Hashable: ...


S = TypeVar("S", bound=State)


class TaggedMemory:
    """The bytes [base, base + size), with capability tags and allocation tags.

    capability_granule: bytes that hold one capability (16, or 8 with 32-bit addresses). allocation_granule: bytes that
    share one allocation tag (16 for MTE, 64 for ADI). page: bytes allocated at once; all three powers of two.

    >>> memory = TaggedMemory(base=0x1000, size=0x1000)
    >>> memory.store(0x1ffe, b"hi")
    >>> memory.load(0x1ffc, 4)
    b'\\x00\\x00hi'
    >>> memory.load(0x1fff, 2)
    Traceback (most recent call last):
    capability.fault.Fault: 2 bytes at 0x1fff are not in memory [0x1000, 0x2000)
    """

    __slots__ = (
        "_allocation_tags",
        "_capabilities",
        "_pages",
        "_pending",
        "_states",
        "allocation_granule",
        "base",
        "capability_granule",
        "page",
        "top",
    )

    def __init__(
        self,
        base: int = 0,
        size: int = 1 << 64,
        *,
        capability_granule: int = 16,
        allocation_granule: int = 16,
        page: int = 4096,
    ) -> None:
        if base < 0 or size < 0:
            raise WidthError(f"memory of {size} bytes at {base}: both must be at least 0")
        for name, value in (("capability", capability_granule), ("allocation", allocation_granule), ("page", page)):
            if not is_power_of_two(value):
                raise WidthError(f"{name} granule of {value} bytes: must be a power of two")
        self.base = base
        self.top = base + size
        self.capability_granule = capability_granule
        self.allocation_granule = allocation_granule
        self.page = page
        self._pages: dict[int, bytearray] = {}
        self._capabilities: dict[int, object] = {}
        self._allocation_tags: dict[int, int] = {}
        self._states: dict[type[State], State] = {}
        self._pending: Fault | None = None

    # Bytes

    def check_mapped(self, address: int, size: int) -> None:
        """Raise Fault UNMAPPED unless all of [address, address + size) is in memory.  Cost: O(1)."""
        if not self.base <= address <= address + size <= self.top:
            text = f"{size} bytes at {address:#x} are not in memory [{self.base:#x}, {self.top:#x})"
            raise Fault(FaultKind.UNMAPPED, SegvCode.SEGV_MAPERR, address, text)

    def load(self, address: int, size: int) -> bytes:
        """The bytes at [address, address + size); what was never stored reads as zero.

        Raises Fault UNMAPPED.  Cost: O(size).
        """
        self.check_mapped(address, size)
        offset = address & (self.page - 1)
        if offset + size <= self.page:
            page = self._pages.get(address - offset)
            return bytes(size) if page is None else bytes(page[offset : offset + size])
        return b"".join(self._piece(start, length) for start, length in self._pieces(address, size))

    def store(self, address: int, data: bytes | bytearray | memoryview) -> None:
        """Store bytes, and clear the capability tag of each granule that they touch.

        Raises Fault UNMAPPED.  Cost: O(len(data)).
        """
        size = len(data)
        self.check_mapped(address, size)
        self._clear_capabilities(address, size)
        done = 0
        for start, length in self._pieces(address, size):
            offset = start & (self.page - 1)
            self._page_at(start - offset)[offset : offset + length] = data[done : done + length]
            done += length

    def fill(self, address: int, size: int, value: int) -> None:
        """Store `size` bytes of `value`; pages that become zero as a whole are given back.

        value: 0 <= value <= 255.  Raises Fault UNMAPPED.  Cost: O(size); O(pages in use) for long fills with zero.
        """
        if not 0 <= value <= 255:
            raise WidthError(f"{value} is not a byte: 0 <= value <= 255")
        self.check_mapped(address, size)
        self._clear_capabilities(address, size)
        for start, length in self._pieces_in_use(address, size) if value == 0 else self._pieces(address, size):
            if value == 0 and length == self.page:
                del self._pages[start]
            else:
                offset = start & (self.page - 1)
                self._page_at(start - offset)[offset : offset + length] = bytes((value,)) * length

    def move(self, target: int, source: int, size: int) -> None:
        """Copy bytes as memmove does where it keeps capabilities: whole granules at equal offsets keep their tags.

        Raises Fault UNMAPPED.  Cost: O(size).
        """
        self.check_mapped(source, size)
        self.check_mapped(target, size)
        granule = self.capability_granule
        kept: dict[int, object] = {}
        if self._capabilities and (target - source) % granule == 0:
            for at in self.capability_addresses(source, size):
                if source <= at and at + granule <= source + size:
                    kept[at + target - source] = self._capabilities[at]
        self.store(target, self.load(source, size))
        self._capabilities.update(kept)

    def leading_zeros(self, address: int, size: int) -> int:
        """How many bytes from `address` on are zero before the first that is not, `size` at most.

        Cost: O(bytes in use).
        """
        for start, length in self._pieces_in_use(address, size):
            rest = self._piece(start, length).lstrip(b"\0")
            if rest:
                return start + length - len(rest) - address
        return size

    def view(self, address: int, size: int) -> memoryview:
        """A writable window on the bytes themselves; what is written through it keeps no capability tag.

        The range must lie in one page; a memory made with `page` = its size and base a multiple of it is one page.
        Raises Fault UNMAPPED, and ValueError when the range crosses pages.  Cost: O(1).
        """
        self.check_mapped(address, size)
        offset = address & (self.page - 1)
        if offset + size > self.page:
            raise ValueError(f"{size} bytes at {address:#x} cross a page of {self.page} bytes: no view can hold them")
        self._clear_capabilities(address, size)
        return memoryview(self._page_at(address - offset))[offset : offset + size]

    # Capability tags

    def store_capability(self, address: int, capability: object, image: bytes) -> None:
        """Store a valid capability, whose bytes as data are `image`, and set the granule's tag.

        address: a multiple of the capability granule; len(image) is the granule.  Raises Fault ALIGNMENT, UNMAPPED.
        """
        self._check_capability_address(address)
        if len(image) != self.capability_granule:
            raise WidthError(f"a capability here is {self.capability_granule} bytes, not {len(image)}")
        self.store(address, image)
        self._capabilities[address] = capability

    def load_capability(self, address: int) -> object | None:
        """The capability that the granule holds; None when its tag is clear and only its bytes can be loaded.

        address: a multiple of the capability granule.  Raises Fault ALIGNMENT, UNMAPPED.
        """
        self._check_capability_address(address)
        return self._capabilities.get(address)

    def clear_capability_tag(self, address: int) -> None:
        """Make the granule at `address` hold data only; its bytes stay.  Raises Fault ALIGNMENT, UNMAPPED."""
        self._check_capability_address(address)
        self._capabilities.pop(address, None)

    def capability_addresses(self, address: int, size: int) -> list[int]:
        """Granules with a set capability tag that [address, address + size) touches, in order.

        Cost: O(min(granules, capabilities in memory)).
        """
        granule = self.capability_granule
        first, top = address - address % granule, address + size
        if (top - first) // granule <= len(self._capabilities):
            return [at for at in range(first, top, granule) if at in self._capabilities] if size else []
        return sorted(at for at in self._capabilities if first <= at < top) if size else []

    def _clear_capabilities(self, address: int, size: int) -> None:
        if self._capabilities:
            for at in self.capability_addresses(address, size):
                del self._capabilities[at]

    def _check_capability_address(self, address: int) -> None:
        self.check_mapped(address, self.capability_granule)
        if address % self.capability_granule:
            text = f"capability at {address:#x}: the address must be a multiple of {self.capability_granule}"
            raise Fault(FaultKind.ALIGNMENT, BusCode.BUS_ADRALN, address, text)

    # Allocation tags

    def allocation_tag(self, address: int) -> int:
        """The allocation tag of the granule that holds `address`; 0 until one is set.  Raises Fault UNMAPPED."""
        self.check_mapped(address, 1)
        return self._allocation_tags.get(address - address % self.allocation_granule, 0)

    def set_allocation_tag(self, address: int, size: int, tag: int) -> int:
        """Tag every granule of [address, address + size); say how many they were.

        address, size: multiples of the allocation granule. tag: at least 0; its width is the architecture's affair.
        Raises Fault ALIGNMENT, UNMAPPED.  Cost: O(granules); to clear, O(min(granules, tags in memory)).
        """
        granule = self.allocation_granule
        if address % granule or size % granule:
            text = f"allocation tag for {size} bytes at {address:#x}: both must be multiples of {granule}"
            raise Fault(FaultKind.ALIGNMENT, BusCode.BUS_ADRALN, address, text)
        if tag < 0:
            raise WidthError(f"allocation tag {tag}: must be at least 0")
        self.check_mapped(address, size)
        granules = range(address, address + size, granule)
        if tag:
            self._allocation_tags.update(dict.fromkeys(granules, tag))
        else:
            few = len(granules) <= len(self._allocation_tags)
            for at in granules if few else [at for at in self._allocation_tags if at in granules]:
                self._allocation_tags.pop(at, None)
        return len(granules)

    # The machine around the memory

    def defer(self, fault: Fault) -> None:
        """Note a fault that an asynchronous mode reports later; the first one stays, as one status bit would."""
        if self._pending is None:
            self._pending = fault

    def synchronise(self) -> None:
        """The point at which deferred faults are reported (a kernel entry, a barrier): raise the one that waits."""
        fault, self._pending = self._pending, None
        if fault is not None:
            raise fault

    def state(self, kind: type[S]) -> S:
        """The architecture's own state in this machine, made empty when first asked for.  Cost: O(1)."""
        found = self._states.get(kind)
        if found is None:
            found = self._states[kind] = kind()
        return cast(S, found)

    def copy(self) -> TaggedMemory:
        """A machine of its own in the same state.  Cost: O(pages + tags)."""
        twin = TaggedMemory(
            self.base,
            self.top - self.base,
            capability_granule=self.capability_granule,
            allocation_granule=self.allocation_granule,
            page=self.page,
        )
        twin._pages = {number: bytearray(page) for number, page in self._pages.items()}
        twin._capabilities = dict(self._capabilities)
        twin._allocation_tags = dict(self._allocation_tags)
        twin._states = {kind: state.copy() for kind, state in self._states.items()}
        twin._pending = self._pending
        return twin

    def key(self) -> Hashable:
        """A value equal for two memories exactly when no later operation can tell them apart.

        A page full of zeros counts as never written, a state as it began as never asked for.  Cost: O(bytes in use).
        """
        pages = tuple(sorted((number, bytes(page)) for number, page in self._pages.items() if any(page)))
        states = frozenset((kind, key) for kind, state in self._states.items() if (key := state.key()) != kind().key())
        pending = None if self._pending is None else (self._pending.kind, self._pending.code, self._pending.address)
        capabilities = frozenset(self._capabilities.items())
        return (self.base, self.top, pages, capabilities, frozenset(self._allocation_tags.items()), states, pending)

    def check(self) -> None:
        """Assert every invariant: pages and tags are aligned, inside memory, and of the right length."""
        for number, page in self._pages.items():
            assert number % self.page == 0 and len(page) == self.page, f"page {number:#x} is misplaced or cut"
            assert number < self.top and self.base < number + self.page, f"page {number:#x} is outside memory"
        for at in self._capabilities:
            assert at % self.capability_granule == 0 and self.base <= at < self.top, f"capability tag at {at:#x}"
        for at, tag in self._allocation_tags.items():
            assert at % self.allocation_granule == 0 and tag > 0, f"allocation tag {tag} at {at:#x}"

    # Pages

    def _page_at(self, number: int) -> bytearray:
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = bytearray(self.page)
        return page

    def _piece(self, address: int, size: int) -> bytes | bytearray:
        offset = address & (self.page - 1)
        page = self._pages.get(address - offset)
        return bytes(size) if page is None else page[offset : offset + size]

    def _pieces(self, address: int, size: int) -> Iterator[tuple[int, int]]:
        """Cut [address, address + size) at page boundaries."""
        top = address + size
        while address < top:
            length = min(top, (address & -self.page) + self.page) - address
            yield address, length
            address += length

    def _pieces_in_use(self, address: int, size: int) -> list[tuple[int, int]]:
        """The pieces whose page exists, in order, without walking pages that do not."""
        if size // self.page <= len(self._pages):
            return [piece for piece in self._pieces(address, size) if piece[0] & -self.page in self._pages]
        top = address + size
        numbers = sorted(number for number in self._pages if number < top and address < number + self.page)
        starts = [max(address, number) for number in numbers]
        return [(start, min(top, (start & -self.page) + self.page) - start) for start in starts]
