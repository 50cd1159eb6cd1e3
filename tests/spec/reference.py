"""What the reference allocator is tested on: every policy, and every kind of architecture that the seam allows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capability.adi.mcd import Thread
from capability.adi.protection import Adi
from capability.architecture import Access, Architecture, Hazard, Pointer, Retirement, UnrepresentableError
from capability.cheri.capability import Capability
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.memory import TaggedMemory
from capability.mte.policy import POLICIES as TAG_POLICIES
from capability.mte.protection import MTE
from capability.perms import Perms
from spec.policy import Anywhere, BestFit, FirstFit, Policy, SegregatedSizeClasses


@dataclass(frozen=True, slots=True)
class Coarse:
    """CHERI whose bounds have a mantissa of 4 bits: blocks above 256 bytes need alignment and padding.

    Stands for the compressed formats, whose rounding an allocator must find out through the seam.
    """

    cheri: Cheri
    granule: int = 16

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Capability:
        granule = max(16, 1 << (size - 1).bit_length() - 4)
        if base % granule or size % granule:
            raise UnrepresentableError(base, size, granule)
        return self.cheri.derive(memory, base, size, perms)

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        self.cheri.check(memory, pointer, address, size, access)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        return self.cheri.retire(memory, pointer)

    def detection(self, kind: Hazard) -> Fraction:
        return self.cheri.detection(kind)


ARCHITECTURES: list[Architecture] = [Flat(), Flat(granule=64), Cheri(), Cheri(sweep_at=1 << 11), Coarse(Cheri())]
ARCHITECTURES += [Adi(), Adi(thread=Thread(mcdperr=True))]
ARCHITECTURES += [MTE(policy) for policy in TAG_POLICIES.values()]
POLICIES: list[Policy] = [
    FirstFit(),
    BestFit(),
    Anywhere(),
    SegregatedSizeClasses(classes=(16, 32, 48, 64, 128, 256, 512), large_unit=256),
]
