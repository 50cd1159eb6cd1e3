"""What the enclave answers (SGX2, ENCLU): EACCEPT, EACCEPTCOPY, and EMODPE, which asks nobody.

The operands are linear addresses. It is the host's page table that leads to a frame, and it may lead anywhere; so
each leaf compares the address with the one in the EPCM.
"""

from __future__ import annotations

from dataclasses import replace

from capability.fault import Fault, FaultKind
from capability.sgx.access import PageTable, translate
from capability.sgx.build import check_place
from capability.sgx.code import Code, PageFault, general_protection
from capability.sgx.machine import Machine, Outcome
from capability.sgx.page import RW, Entry, PageType, Rights, SecInfo
from capability.sgx.track import is_tracked


def eaccept(machine: Machine, thread: int, table: PageTable, address: int, info: SecInfo) -> Outcome:
    """Agree to what the host proposed for a page, if it is exactly `info`; the proposal's flags are cleared.

    info: what the enclave expects. REG with PENDING (after EAUG) or PR (after EMODPR); TCS or TRIM with MODIFIED
    (after EMODT). SGX_PAGE_ATTRIBUTES_MISMATCH: the entry differs in address, type, rights, PENDING or MODIFIED (PR is
    not compared). SGX_NOT_TRACKED: some thread may have an old translation.
    Raises Fault: #GP for an address or a request that makes no sense; #PF where the page is not this enclave's.
    Source: SDM, EACCEPT.
    """
    _check_request(info)
    frame, entry = _page(machine, "EACCEPT", thread, table, address)
    if entry.blocked:
        raise _refuse("EACCEPT", address, "is blocked")
    found = (entry.address, entry.page_type, entry.rights, entry.pending, entry.modified)
    if found != (address, info.page_type, info.rights, info.pending, info.modified):
        return Outcome(machine, Code.SGX_PAGE_ATTRIBUTES_MISMATCH)
    if not is_tracked(machine, entry):
        return Outcome(machine, Code.SGX_NOT_TRACKED)
    return Outcome(machine.with_entry(frame, replace(entry, pending=False, modified=False, restricted=False)))


def eacceptcopy(
    machine: Machine, thread: int, table: PageTable, address: int, source: int, rights: Rights = RW
) -> Outcome:
    """Agree to a pending page and fill it from another page of the enclave, in one step.

    rights: those that the page gets, X too. SGX_PAGE_ATTRIBUTES_MISMATCH: `address` is no pending REG page of this
    enclave at its place.  Raises Fault: #GP; #PF for a source that the enclave cannot read.  Source: SDM, EACCEPTCOPY.
    """
    if SecInfo(PageType.REG, rights).is_misconfigured:
        raise general_protection("EACCEPTCOPY", f"{rights!r} is writable, not readable")
    origin, readable = _page(machine, "EACCEPTCOPY", thread, table, source)
    frame = _frame(machine, "EACCEPTCOPY", thread, table, address)
    entry = machine.entry("EACCEPTCOPY", frame)
    if readable.page_type is not PageType.REG or not readable.is_settled or readable.address != source:
        raise _refuse("EACCEPTCOPY", source, "is no settled REG page at its place")
    if Rights.R not in readable.rights:
        raise _refuse("EACCEPTCOPY", source, "is not readable")
    if entry != Entry(PageType.REG, readable.secs, address, RW, pending=True):
        return Outcome(machine, Code.SGX_PAGE_ATTRIBUTES_MISMATCH)
    copied = machine.with_contents(frame, machine.data(origin))
    return Outcome(copied.with_entry(frame, replace(entry, rights=rights, pending=False)))


def emodpe(machine: Machine, thread: int, table: PageTable, address: int, rights: Rights) -> Outcome:
    """Add rights to a page of one's own, at once; the host is not asked, and its page table still restricts.

    Raises Fault: #GP; #PF for a page that is blocked, pending or modified, or not this enclave's at this address.
    Source: SDM, EMODPE.
    """
    if SecInfo(PageType.REG, rights).is_misconfigured:
        raise general_protection("EMODPE", f"{rights!r} is writable, not readable")
    frame, entry = _page(machine, "EMODPE", thread, table, address)
    if entry.page_type is not PageType.REG or not entry.is_settled or entry.address != address:
        raise _refuse("EMODPE", address, "is no settled REG page at its place")
    return Outcome(machine.with_entry(frame, replace(entry, rights=entry.rights | rights)))


def _check_request(info: SecInfo) -> None:
    """Raise Fault, #GP, for what no host can have proposed."""
    grown = info.page_type is PageType.REG and (info.pending or info.restricted) and not info.modified
    changed = info.page_type in (PageType.TCS, PageType.TRIM) and info.modified
    if not grown and not (changed and not info.pending and not info.restricted):
        what = f"SECINFO {info} is neither REG with PENDING or PR, nor TCS or TRIM with MODIFIED"
        raise general_protection("EACCEPT", what)


def _page(machine: Machine, leaf: str, thread: int, table: PageTable, address: int) -> tuple[int, Entry]:
    """The frame that the host's page table gives for `address`, and its entry, which must be this enclave's."""
    frame = _frame(machine, leaf, thread, table, address)
    entry = machine.entry(leaf, frame)
    if entry is None or entry.secs != machine.active(leaf, thread).secs:
        raise _refuse(leaf, address, "is not a page of this enclave")
    return frame, entry


def _frame(machine: Machine, leaf: str, thread: int, table: PageTable, address: int) -> int:
    """The EPC frame that the host's page table gives for `address`, which must be in the thread's enclave."""
    check_place(leaf, machine.secs(leaf, machine.active(leaf, thread).secs), address)
    frame = translate(table, address).frame
    if frame is None:
        raise _refuse(leaf, address, "is not in the EPC")
    return frame


def _refuse(leaf: str, address: int, what: str) -> Fault:
    code = PageFault.P | PageFault.U | PageFault.SGX
    return Fault(FaultKind.ENCLAVE_PAGE, code, address, f"{leaf}: {address:#x} {what}: #PF")
