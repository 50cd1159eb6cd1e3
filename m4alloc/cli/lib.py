"""Print the path of the preload library or of the header for labels, or build a library with a strategy of its own."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import Subparsers, add_json, add_strategy, add_verb
from m4alloc.cli._values import needed_place_of
from m4alloc.cli.run import strategy_of
from m4alloc.lib import cflags, include, lib, monitor, recorder


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc lib [--recorder | --monitor | --include | --cflags | --json | --strategy NAME|FILE.toml -o LIB.so]`."""
    parser = add_verb(
        subparsers,
        "lib",
        __doc__ or "",
        usage=["[--recorder | --monitor | --include | --cflags | --json]", "--strategy NAME|FILE.toml -o LIB.so"],
        more="A library that is built with a strategy needs no environment; what M4ALLOC_STRATEGY says comes on top of "
        "it, knob by knob. Building needs a C compiler.",
        examples=[
            "LD_PRELOAD=$(m4alloc lib) git log",
            "cc $(m4alloc lib --cflags) labelled.c",
            "m4alloc lib --strategy hardened -o libhard.so",
        ],
        status="0 printed or built, 2 usage.",
        page="docs/strategy.md",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--recorder", action="store_true", help="the path of the recorder instead of the allocator")
    what.add_argument("--monitor", action="store_true", help="the path of the monitor instead")
    what.add_argument("--include", action="store_true", help="the folder of m4alloc_label.h instead")
    what.add_argument("--cflags", action="store_true", help="the same as a compiler takes it")
    add_json(what.add_argument, "all paths")
    add_strategy(parser.add_argument, "build with it (default: nothing is built)")
    parser.add_argument(
        "-o",
        "--output",
        type=needed_place_of,
        metavar="LIB.so",
        help="where the library that is built goes (default: nothing is built)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one absolute path, or with --json all."""
    if arguments.strategy or arguments.output:
        output = None if arguments.output is None else Path(arguments.output)
        print(build(arguments.strategy, output, arguments))
    elif arguments.json:
        report = {"schema": "m4alloc/1", "verb": "lib", "allocator": str(lib()), "recorder": str(recorder())}
        print(json.dumps({**report, "monitor": str(monitor()), "include": str(include())}, indent=2))
    elif arguments.include or arguments.cflags:
        print(include() if arguments.include else cflags())
    else:
        print(recorder() if arguments.recorder else monitor() if arguments.monitor else lib())
    return 0


def build(name: str | None, output: Path | None, arguments: argparse.Namespace) -> Path:
    """Compile the library with a strategy; its absolute path. Raises UsageError, and what the compiler said."""
    from m4alloc._build import BuildError, compile_with_strategy

    if not name or output is None:
        raise UsageError("--strategy and -o go together: m4alloc lib --strategy hardened -o LIB.so")
    if arguments.recorder or arguments.monitor or arguments.json or arguments.include or arguments.cflags:
        raise UsageError(
            "--recorder, --monitor, --include, --cflags and --json print paths; they do not go with --strategy"
        )
    strategy = strategy_of(name)
    try:
        return compile_with_strategy(output, strategy.to_environment(), checked_copies=strategy.check_copies)
    except (BuildError, OSError) as error:
        raise UsageError(told(error)) from error
