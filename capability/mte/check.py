"""The tag check: which granules an access touches, whether each has the pointer's tag, and what follows if not.

Source: Arm ARM (DDI 0487), "The Memory Tagging Extension": Tag checking; the pseudocode functions are named below.
"""

from __future__ import annotations

from enum import Flag
from typing import NamedTuple

from capability.fault import Fault, FaultKind
from capability.memory import SegvCode
from capability.mte.code import TagCode
from capability.mte.control import Control, Mode
from capability.mte.processor import Processor, TagFaultStatus
from capability.mte.tag import GRANULE, address_of, canonical_tag, is_upper, tag_of, with_tag
from capability.word import unsigned


class Operation(Flag):
    """What an instruction does with memory. An atomic does both, and so does a compare-and-swap that fails."""

    READ = 1
    WRITE = 2
    ATOMIC = READ | WRITE


class Mismatch(NamedTuple):
    """The first byte of an access whose granule has another tag, and that tag."""

    address: int
    tag: int


def is_exempt(*, base_is_sp: bool, write_back: bool = False, register_offset: bool = False) -> bool:
    """An access is unchecked when its address is SP plus an immediate and SP is not changed by it.

    Compilers place locals so, where the offset is known to be right. Literal loads (PC-relative), prefetches and
    instruction fetches are unchecked as well.  Source: Arm ARM, "Tag unchecked accesses".

    >>> is_exempt(base_is_sp=True), is_exempt(base_is_sp=True, write_back=True)
    (True, False)
    """
    return base_is_sp and not write_back and not register_offset


def translate(control: Control, pointer: int) -> int:
    """The address that a pointer names.

    pointer: 64 bits. Where the top byte is not ignored it is part of the address, and any but that of bit 55's sign is
    in no mapping: Fault UNMAPPED, before any thought of tags. With MTX that holds for bits 63:60 alone.
    Source: Arm ARM, "Address tagging"; EffectiveTBI, EffectiveMTX.

    >>> hex(translate(Control(), 0x0500_0000_0000_1000))
    '0x1000'
    >>> translate(Control(tbi=(False, False)), 0x0500_0000_0000_1000)
    Traceback (most recent call last):
    capability.fault.Fault: 0x500000000001000 is no address: with TBI off, bits 63:56 must equal bit 55
    """
    address = address_of(pointer)
    if control.ignores_top_byte(pointer):
        return address
    if control.has_tag_bits(pointer):
        named, bits = with_tag(pointer, canonical_tag(pointer)), "63:60"
    else:
        named, bits = pointer, "63:56"
    if named != address:
        text = f"{pointer:#x} is no address: with TBI off, bits {bits} must equal bit 55"
        raise Fault(FaultKind.UNMAPPED, SegvCode.SEGV_MAPERR, pointer, text)
    return address


def first_mismatch(processor: Processor, pointer: int, size: int) -> Mismatch | None:
    """The first byte of the access whose granule's tag is not the pointer's, if there is one.

    Every granule that [address, address + size) touches is compared. If the first fails, the byte is that of the access
    itself, otherwise the start of the granule (the architecture lets FAR be any address of the access in that granule;
    this is qemu's choice and Linux's si_addr under it).
    Memory that is not Tagged has no tag, and passes; with MTX (FEAT_MTE_CANONICAL_TAGS) it has the canonical one.
    Raises Fault UNMAPPED.  Cost: O(granules).  Source: AArch64.CheckTag.

    >>> from capability.memory import TaggedMemory
    >>> memory = TaggedMemory()
    >>> memory.set_allocation_tag(0x1000, 32, 5)
    2
    >>> first_mismatch(Processor(memory), 0x0500_0000_0000_1018, 16)
    Mismatch(address=4128, tag=0)
    """
    tag, memory = tag_of(pointer), processor.memory
    for piece in processor.space.pieces(address_of(pointer), size):
        memory.check_mapped(piece.physical, piece.size)
        if piece.tagged:
            offset = piece.address - piece.physical
            for granule in range(piece.physical & -GRANULE, piece.physical + piece.size, GRANULE):
                found = memory.allocation_tag(granule)
                if found != tag:
                    return Mismatch(max(granule + offset, piece.address), found)
        elif processor.control.mtx[is_upper(pointer)] and tag != canonical_tag(pointer):
            return Mismatch(piece.address, canonical_tag(pointer))
    return None


def check_access(
    processor: Processor, pointer: int, size: int, operation: Operation = Operation.READ, *, exempt: bool = False
) -> int:
    """The address of an access that may go on; a Fault for one that may not.

    pointer: 64 bits, tag included. size: bytes, at least 0. exempt: the instruction is of an unchecked kind.
    Raises Fault UNMAPPED first, then TAG_MISMATCH with SEGV_MTESERR and the address, before anything was accessed.
    In an asynchronous mode a mismatch sets the bit of TFSR, the access goes on, and SEGV_MTEAERR without an address
    waits in `memory.synchronise()`; TFSR stays set until software clears it. In the asymmetric mode whatever reads is
    synchronous, atomics included (the pseudocode asks whether the access reads; qemu asks whether it writes).
    Cost: O(granules).  Source: AArch64.AccessIsTagChecked, AArch64.TagCheckFault, AArch64.EffectiveTCF.
    """
    control, writes = processor.control, Operation.WRITE in operation
    address = translate(control, unsigned(pointer, 64))
    for piece in processor.space.pieces(address, size):
        processor.memory.check_mapped(piece.physical, piece.size)
    if exempt or not control.is_checked(pointer, writes=writes):
        return address
    mismatch = first_mismatch(processor, pointer, size)
    if mismatch is None:
        return address
    what = f"{_NAMES[operation]} of {size} byte{'s' * (size != 1)} at {address:#x} with tag {tag_of(pointer)}"
    what += f": the granule of {mismatch.address:#x} has tag {mismatch.tag}"
    if control.mode is Mode.SYNC or (control.mode is Mode.ASYMMETRIC and Operation.READ in operation):
        raise Fault(FaultKind.TAG_MISMATCH, TagCode.SEGV_MTESERR, mismatch.address, what)
    processor.memory.state(TagFaultStatus).record(is_upper(pointer))
    processor.memory.defer(Fault(FaultKind.TAG_MISMATCH, TagCode.SEGV_MTEAERR, None, f"{what} (asynchronous)"))
    return address


_NAMES = {Operation.READ: "load", Operation.WRITE: "store", Operation.ATOMIC: "atomic"}


def load(processor: Processor, pointer: int, size: int, *, exempt: bool = False) -> bytes:
    """The bytes that a load of `size` bytes through the pointer gives; as `check_access`."""
    address = check_access(processor, pointer, size, Operation.READ, exempt=exempt)
    pieces = processor.space.pieces(address, size)
    return b"".join(processor.memory.load(piece.physical, piece.size) for piece in pieces)


def store(processor: Processor, pointer: int, data: bytes, *, exempt: bool = False) -> None:
    """Store the bytes through the pointer, unless a synchronous fault prevents it; as `check_access`."""
    address = check_access(processor, pointer, len(data), Operation.WRITE, exempt=exempt)
    for piece in processor.space.pieces(address, len(data)):
        done = piece.address - address
        processor.memory.store(piece.physical, data[done : done + piece.size])
