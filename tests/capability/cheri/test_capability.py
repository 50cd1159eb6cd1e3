"""Monotonicity, the theorem that the rest of CHERI stands on: authority is only ever removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Range
from capability.cheri.capability import ROOT, Capability
from capability.perms import ALL_PERMS, DATA, Perms
from capability.word import WidthError

Operation = Callable[[Capability], Capability]

addresses = st.one_of(st.integers(0, 0x200), st.integers(0, 2**64 - 1))
perms = st.integers(0, int(ALL_PERMS)).map(lambda bits: Perms(bits) & ALL_PERMS)
operations = st.one_of(
    addresses.map(lambda address: lambda cap: cap.set_address(address)),
    st.integers(-(2**64), 2**64).map(lambda offset: lambda cap: cap.increment(offset)),
    st.integers(-64, 64).map(lambda offset: lambda cap: cap.increment(offset)),
    st.one_of(st.integers(0, 0x200), st.integers(0, 2**64)).map(lambda length: lambda cap: cap.set_bounds(length)),
    perms.map(lambda keep: lambda cap: cap.and_perms(keep)),
    st.just(lambda cap: cap.clear_tag()),
)
blocks = st.builds(lambda base, length: ROOT.set_address(base).set_bounds(length), st.integers(0, 0x100), addresses)


@given(blocks, perms, st.lists(operations, max_size=12))
def test_no_sequence_of_operations_yields_more_authority(
    start: Capability, keep: Perms, steps: list[Operation]
) -> None:
    lineage = [start.and_perms(keep)]
    for step in steps:
        lineage.append(step(lineage[-1]))
        if lineage[-1].tag:
            assert all(lineage[-1].is_subset_of(ancestor) and ancestor.tag for ancestor in lineage)


@given(blocks, st.lists(operations, max_size=12))
def test_an_untagged_capability_never_becomes_valid(start: Capability, steps: list[Operation]) -> None:
    dead = start.clear_tag()
    for step in steps:
        dead = step(dead)
        assert not dead.tag


@given(blocks, operations)
def test_every_manipulation_of_a_sealed_capability_clears_its_tag(start: Capability, operation: Operation) -> None:
    sealed = replace(start, otype=7)
    for step in (operation, lambda cap: cap.set_address(cap.address), lambda cap: cap.and_perms(ALL_PERMS)):
        assert not step(sealed).tag


@given(st.integers(0, 0x1000), st.integers(0, 0x1000), st.integers(0, 0x1000), st.integers(0, 0x1000))
def test_set_bounds_keeps_the_tag_exactly_when_the_result_is_inside(base: int, length: int, at: int, size: int) -> None:
    narrowed = ROOT.set_address(base).set_bounds(length).set_address(at).set_bounds(size)
    assert narrowed.bounds == Range(at, at + size)
    assert narrowed.tag == (base <= at and at + size <= base + length)


@given(addresses, st.integers(-(2**65), 2**65))
def test_addresses_wrap_and_bounds_stay(address: int, offset: int) -> None:
    moved = ROOT.set_address(address).increment(offset)
    assert moved.address == (address + offset) % 2**64
    assert moved.bounds == ROOT.bounds and moved.tag


def test_an_integer_in_a_register_has_no_authority() -> None:
    assert not Capability.from_integer(0x1000).tag
    assert Capability.from_integer(0x1000).address == 0x1000
    assert Capability.from_integer(0x1000).perms == Perms(0)


def test_provenance_is_no_part_of_the_value() -> None:
    assert replace(ROOT, provenance=5) == ROOT
    assert hash(replace(ROOT, provenance=5)) == hash(ROOT)


def test_what_an_allocator_hands_out_cannot_execute_seal_or_unmap() -> None:
    assert DATA in ALL_PERMS
    for perm in (Perms.PERMIT_EXECUTE, Perms.PERMIT_SEAL, Perms.PERMIT_UNSEAL, Perms.SW_VMEM, Perms.ACCESS_SYSTEM_REGS):
        assert perm not in DATA


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: ROOT.set_address(2**64), "64 bits"),
        (lambda: ROOT.set_address(-1), "64 bits"),
        (lambda: ROOT.set_bounds(-1), "0 <= length <= 2**64"),
        (lambda: ROOT.set_bounds(2**64 + 1), "0 <= length <= 2**64"),
        (lambda: replace(ROOT, base=0x20, top=0x10), "base <= top <= 2**64"),
        (lambda: replace(ROOT, top=2**64 + 1), "base <= top <= 2**64"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_range(make: Callable[[], object], named: str) -> None:
    with pytest.raises(WidthError) as refusal:
        make()
    assert named in str(refusal.value)


def test_text_reads_as_cheri_tools_print_it() -> None:
    cap = ROOT.set_address(0x1000).set_bounds(64).and_perms(DATA)
    assert repr(cap) == "0x1000 [rwRW,0x1000-0x1040]"
    assert repr(replace(cap, tag=False, otype=3)) == "0x1000 [rwRW,0x1000-0x1040] (invalid,sealed)"
