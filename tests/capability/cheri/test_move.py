"""Moving an address: what keeps the tag, and which check is used where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128, Check, Isa
from capability.cheri.move import bounds_survive, increment, set_address, set_offset
from capability.cheri.narrow import set_bounds
from capability.cheri.seal import seal_entry
from capability.fault import Fault, FaultKind
from capability.word import WidthError, mask
from tests.capability.cheri.strategies import CLEARING, addresses, derived

each_isa = pytest.mark.parametrize("isa", CLEARING, ids=str)


@each_isa
@given(data=st.data())
def test_moves_in_bounds_keep_the_tag_and_the_bounds(isa: Isa, data: st.DataObject) -> None:
    """Morello: unless address bit 55 changes and E + 16 < 64, when the bounds depend on it."""
    cap = data.draw(derived(isa))
    if not cap.length:
        return
    address = data.draw(st.integers(cap.base, cap.top - 1))
    moved = set_address(cap, address, isa)
    bits = cap.pesbt & mask(isa.format.bounds.width)
    crosses = (cap.address ^ address) >> 55 & 1 and isa is MORELLO and isa.format.bounds.depends_on_address(bits)
    assert moved.tag == (not crosses) and moved.address == address
    if moved.tag:
        assert moved.bounds == cap.bounds
        inside = cap.base <= cap.address < cap.top
        assert increment(cap, address - cap.address, isa).tag or not inside


@each_isa
@given(data=st.data())
def test_the_fast_check_never_accepts_what_the_precise_one_rejects(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    address = data.draw(addresses(isa.format))
    if bounds_survive(cap, address, Check.FAST):
        assert bounds_survive(cap, address, Check.PRECISE)


@each_isa
@given(data=st.data())
def test_a_kept_tag_means_kept_bounds_and_a_cleared_one_still_takes_the_address(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    address = data.draw(addresses(isa.format))
    for moved in (set_address(cap, address, isa), increment(cap, address - cap.address, isa)):
        assert moved.address == address and moved.pesbt == cap.pesbt
        assert not moved.tag or moved.bounds == cap.bounds


@each_isa
@given(data=st.data())
def test_the_representable_region_is_where_the_precise_check_says_yes(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    format = isa.format
    first, last = format.bounds.reach(cap.pesbt & mask(format.bounds.width), cap.address)
    space = 1 << format.address_bits
    for number in (first, last - 1, data.draw(st.integers(first, last - 1))):
        address = number % space
        if format.bounds.counted(address) == address:
            assert format.bounds.keeps_bounds(cap.pesbt & mask(format.bounds.width), cap.address, address)
    if last - first < space:
        for number in (first - 1, last):
            address = number % space
            assert isa is MORELLO or not bounds_survive(cap, address, Check.PRECISE)


@pytest.mark.parametrize("isa", [ISAV9_128, ISAV9_64, RISCV_128, RISCV_64], ids=str)
@given(data=st.data())
def test_a_quarter_of_the_length_below_and_above_is_always_representable(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    at_base = set_address(cap, cap.base, isa)
    slack = cap.length // 4
    if not at_base.tag or cap.length < 64:
        return
    for offset in (-slack, cap.length, cap.length + slack - 1):
        assert set_address(at_base, (cap.base + offset) & mask(isa.format.address_bits), isa).tag


def test_morello_and_isav9_refuse_by_increment_what_they_allow_by_set_address() -> None:
    """The difference between the two checks is visible: CSetAddr is precise, CIncOffset fast."""
    for isa in (ISAV9_128, MORELLO):
        block = set_bounds(Capability.root(isa.format, address=0x100000), 1 << 16, isa)
        _, last = isa.format.bounds.reach(block.pesbt & mask(isa.format.bounds.width), block.address)
        assert set_address(block, last - 1, isa).tag
        assert not increment(block, last - 1 - block.address, isa).tag


def test_morello_loses_the_tag_when_bit_55_changes_under_bounds_that_depend_on_it() -> None:
    top = 1 << 55
    small = set_bounds(Capability.root(MORELLO.format, address=top - 0x1000), 0x1000, MORELLO)
    assert small.tag and small.bounds == (top - 0x1000, top)
    assert set_address(small, top - 1, MORELLO).tag
    assert not set_address(small, top, MORELLO).tag and not increment(small, 0x1000, MORELLO).tag
    assert set_address(Capability.root(MORELLO.format), top, MORELLO).tag, "the root's bounds do not"


@each_isa
def test_a_sealed_capability_cannot_be_moved_even_to_where_it_is(isa: Isa) -> None:
    sentry = seal_entry(Capability.root(isa.format), isa)
    assert sentry.tag
    for moved in (set_address(sentry, 0, isa), increment(sentry, 0, isa), set_offset(sentry, 0, isa)):
        assert not moved.tag and moved.address == 0


def test_isav8_traps_where_isav9_clears_the_tag() -> None:
    sentry = seal_entry(Capability.root(ISAV8_128.format), ISAV8_128)
    with pytest.raises(Fault) as fault:
        increment(sentry, 8, ISAV8_128)
    assert fault.value.kind is FaultKind.SEAL and str(fault.value).endswith("is refused by ISAv8 128: SEAL")
    assert not increment(sentry.clear_tag(), 8, ISAV8_128).tag, "an untagged one is an integer"
    block = set_bounds(Capability.root(ISAV8_128.format, address=0x1000), 64, ISAV8_128)
    assert not set_address(block, 1 << 60, ISAV8_128).tag, "unrepresentable: even ISAv8 only clears the tag"


def test_an_integer_in_a_register_can_be_any_address() -> None:
    for isa in CLEARING:
        null = Capability.null(isa.format)
        moved = increment(null, -1, isa)
        assert moved.address == mask(isa.format.address_bits) and moved == Capability.null(isa.format, moved.address)


def test_an_offset_counts_from_base() -> None:
    block = set_bounds(Capability.root(ISAV9_128.format, address=0x1000), 64, ISAV9_128)
    assert set_offset(increment(block, 48, ISAV9_128), 8, ISAV9_128).address == 0x1008


def test_addresses_and_formats_that_do_not_fit_are_refused() -> None:
    root = Capability.root(ISAV9_64.format)
    with pytest.raises(WidthError, match="32 bits"):
        set_address(root, 1 << 32, ISAV9_64)
    with pytest.raises(ValueError, match="works on format 128, not on 64"):
        set_address(root, 0, ISAV9_128)


def test_the_representable_region_of_cheriot_ends_with_the_address_space() -> None:
    codec = CHERIOT.format.bounds
    bits = codec.encode(0xFFFFFFFF, 0xFFFFFFFF).bits
    assert codec.reach(bits, 0xFFFFFFFF) == (0xFFFFFFFF, 1 << 32)
    assert not codec.keeps_bounds(bits, 0xFFFFFFFF, 0)
