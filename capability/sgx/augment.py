"""What the host may propose to a running enclave (SGX2, ENCLS): EAUG a page, restrict its rights, change its type."""

from __future__ import annotations

from dataclasses import replace

from capability.sgx.build import check_place, initialised
from capability.sgx.code import Code, bad_page, general_protection
from capability.sgx.machine import Machine, Outcome
from capability.sgx.page import RW, Entry, PageType, Rights, SecInfo


def eaug(machine: Machine, frame: int, secs: int, address: int) -> Outcome:
    """Propose a zeroed page, readable and writable; nobody reaches it before the enclave accepts it.

    address: linear, a multiple of 4096 in ELRANGE. Whether the enclave has a page there already is not looked at: that
    is the enclave's to know.  Raises Fault: #GP before EINIT or for the address; #PF for a page in use.
    Source: SDM, EAUG.
    """
    machine.free("EAUG", frame)
    enclave = initialised(machine, "EAUG", secs)
    check_place("EAUG", enclave, address)
    return Outcome(machine.with_page(frame, Entry(PageType.REG, secs, address, RW, pending=True)))


def emodpr(machine: Machine, frame: int, rights: Rights) -> Outcome:
    """Take rights away: the page keeps those that it has and that are named, from now on; PR waits for acceptance.

    A thread may use its old translation until an ETRACK is complete; the enclave learns by EACCEPT that it is.
    SGX_PAGE_NOT_MODIFIABLE: pending or modified.  Raises Fault: #GP before EINIT or for writable without readable; #PF
    for what is no REG page.  Source: SDM, EMODPR.
    """
    if SecInfo(PageType.REG, rights).is_misconfigured:
        raise general_protection("EMODPR", f"{rights!r} is writable, not readable")
    entry = machine.valid("EMODPR", frame)
    if entry.pending or entry.modified:
        return Outcome(machine, Code.SGX_PAGE_NOT_MODIFIABLE)
    if entry.page_type is not PageType.REG:
        raise bad_page("EMODPR", frame, f"is {entry.page_type.name}, not REG")
    assert entry.secs is not None
    enclave = initialised(machine, "EMODPR", entry.secs)
    kept = entry.rights & rights
    return Outcome(machine.with_entry(frame, replace(entry, rights=kept, restricted=True, epoch=enclave.epoch)))


def emodt(machine: Machine, frame: int, page_type: PageType) -> Outcome:
    """Propose another type: TCS, or TRIM to take the page away. All rights are gone at once.

    SGX_PAGE_NOT_MODIFIABLE: pending or modified.  Raises Fault: #GP before EINIT or for another type; #PF for a page
    that is neither REG, nor a TCS to be trimmed.  Source: SDM, EMODT.
    """
    if page_type not in (PageType.TCS, PageType.TRIM):
        raise general_protection("EMODT", f"a page becomes TCS or TRIM, not {page_type.name}")
    entry = machine.valid("EMODT", frame)
    if entry.page_type is not PageType.REG and (entry.page_type, page_type) != (PageType.TCS, PageType.TRIM):
        raise bad_page("EMODT", frame, f"is {entry.page_type.name}, and cannot become {page_type.name}")
    if entry.pending or entry.modified:
        return Outcome(machine, Code.SGX_PAGE_NOT_MODIFIABLE)
    assert entry.secs is not None
    enclave = initialised(machine, "EMODT", entry.secs)
    proposed = replace(
        entry, page_type=page_type, rights=Rights.NONE, modified=True, restricted=False, epoch=enclave.epoch
    )
    return Outcome(machine.with_entry(frame, proposed))
