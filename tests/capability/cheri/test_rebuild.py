"""Tags are given back only under an authority that covers what is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128, Isa
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.rebuild import build_cap, is_identical, is_within, test_subset
from capability.cheri.seal import seal, seal_entry
from capability.fault import Fault, FaultKind
from capability.perms import DATA
from tests.capability.cheri.strategies import derived, garbage

BUILDING = [ISAV9_128, ISAV9_64, MORELLO, RISCV_128, RISCV_64]
each_building = pytest.mark.parametrize("isa", BUILDING, ids=str)


@each_building
@given(data=st.data())
def test_saved_bits_get_their_tag_back_from_the_root(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    built = build_cap(Capability.root(isa.format), cap.clear_tag(), isa)
    assert built == cap


@each_building
@given(data=st.data())
def test_nothing_is_built_that_the_authority_does_not_cover(isa: Isa, data: st.DataObject) -> None:
    authority, bits = data.draw(derived(isa)), data.draw(st.one_of(garbage(isa.format), derived(isa)))
    built = build_cap(authority, bits.clear_tag(), isa)
    assert (built.address, built.base, built.top) == (bits.address, bits.base, bits.top)
    if built.tag:
        assert is_within(built, authority) and built.base <= built.top and not built.reserved
    assert not build_cap(authority.clear_tag(), bits.clear_tag(), isa).tag
    assert not build_cap(seal_entry(authority, isa), bits.clear_tag(), isa).tag


@each_building
def test_a_sentry_survives_except_on_morello_and_other_seals_never(isa: Isa) -> None:
    root = Capability.root(isa.format)
    sentry = build_cap(root, seal_entry(root, isa).clear_tag(), isa)
    assert sentry.tag and sentry.is_sentry == (isa is not MORELLO)
    if isa.seals:
        sealed = seal(root, Capability.root(isa.format, address=7), isa)
        assert build_cap(root, sealed.clear_tag(), isa) == root


def test_reserved_bits_and_malformed_bounds_are_not_built() -> None:
    root = Capability.root(RISCV_128.format)
    assert not build_cap(root, Capability(root.format, root.pesbt | 1 << 30, 0, False), RISCV_128).tag
    assert not build_cap(root, Capability(root.format, root.pesbt | 8, 0, False), RISCV_128).tag
    illegal = root.format.permissions.write(root.pesbt, 0b10)  # LM alone
    assert illegal is not None and not build_cap(root, Capability(root.format, illegal, 0, False), RISCV_128).tag


def test_isav9_builds_only_bits_that_set_bounds_would_have_made() -> None:
    root = Capability.root(ISAV9_128.format)
    block = set_bounds(root, 64, ISAV9_128)
    internal = Capability(root.format, block.pesbt & ~0x7FFFFFF | 1 << 26 | 64 << 14, 0, False)
    assert internal.base == 0 and internal.top == (1 << 12) + 64, "E = 0 kept internally"
    again = set_bounds(root, internal.top, ISAV9_128)
    assert again.bounds != internal.bounds or again.pesbt == internal.pesbt
    assert build_cap(root, internal, ISAV9_128).tag == (again.pesbt == internal.pesbt)
    clamped = Capability(root.format, root.pesbt & ~0x7FFFFFF | 1 << 26 | 7 << 14 | 7, 0, False)
    assert clamped.bounds == root.bounds and not build_cap(root, clamped, ISAV9_128).tag


def test_isav8_traps_where_isav9_returns_the_bits_untagged() -> None:
    root = Capability.root(ISAV8_128.format)
    block = set_bounds(root, 64, ISAV8_128)
    for authority, bits, kind in (
        (root.clear_tag(), block, FaultKind.TAG),
        (seal_entry(root, ISAV8_128), block, FaultKind.SEAL),
        (block, root, FaultKind.LENGTH),
        (limit_rights(root, DATA, ISAV8_128), block, FaultKind.PERMISSION),
    ):
        with pytest.raises(Fault) as fault:
            build_cap(authority, bits, ISAV8_128)
        assert fault.value.kind is kind


def test_cheriot_builds_nothing_from_bits() -> None:
    root = Capability.root(CHERIOT.format)
    with pytest.raises(ValueError, match="no instruction that builds"):
        build_cap(root, root, CHERIOT)


@each_building
@given(data=st.data())
def test_subset_compares_tags_bounds_and_permissions_and_ignores_seals(isa: Isa, data: st.DataObject) -> None:
    first, second = data.draw(derived(isa)), data.draw(derived(isa))
    inside = second.base <= first.base and first.top <= second.top
    assert test_subset(first, second, isa) == (inside and not first.perms & ~second.perms)
    assert test_subset(seal_entry(first, isa), first, isa)
    assert not test_subset(first.clear_tag(), first, isa)
    assert test_subset(first.clear_tag(), first.clear_tag(), isa)


def test_identity_is_of_every_bit() -> None:
    root = Capability.root(MORELLO.format)
    null_bounds = Capability(MORELLO.format, MORELLO.format.root & ~0x7FFFFFFF, 0, True)
    assert null_bounds.bounds == root.bounds and not is_identical(null_bounds, root)
