"""The same environments with stable-baselines3's PPO in place of the built-in agent: `pip install 'm4alloc[learn]'`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.tune.agent import AgentError, masks_of, sizes_of
from m4alloc.tune.network import Mask, Matrix

if TYPE_CHECKING:
    import gymnasium


def algorithm() -> tuple[str, Any]:
    """MaskablePPO where sb3-contrib is installed, else PPO; for PPO a forbidden action is a step that leads nowhere.

    Raises: ModuleNotFoundError that names the extra.
    """
    if find_spec("stable_baselines3") is None:
        raise ModuleNotFoundError("this learner needs stable-baselines3: pip install 'm4alloc[learn]'")
    if find_spec("sb3_contrib") is not None:
        return "MaskablePPO", import_module("sb3_contrib").MaskablePPO
    return "PPO", import_module("stable_baselines3").PPO


@dataclass(frozen=True, slots=True, eq=False)
class Sb3Agent:
    """A trained model of stable-baselines3, with the built-in agent's `act`. name: of the algorithm.

    curve: steps so far and the mean return of the last hundred episodes, after each rollout.
    """

    name: str
    model: Any
    curve: tuple[tuple[int, float], ...] = ()
    steps: int = 0
    interrupted: bool = False

    def act(self, observation: Matrix, mask: Mask, rng: np.random.Generator | None = None) -> int:
        """An action; the likeliest one without a generator. With one, torch draws, seeded from it."""
        if rng is not None:
            import_module("torch").manual_seed(int(rng.integers(2**31)))
        masked = {"action_masks": mask} if self.name == "MaskablePPO" else {}
        action, _ = self.model.predict(np.asarray(observation, np.float32), deterministic=rng is None, **masked)
        return int(action)

    def save(self, path: str | Path) -> None:
        """Write the model as stable-baselines3 does, a .zip file."""
        self.model.save(str(path))


def train_sb3(
    env: gymnasium.Env[Any, Any],
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    rollout: int = 256,
    **options: Any,
) -> Sb3Agent:
    """Train PPO, or MaskablePPO, on the CPU for so many steps; whole rollouts, so that it may be some more.

    options: of the algorithm. SIGINT ends it with what there is. Raises: ModuleNotFoundError, AgentError.
    """
    name, make = algorithm()
    sizes_of(env)
    if name == "MaskablePPO" and not hasattr(env.unwrapped, "action_masks"):
        name, make = "PPO", import_module("stable_baselines3").PPO
    progress = progress or Silent()
    progress.phase("learning with stable-baselines3", steps)
    curve: list[tuple[int, float]] = []
    given = {"batch_size": 64, "n_epochs": 6, "ent_coef": 0.01, "learning_rate": 1e-3, **options}
    with interrupts_noted() as interrupts, warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def each_step(local: dict[str, Any], _: dict[str, Any]) -> bool:
            done = int(local["self"].num_timesteps)
            progress.advance(min(done, steps))
            infos = local["self"].ep_info_buffer
            if infos and done % rollout == 0:
                curve.append((done, float(np.mean([one["r"] for one in infos]))))
            return not interrupts

        try:
            model = make("MlpPolicy", env, seed=seed, n_steps=rollout, device="cpu", verbose=0, **given)
        except (AssertionError, ValueError) as error:
            raise AgentError(f"stable-baselines3 refuses this environment: {error}") from error
        model.learn(steps, callback=each_step)
    return Sb3Agent(name, model, tuple(curve), int(model.num_timesteps), bool(interrupts))


def played(env: gymnasium.Env[Any, Any], agent: Any, seed: int, *, greedy: bool = True) -> float:
    """The return of one episode with any agent that has `act`."""
    _, actions = sizes_of(env)
    rng = None if greedy else np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    total, ended = 0.0, False
    while not ended:
        action = agent.act(observation, masks_of(env, actions), rng)
        observation, reward, terminated, truncated, _ = env.step(action)
        total += float(reward)
        ended = terminated or truncated
    return total
