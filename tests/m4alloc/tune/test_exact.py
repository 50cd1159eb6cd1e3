"""The exact answers together: distances and suggestions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings

from m4alloc.strategy import Strategy
from m4alloc.tune.curves import ClassRules, Prices, Weight, representable_size, strategy_depths
from m4alloc.tune.exact import PHASES, Exact, exact
from m4alloc.tune.example import example_workload
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads

KNOBS = ("classes", "slab_bytes", "footprint", "stack_depths", "delay_line", "retain_ms", "retain_bytes")
EXAMPLE = Exact(example_workload(3000))


class Told:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, int | None]] = []
        self.done: list[int] = []

    def phase(self, name: str, total: int | None = None) -> None:
        self.phases.append((name, total))

    def advance(self, done: int) -> None:
        self.done.append(done)

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None: ...


@given(workloads())
@settings(max_examples=25, deadline=None)
def test_no_strategy_is_better_than_an_optimum(work: Workload) -> None:
    answers = exact(work)
    for strategy in (Strategy(), Strategy(delay_line=0, stack_depth=16), Strategy(classes=(64, 1024, 32768))):
        distances = answers.distances(strategy)
        assert tuple(distance.knob for distance in distances) == KNOBS
        for distance in distances:
            assert distance.value >= distance.optimum - 1e-9, distance
            assert distance.ratio >= 1 - 1e-9
            assert distance.why.startswith(f"{distance.knob}: ")


def test_the_best_classes_are_at_no_distance() -> None:
    best = EXAMPLE.classes.classes(20)
    first, *_ = EXAMPLE.distances(Strategy(classes=best))
    assert (first.knob, first.unit, first.bound) == ("classes", "share", False)
    assert first.ratio == pytest.approx(1.0)
    assert EXAMPLE.distances(Strategy())[0].ratio > 1.2


def test_a_cheaper_timer_and_limit_are_suggested_where_memory_lies_idle() -> None:
    calls = [(Kind.ALLOCATE, n, 1 << 24, 0) for n in range(1, 5)] + [(Kind.FREE, n, 0, 0) for n in range(1, 5)]
    calls += [(Kind.ALLOCATE, 1, 16, 0)]
    answers = exact(workload(calls, [*range(8), 10**6]))
    found = answers.suggestions()
    assert found["retain_ms"] == [0]  # nothing is used again
    assert found["retain_bytes"][0] == 0
    default = {distance.knob: distance for distance in answers.distances(Strategy())}
    tuned = Strategy(retain_ms=0, retain_bytes=0, retain_share=0)
    for distance in answers.distances(tuned):
        if distance.knob in ("retain_ms", "retain_bytes"):
            assert distance.value < default[distance.knob].value


def test_no_division_of_the_bytes_of_stacks_that_is_found_is_worse_than_the_strategys_own() -> None:
    # Every depth matters, and none is a corner: more depths than the knapsack looks at.
    calls = [call for _ in range(2) for kind in (Kind.ALLOCATE, Kind.FREE) for call in _swing(kind, 3000)]
    (stacks,) = [one for one in exact(workload(calls)).distances(Strategy(delay_line=0)) if one.knob == "stack_depths"]
    assert stacks.optimum == stacks.value > 0


def _swing(kind: Kind, height: int) -> list[tuple[Kind, int, int, int]]:
    return [(kind, n + 1, 16 if kind is Kind.ALLOCATE else 0, 0) for n in range(height)]


def test_suggestions_are_values_of_a_strategy() -> None:
    found = EXAMPLE.suggestions()
    for classes in found["classes"]:
        assert Strategy(classes=classes).classes == classes
    for knob in ("retain_ms", "retain_bytes", "delay_line"):
        for value in found.get(knob, ()):
            assert getattr(Strategy(**{knob: value}), knob) == value
    count = len(found["classes"][0])
    assert all(len(depths) == count for depths in found["stack_depths"])
    assert all(16 <= depth <= 65536 for depths in found["stack_depths"] for depth in depths)
    assert all(len(sizes) == count for sizes in found["slab_bytes"])
    counts = [len(classes) for classes in found["classes"]]
    assert found["classes"][counts.index(count)] == found["classes"][0]


def test_a_longer_line_is_suggested_where_it_costs_next_to_nothing() -> None:
    assert "delay_line" not in EXAMPLE.suggestions()
    calls = [(Kind.ALLOCATE, 1, 1 << 24, 0)]
    calls += [call for n in range(2, 200) for call in ((Kind.ALLOCATE, n, 16, 0), (Kind.FREE, n, 0, 0))]
    assert exact(workload(calls)).suggestions()["delay_line"] == [4096, 2048, 1024]


def test_suggestions_for_capabilities_are_representable() -> None:
    answers = Exact(example_workload(500), base=Strategy(representable="cheriot"))
    for classes in answers.suggestions()["classes"]:
        assert all(representable_size(size, "cheriot") == size for size in classes)


def test_class_sets_come_in_the_order_of_their_slabs_at_the_peak() -> None:
    sets = EXAMPLE.class_sets((8, 16, 64))
    # There are 44 sizes; and classes cost more than the little that they save here.
    assert [len(classes) for classes in sets] == [8, 16, 44]
    wasted = [EXAMPLE.demand_at_peak.waste(classes) for classes in sets]
    assert wasted == sorted(wasted, reverse=True)
    grid = EXAMPLE.class_sets((16,), ClassRules(subdivisions=4, forced=(32768,)))
    assert all(size % max(1, (1 << size.bit_length() - 1) // 4) == 0 for size in grid[0])


def test_a_distance_says_what_it_found() -> None:
    why = {distance.knob: distance.why for distance in EXAMPLE.distances(Strategy())}
    assert why["footprint"].endswith(", a bound for any allocator")
    assert " with the same " in why["stack_depths"]
    assert ", up to 16 of a class and thread; " in why["delay_line"]


def test_a_thread_more_has_a_line_of_its_own() -> None:
    work = example_workload(3000)
    work.thread[::2] = 1
    two = Exact(Workload(**{**{name: getattr(work, name) for name in Workload.__dataclass_fields__}, "threads": 2}))
    (line,) = [distance for distance in two.distances(Strategy()) if distance.knob == "delay_line"]
    assert line.ratio > 1.5
    (alone,) = [distance for distance in EXAMPLE.distances(Strategy()) if distance.knob == "delay_line"]
    assert alone.ratio == 1.0


def test_with_progress_everything_is_worked_out_at_once() -> None:
    told = Told()
    answers = exact(example_workload(100), progress=told)
    assert told.phases == [("exact answers", len(PHASES))]
    assert told.done == list(range(1, len(PHASES) + 1))
    assert all(phase in vars(answers) for phase in PHASES)
    assert "live" not in vars(exact(example_workload(100)))


def test_an_empty_workload_is_at_its_optimum() -> None:
    for distance in exact(workload([])).distances(Strategy()):
        assert distance.value == distance.optimum == 0
        assert distance.ratio == 1.0
    assert "classes" not in exact(workload([])).suggestions()  # one class of 32,768 could not keep the delay line


def test_an_unaffordable_optimum_is_at_an_infinite_distance() -> None:
    free = Exact(example_workload(300), prices=Prices(fault=0.0, release=0.0, held=0.0))
    assert [row.ratio for row in free.distances(Strategy()) if row.knob == "retain_ms"] == [1.0]
    assert math.isinf(free.prices.break_even_ms)
    assert free.demand.total == sum(free.demand.bytes)
    assert Weight.TIME == "time"
    assert strategy_depths(free.base)[0] == 1024
