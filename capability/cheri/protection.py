"""CHERI as an allocator sees it: narrow bounds for each block, and revocation before reuse."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capability.architecture import Access, Hazard, Pointer, Retirement, UnrepresentableError
from capability.cheri.access import check_access
from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.isa import ISAV9_128, Isa
from capability.cheri.narrow import required_alignment, set_bounds_exactly
from capability.cheri.permit import limit_rights
from capability.cheri.revocation import Revocation
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import Perms


@dataclass(frozen=True, slots=True)
class Cheri:
    """Capabilities of one instruction set, swept when `sweep_at` bytes have been retired since the last sweep.

    sweep_at: bytes; 0 sweeps at each retirement, which catches every use after free and costs the most. granule: the
    unit of revocation, a power of two; 16, because the bitmap has a bit for each capability-sized granule.

    >>> from capability.perms import DATA
    >>> memory, cheri = TaggedMemory(), Cheri()
    >>> pointer = cheri.derive(memory, 0x1000, 64, DATA)
    >>> pointer
    0x1000 [rwRW,0x1000-0x1040]
    >>> cheri.check(memory, pointer, 0x1038, 8, Access.STORE)
    >>> cheri.retire(memory, pointer).reusable
    ([0x1000, 0x1040),)
    >>> cheri.check(memory, pointer, 0x1038, 8, Access.STORE)
    Traceback (most recent call last):
    capability.fault.Fault: store of 8 bytes at 0x1038 through 0x1000 [rwRW,0x1000-0x1040] (invalid): TAG
    >>> cheri.derive(memory, 0x10000, 65537, DATA)
    Traceback (most recent call last):
    capability.architecture.UnrepresentableError: 65537 bytes at 0x10000 have no exact bounds: both must be multiples...
    """

    isa: Isa = ISAV9_128
    sweep_at: int = 0
    granule: int = 16

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Capability:
        """A capability whose bounds are the block, exactly.  Cost: O(1).

        Raises UnrepresentableError where the format would round, ValueError when `base` is not a multiple of the
        granule (the block would share its revocation bit), WidthError beyond the format's address space.
        """
        if base % self.granule or size < 1:
            raise ValueError(f"{size} bytes at {base:#x}: size >= 1, and the base must be a multiple of {self.granule}")
        format = self.isa.format
        root = Capability.root(format, address=base)
        narrowed = set_bounds_exactly(root, size, self.isa)
        if not narrowed.tag:
            granule = max(self.granule, required_alignment(format, size))
            raise UnrepresentableError(base, size, granule)
        stripped = limit_rights(narrowed, perms, self.isa)
        return stripped.issued(memory.state(Revocation).issue(stripped.bounds))

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Raise the Fault of highest priority; a pointer that is no capability is an integer.  Cost: O(1)."""
        held = pointer if isinstance(pointer, Capability) else Capability.null(self.isa.format, pointer.address)
        check_access(memory.state(Revocation).current(held), address, size, access, self.isa)
        memory.check_mapped(address, size)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """Paint the block; sweep once `sweep_at` bytes are painted, or at once when `pointer` is None.

        Raises Fault TAG for what is not a valid capability as it was derived, and for one retired before.
        Cost: O(1), and with a sweep as `Revocation.sweep`.
        """
        revocation = memory.state(Revocation)
        if pointer is not None:
            valid = isinstance(pointer, Capability) and pointer.tag and not pointer.sealed and revocation.paint(pointer)
            if not valid:
                text = f"retire of {pointer!r}: not a valid capability to a block, or retired before"
                raise Fault(FaultKind.TAG, self.isa.codes.refused(Cause.TAG, Access.LOAD), pointer.address, text)
            if revocation.painted_bytes < self.sweep_at:
                return Retirement()
        done = revocation.sweep(memory)
        return Retirement(done.reusable, swept_bytes=done.swept_bytes)

    def detection(self, kind: Hazard) -> Fraction:
        """Certain for everything, but for use after free while the sweep is still to come.

        >>> Cheri().detection(Hazard.USE_AFTER_FREE), Cheri(sweep_at=1 << 20).detection(Hazard.USE_AFTER_FREE)
        (Fraction(1, 1), Fraction(0, 1))
        """
        return Fraction(0 if kind is Hazard.USE_AFTER_FREE and self.sweep_at else 1)
