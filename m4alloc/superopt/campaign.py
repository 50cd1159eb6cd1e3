"""A campaign: many functions superoptimised by several processes or a cluster, each kept as soon as it is finished."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import m4alloc
from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.superopt import rules
from m4alloc.superopt.campaign_state import CampaignState, Finished
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, Module
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.problem import Budget, Candidate, Problem
from m4alloc.tune.engine import Stop, engine_of

IMPROVED: Final = "improved"
NOTHING: Final = "nothing cheaper"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """One function to make cheaper, by a name that the campaign has once."""

    name: str
    problem: Problem


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with each function: the same for all of them, so that their results can be told side by side.

    seconds, proposals: the budget of each function; seed: of its searches; methods: of m4alloc.superopt.pipeline, in
    order, its own when not given; thorough: use up the budget even where enumeration has tried all below the best.
    """

    seconds: float = 60.0
    proposals: int | None = None
    seed: int = 0
    methods: tuple[str, ...] = ()
    thorough: bool = False


@dataclass(frozen=True, slots=True)
class Solved:
    """What a solver found: the best candidate, its cost and the source's, where proposals ended, and why nothing.

    details: whatever else it has to tell, as JSON."""

    best: Candidate
    before: float
    tally: dict[str, int]
    reason: str = ""
    details: dict[str, Any] = field(default_factory=dict)


Solve = Callable[[Problem, Plan], Solved]
"""A function of a module, so that it can be sent to other processes."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """All finished functions in the order of the tasks.  interrupted: the rest is missing; resume goes on with it."""

    finished: tuple[Finished, ...]
    tasks: int
    seconds: float
    interrupted: bool = False

    @property
    def improved(self) -> tuple[Finished, ...]:
        """The functions for which something cheaper was proved."""
        return tuple(one for one in self.finished if one.is_improved)


def tasks_of(
    modules: Iterable[tuple[str, Module]], *, facts: Sequence[Fact] = (), target: str = "x86-64", objective: str = "ir"
) -> list[Task]:
    """A task for each function of the modules, named FILE:FUNCTION; opaque functions are left out, see Module.skipped.

    facts: those that name only a function's arguments are assumed of it.
    """
    found = []
    for where, module in modules:
        for function in module.functions:
            if function.is_opaque or function.name in module.skipped:
                continue
            names = {argument.name for argument in function.arguments}
            known = tuple(fact for fact in facts if _names(fact) <= names)
            found.append(Task(f"{where}:{function.name}", Problem(function, known, target, objective)))
    return found


def campaign(
    tasks: Sequence[Task],
    plan: Plan | None = None,
    *,
    jobs: int = 0,
    engine: str = "local",
    scheduler: str = "",
    state: Path | None = None,
    resume: bool = False,
    solve: Solve | None = None,
    progress: Progress | None = None,
    tell: Callable[[Finished], None] = lambda _: None,
) -> Campaign:
    """Superoptimise every function, and keep each as soon as it is finished.

    jobs: processes, 0 for as many as there are cores. engine: "local", or "dask" with the address of a `scheduler`.
    state: the file of finished functions; with `resume` those in it are not done again, unless they have changed or
    had failed. solve: what is done with each, the default pipeline when not given. tell: told each as it is finished.
    SIGINT ends the campaign at once: what was under way is lost, what was finished is kept.
    Which engine and how many jobs changes nothing about what is found, but for what runs out of time.
    Raises: ValueError for two tasks of one name, MethodError, CampaignStateError, EngineError, OSError.
    """
    began = time.monotonic()
    plan = plan or Plan()
    if plan.methods:
        from m4alloc.superopt.pipeline import search_of

        for method in plan.methods:
            search_of(method)
    twice = [name for name, count in Counter(task.name for task in tasks).items() if count > 1]
    if twice:
        raise ValueError(f"two functions of this campaign have the name {twice[0]!r}; give each its own")
    solve = solve or by_pipeline
    identity = {
        **asdict(plan),
        "methods": list(plan.methods),
        "solve": f"{solve.__module__}.{solve.__qualname__}",
        "version": m4alloc.__version__,
        "rules": blake2b(repr(rules.ALL).encode(), digest_size=8).hexdigest(),
    }
    held = CampaignState(state, identity, resume=resume)
    digests = {task.name: digest(task.problem) for task in tasks}
    found = {task.name: one for task in tasks if (one := held.get(task.name, digests[task.name])) is not None}
    left = [task for task in tasks if task.name not in found]
    interrupted = False
    with progress or Silent() as shown, interrupts_noted() as interrupts:
        shown.phase("superoptimising", len(tasks))
        shown.advance(len(found))
        interrupts.at_once = True
        try:
            for one in _finished(left, (plan, solve), jobs, engine, scheduler, lambda: bool(interrupts)):
                found[one.name] = one
                held.add(one)
                tell(one)
                shown.advance(len(found))
        except KeyboardInterrupt:
            interrupted = True
    order = [found[task.name] for task in tasks if task.name in found]
    return Campaign(tuple(order), len(tasks), time.monotonic() - began, interrupted or bool(interrupts))


def by_pipeline(problem: Problem, plan: Plan) -> Solved:
    """The default: the pipeline of searches in this process.  Raises: MethodError, and what it raises."""
    # Imported by whom it is for: what counts and keeps campaigns has no need of every search.
    from m4alloc.superopt.pipeline import METHODS, superoptimise

    budget = Budget(plan.seconds, plan.proposals)
    result = superoptimise(problem, budget, plan.methods or METHODS, seed=plan.seed, thorough=plan.thorough)
    if result.interrupted:
        raise KeyboardInterrupt  # what was cut short is not finished
    reason = "; ".join(result.why_nothing)
    return Solved(result.best, result.source.cost.objective, asdict(result.tally), reason)


def digest(problem: Problem) -> str:
    """Sixteen hexadecimal digits that name a problem: the function, its facts, the target and the objective."""
    told = (print_function(problem.source), sorted(fact.text for fact in problem.facts), problem.target)
    return blake2b(repr((*told, problem.objective)).encode(), digest_size=8).hexdigest()


def solved(work: tuple[Plan, Solve], task: Task) -> Finished:
    """One function; whatever a solver raises is a failure of this function and of no other."""
    plan, solve = work
    began = time.monotonic()
    try:
        one = solve(task.problem, plan)
        best = one.best
        better = best.cost.objective < one.before
        return Finished(
            task.name,
            digest(task.problem),
            IMPROVED if better else NOTHING,
            float(one.before),
            float(best.cost.objective),
            best.method if better else "",
            best.verdict.method if better else "",
            _text(best.function) if better else "",
            tuple((step.rule, step.at) for step in best.steps) if better else (),
            one.tally,
            "" if better else one.reason,
            time.monotonic() - began,
            one.details,
        )
    except ModuleNotFoundError:
        raise  # every function would fail
    except Exception as error:
        return failed(task, f"{type(error).__name__}: {error}", time.monotonic() - began)


def failed(task: Task, why: str, seconds: float = 0.0) -> Finished:
    """A function that could not be done."""
    return Finished(task.name, digest(task.problem), FAILED, reason=why, seconds=seconds)


def _finished(
    left: Sequence[Task], work: tuple[Plan, Solve], jobs: int, engine: str, scheduler: str, stop: Stop
) -> Iterable[Finished]:
    if not left:
        return
    with engine_of(engine, work, workers=jobs, scheduler=scheduler, judge=solved, lost=failed) as running:
        mapping: Any = running.map
        for _, one in mapping(left, stop):
            yield one


def _text(function: Function) -> str:
    return print_function(function)


def _names(fact: Fact) -> set[str]:
    import ast

    tree = ast.parse(fact.text, mode="eval")
    called = {id(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    return {one.id for one in ast.walk(tree) if isinstance(one, ast.Name) and id(one) not in called}
