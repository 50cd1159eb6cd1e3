"""Monotonicity, the theorem that the rest of CHERI stands on: authority is only ever removed.

A program starts with one capability. Whatever it does with it, with what it makes of it and with any bits it likes, no
register it fills with a tag has an address or a permission that the first did not have.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.cheri.capability import Capability
from capability.cheri.isa import Isa, Rebuild
from capability.cheri.move import increment, set_address, set_offset
from capability.cheri.narrow import set_bounds, set_bounds_exactly
from capability.cheri.permit import after_load, and_perms, clear_perms, set_flags
from capability.cheri.rebuild import build_cap, copy_type, is_within
from capability.cheri.seal import conditional_seal, enter, seal, seal_entry, unseal
from capability.fault import Fault
from capability.word import mask
from tests.capability.cheri.strategies import CLEARING, TRAPPING, addresses, derived, garbage, near_powers

Step = Callable[[Capability, Capability], Capability]


def each(isas: list[Isa]) -> list[object]:
    """The instruction sets as parameters; those that differ from another in width alone are for the campaign."""
    quick = {"ISAv9 128", "Morello", "CHERIoT", "ISAv8 128"}
    return [pytest.param(isa, marks=[] if str(isa) in quick else [pytest.mark.campaign]) for isa in isas]


def steps(isa: Isa) -> st.SearchStrategy[Step]:
    """One instruction on two registers."""
    bits = isa.format.address_bits
    numbers, lengths = addresses(isa.format), near_powers(bits)
    unary: list[st.SearchStrategy[Step]] = [
        numbers.map(lambda n: lambda cap, other: set_address(cap, n, isa)),
        st.integers(-4096, 4096).map(lambda n: lambda cap, other: increment(cap, n, isa)),
        numbers.map(lambda n: lambda cap, other: increment(cap, n, isa)),
        st.integers(0, 4096).map(lambda n: lambda cap, other: set_offset(cap, n, isa)),
        lengths.map(lambda n: lambda cap, other: set_bounds(cap, n, isa)),
        st.integers(0, 4096).map(lambda n: lambda cap, other: set_bounds(cap, n, isa)),
        st.integers(0, 4096).map(lambda n: lambda cap, other: set_bounds_exactly(cap, n, isa)),
        st.integers(0, mask(bits)).map(lambda n: lambda cap, other: and_perms(cap, n, isa)),
        st.integers(0, mask(bits)).map(lambda n: lambda cap, other: clear_perms(cap, n, isa)),
        st.just(lambda cap, other: seal_entry(cap, isa)),
        st.just(lambda cap, other: enter(cap, isa)),
        st.just(lambda cap, other: cap.clear_tag()),
        st.just(lambda cap, other: after_load(cap, other, isa)),
    ]
    if isa.format.flags or isa.format.flags_from_bit:
        unary.append(st.integers(0, 1).map(lambda n: lambda cap, other: set_flags(cap, n, isa)))
    if isa.rebuild is not Rebuild.ABSENT:
        unary.append(st.just(lambda cap, other: build_cap(cap, other, isa)))
    if isa.seals:
        for instruction in (seal, unseal, conditional_seal, copy_type):
            unary.append(st.just(instruction).map(lambda f: lambda cap, other: f(cap, other, isa)))
    return st.one_of(unary)


@pytest.mark.slow
@pytest.mark.parametrize("isa", each([*CLEARING, *TRAPPING]), ids=str)
@given(data=st.data())
def test_no_sequence_of_operations_yields_more_authority(isa: Isa, data: st.DataObject) -> None:
    first = data.draw(derived(isa))
    registers = [first, data.draw(garbage(isa.format)), Capability.null(isa.format, 5)]
    for _ in range(data.draw(st.integers(0, 12))):
        step = data.draw(steps(isa))
        source, other = (registers[data.draw(st.integers(0, len(registers) - 1))] for _ in range(2))
        try:
            result = step(source, other)
        except Fault:
            continue
        assert not result.tag or is_within(result, first)
        registers.append(result)


@pytest.mark.parametrize("isa", each(CLEARING), ids=str)
@given(data=st.data())
def test_without_a_valid_capability_none_can_be_made(isa: Isa, data: st.DataObject) -> None:
    registers = [data.draw(garbage(isa.format)), data.draw(derived(isa)).clear_tag()]
    for _ in range(data.draw(st.integers(0, 12))):
        source, other = (registers[data.draw(st.integers(0, len(registers) - 1))] for _ in range(2))
        registers.append(data.draw(steps(isa))(source, other))
        assert not registers[-1].tag


@pytest.mark.parametrize("isa", each(CLEARING), ids=str)
@given(data=st.data())
def test_a_sealed_capability_stays_what_it_is_or_loses_its_tag(isa: Isa, data: st.DataObject) -> None:
    """But for jumping to it, for unsealing it with an authority, and for what may be taken from a sealed one."""
    sentry = seal_entry(data.draw(derived(isa)), isa)
    bits = isa.format.address_bits
    number = data.draw(st.integers(0, mask(bits)))
    for changed in (
        set_address(sentry, number, isa),
        increment(sentry, number, isa),
        set_bounds(sentry, number, isa),
        set_bounds_exactly(sentry, number, isa),
        seal_entry(sentry, isa),
    ):
        assert not changed.tag
