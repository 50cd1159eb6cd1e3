"""SuperoptEnv: a gymnasium environment in which an agent rewrites functions and earns what is proved to be cheaper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from m4alloc.superopt.features import (
    ACTION,
    FUNCTION,
    MOST,
    STOP,
    Places,
    Row,
    Standing,
    action_row,
    function_row,
    stop_row,
)
from m4alloc.superopt.ir import Function
from m4alloc.superopt.judge_proof import prove
from m4alloc.superopt.moves import Move, Rewriting, key, price
from m4alloc.superopt.problem import Problem, Step
from m4alloc.tune.network import Mask

try:
    import gymnasium
except ModuleNotFoundError:
    raise ModuleNotFoundError("the learning environment needs gymnasium: pip install 'm4alloc[superopt]'") from None

if TYPE_CHECKING:
    Base = gymnasium.Env[Row, np.int64]
else:
    Base = gymnasium.Env

SECONDS: Final = 2.0
"""For one proof while learning; what takes longer earns nothing."""

Verify = Callable[[Problem, Function], bool]


def proved(problem: Problem, function: Function) -> bool:
    """The function is proved to refine the problem's source, within SECONDS: what is not decided is not proved."""
    return prove(problem, function, SECONDS).accepted


class SuperoptEnv(Base):
    """An agent applies rules to a function, one at a place a step, and stops when it likes or after `steps` steps.

    problems: of which each episode takes one at random, or the one that reset's option `task` names. Action 0 stops;
    action i takes the i-th move that there is now: `action_masks()` and `info["action_mask"]` tell which exist. Where
    more apply than `actions` - 1, a sample is offered. What an agent sees: features.FUNCTION, then features.ACTION for
    each action; `rows()` gives the same without the padding.
    Reward: the drop of the cost below the least so far in the episode, as a share of the source's, when `verify` proves
    that the function refines the source, and nothing otherwise; every step costs `penalty`. Proofs are kept, one a
    function. A forbidden action is a step that leads nowhere. The same seed and actions give the same episode as long
    as no proof runs out of time. Raises: ValueError.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium declares it

    def __init__(
        self,
        problems: Sequence[Problem],
        *,
        steps: int = 12,
        actions: int = 48,
        penalty: float = 0.0,
        rewriting: Rewriting | None = None,
        verify: Verify = proved,
    ) -> None:
        if not problems:
            raise ValueError("there is no problem to learn from; give one at least")
        if steps < 1 or actions < 2:
            raise ValueError(f"{steps} steps and {actions} actions; an episode needs 1 step and 2 actions at least")
        self.problems = tuple(problems)
        self.steps = steps
        self.rewriting = rewriting or Rewriting()
        self.observation_space = gymnasium.spaces.Box(-MOST, MOST, (len(FUNCTION) + actions * len(ACTION),), np.float32)
        self.action_space = gymnasium.spaces.Discrete(actions)
        self.proofs = 0
        """Functions that were given to `verify`."""
        self.refused = 0
        """Those of them that were not proved."""
        self._penalty, self._verify = penalty, verify
        self._verdicts: dict[tuple[int, Function], bool] = {}
        self._starts: dict[int, tuple[Function, float]] = {}
        self._task = self._left = 0
        self._function, self._base = self._start()
        self._cost = self._least = self._base
        self._path: tuple[Step, ...] = ()
        self._best: tuple[Function, tuple[Step, ...]] = self._function, ()
        self._moves: tuple[Move, ...] = ()
        self._rows: tuple[Row, Row] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Row, dict[str, Any]]:
        """A new episode at the cleaned source of a problem."""
        super().reset(seed=seed)
        given = options or {}
        self._task = int(given.get("task", self.np_random.integers(len(self.problems))))
        if not 0 <= self._task < len(self.problems):
            raise ValueError(f"there is no problem {self._task}: they are numbered 0 to {len(self.problems) - 1}")
        self._left = self.steps
        self._function, self._base = self._start()
        self._cost = self._least = self._base
        self._path = ()
        self._best = self._function, ()
        self._look()
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Row, float, bool, bool, dict[str, Any]]:
        """One rule at one place, or the end."""
        number = int(action)
        self._left -= 1
        earned = 0.0
        if 0 < number <= len(self._moves):
            taken = self.rewriting.taken(self._function, self._moves[number - 1], self.problem)
            if taken is not None:
                self._function = taken.result
                self._path += (taken,)
                earned = self._gain()
                self._look()
        self._rows = None
        ended = number == STOP or self._left <= 0
        return self._observation(), earned - self._penalty, ended, False, self._info()

    def action_masks(self) -> Mask:
        """Of each action whether it leads somewhere from here; to stop is always allowed."""
        found: Mask = np.arange(int(self.action_space.n)) <= len(self._moves)  # type: ignore[attr-defined]
        return found

    def rows(self) -> tuple[Row, Row, Mask]:
        """What is told of the function, of each action that there is, and that all of these are allowed."""
        if self._rows is None:
            standing = Standing(
                self._cost / max(1.0, self._base),
                self._least / max(1.0, self._base),
                max(0, self._left) / self.steps,
                tuple(step.rule for step in self._path),
            )
            places = Places.of(self._function)
            told = [stop_row(), *(action_row(places, one.rule, one.at, standing) for one in self._moves)]
            self._rows = function_row(self._function, standing), np.array(told)
        return *self._rows, np.ones(len(self._moves) + 1, np.bool_)

    @property
    def problem(self) -> Problem:
        """Of this episode."""
        return self.problems[self._task]

    @property
    def here(self) -> tuple[Function, tuple[Step, ...]]:
        """The function as it is now, and the steps that led to it."""
        return self._function, self._path

    @property
    def best(self) -> tuple[Function, tuple[Step, ...]]:
        """The cheapest proved function of this episode, and the steps that led to it."""
        return self._best

    def _start(self) -> tuple[Function, float]:
        if self._task not in self._starts:
            problem = self.problems[self._task]
            function = self.rewriting.cleaned(problem.source)
            self._starts[self._task] = function, price(problem, function)
        return self._starts[self._task]

    def _gain(self) -> float:
        self._cost = price(self.problem, self._function)
        if self._cost >= self._least or not self._is_proved():
            return 0.0
        earned = (self._least - self._cost) / max(1.0, self._base)
        self._least = self._cost
        self._best = self._function, self._path
        return earned

    def _is_proved(self) -> bool:
        known = self._task, key(self._function)
        if known not in self._verdicts:
            self._verdicts[known] = self._verify(self.problem, self._function)
            self.proofs += 1
            self.refused += not self._verdicts[known]
        return self._verdicts[known]

    def _look(self) -> None:
        """The moves that there are now."""
        most = int(self.action_space.n) - 1  # type: ignore[attr-defined]
        moves = self.rewriting.moves(self._function, self.problem.facts)
        if len(moves) > most:
            some = np.sort(self.np_random.choice(len(moves), most, replace=False))
            moves = tuple(moves[at] for at in some)
        self._moves = moves
        self._rows = None

    def _observation(self) -> Row:
        function, actions, _ = self.rows()
        padding = np.zeros((int(self.action_space.n) - len(actions)) * len(ACTION), np.float32)  # type: ignore[attr-defined]
        return np.concatenate([function, actions.ravel(), padding])

    def _info(self) -> dict[str, Any]:
        return {
            "task": self._task,
            "cost": self._cost,
            "best": self._least,
            "gain": 1.0 - self._least / max(1.0, self._base),
            "steps": len(self._path),
            "action_mask": self.action_masks(),
        }
