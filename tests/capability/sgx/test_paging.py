"""EPA, EBLOCK, EWB, ELDU, ELDB: the host pages, and cannot replay, swap or change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from capability.architecture import Access
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.sgx.access import Reach, load, reach, store
from capability.sgx.augment import eaug
from capability.sgx.build import eremove
from capability.sgx.code import Code
from capability.sgx.machine import Machine
from capability.sgx.page import PAGE, RW, PageType, Rights, SecInfo
from capability.sgx.paging import SLOTS, Evicted, eblock, eldb, eldu, epa, ewb
from capability.sgx.thread import eenter, eexit
from capability.sgx.track import etrack
from tests.capability.sgx.enclaves import DATA, DATA_AT, FREE, HEAP, SECS, TCS, enclave, entered, maps

VA = 10


def ready(contents: bytes = b"\x11" * PAGE) -> Machine:
    """With a version array, nobody inside, and the data page blocked and tracked."""
    machine = epa(enclave(contents=contents), VA).done()
    return etrack(eblock(machine, DATA).done(), SECS).done()


def out(machine: Machine, frame: int = DATA, slot: int = 0) -> tuple[Machine, Evicted]:
    outcome, page = ewb(machine, frame, VA, slot)
    assert page is not None
    return outcome.machine, page


def test_a_page_comes_back_as_it_left_in_any_frame() -> None:
    machine, page = out(ready())
    assert machine.epcm.get(DATA) is None
    machine = eldu(machine, FREE, page, VA, 0, SECS).done()
    machine = eenter(machine, 0, TCS).done()
    table = maps() | {DATA_AT: maps(heap=FREE)[HEAP]}
    assert load(machine, 0, table, TaggedMemory(), DATA_AT, 4) == b"\x11" * 4


def test_an_older_copy_is_refused() -> None:
    machine, old = out(ready())
    machine = eldu(machine, DATA, old, VA, 0, SECS).done()
    assert eldu(machine, FREE, old, VA, 0, SECS) == (machine, Code.SGX_MAC_COMPARE_FAIL), "its slot is empty"
    machine = eenter(machine, 0, TCS).done()
    machine = store(machine, 0, maps(), TaggedMemory(), DATA_AT, b"new")
    machine = etrack(eblock(eexit(machine, 0).done(), DATA).done(), SECS).done()
    machine, new = out(machine)
    assert eldu(machine, DATA, old, VA, 0, SECS).code == Code.SGX_MAC_COMPARE_FAIL, "its slot has another version"
    assert eldu(machine, DATA, new, VA, 0, SECS).done().data(DATA).startswith(b"new")


def test_no_field_of_an_evicted_page_can_be_changed() -> None:
    machine, page = out(ready())
    changed = [
        replace(page, contents=bytes(PAGE)),
        replace(page, address=HEAP),
        replace(page, info=SecInfo(PageType.REG, RW | Rights.X)),
        replace(page, info=SecInfo(PageType.TCS)),
        replace(page, info=replace(page.info, pending=True)),
        replace(page, mac=bytes(32)),
    ]
    for forged in changed:
        assert eldu(machine, DATA, forged, VA, 0, SECS).code == Code.SGX_MAC_COMPARE_FAIL
    assert eldu(machine, DATA, page, VA, 1, SECS).code == Code.SGX_MAC_COMPARE_FAIL, "another slot"


def test_a_page_that_is_pending_is_still_pending_when_it_comes_back() -> None:
    machine = epa(eaug(enclave(), FREE, SECS, HEAP).done(), VA).done()
    machine, page = out(etrack(eblock(machine, FREE).done(), SECS).done(), FREE)
    machine = eenter(eldu(machine, FREE, page, VA, 0, SECS).done(), 0, TCS).done()
    with pytest.raises(Fault, match="is pending"):
        reach(machine, 0, maps(heap=FREE), HEAP, Access.LOAD)


def test_a_page_loaded_blocked_is_not_reached() -> None:
    machine, page = out(ready())
    machine = eenter(eldb(machine, DATA, page, VA, 0, SECS).done(), 0, TCS).done()
    with pytest.raises(Fault, match="is blocked"):
        reach(machine, 0, maps(), DATA_AT, Access.LOAD)


def test_a_page_leaves_only_blocked_and_tracked() -> None:
    machine = epa(entered(), VA).done()
    assert ewb(machine, DATA, VA, 0)[0] == (machine, Code.SGX_PAGE_NOT_BLOCKED)
    machine = eblock(machine, DATA).done()
    assert ewb(machine, DATA, VA, 0)[0].code == Code.SGX_NOT_TRACKED
    machine = etrack(machine, SECS).done()
    assert ewb(machine, DATA, VA, 0) == ((machine, Code.SGX_NOT_TRACKED), None), "the thread is still in"
    machine = eexit(machine, 0).done()
    assert ewb(machine, DATA, VA, 0)[0].code == Code.SUCCESS


def test_even_an_empty_enclave_is_tracked_first() -> None:
    machine = eblock(epa(enclave(), VA).done(), DATA).done()
    assert ewb(machine, DATA, VA, 0) == ((machine, Code.SGX_NOT_TRACKED), None)


def test_an_occupied_slot_warns_and_the_page_it_stood_for_is_lost() -> None:
    machine = eaug(ready(), FREE, SECS, HEAP).done()
    machine, first = out(machine)
    machine = etrack(eblock(machine, FREE).done(), SECS).done()
    outcome, second = ewb(machine, FREE, VA, 0)
    assert outcome.code == Code.SGX_VA_SLOT_OCCUPIED and second is not None
    assert outcome.machine.epcm.get(FREE) is None
    assert eldu(outcome.machine, DATA, first, VA, 0, SECS).code == Code.SGX_MAC_COMPARE_FAIL
    assert eldu(outcome.machine, DATA, second, VA, 0, SECS).code == Code.SUCCESS


def test_a_whole_enclave_goes_and_comes_back() -> None:
    machine = etrack(eblock(ready(), TCS).done(), SECS).done()
    assert ewb(machine, SECS, VA, 2)[0].code == Code.SGX_CHILD_PRESENT
    machine, data = out(machine)
    machine, tcs = out(machine, TCS, 1)
    machine, secs = out(machine, SECS, 2)
    assert len(machine.epcm) == 1, "the version array"
    machine = eldu(machine, 5, secs, VA, 2).done()
    machine = eldu(machine, 6, tcs, VA, 1, 5).done()
    machine = eldu(machine, 7, data, VA, 0, 5).done()
    machine.check()
    machine = eenter(machine, 0, 6).done()
    table = {DATA_AT: maps(heap=7)[HEAP]}
    assert reach(machine, 0, table, DATA_AT, Access.STORE) is Reach.EPC


def test_a_version_array_pages_into_another() -> None:
    machine, page = out(ready())
    machine = epa(machine, 11).done()
    outcome, array = ewb(machine, VA, 11, 4)
    assert array is not None
    machine = eldu(outcome.done(), 8, array, 11, 4).done()
    assert eldu(machine, DATA, page, 8, 0, SECS).code == Code.SUCCESS


def test_eblock_says_why_not() -> None:
    machine = ready()
    codes = {frame: eblock(machine, frame).code for frame in (SECS, VA, DATA, FREE)}
    assert codes == {
        SECS: Code.SGX_PG_IS_SECS,
        VA: Code.SGX_NOTBLOCKABLE,
        DATA: Code.SGX_BLKSTATE,
        FREE: Code.SGX_PG_INVLD,
    }


def test_bad_operands_fault() -> None:
    machine, page = out(ready())
    for leaf, says in (
        (lambda: ewb(machine, TCS, VA, SLOTS), "0 <= slot < 512"),
        (lambda: ewb(machine, TCS, TCS, 0), "is TCS, not VA"),
        (lambda: ewb(machine, VA, VA, 0), "both the page and its version array"),
        (lambda: ewb(machine, FREE, VA, 0), "frame 3 is not valid"),
        (lambda: eldu(machine, TCS, page, VA, 0, SECS), "frame 1 is in use"),
        (lambda: eldu(machine, DATA, page, VA, -1, SECS), "0 <= slot < 512"),
        (lambda: eldu(machine, DATA, page, VA, 0), "name its SECS"),
        (lambda: eldu(machine, DATA, page, VA, 0, TCS), "is TCS, not SECS"),
        (lambda: epa(machine, SECS), "frame 0 is in use"),
        (lambda: eblock(machine, 99), "not in the EPC"),
    ):
        with pytest.raises(Fault, match=says):
            leaf()


def test_a_version_array_may_be_thrown_away_and_its_pages_with_it() -> None:
    machine, page = out(ready())
    machine = epa(eremove(machine, VA).done(), VA).done()
    assert eldu(machine, DATA, page, VA, 0, SECS).code == Code.SGX_MAC_COMPARE_FAIL
