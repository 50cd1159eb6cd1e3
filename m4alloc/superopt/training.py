"""Training of the policy: from paths that a search found, then by its own experience, watched on functions held out."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

import numpy as np

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.superopt import generate
from m4alloc.superopt.agent import SETTINGS, Agent, played, train
from m4alloc.superopt.agent_update import Lived, imitate
from m4alloc.superopt.environment import SuperoptEnv
from m4alloc.superopt.features import Places, Standing, action_row, function_row, stop_row
from m4alloc.superopt.ir import Block, Function, Local, Value
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.mcts import Mcts
from m4alloc.superopt.moves import Rewriting, key, price
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.problem import Budget, Problem, Step
from m4alloc.superopt.vectors import run, test_vectors
from m4alloc.tune.agent_ppo import Settings
from m4alloc.tune.network import Adam

CASES: Final = ("training", "held_out")


def bundled(name: str) -> list[tuple[str, Problem]]:
    """Functions that come with the package, by name: those to train on, or those that are held out.

    Raises: ValueError for another name.

    >>> {name for name, _ in bundled("training")} & {name for name, _ in bundled("held_out")}
    set()
    """
    if name not in CASES:
        raise ValueError(f"there are no cases {name!r}; there are {', '.join(CASES)}")
    text = files("m4alloc.superopt").joinpath("cases", f"{name}.ll").read_text(encoding="utf-8")
    return [(one.name, Problem(one)) for one in parse_module(text, where=f"{name}.ll").functions]


def generated(count: int, seed: int, width: int = 32) -> list[tuple[str, Problem]]:
    """Random straight-line functions of three to eight instructions, by name; another seed gives others.

    Only those that mean something: see is_meaningful.
    """
    some = replace(generate.PLAIN, flags=False)
    sizes = range(3, 9)
    streams = [iter(generate.functions(seed, 60 * -(-count // len(sizes)), width, size, some)) for size in sizes]
    found = []
    for number in range(count):
        function = next(one for one in streams[number % len(sizes)] if is_meaningful(one))
        name = f"g{seed}_{number}"
        found.append((name, Problem(replace(function, name=name))))
    return found


def is_meaningful(function: Function) -> bool:
    """Nearly every input gives a defined result, and these differ: else a constant would be a win, and no merit."""
    inputs = test_vectors(function, (), 128, 0)
    results = None if inputs is None else run(function, inputs)
    if results is None:
        return False
    defined = ~(results.ub | results.poison.any(axis=0))
    return bool(defined.mean() >= 0.9) and len(np.unique(results.value[0][defined])) >= 16


def composed(parts: Sequence[tuple[str, Problem]], count: int, seed: int) -> list[tuple[str, Problem]]:
    """Functions that give the result of one part to another part: larger, and improved at more than one place.

    Parts without a single block, or whose types never meet, are left out.
    """
    rng = random.Random(seed)
    able = [(name, one.source) for name, one in parts if len(one.source.blocks) == 1]
    pairs = [
        (first, second)
        for first in able
        for second in able
        if any(argument.type == first[1].type for argument in second[1].arguments)
    ]
    chosen = rng.sample(pairs, min(count, len(pairs)))
    return [(f"{a} then {b}", Problem(_chained(first, second))) for (a, first), (b, second) in chosen]


def _chained(first: Function, second: Function) -> Function:
    """The second on the result of the first in place of its first argument of that type."""
    place = next(at for at, one in enumerate(second.arguments) if one.type == first.type)
    result = first.blocks[0].terminator.operands[0]
    names = {one.name: f"b.{one.name}" for one in (*second.arguments, *second) if one.name}

    def renamed(value: Value) -> Value:
        if not isinstance(value, Local):
            return value
        return result if value.name == second.arguments[place].name else Local(names[value.name], value.type)

    body = [
        replace(one, name=names.get(one.name, ""), operands=tuple(map(renamed, one.operands)))
        for one in second.blocks[0].instructions
    ]
    others = [replace(one, name=names[one.name]) for at, one in enumerate(second.arguments) if at != place]
    block = Block("entry", (*first.blocks[0].instructions[:-1], *body))
    return replace(second, name=f"{first.name}_{second.name}", arguments=(*first.arguments, *others), blocks=(block,))


def demonstrations(
    problem: Problem, env_steps: int, seed: int, *, proposals: int = 150, rewriting: Rewriting | None = None
) -> list[Lived]:
    """What a policy would have had to choose on the way to the best that tree search finds; nothing without one.

    proposals: budget of the search. Cost: 1 to 4 s.
    """
    rewriting = rewriting or Rewriting()
    judge = TheJudge(problem, Budget(seconds=20.0, proposals=proposals), proof_seconds=1.0)
    Mcts(rewriting=rewriting).run(judge, seed)
    path = [step for step in judge.best.steps if step.rule in {rule.name for rule in rewriting.rules}]
    return list(_lived(problem, path[:env_steps], env_steps, rewriting))


def _lived(problem: Problem, path: Sequence[Step], steps: int, rewriting: Rewriting) -> Iterator[Lived]:
    function = rewriting.cleaned(problem.source)
    base = least = cost = price(problem, function)
    applied: tuple[str, ...] = ()
    for number in range(len(path) + 1):
        standing = Standing(cost / max(1.0, base), least / max(1.0, base), (steps - number) / steps, applied)
        moves, places = rewriting.moves(function, problem.facts), Places.of(function)
        told = np.array([stop_row(), *(action_row(places, one.rule, one.at, standing) for one in moves)])
        row = function_row(function, standing)
        if number == len(path):
            yield Lived(row, told, 0, 0.0, row, True, True)
            return
        wanted = path[number]
        for at, move in enumerate(moves, 1):
            step = rewriting.taken(function, move, problem) if move.rule.name == wanted.rule else None
            if step is not None and key(step.result) == key(wanted.result):
                yield Lived(row, told, at, 0.0, row, False, False)
                break
        else:
            return  # the path began elsewhere, at a seed
        function, applied = wanted.result, (*applied, wanted.rule)
        cost = price(problem, function)
        least = min(least, cost)


@dataclass(frozen=True, slots=True)
class Check:
    """After so many steps of learning: the mean gain of an episode (likeliest actions) on both sets."""

    steps: int
    trained: float
    held_out: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What a training gave.  agent: the one that did best on the training set, at a check; the held-out set chose
    nothing. shown: demonstrations."""

    agent: Agent
    checks: tuple[Check, ...]
    curve: tuple[tuple[int, float], ...]
    shown: int
    seconds: float
    interrupted: bool = False


def learn(
    training: Sequence[tuple[str, Problem]],
    held_out: Sequence[tuple[str, Problem]],
    *,
    steps: int = 8000,
    seed: int = 0,
    every: int = 2000,
    teach: bool = True,
    settings: Settings = SETTINGS,
    rewriting: Rewriting | None = None,
    progress: Progress | None = None,
) -> Learned:
    """Train a policy on some functions, and look every so many steps how it does on those and on others.

    teach: begin with the paths that tree search finds on the training set. The same seed gives the same weights, unless
    a proof runs out of time. SIGINT ends it with the best so far.
    """
    began = time.monotonic()
    rewriting = rewriting or Rewriting()
    env = SuperoptEnv([problem for _, problem in training], rewriting=rewriting)
    known, others = (
        SuperoptEnv([problem for _, problem in some], rewriting=rewriting) for some in (training, held_out)
    )
    agent = Agent.fresh(seed, rules=[rule.name for rule in env.rewriting.rules])
    shown: list[Lived] = []
    checks: list[Check] = []
    agents: list[Agent] = []
    curve: tuple[tuple[int, float], ...] = ()
    with progress or Silent() as told, interrupts_noted() as interrupts:
        if teach:
            told.phase("finding ways by tree search", len(training))
            for number, (_, problem) in enumerate(training):
                if interrupts:
                    break
                shown += demonstrations(problem, env.steps, seed, rewriting=rewriting)
                told.advance(number + 1)
            if shown:
                rng = np.random.default_rng((seed, 2))
                agent = replace(agent, scorer=imitate(agent.scorer, Adam(1e-3), shown, rng, epochs=12))

        def watch(done: int, now: Agent) -> None:
            if not checks or done - checks[-1].steps >= every:
                checks.append(Check(done, gain(known, now), gain(others, now)))
                agents.append(now)

        watch(0, agent)
        if not interrupts:
            result = train(env, steps, seed, told, agent=agent, settings=settings, watch=watch)
            curve = result.curve
            if checks[-1].steps < result.steps:
                checks.append(Check(result.steps, gain(known, result.agent), gain(others, result.agent)))
                agents.append(result.agent)
        best = max(range(len(checks)), key=lambda at: checks[at].trained)
        names = tuple(name for name, _ in training)
        chosen = replace(agents[best], trained=names)
        return Learned(chosen, tuple(checks), curve, len(shown), time.monotonic() - began, bool(interrupts))


def gain(env: SuperoptEnv, agent: Agent) -> float:
    """The mean over the environment's problems of what an episode of the likeliest actions earns."""
    return float(np.mean([played(env, agent, 0, task=task) for task in range(len(env.problems))]))
