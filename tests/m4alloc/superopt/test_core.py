"""Facts of the core: read from its source, checked anew for every strategy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.strategy import CLASS_MAX, PAGE, PRESETS, SLAB_MAX, SMALL_MAX, UNIT, Strategy
from m4alloc.superopt.core import (
    CORE,
    CoreError,
    alignment_facts,
    broken,
    class_facts,
    reciprocal_holds,
    slab_of,
    slot_states,
    small_fact,
    states_fact,
)
from m4alloc.superopt.interpret_facts import holds

pytestmark = pytest.mark.skipif(not CORE.is_dir(), reason="the wheel has no source")

QUIET = {"delay_line": 0, "quarantine": 0}
"""No delay is promised, so any classes will do."""


def test_every_slot_state_fits_in_three_bits() -> None:
    states = slot_states()
    assert states["FREE"] == 0 and len(set(states.values())) == len(states) == 8
    assert max(states.values()) <= 7


def test_a_further_state_would_weaken_the_fact() -> None:
    text = "cdef enum SlotState:           # bytes\n    FREE = 0       # a\n    NEW = 8        # b\n\n"
    assert slot_states(text) == {"FREE": 0, "NEW": 8}
    assert states_fact("x", text).text == "x & 0xf0f0f0f0f0f0f0f0 == 0"


def test_a_source_without_states_is_refused() -> None:
    with pytest.raises(CoreError, match="no `cdef enum SlotState:`"):
        slot_states("cdef enum Other:\n    A = 0\n")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_facts_of_the_class_tables_hold_for_every_preset(preset: str) -> None:
    strategy = Strategy.named(preset)
    assert broken(strategy) == []
    for fact in class_facts(strategy, preset):
        assert preset in fact.origin
        assert all(holds([fact], {"slot": slot}, {"slot": 32}) for slot in strategy.classes)


@given(st.sets(st.integers(1, SMALL_MAX // 16).map(lambda n: 16 * n), min_size=1, max_size=32), st.booleans())
def test_they_hold_for_any_strategy_that_is_accepted(small: set[int], large: bool) -> None:
    classes = (*sorted(small), *((SMALL_MAX + PAGE, CLASS_MAX) if large else ()))
    slabs = tuple(SLAB_MAX for _ in classes)
    assert broken(Strategy(classes=classes, **QUIET)) == []
    assert broken(Strategy(classes=classes, slab_bytes=slabs, **QUIET)) == []


def test_a_slab_that_is_too_long_for_a_reciprocal_is_noticed() -> None:
    assert not reciprocal_holds(48, 1 << 62)
    assert not reciprocal_holds(CLASS_MAX - PAGE, 1 << 45)


def test_a_reciprocal_finds_its_slot_and_rejects_all_else() -> None:
    for slot in (16, 48, 400, 20480):
        reciprocal = -(-(1 << 64) // slot)
        for distance in [*range(3 * slot), *range(SLAB_MAX - 3 * slot, SLAB_MAX)]:
            high, low = divmod(distance * reciprocal, 1 << 64)
            assert high == distance // slot and (low < reciprocal) == (distance % slot == 0)


def test_slabs_have_the_length_that_the_core_gives_them() -> None:
    assert slab_of(Strategy(classes=(16, 20480)), 1) == 4 * UNIT
    assert slab_of(Strategy(classes=(16,), slab_bytes=(3 * UNIT,)), 0) == 3 * UNIT


def test_facts_say_who_keeps_them() -> None:
    assert "request_aligned" in alignment_facts()[0].origin
    assert small_fact().text == f"size <= {SMALL_MAX}"
    assert "alignment & (alignment - 1)" in (CORE / "dispatch.pxd").read_text()
    assert "if alignment > UNIT:" in (CORE / "size_class.pxd").read_text()
    assert "size > SMALL_MAX" in (CORE / "malloc.pxd").read_text()
