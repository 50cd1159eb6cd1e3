"""The size classes that waste least."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.strategy import CLASS_MAX, Strategy
from m4alloc.tune import curves_classes
from m4alloc.tune.curves_classes import ClassRules, class_curve, representable_size, slab_overhead
from m4alloc.tune.curves_demand import Demand

MOST = 5
histograms = st.dictionaries(
    st.one_of(st.integers(1, 300), st.integers(1, 60000)), st.integers(1, 1000), min_size=1, max_size=9
)
rules = st.builds(
    ClassRules,
    largest=st.sampled_from((256, 32768, 1 << 20)),
    forced=st.sampled_from(((), (64,), (64, 128))),
    subdivisions=st.sampled_from((0, 1, 4)),
    per_doubling=st.sampled_from((0, 1, 2)),
    representable=st.sampled_from(("", "morello", "cheriot")),
    overhead=st.sampled_from((None, slab_overhead, lambda slots, counts: 100.0 + 0.0 * counts)),
)


def cost(demand: Demand, classes: tuple[int, ...], rule: ClassRules) -> float:
    """What a set wastes, request by request; what is rounded up beyond `largest` is large."""
    waste, counts = 0.0, dict.fromkeys(classes, 0.0)
    for size, weight, asked in zip(demand.sizes.tolist(), demand.weights.tolist(), demand.bytes.tolist(), strict=True):
        if rule.round(size) > rule.largest:
            waste += -(-size // 4096) * 4096 * weight - asked
            continue
        slot = next((one for one in classes if one >= size), None)
        if slot is None:
            return math.inf
        waste += slot * weight - asked
        counts[slot] += weight
    if rule.overhead is not None:
        for slot, count in counts.items():
            if count:
                waste += float(rule.overhead(np.array([float(slot)]), np.array([count]))[0])
    return waste


def kept(classes: tuple[int, ...], rule: ClassRules) -> bool:
    doublings = [slot.bit_length() for slot in classes]
    crowded = rule.per_doubling and any(doublings.count(one) > rule.per_doubling for one in doublings)
    return set(rule.forced) <= set(classes) and not crowded


@given(histograms, rules)
@settings(max_examples=100, deadline=None)
def test_no_set_of_allowed_classes_wastes_less(histogram: dict[int, int], rule: ClassRules) -> None:
    demand = Demand.counted(list(histogram), list(histogram.values()))
    candidates = sorted({*(rule.round(size) for size in histogram), *rule.forced})
    candidates = [size for size in candidates if size <= rule.largest]
    curve = class_curve(demand, MOST, rule)
    sets = [one for count in range(MOST + 1) for one in combinations(candidates, count) if kept(one, rule)]
    for count in range(1, MOST + 1):
        best = min((cost(demand, one, rule) for one in sets if len(one) <= count), default=math.inf)
        assert curve.waste[count] == pytest.approx(best, rel=1e-12)
        if math.isfinite(best):
            chosen = curve.classes(count)
            assert len(chosen) <= count
            assert kept(chosen, rule)
            assert cost(demand, chosen, rule) == pytest.approx(best, rel=1e-12)


@given(histograms)
@settings(max_examples=30, deadline=None)
def test_a_class_more_never_wastes_more(histogram: dict[int, int]) -> None:
    curve = class_curve(Demand.counted(list(histogram), list(histogram.values())), 12)
    assert all(np.diff(curve.waste[1:]) <= 0)


@given(st.integers(1, CLASS_MAX), st.sampled_from((0, 1, 2, 4, 8)), st.sampled_from(("", "morello", "cheriot", "128")))
@settings(max_examples=100, deadline=None)
def test_a_rounded_size_is_the_least_that_keeps_the_rules(size: int, subdivisions: int, name: str) -> None:
    rule = ClassRules(largest=CLASS_MAX, subdivisions=subdivisions, representable=name)
    found = rule.round(size)
    assert found >= size
    assert rule.round(found) == found
    if size < 40000:
        steps = range(-(-size // 16) * 16, found, 16)
        assert not [step for step in steps if rule.round(step) == step]
    if found <= CLASS_MAX:
        bits = found.bit_length() - 1
        assert not subdivisions or found % max(1, (1 << bits) // subdivisions) == 0


def test_classes_of_a_curve_are_those_of_a_strategy() -> None:
    demand = Demand.counted(range(1, 32769, 7))
    found = class_curve(demand, 64, ClassRules(forced=(32768,)))
    assert Strategy(classes=found.classes(64)).classes == found.classes(64)


def test_a_dearer_slab_makes_fewer_classes() -> None:
    demand = Demand.counted(range(16, 1024, 16))
    plain = class_curve(demand, 32)
    dear = class_curve(demand, 32, ClassRules(overhead=lambda slots, counts: 500.0 + 0.0 * counts))
    assert len(dear.classes(32)) < len(plain.classes(32))
    assert dear.monotone
    assert not class_curve(
        Demand.counted(range(16, 1024, 16), [200] * 63), 4, ClassRules(overhead=slab_overhead)
    ).monotone


def test_3000_sizes_and_40_classes_look_at_few_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    price = curves_classes._Problem.price

    def counting(self: Any, i: Any, j: Any) -> Any:
        nonlocal looked
        looked += np.broadcast(i, j).size
        return price(self, i, j)

    monkeypatch.setattr(curves_classes._Problem, "price", counting)
    rng = np.random.default_rng(1)
    demand = Demand.counted(16 * rng.choice(np.arange(1, 60000), 3000, replace=False), rng.integers(1, 1000, 3000))
    curve = class_curve(demand, 40, ClassRules(largest=1 << 20, granule=16))
    assert len(curve.classes(40)) == 40
    assert looked < 40 * 3000 * 16  # all pairs would be 180 million


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"largest": 8}, "largest is 8; it must be from 16 to 1048576"),
        ({"subdivisions": 3}, "subdivisions is 3; it must be a power of two, or 0"),
        ({"per_doubling": -1}, "per_doubling and granule must not be negative"),
        ({"forced": (40,)}, "the forced class 40 is none that the other rules allow; 48 would do"),
        ({"forced": (65536,)}, "the forced class 65536 is none that the other rules allow"),
    ],
)
def test_rules_that_no_set_can_keep_are_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ClassRules(**rule)
    assert str(caught.value) == message


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"^representable is 'arm'; there are 128, 128m, 128r, 64, 64r, cheriot, "):
        representable_size(16, "arm")


def test_a_number_of_classes_that_cannot_keep_the_rules_is_refused() -> None:
    curve = class_curve(Demand.counted([16, 4096]), 3, ClassRules(forced=(64, 128)))
    with pytest.raises(ValueError, match=r"^there is no set of 2 classes that keeps the rules$"):
        curve.classes(2)
    assert curve.classes(3) == (64, 128, 4096)
