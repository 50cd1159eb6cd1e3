"""Comparison: methods of search side by side at equal budget, random search always among them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from m4alloc.check.progress import Progress, Silent
from m4alloc.tune.archive import no_worse
from m4alloc.tune.engine import Engine
from m4alloc.tune.evaluate import Evaluator
from m4alloc.tune.methods import METHODS
from m4alloc.tune.search import BATCH, Campaign, Interrupted, opened, search
from m4alloc.tune.space import Space
from m4alloc.view.quantity import significant

UNSEEDED: Final = "random, no seeds"
"""Random search that knows neither the exact answers nor the default: the honest baseline of everything."""


@dataclass(frozen=True, slots=True)
class Row:
    """A method: medians over its campaigns, one a seed.

    best_product: the least product of time and memory among candidates that are worse than the baseline in neither, by
    over 0.2 %; 1 when there are none. hypervolume: 1 is the baseline alone.
    """

    method: str
    hypervolume: float
    least_hypervolume: float
    best_time: float
    best_memory: float
    best_product: float
    evaluations: int
    seconds: float
    campaigns: int


def comparison(
    space: Space,
    evaluator: Evaluator,
    *,
    methods: Sequence[str] = tuple(METHODS),
    budget: int = 200,
    seeds: Sequence[int] = (0, 1, 2),
    batch: int = BATCH,
    engine: Engine | str = "local",
    workers: int = 0,
    progress: Progress | None = None,
    interrupts: Interrupted | None = None,
) -> list[Row]:
    """A row for each method, the best hypervolume first; random search, with and without seeds, is never missing.

    seeds: of the campaigns, one each. An interrupt leaves out what was not begun. Raises: as search does.

    >>> from m4alloc.tune.example import example_simulate, example_workload
    >>> evaluator = Evaluator((example_workload(),), simulate=example_simulate)
    >>> rows = comparison(Space.of(), evaluator, methods=["climb"], budget=30, seeds=[0], workers=1)
    >>> sorted(row.method for row in rows)
    ['climb', 'random', 'random, no seeds']
    """
    names = [*dict.fromkeys((*methods, "random")), UNSEEDED]
    found: dict[str, list[Campaign]] = {name: [] for name in names}
    with opened(engine, evaluator, workers) as running, progress or Silent() as shown:
        done = 0
        for seed in seeds:
            for name in names:
                if interrupts:
                    break
                shown.phase(f"comparing methods: {name}", len(names) * len(seeds))
                campaign = search(
                    space,
                    evaluator,
                    method="random" if name == UNSEEDED else name,
                    budget=budget,
                    seed=seed,
                    batch=batch,
                    engine=running,
                    interrupts=interrupts,
                    seeded=name != UNSEEDED,
                )
                found[name].append(campaign)
                done += 1
                shown.advance(done)
    rows = [row_of(name, campaigns) for name, campaigns in found.items() if campaigns]
    return sorted(rows, key=lambda row: -row.hypervolume)


def row_of(name: str, campaigns: Sequence[Campaign]) -> Row:
    """The medians of a method's campaigns. The hypervolume of the worst of them is told as well."""
    volumes = [one.archive.hypervolume for one in campaigns]
    return Row(
        method=name,
        hypervolume=statistics.median(volumes),
        least_hypervolume=min(volumes),
        best_time=statistics.median(one.archive.least_time for one in campaigns),
        best_memory=statistics.median(one.archive.least_memory for one in campaigns),
        best_product=statistics.median(best_product(one) for one in campaigns),
        evaluations=int(statistics.median(len(one.evaluations) for one in campaigns)),
        seconds=statistics.median(one.seconds for one in campaigns),
        campaigns=len(campaigns),
    )


def best_product(campaign: Campaign) -> float:
    """The least product of time and memory among the front's candidates that lose 0.2 % of neither, at least."""
    worth = [one.objectives for one in campaign.archive.front]
    return min((one.time * one.memory for one in worth if no_worse(one.time) and no_worse(one.memory)), default=1.0)


def comparison_table(rows: Sequence[Row], bounds: Mapping[str, float] | None = None) -> list[list[str]]:
    """Cells of a table with its head first; bounds: what is exact, by name: memory that no strategy can go below, say.

    >>> for line in comparison_table([Row("random", 1.2, 1.1, 0.9, 0.95, 0.88, 200, 1.5, 3)], {"peak live": 0.61}):
    ...     print(" | ".join(line))
    method | hypervolume | least of seeds | time | memory | time x memory | evaluations | seconds
    random | 1.20 | 1.10 | 0.900 | 0.950 | 0.880 | 200 | 1.50
    peak live |  |  |  | 0.610 |  |  |
    """
    head = ["method", "hypervolume", "least of seeds", "time", "memory", "time x memory", "evaluations", "seconds"]
    table = [head]
    for row in rows:
        worth: list[Any] = [row.hypervolume, row.least_hypervolume, row.best_time, row.best_memory, row.best_product]
        cells = [row.method, *(significant(value) for value in worth)]
        table.append([*cells, str(row.evaluations), significant(row.seconds)])
    for name, bound in (bounds or {}).items():
        table.append([name, "", "", "", significant(bound), "", "", ""])
    return table
