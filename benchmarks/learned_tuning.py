"""Does learning pay? The learned agent beside random search, hill climbing and bounds, on programs it has not seen.

    python -m benchmarks.learned_tuning [TRACE...] [--budget 100] [--steps 6000] [--folds 3] [--seeds 3] [--json FILE]
                                        [--synthetic] [--placement] [--without KNOB] [--blocks 6000] [--curve FILE]

Programs are split into folds; for each the agent is trained on the programs of the others, and then searches on each
program of the fold with the same number of evaluations as every other method. All know the same space and begin with
the same seeds; none is given the exact answers, which are a row of their own. What is told is time times memory as a
ratio to the default's; less is better. --placement is the other question: whether blocks should be placed by how long
they will live, in slabs times calls as multiples of what no placement can do without. TRACE: recordings, by default
those of benchmarks/traces/excerpts. --synthetic: workloads made by numpy instead. --curve: an SVG.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from m4alloc.check.progress import on_stderr
from m4alloc.strategy import Strategy
from m4alloc.tune.agent import Agent
from m4alloc.tune.agent_edits import Worth
from m4alloc.tune.agent_ppo import Settings
from m4alloc.tune.agent_summary import summary
from m4alloc.tune.environment import StrategyEnv, Task, train_for
from m4alloc.tune.evaluate import Evaluator
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.method_learned import Learned, with_weights
from m4alloc.tune.placement import (
    Excerpt,
    Policy,
    at_random,
    best_clairvoyant,
    by_lifetime,
    clairvoyant,
    one_region,
    quantiles,
    run,
)
from m4alloc.tune.placement_env import PlacementEnv, learn_placement, placed
from m4alloc.tune.search import search
from m4alloc.tune.security import Security
from m4alloc.tune.sources import sources
from m4alloc.tune.space import Space
from m4alloc.tune.workload import Workload
from m4alloc.view.chart import Axis, Series, curves
from m4alloc.view.svg import document
from m4alloc.view.text import table

EXCERPTS = Path(__file__).parent / "traces" / "excerpts"
REGIONS = 4
METHODS = ("random", "climb", "portfolio", "agent, untrained", "agent, trained")
ROLES = ("muted", "series-3", "series-4", "series-2", "series-1")


def workloads_of(words: Sequence[str], synthetic: bool) -> list[Workload]:
    """One workload a program: its largest image."""
    if synthetic:
        return [example_workload(150, seed, f"synthetic {seed}", 256 << seed % 5) for seed in range(6)]
    found: dict[str, Workload] = {}
    for source in sources(list(words) or [str(EXCERPTS)]):
        workload = max(source.workloads, key=len)
        if source.program not in found or len(found[source.program]) < len(workload):
            found[source.program] = workload
    return [found[name] for name in sorted(found)]


def floor(strategy: Strategy) -> bool:
    """Never less secure than the default."""
    return Security.of(strategy).at_least(Security.of(Strategy()))


def folds_of(count: int, folds: int) -> list[list[int]]:
    """The programs that are held out together, by number.

    >>> folds_of(5, 2)
    [[0, 2, 4], [1, 3]]
    """
    return [part for part in (list(range(count))[first::folds] for first in range(folds)) if part]


class Bench:
    """The programs, their evaluators, and the one space for all of them."""

    def __init__(self, workloads: Sequence[Workload], synthetic: bool, without: Sequence[str] = ()) -> None:
        self.workloads = list(workloads)
        more: dict[str, Any] = {"simulate": example_simulate} if synthetic else {}
        self.evaluators = [Evaluator((workload,), **more) for workload in workloads]
        self.without = tuple(without)
        self.space = Space.of(allowed=floor, without=self.without)
        self.told = [summary(workload) for workload in workloads]

    def trained(self, numbers: Sequence[int], steps: int, seed: int) -> tuple[Agent, list[tuple[int, float]], int]:
        """An agent that learned on these programs, its learning curve, and the evaluations that took."""
        # What a campaign tells a method has no simulations either.
        tasks = [Task(self.workloads[at].name, self.evaluators[at].scored, self.told[at]) for at in numbers]
        env = StrategyEnv(self.space, tasks, steps=20)
        settings = Settings(rollout=512, rate=1e-3)
        with on_stderr() as progress:
            training = train_for(env, steps, seed, progress, settings=settings)
        return training.agent, list(training.curve), env.evaluations

    def course(self, at: int, method: str, agent: Agent, budget: int, seed: int) -> list[float]:
        """After each evaluation the least time times memory so far."""
        chosen: str | Callable[[Space, int], Learned] = method
        if method == "agent, untrained":
            chosen = lambda space, number: Learned(space, number, told=self.told[at])  # noqa: E731
        elif method == "agent, trained":
            chosen = with_weights(agent, self.told[at])
        evaluator = self.evaluators[at]
        campaign = search(self.space, evaluator, method=chosen, budget=budget, seed=seed, batch=2, workers=1)
        base = evaluator.scored(self.space.base).objectives
        scores = [math.exp(-2 * Worth().score(one.objectives, base)) for one in campaign.evaluations]
        best = np.minimum.accumulate(np.array(scores[:budget]))
        return [*best.tolist(), *[float(best[-1])] * (budget - len(best))]

    def exact(self, at: int, synthetic: bool) -> tuple[float | None, float | None]:
        """The best of the exact answers' own strategies, and peak live by the default's peak: a bound of memory."""
        if synthetic:
            return None, None
        from m4alloc.tune.exact import exact

        evaluator = self.evaluators[at]
        answers = exact(self.workloads[at])
        space = Space.of(answers.suggestions(), allowed=floor, without=self.without)
        base = evaluator.evaluate(self.space.base)
        found = [evaluator.scored(space.strategy(point)).objectives for point in space.seeds]
        simulation = base.simulations[0]
        least = min(math.exp(-2 * Worth().score(one, base.objectives)) for one in found)
        return least, simulation.requested_peak / simulation.footprint_peak


def edits(options: argparse.Namespace) -> dict[str, Any]:
    """The first question: methods at equal budget on held-out programs."""
    workloads = workloads_of(options.traces, options.synthetic)
    bench = Bench(workloads, options.synthetic, options.without)
    result: dict[str, Any] = {"budget": options.budget, "knobs": len(bench.space.knobs), "programs": {}, "folds": []}
    courses: dict[str, list[list[float]]] = {method: [] for method in METHODS}
    for number, held in enumerate(folds_of(len(workloads), options.folds)):
        shown = [at for at in range(len(workloads)) if at not in held]
        began = time.monotonic()
        agent, curve, evaluations = bench.trained(shown, options.steps, number)
        result["folds"].append(
            {
                "held_out": [workloads[at].name for at in held],
                "trained_on": list(agent.trained),
                "curve": curve,
                "evaluations": evaluations,
                "seconds": time.monotonic() - began,
            }
        )
        for at in held:
            row: dict[str, Any] = {}
            for method in METHODS:
                found = [bench.course(at, method, agent, options.budget, seed) for seed in range(options.seeds)]
                courses[method] += found
                row[method] = statistics.median(one[-1] for one in found)
            row["exact answers"], row["bound of memory"] = bench.exact(at, options.synthetic)
            result["programs"][workloads[at].name] = row
    result["courses"] = {name: np.exp(np.log(np.array(rows)).mean(axis=0)).tolist() for name, rows in courses.items()}
    return result


def show_edits(result: dict[str, Any]) -> None:
    """The table, the curve at a few points, and what training cost."""
    header = ["held-out program", *METHODS, "exact answers", "bound of memory"]
    rows = [
        [name, *("" if row[key] is None else f"{row[key]:.3f}" for key in header[1:])]
        for name, row in result["programs"].items()
    ]
    means = [statistics.geometric_mean(row[method] for row in result["programs"].values()) for method in METHODS]
    exact = [row["exact answers"] for row in result["programs"].values()]
    known = f"{statistics.geometric_mean(exact):.3f}" if all(exact) else ""
    rows.append(["geometric mean", *(f"{mean:.3f}" for mean in means), known, ""])
    print(f"time x memory after {result['budget']} evaluations, {result['knobs']} knobs; the default is 1\n")
    print("\n".join(table(rows, header, right=range(1, len(header)))))
    points = sorted({min(at, result["budget"]) for at in (5, 10, 20, 40, 70, 100, 200, result["budget"])})
    lines = [[str(at), *(f"{result['courses'][method][at - 1]:.3f}" for method in METHODS)] for at in points]
    print("\nmean over programs and seeds, after so many evaluations\n")
    print("\n".join(table(lines, ["evaluations", *METHODS], right=range(1 + len(METHODS)))))
    for fold in result["folds"]:
        first, last = fold["curve"][0][1], max(value for _, value in fold["curve"])
        print(
            f"\nweights for {', '.join(fold['held_out'])}: trained on {', '.join(fold['trained_on'])}; "
            f"{fold['evaluations']:,} evaluations, {fold['seconds']:.0f} s; "
            f"gain an episode {first:.4f} at first, {last:.4f} at best"
        )


def draw(result: dict[str, Any], path: Path) -> None:
    """The learning curve as an SVG."""
    courses, budget = result["courses"], result["budget"]
    lowest = math.floor(20 * min(min(courses[method]) for method in METHODS)) / 20
    series = [Series(method, role, courses[method], "line") for method, role in zip(METHODS, ROLES, strict=True)]
    picture = curves(
        "Held-out programs: time x memory by evaluations",
        range(1, budget + 1),
        series,
        Axis("evaluations", 1, budget, lambda value: f"{value:.0f}"),
        Axis("ratio to the default", lowest, 1.0, lambda value: f"{value:.2f}"),
    )
    path.write_text(document(picture), encoding="utf-8")


def teacher_for(shown: Sequence[Excerpt]) -> tuple[Policy, str]:
    """The placement that is best where the agent learns, among those that know the future and today's."""
    powers = [int(max(one.length for one in shown) ** (place / REGIONS)) for place in range(1, REGIONS)]
    lessons: dict[str, Policy] = {
        "one region": one_region,
        "cheapest region": clairvoyant,
        "equal shares": by_lifetime(quantiles(shown, REGIONS)),
        "powers": by_lifetime(powers),
    }
    cost = {
        name: sum(run(one, policy, REGIONS).integral / one.bound() for one in shown) for name, policy in lessons.items()
    }
    name = min(cost, key=lambda one: cost[one])
    return lessons[name], name


def placements(options: argparse.Namespace) -> dict[str, Any]:
    """The second question: what placing by lifetime could save, and what of that can be learned."""
    workloads = workloads_of(options.traces, options.synthetic)
    slab = 4096 if options.synthetic else options.slab
    whole = [Excerpt.of(one, slab_bytes=slab) for one in workloads]
    short = [Excerpt.of(one, 0, 2 * options.blocks, slab_bytes=slab) for one in workloads]
    result: dict[str, Any] = {"regions": REGIONS, "slab": slab, "programs": {}}
    masks = np.ones(REGIONS, np.bool_)
    for number, held in enumerate(folds_of(len(workloads), options.folds)):
        shown = [short[at] for at in range(len(workloads)) if at not in held]
        teacher, lesson = teacher_for(shown)
        with on_stderr() as progress:
            env = PlacementEnv(shown, REGIONS)
            taught, training = learn_placement(env, teacher, options.steps, number, progress)
        for at in held:
            excerpt, bound = whole[at], whole[at].bound()
            env = PlacementEnv([excerpt], REGIONS)

            def learned(agent: Agent, env: PlacementEnv = env) -> float:
                return placed(env, 0, lambda seen: agent.act(seen, masks)).integral

            row = {
                "today": min(run(excerpt, one_region, 1, order).integral for order in range(3)),
                "random": run(excerpt, at_random(number), REGIONS).integral,
                "teacher": run(excerpt, teacher, REGIONS).integral,
                "knows the future": best_clairvoyant(excerpt, REGIONS).integral,
                "cloned": learned(taught),
                "fine-tuned": learned(training.agent),
            }
            result["programs"][excerpt.name] = {name: value / bound for name, value in row.items()}
            result["programs"][excerpt.name] |= {"slabs": bound / excerpt.length, "lesson": lesson}
    return result


def show_placements(result: dict[str, Any]) -> None:
    """The table: slabs times calls as multiples of the bound."""
    names = ["today", "knows the future", "teacher", "cloned", "fine-tuned", "random"]
    rows = [
        [name, f"{row['slabs']:.1f}", *(f"{row[key]:.3f}" for key in names), row["lesson"]]
        for name, row in result["programs"].items()
    ]
    print(f"slabs of {result['slab']:,} bytes times calls, {result['regions']} regions; 1 is the bound\n")
    print(
        "\n".join(table(rows, ["held-out program", "slabs", *names, "what was taught"], right=range(1, 2 + len(names))))
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one of the questions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="*", metavar="TRACE")
    for name, value in (
        ("budget", 100),
        ("steps", 6000),
        ("folds", 3),
        ("seeds", 3),
        ("blocks", 6000),
        ("slab", 65536),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--synthetic", action="store_true")
    parser.add_argument("--placement", action="store_true")
    parser.add_argument("--without", action="append", default=[], metavar="KNOB", help="a knob to leave alone")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--curve", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.placement:
        result = placements(options)
        show_placements(result)
    else:
        result = edits(options)
        show_edits(result)
        if options.curve:
            draw(result, options.curve)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
