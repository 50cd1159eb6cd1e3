"""The agent learns what can be learned, the same each time; its weights go to a file and back, and no others do."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from m4alloc.check.progress import Silent
from m4alloc.tune.agent import Agent, AgentError, clone, masks_of, sizes_of, train
from m4alloc.tune.agent_ppo import Settings, advantages


class Corridor(gymnasium.Env[np.ndarray, np.int64]):
    """Nine places in a row, the middle one first; the right end is worth 1, and every step costs a little."""

    def __init__(self, masked: bool = False) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 1, (9,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(3)
        self.masked = masked
        self.place, self.left = 4, 0

    def _seen(self) -> np.ndarray:
        return np.eye(9, dtype=np.float32)[self.place]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.left = 4, 20
        return self._seen(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        assert not (self.masked and action == 2), "a forbidden action was done"
        self.place = min(max(self.place + (-1, 1, 0)[int(action)], 0), 8)
        self.left -= 1
        return self._seen(), -0.01 + (self.place == 8), self.place == 8, self.left == 0, {}

    def action_masks(self) -> np.ndarray:
        return np.array([True, True, not self.masked])


def mean_return(env: Corridor, agent: Agent, episodes: int = 40) -> float:
    rng, total = np.random.default_rng(99), 0.0
    for number in range(episodes):
        seen, _ = env.reset(seed=number)
        ended = False
        while not ended:
            seen, reward, terminated, truncated, _ = env.step(agent.act(seen, masks_of(env, 3), rng))
            total += reward / episodes
            ended = terminated or truncated
    return total


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [pytest.param(0, marks=pytest.mark.campaign), 1, pytest.param(2, marks=pytest.mark.campaign)]
)
def test_the_agent_beats_chance_clearly_in_a_corridor(seed: int) -> None:
    env = Corridor(masked=seed == 1)
    guessing = mean_return(env, Agent.fresh(9, 3, seed))
    learned = mean_return(env, train(env, 3000, seed).agent)
    # Chance reaches the end in half of the episodes; going straight there is worth 0.96.
    assert guessing < 0.7
    assert learned > 0.9


def test_the_same_seed_gives_the_same_weights_and_another_one_others() -> None:
    first, second, other = (train(Corridor(), 600, seed) for seed in (5, 5, 6))
    assert first.curve == second.curve
    assert all(np.array_equal(a, b) for a, b in zip(first.agent.actor, second.agent.actor, strict=True))
    assert not np.array_equal(first.agent.actor[0], other.agent.actor[0])


def test_training_does_so_many_steps_and_leaves_the_agent_it_began_with() -> None:
    begun = Agent.fresh(9, 3, 1)
    before = [part.copy() for part in begun.actor]
    training = train(Corridor(), 300, 1, agent=begun, settings=Settings(rollout=128))
    assert training.steps == 300 and not training.interrupted
    assert all(np.array_equal(a, b) for a, b in zip(before, begun.actor, strict=True))
    assert not np.array_equal(training.last.actor[0], begun.actor[0])


def test_an_interrupt_ends_the_training_with_the_best_so_far() -> None:
    class Impatient(Silent):
        def advance(self, done: int) -> None:
            if done >= 512:
                os.kill(os.getpid(), signal.SIGINT)

    training = train(Corridor(), 100_000, 2, Impatient())
    assert training.interrupted and 512 <= training.steps < 2000
    whole = train(Corridor(), training.steps, 2)
    assert np.array_equal(training.agent.actor[0], whole.agent.actor[0])


def test_the_best_agent_is_the_one_whose_episodes_earned_most() -> None:
    # A rate so high that learning destroys what it learned.
    training = train(Corridor(), 3000, 0, settings=Settings(rate=0.3, rollout=200))
    best = max(value for _, value in training.curve)
    steps = next(step for step, value in training.curve if value == best)
    again = train(Corridor(), steps, 0, settings=Settings(rate=0.3, rollout=200))
    assert np.array_equal(training.agent.actor[0], again.agent.actor[0])


def test_weights_survive_a_file(tmp_path: Path) -> None:
    agent = replace(Agent.fresh(4, 3, 7, names=("a", "b")), trained=("git",))
    agent.save(tmp_path / "weights.npz")
    found = Agent.load(tmp_path / "weights.npz")
    assert (found.names, found.trained) == (("a", "b"), ("git",))
    seen, mask = np.arange(4.0), np.array([True, False, True])
    assert np.array_equal(found.probabilities(seen, mask), agent.probabilities(seen, mask))


def stored(path: Path, **changes: Any) -> Path:
    """Weights in a file, with some arrays changed."""
    Agent.fresh(4, 3).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path.open("wb"), **{**arrays, **changes})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"about": np.array('{"version": 2, "names": [], "trained": []}')}, "weights of version 2; this m4alloc reads"),
        ({"about": np.array("[]")}, "no weights of an agent"),
        ({"actor2": np.zeros((3, 3))}, "the actor's weights do not fit one another"),
        ({"critic4": np.zeros((64, 2)), "critic5": np.zeros(2)}, "the critic's weights do not fit one another"),
        ({"actor1": np.full(64, np.nan)}, "the actor's weights are not all finite"),
        ({"actor0": np.zeros(3)}, "the actor's weights do not fit one another"),
    ],
)
def test_weights_that_cannot_be_used_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = stored(tmp_path / "weights.npz", **changes)
    with pytest.raises(AgentError, match=message) as raised:
        Agent.load(path)
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more", b"\x93NUMPY\x01\x00v\x00{"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(AgentError, match="no weights of an agent"):
        Agent.load(path)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Agent.load(tmp_path / "none.npz")


def test_weights_for_something_else_are_refused_with_both_sizes() -> None:
    with pytest.raises(AgentError, match=r"^the weights are for 4 inputs and 3 actions; here are 9 and 3$"):
        train(Corridor(), 10, agent=Agent.fresh(4, 3))
    with pytest.raises(AgentError, match=r"^the weights are for a, b; here are a, c$"):
        Agent.fresh(4, 3, names=("a", "b")).check(4, 3, ("a", "c"))


def test_an_environment_without_a_choice_of_actions_is_refused() -> None:
    env = Corridor()
    env.action_space = gymnasium.spaces.Box(0, 1, (2,))  # type: ignore[assignment]
    with pytest.raises(AgentError, match="needs a vector to see and a Discrete action"):
        sizes_of(env)


def test_an_action_is_never_one_that_the_mask_forbids() -> None:
    agent, rng = Agent.fresh(4, 5, 0), np.random.default_rng(0)
    for _ in range(200):
        mask = rng.random(5) < 0.4
        mask[int(rng.integers(5))] = True
        seen = rng.standard_normal(4)
        assert mask[agent.act(seen, mask, rng)] and mask[agent.act(seen, mask)]


def test_advantages_with_full_trace_are_what_was_earned_less_what_was_expected() -> None:
    rng = np.random.default_rng(0)
    rewards, values = rng.standard_normal(6), rng.standard_normal(6)
    following = np.append(values[1:], 7.0)
    ended = np.array([False, False, True, False, False, True])
    terminated = np.array([False, False, True, False, False, False])
    found = advantages(rewards, values, following, terminated, ended, 0.9, 1.0)
    first = rewards[0] + 0.9 * rewards[1] + 0.81 * rewards[2]
    # The second episode was cut off: what comes after it is what the critic expects there.
    second = rewards[3] + 0.9 * rewards[4] + 0.81 * rewards[5] + 0.729 * 7.0
    assert found[0] == pytest.approx(first - values[0]) and found[3] == pytest.approx(second - values[3])


def test_a_clone_does_what_its_teacher_does() -> None:
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((600, 3))
    actions = (seen[:, 0] > 0).astype(np.int64) + (seen[:, 1] > 0)
    masks = np.ones((600, 3), np.bool_)
    agent = Agent.fresh(3, 3, 0)
    taught = clone(agent, seen[:400], masks[:400], actions[:400], goals=seen[:400, 2], epochs=40, batch=32, rate=3e-3)

    def right(one: Agent) -> float:
        return float(
            np.mean([one.act(row, masks[0]) == action for row, action in zip(seen, actions, strict=True)][400:])
        )

    assert right(agent) < 0.6
    assert right(taught) > 0.9
