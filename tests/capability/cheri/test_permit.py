"""Permissions only go; sets that cannot be kept become what the architecture's rules leave of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.formats import CHERIOT as CHERIOT_FORMAT
from capability.cheri.formats import FORMATS
from capability.cheri.formats import RISCV_64 as FORMAT_64R
from capability.cheri.formats import RISCV_128 as FORMAT_128R
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_64, ISAV9_128, MORELLO, RISCV_64, RISCV_128, Isa
from capability.cheri.library import library_set_permissions
from capability.cheri.permission import MorelloPerms, RiscvPerms
from capability.cheri.permit import after_load, and_perms, clear_perms, limit_rights, set_flags
from capability.cheri.seal import seal_entry
from capability.fault import Fault, FaultKind
from capability.perms import ALL_PERMS, DATA, Perms
from capability.word import WidthError, mask
from tests.capability.cheri.strategies import CLEARING, derived

each_isa = pytest.mark.parametrize("isa", CLEARING, ids=str)
LEVELLED = [*FORMATS.values(), FORMAT_128R.without_levels(), FORMAT_64R.without_levels()]
rights = st.integers(0, int(ALL_PERMS)).map(lambda bits: Perms(bits) & ALL_PERMS)


def useful(format: Format, perms: int) -> int:
    """Without the right to store, the 64-bit RISC-V table's rows for code say SL all the same; it allows nothing."""
    return perms & ~RiscvPerms.SL if format.permissions.kind is RiscvPerms and not perms & RiscvPerms.W else perms


@each_isa
@given(data=st.data())
def test_what_is_kept_was_there_and_was_asked_for(isa: Isa, data: st.DataObject) -> None:
    cap = data.draw(derived(isa))
    keep = data.draw(st.integers(0, mask(isa.format.address_bits)))
    kept = and_perms(cap, keep, isa)
    assert kept.tag and not kept.perms & ~cap.perms and not useful(isa.format, kept.perms) & ~keep
    assert kept.bounds == cap.bounds and kept.address == cap.address
    assert clear_perms(cap, ~keep & mask(isa.format.address_bits), isa) == kept


@pytest.mark.parametrize("format", LEVELLED, ids=lambda format: format.name)
@given(data=st.data())
def test_every_legalised_set_has_an_encoding_and_is_its_own_legalisation(format: Format, data: st.DataObject) -> None:
    codec = format.permissions
    perms = codec.legalise(data.draw(st.integers(0, codec.mask)) & codec.mask)
    word = codec.write(format.root, perms)
    assert word is not None and codec.legalise(perms) == perms
    if codec.read(0) & RiscvPerms.EL and codec.kind is RiscvPerms:
        perms |= codec.read(0) & codec.mask  # without levels their permissions read as ones
    assert useful(format, codec.read(word)) & codec.mask == useful(format, perms)


@pytest.mark.parametrize("format", LEVELLED, ids=lambda format: format.name)
@given(data=st.data())
def test_reading_and_writing_permissions_are_inverse_for_every_word(format: Format, data: st.DataObject) -> None:
    codec = format.permissions
    word = data.draw(st.integers(0, mask(format.address_bits)))
    perms = codec.read(word)
    assert perms & codec.ones == codec.ones
    again = codec.write(word, codec.legalise(perms & codec.mask))
    assert again is not None and useful(format, codec.read(again)) & ~perms == 0


@each_isa
@given(keep=rights)
def test_limited_rights_are_never_beyond_the_limit_and_data_is_kept_in_full(isa: Isa, keep: Perms) -> None:
    root = Capability.root(isa.format)
    limited = limit_rights(root, keep, isa)
    assert limited.tag and not limited.rights & ~keep
    assert limit_rights(root, DATA, isa).rights == DATA


@pytest.mark.parametrize("isa", [ISAV9_128, ISAV9_64, MORELLO], ids=str)
def test_any_change_of_a_sealed_capability_clears_the_tag(isa: Isa) -> None:
    sentry = seal_entry(Capability.root(isa.format), isa)
    assert not and_perms(sentry, mask(isa.format.address_bits), isa).tag


def test_the_riscv_draft_lets_a_sealed_capability_keep_what_it_has_and_become_local() -> None:
    sentry = seal_entry(Capability.root(RISCV_128.format), RISCV_128)
    assert clear_perms(sentry, 0, RISCV_128) == sentry
    local = clear_perms(sentry, RiscvPerms.LEVEL, RISCV_128)
    assert local.tag and local.level == 0
    assert not clear_perms(sentry, RiscvPerms.W, RISCV_128).tag


def test_isav8_traps_for_untagged_and_for_sealed_capabilities() -> None:
    root = Capability.root(ISAV8_128.format)
    for cap, kind in ((root.clear_tag(), FaultKind.TAG), (seal_entry(root, ISAV8_128), FaultKind.SEAL)):
        with pytest.raises(Fault) as fault:
            and_perms(cap, 0, ISAV8_128)
        assert fault.value.kind is kind


R, W, C, X, LM, EL, SL = (getattr(RiscvPerms, name) for name in ("R", "W", "C", "X", "LM", "EL", "SL"))


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (R | W | C, R | C),  # W needs LM where there is C
        (X | W, W),  # code needs R
        (C, RiscvPerms(0)),
        (R | W | C | LM | SL, R | W | C | LM | SL),
        (R | C | LM, R | C),  # LM needs W or EL
        (X | R | W | C | LM, R | W | C | LM),  # code with capabilities needs EL and SL
        (X | R, RiscvPerms.R),
    ],
    ids=str,
)
def test_a_set_without_a_row_in_the_table_loses_more(wanted: RiscvPerms, left: RiscvPerms) -> None:
    root = Capability.root(RISCV_64.format)
    assert and_perms(root, wanted, RISCV_64).perms == left


def test_the_library_drops_all_architectural_permissions_of_a_set_without_a_row() -> None:
    root = Capability.root(RISCV_64.format)
    result, done = library_set_permissions(root, X | W | RiscvPerms.SDP1 | RiscvPerms.LEVEL)
    assert not done and result.perms == RiscvPerms.SDP1 | RiscvPerms.LEVEL


@pytest.mark.parametrize("isa", CLEARING, ids=str)
def test_flags_and_modes_are_not_authority(isa: Isa) -> None:
    root = Capability.root(isa.format)
    if isa is CHERIOT:
        with pytest.raises(ValueError, match="format cheriot has no flags"):
            set_flags(root, 1, isa)
        return
    for flags in (0, 1):
        changed = set_flags(root, flags, isa)
        assert changed.tag and changed.flags == flags and changed.rights == root.rights
        assert changed.bounds == root.bounds
        assert not set_flags(seal_entry(root, isa), flags, isa).tag
    with pytest.raises(WidthError):
        set_flags(root, 256, isa)


def test_only_code_has_a_mode_in_the_riscv_draft() -> None:
    for isa in (RISCV_128, RISCV_64):
        data = clear_perms(Capability.root(isa.format), X, isa)
        assert set_flags(data, 1 - data.flags, isa).pesbt == data.pesbt


def test_a_capability_loaded_without_mutable_load_cannot_store() -> None:
    root = Capability.root(MORELLO.format)
    through = clear_perms(root, MorelloPerms.MUTABLE_LOAD, MORELLO)
    stores = MorelloPerms.STORE | MorelloPerms.STORE_CAP | MorelloPerms.STORE_LOCAL | MorelloPerms.MUTABLE_LOAD
    assert after_load(root, through, MORELLO).perms == root.perms & ~stores
    sentry = seal_entry(root, MORELLO)
    assert after_load(sentry, through, MORELLO) == sentry, "sealed ones are as they were"
    assert not after_load(root, clear_perms(root, MorelloPerms.LOAD_CAP, MORELLO), MORELLO).tag


def test_a_capability_loaded_without_elevation_is_local() -> None:
    root = Capability.root(RISCV_128.format)
    through = clear_perms(root, EL, RISCV_128)
    loaded = after_load(root, through, RISCV_128)
    assert loaded.tag and loaded.level == 0 and not loaded.perms & EL
    sentry = after_load(seal_entry(root, RISCV_128), through, RISCV_128)
    assert sentry.tag and sentry.level == 0 and sentry.perms & EL


def test_cheriots_encodings_are_all_different_and_all_legal() -> None:
    codec = CHERIOT_FORMAT.permissions
    seen = [codec.read(bits << 25) for bits in range(64)]
    assert all(codec.legalise(perms) == perms for perms in seen)
    assert len(set(seen)) == 64


def test_a_mask_that_is_no_register_value_is_refused() -> None:
    with pytest.raises(WidthError, match="32 bits"):
        and_perms(Capability.root(ISAV9_64.format), 1 << 32, ISAV9_64)
