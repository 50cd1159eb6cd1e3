"""Make a recording's calls again on other allocators, and compare time and memory."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import Exit, UsageError
from m4alloc.trace.format import TraceError
from m4alloc.trace.preload import AllocatorError
from m4alloc.trace.replay import ReplayError, ReplayReport, replay
from m4alloc.view import text
from m4alloc.view.quantity import duration, number, plural, ratio, size


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc replay FILE [--allocator A ...] [--repeat N] [--json]`."""
    parser = subparsers.add_parser("replay", help=__doc__, description=__doc__)
    parser.add_argument("file", metavar="FILE", help="a recording (its index), or one of its traces")
    parser.add_argument(
        "--allocator",
        action="append",
        metavar="A",
        help="m4alloc, system, or the path of a library; may be repeated (default: m4alloc and system)",
    )
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="replays on each, in turns (default 5)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Replay and print the table; an allocator that crashes leaves nothing decided."""
    try:
        report = replay(
            arguments.file, allocator=arguments.allocator or ["m4alloc", "system"], repeat=max(0, arguments.repeat)
        )
    except (TraceError, AllocatorError, ValueError, OSError) as error:
        raise UsageError(str(error)) from error
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
            f"{result.seconds * 1e9 / report.requests:.1f}" if report.requests else "-",
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
