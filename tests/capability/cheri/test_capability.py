"""The value: bits of a format, what they say, and how they look in memory and on paper."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.formats import CHERIOT, FORMATS, ISAV9_64, ISAV9_128, MORELLO_128, RISCV_64, RISCV_128
from capability.cheri.isa import ISAV9_128 as ISA
from capability.cheri.narrow import set_bounds
from capability.cheri.permit import limit_rights
from capability.cheri.seal import seal, seal_entry
from capability.perms import DATA, Perms
from capability.word import WidthError
from tests.capability.cheri.strategies import formats, garbage

every_format = pytest.mark.parametrize("format", FORMATS.values(), ids=lambda format: format.name)


@given(formats.flatmap(garbage), st.booleans())
def test_what_is_stored_in_memory_is_what_is_loaded(cap: Capability, tag: bool) -> None:
    cap = Capability(cap.format, cap.pesbt, cap.address, tag)
    assert Capability.from_memory(cap.format, cap.to_memory(), tag) == cap


@every_format
def test_null_is_all_zeros_in_memory_and_gives_no_authority(format: Format) -> None:
    null = Capability.null(format)
    assert null.to_memory() == bytes(format.capability_bytes)
    assert not null.tag and not null.sealed and null.rights == Perms(0) and not null.perms


@every_format
def test_a_root_is_global_unsealed_and_covers_everything(format: Format) -> None:
    for which in format.roots:
        root = Capability.root(format, which)
        assert root.tag and not root.sealed and root.level == 1 and not root.reserved
        assert root.bounds == (0, 1 << format.address_bits) and root.length == 1 << format.address_bits


@pytest.mark.parametrize("format", [ISAV9_128, MORELLO_128, RISCV_128, RISCV_64], ids=lambda format: format.name)
def test_the_fields_of_a_format_do_not_overlap_and_fill_the_word(format: Format) -> None:
    covered = 0
    for field in format.fields.values():
        assert not covered & field.mask
        covered |= field.mask
    assert covered == (1 << format.address_bits) - 1


@given(formats.flatmap(garbage))
def test_garbage_can_be_read_without_complaint(cap: Capability) -> None:
    assert 0 <= cap.length < 2 << cap.format.address_bits
    assert 0 <= cap.offset < 1 << cap.format.address_bits
    assert str(cap).startswith(hex(cap.address)) and "invalid" in str(cap)
    assert cap.flags >= 0 and cap.level in (0, 1) and cap.otype >= 0
    assert cap.perms == cap.perms & cap.format.permissions.mask


@every_format
def test_words_that_do_not_fit_are_refused_with_the_range(format: Format) -> None:
    beyond = 1 << format.address_bits
    for pesbt, address in ((beyond, 0), (0, beyond), (-1, 0), (0, -1)):
        with pytest.raises(WidthError, match=f"does not fit in {format.address_bits} bits: 0 <= value <= 0xf"):
            Capability(format, pesbt, address, False)
    with pytest.raises(WidthError, match=f"is {format.capability_bytes} bytes, not 3"):
        Capability.from_memory(format, b"abc", False)


def test_provenance_is_no_part_of_the_value() -> None:
    root = Capability.root(ISAV9_128)
    assert root.issued(5) == root and hash(root.issued(5)) == hash(root)
    assert replace(root, address=8).issued(5) != root


def test_text_reads_as_cheri_tools_print_it() -> None:
    root = Capability.root(ISAV9_128, address=0x1000)
    block = limit_rights(set_bounds(root, 64, ISA), DATA, ISA)
    assert str(block) == repr(block) == "0x1000 [rwRW,0x1000-0x1040]"
    assert str(block.clear_tag()) == "0x1000 [rwRW,0x1000-0x1040] (invalid)"
    assert str(seal_entry(root, ISA)) == "0x1000 [rwxRW,0x0-0x10000000000000000] (sentry)"
    assert str(seal(block, Capability.root(ISAV9_128, address=3), ISA).clear_tag()).endswith(" (invalid,sealed)")


@pytest.mark.parametrize(
    ("format", "flags"), [(ISAV9_128, 0), (ISAV9_64, 0), (RISCV_128, 1), (RISCV_64, 1), (MORELLO_128, 0), (CHERIOT, 0)]
)
def test_the_roots_mode_is_integer_where_there_is_one(format: Format, flags: int) -> None:
    """ISAv9's flag is 1 for capability mode, the RISC-V draft's is 1 for integer mode."""
    assert Capability.root(format).flags == flags


def test_morellos_flags_are_the_top_byte_of_the_address() -> None:
    assert Capability.root(MORELLO_128, address=0x5A << 56 | 1).flags == 0x5A


def test_permissions_carry_the_names_of_their_instruction_set() -> None:
    assert "MUTABLE_LOAD" in repr(Capability.root(MORELLO_128).perms)
    assert "ASR" in repr(Capability.root(RISCV_128).perms)
    assert "PERMIT_CINVOKE" in repr(Capability.root(ISAV9_128).perms)


def test_without_the_levels_extension_everything_is_global_and_the_level_bit_is_reserved() -> None:
    format = RISCV_128.without_levels()
    local = Capability(format, RISCV_128.root & ~(1 << 43), 0, False)
    assert local.level == 1 and not local.reserved
    assert Capability(format, RISCV_128.root, 0, False).reserved == 1 << 43
    with pytest.raises(ValueError, match="no levels extension"):
        ISAV9_128.without_levels()
