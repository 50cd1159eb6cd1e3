"""How the agent that rewrites learns from what it did: PPO over a number of actions that differs from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from m4alloc.superopt.features import Row
from m4alloc.tune.agent_ppo import Settings, advantages, policy_loss, value_loss
from m4alloc.tune.network import Adam, Layers, Mask, Matrix, backward, clipped, forward, log_probabilities


@dataclass(frozen=True, slots=True, eq=False)
class Lived:
    """One step: what was told of the function and of the allowed actions, what was chosen, and what came of it.

    after: what was told of the function afterwards. terminated: nothing can be earned after the step. ended: the next
    step belongs to another episode.
    """

    function: Row
    actions: Row
    chosen: int
    reward: float
    after: Row
    terminated: bool
    ended: bool


def scores(scorer: Layers, function: Matrix, actions: Matrix) -> Matrix:
    """The score of each action; the function's own part of the first layer is computed once."""
    known = len(function)
    first = np.tanh(actions @ scorer[0][known:] + (function @ scorer[0][:known] + scorer[1]))
    found: Matrix = (np.tanh(first @ scorer[2] + scorer[3]) @ scorer[4] + scorer[5])[:, 0]
    return found


def flat(steps: Sequence[Lived]) -> tuple[Matrix, Mask]:
    """Every action of every step as one row of inputs, and where these stand in a table of steps by actions."""
    inputs = np.concatenate(
        [
            np.hstack([np.broadcast_to(one.function, (len(one.actions), len(one.function))), one.actions])
            for one in steps
        ]
    ).astype(np.float64)
    counts = np.array([len(one.actions) for one in steps])
    return inputs, np.arange(counts.max())[None] < counts[:, None]


def laid_out(values: Matrix, mask: Mask) -> Matrix:
    """The values of the actions as a table, one row a step."""
    table = np.zeros(mask.shape)
    table[mask] = values
    return table


def update(
    scorer: Layers,
    critic: Layers,
    steppers: tuple[Adam, Adam],
    steps: Sequence[Lived],
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Layers, Layers]:
    """Both networks after some epochs over the steps; steppers: of the scorer and of the critic."""
    functions = np.array([one.function for one in steps], np.float64)
    values = forward(critic, functions)[0][:, 0]
    following = forward(critic, np.array([one.after for one in steps], np.float64))[0][:, 0]
    rewards = np.array([one.reward for one in steps])
    terminated, ended = np.array([one.terminated for one in steps]), np.array([one.ended for one in steps])
    gains = advantages(rewards, values, following, terminated, ended, settings.discount, settings.trace)
    goals = gains + values
    gains = (gains - gains.mean()) / (gains.std() + 1e-8)
    chosen = np.array([one.chosen for one in steps], np.int64)
    before = _logs(scorer, steps, chosen)
    for _ in range(settings.epochs):
        order = rng.permutation(len(steps))
        for start in range(0, len(steps), settings.batch):
            some = order[start : start + settings.batch]
            inputs, mask = flat([steps[at] for at in some])
            outputs, cache = forward(scorer, inputs)
            _, slopes = policy_loss(
                laid_out(outputs[:, 0], mask),
                mask,
                chosen[some],
                before[some],
                gains[some],
                settings.clip,
                settings.entropy,
            )
            gradient = backward(scorer, cache, slopes[mask][:, None])
            scorer = steppers[0].step(scorer, clipped(gradient, settings.longest))
            guesses, cache = forward(critic, functions[some])
            _, slopes = value_loss(guesses, goals[some])
            critic = steppers[1].step(critic, clipped(backward(critic, cache, slopes), settings.longest))
    return scorer, critic


def imitate(
    scorer: Layers, stepper: Adam, steps: Sequence[Lived], rng: np.random.Generator, *, epochs: int = 4, batch: int = 64
) -> Layers:
    """The scorer after it was shown what a teacher chose: cross-entropy over the allowed actions."""
    chosen = np.array([one.chosen for one in steps], np.int64)
    for _ in range(epochs):
        order = rng.permutation(len(steps))
        for start in range(0, len(steps), batch):
            some = order[start : start + batch]
            inputs, mask = flat([steps[at] for at in some])
            outputs, cache = forward(scorer, inputs)
            slopes = np.exp(log_probabilities(laid_out(outputs[:, 0], mask), mask))
            slopes[np.arange(len(some)), chosen[some]] -= 1.0
            scorer = stepper.step(scorer, backward(scorer, cache, slopes[mask][:, None] / len(some)))
    return scorer


def _logs(scorer: Layers, steps: Sequence[Lived], chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Matrix:
    """Logarithms of the probabilities of what was chosen."""
    inputs, mask = flat(steps)
    logs = log_probabilities(laid_out(forward(scorer, inputs)[0][:, 0], mask), mask)
    found: Matrix = logs[np.arange(len(steps)), chosen]
    return found
