"""Who may access what."""

from __future__ import annotations

import pytest

from capability.architecture import Access
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.sgx.access import Reach, Translation, load, reach, store
from capability.sgx.augment import eaug
from capability.sgx.build import eadd, ecreate, einit
from capability.sgx.code import PageFault, Vector
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, RW, PageType, Rights, SecInfo
from capability.sgx.paging import eblock, epa
from capability.sgx.thread import eenter
from tests.capability.sgx.enclaves import BASE, DATA, DATA_AT, FREE, HEAP, SECS, SIZE, TCS, entered, maps

INSIDE, OUTSIDE, OTHER = 0, 1, 2
HOST = 0x5000
"""An address of ordinary memory."""


def two() -> Machine:
    """The usual enclave with thread INSIDE, and another one, at another range, with thread OTHER."""
    machine = ecreate(entered(contents=b"s" * PAGE), 6, 2 * BASE, SIZE).done()
    machine = eadd(machine, 7, 6, 2 * BASE, SecInfo(PageType.TCS)).done()
    machine = eadd(machine, 8, 6, 2 * BASE + PAGE, SecInfo(PageType.REG, RW)).done()
    machine = einit(machine, 6, machine.secs("", 6).measurement.hex()).done()
    return eenter(machine, OTHER, 7).done()


TABLE = {DATA_AT: Translation(DATA), HOST: Translation(), HOST + PAGE: Translation(), 2 * BASE + PAGE: Translation(8)}


def test_only_the_enclave_itself_reaches_its_page() -> None:
    machine = two()
    assert reach(machine, INSIDE, TABLE, DATA_AT, Access.LOAD) is Reach.EPC
    assert reach(machine, OUTSIDE, TABLE, DATA_AT, Access.LOAD) is Reach.ABORT
    assert reach(machine, OTHER, TABLE, DATA_AT, Access.LOAD) is Reach.ABORT
    stolen = {2 * BASE: Translation(DATA)}
    with pytest.raises(Fault, match="belongs to another enclave") as fault:
        reach(machine, OTHER, stolen, 2 * BASE, Access.LOAD)
    assert fault.value.code == PageFault.P | PageFault.U | PageFault.SGX


def test_the_host_reads_ones_and_its_writes_are_lost_without_a_fault() -> None:
    machine, memory = two(), TaggedMemory()
    assert load(machine, OUTSIDE, TABLE, memory, DATA_AT, 4) == b"\xff" * 4
    assert store(machine, OUTSIDE, TABLE, memory, DATA_AT, b"evil") == machine
    assert load(machine, INSIDE, TABLE, memory, DATA_AT, 4) == b"ssss"
    assert memory.load(DATA_AT, 4) == bytes(4), "not under it either"


@pytest.mark.parametrize("frame", [SECS, TCS, 10, 11])
def test_the_host_cannot_tell_what_an_epc_page_is(frame: int) -> None:
    machine = epa(two(), 10).done()
    table = {HOST: Translation(frame)}
    assert load(machine, OUTSIDE, table, TaggedMemory(), HOST, 8) == b"\xff" * 8
    assert load(machine, INSIDE, table, TaggedMemory(), HOST, 8) == b"\xff" * 8, "nor an enclave, outside of its range"


def test_an_enclave_reads_and_writes_the_hosts_memory() -> None:
    machine, memory = two(), TaggedMemory()
    after = store(machine, INSIDE, TABLE, memory, HOST + PAGE - 2, b"four")
    assert after == machine
    assert load(machine, OUTSIDE, TABLE, memory, HOST + PAGE - 2, 4) == b"four"
    with pytest.raises(Fault) as fault:
        reach(machine, INSIDE, TABLE, HOST, Access.FETCH)
    assert (fault.value.kind, fault.value.code) == (FaultKind.OPERAND, Vector.GP)
    assert reach(machine, OUTSIDE, TABLE, HOST, Access.FETCH) is Reach.MEMORY


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (None, "is not an EPC page in use"),
        (FREE, "is not an EPC page in use"),
        (SECS, "is SECS, not REG"),
        (TCS, "is TCS, not REG"),
        (10, "is VA, not REG"),
        (8, "belongs to another enclave"),
        (DATA, "belongs at 0x101000"),
        (9, "is pending"),
    ],
)
def test_what_the_host_may_not_map_into_an_enclave(frame: int | None, says: str) -> None:
    machine = eaug(epa(two(), 10).done(), 9, SECS, HEAP).done()
    for access in (Access.LOAD, Access.STORE, Access.FETCH):
        with pytest.raises(Fault, match=says) as fault:
            reach(machine, INSIDE, {HEAP: Translation(frame)}, HEAP + 5, access)
        assert fault.value.kind is FaultKind.ENCLAVE_PAGE
        assert fault.value.code & PageFault.SGX
        assert fault.value.address == HEAP + 5


def test_a_blocked_page_faults() -> None:
    with pytest.raises(Fault, match="is blocked"):
        reach(eblock(two(), DATA).done(), INSIDE, TABLE, DATA_AT, Access.LOAD)


def test_rights_are_those_of_both_tables() -> None:
    machine = entered(rights=Rights.R | Rights.X)
    for given, access, passes in (
        (RW | Rights.X, Access.LOAD, True),
        (RW | Rights.X, Access.FETCH, True),
        (RW | Rights.X, Access.STORE, False),
        (RW, Access.FETCH, False),
        (Rights.X, Access.LOAD, False),
    ):
        table = {DATA_AT: Translation(DATA, given)}
        if passes:
            assert reach(machine, INSIDE, table, DATA_AT, access) is Reach.EPC
        else:
            with pytest.raises(Fault) as fault:
                reach(machine, INSIDE, table, DATA_AT, access)
            assert fault.value.kind is FaultKind.PERMISSION
            assert bool(fault.value.code & PageFault.SGX) == (given == RW | Rights.X), (
                "the EPCM's refusal, or the host's"
            )


def test_error_codes_name_the_access() -> None:
    for access, bits in ((Access.STORE, PageFault.W), (Access.FETCH, PageFault.I), (Access.LOAD, PageFault(0))):
        with pytest.raises(Fault) as fault:
            reach(entered(), INSIDE, {HEAP: Translation(FREE)}, HEAP, access)
        assert fault.value.code == PageFault.P | PageFault.U | PageFault.SGX | bits


def test_what_is_not_mapped_is_an_ordinary_page_fault() -> None:
    with pytest.raises(Fault, match="is not mapped") as fault:
        reach(entered(), INSIDE, maps(), HEAP, Access.LOAD)
    assert (fault.value.kind, fault.value.code) == (FaultKind.UNMAPPED, PageFault.U)


def test_a_store_over_two_pages_happens_whole_or_not_at_all() -> None:
    machine, memory = two(), TaggedMemory()
    with pytest.raises(Fault):
        store(machine, INSIDE, maps(), memory, DATA_AT + PAGE - 2, b"four")
    assert load(machine, INSIDE, maps(), memory, DATA_AT + PAGE - 2, 2) == b"ss"
    assert load(machine, INSIDE, maps(), memory, DATA_AT, 0) == b""
