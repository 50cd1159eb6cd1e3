"""MCD: what is enabled, and the instructions that write and read versions.

A version is compared only when both halves are on: PSTATE.mcde of the thread and TTE.mcd of the page. Versions live
beside the data, in memory's allocation tags, and are reached by stxa and ldxa with an address space identifier (ASI)
of their own. Software sets them after the page exists; the kernel sets none.
Source: Oracle SPARC Architecture 2015, "Memory Corruption Detection" and the ASIs 90 and E2 (hexadecimal);
Linux, Documentation/arch/sparc/adi.rst.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from capability.adi.code import Code
from capability.adi.version import LINE, check_version
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.word import align_down, align_up, is_aligned

PAGE = 8192
"""Bytes of the smallest page of SPARC."""


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread's switches.

    mcde: PSTATE.mcde, versions are compared at all. mcdperr: a store with the wrong version traps precisely, before it
    happens; by default it is disrupting, and has happened.

    >>> Thread()
    Thread(mcde=True, mcdperr=False)
    """

    mcde: bool = True
    mcdperr: bool = False


class McdPages:
    """The pages whose TTE.mcd is set: a state of the machine, kept in `memory.state(McdPages)`.

    >>> pages = McdPages()
    >>> pages.enable(0x2000, 1)
    >>> pages.is_enabled(0x3fff), pages.is_enabled(0x4000)
    (True, False)
    """

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: set[int] = set()

    def enable(self, address: int, size: int) -> None:
        """mprotect(..., PROT_ADI) on every page that the range touches.  Cost: O(pages)."""
        self._pages.update(range(align_down(address, PAGE), address + size, PAGE))

    def disable(self, address: int, size: int) -> None:
        """mprotect without PROT_ADI; the versions stay where they are, unread.  Cost: O(pages)."""
        self._pages.difference_update(range(align_down(address, PAGE), address + size, PAGE))

    def is_enabled(self, address: int) -> bool:
        """TTE.mcd of the page that holds `address`.  Cost: O(1)."""
        return align_down(address, PAGE) in self._pages

    def copy(self) -> McdPages:
        """An independent copy.  Cost: O(pages)."""
        twin = McdPages()
        twin._pages = set(self._pages)
        return twin

    def key(self) -> Hashable:
        """The pages themselves."""
        return frozenset(self._pages)


def store_version(memory: TaggedMemory, thread: Thread, address: int, version: int) -> None:
    """stxa with ASI_MCD_PRIMARY (90): give the line at `address` a version; its bytes stay.

    address: normalised, a multiple of 64. version: 0 to 15.  Raises WidthError; Fault ALIGNMENT, UNMAPPED, and
    VERSION_MISMATCH with SEGV_ACCADI where ADI is not enabled.
    """
    _check_line(memory, thread, address)
    memory.set_allocation_tag(address, LINE, check_version(version))


def store_version_and_zero(memory: TaggedMemory, thread: Thread, address: int, version: int) -> None:
    """stxa with ASI_MCD_ST_BLKINIT_PRIMARY (E2): give the line a version and make its bytes zero.

    address, version, errors: as `store_version`.
    """
    store_version(memory, thread, address, version)
    memory.fill(address, LINE, 0)


def load_version(memory: TaggedMemory, address: int) -> int:
    """ldxa with ASI_MCD_PRIMARY (90): the version of the line that holds `address`.

    address: normalised.  Raises Fault UNMAPPED.  Cost: O(1).
    """
    return memory.allocation_tag(address)


def set_versions(memory: TaggedMemory, thread: Thread, address: int, size: int, version: int) -> int:
    """adi_set_version(3C): give every line of a range a version; say how many lines they were.

    The range is rounded outward to whole lines; all of it is checked before any version is set.
    Raises as `store_version`.  Cost: O(lines).

    >>> memory, thread = TaggedMemory(), Thread()
    >>> memory.state(McdPages).enable(0x2000, 0x2000)
    >>> set_versions(memory, thread, 0x2000, 100, 5)
    2
    >>> [load_version(memory, at) for at in (0x2000, 0x207f, 0x2080)]
    [5, 5, 0]
    >>> set_versions(memory, thread, 0x4000, 64, 5)
    Traceback (most recent call last):
    capability.fault.Fault: version of the line at 0x4000: ADI is not enabled for its page
    """
    base, top = align_down(address, LINE), align_up(address + size, LINE)
    for page in range(align_down(base, PAGE), top, PAGE):
        _check_line(memory, thread, max(base, page))
    memory.set_allocation_tag(base, top - base, check_version(version))
    return (top - base) // LINE


def _check_line(memory: TaggedMemory, thread: Thread, address: int) -> None:
    if not is_aligned(address, LINE):
        text = f"version of a line at {address:#x}: the address must be a multiple of {LINE}"
        raise Fault(FaultKind.ALIGNMENT, Code.SEGV_ACCADI, address, text)
    if not thread.mcde or not memory.state(McdPages).is_enabled(address):
        whose = "its page" if thread.mcde else "this thread"
        text = f"version of the line at {address:#x}: ADI is not enabled for {whose}"
        raise Fault(FaultKind.VERSION_MISMATCH, Code.SEGV_ACCADI, address, text)
