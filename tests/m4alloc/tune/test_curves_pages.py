"""Timers, limits and calls that give pages back."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.tune.curves_pages import Gaps, Prices, idle_gaps, release_curve, retained_curve, timer_curve
from m4alloc.tune.curves_slabs import SlabBounds

UNIT = 65536
steps = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=12)
prices = st.builds(
    Prices, fault=st.sampled_from((0.0, 1.75)), release=st.just(2.0), held=st.sampled_from((0.0, 16000.0))
)


def levels(course: list[tuple[int, int]]) -> tuple[SlabBounds, int]:
    """The levels of a course of (milliseconds later, units), as slab_bounds gives them, and when it ends."""
    now = 0
    changes: list[tuple[int, int]] = []
    for later, units in course:
        now += later
        if units != (changes[-1][1] if changes else 0):
            changes.append((now, units))
    when, level = (np.array([change[n] for change in changes], np.int64) for n in range(2))
    return SlabBounds((), 0, 0, int(level.max(initial=0)) * UNIT, when, level), now + 10


def by_unit(bounds: SlabBounds, last: int) -> list[tuple[int, int, bool]]:
    """Begin, end and whether it ended, of each gap of each unit; the unit that fell idle last is the next one used."""
    gaps, since, now = [], [], 0
    for when, level in zip(bounds.time_ms.tolist(), bounds.units.tolist(), strict=True):
        since += [when] * (now - level)
        for _ in range(level - now):
            if since:
                gaps.append((since.pop(), when, True))
        now = level
    return gaps + [(when, last, False) for when in since]


@given(steps)
@settings(max_examples=80, deadline=None)
def test_gaps_are_those_of_each_unit(course: list[tuple[int, int]]) -> None:
    bounds, last = levels(course)
    gaps = idle_gaps(bounds, last)
    rows = zip(gaps.begin_ms.tolist(), gaps.end_ms.tolist(), gaps.units.tolist(), gaps.ended.tolist(), strict=True)
    assert sorted(row for begin, end, units, ended in rows for row in [(begin, end, ended)] * units) == sorted(
        by_unit(bounds, last)
    )


@given(steps, prices)
@settings(max_examples=80, deadline=None)
def test_every_timer_costs_what_it_costs_gap_by_gap(course: list[tuple[int, int]], price: Prices) -> None:
    bounds, last = levels(course)
    gaps = by_unit(bounds, last)
    curve = timer_curve(idle_gaps(bounds, last), price)

    def cost(timer: float) -> float:
        total = 0.0
        for begin, end, ended in gaps:
            length = end - begin
            total += price.hold_ms * min(length, timer) + (price.back if ended and length > timer else 0.0)
        return total

    for timer in (0, 0.5, 1, 7, 30, 1000):
        assert curve.at(timer) == pytest.approx(cost(timer))
    for timer, value in zip(curve.timer_ms.tolist(), curve.cost.tolist(), strict=True):
        assert value == pytest.approx(cost(timer))
    best = min(cost(timer) for timer in range(400))
    assert curve.at(curve.best_ms) == pytest.approx(best)
    offline = sum(min(price.hold_ms * (end - begin), price.back if ended else 0.0) for begin, end, ended in gaps)
    assert curve.offline == pytest.approx(offline)
    tail = sum(price.hold_ms * min(end - begin, price.break_even_ms) for begin, end, ended in gaps if not ended)
    if math.isfinite(price.break_even_ms):
        assert curve.break_even <= 2 * curve.offline + tail + 1e-6


@given(steps, st.sampled_from((0, 50)))
@settings(max_examples=80, deadline=None)
def test_every_limit_gives_back_what_lay_idle_longest(course: list[tuple[int, int]], share: int) -> None:
    bounds, last = levels(course)
    limits = tuple(range(0, 8 * UNIT, UNIT))
    price = Prices()
    for point in retained_curve(bounds, last, limits, price, share):
        # idle: of units, the one that fell idle last at the end; True: its pages are kept.
        idle: list[bool] = []
        now = before = most = calls = faults = 0
        kept = 0.0
        for when, level in zip(bounds.time_ms.tolist(), bounds.units.tolist(), strict=True):
            kept += sum(idle) * (when - before)
            before = when
            for _ in range(now - level):
                idle.append(True)
            limit = max(point.limit // UNIT, level * share // 100)
            if level < now and sum(idle) > limit:
                calls += 1
                idle = [n >= len(idle) - limit for n in range(len(idle))]
            for _ in range(level - now):
                if idle:
                    faults += not idle.pop()
            now, most = level, max(most, level)
        kept += sum(idle) * (last - before)
        assert (point.releases, point.faults) == (calls, 16 * faults)
        assert point.kept_mean == pytest.approx(kept * UNIT / last)
        assert point.cost == pytest.approx(calls * price.release + faults * price.back + kept * price.hold_ms)


gap_rows = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 30), st.integers(1, 4), st.booleans()), min_size=1, max_size=6
)


@given(gap_rows, prices)
@settings(max_examples=80, deadline=None)
def test_no_other_extents_given_back_save_more(rows: list[tuple[int, int, int, bool]], price: Prices) -> None:
    begin, length, units, ended = (np.array(column) for column in zip(*rows, strict=True))
    gaps = Gaps(begin, begin + length, units, np.zeros(len(rows), np.int64), ended)
    curve = release_curve(gaps, 100, price)
    for calls, kept in zip(curve.calls.tolist(), curve.kept_mean.tolist(), strict=True):
        least = min(
            sum(length[n] * units[n] for n in range(len(rows)) if n not in given_back)
            for given_back in combinations(range(len(rows)), calls)
        )
        assert kept == pytest.approx(least * UNIT / 100)
    costs = []
    for choice in product((False, True), repeat=len(rows)):
        total = 0.0
        for n, given_back in enumerate(choice):
            if given_back:
                total += price.release + (price.back * units[n] if ended[n] else 0.0)
            else:
                total += price.hold_ms * units[n] * length[n]
        costs.append(total)
    assert curve.offline == pytest.approx(min(costs))
    assert curve.calls[0] == 0


def test_nothing_idle_costs_nothing() -> None:
    bounds, last = levels([(1, 3), (5, 6)])
    gaps = idle_gaps(bounds, last)
    assert timer_curve(gaps).cost.tolist() == [0.0]
    assert release_curve(gaps, last).kept_mean.tolist() == [0.0]
    assert [point.cost for point in retained_curve(bounds, last, (0,))] == [0.0]


def test_the_timer_that_breaks_even_follows_from_the_prices() -> None:
    assert Prices(held=0.0).break_even_ms == math.inf
    assert Prices(fault=3.5).break_even_ms == 2 * Prices().break_even_ms
