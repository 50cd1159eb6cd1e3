"""Run a program on the allocator, check every reply against the specification, and report."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError
from m4alloc.cli._parser import (
    Subparsers,
    add_json_of_program,
    add_limit,
    add_list,
    add_output,
    add_program,
    add_property,
    add_rounds,
    add_seed,
    add_standard,
    add_verb,
    print_properties,
    program_of,
)
from m4alloc.cli._values import told_of_recording
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc verify [OPTION ...] -- PROGRAM [ARGUMENT ...]` or `m4alloc verify [OPTION ...] --trace FILE`."""
    parser = add_verb(
        subparsers,
        "verify",
        __doc__ or "",
        usage=["[OPTION ...] -- PROGRAM [ARGUMENT ...]", "[OPTION ...] --trace FILE", "--list"],
        more="The program's own status is reported.",
        examples=[
            "m4alloc verify -- git log",
            "m4alloc verify --property freed-eventually --fail-on leak -- ./prog",
            "m4alloc verify --trace trace",
        ],
        status="0 every observed rule and property holds, 1 the allocator broke one (or one named by --property was "
        "violated, or a finding named by --fail-on occurred), 2 usage, 3 nothing could be decided, 130 interrupted.",
        page="docs/verify.md",
    )
    add = parser.add_argument
    add_program(add)
    add("--trace", metavar="FILE", help="check this recording instead of running a program")
    add_list(add)
    add = parser.add_argument_group("what has to hold").add_argument
    add_standard(add, "c17,glibc")
    add_property(add, "this temporal property has to hold, too")
    add(
        "--fail-on",
        action="append",
        default=[],
        metavar="KIND",
        help="exit with 1 for this, too: misuse, one kind of it such as double-free, leak, output, status; repeatable",
    )
    add(
        "--reference",
        action="store_true",
        help="judge by the specification alone, which takes fifty times as long or more and comes to the same end",
    )
    add = parser.add_argument_group("running").add_argument
    add(
        "--allocator",
        default="m4alloc",
        metavar="ALLOCATOR",
        help="m4alloc, system, or a shared library (default %(default)s)",
    )
    add_rounds(add, 5, "unrecorded runs on each allocator to compare")
    add("--no-compare", action="store_true", help="run the program once only: it cannot safely be run again")
    add_limit(add, None)
    add_seed(add, "the order of the runs")
    add = parser.add_argument_group("what is written").add_argument
    add_output(add, "FILE.html", "report.html", "the report as a page")
    add("--keep-trace", metavar="FILE", help="keep the recording, whatever the verdict")
    add_json_of_program(add)


def run(arguments: argparse.Namespace) -> int:
    """Verify, print the report, and return the exit status it stands for."""
    from m4alloc.check import progress, verify_text
    from m4alloc.check.verify import verify, verify_trace
    from spec.ltl.error import TooLargeError

    if arguments.list:
        return print_properties("verify", as_json=arguments.json)
    argv = program_of(arguments.command)
    if arguments.trace is not None and argv:
        raise UsageError("--trace checks a recording and runs no program: give one or the other")
    try:
        if arguments.trace is not None:
            report = verify_trace(
                arguments.trace,
                standard=arguments.standard,
                output=arguments.output,
                fail_on=arguments.fail_on,
                properties=arguments.property,
                progress=progress.on_stderr(),
                reference=arguments.reference,
            )
        else:
            report = verify(
                argv,
                allocator=arguments.allocator,
                standard=arguments.standard,
                output=arguments.output,
                keep_trace=arguments.keep_trace,
                rounds=0 if arguments.no_compare else arguments.rounds,
                fail_on=arguments.fail_on,
                properties=arguments.property,
                seed=arguments.seed,
                limit=arguments.limit,
                stdin=sys.stdin.buffer if sys.stdin is not None else None,
                stdout=sys.stderr.fileno() if arguments.json else None,
                progress=progress.on_stderr(),
                reference=arguments.reference,
            )
    except (ProgramError, LibraryError, TooLargeError, ValueError, OSError) as error:
        # AllocatorError, RecordError, TraceError and VerifyError are ValueErrors: the input was at fault.
        raise UsageError(told_of_recording(error, arguments.trace)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(verify_text.lines(report)))
    return report.exit_status
