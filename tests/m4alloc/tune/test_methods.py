"""Tests of m4alloc.tune.methods, methods_local and methods_optuna."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.archive import Archive, Reference
from m4alloc.tune.evaluate import Evaluator, Scored, failed
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.methods import METHODS, Method, MethodError, method_of
from m4alloc.tune.methods_local import DIRECTIONS, PATIENCE, Climb, Evolve, Sweep, merit
from m4alloc.tune.result import Objectives
from m4alloc.tune.space import Knob, Point, Space

EVALUATOR = Evaluator((example_workload(150),), simulate=example_simulate)
SPACE = Space.of()
SMALL = Space(
    (Knob("placement", (0, 1, 2)), Knob("refill_batch", (8, 64, 256)), Knob("stack_depth", (16, 1024))), Strategy()
)
OWN = [name for name in METHODS if name != "agent"]


def judge(space: Space, points: list[Point]) -> list[Scored]:
    return [EVALUATOR.scored(space.strategy(point)) for point in points]


def course(method: Method, space: Space, rounds: int, seed: int = 0, seeds: bool = True) -> list[Point]:
    """All that a method asks for, when it is told what that is worth."""
    rng = np.random.default_rng(seed)
    asked = list(space.seeds) if seeds else []
    method.tell(asked, judge(space, asked))
    for _ in range(rounds):
        points = method.ask(4, rng)
        method.tell(points, judge(space, points))
        asked.extend(points)
    return asked


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("seeds", [True, False])
def test_a_method_asks_for_points_of_its_space_and_the_same_for_the_same_seed(name: str, seeds: bool) -> None:
    first = course(method_of(name, SPACE, 3), SPACE, 4, seed=5, seeds=seeds)
    assert all(SPACE.check(point) == point for point in first)
    assert len(first) > 8
    assert course(method_of(name, SPACE, 3), SPACE, 4, seed=5, seeds=seeds) == first


@pytest.mark.parametrize("name", sorted(set(OWN) - {"sweep"}))
def test_another_seed_asks_for_other_points(name: str) -> None:
    first = course(method_of(name, SPACE, 1), SPACE, 4, seed=1)
    assert course(method_of(name, SPACE, 2), SPACE, 4, seed=2) != first


@pytest.mark.parametrize("name", OWN)
def test_a_method_goes_on_when_candidates_fail(name: str) -> None:
    method = method_of(name, SPACE, 0)
    rng = np.random.default_rng(0)
    for turn in range(4):
        points = method.ask(4, rng)
        assert points
        worth = judge(SPACE, points)
        method.tell(points, [failed(one.strategy, "lost") if turn % 2 else one for one in worth])


@pytest.mark.parametrize("name", OWN)
def test_a_method_has_its_name(name: str) -> None:
    assert method_of(name, SMALL, 0).name == name


def test_a_method_can_be_given_by_what_makes_it() -> None:
    assert isinstance(method_of(Climb, SMALL, 0), Climb)


def test_an_unknown_method_is_told() -> None:
    with pytest.raises(MethodError) as caught:
        method_of("annealing", SMALL, 0)
    assert str(caught.value) == f"there is no method 'annealing'; there are {', '.join(METHODS)}"


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    for name in ("nsga2", "tpe"):
        with pytest.raises(ModuleNotFoundError) as caught:
            method_of(name, SMALL, 0)
        assert str(caught.value) == "this method needs optuna: pip install 'm4alloc[tune]'"


@pytest.mark.parametrize("name", ["sweep", "climb", "evolve", "portfolio"])
def test_a_small_space_is_searched_to_its_optimum(name: str) -> None:
    asked = course(method_of(name, SMALL, 0), SMALL, 30)
    every = [(a, b, c) for a in range(3) for b in range(3) for c in range(2)]
    for direction in DIRECTIONS[:3]:
        best = min(merit(one.objectives, direction) for one in judge(SMALL, every))
        assert min(merit(one.objectives, direction) for one in judge(SMALL, asked)) == pytest.approx(best)


@pytest.mark.parametrize("name", ["climb", "evolve", "nsga2", "portfolio"])
def test_a_method_is_better_than_random_search_without_seeds(name: str) -> None:
    def volume(asked: list[Point]) -> float:
        archive = Archive(Reference.of(Strategy()))
        for one in judge(SPACE, list(dict.fromkeys(asked))[:100]):
            archive.add(one)
        return archive.hypervolume

    random = volume(course(method_of("random", SPACE, 0), SPACE, 25, seeds=False))
    assert volume(course(method_of(name, SPACE, 0), SPACE, 25)) > random


def test_a_sweep_of_separate_knobs_is_exact_after_one_pass() -> None:
    def separate(strategy: Strategy) -> Scored:
        time = 1 + abs(strategy.refill_batch - 256) / 1000 + strategy.placement / 10 + (strategy.stack_depth == 16)
        return Scored(strategy, Objectives(time, 1.0, 4.0))

    sweep, rng = Sweep(SMALL), np.random.default_rng(1)
    sweep.tell([SMALL.default], [separate(SMALL.strategy(SMALL.default))])
    for _ in range(3 + 3 + 2):
        points = sweep.ask(1, rng)
        sweep.tell(points, [separate(SMALL.strategy(point)) for point in points])
    best = sweep.best(DIRECTIONS[0])
    assert best is not None
    assert SMALL.strategy(best) == Strategy(refill_batch=256)


def test_a_climb_that_comes_no_further_begins_anew_elsewhere() -> None:
    flat = Objectives(1.0, 1.0, 4.0)
    climb, rng = Climb(SPACE), np.random.default_rng(0)
    climb.tell([SPACE.default], [Scored(Strategy(), flat)])
    turns = 0
    alone = 0
    for _ in range(3 * len(DIRECTIONS) * PATIENCE // 4):
        points = climb.ask(4, rng)
        alone += len(points) == 1
        turns += 1
        climb.tell(points, [Scored(SPACE.strategy(point), flat) for point in points])
    # A restart from a random point asks for that point alone.
    assert 0 < alone < turns


def test_parents_are_chosen_from_the_front() -> None:
    evolve, rng = Evolve(SMALL), np.random.default_rng(0)
    good, bad = (2, 2, 1), (0, 0, 0)
    worth = replace(EVALUATOR.scored(Strategy()), objectives=Objectives(0.5, 0.5, 9.0))
    evolve.tell([bad, good], [EVALUATOR.scored(Strategy()), worth])
    assert evolve.front() == [good]
    assert all(point != good for point in evolve.ask(5, rng))


def test_a_repeated_ask_of_optuna_is_told_once() -> None:
    space = Space((Knob("placement", (0, 1)),), Strategy())
    for name in ("tpe", "nsga2"):
        asked = course(method_of(name, space, 0), space, 6)
        assert set(asked) == {(0,), (1,)}
