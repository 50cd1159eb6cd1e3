"""The comparison that each load and store makes."""

from __future__ import annotations

from capability.adi.code import Code
from capability.adi.mcd import McdPages, Thread, load_version
from capability.adi.version import LINE, matches, normalise, version_of
from capability.architecture import Access
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.word import align_down

_STORES = frozenset({Access.STORE, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY})


def mismatch(memory: TaggedMemory, thread: Thread, pointer: int, size: int) -> int | None:
    """The first byte of the access whose line has another version than the pointer; None when all agree.

    pointer: as the program holds it, version in bits 63:60. The bytes must be in memory. A line of a page without
    TTE.mcd agrees with everything, and so does a line of version 0 or 15.  Cost: O(lines).
    """
    if not thread.mcde:
        return None
    address, pages = normalise(pointer), memory.state(McdPages)
    for line in range(align_down(address, LINE), address + size, LINE):
        first = max(address, line)
        if pages.is_enabled(first) and not matches(version_of(pointer), load_version(memory, first)):
            return first
    return None


def check_access(
    memory: TaggedMemory, thread: Thread, pointer: int, size: int, access: Access, *, non_faulting: bool = False
) -> None:
    """Let the access pass or raise Fault; a store with the wrong version passes, and its fault is deferred.

    A load is always precise. A store is disrupting unless `thread.mcdperr`: it happens, and the process hears of it
    at `memory.synchronise()`, without the data's address. Instruction fetches and non-faulting loads are not compared.
    In a thread without PSTATE.mcde bits 63:60 are address bits like others, and a versioned pointer names no memory.
    pointer: 0 <= pointer < 2**64.  Raises WidthError; Fault UNMAPPED, VERSION_MISMATCH.  Cost: O(lines).
    Source: Linux, adi.rst, "ADI related traps" (precise: TT 1A; disrupting: resumable error, TT 7E).

    >>> from capability.adi.mcd import set_versions
    >>> memory, thread = TaggedMemory(), Thread()
    >>> memory.state(McdPages).enable(0x2000, 64)
    >>> _ = set_versions(memory, thread, 0x2000, 64, 5)
    >>> check_access(memory, thread, 0x5000_0000_0000_2000, 8, Access.LOAD)
    >>> check_access(memory, thread, 0x6000_0000_0000_2000, 8, Access.LOAD)
    Traceback (most recent call last):
    capability.fault.Fault: load of 8 bytes at 0x2000: pointer has version 6, the line at 0x2000 has 5
    >>> check_access(memory, thread, 0x6000_0000_0000_2000, 8, Access.STORE)     # it happens
    >>> memory.synchronise()
    Traceback (most recent call last):
    capability.fault.Fault: store of 8 bytes at 0x2000: pointer has version 6, the line at 0x2000 has 5
    """
    address = normalise(pointer) if thread.mcde else pointer
    memory.check_mapped(address, size)
    if non_faulting or access is Access.FETCH:
        return
    wrong = mismatch(memory, thread, pointer, size)
    if wrong is None:
        return
    stores = access in _STORES
    line = align_down(wrong, LINE)
    what = f"{'store' if stores else 'load'} of {size} byte{'' if size == 1 else 's'} at {address:#x}"
    versions = f"pointer has version {version_of(pointer)}, the line at {line:#x} has {load_version(memory, wrong)}"
    text = f"{what}: {versions}"
    if stores and not thread.mcdperr:
        memory.defer(Fault(FaultKind.VERSION_MISMATCH, Code.SEGV_ADIDERR, None, text))
    else:
        raise Fault(FaultKind.VERSION_MISMATCH, Code.SEGV_ADIPERR, wrong, text)
