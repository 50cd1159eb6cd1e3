"""Fit the simulator's costs to programs that are really run, and say how well they hold for programs left out.

    python -m benchmarks.simulator_fit [--rounds 5] [--only NAME...] [--keep FILE] [--from FILE]

Each program runs on libm4alloc.so under each of some twenty strategies, in turns, and the least CPU time (user and
system) of the rounds counts; its calls are recorded once and simulated under the same strategies. A program's own work
is in every run and in no simulation, so what is fitted are differences to the default's time: least squares of errors
relative to the measured time, no cost below 0, and a pull towards the costs as they are (COSTS) for what the programs
cannot tell.

What is told of a program was computed from costs that were fitted without it: the rank correlation (Spearman) of
modelled and measured times over the strategies; the median and the greatest error of the modelled ratio of times, the
program's own work being known from the default's run; and, of the pairs of strategies whose measured times differ by at
least so much, how many the model has in the right order. --keep: what was measured and counted, as JSON; --from: fit
such a file again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from m4alloc.bench.catalogue import catalogue
from m4alloc.bench.peer import bare_environment
from m4alloc.lib import lib
from m4alloc.strategy import Strategy
from m4alloc.trace.record import record
from m4alloc.tune.simulate import COSTS, happened, modelled, run
from m4alloc.tune.workload import load
from m4alloc.view.text import table

CYCLES = 3e9
"""Modelled cycles a second."""
PULL = 0.01
"""How much a cost that is off by its own size counts, where a program all of whose times are off by theirs counts 1."""

HASHES = (
    'my %h; for my $r (1..3) { for my $i (1..150000) { $h{"k".($i*7%100003)} .= "v$i"; }'
    ' for my $i (1..50000) { delete $h{"k".$i}; } } print scalar(keys %h),"\n";'
)
WORDS = (
    "my (%n, @l); for my $i (1..60000) { push @l, join(',', map { ($i*$_) % 977 } 1..6);"
    ' $n{$_}++ for split /,/, $l[-1]; } @l = sort @l; print scalar(keys %n), "\n";'
)
OBJECTS = (
    "import json\n"
    "d = [{'k%d' % j: [i, j, str(i * j)] for j in range(20)} for i in range(1000)]\n"
    "for _ in range(3): d = json.loads(json.dumps(d))\n"
)
SCRIPTS = {
    "perl, hashes": ("perl", "-e", HASHES),
    "perl, words": ("perl", "-e", WORDS),
    "python, json": ("/usr/bin/python3", "-S", "-c", OBJECTS),
}
ARGUMENTS = {
    "binary_tree": ("15",),
    "cfrac": ("1000000000000001000033000000000000033",),
    "random_mixed": ("2000000", "1"),
    "glibc_simple": ("16", "50000"),
    "glibc_thread": ("1", "1200000", "1"),
    "mstress": ("1", "50", "30", "1"),
    "rptest": ("1", "2", "4000", "1000", "8", "16000", "1"),
    "larson": ("1", "10", "5000", "60", "1"),
    "sh6": ("1", "2400", "10000"),
    "alloc_test": ("1", "60000", "2000000", "1"),
    "malloc_large": ("30", "5", "1"),
}
STRATEGIES: dict[str, dict[str, object]] = {
    "default": {},
    "no delay": {"delay_line": 0},
    "delay 256": {"delay_line": 256, "delay_bytes": 1 << 20},
    "deep": {"stack_depth": 65_536, "stack_bytes": 4 << 20},
    "depth 1024": {"stack_depth": 1024, "stack_bytes": 1 << 20},
    "shallow": {"stack_depth": 16},
    "batch 4": {"refill_batch": 4},
    "batch 256": {"refill_batch": 256, "stack_depth": 4096, "stack_bytes": 1 << 20},
    "quarantine 64": {"quarantine": 64},
    "quarantine 256": {"quarantine": 256},
    "wiped quarantine": {"quarantine": 256, "zero_on_free": 32_768},
    "zero 1024": {"zero_on_free": 1024},
    "zero 32768": {"zero_on_free": 32_768},
    "canaries": {"canaries": True},
    "check": {"check_on_reuse": 64},
    "history": {"history": True},
    "random": {"randomise": 1},
    "no retention": {"retain_bytes": 0, "retain_share": 0},
    "retain all": {"retain_bytes": 1 << 30},
    "lowest": {"placement": 1},
    "fullest": {"placement": 2},
    "prefault": {"prefault": 65_536},
    "huge pages": {"huge_pages": 1},
}


def commands(only: Sequence[str]) -> dict[str, list[str]]:
    """The programs' command lines by name."""
    found = {
        one.name: [str(one.compile()), *ARGUMENTS[one.name]]
        for one in catalogue()
        if one.name in ARGUMENTS and (not only or one.name in only)
    }
    return found | {name: list(words) for name, words in SCRIPTS.items() if not only or name in only}


def environment(strategy: Strategy) -> dict[str, str]:
    """In which a program runs under a strategy."""
    told = {"LD_PRELOAD": str(lib()), "PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "0", "PERL_HASH_SEED": "0"}
    return bare_environment() | told | {"M4ALLOC_STRATEGY": strategy.to_environment()}


def cpu_seconds(command: Sequence[str], strategy: Strategy) -> float:
    """User and system time of one run."""
    process = subprocess.Popen(command, env=environment(strategy), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measured(programs: Mapping[str, Sequence[str]], rounds: int) -> dict[tuple[str, str], float]:
    """The least CPU time of each program under each strategy; the order of strategies changes with each round."""
    best: dict[tuple[str, str], float] = {}
    chance = np.random.default_rng(1)
    strategies = {name: Strategy(**knobs) for name, knobs in STRATEGIES.items()}  # type: ignore[arg-type]
    for i in range(rounds):
        for program, command in programs.items():
            for name in chance.permutation(list(strategies)).tolist():
                seconds = cpu_seconds(command, strategies[name])
                best[program, name] = min(best.get((program, name), np.inf), seconds)
        print(f"round {i + 1} of {rounds}", file=sys.stderr)
    return best


def counted(programs: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str, dict[str, int]]]:
    """What happens in each program under each strategy, by the simulator."""
    for program, command in programs.items():
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder) / "calls.m4t"
            surroundings = environment(Strategy())
            del surroundings["LD_PRELOAD"]
            record(command, index, env=surroundings, stdout=subprocess.DEVNULL)
            workload = max(load(index), key=len)
        for name, knobs in STRATEGIES.items():
            yield program, name, happened(run(workload, Strategy(**knobs)))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Row:
    """One program under one strategy: measured CPU time in seconds, and what the simulator counts."""

    program: str
    strategy: str
    seconds: float
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """How good costs are for one program. predicted: ratios to the default's time by the model, measured: in truth."""

    program: str
    names: tuple[str, ...]
    predicted: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float64]

    @property
    def spearman(self) -> float:
        """Rank correlation over the strategies; equals share the mean of their ranks."""
        return float(np.corrcoef(ranks(np.round(self.predicted, 4)), ranks(self.measured))[0, 1])

    def errors(self) -> npt.NDArray[np.float64]:
        """Relative errors of the predicted ratios."""
        return np.abs(self.predicted / self.measured - 1)

    def ordered(self, least: float) -> tuple[int, int]:
        """Pairs whose measured times differ by at least this part: how many are in the right order, and all."""
        right = total = 0
        for i, j in combinations(range(len(self.names)), 2):
            slower, faster = (i, j) if self.measured[i] > self.measured[j] else (j, i)
            if self.measured[slower] >= (1 + least) * self.measured[faster]:
                total += 1
                right += bool(self.predicted[slower] > self.predicted[faster])
        return right, total


def ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The place of each among all; equals share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    places: npt.NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return places


def of_program(rows: Sequence[Row]) -> Iterator[tuple[Row, list[Row]]]:
    """Each program's default, and all its rows."""
    for default in rows:
        if default.strategy == "default":
            yield default, [row for row in rows if row.program == default.program]


def fitted(rows: Sequence[Row]) -> dict[str, float]:
    """Costs that are not negative and make the least squares of errors of ratios, pulled towards COSTS."""
    lines, wanted = [], []
    for default, own in of_program(rows):
        for row in own:
            scale = 1 / (row.seconds * CYCLES * np.sqrt(len(own)))
            lines.append([(row.counts[name] - default.counts[name]) * COSTS[name] * scale for name in COSTS])
            wanted.append((row.seconds - default.seconds) * CYCLES * scale)
    pull = np.sqrt(PULL) * np.eye(len(COSTS))
    left = np.concatenate([np.array(lines), pull])
    right = np.concatenate([np.array(wanted), np.sqrt(PULL) * np.ones(len(COSTS))])
    free = list(range(len(COSTS)))
    while True:
        factors = np.zeros(len(COSTS))
        factors[free] = np.linalg.lstsq(left[:, free], right, rcond=None)[0]
        if factors.min() >= 0:
            return {name: float(cost * factor) for (name, cost), factor in zip(COSTS.items(), factors, strict=True)}
        free.remove(int(np.argmin(factors)))


def held(rows: Sequence[Row], costs: Mapping[str, float]) -> Iterator[Held]:
    """How good the costs are for each program among the rows."""
    for default, own in of_program(rows):
        base = modelled(default.counts, costs)
        more = np.array([(modelled(row.counts, costs) - base) / CYCLES for row in own])
        yield Held(
            default.program,
            tuple(row.strategy for row in own),
            1 + more / default.seconds,
            np.array([row.seconds for row in own]) / default.seconds,
        )


def left_out(rows: Sequence[Row]) -> list[Held]:
    """Each program by costs that were fitted without it."""
    found: list[Held] = []
    for default, own in of_program(rows):
        found += held(own, fitted([row for row in rows if row.program != default.program]))
    return found


def told(found: Sequence[Held]) -> list[str]:
    """The table, and what holds over all programs."""
    rows = []
    for one in found:
        worst = int(np.argmax(one.errors()))
        truth = f"{one.predicted[worst]:.2f} for {one.measured[worst]:.2f}, {one.names[worst]}"
        error = f"{np.median(one.errors()):.1%}"
        spread = f"{one.measured.min():.2f} to {one.measured.max():.2f}"
        rows.append([one.program, f"{one.spearman:.2f}", error, spread, truth])
    header = ["held-out program", "Spearman", "median error", "measured ratios", "greatest error"]
    lines = list(table(rows, header, right=range(1, 3)))
    for least in (0.02, 0.05, 0.1, 0.2, 0.5):
        right, total = np.sum([one.ordered(least) for one in found], axis=0)
        if total:
            lines.append(
                f"measured times {least:.0%} apart or more: {right} of {total} pairs in order, {right / total:.0%}"
            )
    every = np.concatenate([one.errors() for one in found])
    median = np.median([one.spearman for one in found])
    lines.append(
        f"median Spearman {median:.2f}; median error {np.median(every):.1%}, nine in ten {np.quantile(every, 0.9):.1%}"
    )
    return lines


def main() -> None:
    """Measure, fit, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--keep", type=Path, metavar="FILE")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.source:
        rows = [Row(**row) for row in json.loads(options.source.read_text())]
    else:
        programs = commands(options.only)
        seconds = measured(programs, options.rounds)
        rows = [Row(program, name, seconds[program, name], counts) for program, name, counts in counted(programs)]
    if options.keep:
        options.keep.write_text(json.dumps([asdict(row) for row in rows]))
    print(*told(left_out(rows)), "", "fitted to all programs, with the costs as they are:", sep="\n")
    for name, cost in fitted(rows).items():
        print(f"{name:16}{cost:10.2f}{COSTS[name]:10.2f}")


if __name__ == "__main__":
    main()
