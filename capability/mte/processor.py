"""Processor: the memory, the settings and the address space that an instruction works with."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from capability.memory import TaggedMemory
from capability.mte.control import Control
from capability.mte.space import Space
from capability.mte.tag import GRANULE
from capability.word import WidthError, is_power_of_two


@dataclass(frozen=True, slots=True)
class Processor:
    """What a load, a store or a tag instruction needs besides its operands.

    memory: physical; its allocation granule is 16 bytes. zva_bytes: what DC ZVA, GVA, GZVA and STZGM cover (4 <<
    DCZID_EL0.BS): 64 on shipping cores, 512 in qemu-user; code that assumes 64 is wrong. gm_bytes: what LDGM and STGM
    cover (4 << GMID_EL1.BS): 32 to 256.
    Raises WidthError.

    >>> Processor(TaggedMemory(), gm_bytes=512)
    Traceback (most recent call last):
    capability.word.WidthError: LDGM block of 512 bytes: a power of two, 32 to 256
    """

    memory: TaggedMemory
    control: Control = field(default_factory=Control)
    space: Space = field(default_factory=Space)
    zva_bytes: int = 64
    gm_bytes: int = 256

    def __post_init__(self) -> None:
        if self.memory.allocation_granule != GRANULE:
            had = self.memory.allocation_granule
            raise WidthError(f"allocation granule of {had} bytes: MTE has one tag for each {GRANULE} bytes")
        for name, value, low, high in (("DC", self.zva_bytes, 16, 2048), ("LDGM", self.gm_bytes, 32, 256)):
            if not is_power_of_two(value) or not low <= value <= high:
                raise WidthError(f"{name} block of {value} bytes: a power of two, {low} to {high}")


class TagFaultStatus:
    """TFSR_EL1 or TFSRE0_EL1: bit 0 is set by a fault in the lower half of the addresses, bit 1 by one in the upper.

    Only software clears it. Many faults set one bit once: how many there were, where and by whom is lost.
    Source: Arm ARM, TFSR_EL1; AArch64.ReportTagCheckFault.
    """

    __slots__ = ("value",)

    def __init__(self, value: int = 0) -> None:
        self.value = value

    def record(self, upper: bool) -> None:
        """Set the bit of that half."""
        self.value |= 1 << upper

    def clear(self) -> None:
        """What the kernel does once it has looked."""
        self.value = 0

    def copy(self) -> TagFaultStatus:
        return TagFaultStatus(self.value)

    def key(self) -> Hashable:
        return self.value
