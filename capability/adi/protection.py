"""ADI as an allocator sees it: blocks of whole lines, a version for each, another one when it is given up."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from typing import NamedTuple

from capability.adi.check import check_access
from capability.adi.code import Code
from capability.adi.mcd import McdPages, Thread, load_version, set_versions
from capability.adi.policy import VersionPolicy
from capability.adi.version import LINE, with_version
from capability.architecture import Access, Hazard, Pointer, Range, Retirement
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import Perms
from capability.word import align_up, is_aligned, wrap


class AdiPointer(NamedTuple):
    """An address with the version that its block was given; the bounds are the model's, not the hardware's.

    >>> AdiPointer(0x1000, 0x1000, 0x1040, 5)
    v5:0x1000
    >>> hex(AdiPointer(0x1000, 0x1000, 0x1040, 5).word)
    '0x5000000000001000'
    """

    address: int
    base: int
    top: int
    version: int

    @property
    def word(self) -> int:
        """The 64 bits in the register."""
        return with_version(wrap(self.address, 64), self.version)

    def __repr__(self) -> str:
        return f"v{self.version}:{self.address:#x}"


class VersionSource:
    """Where an allocator's versions come from: the allocator's own generator, for no instruction draws one.

    Two machines that differ in the generator alone have the same key: what one can draw, so can the other.
    """

    __slots__ = ("_random",)

    def __init__(self) -> None:
        self._random: Random | None = None

    def draw(self, choices: tuple[int, ...], seed: int) -> int:
        """One of them, each equally likely; `seed` names the sequence that the first draw starts."""
        if self._random is None:
            self._random = Random(seed)
        return self._random.choice(choices)

    def copy(self) -> VersionSource:
        """A generator that goes on alike."""
        twin = VersionSource()
        if self._random is not None:
            twin._random = Random()
            twin._random.setstate(self._random.getstate())
        return twin

    def key(self) -> Hashable:
        """Nothing: see above."""
        return ()


@dataclass(frozen=True, slots=True)
class Adi:
    """Silicon Secured Memory under an allocator; stores are disrupting unless `thread.mcdperr`.

    policy: how versions are chosen. thread: the switches of the one thread there is. seed: of the generator, so that
    a run repeats; a real allocator keeps it secret. granule: the line.

    >>> memory, adi = TaggedMemory(0x2000, 0x2000), Adi()
    >>> pointer = adi.derive(memory, 0x2000, 100, Perms(0))
    >>> adi.check(memory, pointer, 0x2000, 100, Access.STORE)
    >>> adi.retire(memory, pointer)
    Retirement(reusable=([0x2000, 0x2064),), granules=2, swept_bytes=0, pages=0)
    >>> adi.check(memory, pointer, 0x2000, 1, Access.LOAD)                       # doctest: +ELLIPSIS
    Traceback (most recent call last):
    capability.fault.Fault: load of 1 byte at 0x2000: pointer has version ..., the line at 0x2000 has 14
    """

    policy: VersionPolicy = field(default_factory=VersionPolicy)
    thread: Thread = field(default_factory=Thread)
    seed: int = 1
    granule: int = LINE

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> AdiPointer:
        """Draw a version, give it to the block's lines, and to the pointer; `perms` are not kept anywhere.

        What part of the block is outside memory keeps no version.  Cost: O(lines).
        Raises ValueError when `base` is not a multiple of the line: the block would share its first version.
        """
        if not is_aligned(base, self.granule) or size < 1:
            raise ValueError(f"{size} bytes at {base:#x}: size >= 1, and the base must be a multiple of {self.granule}")
        top = align_up(base + size, LINE)
        choices = self.policy.choices(_version_at(memory, base - LINE), _version_at(memory, top))
        version = memory.state(VersionSource).draw(choices, self.seed) if self.thread.mcde else 0
        self._set(memory, base, top, version)
        return AdiPointer(base, base, base + size, version)

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Compare versions as the hardware does; a pointer that was never derived has version 0.

        Raises Fault UNMAPPED and VERSION_MISMATCH; defers that of a store, unless `thread.mcdperr`.  Cost: O(lines).
        """
        memory.check_mapped(address, size)
        version = pointer.version if isinstance(pointer, AdiPointer) else 0
        check_access(memory, self.thread, with_version(wrap(address, 64), version), size, access)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        """Give the block's lines the free version; it may be reused at once.  Cost: O(lines).

        Raises Fault VERSION_MISMATCH when the lines do not have the pointer's version: freed before, or not derived.
        """
        if pointer is None:
            return Retirement()
        version = pointer.version if isinstance(pointer, AdiPointer) else 0
        if self.thread.mcde and _version_at(memory, pointer.base) != version:
            text = f"retire of {pointer!r}: its line has version {_version_at(memory, pointer.base)}: retired before"
            raise Fault(FaultKind.VERSION_MISMATCH, Code.SEGV_ADIPERR, pointer.address, text)
        lines = self._set(memory, pointer.base, align_up(pointer.top, LINE), self.policy.free_version)
        return Retirement((Range(pointer.base, pointer.top),), granules=lines)

    def detection(self, kind: Hazard) -> Fraction:
        """What the policy gives, and nothing in a thread that has not enabled ADI.

        >>> str(Adi().detection(Hazard.DISTANT_OVERFLOW)), str(Adi().detection(Hazard.GRANULE_OVERFLOW))
        ('10/11', '0')
        """
        return self.policy.detection(kind) if self.thread.mcde else Fraction(0)

    def _set(self, memory: TaggedMemory, base: int, top: int, version: int) -> int:
        """Enable ADI for the pages of the part that is in memory, and set its versions."""
        base, top = max(base, memory.base), min(top, memory.top)
        if not self.thread.mcde or top <= base:
            return 0
        memory.state(McdPages).enable(base, top - base)
        return set_versions(memory, self.thread, base, top - base, version)


def _version_at(memory: TaggedMemory, address: int) -> int:
    """The version of a line, 0 where there is no memory."""
    return load_version(memory, address) if memory.base <= address < memory.top else 0
