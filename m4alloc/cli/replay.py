"""Make a recording's calls again on other allocators, and compare time and memory."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import Exit, UsageError
from m4alloc.cli._parser import Subparsers, add_json, add_rounds, add_verb
from m4alloc.cli._values import told_of_recording
from m4alloc.trace.format import TraceError
from m4alloc.trace.preload import AllocatorError
from m4alloc.trace.replay import ReplayError, ReplayReport, replay
from m4alloc.view import text
from m4alloc.view.quantity import duration, number, plural, ratio, significant, size


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc replay FILE [--allocator ALLOCATOR ...] [--rounds N] [--json]`."""
    parser = add_verb(
        subparsers,
        "replay",
        __doc__ or "",
        usage=["[OPTION ...] FILE"],
        examples=["m4alloc replay trace", "m4alloc replay trace --allocator ./libmine.so --allocator system"],
        status="0 replayed, 2 usage, 3 an allocator crashed or went wrong, 130 interrupted.",
        page="docs/record.md",
    )
    add = parser.add_argument
    add("file", metavar="FILE", help="a recording (its index), or one of its traces")
    add(
        "--allocator",
        action="append",
        default=[],
        metavar="ALLOCATOR",
        help="m4alloc, system, or a shared library; repeatable (default m4alloc and system)",
    )
    add_rounds(add, 5, "replays on each, in turns")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Replay and print the table; an allocator that crashes leaves nothing decided."""
    try:
        report = replay(arguments.file, allocator=arguments.allocator or ("m4alloc", "system"), rounds=arguments.rounds)
    except (TraceError, AllocatorError, ValueError, OSError) as error:
        raise UsageError(told_of_recording(error, arguments.file)) from error
    except ReplayError as error:
        print(f"m4alloc replay: {error}", file=sys.stderr)
        return Exit.UNDECIDED
    print(json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(lines(report)))
    return 0


def lines(report: ReplayReport) -> list[str]:
    """The report as text: what was replayed, then a row for each allocator, compared with the first."""
    first = report.results[0]
    rows = [
        [
            result.allocator,
            duration(result.seconds),
            significant(result.seconds * 1e9 / report.requests) if report.requests else "-",
            ratio(result.seconds / first.seconds) if first.seconds else "-",
            size(result.peak_bytes),
            ratio(result.peak_bytes / first.peak_bytes) if first.peak_bytes else "-",
            number(result.failures),
        ]
        for result in report.results
    ]
    header = ["allocator", "time", "ns a request", "ratio", "peak memory", "ratio", "failed"]
    repeats = plural(len(first.all_seconds), "replay")
    return [
        f"{number(report.requests)} requests of {plural(report.images, 'process image')}, median of {repeats} each; "
        f"{plural(report.skipped, 'call')} could not be made again",
        *text.table(rows, header, right=range(1, len(header))),
    ]
