"""MTE as an allocator sees it: a tag for each block, written to its granules and carried in its pointer."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from capability.architecture import Access, Hazard, Pointer, Range, Retirement
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.mte.check import Operation, check_access
from capability.mte.code import TagCode
from capability.mte.control import Control, Mode
from capability.mte.policy import Scudo, TagPolicy
from capability.mte.processor import Processor
from capability.mte.site import Site
from capability.mte.tag import GRANULE, address_of, tag_of, with_tag
from capability.perms import Perms
from capability.word import align_up


class MtePointer(NamedTuple):
    """A tagged pointer. The hardware has the address and the tag; base and top are the model's memory of the block.

    >>> MtePointer(0x1000, 0x1000, 0x1040, tag=5), hex(MtePointer(0x1000, 0x1000, 0x1040, tag=5).value)
    (0x500000000001000, '0x500000000001000')
    """

    address: int
    base: int
    top: int
    tag: int

    @property
    def value(self) -> int:
        """The 64 bits of the register."""
        return with_tag(self.address, self.tag)

    def __repr__(self) -> str:
        return f"{self.value:#x}"


@dataclass(frozen=True, slots=True)
class MTE:
    """Memory tagging for a Linux process: each block has a tag that the policy chooses.

    mode: what a mismatch does; in an asynchronous mode the access passes and `memory.synchronise()` raises. store_only:
    loads are not checked (FEAT_MTE_STORE_ONLY). TBI is on and no tag matches all, as for every Linux process.

    >>> from capability.perms import DATA
    >>> memory, mte = TaggedMemory(), MTE()
    >>> pointer = mte.derive(memory, 0x1000, 40, DATA)
    >>> pointer
    0xb00000000001000
    >>> mte.check(memory, pointer, 0x1020, 8, Access.STORE)
    >>> mte.retire(memory, pointer)
    Retirement(reusable=([0x1000, 0x1028),), granules=3, swept_bytes=0, pages=0)
    >>> mte.check(memory, pointer, 0x1020, 8, Access.STORE)
    Traceback (most recent call last):
    capability.fault.Fault: store of 8 bytes at 0x1020 with tag ...
    """

    policy: TagPolicy = field(default_factory=Scudo)
    mode: Mode = Mode.SYNC
    store_only: bool = False

    @property
    def granule(self) -> int:
        """16 bytes: two blocks in one granule could not have two tags."""
        return GRANULE

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> MtePointer:
        """Tag the block's granules and return a pointer with that tag; `perms` are not kept anywhere.

        Raises ValueError when `base` is not a multiple of 16, and when bits 63:55 of an address are not all alike: the
        tag would take their place.  Cost: O(granules).
        """
        if base % GRANULE or size < 1:
            raise ValueError(f"{size} bytes at {base:#x}: size >= 1, and the base must be a multiple of {GRANULE}")
        if address_of(base) != base or address_of(base + size - 1) != base + size - 1:
            raise ValueError(f"{size} bytes at {base:#x}: bits 63:55 of every address must be alike")
        site = self._site(memory, base, size)
        tag = self.policy.allocate(site) if self._is_tagged(site) else 0
        memory.set_allocation_tag(base, site.size, tag)
        return MtePointer(base, base, base + size, tag)

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Compare the pointer's tag with that of every granule; a pointer that is an integer has the tag in its bits.

        Raises Fault UNMAPPED, or TAG_MISMATCH as `check_access`. Instruction fetches are not checked.  Cost:
        O(granules).
        """
        through = with_tag(address, tag_of(_value(pointer)))
        processor = Processor(memory, _control(self.mode, self.store_only))
        check_access(processor, through, size, _OPERATIONS[access], exempt=access is Access.FETCH)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """Give the block's granules the policy's next tag; the block may be reused at once.

        Raises Fault TAG_MISMATCH when the pointer's tag is not that of the block's first granule: it was retired
        before, or never derived. That is free()'s own test, made by LDG, in every mode.
        Cost: O(granules), and O(size) for a policy that zeroes.
        """
        if pointer is None:
            return Retirement()
        tag, found = tag_of(_value(pointer)), memory.allocation_tag(pointer.base)
        if tag != found:
            text = f"retire of {pointer!r} with tag {tag}: its first granule has tag {found}"
            raise Fault(FaultKind.TAG_MISMATCH, TagCode.SEGV_MTESERR, pointer.base, text)
        site = self._site(memory, pointer.base, pointer.top - pointer.base)
        granules = memory.set_allocation_tag(
            site.base, site.size, self.policy.release(site) if self._is_tagged(site) else 0
        )
        if self.policy.zeroes:
            memory.fill(site.base, site.size, 0)
        return Retirement((Range(pointer.base, pointer.top),), granules=granules)

    def detection(self, kind: Hazard) -> Fraction:
        """As the policy's odds, for a block that it tags; nothing without checks, and nothing within a granule.

        With `store_only` nothing either: the access may be a load.

        >>> MTE().detection(Hazard.USE_AFTER_FREE), MTE().detection(Hazard.FORGED_POINTER)
        (Fraction(1, 1), Fraction(13, 14))
        >>> MTE(mode=Mode.NONE).detection(Hazard.USE_AFTER_FREE)
        Fraction(0, 1)
        """
        if kind is Hazard.GRANULE_OVERFLOW or self.mode is Mode.NONE or self.store_only:
            return Fraction(0)
        odds = self.policy.odds()
        if kind is Hazard.USE_AFTER_FREE:
            return odds.use_after_free
        if kind is Hazard.USE_AFTER_REUSE:
            return odds.use_after_reuse
        return odds.adjacent if kind is Hazard.ADJACENT_OVERFLOW else odds.elsewhere

    def _site(self, memory: TaggedMemory, base: int, size: int) -> Site:
        return Site(memory, base, align_up(size, GRANULE))

    def _is_tagged(self, site: Site) -> bool:
        return self.policy.largest is None or site.size <= self.policy.largest


_OPERATIONS = {
    Access.LOAD: Operation.READ,
    Access.LOAD_CAPABILITY: Operation.READ,
    Access.FETCH: Operation.READ,
    Access.STORE: Operation.WRITE,
    Access.STORE_CAPABILITY: Operation.WRITE,
    Access.STORE_LOCAL_CAPABILITY: Operation.WRITE,
}


@lru_cache
def _control(mode: Mode, store_only: bool) -> Control:
    return Control(mode=mode, store_only=store_only)


def _value(pointer: Pointer) -> int:
    return pointer.value if isinstance(pointer, MtePointer) else pointer.address
