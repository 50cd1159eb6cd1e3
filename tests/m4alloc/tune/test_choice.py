"""The choice: who runs, who wins, and where the search begins."""

from __future__ import annotations

import pytest

from m4alloc.bench.statistic import Spread
from m4alloc.strategy import Strategy, StrategyError
from m4alloc.tune.choice import LEAST_GAIN, PROBES, admitted, lifted, probes, ranking, runners, worth
from m4alloc.tune.measure import Decision, Measured, Row
from m4alloc.tune.security import Floor
from spec.model.system import Verdict
from tests.m4alloc.tune.report_cases import GOOD, even, tried


def race(figures: dict[str, tuple[float, float]], worse: str = "", dropped: tuple[str, ...] = ()) -> Measured:
    """The product of a race: CPU time and peak memory of each, as ratios."""
    ratios: dict[str, dict[str, Spread]] = {n: {"cpu": even(c), "peak": even(p)} for n, (c, p) in figures.items()}
    rows = tuple(Row(name, "tuned", "", one, one) for name, one in ratios.items())
    decisions = tuple(Decision(name, {"cpu": "worse"} if name == worse else {}, False, "") for name in figures)
    return Measured((), {}, 6, rows, decisions, dropped=dropped)


def test_the_best_of_the_race_is_by_what_is_preferred() -> None:
    found = race({"fast": (0.8, 1.0), "small": (1.0, 0.7), "both": (0.85, 0.8)})
    assert ranking(found, "time") == ["fast", "both"]
    assert ranking(found, "memory") == ["small", "both"]
    assert ranking(found, "balanced") == ["both", "small", "fast"]


def test_who_is_worse_or_left_or_gains_nothing_does_not_win() -> None:
    found = race(
        {"worse": (0.5, 1), "left": (0.5, 1), "even": (1 - LEAST_GAIN / 2, 1), "good": (0.9, 1)}, "worse", ("left",)
    )
    assert ranking(found, "balanced") == ["good"]


def test_only_what_is_verified_and_promises_something_runs() -> None:
    ones = [
        tried("good", GOOD, 0.9, 1.0),
        tried("even", GOOD, 0.995, 1.0),
        tried("bad", GOOD, 0.5, 1.0, Verdict.VIOLATED),
        tried("open", GOOD, 0.5, 1.0, Verdict.EXHAUSTED),
        tried("probe: prefault", GOOD, 1.2, 1.0),
    ]
    assert [one.name for one in admitted(ones)] == ["good", "probe: prefault"]
    assert worth(ones[0]) == pytest.approx(0.1)


@pytest.mark.parametrize("proposed", range(9))
def test_of_a_long_program_there_are_five_runners_at_most(proposed: int) -> None:
    assert sum(runners(proposed, 2.5)) <= 5 and sum(runners(proposed, 1.0)) <= 10
    assert all(
        kept <= proposed and more <= len(PROBES) for kept, more in (runners(proposed, 2.5), runners(proposed, 1))
    )


def test_probes_keep_the_floor() -> None:
    for floor in (Floor.of("default"), Floor.of("hardened")):
        base = lifted(Strategy(), floor)
        assert all(floor.admits(one) and one != base for one in probes(base, floor).values())


@pytest.mark.parametrize("name", ["default", "hardened", "any"])
@pytest.mark.parametrize("promise", [0, 32, 1000])
def test_the_search_begins_at_a_strategy_that_the_floor_admits(name: str, promise: int) -> None:
    floor = Floor.of(name, promise=promise)
    assert floor.admits(lifted(Strategy(), floor))


def test_a_promise_that_no_strategy_keeps_is_refused() -> None:
    with pytest.raises(StrategyError, match=r"^no strategy to begin with keeps the floor: promise of 5000 frees"):
        lifted(Strategy(), Floor.of("default", promise=5000))
