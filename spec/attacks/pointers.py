"""Pointers in a client's hands, and what free makes of them: what differs from architecture to architecture."""

from __future__ import annotations

from capability.adi.code import Code
from capability.adi.protection import AdiPointer
from capability.architecture import Access, Architecture, Pointer
from capability.cheri.capability import Capability
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.protection import Cheri
from capability.cheri.rebuild import is_within
from capability.cheri.revocation import Revocation
from capability.cheri.transfer import load_capability, store_capability
from capability.fault import Fault, FaultKind
from capability.flat import FlatPointer
from capability.memory import TaggedMemory
from capability.mte.code import TagCode
from capability.mte.protection import MtePointer
from capability.perms import Perms
from spec.attacks.step import Change, Make
from spec.error import Bug, Misuse

_READ = Perms.GLOBAL | Perms.PERMIT_LOAD | Perms.PERMIT_LOAD_CAP
POINTER_BYTES = 8


def changed(make: Make, pointer: Pointer, address: int, architecture: Architecture) -> Pointer:
    """The pointer that the client makes.

    pointer: what it makes it from. address: of the block that a forged pointer is to name.
    Raises Bug for a change that this architecture's pointers do not know; `Feature` keeps those apart.
    """
    if make.change is Change.FORGE:
        return FlatPointer(address, address, address)
    if isinstance(pointer, Capability) and isinstance(architecture, Cheri):
        return _changed_capability(make, pointer, architecture)
    if isinstance(pointer, MtePointer) and make.change in (Change.UNTAG, Change.GUESS):
        return pointer._replace(tag=make.tag)
    if isinstance(pointer, AdiPointer) and make.change in (Change.UNTAG, Change.GUESS):
        return pointer._replace(version=make.tag)
    raise Bug(f"{make} of {pointer!r}")


def _changed_capability(make: Make, pointer: Capability, cheri: Cheri) -> Capability:
    if make.change in (Change.NARROW, Change.WIDEN):
        return set_bounds(set_address(pointer, pointer.base, cheri.isa), make.size, cheri.isa)
    if make.change is Change.READ_ONLY:
        return limit_rights(pointer, _READ, cheri.isa)
    if make.change is Change.UNTAG:
        return pointer.clear_tag()
    raise Bug(f"{make} of {pointer!r}")


def visible_tag(pointer: Pointer) -> int | None:
    """The tag that everyone can read who sees the pointer as a number; None where it holds none.

    >>> visible_tag(MtePointer(0x1000, 0x1000, 0x1040, tag=5)), visible_tag(FlatPointer(0x1000, 0x1000, 0x1040))
    (5, None)
    """
    if isinstance(pointer, MtePointer):
        return pointer.tag
    return pointer.version if isinstance(pointer, AdiPointer) else None


def examine(architecture: Architecture, memory: TaggedMemory, given: Pointer, issued: Pointer, address: int) -> None:
    """What free and realloc look at before they believe a pointer to a live block.

    given: what the client handed in. issued: what it was given for the block at `address`.
    CHERI: a valid capability, and in bounds and rights the one that was issued. MTE, ADI: the tag of the block's first
    granule. Elsewhere a pointer is an address, and has been looked up already.
    Raises Fault where the hardware's own test fails, Misuse where the allocator's comparison does.
    Source: CTSRD-CHERI/cheri-c-programming, branch memory-allocators; glibc, malloc/malloc.c (__libc_free reads through
    the pointer first); Apple libmalloc, private/memtag.h.
    """
    if isinstance(issued, Capability):
        architecture.check(memory, given, address, 1, Access.LOAD)
        if not isinstance(given, Capability) or memory.state(Revocation).current(given) != issued:
            raise Misuse("invalid-free", f"{given!r} is not the pointer that was handed out, {issued!r}")
    elif isinstance(issued, MtePointer | AdiPointer):
        tag, found = visible_tag(given) or 0, memory.allocation_tag(address)
        if tag != found:
            text = f"{given!r} has tag {tag}, the first granule of its block has {found}"
            if isinstance(issued, MtePointer):
                raise Fault(FaultKind.TAG_MISMATCH, TagCode.SEGV_MTESERR, address, text)
            raise Fault(FaultKind.VERSION_MISMATCH, Code.SEGV_ADIPERR, address, text)


def exceeds(one: Pointer, other: Pointer, memory: TaggedMemory) -> bool:
    """Whether `one` is valid and allows what `other` does not; only capabilities say what they allow."""
    if not isinstance(one, Capability) or not isinstance(other, Capability):
        return False
    return memory.state(Revocation).current(one).tag and not is_within(one, other)


def store_pointer(
    architecture: Architecture, memory: TaggedMemory, through: Pointer, address: int, stored: Pointer
) -> None:
    """Store a pointer in memory.  Raises Fault.

    Where a pointer is a number, its bytes are stored, and the number names it when it is loaded again.
    """
    if isinstance(architecture, Cheri):
        if isinstance(through, Capability) and isinstance(stored, Capability):
            store_capability(memory, through, address, stored, architecture.isa)
            return
        raise Bug(f"{stored!r} stored through {through!r}")
    architecture.check(memory, through, address, POINTER_BYTES, Access.STORE)
    memory.store(address, _word(stored).to_bytes(POINTER_BYTES, "little"))


def load_pointer(
    architecture: Architecture, memory: TaggedMemory, through: Pointer, address: int, stored: Pointer
) -> Pointer | None:
    """The pointer at an address, None where there is nothing but zeros; `stored` says what kind of pointer it is.

    Raises Fault.
    """
    if isinstance(architecture, Cheri):
        if isinstance(through, Capability):
            loaded = load_capability(memory, through, address, architecture.isa)
            return loaded if loaded.tag or loaded.address else None
        raise Bug(f"load of a capability through {through!r}")
    architecture.check(memory, through, address, POINTER_BYTES, Access.LOAD)
    word = int.from_bytes(memory.load(address, POINTER_BYTES), "little")
    if word == 0:
        return None
    return stored if word == _word(stored) else FlatPointer(word, word, word)


def _word(pointer: Pointer) -> int:
    """The pointer as a number of 64 bits."""
    if isinstance(pointer, MtePointer):
        return pointer.value
    return pointer.word if isinstance(pointer, AdiPointer) else pointer.address
