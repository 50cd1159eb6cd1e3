"""Write an allocator of your own to begin with: forty lines of Python, their Cython twin, and the tests of both."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc new NAME [--directory DIR] [--hardware H] [--json]`."""
    parser = subparsers.add_parser(
        "new",
        help=__doc__,
        description=f"{__doc__} What is written passes `m4alloc check`, pytest, mypy and ruff as it is. Exit status: 0 "
        "written, 2 the name or the folder will not do.",
    )
    parser.add_argument("name", metavar="NAME", help="of the allocator, such as pool or my_heap")
    parser.add_argument(
        "--directory", metavar="DIR", help="the folder of the project, new or empty (default: NAME, here)"
    )
    parser.add_argument(
        "--hardware", default="", metavar="H", help="mte or cheri: the placement on a model of that hardware, too"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Write the project, and say what to try first."""
    from m4alloc.new.name import NameRefusedError
    from m4alloc.new.project import ProjectError, new

    try:
        report = new(arguments.name, directory=arguments.directory, hardware=arguments.hardware)
    except (NameRefusedError, ProjectError, OSError) as error:
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
        return 0
    width = max(len(command) for command, _ in report.commands)
    print(f"{report.directory}/ has {', '.join(file for file in report.files if file[0] != '.')}")
    print("try")
    for command, meaning in report.commands:
        print(f"  {command:{width}}  {meaning}".rstrip())
    return 0
