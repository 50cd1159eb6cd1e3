"""Run a program, and hold it to properties of its memory use while it runs."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError

KINDS = "use-after-free, double-free, invalid-free, out-of-bounds, uninitialised-read, leak, property, property:NAME"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc monitor [OPTION ...] -- PROGRAM [ARGUMENT ...]`."""
    parser = subparsers.add_parser(
        "monitor",
        help=__doc__,
        description=f"{__doc__} Any program can be watched; of one that `m4alloc cc` built, loads and stores are, too. "
        "Reports go to stderr as they happen, a summary follows. Exit status: 1 a finding, 2 usage, 3 nothing could be "
        "decided (it took too long, or what was asked for was not observed), 130 interrupted, else the program's.",
        usage="m4alloc monitor [OPTION ...] -- PROGRAM [ARGUMENT ...]",
    )
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="NAME|TEXT",
        help="watch this temporal property, too: a name of the library (m4alloc monitor --property list prints them) "
        "or a formula such as '[](malloc -> <>free)' or 'thread: ...'; repeatable",
    )
    parser.add_argument("--only", action="store_true", help="watch nothing but what --property names")
    parser.add_argument(
        "--preset",
        default="default",
        choices=("sampled", "default", "hardened"),
        help="of the allocator below; sampled puts some blocks between guard pages, which sees accesses of programs "
        "that were not rebuilt",
    )
    parser.add_argument(
        "--on-violation",
        default="exit",
        choices=("exit", "abort", "continue"),
        help="after a report: exit with 1 (default), abort for a debugger, or go on",
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="KIND",
        help=f"count only this as a finding: {KINDS}; repeatable",
    )
    parser.add_argument("--suppressions", metavar="FILE", help="what is not to be told (docs/monitor.md)")
    parser.add_argument(
        "--leaks",
        default="unreachable",
        choices=("unreachable", "all", "no"),
        help="which blocks that were not freed are findings: those that nothing points to (default), all, or none",
    )
    parser.add_argument(
        "--history",
        default="calls",
        choices=("calls", "accesses", "no"),
        help="what of the time before a violation is kept: calls (default), accesses as well (slow), or nothing",
    )
    parser.add_argument("--frames", type=int, default=8, metavar="N", help="of each stack, 1 to 32 (default 8)")
    parser.add_argument(
        "--uninitialised", action="store_true", help="watch for reads of heap memory that was never written, too (slow)"
    )
    parser.add_argument(
        "--quarantine",
        metavar="BYTES",
        help="that wait after free before they are used again, of each size class and thread (default 64Ki; suffixes "
        "k M G Ki Mi Gi)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the findings as an HTML page")
    parser.add_argument(
        "--json", action="store_true", help="print the report as JSON; the program's output goes to stderr"
    )
    parser.add_argument(
        "--keep-trace", metavar="FILE", help="keep a recording of the time before a violation, for verify --trace"
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="end the program after so long")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="the program and its arguments")


def run(arguments: argparse.Namespace) -> int:
    """Watch, print the summary, and return the exit status that it stands for."""
    from m4alloc.lib import LibraryError
    from m4alloc.monitor.run import monitor
    from m4alloc.monitor.text import lines
    from m4alloc.program import ProgramError
    from spec.ltl.error import TooLargeError

    if arguments.property == ["list"]:
        from m4alloc.check.verify_text import library

        print("\n".join(library()))
        return 0
    argv = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    try:
        report = monitor(
            argv,
            properties=arguments.property,
            only=arguments.only,
            preset=arguments.preset,
            on_violation=arguments.on_violation,
            fail_on=arguments.fail_on,
            suppressions=arguments.suppressions,
            leaks=arguments.leaks,
            history=arguments.history,
            frames=arguments.frames,
            uninitialised=arguments.uninitialised,
            quarantine_bytes=None if arguments.quarantine is None else bytes_of(arguments.quarantine),
            keep_trace=arguments.keep_trace,
            output=arguments.output,
            timeout=arguments.timeout,
            stdout=sys.stderr.fileno() if arguments.json else None,
        )
    except (ProgramError, LibraryError, TooLargeError, ValueError, OSError) as error:
        # LogicError, MonitorError and MonitorTableError are ValueErrors: the input was at fault.
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(lines(report)), file=sys.stderr)
    return report.exit_status


def bytes_of(text: str) -> int:
    """The number that --quarantine says.

    >>> bytes_of("4Mi")
    4194304
    """
    from m4alloc.cli.record import parse_size

    try:
        return parse_size(text)
    except UsageError as error:
        raise UsageError(f"--quarantine {text}: a number of bytes, up to 1 GiB, as in 1000000, 64Ki or 0.5G") from error
