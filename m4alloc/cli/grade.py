"""Grade an allocator as malloc labs do: is it right, how much memory does it waste, how fast is it?"""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError
from m4alloc.lib import LibraryError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc grade ALLOCATOR [TRACE ...] [OPTION ...]`."""
    parser = subparsers.add_parser(
        "grade",
        help=__doc__,
        description=f"{__doc__} Points of a trace: 100 * (w * U + (1 - w) * min(1, S)), where U is the peak of live "
        "bytes by the peak of the heap's pages, and S the speed against the system's malloc (of Python: the reference "
        "allocator); 0 where a rule of the contract breaks. The total is the mean. Exit status: 0 right on every "
        "trace, 1 wrong on one, 2 usage, 130 interrupted.",
    )
    parser.add_argument(
        "allocator", metavar="ALLOCATOR", help="MINE.so, MINE.py (or MINE.py:CLASS), system, or m4alloc"
    )
    parser.add_argument(
        "traces",
        nargs="*",
        metavar="TRACE",
        help="recordings, .rep, .heap, or logs of other tools (default: nine traces)",
    )
    parser.add_argument(
        "--weight",
        type=float,
        default=0.6,
        metavar="W",
        help="of utilisation, 0 to 1; the rest is for speed (default 0.6)",
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds a trace may take (default 60)"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE.html", help="write the grade as a page, with pictures of the heap (- for none)"
    )
    parser.add_argument(
        "--view", metavar="DIR", help="write a page a trace into DIR, on which its heap can be explored (- for none)"
    )
    parser.add_argument(
        "--findings",
        default="findings",
        metavar="DIR",
        help="the folder for scripts of faults (default findings; - for none)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Grade, print the report, and return the exit status that it stands for."""
    from m4alloc.check import progress
    from m4alloc.check.foreign import WorkerError
    from m4alloc.grade import text
    from m4alloc.grade.grade import grade
    from m4alloc.trace.format import TraceError

    places = {
        name: None if getattr(arguments, name) == "-" else getattr(arguments, name)
        for name in ("findings", "output", "view")
    }
    try:
        report = grade(
            arguments.allocator,
            arguments.traces,
            weight=arguments.weight,
            timeout=arguments.timeout,
            **places,
            progress=progress.on_stderr(),
        )
    except (WorkerError, LibraryError, TraceError, ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    print(json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(text.lines(report)))
    return report.exit_status
