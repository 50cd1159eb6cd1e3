"""How many calls a second m4alloc.tune.simulate makes, on workloads that are heavy in different parts of the core.

    python -m benchmarks.simulator_rate [--calls N] [RECORDING ...]

Rates are of the process's own CPU time, the best of five; the loop is compiled before.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np

from m4alloc.strategy import Strategy
from m4alloc.tune.simulate import simulate
from m4alloc.tune.workload import Kind, Workload, load

REPEAT = 5


def random_lives(calls: int, blocks: int, mean: float, *, threads: int = 1, name: str = "") -> Workload:
    """Blocks of exponentially distributed sizes, each call on a random one: made if it is not, freed if it is."""
    chance = np.random.default_rng(1)
    block = chance.integers(1, blocks + 1, calls).astype(np.uint32)
    order = np.argsort(block, kind="stable")
    ordered = block[order]
    first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    at = np.arange(calls)
    kind = np.empty(calls, np.uint8)
    kind[order] = np.where((at - np.maximum.accumulate(np.where(first, at, 0))) % 2 == 0, Kind.ALLOCATE, Kind.FREE)
    size = np.where(kind == Kind.ALLOCATE, chance.exponential(mean, calls) + 1, 0).astype(np.uint64)
    return Workload(
        name=name,
        kind=kind,
        block=block,
        size=size,
        alignment=np.zeros(calls, np.uint64),
        zeroed=np.zeros(calls, np.bool_),
        thread=chance.integers(0, threads, calls).astype(np.uint16),
        time_ms=(at // 10_000).astype(np.uint32),
        blocks=blocks,
        threads=threads,
    )


def workloads(calls: int) -> Iterator[Workload]:
    """Ordinary, local, spread, of middling sizes, and of four threads that free each other's blocks."""
    yield random_lives(calls, 10_000, 100, name="10,000 small blocks")
    yield random_lives(calls, 100, 100, name="100 small blocks")
    yield random_lives(calls, 500_000, 100, name="500,000 small blocks")
    yield random_lives(calls, 2_000, 5_000, name="2,000 blocks of 5 KB")
    yield random_lives(calls, 10_000, 100, threads=4, name="four threads")


def rate(workload: Workload, strategy: Strategy) -> float:
    """Calls a second of CPU time."""
    best = float("inf")
    for _ in range(REPEAT):
        before = time.process_time()
        simulate(workload, strategy)
        best = min(best, time.process_time() - before)
    return len(workload) / best


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2_000_000)
    parser.add_argument("recordings", nargs="*", metavar="RECORDING")
    options = parser.parse_args()
    given = [workload for path in options.recordings for workload in load(path)]
    print(f"{'workload':28}{'calls':>12}{'default':>10}{'deep':>10}{'hardened':>10}   million calls/s")
    for workload in given or workloads(options.calls):
        strategies = (Strategy(), Strategy(stack_depth=65_536, stack_bytes=4 << 20), Strategy.hardened())
        rates = "".join(f"{rate(workload, strategy) / 1e6:10.1f}" for strategy in strategies)
        print(f"{workload.name[:27]:28}{len(workload):12,}{rates}")


if __name__ == "__main__":
    main()
