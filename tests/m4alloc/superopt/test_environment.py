"""Tests of m4alloc.superopt.environment: as gymnasium wants it, repeatable, and paid for proofs alone."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from m4alloc.superopt.environment import SuperoptEnv
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.features import ACTION, FUNCTION, STOP
from m4alloc.superopt.ir import Function
from m4alloc.superopt.moves import price
from m4alloc.superopt.problem import Problem
from tests.m4alloc.superopt.rewriting_cases import ALREADY, FEW, LOWEST, PARTS, problem


def env(*texts: str, **options: object) -> SuperoptEnv:
    return SuperoptEnv([problem(text) for text in texts], rewriting=FEW, **options)  # type: ignore[arg-type]


def action_of(world: SuperoptEnv, rule: str) -> int:
    """The number of the first action that applies a rule."""
    return next(number for number, move in enumerate(world._moves, 1) if move.rule.name == rule)


def test_it_passes_the_checker_of_gymnasium() -> None:
    check_env(env(LOWEST, PARTS), skip_render_check=True)


def test_a_proved_drop_of_the_cost_is_the_reward() -> None:
    world = env(PARTS)
    _, info = world.reset(seed=0)
    assert info["cost"] == 3.0
    _, reward, ended, cut, info = world.step(action_of(world, "or and and"))
    assert reward == pytest.approx(2 / 3) and info["best"] == 1.0 and info["gain"] == pytest.approx(2 / 3)
    assert not ended and not cut
    function, steps = world.best
    assert [step.rule for step in steps] == ["or and and"]
    assert refines(world.problem.source, function).accepted
    assert world.step(STOP)[2]


def test_a_way_through_functions_that_are_no_cheaper_pays_at_its_end() -> None:
    world = env(LOWEST)
    world.reset(seed=0)
    first = world.step(action_of(world, "less by a part"))[1]
    second = world.step(action_of(world, "not of negative"))[1]
    assert first == 0.0 and second == pytest.approx(1 / 3)


def test_what_is_not_proved_earns_nothing() -> None:
    asked: list[Function] = []

    def never(problem: Problem, function: Function) -> bool:
        asked.append(function)
        return False

    world = env(PARTS, verify=never)
    world.reset(seed=0)
    _, reward, _, _, info = world.step(action_of(world, "or and and"))
    assert reward == 0.0 and info["best"] == 3.0 and world.best[1] == ()
    assert len(asked) == 1 == world.proofs == world.refused


def test_a_function_is_proved_once() -> None:
    world = env(PARTS)
    for _ in range(3):
        world.reset(seed=0)
        assert world.step(action_of(world, "or and and"))[1] > 0.0
    assert world.proofs == 1


def test_a_circle_of_rules_earns_nothing() -> None:
    world = env("define i8 @f(i8 noundef %x) { %a = add i8 %x, %x ret i8 %a }")
    world.reset(seed=0)
    earned = [world.step(action_of(world, name))[1] for name in ("double", "halve the double", "double")]
    assert earned == [0.0, 0.0, 0.0]


def test_the_mask_allows_what_there_is_and_to_stop() -> None:
    world = env(PARTS, actions=6)
    _, info = world.reset(seed=0)
    mask = world.action_masks()
    assert (mask == info["action_mask"]).all() and mask[STOP] and mask.sum() == 1 + len(world._moves)
    before = world.best[0]
    _, reward, ended, _, info = world.step(5)  # forbidden: it leads nowhere
    assert reward == 0.0 and not ended and info["steps"] == 0 and world.best[0] == before


def test_where_more_applies_than_there_are_actions_a_sample_is_offered() -> None:
    chain = "define i8 @f(i8 noundef %x) { %a = add i8 %x, %x %b = add i8 %a, %a %c = add i8 %b, %b ret i8 %c }"
    world = env(chain, actions=2)
    offered = set()
    for seed in range(20):
        world.reset(seed=seed)
        assert world.action_masks().sum() == 2
        offered.add(world._moves[0].at)
    assert len(offered) == 3


def test_the_same_seed_and_actions_give_the_same_episode() -> None:
    runs = []
    for _ in range(2):
        world, told = env(LOWEST, PARTS, ALREADY), []
        observation, _ = world.reset(seed=5)
        rng = np.random.default_rng(5)
        for _ in range(60):
            action = int(rng.choice(np.flatnonzero(world.action_masks())))
            observation, reward, ended, _, info = world.step(action)
            told.append((observation.tobytes(), reward, ended, info["task"]))
            if ended:
                world.reset()
        runs.append(told)
    assert runs[0] == runs[1]


def test_an_episode_ends_when_its_steps_are_used_up_and_says_how_many_are_left() -> None:
    world = env(PARTS, steps=2)
    observation, _ = world.reset(seed=0)
    assert observation[FUNCTION.index("steps left")] == 1.0
    observation, _, ended, _, _ = world.step(action_of(world, "or and and"))
    assert observation[FUNCTION.index("steps left")] == 0.5 and not ended
    assert world.step(1)[2]


def test_rows_are_what_the_vector_holds() -> None:
    world = env(PARTS, actions=8)
    observation, _ = world.reset(seed=0)
    function, actions, mask = world.rows()
    assert (observation[: len(FUNCTION)] == function).all()
    table = observation[len(FUNCTION) :].reshape(8, len(ACTION))
    assert (table[: len(mask)] == actions).all() and not table[len(mask) :].any()


def test_every_step_may_cost_something() -> None:
    world = env(ALREADY, penalty=0.01)
    world.reset(seed=0)
    assert world.step(STOP)[1] == -0.01


def test_bad_input_says_what_would_be_right() -> None:
    with pytest.raises(ValueError, match="there is no problem to learn from"):
        SuperoptEnv([], rewriting=FEW)
    with pytest.raises(ValueError, match="1 step and 2 actions at least"):
        env(PARTS, steps=0)
    with pytest.raises(ValueError, match="there is no problem 7: they are numbered 0 to 0"):
        env(PARTS).reset(options={"task": 7})


def test_the_price_is_in_the_unit_of_the_objective() -> None:
    one = problem(PARTS)
    assert price(one, one.source) == 3.0
    assert price(Problem(one.source, objective="instructions"), one.source) >= 1.0
