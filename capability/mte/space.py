"""Space: which physical memory an address reaches, and whether through a Tagged mapping.

Allocation tags belong to physical memory, and only a mapping with the Tagged attribute (Linux: PROT_MTE) reaches them.
The same memory through another mapping has no tags: every access passes.
Source: Arm ARM, "The Memory Tagging Extension": Tagged Normal memory; MAIR_ELx.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from capability.fault import Fault, FaultKind
from capability.memory import SegvCode
from capability.word import WidthError


class Window(NamedTuple):
    """A mapping: [base, base + size) reaches physical [physical, physical + size).

    base, size, physical: multiples of the 16-byte granule (real ones are of the page).
    """

    base: int
    size: int
    physical: int
    tagged: bool = True


class Piece(NamedTuple):
    """A part of an access that lies in one window: its address, its size, and where it ends up."""

    address: int
    size: int
    physical: int
    tagged: bool


@dataclass(frozen=True, slots=True)
class Space:
    """An address space: its windows, none of which overlap. Without any, each address is its own, and Tagged.

    Raises ValueError for windows that overlap, are empty, or are not made of whole granules.

    >>> alias = Space((Window(0x1000, 0x1000, 0x1000), Window(0x8000, 0x1000, 0x1000, tagged=False)))
    >>> list(alias.pieces(0x8010, 4))
    [Piece(address=32784, size=4, physical=4112, tagged=False)]
    >>> Space((Window(0x1008, 16, 0),))
    Traceback (most recent call last):
    ValueError: window of 16 bytes at 0x1008 to 0x0: size at least 16, all three multiples of 16
    """

    windows: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        reached = 0
        for window in sorted(self.windows):
            base, size, physical, _ = window
            if size < 1 or base % 16 or size % 16 or physical % 16:
                what = f"window of {size} bytes at {base:#x} to {physical:#x}"
                raise ValueError(f"{what}: size at least 16, all three multiples of 16")
            if base < reached:
                raise ValueError(f"window at {base:#x} begins before {reached:#x}, where the one below it ends")
            reached = base + size

    def pieces(self, address: int, size: int) -> Iterator[Piece]:
        """Cut [address, address + size) at window boundaries.

        Raises Fault UNMAPPED at the first byte that no window has, WidthError for a negative size.  Cost: O(windows *
        pieces).
        """
        if size < 0:
            raise WidthError(f"access of {size} bytes: size >= 0")
        if not self.windows:
            yield Piece(address, size, address, True)
            return
        top = address + size
        while address < top:
            window = next((it for it in self.windows if it.base <= address < it.base + it.size), None)
            if window is None:
                text = f"no window of the address space has {address:#x}"
                raise Fault(FaultKind.UNMAPPED, SegvCode.SEGV_MAPERR, address, text)
            length = min(top, window.base + window.size) - address
            yield Piece(address, length, window.physical + address - window.base, window.tagged)
            address += length
