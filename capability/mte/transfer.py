"""Tags to and from memory, a granule or two at a time: LDG, STG, ST2G, STZG, STZ2G, STGP.

None of them is checked against the tag that the memory has. Through memory that is not Tagged, or where tags cannot be
accessed, a load of a tag gives 0 and a store of a tag does nothing; its zeroes and its data are stored all the same.
With MTX memory that is not Tagged has canonical tags: a load of a tag gives that one, and a store of a tag, whichever
it is, is a permission fault, before anything was stored.
Source: Arm ARM (DDI 0487), the instructions' pages; "Memory region tagging types"; AArch64.MemTag, AArch64.S1Translate.
"""

from __future__ import annotations

from typing import NamedTuple

from capability.fault import Fault, FaultKind
from capability.memory import BusCode
from capability.mte.check import translate
from capability.mte.code import TagCode
from capability.mte.processor import Processor
from capability.mte.tag import GRANULE, address_of, canonical_tag, check_tag, is_upper, tag_of, with_tag
from capability.word import WidthError, align_down, is_aligned, unsigned, wrap


class Indexing(NamedTuple):
    """How an address is made from a base register: the address used, and the base register afterwards."""

    address: int
    base: int


def offset(xn: int, simm: int = 0, *, bits: int = 9) -> Indexing:
    """[Xn, #simm]: the base plus the immediate; the base stays.

    xn: 64 bits, tag included. simm: bytes, a multiple of 16 that fits in `bits` bits once divided by 16: -4096 to 4080,
    and for STGP (7 bits) -1024 to 1008.  Raises WidthError.

    >>> offset(0x1000, 4096)
    Traceback (most recent call last):
    capability.word.WidthError: immediate of 4096 bytes: a multiple of 16, -4096 <= immediate <= 4080
    """
    limit = GRANULE << (bits - 1)
    if simm % GRANULE or not -limit <= simm < limit:
        text = f"immediate of {simm} bytes: a multiple of 16, {-limit} <= immediate <= {limit - GRANULE}"
        raise WidthError(text)
    return Indexing(wrap(unsigned(xn, 64) + simm, 64), xn)


def pre_index(xn: int, simm: int, *, bits: int = 9) -> Indexing:
    """[Xn, #simm]!: the base plus the immediate, and the base becomes that.  As `offset`.

    >>> pre_index(0x1000, 16)
    Indexing(address=4112, base=4112)
    """
    address = offset(xn, simm, bits=bits).address
    return Indexing(address, address)


def post_index(xn: int, simm: int, *, bits: int = 9) -> Indexing:
    """[Xn], #simm: the base as it is; afterwards the immediate is added to it.  As `offset`.

    >>> post_index(0x1000, -16)
    Indexing(address=4096, base=4080)
    """
    return Indexing(xn, offset(xn, simm, bits=bits).address)


def ldg(processor: Processor, xt: int, address: int) -> int:
    """LDG: `xt` with the tag of the granule that holds the address, which need not be aligned.

    xt, address: 64 bits. All of `xt` but its bits 59:56 survives.  Raises Fault UNMAPPED, WidthError.

    >>> from capability.memory import TaggedMemory
    >>> processor = Processor(TaggedMemory())
    >>> stg(processor, 0x0500_0000_0000_0000, 0x1000)
    >>> hex(ldg(processor, 0xFFFF_FFFF_FFFF_FFFF, 0x100F))
    '0xf5ffffffffffffff'
    """
    return with_tag(xt, load_tag(processor, align_down(unsigned(address, 64), GRANULE)))


def stg(processor: Processor, xt: int, address: int) -> None:
    """STG: the granule's tag becomes that of `xt`; its bytes stay.

    Raises Fault ALIGNMENT unless 16-byte aligned, UNMAPPED, PERMISSION where tags are canonical.

    >>> from capability.memory import TaggedMemory
    >>> stg(Processor(TaggedMemory()), 0, 0x1008)
    Traceback (most recent call last):
    capability.fault.Fault: STG at 0x1008: the address must be a multiple of 16
    """
    _store(processor, "STG", xt, address, granules=1, zero=False)


def st2g(processor: Processor, xt: int, address: int) -> None:
    """ST2G: as STG for two granules; the address need only be 16-byte aligned."""
    _store(processor, "ST2G", xt, address, granules=2, zero=False)


def stzg(processor: Processor, xt: int, address: int) -> None:
    """STZG: as STG, and the granule's bytes become zero."""
    _store(processor, "STZG", xt, address, granules=1, zero=True)


def stz2g(processor: Processor, xt: int, address: int) -> None:
    """STZ2G: as ST2G, and the bytes of both granules become zero."""
    _store(processor, "STZ2G", xt, address, granules=2, zero=True)


def stgp(processor: Processor, xt1: int, xt2: int, address: int) -> None:
    """STGP: store two registers in a granule and tag it; the tag is that of the *address*.

    xt1, xt2: 64 bits, stored little-endian, the first one lower. Its store is not checked either.
    Raises Fault ALIGNMENT unless 16-byte aligned, Fault UNMAPPED, PERMISSION, WidthError.

    >>> from capability.memory import TaggedMemory
    >>> processor = Processor(TaggedMemory())
    >>> stgp(processor, 1, 2, 0x0700_0000_0000_1000)
    >>> processor.memory.allocation_tag(0x1000), processor.memory.load(0x1000, 9)
    (7, b'\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02')
    """
    data = unsigned(xt1, 64).to_bytes(8, "little") + unsigned(xt2, 64).to_bytes(8, "little")
    check_aligned("STGP", address)
    store_tag(processor, address, GRANULE, tag_of(address))
    store_bytes(processor, address, data)


def _store(processor: Processor, name: str, xt: int, address: int, *, granules: int, zero: bool) -> None:
    check_aligned(name, address)
    size = granules * GRANULE
    store_tag(processor, address, size, tag_of(xt))
    if zero:
        store_bytes(processor, address, bytes(size))


def check_aligned(name: str, address: int) -> None:
    """Raise Fault ALIGNMENT unless the address is a multiple of 16."""
    if not is_aligned(unsigned(address, 64), GRANULE):
        text = f"{name} at {address:#x}: the address must be a multiple of {GRANULE}"
        raise Fault(FaultKind.ALIGNMENT, BusCode.BUS_ADRALN, address_of(address), text)


def load_tag(processor: Processor, address: int) -> int:
    """The tag that a tag instruction reads for the granule at the address.  Raises Fault UNMAPPED."""
    (piece,) = processor.space.pieces(translate(processor.control, address), GRANULE)
    if piece.tagged and processor.control.ata:
        return processor.memory.allocation_tag(piece.physical)
    processor.memory.check_mapped(piece.physical, GRANULE)
    return canonical_tag(address) if processor.control.mtx[is_upper(address)] and processor.control.ata else 0


def store_tag(processor: Processor, address: int, size: int, tag: int) -> None:
    """Tag the granules of [address, address + size) where they are Tagged.

    Raises Fault UNMAPPED, and PERMISSION with SEGV_ACCERR where tags are canonical, with nothing stored: whoever stores
    bytes as well does so afterwards. Canonical tags are the mapping's, so that ATA makes no difference to that.
    """
    check_tag(tag)
    pieces = list(processor.space.pieces(translate(processor.control, address), size))
    for piece in pieces:
        processor.memory.check_mapped(piece.physical, piece.size)
    for piece in pieces:
        if not piece.tagged and processor.control.mtx[is_upper(address)]:
            text = f"store of tag {tag} at {piece.address:#x}: memory that is not Tagged has canonical tags under MTX"
            raise Fault(FaultKind.PERMISSION, TagCode.SEGV_ACCERR, piece.address, text)
    for piece in pieces:
        if piece.tagged and processor.control.ata:
            processor.memory.set_allocation_tag(piece.physical, piece.size, tag)


def store_bytes(processor: Processor, address: int, data: bytes) -> None:
    """Store bytes through an instruction that is not checked.  Raises Fault UNMAPPED, with nothing stored."""
    start = translate(processor.control, address)
    pieces = list(processor.space.pieces(start, len(data)))
    for piece in pieces:
        processor.memory.check_mapped(piece.physical, piece.size)
    for piece in pieces:
        done = piece.address - start
        processor.memory.store(piece.physical, data[done : done + piece.size])
