"""Show a heap's life: a page to explore, a map in the terminal, an SVG picture; two heaps side by side."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from m4alloc.cli import Exit, UsageError
from m4alloc.cli._parser import Subparsers, add_image, add_json, add_seed, add_strategy, add_verb
from m4alloc.cli._values import count_of

if TYPE_CHECKING:
    from m4alloc.view.explorer.life import Life
    from m4alloc.view.explorer.run import ViewReport


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc view INPUT ... [OPTION ...]` or `m4alloc view --attack NAME [--architecture NAME ...] [OPTION ...]`."""
    parser = add_verb(
        subparsers,
        "view",
        __doc__ or "",
        usage=["[OPTION ...] INPUT ...", "[OPTION ...] --attack NAME [--architecture NAME ...]"],
        more="The page needs no network and opens from disk.",
        examples=[
            "m4alloc view trace",
            "m4alloc view trace --allocator m4alloc --allocator system  # side by side",
            "m4alloc view --attack use-after-reuse-read --architecture mte-glibc",
        ],
        status="0 it was written, whatever it shows; 2 an input, an option or the output is at fault.",
        page="docs/view.md",
    )
    add = parser.add_argument
    add(
        "input",
        nargs="*",
        metavar="INPUT",
        help="a recording, a trace, a heap script, a file of another tool, or a counterexample of `m4alloc model`",
    )
    add("--attack", default="", metavar="NAME", help="one attack of the catalogue instead of an input (default none)")
    add = parser.add_argument_group("the heaps").add_argument
    add(
        "--allocator",
        action="append",
        default=[],
        metavar="ALLOCATOR",
        help="make the same requests on m4alloc, system, reference or a shared library; repeatable, side by side",
    )
    add(
        "--architecture",
        action="append",
        default=[],
        metavar="NAME",
        help="run a script or an attack over none, mte, adi, cheri, sgx, or a column of `m4alloc attack`; repeatable, "
        "side by side",
    )
    add_strategy(add, "of the core where it serves, or served what was recorded: its guards are drawn (default: none)")
    add_seed(add, "what models draw in an attack")
    add_image(add)
    add("--from", dest="source_format", default="", metavar="FORMAT", help="of the inputs (default: as they look)")
    add("--events", type=count_of, default="4M", metavar="N", help="drawn of each heap, at most (default %(default)s)")
    add = parser.add_argument_group("what is written").add_argument
    add(
        "-o",
        "--output",
        metavar="FILE.html",
        help="the page (default heap.html; - for none; none with --text or --svg unless it is named)",
    )
    add("--title", default="", metavar="TEXT", help="what the page is called (default: as the input)")
    add("--text", action="store_true", help="print the map as text, in colour on a terminal")
    add("--svg", metavar="FILE", help="write the map of one heap as an SVG picture (default none)")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Draw, and say what was drawn."""
    from m4alloc.check.progress import on_stderr
    from m4alloc.cli.run import strategy_of
    from m4alloc.view.explorer.run import OUTPUT, view
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
            seed=arguments.seed,
            image=arguments.image,
            source_format=arguments.source_format,
            title=arguments.title,
            events=arguments.events,
            strategy=strategy_of(arguments.strategy) if arguments.strategy else None,
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
        told.append(f"heap     {life.headline}")
        told.append(f"         {plural(len(life.events), 'event')}, {plural(len(life.blocks), 'block')}")
        told += [f"         {one}" for one in (life.sentence, life.left_out, life.guard_note) if one]
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
