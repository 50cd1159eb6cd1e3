"""EAUG, EMODPR, EMODT by the host; EACCEPT, EACCEPTCOPY, EMODPE by the enclave; EENTER, EEXIT, ETRACK between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from capability.architecture import Access
from capability.fault import Fault, FaultKind
from capability.sgx.accept import eaccept, eacceptcopy, emodpe
from capability.sgx.access import Reach, Translation, reach
from capability.sgx.augment import eaug, emodpr, emodt
from capability.sgx.build import eadd, ecreate
from capability.sgx.code import Code
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, RW, PageType, Rights, SecInfo
from capability.sgx.paging import eblock
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack
from tests.capability.sgx.enclaves import BASE, DATA, DATA_AT, FREE, HEAP, SECS, SIZE, TCS, enclave, entered, maps

NEW = SecInfo(PageType.REG, RW, pending=True)
TRIMMED = SecInfo(PageType.TRIM, modified=True)


def grown() -> Machine:
    """With a pending page at HEAP, in frame FREE."""
    return eaug(entered(), FREE, SECS, HEAP).done()


def settle(machine: Machine) -> Machine:
    """The shootdown: a new epoch, and the thread out and in again."""
    return eenter(eexit(etrack(machine, SECS).done(), 0).done(), 0, TCS).done()


def test_a_page_is_the_enclaves_once_both_have_agreed() -> None:
    machine, table = grown(), maps(heap=FREE)
    with pytest.raises(Fault, match="is pending"):
        reach(machine, 0, table, HEAP, Access.LOAD)
    machine = eaccept(machine, 0, table, HEAP, NEW).done()
    assert reach(machine, 0, table, HEAP, Access.STORE) is Reach.EPC
    assert machine.data(FREE) == bytes(PAGE)


@pytest.mark.parametrize(
    "info",
    [
        SecInfo(PageType.REG, Rights.R, pending=True),
        SecInfo(PageType.REG, RW | Rights.X, pending=True),
        SecInfo(PageType.REG, RW, restricted=True),
        TRIMMED,
        SecInfo(PageType.TCS, modified=True),
    ],
    ids=str,
)
def test_an_enclave_accepts_only_exactly_what_it_expects(info: SecInfo) -> None:
    machine = grown()
    assert eaccept(machine, 0, maps(heap=FREE), HEAP, info) == (machine, Code.SGX_PAGE_ATTRIBUTES_MISMATCH)


@pytest.mark.parametrize(
    "info",
    [
        SecInfo(PageType.REG, RW),
        SecInfo(PageType.REG, RW, pending=True, modified=True),
        SecInfo(PageType.TRIM),
        SecInfo(PageType.TRIM, modified=True, pending=True),
        SecInfo(PageType.TCS, modified=True, restricted=True),
        SecInfo(PageType.SECS, modified=True),
        SecInfo(PageType.VA, pending=True),
    ],
    ids=str,
)
def test_a_request_that_no_host_can_have_made_faults(info: SecInfo) -> None:
    with pytest.raises(Fault, match="neither REG with PENDING or PR, nor TCS or TRIM with MODIFIED"):
        eaccept(grown(), 0, maps(heap=FREE), HEAP, info)


def test_a_host_that_maps_another_page_there_is_found_out_by_the_address() -> None:
    machine = eaug(grown(), FREE + 1, SECS, HEAP + PAGE).done()
    swapped = {HEAP: Translation(FREE + 1), HEAP + PAGE: Translation(FREE)}
    for address in swapped:
        assert eaccept(machine, 0, swapped, address, NEW).code == Code.SGX_PAGE_ATTRIBUTES_MISMATCH
    assert eacceptcopy(machine, 0, swapped | maps(), HEAP, DATA_AT).code == Code.SGX_PAGE_ATTRIBUTES_MISMATCH


def test_fixme_the_processor_lets_an_enclave_accept_two_pages_at_one_address() -> None:
    """The EPCM is indexed by frame. That the address has a page already is for the enclave to remember."""
    machine = eaccept(grown(), 0, maps(heap=FREE), HEAP, NEW).done()
    machine = eaug(machine, FREE + 1, SECS, HEAP).done()
    machine = eaccept(machine, 0, maps(heap=FREE + 1), HEAP, NEW).done()
    for frame in (FREE, FREE + 1):
        assert reach(machine, 0, maps(heap=frame), HEAP, Access.LOAD) is Reach.EPC


def test_another_enclaves_page_is_not_accepted() -> None:
    machine = ecreate(grown(), 8, 4 * BASE, SIZE).done()
    machine = eadd(machine, 9, 8, 4 * BASE, SecInfo(PageType.REG, RW)).done()
    with pytest.raises(Fault, match="is not a page of this enclave") as fault:
        eaccept(machine, 0, maps(heap=9), HEAP, NEW)
    assert fault.value.kind is FaultKind.ENCLAVE_PAGE


def test_a_copy_is_filled_and_gets_its_rights_in_one_step() -> None:
    machine = eaug(entered(contents=b"c" * PAGE), FREE, SECS, HEAP).done()
    machine = eacceptcopy(machine, 0, maps(heap=FREE), HEAP, DATA_AT, Rights.R | Rights.X).done()
    assert machine.data(FREE) == b"c" * PAGE
    assert reach(machine, 0, maps(heap=FREE), HEAP, Access.FETCH) is Reach.EPC
    again = eacceptcopy(machine, 0, maps(heap=FREE), HEAP, DATA_AT)
    assert again == (machine, Code.SGX_PAGE_ATTRIBUTES_MISMATCH), "no longer pending"


def test_a_copy_needs_a_source_that_can_be_read() -> None:
    machine = eaug(entered(rights=Rights.NONE), FREE, SECS, HEAP).done()
    with pytest.raises(Fault, match="is not readable"):
        eacceptcopy(machine, 0, maps(heap=FREE), HEAP, DATA_AT)
    blocked = eblock(eaug(entered(), FREE, SECS, HEAP).done(), DATA).done()
    with pytest.raises(Fault, match="no settled REG page"):
        eacceptcopy(blocked, 0, maps(heap=FREE), HEAP, DATA_AT)


def test_rights_are_taken_at_once_and_accepted_after_the_shootdown() -> None:
    machine = emodpr(entered(), DATA, Rights.R).done()
    info = SecInfo(PageType.REG, Rights.R, restricted=True)
    with pytest.raises(Fault, match="the EPCM gives R"):
        reach(machine, 0, maps(), DATA_AT, Access.STORE)
    assert eaccept(machine, 0, maps(), DATA_AT, info).code == Code.SGX_NOT_TRACKED
    machine = etrack(machine, SECS).done()
    assert eaccept(machine, 0, maps(), DATA_AT, info).code == Code.SGX_NOT_TRACKED, "the thread is still in"
    machine = eenter(eexit(machine, 0).done(), 0, TCS).done()
    entry = eaccept(machine, 0, maps(), DATA_AT, info).done().epcm.get(DATA)
    assert entry is not None and not entry.restricted


def test_the_host_cannot_add_rights_and_the_enclave_can() -> None:
    machine = emodpr(entered(), DATA, Rights.R | Rights.X).done()
    entry = machine.epcm.get(DATA)
    assert entry is not None and entry.rights == Rights.R
    machine = emodpe(machine, 0, maps(), DATA_AT, RW).done()
    assert reach(machine, 0, maps(), DATA_AT, Access.STORE) is Reach.EPC
    with pytest.raises(Fault, match="page table gives R"):
        reach(machine, 0, {DATA_AT: Translation(DATA, Rights.R)}, DATA_AT, Access.STORE)


def test_a_trim_takes_the_page_from_the_enclave_at_once() -> None:
    machine = emodt(entered(), DATA, PageType.TRIM).done()
    with pytest.raises(Fault, match="is TRIM"):
        reach(machine, 0, maps(), DATA_AT, Access.LOAD)
    accepted = eaccept(settle(machine), 0, maps(), DATA_AT, TRIMMED).done()
    with pytest.raises(Fault, match="is TRIM"):
        reach(accepted, 0, maps(), DATA_AT, Access.LOAD)
    with pytest.raises(Fault, match="cannot become"):
        emodt(accepted, DATA, PageType.TCS)


def test_a_page_becomes_a_tcs_by_consent() -> None:
    machine = emodt(entered(), DATA, PageType.TCS).done()
    with pytest.raises(Fault, match="blocked, pending or modified"):
        eenter(machine, 1, DATA)
    machine = eaccept(settle(machine), 0, maps(), DATA_AT, SecInfo(PageType.TCS, modified=True)).done()
    assert eenter(machine, 1, DATA).done().active("", 1).tcs == DATA


@pytest.mark.parametrize("leaf", [lambda m: emodpr(m, FREE, RW), lambda m: emodt(m, FREE, PageType.TRIM)])
def test_a_proposal_that_waits_is_not_overtaken(leaf: Callable[[Machine], object]) -> None:
    assert leaf(grown()) == (grown(), Code.SGX_PAGE_NOT_MODIFIABLE)


def test_linux_learns_by_emodpr_whether_a_trim_was_accepted() -> None:
    machine = emodt(entered(), DATA, PageType.TRIM).done()
    assert emodpr(machine, DATA, RW).code == Code.SGX_PAGE_NOT_MODIFIABLE
    machine = eaccept(settle(machine), 0, maps(), DATA_AT, TRIMMED).done()
    with pytest.raises(Fault, match="is TRIM, not REG"):
        emodpr(machine, DATA, RW)


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (lambda m: eaug(m, DATA, SECS, HEAP), "frame 2 is in use"),
        (lambda m: eaug(m, FREE, SECS, HEAP + 1), "not a multiple of 4096"),
        (lambda m: eaug(m, FREE, SECS, BASE + SIZE), "not in the enclave's range"),
        (lambda m: eaug(m, FREE, DATA, HEAP), "is REG, not SECS"),
        (lambda m: emodpr(m, DATA, Rights.W), "writable, not readable"),
        (lambda m: emodpr(m, FREE, RW), "not valid"),
        (lambda m: emodpr(m, TCS, RW), "is TCS, not REG"),
        (lambda m: emodt(m, DATA, PageType.REG), "TCS or TRIM, not REG"),
        (lambda m: emodt(m, SECS, PageType.TRIM), "is SECS, and cannot become TRIM"),
        (lambda m: eaccept(m, 7, maps(), HEAP, NEW), "thread 7 is not in an enclave"),
        (lambda m: eaccept(m, 0, maps(), HEAP, NEW), "is not mapped"),
        (lambda m: eaccept(m, 0, {HEAP: Translation(None)}, HEAP, NEW), "is not in the EPC"),
        (lambda m: eaccept(m, 0, maps(), HEAP + 8, NEW), "not a multiple of 4096"),
        (lambda m: eaccept(m, 0, maps(), BASE - PAGE, NEW), "not in the enclave's range"),
        (lambda m: eaccept(eblock(m, DATA).done(), 0, maps(), DATA_AT, NEW), "is blocked"),
        (lambda m: eacceptcopy(m, 0, maps(), HEAP, DATA_AT, Rights.W), "writable, not readable"),
        (lambda m: emodpe(m, 0, maps(), DATA_AT, Rights.W), "writable, not readable"),
        (lambda m: emodpe(eblock(m, DATA).done(), 0, maps(), DATA_AT, RW), "no settled REG page"),
        (lambda m: eenter(m, 0, TCS), "thread 0 is in an enclave"),
        (lambda m: eenter(m, -1, TCS), "no number from 0 on"),
        (lambda m: eenter(m, 1, TCS), "the TCS in frame 1 is in use"),
        (lambda m: eenter(m, 1, DATA), "is REG, not TCS"),
        (lambda m: eexit(m, 1), "thread 1 is not in an enclave"),
        (lambda m: etrack(m, DATA), "is REG, not SECS"),
    ],
)
def test_bad_operands_fault(leaf: Callable[[Machine], object], says: str) -> None:
    with pytest.raises(Fault, match=says):
        leaf(entered())


def test_nothing_dynamic_happens_before_einit() -> None:
    machine = ecreate(Machine(8), SECS, BASE, SIZE).done()
    machine = eadd(machine, TCS, SECS, BASE, SecInfo(PageType.TCS)).done()
    machine = eadd(machine, DATA, SECS, DATA_AT, SecInfo(PageType.REG, RW)).done()
    leaves: list[Callable[[], object]] = [
        lambda: eaug(machine, FREE, SECS, HEAP),
        lambda: emodpr(machine, DATA, Rights.R),
        lambda: emodt(machine, DATA, PageType.TRIM),
        lambda: eenter(machine, 0, TCS),
        lambda: etrack(machine, SECS),
    ]
    for leaf in leaves:
        with pytest.raises(Fault, match="is not initialised"):
            leaf()


def test_an_epoch_ends_when_the_threads_of_the_one_before_have_left() -> None:
    machine = etrack(entered(), SECS).done()
    assert etrack(machine, SECS) == (machine, Code.SGX_PREV_TRK_INCMPL)
    outside = eexit(machine, 0).done()
    assert etrack(outside, SECS).done().secs("", SECS).epoch == 2


def test_a_refused_leaf_has_no_machine_to_go_on_with() -> None:
    with pytest.raises(RuntimeError, match="SGX_PAGE_NOT_MODIFIABLE \\(20\\)"):
        emodpr(grown(), FREE, RW).done()
    assert replace(enclave()) == enclave()
