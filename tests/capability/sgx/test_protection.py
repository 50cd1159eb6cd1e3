"""The enclave heap, and SGX under an allocator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access, Hazard, Range
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import DATA
from capability.sgx.heap import SECS, DoubleCommitError, EnclaveHeap
from capability.sgx.page import PAGE
from capability.sgx.protection import EnclavePointer, Sgx

BASE, SIZE = 0x40000, 0x20000


def machine() -> TaggedMemory:
    return TaggedMemory(BASE, SIZE)


def test_an_enclave_never_accepts_a_second_page_at_an_address() -> None:
    heap = EnclaveHeap()
    heap.build(BASE, BASE + SIZE)
    heap.commit([BASE])
    with pytest.raises(DoubleCommitError, match="0x40000 is committed"):
        heap.commit([BASE])
    heap.trim([BASE])
    heap.commit([BASE])
    assert heap.is_committed(BASE)


@given(base=st.integers(0, 1 << 20), size=st.integers(1, 1 << 22))
def test_the_enclaves_range_covers_the_heap_and_a_control_page_beside_it(base: int, size: int) -> None:
    heap = EnclaveHeap()
    heap.build(base, base + size)
    enclave = heap.machine.secs("", SECS)
    assert enclave.contains(base) and enclave.contains(base + size - 1)
    control = [entry.address for _, entry in heap.machine.epcm.items() if entry.secs is not None]
    assert len(control) == 1
    assert control[0] + PAGE <= base or base + size <= control[0]


def test_trimmed_frames_are_used_again() -> None:
    heap = EnclaveHeap()
    heap.build(BASE, BASE + SIZE)
    pages = range(BASE, BASE + SIZE, PAGE)
    for _ in range(5):
        heap.commit(pages)
        assert len(heap.machine.epcm) == 2 + len(pages)
        heap.machine.check()
        heap.trim(pages)
        assert len(heap.machine.epcm) == 2
    assert max(frame for frame, _ in heap.machine.epcm.items()) < 2 + len(pages)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 3 * PAGE)), max_size=12), st.integers(0, 4), st.data())
def test_a_page_is_committed_while_a_block_is_on_it(
    wanted: list[tuple[int, int]], trim_at: int, data: st.DataObject
) -> None:
    sgx, memory, live = Sgx(trim_at=trim_at), machine(), list[EnclavePointer]()
    for slot, size in wanted:
        base = BASE + slot * 0x2000
        if all(p.top <= base or base + size <= p.base for p in live):
            live.append(sgx.derive(memory, base, size, DATA))
        elif data.draw(st.booleans()):
            assert sgx.retire(memory, live.pop()).pages <= SIZE // PAGE
        heap = memory.state(EnclaveHeap)
        needed = {page for p in live for page in range(p.base & -PAGE, p.top, PAGE)}
        committed = {page for page in range(BASE, BASE + SIZE, PAGE) if heap.is_committed(page)}
        assert needed <= committed
        assert len(committed - needed) <= trim_at
        heap.machine.check()


def test_pages_are_zero_when_they_come_and_gone_when_they_go() -> None:
    sgx, memory = Sgx(trim_at=0), machine()
    first, second = sgx.derive(memory, BASE, 5000, DATA), sgx.derive(memory, BASE + 5008, 16, DATA)
    memory.fill(BASE, 5024, 0x5A)
    done = sgx.retire(memory, first)
    assert (done.reusable, done.pages) == ((Range(BASE, BASE + 5000),), 1), "the second page has a block"
    with pytest.raises(Fault) as fault:
        sgx.check(memory, first, BASE, 1, Access.LOAD)
    assert fault.value.kind is FaultKind.UNMAPPED
    sgx.check(memory, first, BASE + PAGE, 1, Access.LOAD)
    assert sgx.retire(memory, second).pages == 1
    sgx.derive(memory, BASE, 5000, DATA)
    assert memory.load(BASE, 2 * PAGE) == bytes(2 * PAGE)


def test_empty_pages_wait_until_there_are_enough_or_memory_is_short() -> None:
    sgx, memory = Sgx(trim_at=2), machine()
    pointers = [sgx.derive(memory, BASE + n * PAGE, 16, DATA) for n in range(5)]
    assert [sgx.retire(memory, pointer).pages for pointer in pointers] == [0, 0, 3, 0, 0]
    assert sgx.retire(memory, None).pages == 2
    assert sgx.retire(memory, None) == sgx.retire(memory, None)


def test_blocks_with_pages_of_their_own_are_caught_after_free_and_only_they() -> None:
    sgx, memory = Sgx(granule=PAGE, trim_at=0), machine()
    pointer, neighbour = (sgx.derive(memory, BASE + n * PAGE, 100, DATA) for n in range(2))
    sgx.check(memory, pointer, neighbour.base, 8, Access.STORE)
    sgx.retire(memory, pointer)
    for access in (Access.LOAD, Access.STORE):
        with pytest.raises(Fault):
            sgx.check(memory, pointer, BASE, 1, access)
    caught = [kind for kind in Hazard if sgx.detection(kind)]
    assert caught == [Hazard.USE_AFTER_FREE]
    assert not any(Sgx().detection(kind) for kind in Hazard)


def test_heap_pages_are_not_executable() -> None:
    sgx, memory = Sgx(), machine()
    pointer = sgx.derive(memory, BASE, 16, DATA)
    with pytest.raises(Fault) as fault:
        sgx.check(memory, pointer, BASE, 1, Access.FETCH)
    assert fault.value.kind is FaultKind.PERMISSION


def test_retiring_what_is_on_no_page_faults() -> None:
    sgx, memory = Sgx(), machine()
    pointer = sgx.derive(memory, BASE, 16, DATA)
    sgx.retire(memory, pointer)
    with pytest.raises(Fault, match="no block is on its page"):
        sgx.retire(memory, pointer)


@pytest.mark.parametrize(("granule", "trim_at"), [(0, 0), (48, 0), (8192, 0), (-16, 0), (16, -1)])
def test_a_granule_is_a_power_of_two_up_to_a_page(granule: int, trim_at: int) -> None:
    with pytest.raises(ValueError, match="power of two up to 4096"):
        Sgx(granule, trim_at)


@pytest.mark.parametrize(("base", "size"), [(BASE + 8, 16), (BASE, 0)])
def test_a_block_begins_at_a_granule_and_is_not_empty(base: int, size: int) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        Sgx().derive(machine(), base, size, DATA)
