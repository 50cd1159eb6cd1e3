"""CPU time of whole programs, as ratios to the same program on glibc, for m4alloc, mimalloc and jemalloc.

    python benchmarks/programs.py [--rounds 5] [--only NAME] [--json FILE] [--library NAME=PATH]

Every round runs every program under every allocator in random order; the cost is user + system time of the program
and its children; the ratio is to the glibc run of the same round, and the table shows the median of the rounds.
Peak memory (the largest process of the program) is shown in the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.peer import Peer, geometric_mean, interleaved, machine, peers
from benchmarks.workload import ENVIRONMENT, WORKLOADS, Workload
from m4alloc.view.text import table


class Cost(NamedTuple):
    """What one run took: CPU seconds of it and its children, and peak resident kB of the largest of them."""

    seconds: float
    kilobytes: int


def measure(workload: Workload, peer: Peer, scale: int, log: Path) -> Cost:
    """Run one program under one allocator in a fresh directory; raises SystemExit when its status is not the usual."""
    with tempfile.TemporaryDirectory() as directory:
        argv = workload.command(Path(directory), scale)
        environment = {**peer.environment(), **ENVIRONMENT, **workload.environment, "HOME": directory}
        child = os.fork()
        if child == 0:
            try:
                os.chdir(directory)
                output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(output, 1)
                os.dup2(output, 2)
                os.execvpe(argv[0], argv, environment)
            finally:
                os._exit(127)
        _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in {0, 2}:
        raise SystemExit(f"{workload.name} on {peer.name} ended with status {code}:\n{log.read_text()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def ratios(costs: dict[str, list[Cost]], which: int) -> dict[str, float]:
    """Allocator to the median over the rounds of its cost over glibc's in the same round."""
    return {
        name: statistics.median(mine[which] / glibc[which] for mine, glibc in zip(taken, costs["glibc"], strict=True))
        for name, taken in costs.items()
    }


def report(costs: dict[str, dict[str, list[Cost]]]) -> list[str]:
    """Two tables: CPU time and peak memory, a line a program, with the geometric means last."""
    names = list(next(iter(costs.values())))
    lines = []
    for title, which, absolute in (("CPU time", 0, "glibc s"), ("peak memory", 1, "glibc MB")):
        rows: list[list[str]] = []
        columns: dict[str, list[float]] = {name: [] for name in names if name != "glibc"}
        for program, taken in costs.items():
            found = ratios(taken, which)
            base = statistics.median(cost[which] for cost in taken["glibc"])
            rows.append([program, f"{base:.2f}" if which == 0 else f"{base / 1000:.1f}"])
            for name, values in columns.items():
                values.append(found[name])
                rows[-1].append(f"{found[name]:.2f}")
        rows.append(["geometric mean", "", *(f"{geometric_mean(values):.2f}" for values in columns.values())])
        lines += [*table(rows, [title, absolute, *columns], right=range(1, len(names) + 1)), ""]
    return lines


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="runs a program and allocator (default %(default)s)")
    parser.add_argument("--short", action="store_true", help="the sizes of the tests instead of the longer ones")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this program, not all")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--json", type=Path, help="write every sample there")
    parser.add_argument("--library", action="append", default=[], metavar="NAME=PATH", help="one more allocator")
    chosen = parser.parse_args(words)
    known = {workload.name for workload in WORKLOADS}
    for name in set(chosen.only) - known:
        parser.error(f"--only {name}: the programs are {', '.join(sorted(known))}")
    try:
        among, missing = peers(chosen.library)
    except ValueError as error:
        parser.error(str(error))
    costs: dict[str, dict[str, list[Cost]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for workload in WORKLOADS:
            reason = workload.missing()
            if chosen.only and workload.name not in chosen.only:
                continue
            if reason is not None:
                missing.append(f"{workload.name} was left out: {reason}")
                continue
            taken = costs[workload.name] = {peer.name: [] for peer in among}
            for number, peer in interleaved(among, chosen.rounds, chosen.seed):
                print(f"\r{workload.name}, round {number + 1}: {peer.name:12}", end="", file=sys.stderr, flush=True)
                scale = workload.short if chosen.short else workload.long
                taken[peer.name].append(measure(workload, peer, scale, Path(directory) / "log"))
    print(file=sys.stderr)
    print("\n".join([*report(costs), *missing]))
    if chosen.json:
        chosen.json.write_text(
            json.dumps({"benchmark": "programs", "machine": machine(), "samples": costs}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
