"""MTE over the seam: pointers, modes and costs."""

from __future__ import annotations

import pytest

from capability.architecture import Access, Range, Retirement
from capability.fault import Fault, FaultKind
from capability.flat import FlatPointer
from capability.memory import TaggedMemory
from capability.mte.code import TagCode
from capability.mte.control import Mode
from capability.mte.protection import MTE, MtePointer
from capability.perms import DATA
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function

BASE = 0x1000


def test_a_pointer_carries_the_tag_that_its_granules_have() -> None:
    memory = TaggedMemory()
    pointer = MTE().derive(memory, BASE, 40, DATA)
    assert (pointer.address, pointer.base, pointer.top) == (BASE, BASE, BASE + 40)
    assert [memory.allocation_tag(BASE + 16 * n) for n in range(4)] == [pointer.tag] * 3 + [0]
    assert pointer.value == BASE | pointer.tag << 56 and repr(pointer) == hex(pointer.value)


def test_a_pointer_made_from_an_integer_has_the_tag_in_its_bits() -> None:
    memory, mte = TaggedMemory(), MTE()
    tag = mte.derive(memory, BASE, 16, DATA).tag
    for guess in range(16):
        forged = FlatPointer(BASE | guess << 56, BASE, BASE + 16)
        if guess == tag:
            mte.check(memory, forged, BASE, 16, Access.LOAD)
        else:
            with pytest.raises(Fault):
                mte.check(memory, forged, BASE, 16, Access.LOAD)


@pytest.mark.parametrize("mode", [Mode.ASYNC, Mode.ASYMMETRIC])
def test_an_asynchronous_fault_waits_for_the_next_kernel_entry(mode: Mode) -> None:
    allocator = ReferenceAllocator(architecture=MTE(mode=mode), capacity=1 << 12, base=BASE)
    block = allocator.request(Event(Function.MALLOC, size=64)).result
    stale = allocator.pointer(block)
    allocator.request(Event(Function.FREE, address=block))
    allocator.access(Event(Function.FILL, address=block, size=8, result=0x41), stale)
    assert allocator.memory.load(block, 8) == b"A" * 8, "the store has happened"
    with pytest.raises(Fault) as fault:
        allocator.memory.synchronise()
    assert (fault.value.kind, fault.value.code) == (FaultKind.TAG_MISMATCH, TagCode.SEGV_MTEAERR)
    assert fault.value.address is None


def test_store_only_lets_a_stale_load_pass_and_no_store() -> None:
    memory, mte = TaggedMemory(), MTE(store_only=True)
    pointer = mte.derive(memory, BASE, 16, DATA)
    mte.retire(memory, pointer)
    mte.check(memory, pointer, BASE, 8, Access.LOAD)
    with pytest.raises(Fault):
        mte.check(memory, pointer, BASE, 8, Access.STORE)


def test_an_instruction_fetch_is_not_checked() -> None:
    memory, mte = TaggedMemory(), MTE()
    pointer = mte.derive(memory, BASE, 16, DATA)
    mte.check(memory, pointer, BASE + 16, 4, Access.FETCH)


def test_retiring_costs_a_tag_a_granule_and_nothing_is_swept() -> None:
    memory, mte = TaggedMemory(), MTE()
    pointer = mte.derive(memory, BASE, 1000, DATA)
    assert mte.retire(memory, pointer) == Retirement((Range(BASE, BASE + 1000),), granules=63)
    assert mte.retire(memory, None) == Retirement()


@pytest.mark.parametrize(
    ("base", "size", "message"),
    [
        (BASE + 8, 16, "multiple of 16"),
        (BASE, 0, "size >= 1"),
        ((1 << 55) - 16, 32, "must be alike"),
        (1 << 56, 16, "must be alike"),
    ],
)
def test_a_block_that_cannot_be_tagged_is_refused(base: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MTE().derive(TaggedMemory(), base, size, DATA)


def test_the_upper_half_is_tagged_like_the_lower() -> None:
    memory, mte, base = TaggedMemory(), MTE(), 0xFFFF_0000_0000_1000
    pointer = mte.derive(memory, base, 32, DATA)
    mte.check(memory, pointer, base + 31, 1, Access.STORE)
    assert pointer == MtePointer(base, base, base + 32, pointer.tag)
    with pytest.raises(Fault):
        mte.check(memory, pointer, base + 32, 1, Access.STORE)
