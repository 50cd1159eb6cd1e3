"""The comparison of versions, against its definition byte by byte, and how a mismatch is reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.adi.check import check_access, mismatch
from capability.adi.code import Code
from capability.adi.mcd import (
    PAGE,
    McdPages,
    Thread,
    load_version,
    set_versions,
    store_version,
    store_version_and_zero,
)
from capability.adi.version import LINE, with_version
from capability.architecture import Access
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory

BASE, SIZE = 2 * PAGE, 2 * PAGE


def machine(*, enabled: int = SIZE) -> TaggedMemory:
    memory = TaggedMemory(BASE, SIZE, allocation_granule=LINE)
    memory.state(McdPages).enable(BASE, enabled)
    return memory


def right(version: int, address: int = BASE) -> int:
    return with_version(address, version)


@given(
    lines=st.lists(st.integers(0, 15), min_size=6, max_size=6),
    version=st.integers(0, 15),
    start=st.integers(0, 6 * LINE - 1),
    data=st.data(),
)
def test_it_equals_a_comparison_of_every_byte(lines: list[int], version: int, start: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 6 * LINE - start))
    memory = machine()
    for number, line in enumerate(lines):
        store_version(memory, Thread(), BASE + number * LINE, line)
    wrong = [a for a in range(start, start + size) if lines[a // LINE] not in (0, 15, version)]
    found = mismatch(memory, Thread(), right(version, BASE + start), size)
    assert found == (BASE + wrong[0] if wrong else None)


def test_a_load_is_precise_whatever_the_thread_asks() -> None:
    for thread in (Thread(), Thread(mcdperr=True)):
        memory = machine()
        set_versions(memory, thread, BASE + LINE, LINE, 5)
        with pytest.raises(Fault) as fault:
            check_access(memory, thread, right(6, BASE + LINE - 8), 16, Access.LOAD)
        assert (fault.value.code, fault.value.address) == (Code.SEGV_ADIPERR, BASE + LINE)
        memory.synchronise()


def test_a_store_is_disrupting_it_happens_and_is_reported_without_the_address() -> None:
    memory = machine()
    set_versions(memory, Thread(), BASE, LINE, 5)
    check_access(memory, Thread(), right(6), 8, Access.STORE)
    with pytest.raises(Fault) as fault:
        memory.synchronise()
    assert (fault.value.kind, fault.value.code) == (FaultKind.VERSION_MISMATCH, Code.SEGV_ADIDERR)
    assert fault.value.address is None


def test_a_store_with_mcdperr_is_precise() -> None:
    memory, thread = machine(), Thread(mcdperr=True)
    set_versions(memory, thread, BASE, LINE, 5)
    with pytest.raises(Fault) as fault:
        check_access(memory, thread, right(6), 8, Access.STORE)
    assert (fault.value.code, fault.value.address) == (Code.SEGV_ADIPERR, BASE)
    memory.synchronise()


def test_fetches_and_non_faulting_loads_are_not_compared() -> None:
    memory = machine()
    set_versions(memory, Thread(), BASE, LINE, 5)
    check_access(memory, Thread(), right(6), 8, Access.FETCH)
    check_access(memory, Thread(), right(6), 8, Access.LOAD, non_faulting=True)


def test_both_switches_must_be_on() -> None:
    memory = machine(enabled=PAGE)
    set_versions(memory, Thread(), BASE, LINE, 5)
    assert mismatch(memory, Thread(), right(6), 8) == BASE
    assert mismatch(memory, Thread(mcde=False), right(6), 8) is None
    memory.state(McdPages).disable(BASE, 1)
    assert mismatch(memory, Thread(), right(6), 8) is None
    memory.state(McdPages).enable(BASE, 1)
    assert mismatch(memory, Thread(), right(6), 8) == BASE, "the version outlived the switch"


def test_without_mcde_a_versioned_pointer_names_no_memory() -> None:
    with pytest.raises(Fault) as fault:
        check_access(machine(), Thread(mcde=False), right(6), 8, Access.LOAD)
    assert fault.value.kind is FaultKind.UNMAPPED
    check_access(machine(), Thread(mcde=False), BASE, 8, Access.LOAD)


@pytest.mark.parametrize(("thread", "address"), [(Thread(mcde=False), BASE), (Thread(), BASE + PAGE)], ids=str)
def test_a_version_is_not_set_where_adi_is_not_enabled(thread: Thread, address: int) -> None:
    memory = machine(enabled=PAGE)
    with pytest.raises(Fault, match="ADI is not enabled") as fault:
        store_version(memory, thread, address, 5)
    assert fault.value.code == Code.SEGV_ACCADI
    assert load_version(memory, address) == 0


def test_a_version_is_set_on_a_whole_line_and_only_there() -> None:
    memory = machine()
    with pytest.raises(Fault, match="multiple of 64") as fault:
        store_version(memory, Thread(), BASE + 32, 5)
    assert fault.value.kind is FaultKind.ALIGNMENT
    assert set_versions(memory, Thread(), BASE + 70, 60, 5) == 2, "rounded outward"
    assert [load_version(memory, BASE + at) for at in (63, 64, 191, 192)] == [0, 5, 5, 0]


def test_block_init_zeroes_the_line_and_an_ordinary_version_store_does_not() -> None:
    memory = machine()
    memory.store(BASE, b"\xaa" * 2 * LINE)
    store_version(memory, Thread(), BASE, 5)
    assert memory.load(BASE, LINE) == b"\xaa" * LINE
    store_version_and_zero(memory, Thread(), BASE, 6)
    assert memory.load(BASE, LINE + 1) == bytes(LINE) + b"\xaa"
    assert load_version(memory, BASE) == 6


def test_a_range_is_versioned_as_a_whole_or_not_at_all() -> None:
    memory = machine(enabled=PAGE)
    with pytest.raises(Fault, match="ADI is not enabled"):
        set_versions(memory, Thread(), BASE + PAGE - LINE, 2 * LINE, 5)
    assert load_version(memory, BASE + PAGE - LINE) == 0
    assert set_versions(memory, Thread(), BASE, 0, 5) == 0
