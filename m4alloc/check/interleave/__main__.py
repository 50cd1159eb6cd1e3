"""Run the interleaving checker: `python3 -m m4alloc.check.interleave`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from m4alloc._build import BuildError
from m4alloc.check.interleave import MUTANTS, Mutant, Report, explore, explore_randomly, replay, scenarios

HEADINGS = ("scenario", "preemptions", "old reads", "schedules", "points", "longest", "shared", "verdict")


def natural(text: str) -> int:
    """A number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def mutant(text: str) -> Mutant:
    """The mutant of that number."""
    found = [mutant for mutant in MUTANTS if str(mutant.number) == text]
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no mutant's number; there are 1 to {len(MUTANTS)}")
    return found[0]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python3 -m m4alloc.check.interleave",
        description="Check the core's concurrency: run every interleaving of small scenarios within bounds, under a "
        "weak memory model (docs/interleavings.md).",
        epilog="Exit status 0: nothing is violated (with --mutants: every seeded fault is found); 1: otherwise; "
        "2: wrong usage; 3: the checker cannot be built here.",
    )
    result.add_argument(
        "--scenario", action="append", help="only this one; may be given more than once", metavar="NAME"
    )
    result.add_argument("--list", action="store_true", help="list the scenarios and the mutants")
    result.add_argument("--bound", type=natural, default=2, help="preemptions, at most (default 2)", metavar="N")
    result.add_argument(
        "--stale", type=natural, default=1, help="reads of older values, at most (default 1)", metavar="N"
    )
    result.add_argument("--limit", type=natural, default=0, help="schedules a pair of bounds, at most", metavar="N")
    result.add_argument("--random", type=natural, help="run N random schedules instead", metavar="N")
    result.add_argument("--seed", type=natural, default=1, help="of the random schedules (default 1)", metavar="N")
    result.add_argument("--replay", help="tell one schedule of the scenario named", metavar="SCHEDULE")
    result.add_argument("--mutant", type=mutant, help="check the core with this seeded fault", metavar="NUMBER")
    result.add_argument(
        "--mutants", action="store_true", help="check that every seeded fault is found where it should be"
    )
    result.add_argument("--json", action="store_true", help="a line of JSON a report")
    return result


def row(report: Report, name: str) -> str:
    """One line of the table."""
    fields = (
        *(
            "random" if report.bound is None else report.bound,
            report.stale,
            f"{report.schedules:,}",
            f"{report.points:,}",
        ),
        *(report.longest, report.shared),
    )
    return f"{name:<24}" + "".join(f"{field:>13}" for field in fields) + f"   {report.verdict}"


def show(reports: Iterator[tuple[str, Report]], as_json: bool) -> list[Report]:
    """Print reports as they come; all of them."""
    shown = []
    if not as_json:
        print(f"{HEADINGS[0]:<24}" + "".join(f"{heading:>13}" for heading in HEADINGS[1:-1]) + f"   {HEADINGS[-1]}")
    for name, report in reports:
        if as_json:
            print(json.dumps(asdict(report) | {"verdict": report.verdict}))
        else:
            print(row(report, name))
            if report.failure is not None:
                print(f"    {report.failure.what}\n    --scenario {report.scenario} --replay {report.failure.schedule}")
        sys.stdout.flush()
        shown.append(report)
    return shown


def searches(arguments: argparse.Namespace) -> Iterator[tuple[str, Report]]:
    """One search a scenario."""
    fault = arguments.mutant.number if arguments.mutant else 0
    for name in arguments.scenario or [scenario.name for scenario in scenarios()]:
        if arguments.random is not None:
            yield (
                name,
                explore_randomly(name, arguments.random, seed=arguments.seed, stale=arguments.stale, fault=fault),
            )
        else:
            yield name, explore(name, bound=arguments.bound, stale=arguments.stale, limit=arguments.limit, fault=fault)


def hunts() -> Iterator[tuple[str, Report]]:
    """One search a mutant, in the scenario that should show it."""
    for seeded in MUTANTS:
        report = explore(seeded.scenario, bound=seeded.bound, stale=seeded.stale, fault=seeded.number)
        yield f"{seeded.number} {seeded.scenario}", report


def main(argv: list[str] | None = None) -> int:
    """The command; its exit status."""
    command = parser()
    arguments = command.parse_args(argv)
    try:
        if arguments.list:
            for scenario in scenarios():
                print(f"{scenario.name:<24}{scenario.threads} threads: {scenario.about}")
            for seeded in MUTANTS:
                print(f"mutant {seeded.number:<17}{seeded.name} ({seeded.scenario})")
            return 0
        if arguments.replay is not None:
            if len(arguments.scenario or []) != 1:
                command.error("--replay wants one --scenario: the one that the schedule is of")
            fault = arguments.mutant.number if arguments.mutant else 0
            replayed = replay(arguments.scenario[0], arguments.replay, fault=fault)
            print(replayed.text, end="")
            return 0 if replayed.failure is None else 1
        if arguments.mutants:
            return 0 if all(report.failure for report in show(hunts(), arguments.json)) else 1
        return 1 if any(report.failure for report in show(searches(arguments), arguments.json)) else 0
    except ValueError as error:
        command.error(str(error))
    except BuildError as error:
        print(f"interleave: {error}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
