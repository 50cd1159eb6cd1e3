"""Run a program on the allocator, check every reply against the specification, and report."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError
from m4alloc.cli.record import parse_size
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc verify [OPTION ...] -- PROGRAM [ARGUMENT ...]` or `m4alloc verify [OPTION ...] --trace FILE`."""
    parser = subparsers.add_parser(
        "verify",
        help=__doc__,
        description=f"{__doc__} Exit status: 0 every observed rule and property holds, 1 the allocator broke one (or "
        "one named by --property was violated, or a finding named by --fail-on occurred), 2 usage, 3 nothing could be "
        "decided, 130 interrupted. The program's own status is reported.",
        usage="m4alloc verify [OPTION ...] -- PROGRAM [ARGUMENT ...]\n       m4alloc verify [OPTION ...] --trace FILE",
    )
    parser.add_argument(
        "-o",
        "--output",
        default="report.html",
        metavar="FILE",
        help="the HTML report (default report.html; - for none)",
    )
    parser.add_argument(
        "--allocator", default="m4alloc", metavar="A", help="m4alloc (default), system, or the path of a library"
    )
    parser.add_argument(
        "--standard", default=None, metavar="S", help="the contract: c17, c23, posix, glibc, joined by commas"
    )
    parser.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="unrecorded runs on each allocator to compare (default 5)"
    )
    parser.add_argument(
        "--no-compare", action="store_true", help="run the program once only: it cannot safely be run again"
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="KIND",
        help="exit with 1 for this, too: misuse, one kind of it such as double-free, leak, output, status; repeatable",
    )
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="NAME|TEXT",
        help="this temporal property has to hold, too: a name of the library (m4alloc verify --property list prints "
        "them) or a formula such as '[](malloc -> <>free)' or 'thread: ...'; repeatable",
    )
    parser.add_argument("--keep-trace", metavar="FILE", help="keep the recording, whatever the verdict")
    parser.add_argument("--limit", metavar="BYTES", help="end each trace at this size (suffixes k M G Ki Mi Gi)")
    parser.add_argument("--trace", metavar="FILE", help="check this recording instead of running a program")
    parser.add_argument(
        "--reference",
        action="store_true",
        help="judge by the specification alone, which takes fifty times as long or more and comes to the same end",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the order of the runs (default 0)")
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON; the program's output goes to stderr"
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="the program and its arguments")


def run(arguments: argparse.Namespace) -> int:
    """Verify, print the report, and return the exit status it stands for."""
    from m4alloc.check import progress, verify_text
    from m4alloc.check.verify import STANDARD, verify, verify_trace
    from spec.ltl.error import TooLargeError

    if arguments.property == ["list"]:
        from m4alloc.check.verify_text import library

        print("\n".join(library()))
        return 0
    argv = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if arguments.trace is not None and argv:
        raise UsageError("--trace checks a recording and runs no program: give one or the other")
    output = None if arguments.output == "-" else arguments.output
    standard = STANDARD if arguments.standard is None else arguments.standard
    try:
        if arguments.trace is not None:
            report = verify_trace(
                arguments.trace,
                standard=standard,
                output=output,
                fail_on=arguments.fail_on,
                properties=arguments.property,
                progress=progress.on_stderr(),
                reference=arguments.reference,
            )
        else:
            report = verify(
                argv,
                allocator=arguments.allocator,
                standard=standard,
                output=output,
                keep_trace=arguments.keep_trace,
                repeat=0 if arguments.no_compare else arguments.repeat,
                fail_on=arguments.fail_on,
                properties=arguments.property,
                seed=arguments.seed,
                limit=None if arguments.limit is None else parse_size(arguments.limit),
                stdin=sys.stdin.buffer if sys.stdin is not None else None,
                stdout=sys.stderr.fileno() if arguments.json else None,
                progress=progress.on_stderr(),
                reference=arguments.reference,
            )
    except (ProgramError, LibraryError, TooLargeError, ValueError, OSError) as error:
        # AllocatorError, RecordError, TraceError and VerifyError are ValueErrors: the input was at fault.
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(verify_text.lines(report)))
    return report.exit_status
