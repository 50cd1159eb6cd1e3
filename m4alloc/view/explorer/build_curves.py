"""Curves over a heap's life: bytes live, usable and occupied, what is lost inside and between blocks, blocks."""

from __future__ import annotations

import numpy as np

from m4alloc.check.heap_life import heap_life
from m4alloc.check.lives import Lives
from m4alloc.view.explorer.build_columns import Columns
from m4alloc.view.explorer.life import Curve

SAMPLES = 2000
"""Points of a curve at most."""


def curves_of(lives: Lives, columns: Columns) -> tuple[Curve, ...]:
    """The curves, each from the event on at which its value holds, -1 for what the record begins with; none for a heap
    without blocks.

    Cost: O(n log n).
    """
    if not len(lives):
        return ()
    moments = heap_life(lives, SAMPLES).curve
    at = np.array([moment.request - 1 for moment in moments], np.int64)

    def curve(name: str, values: list[float], unit: str = "bytes") -> Curve:
        return Curve(name, unit, at, np.array(values, np.float64))  # type: ignore[arg-type]

    return (
        curve("live", [float(moment.live) for moment in moments]),
        curve("usable", [float(moment.usable) for moment in moments]),
        curve("footprint", [float(moment.footprint) for moment in moments]),
        curve("internal fragmentation", [moment.internal for moment in moments], "share"),
        curve("external fragmentation", [moment.external for moment in moments], "share"),
        curve("blocks", [float(moment.blocks) for moment in moments], "blocks"),
    )
