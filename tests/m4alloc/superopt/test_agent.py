"""Tests of m4alloc.superopt.agent: it learns, repeats itself by its seed, and keeps its weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from m4alloc.superopt.agent import SETTINGS, Agent, AgentError, played, train
from m4alloc.superopt.features import ACTION, FEATURES, FUNCTION, Row
from m4alloc.tune.network import Mask


class Doors:
    """Some doors, more or fewer each time; the one with the highest number in its first feature pays 1, others 0."""

    def __init__(self, length: int = 4) -> None:
        self.length = length
        self.left = 0
        self.rng = np.random.default_rng(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[None, dict[str, Any]]:
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.left = self.length
        self.shuffle()
        return None, {}

    def shuffle(self) -> None:
        self.actions = np.zeros((int(self.rng.integers(2, 9)), len(ACTION)), np.float32)
        self.actions[:, 0] = self.rng.permutation(len(self.actions)) / 8

    def step(self, action: int) -> tuple[None, float, bool, bool, dict[str, Any]]:
        reward = float(self.actions[action, 0] == self.actions[:, 0].max())
        self.left -= 1
        self.shuffle()
        return None, reward, self.left == 0, False, {}

    def rows(self) -> tuple[Row, Row, Mask]:
        return np.zeros(len(FUNCTION), np.float32), self.actions, np.ones(len(self.actions), np.bool_)


def test_it_learns_to_choose_among_any_number_of_actions() -> None:
    world = Doors()
    before = np.mean([played(world, Agent.fresh(1), seed, greedy=False) for seed in range(40)])
    learned = train(world, 512, seed=1, settings=replace(SETTINGS, rollout=128))
    after = np.mean([played(world, learned.agent, seed) for seed in range(40)])
    assert before < 2.0 < 3.5 < after
    assert learned.steps == 512 and learned.curve[-1][1] > learned.curve[0][1]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    one, again, other = (train(Doors(), 48, seed=seed).agent for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(one.scorer, again.scorer, strict=True))
    assert any((a != b).any() for a, b in zip(one.scorer, other.scorer, strict=True))


def test_what_a_mask_forbids_is_never_done() -> None:
    agent = Agent.fresh(0)
    actions = np.random.default_rng(0).normal(size=(6, len(ACTION)))
    mask = np.array([False, True, False, True, False, False])
    assert agent.probabilities(np.zeros(len(FUNCTION)), actions, mask)[~mask].sum() == 0.0
    rng = np.random.default_rng(1)
    assert {agent.act(np.zeros(len(FUNCTION)), actions, mask, rng) for _ in range(50)} == {1, 3}


def test_weights_come_back_as_they_were_saved(tmp_path: Path) -> None:
    agent = Agent.fresh(5, rules=("a", "b"))
    agent.save(tmp_path / "weights.npz")
    again = Agent.load(tmp_path / "weights.npz", rules=("a", "b"))
    assert again.rules == ("a", "b")
    for part, other in zip((*agent.scorer, *agent.critic), (*again.scorer, *again.critic), strict=True):
        assert np.allclose(part, other, atol=1e-6)
    assert (tmp_path / "weights.npz").stat().st_size < 200 * 1024


def changed(path: Path, **about: Any) -> Path:
    """The file with another description."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays["about"] = np.array(json.dumps({**json.loads(str(arrays["about"])), **about}))
    np.savez(path, **arrays)
    return path


def test_a_file_for_other_features_rules_or_versions_says_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"

    def saved() -> Path:
        Agent.fresh(0, rules=("add zero",)).save(path)
        return path

    with pytest.raises(AgentError, match=r"version 0; this one reads version 1"):
        Agent.load(changed(saved(), version=0))
    with pytest.raises(AgentError, match=f"other features: they lack '{FEATURES[0]}', they have 'age' besides"):
        Agent.load(changed(saved(), features=["age", *FEATURES[1:]]))
    with pytest.raises(AgentError, match="other features: the order is another"):
        Agent.load(changed(saved(), features=FEATURES[::-1]))
    with pytest.raises(AgentError, match="other rules: they lack 'mul zero', they have 'add zero' besides; train anew"):
        Agent.load(saved(), rules=("mul zero",))
    assert Agent.load(saved()).rules == ("add zero",)


def test_a_file_that_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(AgentError, match="no weights of this agent"):
        Agent.load(path)
    agent = Agent.fresh(0)
    agent.scorer[0][0, 0] = np.nan
    agent.save(path)
    with pytest.raises(AgentError, match="the scorer's weights are not finite"):
        Agent.load(path)


def test_the_settings_suit_episodes_of_a_dozen_steps() -> None:
    assert SETTINGS.rollout >= 12 * 20
