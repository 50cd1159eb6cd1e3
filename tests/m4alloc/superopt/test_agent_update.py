"""Tests of m4alloc.superopt.agent_update: steps with different numbers of actions are one batch, and all is used."""

from __future__ import annotations

import numpy as np

from m4alloc.superopt.agent import Agent
from m4alloc.superopt.agent_update import Lived, flat, imitate, laid_out, scores, update
from m4alloc.superopt.features import ACTION, FUNCTION
from m4alloc.tune.agent_ppo import Settings
from m4alloc.tune.network import Adam, forward

RNG = np.random.default_rng(0)


def lived(actions: int, chosen: int, reward: float = 0.0) -> Lived:
    """A step that ends its episode, with random features."""
    function = RNG.normal(size=len(FUNCTION)).astype(np.float32)
    told = RNG.normal(size=(actions, len(ACTION))).astype(np.float32)
    return Lived(function, told, chosen, reward, function, True, True)


STEPS = [lived(count, count // 3) for count in (2, 7, 1, 4)]


def test_the_scores_of_one_step_are_those_of_its_rows_in_a_batch() -> None:
    scorer = Agent.fresh(3).scorer
    inputs, mask = flat(STEPS)
    assert inputs.shape == (14, len(FUNCTION) + len(ACTION)) and mask.sum(axis=1).tolist() == [2, 7, 1, 4]
    table = laid_out(forward(scorer, inputs)[0][:, 0], mask)
    for row, step in zip(table, STEPS, strict=True):
        alone = scores(scorer, step.function.astype(np.float64), step.actions.astype(np.float64))
        assert np.allclose(row[: len(alone)], alone) and not row[len(alone) :].any()


def test_what_a_teacher_chose_becomes_likelier() -> None:
    scorer = Agent.fresh(3).scorer
    taught = imitate(scorer, Adam(1e-2), STEPS, np.random.default_rng(0), epochs=20)
    for step in STEPS:
        agents = (Agent(net, ()) for net in (scorer, taught))
        mask = np.ones(len(step.actions), np.bool_)
        before, after = (one.probabilities(step.function, step.actions, mask)[step.chosen] for one in agents)
        assert after >= before and (after > 0.8 or len(step.actions) == 1)


def test_what_paid_becomes_likelier_than_what_did_not() -> None:
    agent = Agent.fresh(3)
    told = RNG.normal(size=(3, len(ACTION))).astype(np.float32)
    function = np.zeros(len(FUNCTION), np.float32)
    steps = [Lived(function, told, number % 3, float(number % 3 == 1), function, True, True) for number in range(60)]
    settings = Settings(rate=1e-2, epochs=8, entropy=0.0)
    scorer, critic = update(
        agent.scorer, agent.critic, (Adam(1e-2), Adam(1e-2)), steps, settings, np.random.default_rng(0)
    )
    mask = np.ones(3, np.bool_)
    assert (
        agent.probabilities(function, told, mask)[1]
        < 0.4
        < 0.6
        < Agent(scorer, critic).probabilities(function, told, mask)[1]
    )
    value = forward(critic, function[None].astype(np.float64))[0][0, 0]
    assert 0.1 < value < 0.6  # a third of the steps paid 1
