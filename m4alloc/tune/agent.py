"""The built-in learner: an actor-critic in numpy, for environments with a vector to see and one of so many actions."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.tune.agent_ppo import Actions, Experience, Settings, update
from m4alloc.tune.network import Adam, Layers, Mask, Matrix, backward, forward, layers, log_probabilities

if TYPE_CHECKING:
    import gymnasium

VERSION: Final = 1
"""Of the weights' file."""


class AgentError(ValueError):
    """Weights that cannot be used, or an environment that the agent cannot live in; the message says which and why."""


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """A policy and its expectations, as weights. names: what each input and action belongs to, where that matters.

    trained: where the weights come from, for reports: the names of the workloads, or nothing.
    """

    actor: Layers
    critic: Layers
    names: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()

    @classmethod
    def fresh(cls, inputs: int, actions: int, seed: int = 0, *, hidden: int = 64, names: tuple[str, ...] = ()) -> Self:
        """An agent that has learned nothing: nearly every action is as likely as the others.

        >>> agent = Agent.fresh(4, 3)
        >>> bool(abs(agent.probabilities(np.zeros(4), np.ones(3, bool)) - 1 / 3).max() < 0.01)
        True
        """
        rng = np.random.default_rng(seed)
        return cls(layers(inputs, hidden, actions, rng, last=0.01), layers(inputs, hidden, 1, rng), names)

    @property
    def inputs(self) -> int:
        """Numbers that it sees."""
        return int(self.actor[0].shape[0])

    @property
    def actions(self) -> int:
        """Actions that it chooses from."""
        return int(self.actor[4].shape[1])

    def probabilities(self, observation: npt.NDArray[Any], mask: Mask) -> Matrix:
        """Of each action, how likely it is; 0 for what the mask forbids."""
        logits = forward(self.actor, np.asarray(observation, np.float64)[None])[0]
        found: Matrix = np.exp(log_probabilities(logits, mask[None])[0])
        return found

    def act(self, observation: npt.NDArray[Any], mask: Mask, rng: np.random.Generator | None = None) -> int:
        """An action at random by its probability; the likeliest one without a generator. Cost: 30 us."""
        chances = self.probabilities(observation, mask)
        if rng is None:
            return int(chances.argmax())
        at = int(np.searchsorted(np.cumsum(chances), rng.random() * chances.sum(), side="right"))
        return min(at, int(np.flatnonzero(chances)[-1]))

    def check(self, inputs: int, actions: int, names: tuple[str, ...] = ()) -> Self:
        """The agent itself, when it fits. Raises: AgentError."""
        if (self.inputs, self.actions) != (inputs, actions):
            raise AgentError(
                f"the weights are for {self.inputs} inputs and {self.actions} actions; here are {inputs} and {actions}"
            )
        if self.names and names and self.names != names:
            raise AgentError(f"the weights are for {', '.join(self.names)}; here are {', '.join(names)}")
        return self

    def save(self, path: str | Path) -> None:
        """Write the weights as a .npz file: no code in it, nothing but numbers and names."""
        about = {"version": VERSION, "names": self.names, "trained": self.trained}
        arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
        for part, net in (("actor", self.actor), ("critic", self.critic)):
            arrays |= {f"{part}{number}": weights for number, weights in enumerate(net)}
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what save wrote. Raises: AgentError for anything else, OSError."""
        try:
            with np.load(Path(path), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                version = about["version"]
                if version != VERSION:
                    raise AgentError(f"{path}: weights of version {version}; this m4alloc reads version {VERSION}")
                nets = [tuple(file[f"{part}{n}"].astype(np.float64) for n in range(6)) for part in ("actor", "critic")]
                agent = cls(nets[0], nets[1], tuple(about["names"]), tuple(about["trained"]))
        except AgentError:
            raise
        except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AgentError(f"{path}: no weights of an agent: {error}") from error
        _check_shapes(agent, str(path))
        return agent


def _check_shapes(agent: Agent, path: str) -> None:
    for name, net in (("actor", agent.actor), ("critic", agent.critic)):
        width = net[1].size
        outputs = net[5].size
        wanted = ((agent.inputs, width), (width,), (width, width), (width,), (width, outputs), (outputs,))
        found = tuple(part.shape for part in net)
        if found != wanted or (name == "critic" and outputs != 1):
            raise AgentError(f"{path}: the {name}'s weights do not fit one another: {found}")
        if not all(np.isfinite(part).all() for part in net):
            raise AgentError(f"{path}: the {name}'s weights are not all finite")


@dataclass(frozen=True, slots=True)
class Training:
    """What became of a training. agent: the best there was; last: the one at the end.

    curve: after each update, the steps so far and the mean return of the episodes that ended since the update before.
    interrupted: whether it was ended early by SIGINT.
    """

    agent: Agent
    last: Agent
    curve: tuple[tuple[int, float], ...]
    steps: int
    interrupted: bool = False


def masks_of(env: gymnasium.Env[Any, Any], actions: int) -> Mask:
    """What the environment allows now; everything, when it does not say.

    >>> masks_of(object(), 3)
    array([ True,  True,  True])
    """
    inner = getattr(env, "unwrapped", env)
    found = getattr(inner, "action_masks", None)
    return np.ones(actions, np.bool_) if found is None else np.asarray(found(), np.bool_)


def sizes_of(env: gymnasium.Env[Any, Any]) -> tuple[int, int]:
    """Inputs and actions of an environment. Raises: AgentError, when it shows no vector or has no choice of actions."""
    shape, actions = env.observation_space.shape, getattr(env.action_space, "n", None)
    if shape is None or len(shape) != 1 or actions is None:
        raise AgentError(
            f"the agent needs a vector to see and a Discrete action; this environment has {env.observation_space} "
            f"and {env.action_space}"
        )
    return int(shape[0]), int(actions)


def train(
    env: gymnasium.Env[Any, Any],
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    agent: Agent | None = None,
    settings: Settings | None = None,
) -> Training:
    """Let an agent live in an environment for so many steps, and learn; the same seed gives the same weights.

    agent: to begin with, left as it is; a fresh one when not given. SIGINT ends the training with the best so far: the
    agent before the update whose episodes earned most. Raises: AgentError.
    """
    settings = settings or Settings()
    inputs, actions = sizes_of(env)
    agent = (agent or Agent.fresh(inputs, actions, seed, hidden=settings.hidden)).check(inputs, actions)
    rng = np.random.default_rng((seed, 1))
    steppers = Adam(settings.rate), Adam(settings.rate)
    best, best_return = agent, -np.inf
    curve: list[tuple[int, float]] = []
    progress = progress or Silent()
    progress.phase("learning", steps)
    observation, _ = env.reset(seed=seed)
    done, earned = 0, 0.0
    with interrupts_noted() as interrupts:
        while done < steps and not interrupts:
            rows: list[tuple[Any, ...]] = []
            returns: list[float] = []
            while len(rows) < min(settings.rollout, steps - done) and not interrupts:
                mask = masks_of(env, actions)
                action = agent.act(observation, mask, rng)
                after, reward, terminated, truncated, _ = env.step(action)
                rows.append((observation, mask, action, float(reward), after, terminated, terminated or truncated))
                earned += float(reward)
                observation = after
                if terminated or truncated:
                    returns.append(earned)
                    earned = 0.0
                    observation, _ = env.reset()
            done += len(rows)
            progress.advance(done)
            if returns:
                curve.append((done, float(np.mean(returns))))
                if curve[-1][1] > best_return:
                    best, best_return = agent, curve[-1][1]
            if len(rows) > 1 and not interrupts:
                actor, critic = update(agent.actor, agent.critic, steppers, experience(agent, rows), settings, rng)
                agent = replace(agent, actor=actor, critic=critic)
    return Training(best if curve else agent, agent, tuple(curve), done, bool(interrupts))


def experience(agent: Agent, rows: list[tuple[Any, ...]]) -> Experience:
    """Rows of (observation, mask, action, reward, following, terminated, ended) as columns, chosen by this agent."""
    observations = np.array([row[0] for row in rows], np.float64)
    masks = np.array([row[1] for row in rows], np.bool_)
    chosen = np.array([row[2] for row in rows], np.int64)
    logs = log_probabilities(forward(agent.actor, observations)[0], masks)
    return Experience(
        observations,
        masks,
        chosen,
        np.array([row[3] for row in rows], np.float64),
        np.array([row[4] for row in rows], np.float64),
        np.array([row[5] for row in rows], np.bool_),
        np.array([row[6] for row in rows], np.bool_),
        logs[np.arange(len(rows)), chosen],
    )


def clone(
    agent: Agent,
    observations: Matrix,
    masks: Mask,
    actions: Actions,
    *,
    goals: Matrix | None = None,
    weights: Matrix | None = None,
    epochs: int = 20,
    batch: int = 128,
    rate: float = 1e-3,
    seed: int = 0,
) -> Agent:
    """The agent after it was shown what a teacher did: behaviour cloning by cross-entropy.

    goals: what the teacher earned from each step on, for the critic. weights: how much each example counts, 1 on
    average. Deterministic.
    """
    rng = np.random.default_rng((seed, 2))
    actor, critic = agent.actor, agent.critic
    steppers = Adam(rate), Adam(rate)
    for _ in range(epochs):
        order = rng.permutation(len(actions))
        for start in range(0, len(actions), batch):
            some = order[start : start + batch]
            logits, cache = forward(actor, observations[some])
            slopes = np.exp(log_probabilities(logits, masks[some]))
            slopes[np.arange(len(some)), actions[some]] -= 1.0
            if weights is not None:
                slopes *= weights[some][:, None]
            actor = steppers[0].step(actor, backward(actor, cache, slopes / len(some)))
            if goals is not None:
                values, cache = forward(critic, observations[some])
                errors = (values[:, 0] - goals[some]) / len(some)
                critic = steppers[1].step(critic, backward(critic, cache, errors[:, None]))
    return replace(agent, actor=actor, critic=critic)
