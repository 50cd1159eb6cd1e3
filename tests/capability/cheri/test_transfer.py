"""Capabilities through memory: the tag arrives where it may, and nowhere else."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.isa import CHERIOT, ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128, Isa
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.protection import Cheri
from capability.cheri.transfer import load_capability, store_capability
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import ALL_PERMS, DATA, Perms

PLACE = 0x8000
every_isa = pytest.mark.parametrize("isa", [ISAV9_128, MORELLO, RISCV_128, ISAV9_64, RISCV_64, CHERIOT], ids=str)


def root(isa: Isa = ISAV9_128) -> Capability:
    return Capability.root(isa.format)


def value(isa: Isa = ISAV9_128) -> Capability:
    return set_bounds(Capability.root(isa.format, address=0x1000), 64, isa)


def without(perm: Perms, isa: Isa = ISAV9_128) -> Capability:
    return limit_rights(root(isa), ALL_PERMS & ~perm, isa)


def memory_for(isa: Isa) -> TaggedMemory:
    return TaggedMemory(0, 1 << isa.format.address_bits, capability_granule=isa.format.capability_bytes)


@every_isa
def test_what_is_stored_is_what_is_loaded_bytes_and_tag(isa: Isa) -> None:
    memory = memory_for(isa)
    store_capability(memory, root(isa), PLACE, value(isa), isa)
    assert load_capability(memory, root(isa), PLACE, isa) == value(isa)
    assert memory.load(PLACE, isa.format.capability_bytes) == value(isa).to_memory()
    memory.store(PLACE + 1, memory.load(PLACE + 1, 1))
    assert load_capability(memory, root(isa), PLACE, isa) == value(isa).clear_tag()


def test_an_untagged_capability_is_stored_as_data_even_without_the_right_to_store_capabilities() -> None:
    memory = TaggedMemory()
    store_capability(memory, without(Perms.PERMIT_STORE_CAP), PLACE, value().clear_tag(), ISAV9_128)
    assert load_capability(memory, root(), PLACE, ISAV9_128) == value().clear_tag()


@pytest.mark.parametrize("isa", [ISAV9_128, MORELLO], ids=str)
def test_storing_a_tagged_capability_needs_the_right_to(isa: Isa) -> None:
    with pytest.raises(Fault) as fault:
        store_capability(TaggedMemory(), without(Perms.PERMIT_STORE_CAP, isa), PLACE, value(isa), isa)
    assert fault.value.kind is FaultKind.PERMISSION


def test_the_riscv_draft_stores_without_the_tag_instead() -> None:
    memory = TaggedMemory()
    store_capability(memory, without(Perms.PERMIT_STORE_CAP, RISCV_128), PLACE, value(RISCV_128), RISCV_128)
    assert load_capability(memory, root(RISCV_128), PLACE, RISCV_128) == value(RISCV_128).clear_tag()


def test_storing_a_local_capability_needs_one_right_more() -> None:
    local = limit_rights(value(), ALL_PERMS & ~Perms.GLOBAL, ISAV9_128)
    store_capability(TaggedMemory(), without(Perms.PERMIT_STORE_LOCAL_CAP), PLACE, value(), ISAV9_128)
    with pytest.raises(Fault) as fault:
        store_capability(TaggedMemory(), without(Perms.PERMIT_STORE_LOCAL_CAP), PLACE, local, ISAV9_128)
    assert fault.value.code is Cause.PERMIT_STORE_LOCAL_CAP


@pytest.mark.parametrize("isa", [RISCV_128, CHERIOT], ids=str)
def test_a_local_capability_loses_its_tag_where_that_is_no_fault(isa: Isa) -> None:
    memory = memory_for(isa)
    local = limit_rights(value(isa), ALL_PERMS & ~Perms.GLOBAL, isa)
    store_capability(memory, without(Perms.PERMIT_STORE_LOCAL_CAP, isa), PLACE, local, isa)
    assert not load_capability(memory, root(isa), PLACE, isa).tag
    store_capability(memory, root(isa), PLACE, local, isa)
    assert load_capability(memory, root(isa), PLACE, isa) == local


def test_loading_without_the_right_to_load_capabilities_gives_an_untagged_one() -> None:
    memory = TaggedMemory()
    store_capability(memory, root(), PLACE, value(), ISAV9_128)
    assert load_capability(memory, without(Perms.PERMIT_LOAD_CAP), PLACE, ISAV9_128) == value().clear_tag()
    assert load_capability(memory, root(), PLACE, ISAV9_128).tag, "and leaves the one in memory alone"


@every_isa
def test_a_capability_lives_at_multiples_of_its_size_only(isa: Isa) -> None:
    place = PLACE + isa.format.capability_bytes // 2
    for transfer in (
        lambda memory: store_capability(memory, root(isa), place, value(isa), isa),
        lambda memory: store_capability(memory, root(isa), place, value(isa).clear_tag(), isa),
        lambda memory: load_capability(memory, root(isa), place, isa),
    ):
        with pytest.raises(Fault) as fault:
            transfer(memory_for(isa))
        assert fault.value.kind is FaultKind.ALIGNMENT


def test_memory_with_another_granule_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"format 64 are 8 bytes.*TaggedMemory\(capability_granule=8\)"):
        load_capability(TaggedMemory(), root(ISAV9_64), PLACE, ISAV9_64)


def test_a_revoked_capability_is_stored_as_data() -> None:
    memory, cheri = TaggedMemory(), Cheri()
    stale = cheri.derive(memory, 0x1000, 64, DATA)
    cheri.retire(memory, stale)
    store_capability(memory, root(), PLACE, stale, ISAV9_128)
    assert not load_capability(memory, root(), PLACE, ISAV9_128).tag


def test_a_revoked_capability_gives_no_access_to_memory() -> None:
    memory, cheri = TaggedMemory(), Cheri()
    stale = cheri.derive(memory, PLACE, 64, DATA)
    cheri.retire(memory, stale)
    with pytest.raises(Fault) as store:
        store_capability(memory, stale, PLACE, value(), ISAV9_128)
    with pytest.raises(Fault) as load:
        load_capability(memory, stale, PLACE, ISAV9_128)
    assert store.value.code is load.value.code is Cause.TAG
