"""Run a program on the core."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_output, add_program, add_strategy, add_verb, program_of
from m4alloc.program import locate
from m4alloc.run import RunReport, environment
from m4alloc.run import run as run_on_core

if TYPE_CHECKING:
    from m4alloc.statistics import Statistics
    from m4alloc.strategy import Strategy

SHOWN = 20
"""Processes in the text; JSON has them all."""


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc run [--strategy NAME|FILE.toml] [--stats] [--json] [-o FILE.json] -- PROGRAM [ARGUMENT ...]`."""
    parser = add_verb(
        subparsers,
        "run",
        __doc__ or "",
        usage=["[OPTION ...] -- PROGRAM [ARGUMENT ...]"],
        more="Options of the library: M4ALLOC_OPTIONS=misuse=abort|count|forward,stats=/ABSOLUTE/FILE, "
        "M4ALLOC_RESERVE=BYTES.",
        examples=["m4alloc run -- git log", "m4alloc run --strategy hardened --stats -- ./prog"],
        status="the program's own (with statistics 128 + n when signal n killed it), 2 usage.",
        page="docs/strategy.md",
    )
    add = parser.add_argument
    add_program(add)
    add_strategy(add, "how the core places and checks (default: as M4ALLOC_STRATEGY says, or default)")
    add("--stats", action="store_true", help="when the program has ended, print what the core has counted to stderr")
    add_output(add, "FILE.json", None, "write that as JSON into a file")
    add("--json", action="store_true", help="print that as JSON to stdout; the program's output goes to stderr")


def run(arguments: argparse.Namespace) -> int:
    """Become the program; with statistics, run it, say what was counted and return its status."""
    argv = program_of(arguments.command)
    strategy = strategy_of(arguments.strategy) if arguments.strategy else None
    if arguments.stats or arguments.json or arguments.output is not None:
        return run_counted(arguments, argv, strategy)
    program = locate(argv)
    env = environment(strategy)
    try:
        os.execve(program.path, program.argv, env)
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be run: {error.strerror}") from error


def run_counted(arguments: argparse.Namespace, argv: list[str], strategy: Strategy | None) -> int:
    """Run the program, and print or write its statistics."""
    output = None if arguments.output is None else Path(arguments.output).absolute()
    if output is not None and (output.is_dir() or not os.access(output if output.exists() else output.parent, os.W_OK)):
        raise UsageError(f"--output {arguments.output} cannot be written")
    try:
        stdout = sys.stderr.fileno() if arguments.json else None
        report = run_on_core(argv, strategy=strategy, stats=True, stdout=stdout)
    except (OSError, ValueError) as error:
        raise UsageError(told(error)) from error
    text = json.dumps(report.to_json(), indent=2) + "\n"
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"--output {arguments.output}: {error.strerror}") from error
    if arguments.json:
        sys.stdout.write(text)
    if arguments.stats:
        for line in summary(report):
            print(line, file=sys.stderr)
    return report.status


def summary(report: RunReport) -> list[str]:
    """The statistics as text: the processes, when there are several, and the program's own in full."""
    from m4alloc.view.quantity import number, plural, size
    from m4alloc.view.text import table

    lines = []
    if report.incomplete:
        lines.append(f"m4alloc run: {plural(report.incomplete, 'entry', 'entries')} of statistics not whole")
    if len(report.processes) > 1:
        busiest = sorted(report.processes, key=lambda p: -p.mallocs)[:SHOWN]
        rows = [
            [str(p.pid), p.image, number(p.mallocs), number(p.frees), number(p.live_blocks), size(p.spans_peak)]
            for p in report.processes
            if p in busiest
        ]
        header = ["pid", "image", "mallocs", "frees", "live", "spans, peak"]
        some = f", the {SHOWN} that allocated most" if len(rows) < len(report.processes) else ""
        lines.append(f"m4alloc run: {plural(len(report.processes), 'process', 'processes')}{some}")
        lines += table(rows, header, right=[0, 2, 3, 4, 5])
    if report.main is None:
        lines.append(
            f"m4alloc run: {report.program[0]} left no statistics of its own: a signal ended it, it could not open the "
            "file (other user, chroot, seccomp), or it became a program that does not load the library"
        )
        return lines
    return [*lines, *summary_of(report.main)]


def summary_of(process: Statistics) -> list[str]:
    """One process: what it called, what it holds, and its size classes."""
    from m4alloc.view.quantity import number, plural, size
    from m4alloc.view.text import table

    def resident(value: int | None) -> str:
        return "unknown" if value is None else size(value)

    lines = [
        f"m4alloc run: {process.image}, process {process.pid}: {plural(process.mallocs, 'malloc')}, "
        f"{plural(process.frees, 'free')} ({number(process.remote_frees)} by other threads than the owner), "
        f"{plural(process.live_blocks, 'block')} of {size(process.live)} live at the end",
        f"m4alloc run: {size(process.spans)} in spans (peak {size(process.spans_peak)}), {size(process.dirty)} in free "
        f"pages kept, {size(process.purged)} returned by {plural(process.purges, 'purge')}, {size(process.metadata)} "
        f"metadata; resident {resident(process.resident)} (peak {resident(process.resident_peak)}); "
        f"{plural(process.heaps, 'heap')}, {plural(process.misuses, 'misuse')}",
    ]
    header = ["size", "slabs", "peak", "slots", "live", "cached", "free", "mallocs", "frees", "remote frees"]
    rows = [
        [
            f"{c.slot_size:,} B",
            *map(number, (c.slabs, c.slabs_peak, c.slots, c.live_blocks, c.cached_slots, c.free_slots)),
            *map(number, (c.mallocs, c.frees, c.remote_frees)),
        ]
        for c in process.classes
    ]
    for name, mallocs, frees in (
        ("large", process.large_mallocs, process.large_frees),
        ("sampled", process.sampled_mallocs, process.sampled_frees),
    ):
        if mallocs:
            rows.append([name, "", "", "", number(mallocs - frees), "", "", number(mallocs), number(frees), ""])
    return lines + table(rows, header, right=range(10))


def strategy_of(name: str) -> Strategy:
    """The strategy that --strategy names: a preset, or a file of TOML. Raises UsageError."""
    from m4alloc.strategy import PRESETS, Strategy

    try:
        return Strategy.named(name)
    except FileNotFoundError as error:
        raise UsageError(f"--strategy {name}: {error.strerror}; the presets are {', '.join(PRESETS)}") from error
    except OSError as error:
        raise UsageError(f"--strategy {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--strategy {name} is not text in UTF-8") from error
    except ValueError as error:
        raise UsageError(f"--strategy {error}") from error
