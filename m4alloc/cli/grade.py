"""Grade an allocator as malloc labs do: is it right, how much memory does it waste, how fast is it?"""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_budget, add_json, add_output, add_timeout, add_verb
from m4alloc.cli._values import place_of
from m4alloc.lib import LibraryError


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc grade ALLOCATOR [TRACE ...] [OPTION ...]`."""
    parser = add_verb(
        subparsers,
        "grade",
        __doc__ or "",
        usage=["[OPTION ...] ALLOCATOR [TRACE ...]"],
        more="Points of a trace: 100 * (w * U + (1 - w) * min(1, S)), where U is the peak of live bytes by the peak of "
        "the heap's pages, and S the speed against the system's malloc (of Python: the reference allocator); 0 where a "
        "rule of the contract breaks. The total is the mean, and 0 where a rule about memory breaks in what is tried "
        "before the traces: directed plans, and every short sequence of requests. One about errno or refused arguments "
        "costs a fifth there.",
        examples=["m4alloc grade ./libmine.so", "m4alloc grade mine.py:Heap lab/*.rep -o grade.html"],
        status="0 right on every trace and before them, 1 wrong somewhere, 2 usage, 130 interrupted.",
        page="docs/grade.md",
    )
    add = parser.add_argument
    add("allocator", metavar="ALLOCATOR", help="MINE.so, MINE.py (or MINE.py:CLASS), system, or m4alloc")
    add(
        "traces",
        nargs="*",
        metavar="TRACE",
        help="recordings, .rep, .heap, or logs of other tools (default: nine traces)",
    )
    add(
        "--weight",
        type=float,
        default=0.6,
        metavar="W",
        help="of utilisation, 0 to 1; the rest is for speed (default %(default)s)",
    )
    add_budget(add, "30s", "to look for broken rules before the traces; 0s: the traces alone decide")
    add_timeout(add, "60s", "of a trace")
    add_output(add, "FILE.html", None, "write the grade as a page, with pictures of the heap")
    add(
        "--view",
        type=place_of,
        metavar="DIR",
        help="write a page a trace into DIR, on which its heap can be explored (default none)",
    )
    add(
        "--findings",
        type=place_of,
        default="findings",
        metavar="DIR",
        help="the folder for scripts of faults (default %(default)s; - for none)",
    )
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Grade, print the report, and return the exit status that it stands for."""
    from m4alloc.check import progress
    from m4alloc.check.foreign import WorkerError
    from m4alloc.grade import text
    from m4alloc.grade.grade import grade
    from m4alloc.trace.format import TraceError

    try:
        report = grade(
            arguments.allocator,
            arguments.traces,
            weight=arguments.weight,
            budget=arguments.budget,
            timeout=arguments.timeout,
            findings=arguments.findings,
            output=arguments.output,
            view=arguments.view,
            progress=progress.on_stderr(),
        )
    except (WorkerError, LibraryError, TraceError, ValueError, OSError) as error:
        raise UsageError(told(error)) from error
    print(json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(text.lines(report)))
    return report.exit_status
