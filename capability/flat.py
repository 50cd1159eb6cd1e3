"""No protection: memory as most processors have it.

The baseline. A pointer is an address, every mapped byte may be read and written through any of them, and a freed
block may be reused at once. What an allocator does wrong here, nothing but the specification notices.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from capability.architecture import Access, Hazard, Pointer, Range, Retirement

if TYPE_CHECKING:
    from capability.memory import TaggedMemory
    from capability.perms import Perms

_NEVER = Fraction(0)


class FlatPointer(NamedTuple):
    """An address, and the block it was derived for, which the hardware does not know.

    >>> FlatPointer(0x1000, 0x1000, 0x1040)
    0x1000
    """

    address: int
    base: int
    top: int

    def __repr__(self) -> str:
        return f"{self.address:#x}"


@dataclass(frozen=True, slots=True)
class Flat:
    """An architecture that protects nothing but the end of memory.

    >>> from capability.memory import TaggedMemory
    >>> from capability.perms import DATA
    >>> memory = TaggedMemory()
    >>> pointer = Flat().derive(memory, 0x1000, 64, DATA)
    >>> Flat().retire(memory, pointer).reusable
    ([0x1000, 0x1040),)
    >>> Flat().check(memory, pointer, 0x1000, 8, Access.LOAD)      # stale, and nobody minds
    """

    granule: int = 1

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> FlatPointer:
        """The address `base`; `perms` are not kept anywhere.  Cost: O(1)."""
        return FlatPointer(base, base, base + size)

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Let everything pass that is in memory; outside it, raise Fault UNMAPPED.  Cost: O(1)."""
        memory.check_mapped(address, size)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """The block may be reused at once, and nothing had to be done for it.  Cost: O(1)."""
        if pointer is None:
            return Retirement()
        return Retirement((Range(pointer.base, pointer.top),))

    def detection(self, kind: Hazard) -> Fraction:
        """Nothing is ever caught.

        >>> Flat().detection(Hazard.USE_AFTER_FREE)
        Fraction(0, 1)
        """
        return _NEVER
