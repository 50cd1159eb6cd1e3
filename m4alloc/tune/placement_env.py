"""PlacementEnv: a gymnasium environment in which an agent decides for each block in which region's slabs it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from m4alloc.check.progress import Progress, Silent
from m4alloc.tune.agent import Agent, AgentError, Training, clone, train
from m4alloc.tune.agent_ppo import Actions, Settings
from m4alloc.tune.network import Mask, Matrix
from m4alloc.tune.placement import Excerpt, Outcome, Policy, Regions

try:
    import gymnasium
except ModuleNotFoundError:
    raise ModuleNotFoundError("the learning environments need gymnasium: pip install 'm4alloc[tune]'") from None

Vector = npt.NDArray[np.float32]

if TYPE_CHECKING:
    Base = gymnasium.Env[Vector, np.int64]
else:
    Base = gymnasium.Env

COMMON: Final = 13
"""Numbers that the agent sees of a block, its size and its class."""

EACH: Final = 6
"""Numbers that it sees of each region."""

MEMORY: Final = 0.1
"""Weight of the latest lifetime in the mean of a size's lifetimes."""

MOST: Final = 4.0


@dataclass(slots=True)
class _Past:
    """What was seen of blocks that are alike: lifetimes as logarithms, and how many were allocated and freed."""

    mean: float = 1.0
    spread: float = 0.0
    last: float = 1.0
    allocated: int = 0
    freed: int = 0
    at: int = 0

    def learn(self, lifetime: int) -> None:
        life = math.log2(1 + lifetime) / 8
        share = max(MEMORY, 1 / (self.freed + 1))
        self.spread += share * (abs(life - self.mean) - self.spread)
        self.mean += share * (life - self.mean)
        self.last = life
        self.freed += 1


class PlacementEnv(Base):
    """One episode places the blocks of one excerpt; an action is the region that the next block goes to.

    excerpts: each episode takes one at random, or the one that reset's option `excerpt` numbers. regions: how many.
    order: see Regions. slab_cost: of each new slab, in calls that a slab lasts.
    The agent sees nothing of the future: the block's size, what became of earlier blocks of the size, and of the size
    after the same one before it (in place of the call site, which recordings do not have), how full the class and each
    region's slabs are. Reward: less the slabs times calls since the decision before, less the new slab's cost, as
    multiples of what the bound needs for a decision on average; without slab_cost the rewards of an episode add up to
    -len(excerpt) * integral / bound.

    >>> from m4alloc.tune.example import example_workload
    >>> env = PlacementEnv([Excerpt.of(example_workload(50), slab_bytes=4096)], regions=2)
    >>> observation, info = env.reset(seed=0)
    >>> sum(env.step(0)[2] for _ in range(50))
    1
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium declares it

    def __init__(
        self, excerpts: Sequence[Excerpt], regions: int = 4, *, order: int = 0, slab_cost: float = 0.0
    ) -> None:
        if not excerpts:
            raise ValueError("there is no excerpt")
        if regions < 2:
            raise ValueError(f"there are {regions} regions; with fewer than two there is nothing to decide")
        self.excerpts, self.regions = tuple(excerpts), regions
        self.observation_space = gymnasium.spaces.Box(-MOST, MOST, (COMMON + EACH * regions,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(regions)
        self._order, self._slab_cost = order, slab_cost
        self._bounds = [one.bound() for one in self.excerpts]
        self.state = Regions(self.excerpts[0], regions, order)
        self._begin(0)

    def _begin(self, number: int) -> None:
        self.excerpt = self.excerpts[number]
        self.state = Regions(self.excerpt, self.regions, self._order)
        self.bound = self._bounds[number]
        self._unit = self.bound / len(self.excerpt)
        self._events = list(zip(self.excerpt.events.tolist(), self.excerpt.at.tolist(), strict=True))
        self._next, self._block, self._before = 0, -1, 0
        self._past: dict[tuple[int, int], _Past] = {}
        self._context: dict[int, tuple[int, int]] = {}
        self.integral, self.peak = 0.0, 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Vector, dict[str, Any]]:
        """An empty heap, and the first block of an excerpt."""
        super().reset(seed=seed)
        number = (options or {}).get("excerpt", None)
        self._begin(int(self.np_random.integers(len(self.excerpts))) if number is None else int(number))
        self._advance()
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """The block is placed, and time goes on to the next one or to the end."""
        before, lost = self.integral, 0.0
        if self.state.place(self._block, int(action)):
            lost = self._slab_cost * self.excerpt.weight[int(self.excerpt.kind[self._block])]
        self.peak = max(self.peak, self.state.slabs)
        more = self._advance()
        earned = -(self.integral - before + lost) / self._unit
        observation = self._observation() if more else np.zeros(self.observation_space.shape or (), np.float32)
        return observation, earned, not more, False, self._info()

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Every region is possible."""
        return np.ones(self.regions, np.bool_)

    @property
    def block(self) -> int:
        """The block to be placed, for teachers, which know its future."""
        return self._block

    def outcome(self) -> Outcome:
        """What this episode cost so far."""
        return Outcome(self.integral, self.state.made, self.peak)

    def _advance(self) -> bool:
        """Time goes on to the next block; whether there is one."""
        state = self.state
        while self._next < len(self._events):
            event, at = self._events[self._next]
            self._next += 1
            self.integral += state.slabs * (at - state.now)
            state.now = at
            if event > 0:
                self._block = event - 1
                size = int(self.excerpt.size[self._block])
                self._context[self._block] = (size, self._before)
                self._before = size
                return True
            block = -event - 1
            state.free(block)
            size, previous = self._context.pop(block)
            life = at - int(self.excerpt.birth[block])
            for key in ((size, -1), (size, previous)):
                self._past[key].learn(life)
        self.integral += state.slabs * (self.excerpt.length - state.now)
        state.now = self.excerpt.length
        return False

    def _observation(self) -> Vector:
        state, excerpt, block = self.state, self.excerpt, self._block
        size, previous = self._context[block]
        kind, now = int(excerpt.kind[block]), state.now
        alike = self._past.setdefault((size, -1), _Past(at=now))
        close = self._past.setdefault((size, previous), _Past(at=now))
        count, live, slots = state.count[kind], state.live[kind], excerpt.slots[kind]
        slabs = sum(count)
        found = [
            math.log2(size) / 8 - 1,
            size / excerpt.classes[kind],
            alike.mean,
            alike.spread,
            alike.last,
            alike.freed / (1 + alike.allocated),
            close.mean,
            close.spread,
            close.last,
            close.freed / (1 + close.allocated),
            math.log2(1 + now - alike.at) / 8,
            sum(live) / (slots * slabs) if slabs else 0.0,
            math.log2(1 + slabs) / 8,
        ]
        for past in (alike, close):
            past.allocated += 1
            past.at = now
        for region in range(self.regions):
            slab = state.candidate(kind, region)
            found += (
                0.0 if slab is None else 1.0,
                0.0 if slab is None else state.used[slab] / slots,
                0.0 if slab is None else math.log2(1 + now - state.since[slab]) / 8,
                live[region] / (slots * count[region]) if count[region] else 0.0,
                math.log2(1 + count[region]) / 8,
                live[region] / max(1, sum(live)),
            )
        bounded: Vector = np.clip(np.array(found, np.float32), -MOST, MOST)
        return bounded

    def _info(self) -> dict[str, Any]:
        return {"name": self.excerpt.name, "integral": self.integral, "ratio": self.integral / self.bound}


def placed(env: PlacementEnv, excerpt: int, choose: Callable[[Vector], int]) -> Outcome:
    """What a policy costs that sees what the agent sees, on the excerpt of this number."""
    observation, _ = env.reset(options={"excerpt": excerpt})
    ended = False
    while not ended:
        observation, _, ended, _, _ = env.step(choose(observation))
    return env.outcome()


def lessons(env: PlacementEnv, teacher: Policy, excerpts: Sequence[int]) -> tuple[Matrix, Mask, Actions, Matrix]:
    """What a teacher that knows the future does: observations, masks, actions, and the rewards after each.

    >>> from m4alloc.tune.example import example_workload
    >>> from m4alloc.tune.placement import one_region
    >>> env = PlacementEnv([Excerpt.of(example_workload(50), slab_bytes=4096)], regions=2)
    >>> [column.shape for column in lessons(env, one_region, [0])]
    [(50, 25), (50, 2), (50,), (50,)]
    """
    rows, actions, rewards = [], [], []
    for number in excerpts:
        observation, _ = env.reset(options={"excerpt": number})
        ended = False
        while not ended:
            rows.append(observation)
            actions.append(teacher(env.state, env.block))
            observation, reward, ended, _, _ = env.step(actions[-1])
            rewards.append(reward)
    masks = np.ones((len(rows), env.regions), np.bool_)
    return np.array(rows, np.float64), masks, np.array(actions, np.int64), np.array(rewards)


def learn_placement(
    env: PlacementEnv,
    teacher: Policy,
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    settings: Settings | None = None,
) -> tuple[Agent, Training]:
    """An agent that was shown the teacher on every excerpt, and the same after so many steps of its own.

    The first does what the teacher does as far as that can be told without knowing the future. Deterministic.
    """
    settings = settings or Settings(rollout=1024, batch=256, discount=0.999, rate=3e-4, entropy=0.002)
    progress = progress or Silent()
    progress.phase("watching the teacher")
    observations, masks, actions, rewards = lessons(env, teacher, range(len(env.excerpts)))
    shape = env.observation_space.shape
    if shape is None:
        raise AgentError("the environment has no vector to see")
    goals = _discounted(rewards, [len(one) for one in env.excerpts], settings.discount)
    agent = Agent.fresh(shape[0], env.regions, seed, hidden=settings.hidden)
    # Of each region as much as of the others: the few blocks that live long are the ones that matter.
    shares = np.bincount(actions, minlength=env.regions) / len(actions)
    weights = 1 / np.maximum(shares[actions], 0.5 / env.regions**2)
    agent = clone(agent, observations, masks, actions, goals=goals, weights=weights / weights.mean(), seed=seed)
    return agent, train(env, steps, seed, progress, agent=agent, settings=settings)


def _discounted(rewards: Matrix, lengths: Sequence[int], discount: float) -> Matrix:
    found = np.zeros_like(rewards)
    start = 0
    for length in lengths:
        running = 0.0
        for at in range(start + length - 1, start - 1, -1):
            running = float(rewards[at]) + discount * running
            found[at] = running
        start += length
    return found
