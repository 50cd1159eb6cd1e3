"""The panels of exact answers: a curve, today and the optimum, each within its axes."""

from __future__ import annotations

import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.exact import exact
from m4alloc.tune.example import example_workload
from m4alloc.tune.panels import exact_panels

pytest.importorskip("numba")


def test_each_panel_has_a_curve_within_its_axes_and_says_where_today_is() -> None:
    shown = exact_panels(exact(example_workload(1500)), Strategy())
    assert {"size classes", "thread stacks"} <= {one.title for one in shown}
    for one in shown:
        assert len(one.points) > 1 and one.now is not None
        assert all(one.x.low <= across <= one.x.high for across, _ in one.points)
        assert all(one.y.low <= up <= one.y.high * 1.0001 for _, up in one.points)
        if one.title in ("size classes", "thread stacks"):
            heights = [up for _, up in one.points]
            assert heights == sorted(heights, reverse=True)


def test_what_has_nothing_to_show_has_no_panel() -> None:
    titles = [one.title for one in exact_panels(exact(example_workload(1)), Strategy())]
    assert "giving pages back" not in titles
