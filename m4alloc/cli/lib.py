"""Print the path of the preload library."""

from __future__ import annotations

import argparse
import json

from m4alloc.lib import lib, recorder


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc lib [--recorder] [--json]`."""
    parser = subparsers.add_parser(
        "lib", help=__doc__, description=f"{__doc__} Use it as: LD_PRELOAD=$(m4alloc lib) PROGRAM"
    )
    parser.add_argument("--recorder", action="store_true", help="the path of the recorder instead of the allocator")
    parser.add_argument("--json", action="store_true", help="print both paths as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print one absolute path, or with --json both."""
    if arguments.json:
        report = {"schema": "m4alloc/1", "verb": "lib", "allocator": str(lib()), "recorder": str(recorder())}
        print(json.dumps(report, indent=2))
    else:
        print(recorder() if arguments.recorder else lib())
    return 0
