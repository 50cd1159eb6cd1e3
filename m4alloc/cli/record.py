"""Record every malloc and free of a program, of the processes it forks and of the programs they become."""

from __future__ import annotations

import argparse
import json
import re
import sys

from m4alloc.cli import UsageError
from m4alloc.trace.index import open_index
from m4alloc.trace.preload import AllocatorError
from m4alloc.trace.record import RecordError, RecordReport, record
from m4alloc.view.quantity import number, plural

UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc record -o FILE [--allocator A] [--limit BYTES] [--force] [--json] -- PROGRAM [ARGUMENT ...]`."""
    parser = subparsers.add_parser(
        "record",
        help=__doc__,
        description=f"{__doc__} The exit status is the program's own; 128 + n when signal n killed it.",
        usage="m4alloc record -o FILE [--allocator A] [--limit BYTES] [--force] [--json] -- PROGRAM [ARGUMENT ...]",
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the index; traces are FILE.PID.N")
    parser.add_argument(
        "--allocator", default="m4alloc", metavar="A", help="m4alloc (default), system, or the path of a library"
    )
    parser.add_argument("--limit", metavar="BYTES", help="end each trace at this size (suffixes k M G Ki Mi Gi)")
    parser.add_argument("--force", action="store_true", help="replace FILE even when it is not a recording")
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON; the program's output goes to stderr"
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="the program and its arguments")


def run(arguments: argparse.Namespace) -> int:
    """Record, say on stderr what was recorded, and return the program's status."""
    argv = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    try:
        report = record(
            argv,
            arguments.output,
            allocator=arguments.allocator,
            limit=parse_size(arguments.limit) if arguments.limit is not None else None,
            force=arguments.force,
            stdout=sys.stderr.fileno() if arguments.json else None,
        )
    except (RecordError, AllocatorError, OSError) as error:
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    for line in summary(report):
        print(line, file=sys.stderr)
    return report.status


def parse_size(text: str) -> int:
    """Bytes, with a decimal or binary suffix.

    >>> parse_size("64Ki"), parse_size("1.5M")
    (65536, 1500000)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMG]|[KMG]i)?B?", text)
    if match is None or (match[2] or "") not in UNITS:
        raise UsageError(f"--limit {text}: a number of bytes, as in 1000000, 64Ki or 1.5G")
    return int(float(match[1]) * UNITS[match[2] or ""])


def summary(report: RecordReport) -> list[str]:
    """One line, and one for each trace that had to end early."""
    traces = open_index(report.index).traces
    if not traces:
        return [
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
    return lines
