"""Tests of m4alloc.tune.search."""

import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc import __version__
from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import MODEL, Evaluator, Objective
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.search import Campaign, search
from m4alloc.tune.search_state import NAME, SearchStateError
from m4alloc.tune.security import Floor
from m4alloc.tune.space import Knob, Point, Space
from tests.m4alloc.tune import faulty

EVALUATOR = Evaluator((example_workload(150), example_workload(150, seed=2, largest=30000)), simulate=example_simulate)
FLOOR = Floor.of("default")
SPACE = Space.of({"refill_batch": [256, 128]}, allowed=FLOOR.admits)


class After:
    """True once the campaign has so many evaluations; its `watch` counts them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.seen = 0

    def __bool__(self) -> bool:
        return self.seen >= self.count

    def watch(self, campaign: Campaign) -> None:
        self.seen = len(campaign.evaluations)


def same(one: Campaign, other: Campaign) -> None:
    assert one.evaluations == other.evaluations
    assert one.archive.front == other.archive.front
    assert one.course == other.course


@pytest.mark.parametrize("method", ["random", "climb", "evolve", "sweep", "nsga2", "portfolio"])
def test_the_budget_is_met_with_different_strategies_above_the_floor(method: str) -> None:
    campaign = search(SPACE, EVALUATOR, method=method, budget=45, workers=1)
    strategies = [one.strategy for one in campaign.evaluations]
    assert len(strategies) == len(set(strategies)) == 45
    assert all(FLOOR.admits(one) for one in strategies)
    assert strategies[: len(SPACE.seeds)] == [SPACE.strategy(point) for point in SPACE.seeds]
    assert not campaign.exhausted and not campaign.interrupted
    campaign.archive.check()


def test_the_course_never_falls_and_the_front_is_among_the_evaluations() -> None:
    campaign = search(SPACE, EVALUATOR, method="evolve", budget=60, workers=1)
    volumes = [volume for _, volume in campaign.course]
    assert volumes == sorted(volumes)
    assert campaign.course[-1] == (60, campaign.archive.hypervolume)
    assert all(one in campaign.evaluations for one in campaign.archive.front)


def test_without_seeds_none_is_evaluated_first() -> None:
    campaign = search(SPACE, EVALUATOR, method="random", budget=8, workers=1, seeded=False)
    assert Strategy() not in [one.strategy for one in campaign.evaluations]


def test_processes_change_nothing_about_the_result() -> None:
    alone = search(SPACE, EVALUATOR, method="portfolio", budget=40, seed=3, workers=1)
    same(search(SPACE, EVALUATOR, method="portfolio", budget=40, seed=3, workers=2), alone)
    assert search(SPACE, EVALUATOR, method="portfolio", budget=40, seed=4, workers=1).evaluations != alone.evaluations


@pytest.mark.parametrize("method", ["portfolio", "nsga2", pytest.param("tpe", marks=pytest.mark.campaign)])
def test_a_campaign_that_was_interrupted_and_goes_on_ends_as_if_it_had_not_been(tmp_path: Path, method: str) -> None:
    whole = search(SPACE, EVALUATOR, method=method, budget=40, seed=1, workers=1)
    stop = After(17)
    part = search(
        SPACE, EVALUATOR, method=method, budget=40, seed=1, workers=1, state=tmp_path, interrupts=stop, watch=stop.watch
    )
    assert part.interrupted and 17 <= len(part.evaluations) < 40
    assert part.evaluations == whole.evaluations[: len(part.evaluations)]
    # As if the machine had gone down in the middle of a line.
    file = tmp_path / NAME
    file.write_bytes(file.read_bytes()[:-40])
    calls = []

    def counting(workload: object, strategy: Strategy) -> object:
        calls.append(strategy)
        return example_simulate(workload, strategy)  # type: ignore[arg-type]

    counting.__module__, counting.__qualname__ = example_simulate.__module__, example_simulate.__qualname__
    again = replace(EVALUATOR, simulate=counting)  # type: ignore[arg-type]
    rest = search(SPACE, again, method=method, budget=40, seed=1, workers=1, state=tmp_path, resume=True)
    same(rest, whole)
    # Two workloads; the baseline, what was missing, and the one whose line was cut.
    assert len(calls) == 2 * (1 + 40 - (len(part.evaluations) - 1))


def test_a_campaign_can_be_extended_as_if_it_had_been_longer_from_the_start(tmp_path: Path) -> None:
    search(SPACE, EVALUATOR, method="climb", budget=21, workers=1, state=tmp_path)
    longer = search(SPACE, EVALUATOR, method="climb", budget=40, workers=1, state=tmp_path, resume=True)
    same(longer, search(SPACE, EVALUATOR, method="climb", budget=40, workers=1))


def test_the_state_of_another_campaign_is_refused(tmp_path: Path) -> None:
    search(SPACE, EVALUATOR, method="random", budget=5, workers=1, state=tmp_path)
    other = Evaluator((example_workload(151),), simulate=example_simulate)
    with pytest.raises(SearchStateError, match="the campaign there had another workloads: "):
        search(SPACE, other, method="random", budget=5, workers=1, state=tmp_path, resume=True)
    with pytest.raises(SearchStateError, match="another seed: 0, now it is 9"):
        search(SPACE, EVALUATOR, method="random", budget=5, seed=9, workers=1, state=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MODEL", 99, f"another model: {MODEL}, now it is 99"),
        ("__version__", "9.9", f'another version: "{__version__}", now it is "9.9"'),
    ],
)
def test_the_state_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object, message: str
) -> None:
    search(SPACE, EVALUATOR, method="random", budget=5, workers=1, state=tmp_path)
    monkeypatch.setattr(f"m4alloc.tune.evaluate.{name}", value)
    with pytest.raises(SearchStateError, match=re.escape(message)):
        search(SPACE, EVALUATOR, method="random", budget=5, workers=1, state=tmp_path, resume=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_sigint_ends_the_campaign_with_what_was_found(tmp_path: Path, workers: int) -> None:
    own = Evaluator((example_workload(50),), simulate=faulty.slow)

    def interrupt(campaign: Campaign) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    campaign = search(SPACE, own, method="climb", budget=50, workers=workers, state=tmp_path, watch=interrupt)
    assert campaign.interrupted
    assert 1 <= len(campaign.evaluations) < 50
    assert len(campaign.archive) >= 1
    assert (tmp_path / NAME).read_text().count("\n") == 1 + len(campaign.evaluations)


def test_a_failed_candidate_is_reported_and_the_campaign_goes_on() -> None:
    space = Space((Knob("placement", (0, 1, 2)), Knob("refill_batch", (8, 64))), Strategy())
    own = Evaluator((example_workload(50),), simulate=faulty.raising)
    campaign = search(space, own, method="random", budget=6, workers=1)
    assert len(campaign.evaluations) == 6
    assert {one.strategy.placement for one in campaign.failures} == {2}
    assert [one.failure for one in campaign.failures] == ["ArithmeticError: no such place"] * 2
    assert all(one.strategy.placement != 2 for one in campaign.archive.front)


def test_a_space_that_is_exhausted_ends_the_campaign() -> None:
    space = Space((Knob("placement", (0, 1, 2)),), Strategy())
    for method in ("random", "climb", "sweep", "evolve"):
        campaign = search(space, EVALUATOR, method=method, budget=50, workers=1)
        assert campaign.exhausted and not campaign.interrupted
        assert len(campaign.evaluations) == 3


def test_regret_is_against_the_best_that_was_found() -> None:
    own = replace(EVALUATOR, objective=Objective.REGRET)
    campaign = search(SPACE, own, method="climb", budget=60, workers=1)
    best = own.against(campaign.evaluations)
    assert best.best != ()
    assert best.rescored(campaign.evaluations) == campaign.evaluations
    [base] = [one for one in campaign.evaluations if one.strategy == Strategy()]
    assert (base.objectives.time, base.objectives.memory) == (1.0, 1.0)


def test_the_recommended_candidate_is_the_baseline_when_nothing_pays() -> None:
    campaign = search(SPACE, EVALUATOR, method="portfolio", budget=60, workers=1)
    base = EVALUATOR.scored(Strategy())
    chosen = campaign.recommended(base)
    assert chosen in campaign.archive.front
    assert chosen.objectives.time * chosen.objectives.memory < 0.95
    ideal = EVALUATOR.scored(chosen.strategy)
    assert campaign.recommended(
        replace(ideal, objectives=replace(ideal.objectives, time=0.1, memory=0.1))
    ).strategy == (chosen.strategy)


def test_a_method_that_leaves_the_space_is_told() -> None:
    class Astray:
        name = "astray"

        def ask(self, count: int, rng: object) -> list[Point]:
            return [(99,) * len(SPACE.knobs)]

        def tell(self, points: object, evaluations: object) -> None: ...

    with pytest.raises(ValueError, match="classes has no value 99"):
        search(SPACE, EVALUATOR, method=lambda space, seed: Astray(), budget=20, workers=1)


def test_the_line_tells_front_volume_and_best_values() -> None:
    lines = []
    search(SPACE, EVALUATOR, method="climb", budget=20, workers=1, watch=lambda one: lines.append(one.line()))
    assert lines[-1].startswith("climb: front of ")
    assert "hypervolume " in lines[-1] and "least time " in lines[-1] and ", memory " in lines[-1]
