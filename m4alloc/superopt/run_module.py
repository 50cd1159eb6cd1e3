"""Many functions made cheaper: a campaign, each of whose results is a function's whole part of the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from m4alloc.check.progress import Progress, Within
from m4alloc.superopt.campaign import FAILED, Plan, Solved, Task, campaign
from m4alloc.superopt.campaign_state import CampaignStateError, Finished
from m4alloc.superopt.cost import cost
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.pipeline_process import added
from m4alloc.superopt.problem import Candidate, Problem, Tally
from m4alloc.superopt.report import Rewritten
from m4alloc.superopt.report_json import rewritten_json, rewritten_of
from m4alloc.superopt.run_function import UNTOUCHED, Rewrite, Settings, timed
from m4alloc.view.quantity import number


class Solver:
    """Searches one function of a campaign, in one process, and tells all of what it found.

    Times are not measured while other functions are searched beside it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = replace(settings, jobs=1, measure=False)
        # By this name the state of a campaign knows that it was searched in the same way.
        self.__qualname__ = f"Solver({self.settings.identity})"

    def __call__(self, problem: Problem, plan: Plan) -> Solved:
        """The function and its report."""
        run = Rewrite(problem.source, problem.facts, self.settings)
        one = run.rewritten()
        if run.interrupted:
            raise KeyboardInterrupt  # what was cut short is not finished
        tally = Tally()
        for piece in one.pieces:
            tally = added(tally, piece.result.tally)
        best = Candidate(one.after, one.cost_after, one.verdict, _methods(one))
        reason = "; ".join(line for piece in one.pieces for line in piece.result.why_nothing) or one.note
        return Solved(best, one.cost_before.objective, asdict(tally), reason, rewritten_json(one))


@dataclass(frozen=True)
class Searched:
    """Of the functions, those that were finished, in their order."""

    found: list[Rewritten]
    interrupted: bool


def searched(
    wanted: Sequence[tuple[Function, tuple[Fact, ...]]],
    settings: Settings,
    *,
    scheduler: str = "",
    state: Path | None = None,
    resume: bool = False,
    progress: Progress,
    tell: Callable[[str], None],
) -> Searched:
    """Search each function under its facts, as many at a time as there are jobs; then measure what was found.

    Raises CampaignStateError, EngineError, OSError.
    """
    tasks = [Task(one.name, Problem(one, facts, settings.target, settings.objective)) for one, facts in wanted]
    plan = Plan(settings.budget, None, settings.seed, settings.methods, settings.thorough)

    def told(one: Finished) -> None:
        what = (
            f"{number(int(one.before))} -> {number(int(one.after))}, by {one.method}" if one.is_improved else one.status
        )
        tell(f"@{one.name}: {what}{f': {one.reason}' if one.status == FAILED else ''}")

    engine = "dask" if scheduler else "local"
    run = campaign(
        tasks, plan, jobs=settings.jobs, engine=engine, scheduler=scheduler, state=state, resume=resume,
        solve=Solver(settings), progress=Within(progress), tell=told,
    )  # fmt: skip
    by_name = {one.name: (one, facts) for one, facts in wanted}
    found = []
    interrupted = run.interrupted
    for each in run.finished:
        function, facts = by_name[each.name]
        one = _read(each, function, settings, state)
        if settings.measure and one.is_improved and not interrupted:
            progress.phase(f"measuring @{function.name}")
            try:
                one = replace(one, measured=timed(function, one.after, facts, settings.seed))
            except KeyboardInterrupt:
                interrupted = True
        found.append(one)
    return Searched(found, interrupted)


def _read(told: Finished, function: Function, settings: Settings, state: Path | None) -> Rewritten:
    """A function's part of the report, from what the campaign kept of it."""
    if told.status == FAILED:
        price = cost(function, settings.target, settings.objective)
        return Rewritten(function, function, price, price, (), UNTOUCHED, note=f"it failed: {told.reason}")
    try:
        return rewritten_of(told.details, function, settings.target, settings.objective)
    except (KeyError, TypeError, AttributeError, IrError) as error:
        raise CampaignStateError(
            f"{state}: what is kept of @{told.name} cannot be read ({type(error).__name__}: {error}); choose another "
            "folder, or do not resume"
        ) from None


def _methods(one: Rewritten) -> str:
    return ", ".join(dict.fromkeys(piece.result.best.method for piece in one.pieces if piece.put_back))
