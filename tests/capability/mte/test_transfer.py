"""Tags to and from memory: what each instruction changes, and what it must leave."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.mte.bulk import dc_gva, dc_gzva, dc_zva, ldgm, stgm, stzgm
from capability.mte.code import TagCode, syndrome
from capability.mte.control import Control
from capability.mte.processor import Processor
from capability.mte.space import Space, Window
from capability.mte.tag import canonical_tag, tag_of, with_tag
from capability.mte.transfer import ldg, offset, post_index, pre_index, st2g, stg, stgp, stz2g, stzg
from capability.word import WidthError

BASE = 0x10000
Store = Callable[[Processor, int, int], None]
FAMILY: dict[str, tuple[Store, int, bool]] = {
    "stg": (stg, 1, False),
    "st2g": (st2g, 2, False),
    "stzg": (stzg, 1, True),
    "stz2g": (stz2g, 2, True),
}
every_store = pytest.mark.parametrize(("instruction", "granules", "zeroes"), FAMILY.values(), ids=FAMILY)


def machine(granules: int = 8, **settings: object) -> Processor:
    """Granule n has tag n + 1 and the bytes 0xEE."""
    memory = TaggedMemory()
    for number in range(granules):
        memory.set_allocation_tag(BASE + 16 * number, 16, (number + 1) % 16)
    memory.fill(BASE, 16 * granules, 0xEE)
    return Processor(memory, **settings)  # type: ignore[arg-type]


def tags(processor: Processor, granules: int = 8) -> list[int]:
    return [processor.memory.allocation_tag(BASE + 16 * number) for number in range(granules)]


def zeroes(processor: Processor, granules: int = 8) -> list[int]:
    return [n for n in range(granules) if processor.memory.load(BASE + 16 * n, 16) == bytes(16)]


@every_store
def test_a_tag_store_changes_its_granules_and_no_others(instruction: Store, granules: int, zeroes: bool) -> None:
    processor = machine()
    instruction(processor, with_tag(0, 12), with_tag(BASE + 32, 9))
    assert tags(processor) == [1, 2, *[12] * granules, *range(3 + granules, 9)]
    expected = list(range(2, 2 + granules)) if zeroes else []
    assert [n for n in range(8) if processor.memory.load(BASE + 16 * n, 16) == bytes(16)] == expected


@every_store
@pytest.mark.parametrize("byte", range(1, 16))
def test_an_unaligned_tag_store_faults_and_changes_nothing(
    instruction: Store, granules: int, zeroes: bool, byte: int
) -> None:
    processor = machine()
    before = processor.memory.key()
    with pytest.raises(Fault, match="must be a multiple of 16") as fault:
        instruction(processor, 0, BASE + byte)
    assert fault.value.kind is FaultKind.ALIGNMENT and fault.value.address == BASE + byte
    with pytest.raises(Fault, match="STGP at"):
        stgp(processor, 0, 0, BASE + byte)
    assert processor.memory.key() == before


def test_stgp_takes_the_tag_from_the_address_and_is_not_checked() -> None:
    processor = machine()
    stgp(processor, 0x1122334455667788, 7, with_tag(BASE, 13))
    assert tags(processor)[:2] == [13, 2]
    assert processor.memory.load(BASE, 16) == (0x1122334455667788 | 7 << 64).to_bytes(16, "little")


@given(st.integers(0, 127), st.integers(0, (1 << 64) - 1), st.integers(0, 15))
def test_ldg_reads_the_granule_of_any_address_into_four_bits(byte: int, xt: int, ptag: int) -> None:
    loaded = ldg(machine(), xt, with_tag(BASE + byte, ptag))
    assert tag_of(loaded) == byte // 16 + 1 and with_tag(loaded, 0) == with_tag(xt, 0)


def test_through_an_untagged_alias_tags_neither_come_nor_go() -> None:
    alias = Space((Window(BASE, 128, BASE), Window(BASE * 2, 128, BASE, tagged=False)))
    processor = machine(space=alias)
    stz2g(processor, with_tag(0, 9), BASE * 2)
    assert tag_of(ldg(processor, 0, BASE * 2)) == 0 and tags(processor) == list(range(1, 9))
    assert zeroes(processor) == [0, 1], "the bytes are stored all the same"
    canonical = machine(space=alias, control=Control(mtx=(True, True)))
    assert tag_of(ldg(canonical, 0, BASE * 2)) == 0


def test_without_tag_access_tags_neither_come_nor_go() -> None:
    processor = machine(control=Control(ata=False))
    stg(processor, with_tag(0, 9), BASE)
    dc_gva(processor, with_tag(BASE, 9))
    stgm(processor, (1 << 64) - 1, BASE)
    assert tag_of(ldg(processor, with_tag(0, 5), BASE)) == 0 and ldgm(processor, BASE) == 0
    assert tags(processor) == list(range(1, 9))


@pytest.mark.parametrize("zva", [16, 64, 512])
def test_dc_covers_the_block_that_holds_the_address(zva: int) -> None:
    for instruction, tagged, zeroed in ((dc_gva, True, False), (dc_gzva, True, True), (dc_zva, False, True)):
        processor = machine(64, zva_bytes=zva, control=Control(tco=True))
        instruction(processor, with_tag(BASE + 523, 11))
        block = range(523 // zva * zva // 16, (523 // zva + 1) * zva // 16)
        changed = [11 if tagged and n in block else (n + 1) % 16 for n in range(64)]
        assert tags(processor, 64) == changed and zeroes(processor, 64) == (list(block) if zeroed else [])


def test_dc_zva_is_checked_over_the_whole_block_and_the_others_not_at_all() -> None:
    processor = machine()
    dc_gva(processor, with_tag(BASE, 7))
    stg(processor, with_tag(0, 8), BASE + 48)
    with pytest.raises(Fault) as fault:
        dc_zva(processor, with_tag(BASE + 5, 7))
    assert fault.value.address == BASE + 48 and zeroes(processor) == []
    dc_gzva(processor, with_tag(BASE, 7))
    dc_zva(processor, with_tag(BASE + 63, 7))


@given(st.integers(0, (1 << 64) - 1), st.sampled_from([32, 64, 128, 256]), st.integers(0, 255))
def test_ldgm_returns_what_stgm_stored_in_the_same_block(data: int, gm_bytes: int, byte: int) -> None:
    processor = machine(32, gm_bytes=gm_bytes)
    stgm(processor, data, BASE + byte)
    first = byte // gm_bytes * gm_bytes // 16
    kept = range(first, first + gm_bytes // 16)
    for n in range(16):
        assert tags(processor, 16)[n] == (data >> 4 * n & 15 if n in kept else (n + 1) % 16)
    assert ldgm(processor, BASE + byte) == sum((data >> 4 * n & 15) << 4 * n for n in kept)


def test_stzgm_takes_its_tag_from_the_low_bits() -> None:
    processor = machine()
    stzgm(processor, with_tag(0xA8, 3), BASE + 70)
    assert tags(processor) == [1, 2, 3, 4, 8, 8, 8, 8] and zeroes(processor) == [4, 5, 6, 7]


@given(st.integers(-256, 255), st.integers(0, 1 << 60))
def test_the_three_ways_to_index_differ_in_when_the_base_moves(granules: int, xn: int) -> None:
    moved = (xn + 16 * granules) % (1 << 64)
    assert offset(xn, 16 * granules) == (moved, xn)
    assert pre_index(xn, 16 * granules) == (moved, moved)
    assert post_index(xn, 16 * granules) == (xn, moved)


@pytest.mark.parametrize(("immediate", "bits", "limits"), [(4096, 9, "4080"), (-4112, 9, "-4096"), (1024, 7, "1008")])
def test_an_immediate_out_of_range_is_refused_with_the_range(immediate: int, bits: int, limits: str) -> None:
    for form in (offset, pre_index, post_index):
        with pytest.raises(WidthError, match=limits):
            form(0, immediate, bits=bits)
    with pytest.raises(WidthError, match="multiple of 16"):
        offset(0, 8)


def test_a_tag_store_outside_memory_changes_nothing() -> None:
    processor = Processor(TaggedMemory(BASE, 16))
    with pytest.raises(Fault) as fault:
        stz2g(processor, with_tag(0, 3), BASE)
    assert fault.value.kind is FaultKind.UNMAPPED and processor.memory.allocation_tag(BASE) == 0


@pytest.mark.parametrize(("zva", "gm"), [(48, 256), (8, 256), (4096, 256), (64, 16), (64, 512)])
def test_block_sizes_that_no_processor_can_have_are_refused(zva: int, gm: int) -> None:
    with pytest.raises(WidthError, match="a power of two"):
        Processor(TaggedMemory(), zva_bytes=zva, gm_bytes=gm)


@pytest.mark.parametrize("ata", [True, False])
@pytest.mark.parametrize("base", [BASE, BASE | 0xFF80 << 48])
def test_a_tag_stored_where_tags_are_canonical_is_a_permission_fault_before_anything_is_stored(
    base: int, ata: bool
) -> None:
    windows = (Window(BASE, 128, BASE), Window(base + BASE, 512, BASE, tagged=False))
    canonical = canonical_tag(base)
    instructions: dict[str, Callable[[Processor, int], object]] = {
        "STG": lambda processor, at: stg(processor, with_tag(0, 9), at),
        "ST2G": lambda processor, at: st2g(processor, with_tag(0, 9), at),
        "STZG": lambda processor, at: stzg(processor, with_tag(0, 9), at),
        "STZ2G": lambda processor, at: stz2g(processor, with_tag(0, canonical), at),
        "STGP": lambda processor, at: stgp(processor, 0, 0, at),
        "STGM": lambda processor, at: stgm(processor, 0, at),
        "STZGM": lambda processor, at: stzgm(processor, canonical, at),
        "DC GVA": dc_gva,
        "DC GZVA": dc_gzva,
    }
    for name, instruction in instructions.items():
        processor = machine(32, space=Space(windows), control=Control(mtx=(True, True), ata=ata))
        before = processor.memory.key()
        with pytest.raises(Fault, match="canonical") as fault:
            instruction(processor, base + BASE)
        assert (fault.value.kind, fault.value.code) == (FaultKind.PERMISSION, TagCode.SEGV_ACCERR), name
        assert syndrome(fault.value, writes=True) == 1 << 42 | 0x96000000 | 1 << 6 | 0x0C
        assert processor.memory.key() == before, name
    # The alignment of the address comes first, and through the Tagged mapping all is as ever.
    processor = machine(space=Space(windows), control=Control(mtx=(True, True)))
    with pytest.raises(Fault, match="must be a multiple of 16"):
        stg(processor, 0, base + BASE + 8)
    stg(processor, with_tag(0, 9), BASE)
    assert processor.memory.allocation_tag(BASE) == 9
