"""Building an enclave and taking its pages away: ECREATE, EADD, EEXTEND, EINIT, EREMOVE. All are the host's (ENCLS)."""

from __future__ import annotations

from dataclasses import replace

from capability.sgx.code import Code, general_protection
from capability.sgx.machine import Machine, Outcome, Secs
from capability.sgx.measure import CHUNK, Measurement
from capability.sgx.page import PAGE, ZERO_PAGE, Entry, PageType, Rights, SecInfo
from capability.word import is_aligned, is_power_of_two


def ecreate(machine: Machine, frame: int, base: int, size: int) -> Outcome:
    """Make a free EPC page the SECS of a new enclave for the linear addresses [base, base + size).

    size: a power of two, at least two pages, below 2**64. base: a multiple of it.  Raises Fault: #GP, and #PF for a
    page in use.  Source: SDM, ECREATE.

    >>> machine = ecreate(Machine(frames=8), 0, 0x10000, 0x4000).done()
    >>> machine.secs("", 0).initialised
    False
    """
    if not is_power_of_two(size) or not 2 * PAGE <= size < 1 << 64:
        raise general_protection("ECREATE", f"SECS.SIZE {size:#x} is not a power of two from {2 * PAGE:#x} to 2**63")
    if base < 0 or not is_aligned(base, size) or base + size > 1 << 64:
        raise general_protection("ECREATE", f"SECS.BASEADDR {base:#x} is not a multiple of SECS.SIZE {size:#x}")
    machine.free("ECREATE", frame)
    enclave = Secs(base, size, machine.next_eid, Measurement.created(size))
    created = machine.with_page(frame, Entry(PageType.SECS), enclave)
    return Outcome(replace(created, next_eid=machine.next_eid + 1))


def eadd(machine: Machine, frame: int, secs: int, address: int, info: SecInfo, contents: bytes = ZERO_PAGE) -> Outcome:
    """Put a page with its first contents into an enclave that is still being built, and measure its place and rights.

    address: linear, a multiple of 4096 in ELRANGE. info: REG or TCS; a TCS gets no rights. contents: 4096 bytes, not
    measured.  Raises Fault: #GP, also after EINIT, and #PF for a page in use.  Source: SDM, EADD.
    """
    machine.free("EADD", frame)
    enclave = _unsealed(machine, "EADD", secs)
    check_place("EADD", enclave, address)
    if info.page_type not in (PageType.REG, PageType.TCS) or info.is_misconfigured:
        raise general_protection("EADD", f"SECINFO {info} is neither TCS nor a readable REG")
    if info.pending or info.modified or info.restricted:
        raise general_protection("EADD", f"SECINFO {info} has PENDING, MODIFIED or PR")
    if len(contents) != PAGE:
        raise general_protection("EADD", f"a page is {PAGE} bytes, not {len(contents)}")
    if info.page_type is PageType.TCS:
        info = replace(info, rights=Rights.NONE)
    measured = replace(enclave, measurement=enclave.measurement.added(address - enclave.base, info))
    added = machine.with_contents(secs, measured)
    return Outcome(added.with_page(frame, Entry(info.page_type, secs, address, info.rights), contents))


def eextend(machine: Machine, frame: int, offset: int) -> Outcome:
    """Measure 256 bytes of a page that was added.

    offset: in the page, a multiple of 256, below 4096.  Raises Fault: #GP, also after EINIT, and #PF.
    Source: SDM, EEXTEND.
    """
    if not 0 <= offset < PAGE or offset % CHUNK:
        raise general_protection("EEXTEND", f"offset {offset} is not a multiple of {CHUNK} below {PAGE}")
    entry = machine.valid("EEXTEND", frame, PageType.REG, PageType.TCS)
    assert entry.secs is not None
    enclave = _unsealed(machine, "EEXTEND", entry.secs)
    chunk = machine.data(frame)[offset : offset + CHUNK]
    longer = enclave.measurement.extended(entry.address - enclave.base + offset, chunk)
    return Outcome(machine.with_contents(entry.secs, replace(enclave, measurement=longer)))


def einit(machine: Machine, secs: int, expected: str) -> Outcome:
    """Seal the enclave: it can be entered from now on, and its measurement is fixed.

    expected: SIGSTRUCT.ENCLAVEHASH in hexadecimal, what the author signed; the signature itself is not modelled.
    SGX_INVALID_MEASUREMENT when something else was built.  Raises Fault: #GP when sealed before, #PF.
    Source: SDM, EINIT.
    """
    enclave = _unsealed(machine, "EINIT", secs)
    if enclave.measurement.hex() != expected:
        return Outcome(machine, Code.SGX_INVALID_MEASUREMENT)
    return Outcome(machine.with_contents(secs, replace(enclave, initialised=True)))


def eremove(machine: Machine, frame: int) -> Outcome:
    """Free an EPC page. Of a free one, nothing is left to do.

    SGX_CHILD_PRESENT: an SECS whose enclave still has pages. SGX_ENCLAVE_ACT: a page of an enclave with threads in
    it; one that was trimmed, and accepted as such, may go even then.  Raises Fault: #PF for no EPC page.
    Source: SDM, EREMOVE; Linux, sgx_encl_remove_pages, for trimmed pages of a running enclave.
    """
    entry = machine.entry("EREMOVE", frame)
    if entry is None:
        return Outcome(machine)
    if entry.page_type is PageType.SECS and machine.secs("EREMOVE", frame).children:
        return Outcome(machine, Code.SGX_CHILD_PRESENT)
    given_back = entry.page_type is PageType.TRIM and not entry.modified
    if entry.secs is not None and not given_back and is_running(machine, entry.secs):
        return Outcome(machine, Code.SGX_ENCLAVE_ACT)
    return Outcome(machine.without_page(frame, entry))


def is_running(machine: Machine, secs: int) -> bool:
    """Some thread is in the enclave.  Cost: O(threads)."""
    return any(inside.secs == secs for _, inside in machine.threads.items())


def check_place(leaf: str, enclave: Secs, address: int) -> None:
    """Raise Fault, #GP, unless `address` is a page's in ELRANGE."""
    if address < 0 or not is_aligned(address, PAGE):
        raise general_protection(leaf, f"{address:#x} is not a multiple of {PAGE}")
    if not enclave.contains(address):
        top = enclave.base + enclave.size
        raise general_protection(leaf, f"{address:#x} is not in the enclave's range [{enclave.base:#x}, {top:#x})")


def _unsealed(machine: Machine, leaf: str, secs: int) -> Secs:
    enclave = machine.secs(leaf, secs)
    if enclave.initialised:
        raise general_protection(leaf, f"the enclave of SECS {secs} is initialised")
    return enclave


def initialised(machine: Machine, leaf: str, secs: int) -> Secs:
    """The enclave, when EINIT has sealed it.  Raises Fault: #GP otherwise, #PF for no SECS."""
    enclave = machine.secs(leaf, secs)
    if not enclave.initialised:
        raise general_protection(leaf, f"the enclave of SECS {secs} is not initialised")
    return enclave
