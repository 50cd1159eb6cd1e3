"""Record every malloc and free of a program, of the processes it forks and of the programs they become."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_json_of_program, add_limit, add_program, add_verb, program_of
from m4alloc.cli._values import needed_place_of
from m4alloc.trace.index import open_index
from m4alloc.trace.preload import AllocatorError
from m4alloc.trace.record import RecordError, RecordReport, record
from m4alloc.view.quantity import number, plural


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc record -o FILE [--allocator ALLOCATOR] [--limit BYTES] [--force] [--json] -- PROGRAM [ARGUMENT ...]`."""
    parser = add_verb(
        subparsers,
        "record",
        __doc__ or "",
        usage=["-o FILE [OPTION ...] -- PROGRAM [ARGUMENT ...]"],
        examples=["m4alloc record -o trace -- make", "m4alloc record -o trace --limit 500M -- ./server"],
        status="the program's own, 128 + n when signal n killed it, 2 usage.",
        page="docs/record.md",
    )
    add = parser.add_argument
    add_program(add)
    add(
        "-o",
        "--output",
        type=needed_place_of,
        required=True,
        metavar="FILE",
        help="the index; traces are FILE.PID.N",
    )
    add(
        "--allocator",
        default="m4alloc",
        metavar="ALLOCATOR",
        help="m4alloc, system, or a shared library (default %(default)s)",
    )
    add_limit(add, None)
    add("--force", action="store_true", help="replace FILE even when it is not a recording")
    add_json_of_program(add)


def run(arguments: argparse.Namespace) -> int:
    """Record, say on stderr what was recorded, and return the program's status."""
    try:
        report = record(
            program_of(arguments.command),
            arguments.output,
            allocator=arguments.allocator,
            limit=arguments.limit,
            force=arguments.force,
            stdout=sys.stderr.fileno() if arguments.json else None,
        )
    except (RecordError, AllocatorError, OSError) as error:
        raise UsageError(told(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    for line in summary(report):
        print(line, file=sys.stderr)
    return report.status


def summary(report: RecordReport) -> list[str]:
    """One line, and one for each trace that had to end early."""
    traces = open_index(report.index).traces
    left = [left_behind(report)] if report.left_behind else []
    if not traces:
        return left or [
            f"m4alloc record: {report.program[0]} made no call that could be recorded "
            "(it defines malloc itself, or no trace could be written)"
        ]
    calls = sum(trace.used for trace in traces)
    images = plural(len(traces), "process image")
    lines = [f"m4alloc record: {number(calls)} calls of {images} on {traces[0].allocator}, in {report.index}"]
    lines += [
        f"m4alloc record: {trace.path.name} ends early: {trace.end_reason.name.lower().replace('_', ' ')}"
        for trace in traces
        if not trace.end_reason.is_complete
    ]
    return lines + left


def left_behind(report: RecordReport) -> str:
    """That the program has ended and others go on."""
    who = plural(report.left_behind, "process that it left behind goes on", "processes that it left behind go on")
    return f"m4alloc record: {who}; what is recorded of them belongs to {report.index}, too"
