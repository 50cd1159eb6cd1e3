"""Classes that capabilities bound exactly, names of formats and of tag policies, and the reference of a strategy."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.adi.protection import Adi
from capability.cheri.formats import FORMATS
from capability.cheri.protection import Cheri
from capability.flat import Flat
from capability.mte.policy import POLICIES
from capability.mte.protection import MTE
from m4alloc.strategy import CLASS_MAX, SMALL_MAX, UNIT, Strategy, StrategyError, default_classes
from m4alloc.strategy_rules import (
    SHORT,
    format_named,
    format_names,
    next_representable,
    representable_classes,
    tag_names,
    tag_policy,
)
from spec.event import Event, Function

SIZES = [*range(16, SMALL_MAX + 1, 16), *range(SMALL_MAX + 4096, CLASS_MAX + 1, 4096)]


def is_exact(size: int, name: str) -> bool:
    """Whether a capability bounds each of some slots exactly, in slabs at some multiples of UNIT."""
    encode = format_named(name).bounds.encode
    slots = [(slab * UNIT + slot * size) for slab in (0, 1, 3, 5) for slot in (0, 1, 2, 3, 5, 7)]
    return all(encode(start, start + size).exact for start in slots)


@pytest.mark.parametrize("name", FORMATS)
def test_a_size_is_representable_exactly_when_every_slot_of_it_is(name: str) -> None:
    chance = random.Random(name)
    for size in [*chance.sample(SIZES, 400), *default_classes(), SIZES[-1]]:
        assert (next_representable(size, name) == size) == is_exact(size, name), size


@given(st.sets(st.sampled_from(SIZES), min_size=1, max_size=64), st.sampled_from(format_names()))
def test_rounded_classes_are_the_least_that_a_strategy_takes(sizes: set[int], name: str) -> None:
    try:
        rounded = representable_classes(sizes, name)
    except StrategyError:
        assert any(next_representable(size, name) is None for size in sizes)
        return
    assert Strategy(classes=rounded, representable=name, delay_bytes=32 << 20).classes == rounded
    for size in sizes:
        made = min(one for one in rounded if one >= size)
        assert not any(is_exact(between, name) for between in SIZES if size <= between < made)
    assert representable_classes(rounded, name) == rounded


@pytest.mark.parametrize("name", format_names())
def test_the_default_classes_are_representable_by_every_format(name: str) -> None:
    assert representable_classes(default_classes(), name) == default_classes()


def test_a_size_with_no_representable_one_above_it_is_refused() -> None:
    with pytest.raises(StrategyError) as caught:
        representable_classes((16, CLASS_MAX), "64")
    assert str(caught.value) == "class 1048576: 64 bounds no slot of 1048576 to 1048576 bytes exactly"


def test_short_names_are_formats() -> None:
    assert {short: format_named(short).title for short in SHORT} == {
        "morello": "Arm Morello",
        "isav9": "CHERI-RISC-V ISAv9, 128 bits",
        "riscv": "RISC-V draft, 128 bits",
    }


def test_tag_policies_go_by_either_spelling() -> None:
    assert tag_names() == tuple(sorted([*POLICIES, "adi"]))
    assert tag_policy("hardened-malloc") == "hardened_malloc" and tag_policy("scudo_odd_even") == "scudo-odd-even"


@pytest.mark.parametrize(
    ("strategy", "kind"),
    [
        (Strategy(), Flat),
        (Strategy(representable="morello"), Cheri),
        (Strategy(tags="glibc"), MTE),
        (Strategy(tags="adi"), Adi),
    ],
)
def test_the_reference_of_a_strategy_has_its_hardware_its_classes_and_its_quarantine(
    strategy: Strategy, kind: type
) -> None:
    allocator = strategy.with_(delay_line=5, quarantine=3).reference(capacity=1 << 20)
    assert isinstance(allocator.architecture, kind) and allocator.quarantine.length == 8
    reply = allocator.request(Event(Function.MALLOC, size=100))
    usable = allocator.request(Event(Function.USABLE_SIZE, address=reply.result)).result
    assert usable in strategy.classes and usable >= 100
    allocator.check()


def test_another_architecture_may_be_given() -> None:
    assert isinstance(Strategy(tags="scudo").reference(capacity=1 << 16, architecture=Flat()).architecture, Flat)


def test_a_reference_of_capabilities_and_tags_at_once_is_refused() -> None:
    with pytest.raises(StrategyError) as caught:
        Strategy(representable="morello", tags="scudo").reference()
    assert str(caught.value) == "representable is 'morello' and tags is 'scudo'; no machine has both"


def test_the_core_is_told_nothing_of_hardware_and_files_keep_it() -> None:
    strategy = Strategy(representable="cheriot", tags="", delay_line=8)
    assert strategy.to_environment() == "delay_line=8"
    assert Strategy.from_toml(strategy.to_toml()) == strategy
