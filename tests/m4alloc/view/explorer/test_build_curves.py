"""Curves: what they say after an event is what is live then, counted block by block."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.build_curves import SAMPLES
from m4alloc.view.explorer.life import Curve, Life
from m4alloc.view.explorer.sources_trace import there
from spec.event import Event, Function
from tests.m4alloc.view.explorer.lives_for_tests import EXCERPTS, life_in, script_lives


def after(curve: Curve, event: int) -> float:
    """The curve's value once the event has happened."""
    place = int(np.searchsorted(curve.at, event, side="right")) - 1
    return float(curve.values[place]) if place >= 0 else 0.0


@pytest.mark.slow
@given(script_lives("none"))
def test_after_every_event_the_curves_are_the_sums_over_the_live_blocks(life: Life) -> None:
    curves = {curve.name: curve for curve in life.curves}
    blocks = life.blocks
    for event in range(len(life.events)):
        live = (blocks.born <= event) & (blocks.died > event)
        size, usable = int(blocks.size[live].sum()), int(blocks.usable[live].sum())
        first, last = blocks.base[live] // 4096, (blocks.base[live] + blocks.usable[live] - 1) // 4096
        pages = {page for low, high in zip(first, last, strict=True) for page in range(low, high + 1)}
        wanted = {
            "live": size,
            "usable": usable,
            "footprint": 4096 * len(pages),
            "internal fragmentation": (usable - size) / usable if usable else 0.0,
            "external fragmentation": 1 - usable / (4096 * len(pages)) if pages else 0.0,
            "blocks": int(live.sum()),
        }
        if len(blocks):
            assert {name: after(curves[name], event) for name in wanted} == pytest.approx(wanted)


def test_a_long_history_is_sampled_and_keeps_its_peak() -> None:
    life = life_in(EXCERPTS / "gcc.m4t.xz")
    curves = {curve.name: curve for curve in life.curves}
    assert all(len(curve.at) <= SAMPLES + 1 for curve in life.curves)
    change = np.zeros(len(life.events) + 1, np.int64)
    np.add.at(change, np.maximum(life.blocks.born, 0), life.blocks.size)
    np.add.at(change, life.blocks.died, -life.blocks.size)
    assert curves["live"].values.max() == np.cumsum(change).max()


def test_what_a_record_begins_with_counts_before_its_first_event() -> None:
    inherited = there([Event(Function.MALLOC, size=100, result=0x1000, usable=112)])
    columns = columns_of_events([Event(Function.FREE, address=0x1000)])
    life = life_of(columns, title="", allocator="", inherited=inherited)
    live = next(curve for curve in life.curves if curve.name == "live")
    assert (live.at.tolist(), live.values.tolist()) == ([-1, 0], [100, 0])
