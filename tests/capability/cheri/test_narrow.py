"""Narrowing, and the lengths and masks that make it exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128, Isa
from capability.cheri.library import library_length, library_mask
from capability.cheri.move import set_address
from capability.cheri.narrow import (
    representable_length,
    representable_mask,
    requested_base,
    required_alignment,
    set_bounds,
    set_bounds_exactly,
)
from capability.fault import Fault, FaultKind
from capability.word import WidthError, mask
from tests.capability.cheri.strategies import CLEARING, CONCENTRATED, derived, near_powers

each_isa = pytest.mark.parametrize("isa", CLEARING, ids=str)


@each_isa
@given(data=st.data())
def test_a_narrowed_capability_covers_the_request_and_stays_inside_its_parent(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    length = data.draw(near_powers(isa.format.address_bits))
    part = set_bounds(cap, length, isa)
    base = requested_base(cap)
    assert part.tag == (cap.base <= base and base + length <= cap.top) or (isa is MORELLO and not part.tag)
    if part.tag:
        assert cap.base <= part.base <= base and base + length <= part.top <= cap.top
        assert part.address == cap.address and part.perms == cap.perms
        exact = set_bounds_exactly(cap, length, isa)
        assert exact.tag == (part.bounds == (base, base + length)) and exact.pesbt == part.pesbt


@pytest.mark.parametrize("format", CONCENTRATED, ids=lambda format: format.name)
@given(data=st.data())
def test_the_representable_length_is_the_least_and_rounding_it_again_changes_nothing(
    format: object, data: st.DataObject
) -> None:
    format = next(each for each in CONCENTRATED if each is format)
    length = data.draw(near_powers(format.address_bits)) & mask(format.address_bits)
    rounded, kept = library_length(format, length), library_mask(format, length)
    if rounded == 0:
        assert length == 0 or length > 1 << (format.address_bits - 1), "it wrapped: the whole address space is needed"
        return
    unit = required_alignment(format, length)
    assert unit == -kept & mask(format.address_bits) and rounded % unit == 0 and 0 <= rounded - length < unit
    assert library_length(format, rounded) == rounded and library_mask(format, rounded) == kept
    assert format.bounds.encode(0, rounded).exact
    for shorter in (rounded - 1, data.draw(st.integers(length, rounded))):
        if length <= shorter < rounded:
            assert not format.bounds.encode(0, shorter).exact, "a lesser length would do"


@each_isa
@given(data=st.data())
def test_a_block_at_a_masked_address_with_the_representable_length_is_exact(isa: Isa, data: st.DataObject) -> None:
    format = isa.format
    bits = 53 if isa is MORELLO else format.address_bits - 2  # below the bit that Morello sign-extends
    length = data.draw(near_powers(bits))
    kept = representable_mask(length, isa)
    base = data.draw(st.integers(0, mask(bits))) & kept
    rounded = representable_length(length, isa)
    block = set_bounds_exactly(set_address(Capability.root(format), base, isa), rounded, isa)
    assert block.tag and block.bounds == (base, base + rounded)


def test_morellos_rrlen_covers_the_length_and_is_neither_least_nor_idempotent() -> None:
    assert [representable_length(length, MORELLO) for length in (32753, 32760, 32768)] == [32760, 32768, 32768]
    assert [library_length(MORELLO.format, length) for length in (32753, 32760)] == [32760, 32760]


@given(near_powers(63))
def test_morellos_rrlen_is_never_below_the_length_nor_below_crrl(length: int) -> None:
    rounded = representable_length(length, MORELLO)
    assert rounded >= library_length(MORELLO.format, length) >= length
    assert representable_mask(length, MORELLO) <= library_mask(MORELLO.format, length)


@pytest.mark.parametrize(("isa", "mask"), [(ISAV9_128, 0xFF80000000000000), (RISCV_128, 0xFF80000000000000)], ids=str)
def test_the_largest_length_wraps_to_zero_which_is_no_length(isa: Isa, mask: int) -> None:
    assert representable_length(2**64 - 1, isa) == 0
    assert representable_mask(2**64 - 1, isa) == mask
    assert representable_mask(0, isa) == 2**64 - 1 and representable_length(0, isa) == 0


def test_bounds_that_wrap_around_the_address_space_are_untagged_and_keep_their_bits() -> None:
    root = Capability.root(ISAV9_128.format, address=2**64 - 1)
    wrapped = set_bounds(root, 2**64 - 1, ISAV9_128)
    assert not wrapped.tag and (wrapped.base, wrapped.top) == (0xFF80000000000000, 0)


def test_morello_does_not_narrow_from_large_to_small_with_flags_in_the_address() -> None:
    flagged = Capability.root(MORELLO.format, address=0x0100000000001000)
    assert not set_bounds(flagged, 64, MORELLO).tag
    assert set_bounds(Capability.root(MORELLO.format, address=0xFF80000000001000), 64, MORELLO).tag
    assert set_bounds(flagged, 1 << 63, MORELLO).tag, "large to large: the flags are no part of the bounds"


@pytest.mark.parametrize(
    ("cap", "length", "kind"),
    [
        (Capability.null(ISAV8_128.format), 8, FaultKind.TAG),
        (set_bounds(Capability.root(ISAV8_128.format), 64, ISAV8_128), 65, FaultKind.LENGTH),
    ],
    ids=["untagged", "beyond the bounds"],
)
def test_isav8_traps_for_illegal_bounds(cap: Capability, length: int, kind: FaultKind) -> None:
    with pytest.raises(Fault) as fault:
        set_bounds(cap, length, ISAV8_128)
    assert fault.value.kind is kind


def test_isav8_traps_for_inexact_bounds_only_where_exact_ones_are_asked_for() -> None:
    root = Capability.root(ISAV8_128.format, address=1)
    assert set_bounds(root, 1 << 20, ISAV8_128).tag
    with pytest.raises(Fault, match="INEXACT_BOUNDS"):
        set_bounds_exactly(root, 1 << 20, ISAV8_128)


@pytest.mark.parametrize("length", [-1, 2**64 + 1])
def test_a_length_that_does_not_fit_is_refused_with_the_range(length: int) -> None:
    with pytest.raises(WidthError, match=r"0 <= length <= 2\*\*64"):
        set_bounds(Capability.root(ISAV9_128.format), length, ISAV9_128)
    with pytest.raises(WidthError, match="64 bits"):
        representable_mask(2**64, ISAV9_128)
