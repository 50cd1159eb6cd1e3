"""The seam: what an allocator asks of memory protection, whatever the hardware is.

An allocator does three things with protection. It derives a pointer for a block that it hands out, the client's
accesses through that pointer are checked, and it retires the pointer when the block is given up. Each model in
this package is an `Architecture`; models are added, methods are not.

An architecture is a frozen value. Everything that changes (bytes, tags, what waits for revocation) is in the
`TaggedMemory` it is given, so that copying the memory copies the machine.
"""

from __future__ import annotations

from enum import Enum, auto
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from capability.memory import TaggedMemory
    from capability.perms import Perms


class Access(Enum):
    """What an instruction does with memory.

    The two stores of capabilities are of *tagged* ones; storing an untagged capability is a STORE of its bytes.
    """

    LOAD = auto()
    STORE = auto()
    FETCH = auto()
    LOAD_CAPABILITY = auto()
    STORE_CAPABILITY = auto()
    STORE_LOCAL_CAPABILITY = auto()


class Hazard(Enum):
    """A way in which an access can be wrong; `Architecture.detection` says how surely each is caught."""

    USE_AFTER_FREE = "use after free"
    """Through a retired pointer; the block's bytes have not been handed out again."""
    USE_AFTER_REUSE = "use after reuse"
    """Through a retired pointer; its bytes are another block now, one generation later."""
    ADJACENT_OVERFLOW = "overflow into the next block"
    """Past the end, into the block that begins where this one's granules end."""
    DISTANT_OVERFLOW = "access to a distant block"
    """Out of bounds, into some live block that is not a neighbour."""
    GRANULE_OVERFLOW = "overflow within the last granule"
    """Past the size that the pointer was derived for, before the end of the granule."""
    FORGED_POINTER = "pointer made from an integer"
    """Through a pointer to a live block that was never derived: its address alone was known."""


class Range(NamedTuple):
    """The addresses base <= a < top.

    >>> Range(0x1000, 0x1040)
    [0x1000, 0x1040)
    """

    base: int
    top: int

    def __repr__(self) -> str:
        return f"[{self.base:#x}, {self.top:#x})"


class Pointer(Protocol):
    """What `derive` returns and a client holds: an immutable, hashable value.

    address: what C calls the pointer's value, without any tag bits. base, top: the block it was derived for. On CHERI
    they are in the pointer; elsewhere they are the model's own memory of the derivation, which `check` must not use.
    """

    @property
    def address(self) -> int: ...
    @property
    def base(self) -> int: ...
    @property
    def top(self) -> int: ...


class Retirement(NamedTuple):
    """What retiring a pointer gave back, and what it cost.

    reusable: the ranges that may be handed out again from now on. Each is the whole range of one pointer retired now
    or earlier, and each is reported exactly once. Retagging hardware reports the block at once; revocation reports
    nothing until its sweep, and then everything that the sweep made safe.
    granules: granules whose tag or version was written. swept_bytes: memory read in search of capabilities.
    pages: pages given back.
    """

    reusable: tuple[Range, ...] = ()
    granules: int = 0
    swept_bytes: int = 0
    pages: int = 0


class UnrepresentableError(ValueError):
    """The bounds asked for are not exactly what the format can hold; nothing was derived.

    granule: a power of two. A block of this size can be derived where its base and its size are both multiples of it.
    """

    def __init__(self, base: int, size: int, granule: int) -> None:
        super().__init__(base, size, granule)
        self.base = base
        self.size = size
        self.granule = granule

    def __str__(self) -> str:
        return f"{self.size} bytes at {self.base:#x} have no exact bounds: both must be multiples of {self.granule}"


class Architecture(Protocol):
    """A memory protection model, seen by an allocator."""

    @property
    def granule(self) -> int:
        """Bytes, a power of two: blocks begin and end at multiples of it, so that no two share a protected unit."""

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Pointer:
        """A pointer to exactly [base, base + size), with no right beyond `perms`; memory is tagged to match it.

        base: a multiple of `granule`. size: at least 1; where it is not a multiple of `granule`, the rest of the last
        granule belongs to the block. No byte is in another live block; each was never handed out, or was reported
        reusable.  Raises UnrepresentableError where the format would have to round.
        """

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Let the access to [address, address + size) through `pointer` pass, or raise Fault.

        An asynchronous mode lets it pass and defers the fault to `memory.synchronise()`.
        """

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """Give up a pointer exactly as it was derived; say which ranges may be reused from now on.

        None gives up nothing new and completes what is pending: the call of an allocator that has run out of memory.
        """

    def detection(self, kind: Hazard) -> Fraction:
        """The probability that one access of this kind is caught, at the least favourable moment, as an exact fraction.

        The access is legal in every other respect, and its address and the tags in use are independent of the tag
        that was drawn.
        """
