"""Paging: EPA, EBLOCK, EWB, ELDU and ELDB. The host may take any page out, and must bring back the same one.

A page leaves encrypted and authenticated, and its version stays behind in a slot of a version array (a VA page). It
comes back only against the version in that slot, which empties it: an older copy of the page finds its slot empty or
holding another version.
Source: SDM, the leaves by their names; "EPC Management of EPC pages".
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace

from capability.sgx.build import check_place
from capability.sgx.code import Code, general_protection
from capability.sgx.machine import Machine, Outcome, Secs, VersionArray
from capability.sgx.page import Entry, PageType, SecInfo
from capability.sgx.track import is_tracked

SLOTS = 512
"""Slots of 8 bytes in a version array."""
_PAGING_KEY = b"CR_BASE_PK"


@dataclass(frozen=True, slots=True)
class Evicted:
    """A page in the host's hands. It can change every field; the MAC, over them and the version, then fails.

    The contents are encrypted in reality; here they are plain, for confidentiality is not what an allocator asks about.
    """

    info: SecInfo
    address: int
    eid: int
    contents: bytes | Secs | VersionArray
    mac: bytes


def epa(machine: Machine, frame: int) -> Outcome:
    """Make a free EPC page a version array, all slots empty.  Raises Fault: #PF.  Source: SDM, EPA."""
    machine.free("EPA", frame)
    return Outcome(machine.with_page(frame, Entry(PageType.VA), (0,) * SLOTS))


def eblock(machine: Machine, frame: int) -> Outcome:
    """Let no new translation to the page arise.

    SGX_PG_INVLD: a free page. SGX_PG_IS_SECS, SGX_NOTBLOCKABLE: an SECS, a version array. SGX_BLKSTATE: blocked
    already.  Raises Fault: #PF for no EPC page.  Source: SDM, EBLOCK.
    """
    entry = machine.entry("EBLOCK", frame)
    if entry is None:
        return Outcome(machine, Code.SGX_PG_INVLD)
    if entry.page_type is PageType.SECS:
        return Outcome(machine, Code.SGX_PG_IS_SECS)
    if entry.page_type is PageType.VA:
        return Outcome(machine, Code.SGX_NOTBLOCKABLE)
    if entry.blocked:
        return Outcome(machine, Code.SGX_BLKSTATE)
    epoch = machine.owner("EBLOCK", entry).epoch
    return Outcome(machine.with_entry(frame, replace(entry, blocked=True, epoch=epoch)))


def ewb(machine: Machine, frame: int, va: int, slot: int) -> tuple[Outcome, Evicted | None]:
    """Take a page out of the EPC; its version goes into a slot of a version array.

    SGX_PAGE_NOT_BLOCKED, SGX_NOT_TRACKED: a page of an enclave that threads may still reach. SGX_CHILD_PRESENT: an
    SECS whose enclave has pages in the EPC. Refused, nothing has changed and there is no page. SGX_VA_SLOT_OCCUPIED
    only warns: the page is out, and the one whose version was in the slot is lost for ever.
    Raises Fault: #GP for the slot; #PF.  Source: SDM, EWB.
    """
    entry = machine.valid("EWB", frame)
    slots = _slots(machine, "EWB", va, slot)
    if frame == va:
        raise general_protection("EWB", f"frame {frame} is both the page and its version array")
    if entry.secs is not None:
        if not entry.blocked:
            return Outcome(machine, Code.SGX_PAGE_NOT_BLOCKED), None
        if not is_tracked(machine, entry):
            return Outcome(machine, Code.SGX_NOT_TRACKED), None
    elif entry.page_type is PageType.SECS and machine.secs("EWB", frame).children:
        return Outcome(machine, Code.SGX_CHILD_PRESENT), None
    contents = machine.contents.get(frame)
    assert contents is not None
    eid = 0 if entry.secs is None else machine.owner("EWB", entry).eid
    mac = _mac(entry.info, entry.address, eid, contents, machine.next_version)
    written = machine.without_page(frame, entry).with_contents(va, _put(slots, slot, machine.next_version))
    code = Code.SGX_VA_SLOT_OCCUPIED if slots[slot] else Code.SUCCESS
    outcome = Outcome(replace(written, next_version=machine.next_version + 1), code)
    return outcome, Evicted(entry.info, entry.address, eid, contents, mac)


def eldu(machine: Machine, frame: int, page: Evicted, va: int, slot: int, secs: int | None = None) -> Outcome:
    """Bring a page back, ready for use, and empty its slot.

    secs: the frame of the enclave's SECS, for a page of an enclave. SGX_MAC_COMPARE_FAIL: not what was taken out with
    the version in this slot, or not of this enclave.  Raises Fault: #GP for the slot; #PF.  Source: SDM, ELDB/ELDU.
    """
    return _load(machine, frame, page, va, slot, secs, blocked=False)


def eldb(machine: Machine, frame: int, page: Evicted, va: int, slot: int, secs: int | None = None) -> Outcome:
    """Bring a page back as ELDU does, still blocked if it is an enclave's.  Source: SDM, ELDB/ELDU."""
    return _load(machine, frame, page, va, slot, secs, blocked=True)


def _load(
    machine: Machine, frame: int, page: Evicted, va: int, slot: int, secs: int | None, *, blocked: bool
) -> Outcome:
    machine.free("ELDU", frame)
    slots = _slots(machine, "ELDU", va, slot)
    owned = page.info.page_type not in (PageType.SECS, PageType.VA)
    if owned and secs is None:
        raise general_protection("ELDU", f"a {page.info.page_type.name} page belongs to an enclave: name its SECS")
    eid = 0
    if owned and secs is not None:
        enclave = machine.secs("ELDU", secs)
        check_place("ELDU", enclave, page.address)
        eid = enclave.eid
    if not hmac.compare_digest(page.mac, _mac(page.info, page.address, eid, page.contents, slots[slot])):
        return Outcome(machine, Code.SGX_MAC_COMPARE_FAIL)
    info = page.info
    entry = Entry(
        info.page_type,
        secs if owned else None,
        page.address,
        info.rights,
        blocked and owned,
        info.pending,
        info.modified,
        info.restricted,
    )
    if entry.blocked:
        entry = replace(entry, epoch=machine.owner("ELDB", entry).epoch)
    return Outcome(machine.with_page(frame, entry, page.contents).with_contents(va, _put(slots, slot, 0)))


def _slots(machine: Machine, leaf: str, va: int, slot: int) -> VersionArray:
    machine.valid(leaf, va, PageType.VA)
    if not 0 <= slot < SLOTS:
        raise general_protection(leaf, f"slot {slot} is not in the version array: 0 <= slot < {SLOTS}")
    found = machine.contents.get(va)
    assert isinstance(found, tuple)
    return found


def _put(slots: VersionArray, slot: int, version: int) -> VersionArray:
    return (*slots[:slot], version, *slots[slot + 1 :])


def _mac(info: SecInfo, address: int, eid: int, contents: bytes | Secs | VersionArray, version: int) -> bytes:
    """Stands for AES-GCM under the paging key, with the version as counter and the rest as header and text."""
    return hmac.digest(_PAGING_KEY, repr((info.flags, address, eid, contents, version)).encode(), hashlib.sha256)
