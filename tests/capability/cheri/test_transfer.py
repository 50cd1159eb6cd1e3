"""Capabilities through memory: the tag arrives where it may, and nowhere else."""

from __future__ import annotations

import pytest

from capability.cheri.capability import ROOT, Capability
from capability.cheri.cause import Cause
from capability.cheri.protection import Cheri
from capability.cheri.transfer import load_capability, store_capability
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import ALL_PERMS, DATA, Perms

PLACE = 0x8000
VALUE = ROOT.set_address(0x1000).set_bounds(64)


def without(perm: Perms) -> Capability:
    return ROOT.and_perms(ALL_PERMS & ~perm)


def test_what_is_stored_is_what_is_loaded() -> None:
    memory = TaggedMemory()
    store_capability(memory, ROOT, PLACE, VALUE)
    assert load_capability(memory, ROOT, PLACE) == VALUE


def test_an_untagged_capability_is_stored_as_data_even_without_the_right_to_store_capabilities() -> None:
    memory = TaggedMemory()
    store_capability(memory, without(Perms.PERMIT_STORE_CAP), PLACE, VALUE.clear_tag())
    assert load_capability(memory, ROOT, PLACE) == Capability.from_integer(0x1000)


def test_storing_a_tagged_capability_needs_the_right_to() -> None:
    with pytest.raises(Fault) as fault:
        store_capability(TaggedMemory(), without(Perms.PERMIT_STORE_CAP), PLACE, VALUE)
    assert fault.value.code is Cause.PERMIT_STORE_CAP


def test_storing_a_local_capability_needs_one_right_more() -> None:
    local = VALUE.and_perms(ALL_PERMS & ~Perms.GLOBAL)
    store_capability(TaggedMemory(), without(Perms.PERMIT_STORE_LOCAL_CAP), PLACE, VALUE)
    with pytest.raises(Fault) as fault:
        store_capability(TaggedMemory(), without(Perms.PERMIT_STORE_LOCAL_CAP), PLACE, local)
    assert fault.value.code is Cause.PERMIT_STORE_LOCAL_CAP


def test_loading_without_the_right_to_load_capabilities_gives_an_untagged_one() -> None:
    memory = TaggedMemory()
    store_capability(memory, ROOT, PLACE, VALUE)
    assert load_capability(memory, without(Perms.PERMIT_LOAD_CAP), PLACE) == VALUE.clear_tag()
    assert load_capability(memory, ROOT, PLACE).tag, "and leaves the one in memory alone"


def test_a_capability_lives_at_multiples_of_the_granule_only() -> None:
    for transfer in (
        lambda memory: store_capability(memory, ROOT, PLACE + 8, VALUE),
        lambda memory: load_capability(memory, ROOT, PLACE + 8),
    ):
        with pytest.raises(Fault) as fault:
            transfer(TaggedMemory())
        assert fault.value.kind is FaultKind.ALIGNMENT


def test_a_revoked_capability_is_stored_as_data() -> None:
    memory, cheri = TaggedMemory(), Cheri()
    stale = cheri.derive(memory, 0x1000, 64, DATA)
    cheri.retire(memory, stale)
    store_capability(memory, ROOT, PLACE, stale)
    assert not load_capability(memory, ROOT, PLACE).tag


def test_a_revoked_capability_gives_no_access_to_memory() -> None:
    memory, cheri = TaggedMemory(), Cheri()
    stale = cheri.derive(memory, PLACE, 64, DATA)
    cheri.retire(memory, stale)
    with pytest.raises(Fault) as store:
        store_capability(memory, stale, PLACE, VALUE)
    with pytest.raises(Fault) as load:
        load_capability(memory, stale, PLACE)
    assert store.value.code is load.value.code is Cause.TAG
