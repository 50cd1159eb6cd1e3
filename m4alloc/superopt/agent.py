"""The built-in learner: it scores each way to rewrite by one small network, so that their number may vary."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, Self

import numpy as np

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.superopt.agent_update import Lived, scores, update
from m4alloc.superopt.features import ACTION, FEATURES, FUNCTION, Row
from m4alloc.tune.agent_ppo import Settings
from m4alloc.tune.network import Adam, Layers, Mask, Matrix, layers

VERSION: Final = 1
"""Of the weights' file."""

SETTINGS: Final = Settings(rollout=512, batch=64, epochs=4, discount=0.97, entropy=0.01, rate=1e-3)
"""What suits episodes of a dozen steps."""


class AgentError(ValueError):
    """Weights that cannot be used here; the message says which and why."""


class World(Protocol):
    """An environment as the agent lives in it: it is told a row for each action, however many there are."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """A new episode."""
        ...

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """One action."""
        ...

    def rows(self) -> tuple[Row, Row, Mask]:
        """What is told of the function, what of each action (one row an action), and which actions are allowed."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """A policy and its expectations, as weights.

    scorer: features of the function beside those of one action, to a score; the softmax of the scores is the policy.
    critic: features of the function to what it expects to earn. rules: that it has been trained with; trained: on what.
    """

    scorer: Layers
    critic: Layers
    rules: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()

    @classmethod
    def fresh(cls, seed: int = 0, *, hidden: int = 48, rules: Sequence[str] = ()) -> Self:
        """An agent that has learned nothing: nearly every action is as likely as the others.

        >>> chances = Agent.fresh().probabilities(np.zeros(len(FUNCTION)), np.eye(3, len(ACTION)), np.ones(3, bool))
        >>> bool(abs(chances - 1 / 3).max() < 0.02)
        True
        """
        rng = np.random.default_rng(seed)
        return cls(
            layers(len(FUNCTION) + len(ACTION), hidden, 1, rng, last=0.01),
            layers(len(FUNCTION), hidden, 1, rng),
            tuple(rules),
        )

    def probabilities(self, function: Row | Matrix, actions: Row | Matrix, mask: Mask) -> Matrix:
        """Of each action, how likely it is; 0 for what the mask forbids.  At least one is allowed."""
        allowed = np.flatnonzero(mask)
        logits = scores(self.scorer, np.asarray(function, np.float64), np.asarray(actions, np.float64)[allowed])
        found = np.zeros(len(mask))
        found[allowed] = np.exp(logits - logits.max())
        chances: Matrix = found / found.sum()
        return chances

    def act(
        self, function: Row | Matrix, actions: Row | Matrix, mask: Mask, rng: np.random.Generator | None = None
    ) -> int:
        """An action at random by its probability; the likeliest one without a generator.  Cost: 60 us."""
        chances = self.probabilities(function, actions, mask)
        if rng is None:
            return int(chances.argmax())
        at = int(np.searchsorted(np.cumsum(chances), rng.random(), side="right"))
        return min(at, int(np.flatnonzero(chances)[-1]))

    def save(self, path: str | Path) -> None:
        """Write the weights as a .npz file: no code in it, nothing but numbers and names."""
        about = {"version": VERSION, "features": FEATURES, "rules": self.rules, "trained": self.trained}
        arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
        for part, net in (("scorer", self.scorer), ("critic", self.critic)):
            arrays |= {f"{part}{number}": weights.astype(np.float32) for number, weights in enumerate(net)}
        with Path(path).open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | Path, rules: Sequence[str] | None = None) -> Self:
        """Read what save wrote.

        rules: names of the rules there are; where given, the agent must have been trained with exactly these. A policy
        scores rules that it has not met by their features, so that this is for repeating a run, not a need.
        Raises: AgentError for anything else, OSError.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                if about["version"] != VERSION:
                    raise AgentError(f"{path}: weights of version {about['version']}; this one reads version {VERSION}")
                _check_names(str(path), "features", about["features"], FEATURES)
                if rules is not None:
                    _check_names(str(path), "rules", about["rules"], rules)
                nets = [
                    tuple(file[f"{part}{at}"].astype(np.float64) for at in range(6)) for part in ("scorer", "critic")
                ]
                agent = cls(nets[0], nets[1], tuple(about["rules"]), tuple(about["trained"]))
        except (zipfile.BadZipFile, KeyError, TypeError, EOFError) as error:
            raise AgentError(f"{path}: no weights of this agent: {error}") from error
        except ValueError as error:
            if isinstance(error, AgentError):
                raise
            raise AgentError(f"{path}: no weights of this agent: {error}") from error
        for part, net, inputs in (("scorer", agent.scorer, len(FEATURES)), ("critic", agent.critic, len(FUNCTION))):
            hidden = net[1].size
            wanted = ((inputs, hidden), (hidden,), (hidden, hidden), (hidden,), (hidden, 1), (1,))
            if tuple(one.shape for one in net) != wanted or not all(np.isfinite(one).all() for one in net):
                raise AgentError(f"{path}: the {part}'s weights are not finite, or do not fit one another")
        return agent


def _check_names(path: str, what: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    if list(found) == list(wanted):
        return
    missing, extra = [one for one in wanted if one not in found], [one for one in found if one not in wanted]
    told = [f"they lack {_few(missing)}"] * bool(missing) + [f"they have {_few(extra)} besides"] * bool(extra)
    raise AgentError(
        f"{path}: the weights are for other {what}: {', '.join(told) or 'the order is another'}; train anew"
    )


def _few(names: Sequence[str]) -> str:
    """The first three names, and how many more.

    >>> _few(["a", "b", "c", "d"])
    "'a', 'b', 'c' and 1 more"
    """
    return ", ".join(map(repr, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True, slots=True)
class Training:
    """What became of a training.  agent: as it is at the end.

    curve: after each update, the steps so far and the mean return of the episodes that ended since the one before.
    interrupted: whether it was ended early by SIGINT.
    """

    agent: Agent
    curve: tuple[tuple[int, float], ...]
    steps: int
    interrupted: bool = False


def train(
    world: World,
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    agent: Agent | None = None,
    settings: Settings = SETTINGS,
    watch: Callable[[int, Agent], None] = lambda steps, agent: None,
) -> Training:
    """Let an agent live in an environment for so many steps, and learn by PPO; the same seed gives the same weights.

    agent: to begin with, left as it is; a fresh one when not given. watch: told the steps so far and the agent, at
    first and after each update. SIGINT ends the training with what there is.
    """
    agent = agent or Agent.fresh(seed, hidden=settings.hidden)
    rng = np.random.default_rng((seed, 1))
    steppers = Adam(settings.rate), Adam(settings.rate)
    curve: list[tuple[int, float]] = []
    done = 0
    with progress or Silent() as shown, interrupts_noted() as interrupts:
        shown.phase("learning to rewrite", steps)
        world.reset(seed=seed)
        watch(0, agent)
        earned = 0.0
        while done < steps and not interrupts:
            rows: list[Lived] = []
            returns: list[float] = []
            while len(rows) < min(settings.rollout, steps - done) and not interrupts:
                function, actions, mask = world.rows()
                action = agent.act(function, actions, mask, rng)
                _, reward, terminated, truncated, _ = world.step(action)
                after, _, _ = world.rows()
                ended = terminated or truncated
                chosen = int(np.flatnonzero(mask).searchsorted(action))
                rows.append(Lived(function, actions[mask], chosen, float(reward), after, terminated, ended))
                earned += float(reward)
                if ended:
                    returns.append(earned)
                    earned = 0.0
                    world.reset()
            done += len(rows)
            shown.advance(done)
            if returns:
                curve.append((done, float(np.mean(returns))))
            if len(rows) > 1 and not interrupts:
                scorer, critic = update(agent.scorer, agent.critic, steppers, rows, settings, rng)
                agent = replace(agent, scorer=scorer, critic=critic)
                watch(done, agent)
    return Training(agent, tuple(curve), done, bool(interrupts))


def played(world: World, agent: Agent, seed: int, *, greedy: bool = True, task: int | None = None) -> float:
    """The return of one episode.  task: the number of its problem, any when not given."""
    rng = None if greedy else np.random.default_rng(seed)
    world.reset(seed=seed, options=None if task is None else {"task": task})
    total, ended = 0.0, False
    while not ended:
        _, reward, terminated, truncated, _ = world.step(agent.act(*world.rows(), rng))
        total += float(reward)
        ended = terminated or truncated
    return total
