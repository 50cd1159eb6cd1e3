"""How the built-in agent learns from what it did: advantages, the clipped objective, and its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.tune.network import (
    Adam,
    Layers,
    Mask,
    Matrix,
    backward,
    clipped,
    entropy_and_slopes,
    forward,
    log_probabilities,
)

Actions = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What decides how the agent learns; the defaults suit episodes of tens of steps.

    rollout: steps between two updates. epochs, batch: passes over them, and examples a step of Adam. discount: worth of
    a reward one step later. trace: of an error in the value one step later (GAE's lambda). clip: how far an update may
    move the probability of what was done. entropy: worth of a nat. rate: of Adam. longest: of a gradient. hidden: width
    of both hidden layers.
    """

    rollout: int = 256
    epochs: int = 6
    batch: int = 64
    discount: float = 0.99
    trace: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    rate: float = 1e-3
    longest: float = 0.5
    hidden: int = 64


@dataclass(frozen=True, slots=True)
class Experience:
    """Steps in the order in which they were done, one row a step.

    following: the observation after the step, also where an episode ended. terminated: nothing can be earned after the
    step. ended: the next row belongs to another episode. logs: logarithm of the probability of the action when it was
    chosen.
    """

    observations: Matrix
    masks: Mask
    actions: Actions
    rewards: Matrix
    following: Matrix
    terminated: Mask
    ended: Mask
    logs: Matrix

    def __len__(self) -> int:
        return len(self.actions)


def advantages(
    rewards: Matrix, values: Matrix, next_values: Matrix, terminated: Mask, ended: Mask, discount: float, trace: float
) -> Matrix:
    """How much better than expected each step was: generalised advantage estimation (Schulman et al., 2016).

    With trace 1 it is what was earned from there on, less what was expected; with trace 0 the error of one step.

    >>> ended = np.array([False, True])
    >>> advantages(np.array([1.0, 1.0]), np.zeros(2), np.zeros(2), ended, ended, 0.5, 1.0)
    array([1.5, 1. ])
    """
    errors = rewards + discount * next_values * ~terminated - values
    found = np.zeros_like(errors)
    running = 0.0
    for at in range(len(errors) - 1, -1, -1):
        running = float(errors[at]) + (0.0 if ended[at] else discount * trace * running)
        found[at] = running
    return found


def policy_loss(
    logits: Matrix, masks: Mask, actions: Actions, old: Matrix, gains: Matrix, clip: float, entropy: float
) -> tuple[float, Matrix]:
    """The clipped objective with an entropy bonus (PPO, Schulman et al., 2017), as a loss, and its gradient by logits.

    old: logarithms of the actions' probabilities when they were chosen. gains: their advantages.
    """
    rows = np.arange(len(actions))
    logs = log_probabilities(logits, masks)
    ratios = np.exp(logs[rows, actions] - old)
    bounded = np.clip(ratios, 1 - clip, 1 + clip)
    spread, spread_slopes = entropy_and_slopes(logs)
    loss = -float(np.minimum(ratios * gains, bounded * gains).mean()) - entropy * float(spread.mean())
    # Where the bounded term is the lesser one it is constant: nothing is to be gained by going further.
    moving = ratios * gains <= bounded * gains
    by_log = -(ratios * gains * moving) / len(actions)
    slopes = -np.exp(logs) * by_log[:, None]
    slopes[rows, actions] += by_log
    return loss, slopes - entropy * spread_slopes / len(actions)


def value_loss(values: Matrix, goals: Matrix) -> tuple[float, Matrix]:
    """Half the mean squared error, and its gradient by the values (a column)."""
    errors = values[:, 0] - goals
    return 0.5 * float((errors**2).mean()), (errors / len(goals))[:, None]


def update(
    actor: Layers,
    critic: Layers,
    steppers: tuple[Adam, Adam],
    steps: Experience,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[Layers, Layers]:
    """Both networks after some epochs over the experience; steppers: of the actor and of the critic."""
    values = forward(critic, steps.observations)[0][:, 0]
    next_values = forward(critic, steps.following)[0][:, 0]
    gains = advantages(
        steps.rewards, values, next_values, steps.terminated, steps.ended, settings.discount, settings.trace
    )
    goals = gains + values
    gains = (gains - gains.mean()) / (gains.std() + 1e-8)
    for _ in range(settings.epochs):
        order = rng.permutation(len(steps))
        for start in range(0, len(steps), settings.batch):
            some = order[start : start + settings.batch]
            logits, cache = forward(actor, steps.observations[some])
            _, slopes = policy_loss(
                logits,
                steps.masks[some],
                steps.actions[some],
                steps.logs[some],
                gains[some],
                settings.clip,
                settings.entropy,
            )
            actor = steppers[0].step(actor, clipped(backward(actor, cache, slopes), settings.longest))
            guesses, cache = forward(critic, steps.observations[some])
            _, slopes = value_loss(guesses, goals[some])
            critic = steppers[1].step(critic, clipped(backward(critic, cache, slopes), settings.longest))
    return actor, critic
