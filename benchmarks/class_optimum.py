"""How far from the optimal size classes does black-box search end, and what does each take?

    python -m benchmarks.class_optimum [--classes 16] [--evaluations 600] [--seed 1] [--trace FILE] [--json FILE]

The demand is a synthetic mix of 200,000 requests, or that of a recording. Dynamic programming finds the optimum; random
search, hill climbing (one class moved, kept if better) and TPE (Optuna) get as many evaluations as asked for, each of
which is exact, and are allowed to choose among the sizes in use, as the optimum does. At the end, the optimum of 3,000
distinct sizes and 40 classes, which has to take less than 0.5 s.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from m4alloc.strategy import default_classes
from m4alloc.tune.curves import ClassRules, Demand, Weight, class_curve
from m4alloc.view.text import table

Search = Callable[[Demand, int, int, int], float]


def mixed(seed: int, requests: int = 200_000) -> Demand:
    """Sizes as programs ask for them: a few fixed ones, many strings, some buffers."""
    rng = np.random.default_rng(seed)
    objects = rng.choice(rng.integers(16, 600, 24), requests // 2)
    strings = rng.lognormal(3.6, 0.9, 3 * requests // 8)
    buffers = rng.lognormal(7.5, 1.2, requests - len(objects) - len(strings))
    sizes = np.concatenate((objects, strings, buffers)).astype(np.int64)
    distinct, counts = np.unique(np.clip(sizes, 1, 32768), return_counts=True)
    return Demand.counted(distinct.tolist(), counts.tolist())


def candidates(demand: Demand) -> list[int]:
    """The sizes that a class may have, from the smallest in use to the largest."""
    rule = ClassRules()
    return sorted({rule.round(int(size)) for size in demand.sizes})


def set_of(sizes: list[int], places: list[int]) -> list[int]:
    """The classes at these places, and the largest."""
    return sorted({sizes[place] for place in places} | {sizes[-1]})


def random_search(demand: Demand, classes: int, evaluations: int, seed: int) -> float:
    """The best of so many random sets."""
    rng, sizes = np.random.default_rng(seed), candidates(demand)
    draws = (rng.choice(len(sizes) - 1, classes - 1, replace=False).tolist() for _ in range(evaluations))
    return min(demand.waste(set_of(sizes, places)) for places in draws)


def hill_climbing(demand: Demand, classes: int, evaluations: int, seed: int) -> float:
    """From a random set: move one class by a step of any order of length, and keep what is no worse."""
    rng, sizes = np.random.default_rng(seed), candidates(demand)
    places = rng.choice(len(sizes) - 1, classes - 1, replace=False).tolist()
    best = demand.waste(set_of(sizes, places))
    for _ in range(evaluations - 1):
        moved = list(places)
        which = int(rng.integers(len(moved)))
        step = int(rng.geometric(0.5 ** rng.integers(1, 10))) * int(rng.choice((-1, 1)))
        moved[which] = min(max(0, moved[which] + step), len(sizes) - 2)
        waste = demand.waste(set_of(sizes, moved))
        if waste <= best:
            best, places = waste, moved
    return best


def tpe(demand: Demand, classes: int, evaluations: int, seed: int) -> float:
    """Optuna's tree-structured Parzen estimator, one integer a class."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sizes = candidates(demand)

    def objective(trial: optuna.Trial) -> float:
        places = [trial.suggest_int(f"class{n}", 0, len(sizes) - 2) for n in range(classes - 1)]
        return demand.waste(set_of(sizes, places))

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=evaluations)
    return float(study.best_value)


SEARCHES: dict[str, Search] = {"random": random_search, "hill climbing": hill_climbing, "TPE (Optuna)": tpe}


def compared(demand: Demand, classes: int, evaluations: int, seed: int) -> list[dict[str, float | str | int]]:
    """A row for each way to choose classes: its waste, that as a ratio to the optimum, and its seconds."""
    start = time.perf_counter()
    optimum = float(class_curve(demand, classes).waste[classes])
    rows: list[dict[str, float | str | int]] = [
        {"method": "dynamic programming", "waste": optimum, "seconds": time.perf_counter() - start, "evaluations": 0}
    ]
    for name, search in SEARCHES.items():
        start = time.perf_counter()
        waste = search(demand, classes, evaluations, seed)
        seconds = time.perf_counter() - start
        rows.append({"method": name, "waste": waste, "seconds": seconds, "evaluations": evaluations})
    fixed = default_classes()
    rows.append({"method": f"{len(fixed)} default classes", "waste": demand.waste(fixed), "seconds": 0.0})
    for row in rows:
        row["ratio"] = float(row["waste"]) / optimum
        row["share"] = float(row["waste"]) / (float(row["waste"]) + demand.total)
    return rows


def seconds_of_3000_sizes(seed: int) -> float:
    """The optimum of 3,000 distinct sizes, all multiples of 16, and 40 classes."""
    rng = np.random.default_rng(seed)
    sizes = 16 * rng.choice(np.arange(1, 60000), 3000, replace=False)
    demand = Demand.counted(sizes.tolist(), rng.integers(1, 1000, 3000).tolist())
    start = time.perf_counter()
    class_curve(demand, 40, ClassRules(largest=1 << 20, granule=16))
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=16)
    parser.add_argument("--evaluations", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.trace is None:
        demand = mixed(options.seed)
    else:
        from m4alloc.tune.workload import load

        demand = Demand.of(load(options.trace)[0], Weight.REQUESTS)
    rows = compared(demand, options.classes, options.evaluations, options.seed)
    cells = []
    for row in rows:
        cells.append(
            [
                str(row["method"]),
                f"{100 * float(row['share']):.1f} %",
                f"{row['ratio']:.2f}",
                str(row.get("evaluations") or ""),
                f"{row['seconds']:.3f}" if row["seconds"] else "",
            ]
        )
    print(f"{options.classes} classes for {len(demand.sizes)} sizes, {demand.weights.sum():,.0f} requests")
    header = ("classes by", "waste", "of the optimum", "evaluations", "seconds")
    print("\n".join(table(cells, header, right=(1, 2, 3, 4))))
    seconds = seconds_of_3000_sizes(options.seed)
    print(f"3,000 distinct sizes, all numbers of classes up to 40: {seconds:.3f} s")
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "seconds_3000_40": seconds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
