"""Convert a heap's history between formats: traces, scripts, logs of other tools, tables, timelines."""

from __future__ import annotations

import argparse
import json
import sys

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_image, add_json, add_verb


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc convert IN OUT [--from FORMAT] [--to FORMAT] [--image PID.N] [--allocator ALLOCATOR] [--json]`."""
    parser = add_verb(
        subparsers,
        "convert",
        __doc__ or "",
        usage=["[OPTION ...] IN OUT"],
        more="The formats are told from the names and the first bytes, or named: read are m4t, heap, rep, mtrace, "
        "ltrace, heaptrack, csv, arrow, parquet; written are m4t, heap, rep, csv, arrow, parquet, perfetto, chrome, "
        "dhat.",
        examples=["m4alloc convert trace out.pftrace", "m4alloc convert --from mtrace log.txt out.heap"],
        status="0 done, 2 the input or the request was at fault.",
        page="docs/formats.md",
    )
    add = parser.add_argument
    add("source", metavar="IN", help="a file that tells a heap's history; - is the standard input")
    add(
        "target",
        metavar="OUT",
        help="the file to write; an old one is replaced, once all is well; "
        "- is the standard output, and the report goes to standard error",
    )
    add("--from", dest="source_format", default="", metavar="FORMAT", help="the format of IN (default: as it looks)")
    add("--to", dest="target_format", default="", metavar="FORMAT", help="the format of OUT (default: as it is called)")
    add_image(add)
    add(
        "--allocator",
        default="",
        metavar="ALLOCATOR",
        help="make the requests again on reference, m4alloc, system or a shared library, and write its replies "
        "(default: the addresses that IN holds; reference where it holds none)",
    )
    add_json(add)


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
        raise UsageError(told(error)) from error
    said = json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(report.lines())
    print(said, file=sys.stderr if report.target == STANDARD["-"][1] else sys.stdout)
    return 0
