"""Each format over the seam: exact bounds or a refusal that says how to pad, and stripped permissions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Access, UnrepresentableError
from capability.cheri.isa import ISAV9_64, MORELLO, Isa
from capability.cheri.protection import Cheri
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.perms import ALL_PERMS, DATA, Perms
from capability.word import WidthError
from tests.capability.cheri.strategies import CLEARING, near_powers

each_isa = pytest.mark.parametrize("isa", CLEARING, ids=str)


@each_isa
@given(data=st.data())
def test_a_block_is_derived_exactly_or_where_the_refusal_says(isa: Isa, data: st.DataObject) -> None:
    cheri, memory = Cheri(isa), TaggedMemory()
    base = data.draw(st.integers(0, 1 << 18)) * 16
    size = data.draw(near_powers(26).map(lambda length: max(length, 1)))
    perms = Perms(data.draw(st.integers(0, int(ALL_PERMS)))) & ALL_PERMS
    try:
        block = cheri.derive(memory, base, size, perms)
    except UnrepresentableError as refusal:
        granule = refusal.granule
        assert base % granule or size % granule, "else it could have been derived"
        base, size = base & -granule, size + -size % granule
        block = cheri.derive(memory, base, size, perms)
    assert (block.address, block.base, block.top) == (base, base, base + size)
    assert block.tag and not block.sealed and not block.rights & ~perms


@each_isa
def test_data_blocks_can_be_read_written_and_hold_pointers_and_nothing_else(isa: Isa) -> None:
    cheri, memory = Cheri(isa), TaggedMemory()
    block = cheri.derive(memory, 0x1000, 64, DATA)
    for access in (Access.LOAD, Access.STORE, Access.LOAD_CAPABILITY, Access.STORE_LOCAL_CAPABILITY):
        cheri.check(memory, block, 0x1000, 16, access)
    with pytest.raises(Fault):
        cheri.check(memory, block, 0x1000, 2, Access.FETCH)
    assert block.rights == DATA


def test_a_block_shares_no_granule_with_another() -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        Cheri().derive(TaggedMemory(), 0x1008, 8, DATA)
    with pytest.raises(ValueError, match="size >= 1"):
        Cheri().derive(TaggedMemory(), 0x1000, 0, DATA)


def test_a_block_outside_the_address_space_is_refused_with_the_range() -> None:
    with pytest.raises(WidthError, match="32 bits"):
        Cheri(ISAV9_64).derive(TaggedMemory(), 1 << 32, 16, DATA)


def test_the_published_overlap_is_refused() -> None:
    """Morello, 65537 bytes: rounded to 16 they are not representable; the granule says what is."""
    with pytest.raises(UnrepresentableError, match="both must be multiples of 32"):
        Cheri(MORELLO).derive(TaggedMemory(), 0x10000, 65552, DATA)
    assert Cheri(MORELLO).derive(TaggedMemory(), 0x10000, 65568, DATA).length == 65568
