"""Defences: an architecture, and what the allocator above it makes of it; the columns of the attack table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from capability.adi.protection import Adi
from capability.architecture import Architecture
from capability.cheri.isa import CHERIOT, MORELLO
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.memory import TaggedMemory
from capability.mte.control import Mode
from capability.mte.policy import POLICIES, Scudo
from capability.mte.protection import MTE
from capability.sgx.page import PAGE
from capability.sgx.protection import Sgx
from spec.allocator import ReferenceAllocator

ARENA = 0x10000
"""Where the arena begins: low enough for addresses of 32 bits, high enough to leave pages below it."""
CAPACITY = 1 << 19


class Feature(Enum):
    """What pointers or memory must have for an attack to mean anything; the value says what is missing elsewhere."""

    BOUNDS = "pointers carry neither bounds nor rights"
    TAG = "pointers carry no tag that is a number"
    VALIDITY = "pointers carry no tag"
    RIGHTS = "rights to execute are not part of this model"
    ENCLAVE = "there is no enclave"


@dataclass(frozen=True, slots=True)
class Defence:
    """One column: the reference allocator, first fit, over an architecture.

    quarantine: other frees of its size class that a block sits out. examines: free and realloc look at the whole
    pointer that they are given, not at its address alone. checks_buffers: the enclave's bridge tests where a buffer of
    the host lies. Every other property is the architecture's.
    """

    name: str
    title: str
    architecture: Architecture
    quarantine: int = 0
    examines: bool = True
    checks_buffers: bool = True

    @property
    def family(self) -> str:
        """The kind of hardware: flat, cheri, mte, adi or sgx.

        >>> DEFENCES["morello"].family
        'cheri'
        """
        return type(self.architecture).__name__.lower()

    @property
    def features(self) -> frozenset[Feature]:
        """What attacks can be aimed at."""
        return _FEATURES[type(self.architecture)]

    @property
    def draws(self) -> bool:
        """Whether anything here is chosen by chance."""
        return isinstance(self.architecture, MTE | Adi)

    def memory(self, kind: type[TaggedMemory] = TaggedMemory) -> TaggedMemory:
        """A fresh memory of the size of the arena, as this architecture needs it."""
        architecture = self.architecture
        granule = architecture.isa.format.capability_bytes if isinstance(architecture, Cheri) else 16
        allocation = max(16, architecture.granule) if isinstance(architecture, MTE | Adi) else 16
        return kind(ARENA, CAPACITY, capability_granule=granule, allocation_granule=allocation, page=256)

    def allocator(self, memory: TaggedMemory, architecture: Architecture | None = None) -> ReferenceAllocator:
        """The reference allocator on this memory.

        architecture: in place of the defence's own, to watch what is asked of it.
        """
        used = self.architecture if architecture is None else architecture
        allocator = ReferenceAllocator(architecture=used, capacity=CAPACITY, base=ARENA, quarantine=self.quarantine)
        allocator.memory = memory
        return allocator


_FEATURES = {
    Flat: frozenset[Feature](),
    Cheri: frozenset({Feature.BOUNDS, Feature.VALIDITY, Feature.RIGHTS}),
    MTE: frozenset({Feature.TAG, Feature.VALIDITY}),
    Adi: frozenset({Feature.TAG, Feature.VALIDITY}),
    Sgx: frozenset({Feature.ENCLAVE, Feature.RIGHTS}),
}
_SWEEP = 1 << 18
_MTE_TITLES = {
    "random": "a random tag at each malloc and each free",
    "glibc": "a random tag at each malloc, tag 0 at each free",
    "scudo": "a new tag at each free, never the old one; freed bytes are zeroed",
    "scudo-odd-even": "Scudo, slots odd and even in turn",
    "hardened_malloc": "never a neighbour's tag nor the slot's last; free memory has tag 0 and is zeroed",
    "xzone": "never the old tag nor a neighbour's within the page, at each malloc and free",
    "partition_alloc": "the next tag at each free",
}
_SYNC = [
    Defence(f"mte-{name}", f"MTE, synchronous: {_MTE_TITLES[name]}", MTE(policy)) for name, policy in POLICIES.items()
]
_ALL = (
    Defence("flat", "no protection", Flat()),
    Defence("flat-quarantine", "no protection; a freed block sits out 8 others", Flat(), quarantine=8),
    Defence("isav9", "CHERI-RISC-V ISAv9, 128 bits; revocation at each free", Cheri()),
    Defence("isav9-deferred", "the same; a sweep once 256 KiB are freed, no reuse before it", Cheri(sweep_at=_SWEEP)),
    Defence(
        "isav9-unexamined", "the same as isav9, but free and realloc look at the address alone", Cheri(), examines=False
    ),
    Defence("morello", "Morello; revocation at each free", Cheri(MORELLO)),
    Defence("morello-deferred", "Morello; a sweep once 256 KiB are freed", Cheri(MORELLO, sweep_at=_SWEEP)),
    Defence("cheriot", "CHERIoT, 64 bits; revocation at each free", Cheri(CHERIOT)),
    Defence("sgx-shared", "SGX: the heap of an enclave, blocks share pages, 16 empty ones are kept", Sgx()),
    Defence(
        "sgx-pages", "the same; each block has pages of its own, given back at each free", Sgx(granule=PAGE, trim_at=0)
    ),
    Defence(
        "sgx-user-check",
        "the same as sgx-shared; buffers that the host names are not checked",
        Sgx(),
        checks_buffers=False,
    ),
    *_SYNC,
    Defence("mte-async", "MTE, asynchronous, with Scudo's tags", MTE(Scudo(), mode=Mode.ASYNC)),
    Defence("adi-disrupting", "SPARC ADI; neighbours always differ, freed lines have a version of their own", Adi()),
    Defence("adi-precise", "the same; stores trap before they happen", Adi(thread=replace(Adi().thread, mcdperr=True))),
)
DEFENCES: dict[str, Defence] = {defence.name: defence for defence in _ALL}
"""The columns of the table, by name."""
