"""Revocation: no memory is reused while a capability to it is valid, wherever that capability is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access, Range
from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV9_128
from capability.cheri.move import increment, set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.protection import Cheri
from capability.cheri.revocation import Revocation
from capability.cheri.transfer import load_capability, store_capability
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import ALL_PERMS, DATA, Perms

CHERI = Cheri(ISAV9_128, sweep_at=1 << 20)
ROOT = Capability.root(ISAV9_128.format)
SLOT = 64


def block(memory: TaggedMemory, number: int) -> Capability:
    return CHERI.derive(memory, 0x1000 + number * SLOT, SLOT, DATA)


def registers(memory: TaggedMemory, *capabilities: Capability) -> list[bool]:
    return [memory.state(Revocation).current(capability).tag for capability in capabilities]


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, SLOT - 1), st.integers(0, SLOT)), max_size=20),
    st.sets(st.integers(0, 7)),
)
def test_a_sweep_clears_in_memory_exactly_what_it_clears_in_registers(
    stored: list[tuple[int, int, int]], freed: set[int]
) -> None:
    """The base test that hardware does and the provenance test that the model does agree on all usable capabilities."""
    memory = TaggedMemory()
    blocks = [block(memory, number) for number in range(8)]
    held: dict[int, tuple[int, Capability]] = {}
    for place, (number, offset, length) in enumerate(stored):
        child = set_bounds(increment(blocks[number], offset, ISAV9_128), min(length, SLOT - offset), ISAV9_128)
        child = increment(child, length * 3, ISAV9_128)
        store_capability(memory, ROOT, 0x8000 + 16 * place, child, ISAV9_128)
        held[0x8000 + 16 * place] = (number, child)
    for number in freed:
        CHERI.retire(memory, blocks[number])
    assert all(registers(memory, *blocks)), "until the sweep every capability works"
    done = memory.state(Revocation).sweep(memory)
    assert set(done.reusable) == {blocks[number].bounds for number in freed}
    for place, (number, child) in held.items():
        assert load_capability(memory, ROOT, place, ISAV9_128).tag == (number not in freed)
        assert registers(memory, child) == [number not in freed]
        assert memory.load(place, 8) == child.address.to_bytes(8, "little"), "a revoked capability keeps its bytes"


def test_a_capability_out_of_bounds_is_revoked_by_its_base_not_its_address() -> None:
    memory = TaggedMemory()
    first, second = block(memory, 0), block(memory, 1)
    store_capability(memory, ROOT, 0x8000, set_address(first, second.base, ISAV9_128), ISAV9_128)
    store_capability(memory, ROOT, 0x8010, set_address(second, first.base, ISAV9_128), ISAV9_128)
    CHERI.retire(memory, first)
    CHERI.retire(memory, None)
    assert not load_capability(memory, ROOT, 0x8000, ISAV9_128).tag
    assert load_capability(memory, ROOT, 0x8010, ISAV9_128).tag


def test_the_allocators_own_capabilities_survive_the_sweep() -> None:
    memory = TaggedMemory()
    freed = block(memory, 0)
    wide = set_bounds(set_address(ROOT, freed.base, ISAV9_128), SLOT, ISAV9_128)
    assert Perms.SW_VMEM in wide.rights
    store_capability(memory, ROOT, 0x8000, wide, ISAV9_128)
    store_capability(memory, ROOT, 0x8010, limit_rights(wide, ALL_PERMS & ~Perms.SW_VMEM, ISAV9_128), ISAV9_128)
    CHERI.retire(memory, freed)
    CHERI.retire(memory, None)
    assert load_capability(memory, ROOT, 0x8000, ISAV9_128).tag
    assert not load_capability(memory, ROOT, 0x8010, ISAV9_128).tag


def test_retirement_waits_until_enough_is_painted_then_reports_everything() -> None:
    memory, cheri = TaggedMemory(), Cheri(sweep_at=3 * SLOT)
    blocks = [cheri.derive(memory, 0x1000 + number * SLOT, SLOT, DATA) for number in range(4)]
    store_capability(memory, ROOT, 0x8000, blocks[3], ISAV9_128)
    assert cheri.retire(memory, blocks[0]).reusable == ()
    assert cheri.retire(memory, blocks[1]).reusable == ()
    done = cheri.retire(memory, blocks[2])
    assert done.reusable == tuple(Range(b.base, b.top) for b in blocks[:3])
    assert done.swept_bytes == memory.page, "only the page that holds a capability is read"
    assert registers(memory, *blocks) == [False, False, False, True]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cap: cap.clear_tag(),
        lambda cap: set_bounds(cap, SLOT // 2, ISAV9_128),
        lambda cap: Capability.null(cap.format, cap.address),
        lambda cap: cap.issued(0),
    ],
    ids=["untagged", "narrowed", "integer", "not derived for a block"],
)
def test_only_the_capability_that_was_handed_out_retires_its_block(spoil: object) -> None:
    assert callable(spoil)
    memory = TaggedMemory()
    handed_out = block(memory, 0)
    with pytest.raises(Fault) as fault:
        CHERI.retire(memory, spoil(handed_out))
    assert fault.value.kind is FaultKind.TAG
    assert CHERI.retire(memory, None).reusable == (), "and nothing was painted"
    assert registers(memory, handed_out) == [True]


@pytest.mark.parametrize("swept", [False, True])
def test_a_second_retirement_faults_before_and_after_the_sweep(swept: bool) -> None:
    memory = TaggedMemory()
    freed = block(memory, 0)
    CHERI.retire(memory, freed)
    if swept:
        CHERI.retire(memory, None)
        assert block(memory, 0) == freed, "the same value, another provenance"
    with pytest.raises(Fault):
        CHERI.retire(memory, freed)


def test_a_stale_capability_works_until_the_sweep_and_never_after() -> None:
    memory = TaggedMemory()
    stale = block(memory, 0)
    CHERI.retire(memory, stale)
    CHERI.check(memory, stale, stale.base, 1, Access.LOAD)
    CHERI.retire(memory, None)
    with pytest.raises(Fault):
        CHERI.check(memory, stale, stale.base, 1, Access.LOAD)
