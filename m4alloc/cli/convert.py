"""Convert a heap's history between formats: traces, scripts, logs of other tools, tables, timelines."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc convert IN OUT [--from F] [--to F] [--image PID.N] [--allocator A] [--json]`."""
    parser = subparsers.add_parser(
        "convert",
        help=__doc__,
        description=f"{__doc__} The formats are told from the names and the first bytes, or named: read are m4t, heap, "
        "rep, mtrace, ltrace, heaptrack, csv, arrow, parquet; written are m4t, heap, rep, csv, arrow, parquet, "
        "perfetto, chrome, dhat. Exit status: 0 done, 2 the input or the request was at fault.",
    )
    parser.add_argument("source", metavar="IN", help="a file that tells a heap's history; - is the standard input")
    parser.add_argument(
        "target",
        metavar="OUT",
        help="the file to write; an old one is replaced, once all is well; "
        "- is the standard output, and the report goes to standard error",
    )
    parser.add_argument("--from", dest="source_format", default="", metavar="F", help="the format of IN")
    parser.add_argument("--to", dest="target_format", default="", metavar="F", help="the format of OUT")
    parser.add_argument(
        "--image", default="", metavar="PID.N", help="of a recording: which process image (default: of most calls)"
    )
    parser.add_argument(
        "--allocator",
        default="",
        metavar="A",
        help="make the requests again on reference, m4alloc, system or a library, and write its replies "
        "(default: the addresses that IN holds; reference where it holds none)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Convert, and print what was read, written and lost."""
    from m4alloc.check.progress import on_stderr
    from m4alloc.trace.format import TraceError
    from m4alloc.trace.formats.convert import convert
    from m4alloc.trace.formats.scratch import STANDARD
    from m4alloc.trace.preload import AllocatorError

    try:
        with on_stderr() as progress:
            report = convert(
                arguments.source,
                arguments.target,
                source_format=arguments.source_format,
                target_format=arguments.target_format,
                image=arguments.image,
                allocator=arguments.allocator,
                progress=progress,
            )
    except (TraceError, AllocatorError, OSError) as error:
        raise UsageError(str(error)) from error
    said = json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(report.lines())
    print(said, file=sys.stderr if report.target == STANDARD["-"][1] else sys.stdout)
    return 0
