"""ECREATE, EADD, EEXTEND, EINIT, EREMOVE."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

import pytest

from capability.fault import Fault, FaultKind
from capability.sgx.accept import eaccept
from capability.sgx.access import Translation
from capability.sgx.augment import emodt
from capability.sgx.build import eadd, ecreate, eextend, einit, eremove
from capability.sgx.code import Code, PageFault, Vector
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, RW, PageType, Rights, SecInfo
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack
from tests.capability.sgx.enclaves import BASE, DATA, DATA_AT, FREE, SECS, SIZE, TCS, enclave, entered

REG = SecInfo(PageType.REG, RW)


def new(frames: int = 8) -> Machine:
    return ecreate(Machine(frames), SECS, BASE, SIZE).done()


def test_mrenclave_is_the_hash_of_the_log_that_the_manual_describes() -> None:
    contents = bytes(range(256)) * 16
    machine = eadd(new(), TCS, SECS, BASE + 0x2000, SecInfo(PageType.TCS, Rights.R)).done()
    machine = eadd(machine, DATA, SECS, BASE + 0x3000, SecInfo(PageType.REG, Rights.R | Rights.X), contents).done()
    machine = eextend(machine, DATA, 0x300).done()
    log = struct.pack("<8sIQ44x", b"ECREATE", 1, SIZE)
    log += struct.pack("<8sQQ40x", b"EADD", 0x2000, PageType.TCS << 8)
    log += struct.pack("<8sQQ40x", b"EADD", 0x3000, 0x200 | 1 | 4)
    log += struct.pack("<8sQ48x", b"EEXTEND", 0x3300) + contents[0x300:0x400]
    assert machine.secs("", SECS).measurement.hex() == hashlib.sha256(log).hexdigest()


def test_what_is_not_extended_is_not_measured() -> None:
    assert enclave(contents=b"a" * PAGE).secs("", SECS) == enclave(contents=b"b" * PAGE).secs("", SECS)
    one = eextend(eadd(new(), DATA, SECS, BASE, REG, b"a" * PAGE).done(), DATA, 0).done()
    two = eextend(eadd(new(), DATA, SECS, BASE, REG, b"b" * PAGE).done(), DATA, 0).done()
    assert one.secs("", SECS) != two.secs("", SECS)


def test_the_base_is_not_measured_the_order_and_the_rights_are() -> None:
    def measured(base: int, *pages: tuple[int, Rights]) -> str:
        machine = ecreate(Machine(8), SECS, base, SIZE).done()
        for number, (offset, rights) in enumerate(pages):
            machine = eadd(machine, 1 + number, SECS, base + offset, SecInfo(PageType.REG, rights)).done()
        return machine.secs("", SECS).measurement.hex()

    assert measured(BASE, (0, RW)) == measured(2 * BASE, (0, RW))
    assert measured(BASE, (0, RW), (PAGE, RW)) != measured(BASE, (PAGE, RW), (0, RW))
    assert measured(BASE, (0, RW)) != measured(BASE, (0, Rights.R))


def test_einit_refuses_another_measurement_and_seals_the_right_one() -> None:
    machine = eadd(new(), DATA, SECS, BASE, REG).done()
    assert einit(machine, SECS, "00" * 32) == (machine, Code.SGX_INVALID_MEASUREMENT)
    sealed = einit(machine, SECS, machine.secs("", SECS).measurement.hex()).done()
    leaves: list[Callable[[], object]] = [
        lambda: eadd(sealed, FREE, SECS, BASE + PAGE, REG),
        lambda: eextend(sealed, DATA, 0),
        lambda: einit(sealed, SECS, ""),
    ]
    for late in leaves:
        with pytest.raises(Fault, match="is initialised") as fault:
            late()
        assert (fault.value.kind, fault.value.code) == (FaultKind.OPERAND, Vector.GP)


@pytest.mark.parametrize(
    ("base", "size", "says"),
    [
        (BASE, 0x3000, "not a power of two"),
        (BASE, PAGE, "not a power of two"),
        (0, 1 << 64, "not a power of two"),
        (BASE + PAGE, SIZE, "not a multiple"),
        (-SIZE, SIZE, "not a multiple"),
        (1 << 64, SIZE, "not a multiple"),
    ],
)
def test_an_enclave_is_naturally_aligned(base: int, size: int, says: str) -> None:
    with pytest.raises(Fault, match=says):
        ecreate(Machine(2), 0, base, size)


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (lambda m: eadd(m, DATA, SECS, BASE + 8, REG), "not a multiple of 4096"),
        (lambda m: eadd(m, DATA, SECS, BASE + SIZE, REG), r"not in the enclave's range \[0x100000, 0x108000\)"),
        (lambda m: eadd(m, DATA, SECS, BASE - PAGE, REG), "not in the enclave's range"),
        (lambda m: eadd(m, DATA, SECS, BASE, SecInfo(PageType.REG, Rights.W)), "neither TCS nor a readable REG"),
        (lambda m: eadd(m, DATA, SECS, BASE, SecInfo(PageType.TRIM)), "neither TCS nor a readable REG"),
        (lambda m: eadd(m, DATA, SECS, BASE, SecInfo(PageType.REG, RW, pending=True)), "has PENDING"),
        (lambda m: eadd(m, DATA, SECS, BASE, REG, b"short"), "4096 bytes, not 5"),
        (lambda m: eadd(m, SECS, SECS, BASE, REG), "frame 0 is in use"),
        (lambda m: eadd(m, 8, SECS, BASE, REG), r"not in the EPC: 0 <= frame < 8"),
        (lambda m: eadd(m, DATA, 5, BASE, REG), "frame 5 is not valid"),
        (lambda m: ecreate(m, SECS, BASE, SIZE), "frame 0 is in use"),
        (lambda m: eextend(m, DATA, 0), "frame 2 is not valid"),
        (lambda m: eextend(m, SECS, 0), "is SECS, not REG or TCS"),
        (lambda m: eextend(m, DATA, 100), "not a multiple of 256 below 4096"),
        (lambda m: eextend(m, DATA, PAGE), "not a multiple of 256 below 4096"),
        (lambda m: eremove(m, -1), "not in the EPC"),
    ],
)
def test_bad_operands_fault_and_say_the_range(leaf: Callable[[Machine], object], says: str) -> None:
    with pytest.raises(Fault, match=says) as fault:
        leaf(new())
    assert fault.value.kind in (FaultKind.OPERAND, FaultKind.ENCLAVE_PAGE)
    if fault.value.kind is FaultKind.ENCLAVE_PAGE:
        assert fault.value.code & PageFault.SGX


def test_a_tcs_has_no_rights_whatever_was_asked() -> None:
    machine = eadd(new(), TCS, SECS, BASE, SecInfo(PageType.TCS, RW)).done()
    entry = machine.epcm.get(TCS)
    assert entry is not None and entry.rights == Rights.NONE


def test_an_secs_goes_last() -> None:
    machine = enclave()
    assert eremove(machine, SECS).code == Code.SGX_CHILD_PRESENT
    for frame in (DATA, TCS, SECS):
        machine = eremove(machine, frame).done()
    assert machine.epcm == Machine(12).epcm
    assert eremove(machine, SECS) == (machine, Code.SUCCESS), "of a free page nothing is left to do"


def test_a_page_is_not_removed_under_a_thread_unless_the_enclave_gave_it_back() -> None:
    machine, table = entered(), {DATA_AT: Translation(DATA)}
    assert eremove(machine, DATA) == (machine, Code.SGX_ENCLAVE_ACT)
    machine = emodt(machine, DATA, PageType.TRIM).done()
    assert eremove(machine, DATA).code == Code.SGX_ENCLAVE_ACT, "proposed is not accepted"
    machine = etrack(machine, SECS).done()
    machine = eenter(eexit(machine, 0).done(), 0, TCS).done()
    machine = eaccept(machine, 0, table, DATA_AT, SecInfo(PageType.TRIM, modified=True)).done()
    assert eremove(machine, DATA).done().epcm.get(DATA) is None
