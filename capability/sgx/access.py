"""Who may access what: loads, stores and fetches, from inside and outside of enclaves.

The page table is the host's; the EPCM decides after it, and can only refuse. Nobody outside is refused: an access to
the EPC goes to the abort page, where reads find ones and writes are lost, so that the host cannot probe by faulting.
Source: SDM, "Enclave Access Control and Data Structures", access-control requirements; "Access to EPC pages".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from capability.architecture import Access
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.sgx.code import PageFault, Vector
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, PageType, Rights
from capability.word import align_down


class Translation(NamedTuple):
    """A page table entry: the EPC frame it leads to, or ordinary memory when that is None, and its rights."""

    frame: int | None = None
    rights: Rights = Rights.R | Rights.W | Rights.X


PageTable = Mapping[int, Translation]
"""By the linear address of the page. What is not in it is not present."""


class Reach(Enum):
    """Where an access that does not fault ends up."""

    EPC = "the page of the enclave"
    MEMORY = "ordinary memory"
    ABORT = "the abort page"


_NEEDS = {Access.FETCH: Rights.X, Access.LOAD: Rights.R, Access.LOAD_CAPABILITY: Rights.R}


def translate(table: PageTable, address: int) -> Translation:
    """What the page table says of an address.  Raises Fault: an ordinary #PF where it says nothing."""
    found = table.get(align_down(address, PAGE))
    if found is None:
        text = f"{address:#x} is not mapped: #PF"
        raise Fault(FaultKind.UNMAPPED, PageFault.U | PageFault.NOT_PRESENT, address, text)
    return found


def reach(machine: Machine, thread: int, table: PageTable, address: int, access: Access) -> Reach:
    """Where an access to one byte ends up.

    thread: outside every enclave, unless it has entered one.  Raises Fault UNMAPPED or PERMISSION from the page
    table; ENCLAVE_PAGE or PERMISSION from the EPCM, whose codes have the SGX bit; OPERAND (#GP) for a fetch that
    leaves the enclave without EEXIT.  Cost: O(log n).
    """
    inside = machine.threads.get(thread)
    within = inside is not None and machine.secs("access", inside.secs).contains(address)
    if inside is not None and not within and access is Access.FETCH:
        raise Fault(FaultKind.OPERAND, Vector.GP, address, f"fetch of {address:#x} from inside an enclave: #GP(0)")
    frame, rights = translate(table, address)
    needed = _NEEDS.get(access, Rights.W)
    if needed not in rights:
        raise _fault(FaultKind.PERMISSION, address, access, f"the page table gives {_show(rights)}", PageFault.P)
    if inside is None or not within:
        return Reach.MEMORY if frame is None else Reach.ABORT
    _check_epcm(machine, inside.secs, frame, address, access)
    return Reach.EPC


def _check_epcm(machine: Machine, secs: int, frame: int | None, address: int, access: Access) -> None:
    """Raise Fault unless the frame is this enclave's, at this address, settled, and with the right."""
    entry = None if frame is None else machine.entry("access", frame)
    why = None
    if entry is None:
        why = "is not an EPC page in use"
    elif entry.page_type is not PageType.REG:
        why = f"is {entry.page_type.name}, not REG"
    elif entry.secs != secs:
        why = "belongs to another enclave"
    elif entry.address != align_down(address, PAGE):
        why = f"belongs at {entry.address:#x}"
    elif not entry.is_settled:
        why = "is blocked" if entry.blocked else "is pending" if entry.pending else "is modified"
    if why is not None:
        raise _fault(FaultKind.ENCLAVE_PAGE, address, access, f"frame {frame} {why}", PageFault.SGX)
    assert entry is not None
    if _NEEDS.get(access, Rights.W) not in entry.rights:
        raise _fault(FaultKind.PERMISSION, address, access, f"the EPCM gives {_show(entry.rights)}", PageFault.SGX)


def load(machine: Machine, thread: int, table: PageTable, memory: TaggedMemory, address: int, size: int) -> bytes:
    """The bytes that a load finds; of EPC pages that are not the thread's to see, all ones.

    memory: what is not EPC, at the same linear addresses.  Raises Fault as `reach`, and UNMAPPED.  Cost: O(size).
    """
    found = bytearray()
    for at, length in _pieces(address, size):
        where = reach(machine, thread, table, at, Access.LOAD)
        frame = translate(table, at).frame
        if where is Reach.EPC and frame is not None:
            offset = at % PAGE
            found += machine.data(frame)[offset : offset + length]
        else:
            found += memory.load(at, length) if where is Reach.MEMORY else b"\xff" * length
    return bytes(found)


def store(machine: Machine, thread: int, table: PageTable, memory: TaggedMemory, address: int, data: bytes) -> Machine:
    """The machine after a store; of EPC pages that are not the thread's to change, nothing is.

    A store that reaches ordinary memory changes `memory` in place. All pages are checked before any is written.
    Raises Fault as `reach`, and UNMAPPED.  Cost: O(len(data)).
    """
    pieces = [(at, n, reach(machine, thread, table, at, Access.STORE)) for at, n in _pieces(address, len(data))]
    for at, length, where in pieces:
        part = data[at - address : at - address + length]
        frame = translate(table, at).frame
        if where is Reach.EPC and frame is not None:
            page, offset = machine.data(frame), at % PAGE
            machine = machine.with_contents(frame, page[:offset] + part + page[offset + length :])
        elif where is Reach.MEMORY:
            memory.store(at, part)
    return machine


def _pieces(address: int, size: int) -> list[tuple[int, int]]:
    """Cut [address, address + size) at page boundaries."""
    top = address + size
    starts = [address, *range(align_down(address, PAGE) + PAGE, top, PAGE)] if size else []
    return [(at, min(top, align_down(at, PAGE) + PAGE) - at) for at in starts]


def _show(rights: Rights) -> str:
    return "".join(right.name or "" for right in Rights if right in rights) or "no rights"


def _fault(kind: FaultKind, address: int, access: Access, why: str, who: PageFault) -> Fault:
    bits = {Access.FETCH: PageFault.I, Access.LOAD: PageFault.NOT_PRESENT}.get(access, PageFault.W)
    code = PageFault.P | PageFault.U | bits | who
    return Fault(kind, code, address, f"{access.name.lower()} at {address:#x}: {why}: #PF")
