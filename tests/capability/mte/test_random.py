"""The generator of IRG: its period, what it betrays, and that exclusion makes it uneven."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capability.mte.control import Control
from capability.mte.draw import TagSource
from capability.mte.random import Rgsr, explain, irg, next_bit, random_offset, sequence
from capability.mte.tag import members, tag_of, with_tag
from capability.word import WidthError

registers = st.builds(Rgsr, st.integers(0, 15), st.integers(0, 0xFFFF))
masks = st.integers(0, 0xFFFF)


def test_the_register_runs_through_every_seed_but_zero() -> None:
    seed, steps = 1, 0
    while steps == 0 or seed != 1:
        seed, steps = next_bit(seed)[1], steps + 1
    assert steps == (1 << 16) - 1 and next_bit(0) == (0, 0)


@given(registers, masks, st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_irg_changes_the_tag_only_and_to_an_allowed_one(rgsr: Rgsr, mask: int, xn: int, xm: int) -> None:
    xd, after = irg(Control(exclude=mask), rgsr, xn, xm)
    allowed = members(0xFFFF & ~(mask | xm)) or (0,)
    assert tag_of(xd) == after.tag and after.tag in allowed and with_tag(xd, 0) == with_tag(xn, 0)
    assert after.seed == random_offset(rgsr.seed)[1]


def test_seed_zero_repeats_the_previous_tag_for_ever() -> None:
    assert sequence(Rgsr(9, 0), 0, 5)[0] == [9] * 5
    assert sequence(Rgsr(9, 0), 1 << 9, 5)[0] == [10] * 5


def test_without_tag_access_irg_gives_tag_zero_and_draws_nothing() -> None:
    assert irg(Control(ata=False), Rgsr(3, 0xACE1), 0x0700_0000_0000_1000) == (0x1000, Rgsr(3, 0xACE1))


@settings(max_examples=3)
@given(st.integers(0, 15), st.integers(1, 0xFFFF))
def test_five_tags_betray_the_seed_and_with_it_every_tag_to_come(tag: int, seed: int) -> None:
    tags, _ = sequence(Rgsr(tag, seed), 0, 5)
    (state,) = explain(tags)
    future = sequence(Rgsr(tag, seed), 0, 40)[0][1:]
    assert sequence(state, 0, 39)[0] == future


def test_an_explanation_needs_a_tag() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        explain([])


def test_excluding_one_tag_makes_the_previous_tag_twice_as_likely() -> None:
    """Sixteen offsets fall on fifteen tags: offset 0 and offset 15 are the same one. (Seed 0 is left out.)"""
    drawn = Counter(irg(Control(exclude=1), Rgsr(7, seed), 0)[1].tag for seed in range(1, 1 << 16))
    assert drawn.pop(7) == 4095 + 4096 and set(drawn.values()) == {4096} and 0 not in drawn


@given(st.integers(0, (1 << 64) - 1), masks)
def test_the_uniform_source_draws_allowed_tags_and_its_copy_the_same(seed: int, mask: int) -> None:
    source = TagSource(seed)
    twin = source.copy()
    drawn = [source.draw(mask) for _ in range(20)]
    assert set(drawn) <= {*(members(0xFFFF & ~mask) or (0,))}
    assert [twin.draw(mask) for _ in range(20)] == drawn and twin.key() == source.key()


def test_the_uniform_source_favours_no_tag() -> None:
    source, count = TagSource(), 15_000
    drawn = Counter(source.draw(exclude=1) for _ in range(count))
    assert sorted(drawn) == list(range(1, 16))
    assert sum((times - 1000) ** 2 / 1000 for times in drawn.values()) < 36.1, "chi-squared of 14 degrees, one in 1,000"


@given(registers)
def test_the_register_form_keeps_both_fields(rgsr: Rgsr) -> None:
    assert Rgsr.from_register(rgsr.to_register()) == rgsr


def test_a_seed_of_seventeen_bits_is_refused() -> None:
    with pytest.raises(WidthError, match="0 <= value <= 0xffff"):
        irg(Control(), Rgsr(0, 1 << 16), 0)
