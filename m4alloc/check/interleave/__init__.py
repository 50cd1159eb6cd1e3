"""The core's concurrency, checked: every interleaving of small scenarios within bounds, under a weak memory model.

The core's generated C is compiled a third time, so that each atomic operation is a scheduling point and each plain
access is watched by a race detector; docs/interleavings.md says what that means. The program that results is
m4interleave, which does the search; here it is driven, and its findings become values.

>>> report = explore("owner-and-remote", bound=1, stale=0)
>>> report.verdict, report.schedules
('holds', 7)
"""

from __future__ import annotations

import atexit
import json
import subprocess
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from m4alloc import _build
from m4alloc.check.interleave.mutants import MUTANTS, Mutant

__all__ = [
    "MUTANTS",
    "Failure",
    "Mutant",
    "Replay",
    "Report",
    "Scenario",
    "explore",
    "explore_randomly",
    "litmus",
    "program",
    "replay",
    "scenarios",
]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What two or three threads do to one heap at the same time."""

    name: str
    threads: int
    about: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and the schedule that replays it: threads and how many of their atomic accesses, in turn."""

    what: str
    schedule: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a search has run and found.

    bound, stale: preemptions and reads of older values that a schedule had at most; for a failure, the fewest that show
    it. bound is None for a random search, which counts no preemptions.
    points: scheduling points of all schedules; longest: most of one; shared: addresses that several threads access.
    complete: every schedule within the bounds was run.
    """

    scenario: str
    bound: int | None
    stale: int
    schedules: int
    points: int
    longest: int
    shared: int
    complete: bool
    failure: Failure | None

    @property
    def verdict(self) -> str:
        """ "violated"; "holds" for a complete search without failure, else "not violated"."""
        if self.failure is not None:
            return "violated"
        return "holds" if self.complete else "not violated"


@dataclass(frozen=True, slots=True)
class Replay:
    """One schedule, told access by access, and the failure it ends in, if any."""

    text: str
    failure: Failure | None


@cache
def program(fault: int = 0) -> Path:
    """The checker with the seeded fault of that number in the core; 0 is the core as it is, built by `make build`.

    Raises _build.BuildError.  Cost: 4 s where it has to be built; it is then kept until the process ends.
    """
    built = _build.PACKAGE / _build.CHECKER
    if fault == 0 and not _build.is_stale_checker(built):
        return built
    folder = tempfile.TemporaryDirectory(prefix="m4interleave-")
    atexit.register(folder.cleanup)
    return _build.compile_checker(Path(folder.name) / _build.CHECKER, fault)


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Every scenario, in the order of m4alloc/check/interleave/scenarios.c."""
    listed = subprocess.run([program(), "list"], capture_output=True, text=True, check=True).stdout
    rows = (line.split("\t") for line in listed.splitlines())
    return tuple(Scenario(name, int(threads), about) for name, threads, about in rows)


def run(scenario: str, *arguments: object, fault: int = 0) -> str:
    """What the checker prints for one scenario. Raises ValueError: no such scenario, or arguments that it refuses."""
    names = [known.name for known in scenarios()]
    if scenario not in names:
        raise ValueError(f"there is no scenario {scenario!r}; there are {', '.join(names)}")
    command = [str(program(fault)), scenario, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2:
        raise ValueError(done.stderr.strip())
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def litmus(name: str, *, bound: int = 9, stale: int = 9) -> tuple[frozenset[tuple[int, ...]], Report]:
    """The outcomes that the memory model allows a litmus test (m4alloc/check/interleave/litmus.c), and the search.

    An outcome is what the test's loads returned, or what memory holds at the end, with zeros up to four numbers.
    """
    command = [str(program()), "litmus", name, str(bound), str(stale)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise ValueError(f"there is no litmus test {name!r}")
    outcomes, line = done.stdout.splitlines()
    return frozenset(tuple(outcome) for outcome in json.loads(outcomes)), read_report(name, bound, stale, line)


def read_report(scenario: str, bound: int | None, stale: int, line: str) -> Report:
    """The checker's line of JSON as a value."""
    fields = json.loads(line)
    what = fields.pop("failure", None)
    schedule = fields.pop("schedule", None)
    return Report(scenario, bound, stale, **fields, failure=None if what is None else Failure(what, schedule))


def explore(scenario: str, *, bound: int = 2, stale: int = 1, limit: int = 0, fault: int = 0) -> Report:
    """Run every schedule with at most `bound` preemptions and `stale` reads of older values; stop at the first failure.

    The bounds rise from 0, preemptions first, so a failure comes with as few of them as show it.
    limit: schedules of one pair of bounds, at most; 0: no limit. The report is that of the last pair.
    Raises ValueError: no such scenario.  Cost: a million scheduling points a second.
    """
    report = None
    for preemptions in range(bound + 1):
        for reads in range(stale + 1):
            line = run(scenario, "bound", preemptions, reads, limit, fault=fault)
            report = read_report(scenario, preemptions, reads, line)
            if report.failure is not None:
                return report
    if report is None:
        raise ValueError(f"bound is {bound} and stale {stale}; neither may be negative")
    return report


def explore_randomly(scenario: str, schedules: int, *, seed: int = 1, stale: int = 4, fault: int = 0) -> Report:
    """Run schedules drawn by priorities that change at random points, with at most `stale` reads of older values each.

    The same seed draws the same schedules.  Raises ValueError: no such scenario.
    """
    line = run(scenario, "random", stale, schedules, seed, fault=fault)
    return replace(read_report(scenario, None, stale, line), complete=False)


def replay(scenario: str, schedule: str, *, fault: int = 0) -> Replay:
    """Run one schedule, as a Failure gives it; where it ends, the threads go on without preemption.

    Raises ValueError: no such scenario, or a schedule that is none.
    """
    *lines, last = run(scenario, "replay", schedule, fault=fault).splitlines()
    return Replay("\n".join(lines) + "\n", read_report(scenario, None, 0, last).failure)
