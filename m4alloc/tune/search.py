"""Search: one campaign over a space: a method asks, an engine evaluates, the archive keeps what nothing dominates."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from m4alloc.check.progress import Progress, Silent
from m4alloc.check.surroundings import interrupts_noted
from m4alloc.strategy import Strategy
from m4alloc.tune.archive import Archive, Prefer, Reference, recommended
from m4alloc.tune.engine import Engine, engine_of
from m4alloc.tune.evaluate import Evaluator, Objective, Scored
from m4alloc.tune.methods import DEFAULT, Factory, method_of
from m4alloc.tune.search_state import NAME, SearchState
from m4alloc.tune.space import Point, Space
from m4alloc.view.quantity import plural, ratio, significant

BUDGET: Final = 400
"""Evaluations of a campaign when nobody says."""

BATCH: Final = 8
"""Points asked for at a time: of a fixed number, so that the workers' number changes nothing about the result."""

STALE: Final = 50
"""Times that a method may ask for nothing new before the campaign ends: the space is exhausted, or nearly."""


class Interrupted(Protocol):
    """True once the user has interrupted."""

    def __bool__(self) -> bool: ...


@dataclass(slots=True)
class Campaign:
    """What a search has found, and how it went.

    evaluations: every candidate, in the order in which they were told. course: after each batch how many there were,
    and the front's hypervolume (1 is the baseline alone). exhausted: the method found nothing new to ask for.
    """

    method: str
    seed: int
    budget: int
    archive: Archive
    evaluations: list[Scored] = field(default_factory=list)
    course: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False
    exhausted: bool = False

    @property
    def failures(self) -> list[Scored]:
        """Candidates that could not be evaluated."""
        return [one for one in self.evaluations if one.failed]

    def line(self) -> str:
        """How far it is, for a progress bar.

        >>> Campaign("random", 0, 100, Archive(Reference.of(Strategy()))).line()
        'random: no candidate yet'
        """
        if not len(self.archive):
            return f"{self.method}: no candidate yet"
        front, volume = plural(len(self.archive), "candidate"), significant(self.archive.hypervolume)
        least = f"time {ratio(self.archive.least_time)}, memory {ratio(self.archive.least_memory)}"
        return f"{self.method}: front of {front}, hypervolume {volume}; least {least}"

    def recommended(self, baseline: Scored, prefer: Prefer | str = Prefer.BALANCED) -> Scored:
        """The candidate to choose, see m4alloc.tune.archive.recommended; the baseline when none pays."""
        front = [one for one in self.evaluations if any(one is other for other in self.archive.front)]
        return recommended(front, baseline, prefer)


Watch = Callable[[Campaign], None]
"""Shown the campaign after each batch, for a live front."""


def search(
    space: Space,
    evaluator: Evaluator,
    *,
    method: str | Factory = DEFAULT,
    budget: int = BUDGET,
    seed: int = 0,
    batch: int = BATCH,
    engine: Engine | str = "local",
    workers: int = 0,
    scheduler: str = "",
    state: Path | str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    interrupts: Interrupted | None = None,
    watch: Watch | None = None,
    seeded: bool = True,
) -> Campaign:
    """Evaluate `budget` different strategies as the method asks for them.

    The space's seeds come first, for every method alike (seeded=False: none do). The result depends on space,
    evaluator, method, seed and batch alone, not on the engine. state: a folder; what was evaluated is kept there, and
    resume goes on with it, to the same end. interrupts: the search ends early once it is true, with what was found; by
    default SIGINT does that. Under regret the best of each workload is first that among the seeds, at the end of all.
    Raises: MethodError, EngineError, SearchStateError, ModuleNotFoundError that names the extra, OSError.

    >>> from m4alloc.tune.example import example_simulate, example_workload
    >>> evaluator = Evaluator((example_workload(),), simulate=example_simulate)
    >>> campaign = search(Space.of(), evaluator, method="climb", budget=40, workers=1)
    >>> len(campaign.evaluations), campaign.archive.hypervolume > 1
    (40, True)
    """
    began = time.monotonic()
    chosen = method_of(method, space, seed)
    identity = campaign_identity(space, evaluator, chosen.name, seed, batch, seeded)
    kept = SearchState(None if state is None else Path(state) / NAME, identity, resume=resume)
    campaign = Campaign(chosen.name, seed, budget, Archive(Reference.of(evaluator.baseline)))
    with ExitStack() as stack:
        stop = stack.enter_context(interrupts_noted()) if interrupts is None else interrupts
        shown = stack.enter_context(progress or Silent())
        if isinstance(engine, str):
            engine = stack.enter_context(engine_of(engine, evaluator, workers=workers, scheduler=scheduler))
        run = _Run(space, evaluator, engine, kept, campaign, stop)
        rng = np.random.default_rng([seed, zlib.crc32(chosen.name.encode())])
        shown.phase(campaign.line(), budget)
        points = list(space.seeds) if seeded else []
        stale = 0
        while len(campaign.evaluations) < budget and not stop:
            before = len(campaign.evaluations)
            points = points or chosen.ask(batch, rng)
            run.evaluate(points)
            chosen.tell(*run.known(points))
            if not before and run.against_best():
                # What the seeds are worth has changed; the method has forgotten nothing that it may use.
                chosen = method_of(method, space, seed)
                chosen.tell(*run.known(points))
            points = []
            stale = 0 if len(campaign.evaluations) > before else stale + 1
            if stale >= STALE:
                campaign.exhausted = True
                break
            campaign.course.append((len(campaign.evaluations), campaign.archive.hypervolume))
            shown.phase(campaign.line(), budget)
            shown.advance(len(campaign.evaluations))
            if watch is not None:
                watch(campaign)
        campaign.interrupted = bool(stop) and len(campaign.evaluations) < budget
    run.against_best()
    campaign.seconds = time.monotonic() - began
    return campaign


class _Run:
    """A campaign on its way: which strategies were evaluated, and where to ask for others."""

    def __init__(
        self,
        space: Space,
        evaluator: Evaluator,
        engine: Engine,
        state: SearchState,
        campaign: Campaign,
        stop: Interrupted,
    ) -> None:
        self.space = space
        self.evaluator = evaluator
        self.engine = engine
        self.state = state
        self.campaign = campaign
        self.stop = stop
        self.seen: dict[Strategy, Scored] = {}

    def evaluate(self, points: Sequence[Point]) -> None:
        """Evaluate what is new among the points, as far as the budget goes."""
        strategies = dict.fromkeys(self.space.strategy(self.space.check(point)) for point in points)
        left = self.campaign.budget - len(self.campaign.evaluations)
        new = [one for one in strategies if one not in self.seen][:left]
        found = {place: held for place, one in enumerate(new) if (held := self.state.get(one)) is not None}
        places = [place for place in range(len(new)) if place not in found]
        if places:
            for at, one in self.engine.map([new[place] for place in places], lambda: bool(self.stop)):
                self.state.add(one)
                found[places[at]] = one
        # In the order in which they were asked for, whichever came back first.
        for place in sorted(found):
            [one] = self.evaluator.rescored([found[place]])
            self.seen[one.strategy] = one
            self.campaign.evaluations.append(one)
            self.campaign.archive.add(one)

    def known(self, points: Sequence[Point]) -> tuple[list[Point], list[Scored]]:
        """Those of the points that were evaluated, and what they are worth."""
        pairs = [(point, self.seen.get(self.space.strategy(point))) for point in points]
        return [point for point, one in pairs if one is not None], [one for _, one in pairs if one is not None]

    def against_best(self) -> bool:
        """Under regret: judge all anew by the best of each workload that is known now. Whether that was done."""
        if self.evaluator.objective is not Objective.REGRET or not self.seen:
            return False
        self.evaluator = self.evaluator.against(self.seen.values())
        rescored = self.evaluator.rescored(self.campaign.evaluations)
        self.seen = {one.strategy: one for one in rescored}
        self.campaign.evaluations[:] = rescored
        self.campaign.archive = Archive(self.campaign.archive.reference)
        for one in rescored:
            self.campaign.archive.add(one)
        return True


def campaign_identity(
    space: Space, evaluator: Evaluator, method: str, seed: int, batch: int, seeded: bool
) -> Mapping[str, Any]:
    """All that the points of a campaign depend on, but its budget."""
    return {
        "method": method,
        "seed": seed,
        "batch": batch,
        "seeded": seeded,
        "space": {knob.name: [str(value) for value in knob.values] for knob in space.knobs},
        "seeds": [list(point) for point in space.seeds],
        "base": space.base.to_toml(),
        **evaluator.identity(),
    }


@contextmanager
def opened(engine: Engine | str, evaluator: Evaluator, workers: int = 0, scheduler: str = "") -> Iterator[Engine]:
    """An engine for several campaigns, by its name or as it is."""
    if not isinstance(engine, str):
        yield engine
        return
    with engine_of(engine, evaluator, workers=workers, scheduler=scheduler) as made:
        yield made
