"""The network's gradients are those of its loss, its distributions are distributions, and Adam goes downhill."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from m4alloc.tune.agent_ppo import policy_loss, value_loss
from m4alloc.tune.network import (
    Adam,
    Layers,
    backward,
    clipped,
    entropy_and_slopes,
    forward,
    layers,
    log_probabilities,
)

STEP = 1e-6


def by_differences(net: Layers, loss: Callable[[Layers], float]) -> Layers:
    """The gradient of a loss by every weight, from its differences."""
    found = []
    for number, part in enumerate(net):
        slopes = np.zeros_like(part)
        for at in np.ndindex(*part.shape):
            values = []
            for change in (STEP, -STEP):
                moved = part.copy()
                moved[at] += change
                values.append(loss((*net[:number], moved, *net[number + 1 :])))
            slopes[at] = (values[0] - values[1]) / (2 * STEP)
        found.append(slopes)
    return tuple(found)


def agree(mine: Layers, other: Layers) -> None:
    for left, right in zip(mine, other, strict=True):
        assert left.shape == right.shape
        assert np.allclose(left, right, atol=1e-7, rtol=1e-5)
    assert max(float(np.abs(part).max()) for part in other) > 1e-3, "a gradient of nothing shows nothing"


@pytest.mark.parametrize("seed", range(4))
def test_the_gradient_of_the_clipped_objective_is_that_of_finite_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = layers(5, 6, 4, rng)
    rows = rng.standard_normal((12, 5))
    masks = rng.random((12, 4)) < 0.7
    masks[:, 1] = True
    actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
    gains = rng.standard_normal(12)
    own = log_probabilities(forward(net, rows)[0], masks)[np.arange(12), actions]
    # Some ratios within the clip, some far outside on either side.
    old = own + rng.choice([-1.0, -0.05, 0.05, 1.0], 12)

    def loss(other: Layers) -> float:
        return policy_loss(forward(other, rows)[0], masks, actions, old, gains, 0.2, 0.03)[0]

    logits, cache = forward(net, rows)
    _, slopes = policy_loss(logits, masks, actions, old, gains, 0.2, 0.03)
    agree(backward(net, cache, slopes), by_differences(net, loss))


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_the_value_is_that_of_finite_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = layers(3, 5, 1, rng)
    rows, goals = rng.standard_normal((9, 3)), rng.standard_normal(9)
    guesses, cache = forward(net, rows)
    _, slopes = value_loss(guesses, goals)
    agree(
        backward(net, cache, slopes),
        by_differences(net, lambda other: value_loss(forward(other, rows)[0], goals)[0]),
    )


def test_the_slopes_of_the_entropy_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    logits, masks = rng.standard_normal((3, 4)), np.array([[True] * 4, [True, False, True, True], [True, True] * 2])

    def total(some: np.ndarray) -> float:
        return float(entropy_and_slopes(log_probabilities(some, masks))[0].sum())

    _, slopes = entropy_and_slopes(log_probabilities(logits, masks))
    for at in np.ndindex(*logits.shape):
        change = np.zeros_like(logits)
        change[at] = STEP
        assert slopes[at] == pytest.approx((total(logits + change) - total(logits - change)) / (2 * STEP), abs=1e-7)


def test_what_a_mask_forbids_has_probability_zero_and_no_gradient() -> None:
    logits = np.array([[50.0, 0.0, 1.0]])
    mask = np.array([[False, True, True]])
    chances = np.exp(log_probabilities(logits, mask))
    assert chances[0, 0] == 0.0 and chances.sum() == pytest.approx(1.0)
    _, slopes = policy_loss(logits, mask, np.array([1]), np.array([-1.0]), np.array([1.0]), 0.2, 0.1)
    assert slopes[0, 0] == 0.0 and slopes[0, 1] != 0.0


def test_orthogonal_weights_keep_lengths() -> None:
    net = layers(8, 8, 2, np.random.default_rng(3))
    assert np.allclose(net[2] @ net[2].T, 2 * np.eye(8))


def test_adam_finds_the_least_of_a_square_and_leaves_what_it_was_given() -> None:
    net: Layers = (np.array([3.0, -2.0]),)
    first, stepper = net, Adam(rate=0.1)
    for _ in range(400):
        net = stepper.step(net, (2 * (net[0] - 1.0),))
    assert np.allclose(net[0], 1.0, atol=1e-2)
    assert first[0].tolist() == [3.0, -2.0]


def test_a_short_gradient_is_not_lengthened() -> None:
    assert clipped((np.array([0.3]),), 1.0)[0].tolist() == [0.3]


def test_a_network_learns_a_function_that_is_not_linear() -> None:
    rng = np.random.default_rng(1)
    rows = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    goals = np.array([0.0, 1.0, 1.0, 0.0])
    net, stepper = layers(2, 8, 1, rng), Adam(rate=0.02)
    for _ in range(400):
        guesses, cache = forward(net, rows)
        net = stepper.step(net, backward(net, cache, value_loss(guesses, goals)[1]))
    assert value_loss(forward(net, rows)[0], goals)[0] < 0.01
