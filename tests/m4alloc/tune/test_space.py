"""Tests of m4alloc.tune.space and menus."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from m4alloc.strategy import CLASS_MAX, CLASSES_MAX, SLAB_MAX, UNIT, Strategy
from m4alloc.tune.menus import LADDERS, PAGE, ByClass, SlabRule, SlabsAsRandom, SlabsByClass, class_sets, ending_at
from m4alloc.tune.security import Floor, Security
from m4alloc.tune.security_sizes import short
from m4alloc.tune.space import Knob, Space, SpaceError, told

EXACT = (16, 48, 112, 1024, 8192, 32768)
FLOOR = Floor.of("default")
WHOLE = Space.of(
    {"classes": [EXACT], "stack_depths": [(900, 300, 200, 100, 20, 16)], "slab_bytes": [(UNIT,) * 5 + (2 * UNIT,)]},
    allowed=FLOOR.admits,
)
ANY = Space.of()


def points_of(space: Space) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*(st.integers(0, len(knob.values) - 1) for knob in space.knobs))


@given(points_of(WHOLE))
@settings(max_examples=150, deadline=None)
def test_every_point_is_a_strategy_above_the_floor(point: tuple[int, ...]) -> None:
    strategy = WHOLE.strategy(point)
    assert FLOOR.admits(strategy)
    for values in (strategy.slab_bytes, strategy.stack_depths):
        assert not values or len(values) == len(strategy.classes)


@given(points_of(WHOLE), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_what_is_made_of_points_are_points(point: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    other = WHOLE.sample(rng)
    mutant, child = WHOLE.mutate(point, rng), WHOLE.crossover(point, other, rng)
    for made in (other, mutant, child):
        assert WHOLE.check(made) == made
    assert mutant != point
    assert all(value in pair for value, pair in zip(child, zip(point, other, strict=True), strict=True))


@given(points_of(ANY))
@settings(max_examples=100, deadline=None)
def test_the_strategy_of_a_point_is_its_own_nearest(point: tuple[int, ...]) -> None:
    strategy = ANY.strategy(point)
    assert ANY.strategy(ANY.point_of(strategy)) == strategy


@given(points_of(WHOLE))
@settings(max_examples=50, deadline=None)
def test_neighbours_differ_by_one_place_of_one_knob(point: tuple[int, ...]) -> None:
    neighbours = list(WHOLE.neighbours(point))
    assert len(neighbours) == len(set(neighbours))
    for other in neighbours:
        assert sum(abs(a - b) for a, b in zip(point, other, strict=True)) == 1
    inner = sum((i > 0) + (i < len(knob.values) - 1) for i, knob in zip(point, WHOLE.knobs, strict=True))
    assert len(neighbours) == inner


def test_the_default_point_is_the_base() -> None:
    base = Strategy(delay_line=24, slab_bytes=(131072,) * len(Strategy().classes), refill_batch=48)
    space = Space.of(base=base)
    assert space.strategy(space.default) == base
    assert space.seeds[0] == space.default


def test_every_policy_knob_of_a_strategy_has_a_menu() -> None:
    observing = {"history", "side_bytes", "sample_rate", "sample_slots"}
    surroundings = {"check_copies", "reserve", "representable", "tags"}
    fields = set(Strategy.__slots__) - observing - surroundings
    assert {"classes", *LADDERS} - {"large"} == fields


def test_suggestions_are_seeds_together_and_alone() -> None:
    strategies = [WHOLE.strategy(point) for point in WHOLE.seeds]
    assert strategies[0] == Strategy()
    found = Strategy(classes=EXACT, delay_bytes=64 << 10)  # 1,025 bytes get a slot of 8,192: 8 of them are to wait
    depths = (900, 300, 200, 100, 20, 16)
    assert strategies[1] == found.with_(stack_depths=depths, slab_bytes=(UNIT,) * 5 + (2 * UNIT,))
    assert found in strategies
    assert found.with_(stack_depths=depths) in strategies
    assert any(strategy.canaries for strategy in strategies)
    assert len(set(strategies)) == len(strategies)


def test_the_floor_takes_away_what_can_never_be_allowed_and_leaves_what_is_safer() -> None:
    lines = [knob.name for knob in WHOLE.knobs]
    assert "guard_empty" not in lines
    assert "guard_empty" in [knob.name for knob in ANY.knobs]
    assert 0 in ANY.knob("large_delay").values
    assert 0 not in WHOLE.knob("large_delay").values or FLOOR.admits(Strategy(large_delay=0, large_quarantine=1 << 30))
    assert WHOLE.knob("canaries").values == (False, True)
    assert max(WHOLE.knob("delay_line").values) > 16


def test_values_that_are_below_the_floor_together_are_lifted_or_left_out() -> None:
    floor = Floor.of("any", promise=16)
    space = Space.of(allowed=floor.admits)
    at = [knob.name for knob in space.knobs].index("delay_bytes")
    point = list(space.default)
    point[at] = 0
    # Nothing but delay_bytes can be less here, and the least that keeps the promise takes its place.
    assert space.strategy(tuple(point)).delay_bytes == 16 << 10


def test_the_hardened_floor_keeps_a_class_set_that_larger_slabs_and_more_guards_make_up_for() -> None:
    floor, base = Floor.of("hardened"), Strategy.hardened()
    classes = (16, 112, 1024, 4096, 8192, 32768)
    assert not floor.admits(base.with_(classes=classes, delay_bytes=2 << 20))
    space = Space.of({"classes": [classes]}, base=base, allowed=floor.admits)
    strategy = space.strategy(space.seeds[1])
    assert (strategy.classes, strategy.guard_slabs, len(strategy.slab_bytes)) == (classes, 1, 6)
    assert floor.admits(strategy)


@given(st.lists(st.integers(2, 2048), min_size=1, max_size=9, unique=True))
def test_slabs_as_random_have_as_many_slots_as_those_of_the_other_strategy(granules: list[int]) -> None:
    hardened = Strategy.hardened()
    classes = tuple(16 * one for one in sorted(granules))
    slabs = SlabsAsRandom(hardened)(classes)
    assume(max(slabs) < SLAB_MAX)
    mine = Security.of(hardened.with_(classes=classes, slab_bytes=slabs, delay_bytes=2 << 20)).entropy_fresh
    theirs = Security.of(hardened).entropy_fresh
    assert all(first > max(classes) for first, _, _, _ in short(mine, theirs))


def test_knobs_that_mean_nothing_are_as_the_base_has_them() -> None:
    names = [knob.name for knob in ANY.knobs]
    point = list(ANY.default)
    point[names.index("quarantine_random")] = 1
    assert ANY.strategy(tuple(point)) == Strategy()
    point[names.index("quarantine")] = ANY.knob("quarantine").values.index(8)
    assert ANY.strategy(tuple(point)) == Strategy(quarantine=8, quarantine_random=True)


@given(st.sampled_from(class_sets(Strategy().classes)), st.sampled_from(LADDERS["large"]))
def test_a_class_set_made_to_end_somewhere_ends_there(classes: tuple[int, ...], end: int) -> None:
    made = ending_at(classes, end)
    assert made[-1] == (end or classes[-1])
    assert list(made) == sorted(set(made)) and len(made) <= CLASSES_MAX and made[-1] <= CLASS_MAX
    assert all(size % PAGE == 0 for size in made if size > 32768)
    assert [size for size in made if size < min(made[-1], 32768)] == [s for s in classes if s < min(made[-1], 32768)]


@given(st.lists(st.integers(1, 2**16), min_size=1, max_size=60, unique=True), st.integers(1, 64))
def test_a_slab_rule_gives_whole_units_that_hold_a_slot(granules: list[int], slots: int) -> None:
    classes = sorted(16 * one for one in granules)
    given_for = (16, 4096, 65536)
    for rule in (SlabRule(slots), SlabsByClass(given_for, (UNIT, UNIT, 4 * UNIT))):
        found = rule(classes)
        assert len(found) == len(classes)
        assert all(one % UNIT == 0 and one >= size for one, size in zip(found, classes, strict=True))


def test_what_was_found_for_its_own_classes_is_given_back_as_it_was() -> None:
    assert ByClass((16, 64), (7, 9))((16, 64)) == (7, 9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Knob("placement", ()), "knob placement has no values"),
        (lambda: Knob("placement", (1, 1)), "knob placement has a value twice: 1, 1"),
        (lambda: Space((Knob("speed", (1, 2)),)), "there is no knob 'speed'"),
        (lambda: Space((Knob("placement", (0,)),) * 2), "a knob is in the space twice"),
        (
            lambda: Space.of(base=Strategy(delay_line=0), allowed=FLOOR.admits),
            "the strategy to begin with is below the security floor: delay_line=0",
        ),
        (lambda: ANY.check((0, 1)), f"a point of this space has {len(ANY.knobs)} indices, not 2"),
        (
            lambda: ANY.check((99,) * len(ANY.knobs)),
            f"classes has no value 99; its indices end at {len(ANY.knob('classes').values) - 1}",
        ),
        (
            lambda: Space.of({"stack_depths": [(1, 2, 3)]}),
            "stack_depths is suggested for 3 classes, and no class set has",
        ),
    ],
)
def test_misuse_is_told(make: object, message: str) -> None:
    with pytest.raises(SpaceError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value).startswith(message)


def test_told_tells_strategies_apart() -> None:
    rng = np.random.default_rng(3)
    strategies = {WHOLE.strategy(WHOLE.sample(rng)) for _ in range(200)}
    assert len({told(one) for one in strategies}) == len(strategies)
