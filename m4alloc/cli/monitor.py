"""Run a program, and hold it to properties of its memory use while it runs."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import (
    Subparsers,
    add_json_of_program,
    add_list,
    add_output,
    add_program,
    add_property,
    add_timeout,
    add_verb,
    print_properties,
    program_of,
)
from m4alloc.cli._values import count_of, size_of

KINDS = "use-after-free, double-free, invalid-free, out-of-bounds, uninitialised-read, leak, property, property:NAME"


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc monitor [OPTION ...] -- PROGRAM [ARGUMENT ...]`."""
    parser = add_verb(
        subparsers,
        "monitor",
        __doc__ or "",
        usage=["[OPTION ...] -- PROGRAM [ARGUMENT ...]", "--list"],
        more="Any program can be watched; of one that `m4alloc cc` built, loads and stores are, too. Reports go to "
        "stderr as they happen, a summary follows.",
        examples=[
            "m4alloc monitor -- ./prog",
            "m4alloc monitor --property '[](malloc -> <>free)' -- ./prog",
            "m4alloc monitor --strategy sampled --leaks no -- ./server --once",
        ],
        status="1 a finding, 2 usage, 3 nothing could be decided (it took too long, or what was asked for was not "
        "observed), 130 interrupted, else the program's.",
        page="docs/monitor.md",
    )
    add = parser.add_argument
    add_program(add)
    add_list(add)
    add = parser.add_argument_group("what is watched").add_argument
    add_property(add, "watch this temporal property, too")
    add("--only", action="store_true", help="watch nothing but what --property names")
    add(
        "--leaks",
        default="unreachable",
        choices=("unreachable", "all", "no"),
        help="which blocks that were not freed are findings: those that nothing points to, all, or none (default "
        "%(default)s)",
    )
    add(
        "--uninitialised", action="store_true", help="watch for reads of heap memory that was never written, too (slow)"
    )
    add("--suppressions", metavar="FILE", help="what is not to be told (default: all is told)")
    add = parser.add_argument_group("the allocator below").add_argument
    add(
        "--strategy",
        default="default",
        choices=("sampled", "default", "hardened"),
        help="sampled puts some blocks between guard pages, which sees accesses of programs that were not rebuilt "
        "(default %(default)s)",
    )
    add(
        "--quarantine",
        type=size_of,
        metavar="BYTES",
        help="that wait after free before they are used again, of each size class and thread (default 64Ki)",
    )
    add = parser.add_argument_group("findings").add_argument
    add(
        "--on-violation",
        default="exit",
        choices=("exit", "abort", "continue"),
        help="after a report: exit with 1, abort for a debugger, or go on (default %(default)s)",
    )
    add(
        "--fail-on",
        action="append",
        default=[],
        metavar="KIND",
        help=f"count only this as a finding: {KINDS}; repeatable",
    )
    add(
        "--history",
        default="calls",
        choices=("calls", "accesses", "no"),
        help="what of the time before a violation is kept: calls, accesses as well (slow), or nothing (default "
        "%(default)s)",
    )
    add("--frames", type=count_of, default=8, metavar="N", help="of each stack, 1 to 32 (default %(default)s)")
    add_timeout(add, None, "end the program after so long")
    add = parser.add_argument_group("what is written").add_argument
    add_output(add, "FILE.html", None, "write the findings as a page")
    add("--keep-trace", metavar="FILE", help="keep a recording of the time before a violation, for verify --trace")
    add_json_of_program(add)


def run(arguments: argparse.Namespace) -> int:
    """Watch, print the summary, and return the exit status that it stands for."""
    from m4alloc.lib import LibraryError
    from m4alloc.monitor.run import monitor
    from m4alloc.monitor.text import lines
    from m4alloc.program import ProgramError
    from spec.ltl.error import TooLargeError

    if arguments.list:
        return print_properties("monitor", as_json=arguments.json)
    try:
        report = monitor(
            program_of(arguments.command),
            properties=arguments.property,
            only=arguments.only,
            strategy=arguments.strategy,
            on_violation=arguments.on_violation,
            fail_on=arguments.fail_on,
            suppressions=arguments.suppressions,
            leaks=arguments.leaks,
            history=arguments.history,
            frames=arguments.frames,
            uninitialised=arguments.uninitialised,
            quarantine=arguments.quarantine,
            keep_trace=arguments.keep_trace,
            output=arguments.output,
            timeout=arguments.timeout,
            stdout=sys.stderr.fileno() if arguments.json else None,
        )
    except (ProgramError, LibraryError, TooLargeError, ValueError, OSError) as error:
        # LogicError, MonitorError and MonitorTableError are ValueErrors: the input was at fault.
        raise UsageError(told(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(lines(report)), file=sys.stderr)
    return report.exit_status
