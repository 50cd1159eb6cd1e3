"""Memory as the interpreter sees it: blocks of bytes, each byte a set of possible values, pointers with provenance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from math import prod
from typing import Final, TypeAlias

from m4alloc.superopt import ir
from m4alloc.superopt.interpret_ops import POISON, Scalar, UndefinedBehaviour, signed
from m4alloc.superopt.verdict import UnsupportedError

ADDRESSES = 1 << 64
LIMIT = 1 << 16
"""How many combinations of values one instruction may have."""


class TooManyChoicesError(UnsupportedError):
    """Enumeration would take too long; the message says what has too many values."""


class UnsupportedInputError(UnsupportedError):
    """What one particular input leads to is not covered: numbers and pointers taken for each other in memory."""


@dataclass(frozen=True, slots=True)
class Place:
    """A pointer: the block it is based on and an offset, which may lie outside.  The block "" is at address 0."""

    block: str
    offset: int


NULL: Final = Place("", 0)


class _Wild:
    """An undef pointer: any pointer at each use."""

    def __repr__(self) -> str:
        return "undef pointer"

    def __reduce__(self) -> str:
        return "WILD"


WILD: Final = _Wild()


@dataclass(frozen=True, slots=True)
class PlaceByte:
    """One byte of a stored pointer; number 0 is the lowest."""

    place: Place
    number: int


# What a value can be in one instant, and the set of what it can be at each use: undef is a set of all values, so a
# register that depends on undef is sampled anew wherever it is used.
Element: TypeAlias = "Scalar | Place | _Wild | tuple[Element, ...]"
Possible: TypeAlias = frozenset[Element]
Byte: TypeAlias = "frozenset[Scalar | PlaceByte]"

UNDEF_BYTE: Byte = frozenset(range(256))


@dataclass(frozen=True, slots=True)
class Region:
    """Where a block lies: its address, its size in bytes, and whether it is an alloca of the function itself."""

    base: int
    size: int
    local: bool = False


@dataclass
class Memory:
    """Blocks and what their bytes hold.

    accesses: every load and store of a block that is not local, in order: (kind, place, bytes, what was stored).
    """

    regions: dict[str, Region] = field(default_factory=dict)
    bytes: dict[tuple[str, int], Byte] = field(default_factory=dict)
    accesses: list[tuple[str, Place, int, object]] = field(default_factory=list)

    def copy(self) -> Memory:
        """One that may change on its own."""
        return Memory(dict(self.regions), dict(self.bytes), list(self.accesses))

    def visible(self) -> tuple[tuple[tuple[str, int], Byte], ...]:
        """The bytes that the caller can see, in order."""
        return tuple(sorted((item for item in self.bytes.items() if not self.regions[item[0][0]].local),
                            key=lambda item: item[0]))  # fmt: skip

    def address(self, place: Place) -> int:
        """The pointer as a number; UnsupportedError for a local block, whose address is not fixed."""
        if place.block and self.regions[place.block].local:
            raise UnsupportedError("the interpreter does not look at the address of an alloca")
        return ((self.regions[place.block].base if place.block else 0) + place.offset) % ADDRESSES

    def allocate(self, size: int, align: int) -> Place:
        """A new local block of undef bytes."""
        name = f"alloca {len(self.regions)}"
        base = (1 << 40) + (len(self.regions) << 20)
        self.regions[name] = Region(base - base % align, size, local=True)
        self.bytes.update({(name, offset): UNDEF_BYTE for offset in range(size)})
        return Place(name, 0)

    def _checked(self, pointer: Possible, size: int, align: int) -> Place:
        """The place of an access; UB where it is not one place inside of a block at the alignment."""
        if len(pointer) != 1:
            raise UndefinedBehaviour
        (place,) = pointer
        if not isinstance(place, Place) or place.block not in self.regions:
            raise UndefinedBehaviour
        region = self.regions[place.block]
        if not 0 <= place.offset <= region.size - size or (region.base + place.offset) % align:
            raise UndefinedBehaviour
        return place

    def _note(self, kind: str, place: Place, size: int, stored: object = None) -> None:
        if not self.regions[place.block].local:
            self.accesses.append((kind, place, size, stored))

    def load(self, pointer: Possible, type: ir.Type, align: int | None) -> Possible:
        """The value there; one poison byte makes a scalar poison ("load Instruction")."""
        size = byte_size(type)
        place = self._checked(pointer, size, natural_alignment(type) if align is None else align)
        self._note("load", place, size)
        return _loaded(tuple(self.bytes[place.block, place.offset + i] for i in range(size)), type)

    def store(self, value: Possible, type: ir.Type, pointer: Possible, align: int | None) -> None:
        """Overwrite bytes ("store Instruction")."""
        size = byte_size(type)
        place = self._checked(pointer, size, natural_alignment(type) if align is None else align)
        self._note("store", place, size, value)
        pieces = {tuple(_bytes(element, type)) for element in value}
        held: list[Byte] = [frozenset(piece[i] for piece in pieces) for i in range(size)]
        whole = [piece for piece in pieces if POISON not in piece]
        if len(whole) > 1 and len(whole) != prod(len({piece[i] for piece in whole}) for i in range(size)):
            raise TooManyChoicesError("bytes of a partly undef value that depend on each other were stored")
        for i, byte in enumerate(held):
            self.bytes[place.block, place.offset + i] = byte


@lru_cache(maxsize=1 << 14)
def _loaded(held: tuple[Byte, ...], type: ir.Type) -> Possible:
    """What the bytes may make."""
    if prod(map(len, held)) > LIMIT:
        raise TooManyChoicesError(f"a load of {len(held)} undef bytes has more than {LIMIT} values")
    return frozenset(_assembled(combination, type) for combination in product(*held))


def _bytes(element: Element, type: ir.Type) -> Iterator[Scalar | PlaceByte]:
    """A value's bytes, lowest first."""
    if isinstance(type, ir.Vector):
        assert isinstance(element, tuple)
        for part in element:
            yield from _bytes(part, type.element)
    elif isinstance(element, Place):
        yield from (PlaceByte(element, i) for i in range(8))
    elif isinstance(element, int):
        yield from element.to_bytes(byte_size(type), "little")
    elif element is POISON:
        yield from [POISON] * byte_size(type)
    else:
        raise UnsupportedError("the interpreter does not store undef pointers or structures")


def _assembled(held: tuple[Scalar | PlaceByte, ...], type: ir.Type) -> Element:
    """The value that the bytes make."""
    if isinstance(type, ir.Vector):
        step = byte_size(type.element)
        return tuple(_assembled(held[i : i + step], type.element) for i in range(0, len(held), step))
    if any(byte is POISON for byte in held):
        return POISON
    if isinstance(type, ir.Pointer):
        first = held[0]
        if isinstance(first, PlaceByte) and held == tuple(PlaceByte(first.place, i) for i in range(8)):
            return first.place
        if not any(held):
            return NULL
        raise UnsupportedInputError("a pointer loaded from bytes that are not one stored pointer")
    total = 0
    for i, byte in enumerate(held):
        if not isinstance(byte, int):
            raise UnsupportedInputError("an integer loaded from the bytes of a pointer")
        total |= byte << (8 * i)
    return total


def byte_size(type: ir.Type) -> int:
    """Bytes that a load or store of the type touches; UnsupportedError where that is no whole number."""
    if isinstance(type, ir.Int) and type.width % 8 == 0:
        return type.width // 8
    if isinstance(type, ir.Pointer):
        return 8
    if isinstance(type, ir.Vector):
        return type.count * byte_size(type.element)
    raise UnsupportedError(f"the interpreter does not load or store {type}")


def natural_alignment(type: ir.Type) -> int:
    """What LLVM takes where no `align` is written, on x86-64: the size up to the next power of two, i128's 16 at most.

    >>> natural_alignment(ir.Int(32)), natural_alignment(ir.Vector(3, ir.Int(8)))
    (4, 4)
    """
    return int(1 << (byte_size(type) - 1).bit_length())


def stride(type: ir.Type) -> int:
    """Bytes from one element of an array to the next, as getelementptr counts them."""
    if isinstance(type, ir.Int):
        size = (type.width + 7) // 8
        return int(1 << (size - 1).bit_length())
    size = byte_size(type)
    return int(-(-size // natural_alignment(type)) * natural_alignment(type))


def moved(
    memory: Memory, place: Place, steps: list[tuple[int, int]], flags: frozenset[str], index_width: int
) -> Place | None:
    """`place` after getelementptr's `steps` (index, bytes); None for poison.

    index_width: bits of the indices, which are signed.  Source: LangRef, "getelementptr Instruction": rules of
    nusw, of nuw, and of inbounds, which implies nusw and holds wherever all indices are zero.
    """
    total, running = 0, 0
    half = ADDRESSES // 2
    base = memory.regions[place.block].base if place.block else 0
    for index, size in steps:
        step = signed(index, index_width) * size
        if flags & {"nusw", "inbounds"} and not (-half <= step < half and -half <= total + step < half):
            return None
        if flags & {"nusw", "inbounds"} and not 0 <= (base + place.offset + total) % ADDRESSES + step < ADDRESSES:
            return None
        total += step
        if "nuw" in flags:
            running += signed(index, index_width) % ADDRESSES * size
            if running >= ADDRESSES or (base + place.offset) % ADDRESSES + running >= ADDRESSES:
                return None
    if "inbounds" in flags and any(index for index, _ in steps):
        region = memory.regions.get(place.block)
        at = place.offset
        if region is None or not 0 <= at <= region.size:
            return None
        for index, size in steps:
            at += signed(index, index_width) * size
            if not 0 <= at <= region.size:
                return None
    return Place(place.block, signed((place.offset + total) % ADDRESSES, 64))
