"""The tag check against a definition that knows bytes only, and each setting that overrides it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.fault import Fault, FaultKind
from capability.memory import TaggedMemory
from capability.mte.check import Operation, check_access, load, store
from capability.mte.code import DataFaultStatus, TagCode, data_fault_status, syndrome
from capability.mte.control import Control, Mode
from capability.mte.processor import Processor, TagFaultStatus
from capability.mte.space import Space, Window
from capability.mte.tag import address_of, with_tag
from capability.word import WidthError

BASE = 0x10000
UPPER = 0xFFFF_0000_0001_0000
GRANULES = 6
SIZE = GRANULES * 16

granule_tags = st.lists(st.sampled_from([3, 3, 3, 4, 0]), min_size=GRANULES, max_size=GRANULES)
operations = st.sampled_from([Operation.READ, Operation.WRITE, Operation.ATOMIC])


def machine(tags: list[int], control: Control | None = None, space: Space | None = None, base: int = BASE) -> Processor:
    memory = TaggedMemory()
    for number, tag in enumerate(tags):
        memory.set_allocation_tag(base + 16 * number, 16, tag)
    memory.fill(base, 16 * len(tags), 0xEE)
    return Processor(memory, control or Control(), space or Space())


def first_wrong_byte(tags: list[int], ptag: int, offset: int, size: int, tagged: list[bool]) -> int | None:
    """The definition: byte by byte, does its granule, if it is in Tagged memory, have the pointer's tag?"""
    for byte in range(offset, offset + size):
        if tagged[byte // 16] and tags[byte // 16] != ptag:
            return byte
    return None


@given(granule_tags, st.integers(0, 15), st.integers(0, SIZE), st.integers(0, SIZE), st.integers(0, 15), st.data())
def test_the_check_equals_the_definition_byte_by_byte(
    tags: list[int], ptag: int, offset: int, size: int, top: int, data: st.DataObject
) -> None:
    size = min(size, SIZE - offset)
    tagged = data.draw(st.lists(st.sampled_from([True, True, False]), min_size=GRANULES, max_size=GRANULES))
    windows = [Window(BASE + 16 * n, 16, 0x80000 - 32 * n, flag) for n, flag in enumerate(tagged)]
    processor = machine([], space=Space(tuple(windows)))
    for window, tag in zip(windows, tags, strict=True):
        processor.memory.set_allocation_tag(window.physical, 16, tag)
    through = with_tag(BASE + offset, data.draw(st.sampled_from([3, ptag]))) | top << 60
    wrong = first_wrong_byte(tags, through >> 56 & 15, offset, size, tagged)
    operation = data.draw(operations)
    if wrong is None:
        assert check_access(processor, through, size, operation) == BASE + offset
        return
    with pytest.raises(Fault) as fault:
        check_access(processor, through, size, operation)
    assert (fault.value.kind, fault.value.code) == (FaultKind.TAG_MISMATCH, TagCode.SEGV_MTESERR)
    assert fault.value.address == BASE + wrong


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("operation", [Operation.READ, Operation.WRITE, Operation.ATOMIC], ids=str)
@pytest.mark.parametrize("base", [BASE, UPPER])
def test_each_mode_reports_as_its_name_says(mode: Mode, operation: Operation, base: int) -> None:
    processor = machine([5], Control(mode=mode), base=base)
    sync = mode is Mode.SYNC or (mode is Mode.ASYMMETRIC and Operation.READ in operation)
    asynchronous = mode is not Mode.NONE and not sync
    if sync:
        with pytest.raises(Fault) as fault:
            check_access(processor, with_tag(base, 6), 8, operation)
        assert fault.value.address == base and fault.value.code == TagCode.SEGV_MTESERR
    else:
        assert check_access(processor, with_tag(base, 6), 8, operation) == base
    assert processor.memory.state(TagFaultStatus).value == (asynchronous << (base == UPPER))
    if asynchronous:
        check_access(processor, with_tag(base, 7), 8, operation)
        with pytest.raises(Fault) as fault:
            processor.memory.synchronise()
        assert (fault.value.code, fault.value.address) == (TagCode.SEGV_MTEAERR, None)
    processor.memory.synchronise()


def test_a_synchronous_fault_comes_before_the_store_and_an_asynchronous_after() -> None:
    for mode, stored in ((Mode.SYNC, False), (Mode.ASYNC, True), (Mode.ASYMMETRIC, True), (Mode.NONE, True)):
        processor = machine([5, 5], Control(mode=mode))
        try:
            store(processor, with_tag(BASE + 12, 6), b"stored!!")
        except Fault:
            assert not stored
        assert (load(processor, with_tag(BASE + 12, 5), 8) == b"stored!!") == stored


def test_tfsr_has_a_bit_for_each_half_and_only_software_clears_it() -> None:
    status = TagFaultStatus()
    status.record(upper=True)
    assert status.value == 2
    status.record(upper=False)
    assert status.copy().value == status.key() == 3
    status.clear()
    assert status.value == 0


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("tag", range(16))
@pytest.mark.parametrize("tcma", [False, True])
def test_match_all_is_the_canonical_tag_of_its_own_half(upper: bool, tag: int, tcma: bool) -> None:
    base = UPPER if upper else BASE
    control = Control(tcma=(tcma and not upper, tcma and upper))
    other_half = Control(tcma=(upper, not upper))
    passes = tcma and tag == (15 if upper else 0)
    assert control.matches_all(with_tag(base, tag)) == passes
    processor = machine([(tag + 1) % 16], control, base=base)
    if passes:
        check_access(processor, with_tag(base, tag), 1)
    else:
        with pytest.raises(Fault):
            check_access(processor, with_tag(base, tag), 1)
    assert not other_half.matches_all(with_tag(base, tag))


@pytest.mark.parametrize(
    "control",
    [Control(tco=True), Control(ata=False), Control(mode=Mode.NONE), Control(store_only=True)],
    ids=["tco", "ata", "none", "store-only"],
)
def test_what_suppresses_checks_suppresses_them_for_loads(control: Control) -> None:
    check_access(machine([5], control), with_tag(BASE, 6), 8, Operation.READ)


def test_store_only_still_checks_whatever_writes() -> None:
    for operation in (Operation.WRITE, Operation.ATOMIC):
        with pytest.raises(Fault):
            check_access(machine([5], Control(store_only=True)), with_tag(BASE, 6), 8, operation)


def test_with_tbi_off_a_tag_is_a_bad_address_and_an_untagged_pointer_is_unchecked() -> None:
    off = Control(tbi=(False, False))
    check_access(machine([5], off), BASE, 8)
    check_access(machine([5], off, base=UPPER), UPPER, 8)
    with pytest.raises(Fault) as fault:
        check_access(machine([5], off), with_tag(BASE, 5), 8)
    assert fault.value.kind is FaultKind.UNMAPPED


def test_with_mtx_the_tag_is_checked_without_tbi_and_bits_63_60_are_address() -> None:
    control = Control(tbi=(False, False), mtx=(True, True))
    check_access(machine([5], control), with_tag(BASE, 5), 8)
    for through, kind in ((with_tag(BASE, 6), FaultKind.TAG_MISMATCH), (1 << 60 | BASE, FaultKind.UNMAPPED)):
        with pytest.raises(Fault) as fault:
            check_access(machine([5], control), through, 8)
        assert fault.value.kind is kind


@pytest.mark.parametrize("mtx", [False, True])
@pytest.mark.parametrize(("base", "canonical"), [(BASE, 0), (UPPER, 15)])
def test_canonical_tags_close_untagged_memory_to_tagged_pointers(mtx: bool, base: int, canonical: int) -> None:
    space = Space((Window(base, 32, 0x2000, tagged=False),))
    for tag in range(16):
        processor = machine([5, 5], Control(mtx=(mtx, mtx)), space, base=0x2000)
        if mtx and tag != canonical:
            with pytest.raises(Fault) as fault:
                check_access(processor, with_tag(base + 3, tag), 2)
            assert fault.value.address == base + 3
        else:
            check_access(processor, with_tag(base + 3, tag), 2)


def test_an_unmapped_byte_comes_before_a_wrong_tag() -> None:
    processor = Processor(TaggedMemory(BASE, 16))
    with pytest.raises(Fault) as fault:
        check_access(processor, with_tag(BASE + 12, 7), 8)
    assert fault.value.kind is FaultKind.UNMAPPED
    window = machine([5], space=Space((Window(BASE, 16, BASE),)))
    with pytest.raises(Fault) as fault:
        check_access(window, with_tag(BASE + 12, 7), 8)
    assert fault.value.kind is FaultKind.UNMAPPED and fault.value.address == BASE + 16


def test_an_access_of_no_bytes_touches_no_granule() -> None:
    check_access(machine([5]), with_tag(BASE, 6), 0)
    with pytest.raises(WidthError, match="size >= 0"):
        check_access(machine([5]), with_tag(BASE, 6), -1)


def test_a_load_across_windows_joins_their_bytes() -> None:
    space = Space((Window(0x1000, 16, 0x8000), Window(0x1010, 16, 0x4000)))
    processor = machine([], space=space)
    store(processor, 0x100C, b"abcdefgh")
    assert processor.memory.load(0x800C, 4) + processor.memory.load(0x4000, 4) == b"abcdefgh"
    assert load(processor, 0x100E, 4) == b"cdef"


@pytest.mark.parametrize(("writes", "esr"), [(False, 0x96000011), (True, 0x96000051)])
def test_the_syndrome_says_tag_check_fault_and_which_way(writes: bool, esr: int) -> None:
    operation = Operation.WRITE if writes else Operation.READ
    with pytest.raises(Fault) as fault:
        check_access(machine([5]), with_tag(BASE, 6), 8, operation)
    assert data_fault_status(fault.value) is DataFaultStatus.TAG_CHECK
    assert syndrome(fault.value, writes=writes) == esr and address_of(BASE) == BASE


@pytest.mark.parametrize(
    "windows", [(Window(0, 32, 0), Window(16, 16, 0)), (Window(8, 16, 0),), (Window(0, 0, 0),), (Window(0, 16, 8),)]
)
def test_windows_that_overlap_or_cut_granules_are_refused(windows: tuple[Window, ...]) -> None:
    with pytest.raises(ValueError, match="window"):
        Space(windows)


def test_memory_of_another_granule_is_refused() -> None:
    with pytest.raises(WidthError, match="one tag for each 16 bytes"):
        Processor(TaggedMemory(allocation_granule=64))
