"""Tags for many granules at once: LDGM, STGM and STZGM of the kernel, and the cache instructions DC GVA, GZVA and ZVA.

All of them work on the naturally aligned block that holds the address, which need not be aligned itself. Those that
store tags raise Fault PERMISSION where tags are canonical, as STG does (`capability.mte.transfer`).
Source: Arm ARM (DDI 0487), the instructions' pages; GMID_EL1, DCZID_EL0.
"""

from __future__ import annotations

from capability.mte.check import Operation, check_access
from capability.mte.processor import Processor
from capability.mte.tag import GRANULE, tag_of
from capability.mte.transfer import load_tag, store_bytes, store_tag
from capability.word import align_down, field, unsigned


def ldgm(processor: Processor, address: int) -> int:
    """LDGM: the tags of a block, four bits each; bits 7:4 of a granule's address say at which nibble it is.

    Covers `gm_bytes`, which at 256 fills the register; a smaller block leaves the other nibbles zero.
    Raises Fault UNMAPPED, WidthError.

    >>> from capability.memory import TaggedMemory
    >>> processor = Processor(TaggedMemory())
    >>> stgm(processor, 0xFEDC_BA98_7654_3210, 0x1000)
    >>> processor.memory.allocation_tag(0x1030), hex(ldgm(processor, 0x10C8))
    (3, '0xfedcba9876543210')
    """
    data = 0
    for granule in _granules(address, processor.gm_bytes):
        data |= load_tag(processor, granule) << 4 * field(granule, 7, 4)
    return data


def stgm(processor: Processor, xt: int, address: int) -> None:
    """STGM: give each granule of a block its nibble of `xt`, as LDGM reads them.  Raises Fault UNMAPPED, WidthError."""
    unsigned(xt, 64)
    for granule in _granules(address, processor.gm_bytes):
        store_tag(processor, granule, GRANULE, xt >> 4 * field(granule, 7, 4) & 0xF)


def stzgm(processor: Processor, xt: int, address: int) -> None:
    """STZGM: zero a block of `zva_bytes` and give all of it the tag in bits 3:0 of `xt` (not in bits 59:56).

    Raises Fault UNMAPPED, WidthError.
    """
    block = align_down(unsigned(address, 64), processor.zva_bytes)
    store_tag(processor, block, processor.zva_bytes, unsigned(xt, 64) & 0xF)
    store_bytes(processor, block, bytes(processor.zva_bytes))


def dc_gva(processor: Processor, address: int) -> None:
    """DC GVA: give a block of `zva_bytes` the tag of the address. Not checked.  Raises Fault UNMAPPED, WidthError."""
    block = align_down(unsigned(address, 64), processor.zva_bytes)
    store_tag(processor, block, processor.zva_bytes, tag_of(address))


def dc_gzva(processor: Processor, address: int) -> None:
    """DC GZVA: as DC GVA, and the block's bytes become zero.

    >>> from capability.memory import TaggedMemory
    >>> processor = Processor(TaggedMemory())
    >>> dc_gzva(processor, 0x0900_0000_0000_107F)
    >>> [processor.memory.allocation_tag(0x1000 + offset) for offset in (0x30, 0x40, 0x70, 0x80)]
    [0, 9, 9, 0]
    """
    block = align_down(unsigned(address, 64), processor.zva_bytes)
    store_tag(processor, block, processor.zva_bytes, tag_of(address))
    store_bytes(processor, block, bytes(processor.zva_bytes))


def dc_zva(processor: Processor, address: int) -> None:
    """DC ZVA: zero a block, whose tags stay. This one is an ordinary store: every granule of the block is checked.

    Raises Fault as `check_access`.
    """
    block = align_down(unsigned(address, 64), processor.zva_bytes)
    check_access(processor, block, processor.zva_bytes, Operation.WRITE)
    store_bytes(processor, block, bytes(processor.zva_bytes))


def _granules(address: int, size: int) -> range:
    block = align_down(unsigned(address, 64), size)
    return range(block, block + size, GRANULE)
