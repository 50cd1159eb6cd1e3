"""Revocation: no memory is reused while a capability to it is valid, wherever that capability is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access, Range
from capability.cheri.capability import ROOT, Capability
from capability.cheri.protection import Cheri
from capability.cheri.revocation import Revocation
from capability.cheri.transfer import load_capability, store_capability
from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.perms import ALL_PERMS, DATA, Perms

CHERI = Cheri(sweep_at=1 << 20)
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
        child = blocks[number].increment(offset).set_bounds(min(length, SLOT - offset)).increment(length * 3)
        store_capability(memory, ROOT, 0x8000 + 16 * place, child)
        held[0x8000 + 16 * place] = (number, child)
    for number in freed:
        CHERI.retire(memory, blocks[number])
    assert all(registers(memory, *blocks)), "until the sweep every capability works"
    done = memory.state(Revocation).sweep(memory)
    assert set(done.reusable) == {blocks[number].bounds for number in freed}
    for place, (number, child) in held.items():
        assert load_capability(memory, ROOT, place).tag == (number not in freed)
        assert registers(memory, child) == [number not in freed]
        assert memory.load(place, 8) == child.address.to_bytes(8, "little"), "a revoked capability keeps its bytes"


def test_a_capability_out_of_bounds_is_revoked_by_its_base_not_its_address() -> None:
    memory = TaggedMemory()
    first, second = block(memory, 0), block(memory, 1)
    store_capability(memory, ROOT, 0x8000, first.set_address(second.base))
    store_capability(memory, ROOT, 0x8010, second.set_address(first.base))
    CHERI.retire(memory, first)
    CHERI.retire(memory, None)
    assert not load_capability(memory, ROOT, 0x8000).tag
    assert load_capability(memory, ROOT, 0x8010).tag


def test_the_allocators_own_capabilities_survive_the_sweep() -> None:
    memory = TaggedMemory()
    freed = block(memory, 0)
    wide = ROOT.set_address(freed.base).set_bounds(SLOT)
    assert Perms.SW_VMEM in wide.perms
    store_capability(memory, ROOT, 0x8000, wide)
    store_capability(memory, ROOT, 0x8010, wide.and_perms(ALL_PERMS & ~Perms.SW_VMEM))
    CHERI.retire(memory, freed)
    CHERI.retire(memory, None)
    assert load_capability(memory, ROOT, 0x8000).tag
    assert not load_capability(memory, ROOT, 0x8010).tag


def test_retirement_waits_until_enough_is_painted_then_reports_everything() -> None:
    memory, cheri = TaggedMemory(), Cheri(sweep_at=3 * SLOT)
    blocks = [cheri.derive(memory, 0x1000 + number * SLOT, SLOT, DATA) for number in range(4)]
    store_capability(memory, ROOT, 0x8000, blocks[3])
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
        lambda cap: cap.set_bounds(SLOT // 2),
        lambda cap: Capability.from_integer(cap.address),
        lambda cap: ROOT.set_address(cap.base).set_bounds(SLOT),
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


def test_a_block_shares_no_granule_with_another() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        CHERI.derive(TaggedMemory(), 0x1008, 8, DATA)
    with pytest.raises(ValueError, match="size >= 1"):
        CHERI.derive(TaggedMemory(), 0x1000, 0, DATA)


def test_a_stale_capability_works_until_the_sweep_and_never_after() -> None:
    memory = TaggedMemory()
    stale = block(memory, 0)
    CHERI.retire(memory, stale)
    CHERI.check(memory, stale, stale.base, 1, Access.LOAD)
    CHERI.retire(memory, None)
    with pytest.raises(Fault):
        CHERI.check(memory, stale, stale.base, 1, Access.LOAD)
