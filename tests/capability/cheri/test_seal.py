"""Seals: who may put them on, who may take them off, and what they prevent."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_64, ISAV9_128, MORELLO, RISCV_128, Isa
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.rebuild import copy_type
from capability.cheri.seal import conditional_seal, enter, seal, seal_entry, unseal, with_otype
from capability.fault import Fault, FaultKind
from capability.perms import ALL_PERMS, DATA, Perms

SEALING = [ISAV9_128, ISAV9_64, MORELLO]
each_sealing = pytest.mark.parametrize("isa", SEALING, ids=str)


def block(isa: Isa) -> Capability:
    return set_bounds(Capability.root(isa.format, address=0x1000), 0x40, isa)


def authority(isa: Isa, otype: int = 5, rights: Perms = ALL_PERMS) -> Capability:
    return limit_rights(set_bounds(Capability.root(isa.format, address=otype), 1, isa), rights, isa)


@each_sealing
def test_what_was_sealed_is_unsealed_by_an_authority_that_points_at_the_type(isa: Isa) -> None:
    sealed = seal(block(isa), authority(isa), isa)
    assert sealed.tag and sealed.sealed and sealed.otype == 5 and sealed.bounds == block(isa).bounds
    assert unseal(sealed, authority(isa), isa) == block(isa)


@each_sealing
@pytest.mark.parametrize(
    "spoil",
    [
        lambda isa, cap, key: (cap.clear_tag(), key),
        lambda isa, cap, key: (cap, key.clear_tag()),
        lambda isa, cap, key: (seal_entry(cap, isa), key),
        lambda isa, cap, key: (cap, seal_entry(key, isa)),
        lambda isa, cap, key: (cap, limit_rights(key, DATA, isa)),
        lambda isa, cap, key: (cap, set_address(key, key.top, isa)),
        lambda isa, cap, key: (cap, authority(isa, 0x8000 if isa is MORELLO else isa.format.otypes.unsealed)),
    ],
    ids=["untagged", "untagged key", "sealed", "sealed key", "no permission", "out of bounds", "no such type"],
)
def test_sealing_without_the_right_to_clears_the_tag(isa: Isa, spoil: object) -> None:
    assert callable(spoil)
    cap, key = spoil(isa, block(isa), authority(isa))
    assert not seal(cap, key, isa).tag


@each_sealing
@pytest.mark.parametrize(
    "spoil",
    [
        lambda isa, cap, key: (cap.clear_tag(), key),
        lambda isa, cap, key: (cap, key.clear_tag()),
        lambda isa, cap, key: (block(isa), key),
        lambda isa, cap, key: (cap, seal_entry(key, isa)),
        lambda isa, cap, key: (cap, authority(isa, 6)),
        lambda isa, cap, key: (cap, limit_rights(key, ALL_PERMS & ~Perms.PERMIT_UNSEAL, isa)),
    ],
    ids=["untagged", "untagged key", "not sealed", "sealed key", "another type", "no permission"],
)
def test_unsealing_without_the_right_to_clears_the_tag(isa: Isa, spoil: object) -> None:
    assert callable(spoil)
    cap, key = spoil(isa, seal(block(isa), authority(isa), isa), authority(isa))
    assert not unseal(cap, key, isa).tag


@each_sealing
def test_what_is_unsealed_is_global_only_if_both_were(isa: Isa) -> None:
    sealed = seal(block(isa), authority(isa), isa)
    opened = unseal(sealed, authority(isa, rights=ALL_PERMS & ~Perms.GLOBAL), isa)
    assert opened.tag and opened.level == 0 and opened.rights == block(isa).rights & ~Perms.GLOBAL


def test_isav9_does_not_unseal_types_with_a_fixed_meaning_and_morello_does() -> None:
    for isa, opens in ((ISAV9_128, False), (MORELLO, True)):
        sentry = seal_entry(block(isa), isa)
        key = set_address(Capability.root(isa.format), sentry.otype, isa)
        assert unseal(sentry, key, isa).tag == opens


@pytest.mark.parametrize("isa", [*SEALING, RISCV_128, CHERIOT], ids=str)
def test_a_sentry_is_unsealed_by_jumping_to_it_and_other_seals_are_not(isa: Isa) -> None:
    code = Capability.root(isa.format, "executable" if isa is CHERIOT else None)
    sentry = seal_entry(code, isa)
    assert sentry.tag and sentry.is_sentry and str(sentry).endswith("(sentry)")
    assert enter(sentry, isa) == code
    assert not seal_entry(sentry, isa).tag
    if isa in SEALING:
        sealed = seal(code, authority(isa), isa)
        assert enter(sealed, isa) == sealed


def test_isav8_makes_sentries_of_code_only() -> None:
    with pytest.raises(Fault) as fault:
        seal_entry(limit_rights(Capability.root(ISAV8_128.format), DATA, ISAV8_128), ISAV8_128)
    assert fault.value.kind is FaultKind.PERMISSION
    assert seal_entry(limit_rights(Capability.root(ISAV9_128.format), DATA, ISAV9_128), ISAV9_128).tag


@pytest.mark.parametrize(
    ("cap", "key", "kind"),
    [
        (Capability.null(ISAV8_128.format), authority(ISAV8_128), FaultKind.TAG),
        (block(ISAV8_128), Capability.null(ISAV8_128.format, 5), FaultKind.TAG),
        (seal_entry(block(ISAV8_128), ISAV8_128), authority(ISAV8_128), FaultKind.SEAL),
        (block(ISAV8_128), authority(ISAV8_128, rights=DATA), FaultKind.PERMISSION),
        (block(ISAV8_128), set_address(authority(ISAV8_128), 6, ISAV8_128), FaultKind.LENGTH),
    ],
    ids=["untagged", "untagged key", "sealed", "no permission", "out of bounds"],
)
def test_isav8_traps_for_what_isav9_untags(cap: Capability, key: Capability, kind: FaultKind) -> None:
    with pytest.raises(Fault) as fault:
        seal(cap, key, ISAV8_128)
    assert fault.value.kind is kind


@each_sealing
def test_a_conditional_seal_passes_on_what_is_not_its_turn(isa: Isa) -> None:
    cap, key = block(isa), authority(isa)
    assert conditional_seal(cap, key, isa) == seal(cap, key, isa)
    never = set_address(Capability.root(isa.format), (1 << isa.format.address_bits) - 1, isa)
    assert conditional_seal(cap, never, isa) == cap
    assert conditional_seal(cap, key.clear_tag(), isa) == cap
    assert conditional_seal(cap, set_address(key, 6, isa), isa) == cap, "out of bounds"
    sealed = seal(cap, key, isa)
    assert conditional_seal(sealed, key, isa) == sealed
    without = conditional_seal(cap, limit_rights(key, DATA, isa), isa)
    assert without == (cap if isa is MORELLO else without) and without.tag == (isa is MORELLO)


@each_sealing
def test_a_copied_type_seals_again_what_was_sealed(isa: Isa) -> None:
    """The sequence that gives swapped-out capabilities back: copy the type, build, seal if it was sealed."""
    keys = Capability.root(isa.format)
    sealed = seal(block(isa), authority(isa), isa)
    assert conditional_seal(block(isa), copy_type(keys, sealed, isa), isa) == sealed
    assert conditional_seal(block(isa), copy_type(keys, block(isa), isa), isa) == block(isa)


def test_the_riscv_draft_has_no_authority_that_seals() -> None:
    root = Capability.root(RISCV_128.format)
    for refused in (seal, unseal, conditional_seal):
        with pytest.raises(ValueError, match="its seals are sentries"):
            refused(root, root, RISCV_128)
    with pytest.raises(ValueError, match="no object types to copy"):
        copy_type(root, root, RISCV_128)


def test_cheriots_types_of_code_and_data_are_apart() -> None:
    key = Capability.root(CHERIOT.format, "sealing")
    code, data = Capability.root(CHERIOT.format, "executable"), Capability.root(CHERIOT.format, "memory")
    for otype in range(17):
        at = set_address(key, otype, CHERIOT)
        assert seal(code, at, CHERIOT).tag == (otype in {1, 2, 3, 6, 7})
        assert seal(data, at, CHERIOT).tag == (otype in range(9, 16))
        if otype in range(9, 16):
            sealed = seal(data, at, CHERIOT)
            assert sealed.otype == otype and unseal(sealed, at, CHERIOT) == data


def test_the_field_update_alone_cuts_the_type_to_its_width() -> None:
    assert with_otype(Capability.root(ISAV9_64.format), 0x13).otype == 3
