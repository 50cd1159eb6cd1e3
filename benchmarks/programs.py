"""CPU time of whole programs, as ratios to the same program on glibc, for m4alloc and the peers of Debian.

    python benchmarks/programs.py [--rounds 5] [--only NAME] [--json FILE] [--library NAME=PATH]

Every round runs every program under every allocator in random order; the cost is user + system time of the program
and its children; the ratio is to the glibc run of the same round, and the table shows the median of the rounds.
Peak memory (the largest process of the program) is shown in the same way.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from benchmarks.workload import ENVIRONMENT, WORKLOADS, Workload
from m4alloc.bench.launch import Launcher
from m4alloc.bench.peer import Peer, geometric_mean, interleaved, machine, peers
from m4alloc.view.text import table


class Cost(NamedTuple):
    """What one run took: CPU seconds of it and its children, and peak resident kB of the largest of them."""

    seconds: float
    kilobytes: int


class RunError(Exception):
    """The program did not end as it should on this allocator; the message says which, where and how."""


def measure(workload: Workload, peer: Peer, scale: int, launcher: Launcher) -> Cost:
    """Run one program under one allocator in a fresh directory. Raises RunError."""
    with tempfile.TemporaryDirectory() as parent:
        directory = Path(parent) / "run"
        argv = workload.command(directory, scale)
        variables = {**ENVIRONMENT, **workload.environment, "HOME": str(directory)}
        path = "" if "/" in argv[0] else shutil.which(argv[0]) or argv[0]
        run = launcher.run(argv, peer, path=path, directory=directory, variables=variables)
    if run.status not in {0, 2}:
        raise RunError(f"{workload.name} on {peer.name} {run.ended()}")
    return Cost(run.cpu, run.peak // 1024)


def measure_all(
    workload: Workload, among: list[Peer], rounds: int, seed: int, scale: int, launcher: Launcher
) -> tuple[dict[str, list[Cost]], list[str]]:
    """Every allocator's costs, a round each, without those on which the program fails; and how it fails there."""
    costs: dict[str, list[Cost]] = {peer.name: [] for peer in among}
    failures: dict[str, str] = {}
    for number, peer in interleaved(among, rounds, seed):
        print(f"\r{workload.name}, round {number + 1}: {peer.name:12}", end="", file=sys.stderr, flush=True)
        if peer.name not in failures:
            try:
                costs[peer.name].append(measure(workload, peer, scale, launcher))
            except RunError as error:
                failures[peer.name] = str(error)
    return {name: taken for name, taken in costs.items() if name not in failures}, list(failures.values())


def ratios(costs: dict[str, list[Cost]], which: int) -> dict[str, float]:
    """Allocator to the median over the rounds of its cost over glibc's in the same round."""
    return {
        name: statistics.median(mine[which] / glibc[which] for mine, glibc in zip(taken, costs["glibc"], strict=True))
        for name, taken in costs.items()
    }


def report(costs: dict[str, dict[str, list[Cost]]], names: list[str]) -> list[str]:
    """Two tables: CPU time and peak memory, a line a program, with the geometric means last; "-": it fails there."""
    lines = []
    others = [name for name in names if name != "glibc"]
    for title, which, absolute in (("CPU time", 0, "glibc s"), ("peak memory", 1, "glibc MB")):
        found = {program: ratios(taken, which) for program, taken in costs.items()}
        rows = []
        for program, taken in costs.items():
            base = statistics.median(cost[which] for cost in taken["glibc"])
            cells = [f"{found[program][name]:.2f}" if name in found[program] else "-" for name in others]
            rows.append([program, f"{base:.2f}" if which == 0 else f"{base / 1000:.1f}", *cells])
        complete = [values for values in found.values() if all(name in values for name in others)]
        if complete:
            means = [f"{geometric_mean(values[name] for values in complete):.2f}" for name in others]
            rows.append([f"geometric mean of {len(complete)}", "", *means])
        lines += [*table(rows, [title, absolute, *others], right=range(1, len(names) + 1)), ""]
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
        launcher = Launcher(Path(directory))
        for workload in WORKLOADS:
            reason = workload.missing()
            if chosen.only and workload.name not in chosen.only:
                continue
            if reason is not None:
                missing.append(f"{workload.name} was left out: {reason}")
                continue
            scale = workload.short if chosen.short else workload.long
            taken, failures = measure_all(workload, among, chosen.rounds, chosen.seed, scale, launcher)
            missing += failures
            if "glibc" in taken:
                costs[workload.name] = taken
    print(file=sys.stderr)
    print("\n".join([*report(costs, [peer.name for peer in among]), *missing]))
    if chosen.json:
        chosen.json.write_text(
            json.dumps({"benchmark": "programs", "machine": machine(), "samples": costs}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
