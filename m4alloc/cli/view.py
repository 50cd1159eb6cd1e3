"""Show a heap's life: a page to explore, a map in the terminal, an SVG picture; two heaps side by side."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from m4alloc.cli import Exit, UsageError

if TYPE_CHECKING:
    from m4alloc.view.explorer.life import Life
    from m4alloc.view.explorer.run import ViewReport


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc view INPUT ... [-o FILE] [--allocator A ...] [--architecture A ...] [--text | --json] [--svg FILE]`."""
    parser = subparsers.add_parser(
        "view",
        help=__doc__,
        description=f"{__doc__} The page needs no network and opens from disk. Exit status 0 when it was written, "
        "whatever it shows; 2 when an input, an option or the output is at fault.",
        usage="m4alloc view INPUT ... [OPTION ...]\n       m4alloc view --attack NAME [--on DEFENCE ...] [OPTION ...]",
    )
    parser.add_argument(
        "input",
        nargs="*",
        metavar="INPUT",
        help="a recording, a trace, a heap script, a file of another tool, or a counterexample of `m4alloc model`",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the page (default heap.html; - for none; none with --text or --svg unless it is named)",
    )
    parser.add_argument(
        "--allocator",
        action="append",
        default=[],
        metavar="A",
        help="make the same requests on m4alloc, system, reference or the path of a library; repeatable, side by side",
    )
    parser.add_argument(
        "--architecture",
        action="append",
        default=[],
        metavar="A",
        help="run a script on the reference allocator over none, mte, adi, cheri, sgx, or a defence of `m4alloc "
        "attack`; repeatable, side by side",
    )
    parser.add_argument("--attack", default="", metavar="NAME", help="one attack of the catalogue instead of an input")
    parser.add_argument(
        "--on", action="append", default=[], metavar="DEFENCE", help="what it is made on (default none); repeatable"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what models draw in an attack (default 0)")
    parser.add_argument(
        "--image", default="", metavar="PID.N", help="which process of a recording (default: of most calls)"
    )
    parser.add_argument(
        "--from", dest="format", default="", metavar="FORMAT", help="the inputs' format, see docs/formats.md"
    )
    parser.add_argument("--title", default="", metavar="TEXT", help="what the page is called")
    parser.add_argument("--limit", type=int, metavar="N", help="events drawn of each heap (default 4,000,000)")
    parser.add_argument("--text", action="store_true", help="print the map as text, in colour on a terminal")
    parser.add_argument("--svg", metavar="FILE", help="write the map of one heap as an SVG picture")
    parser.add_argument("--json", action="store_true", help="print the report as JSON (docs/json-schema)")


def run(arguments: argparse.Namespace) -> int:
    """Draw, and say what was drawn."""
    from m4alloc.check.progress import on_stderr
    from m4alloc.view.explorer.run import OUTPUT, view
    from m4alloc.view.explorer.sources import LIMIT
    from m4alloc.view.explorer.sources_problem import ViewError

    if arguments.text and arguments.json:
        raise UsageError("--text and --json both print to standard output: give one or the other")
    output = arguments.output
    if output is None and not arguments.text and not arguments.svg:
        output = OUTPUT
    elif output == "-":
        output = None
    if arguments.svg == "-":
        raise UsageError("--svg -: the name of a file is wanted")
    try:
        report = view(
            *arguments.input,
            output=output,
            svg=arguments.svg,
            allocators=arguments.allocator,
            architectures=arguments.architecture,
            attack=arguments.attack,
            on=arguments.on,
            seed=arguments.seed,
            image=arguments.image,
            format=arguments.format,
            title=arguments.title,
            limit=LIMIT if arguments.limit is None else arguments.limit,
            progress=on_stderr(),
        )
    except ViewError as error:
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    elif arguments.text:
        _print_text(report.lives)
    else:
        print("\n".join(lines(report)))
    return Exit.HOLDS


def lines(report: ViewReport) -> list[str]:
    """The report as text: a few lines a heap, then where it was written."""
    from m4alloc.view.quantity import plural, size

    told = []
    for life in report.lives:
        told.append(f"heap     {life.title}, on {life.machine}")
        told.append(f"         {plural(len(life.events), 'event')}, {plural(len(life.blocks), 'block')}")
        told += [f"         {one}" for one in (life.sentence, life.left_out) if one]
    if report.counterexample:
        told.append(f"run      {report.counterexample}")
    if report.output:
        told.append(f"page     {report.output} ({size(report.bytes)})")
    if report.svg:
        told.append(f"picture  {report.svg}")
    return told


def _print_text(lives: Sequence[Life]) -> None:
    """The maps, one after the other, in colour where standard output is a terminal that has it."""
    from m4alloc.view.explorer import run_text

    if sys.stdout.isatty():
        from rich.console import Console

        console = Console()
        for life in lives:
            run_text.print_map(life, console)
        return
    print("\n\n".join("\n".join(run_text.lines(life)) for life in lives))
