"""Write an allocator of your own to begin with: forty lines of Python, their Cython twin, and the tests of both."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_json, add_verb
from m4alloc.cli._values import needed_place_of


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc new NAME [-o DIR] [--architecture NAME] [--json]`."""
    parser = add_verb(
        subparsers,
        "new",
        __doc__ or "",
        usage=["[OPTION ...] NAME"],
        more="What is written passes `m4alloc check`, pytest, mypy and ruff as it is.",
        examples=["m4alloc new pool", "m4alloc new pool --architecture cheri -o lab/pool"],
        status="0 written, 2 the name or the folder will not do.",
        page="docs/new.md",
    )
    add = parser.add_argument
    add("name", metavar="NAME", help="of the allocator, such as pool or my_heap")
    add(
        "-o",
        "--output",
        type=needed_place_of,
        metavar="DIR",
        help="the folder of the project, new or empty (default: NAME, here)",
    )
    add(
        "--architecture",
        default="",
        metavar="NAME",
        help="mte or cheri: the placement on a model of that hardware, too (default none)",
    )
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Write the project, and say what to try first."""
    from m4alloc.new.name import NameRefusedError
    from m4alloc.new.project import ProjectError, new

    try:
        report = new(arguments.name, output=arguments.output, architecture=arguments.architecture)
    except (NameRefusedError, ProjectError, OSError) as error:
        raise UsageError(told(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
        return 0
    width = max(len(command) for command, _ in report.commands)
    print(f"{report.directory}/ has {', '.join(file for file in report.files if file[0] != '.')}")
    print("try")
    for command, meaning in report.commands:
        print(f"  {command:{width}}  {meaning}".rstrip())
    return 0
