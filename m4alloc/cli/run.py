"""Run a program on the core."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from m4alloc.cli import UsageError
from m4alloc.program import locate
from m4alloc.run import environment

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc run [--strategy NAME|FILE.toml] -- PROGRAM [ARGUMENT ...]`."""
    parser = subparsers.add_parser(
        "run",
        help=__doc__,
        description=f"{__doc__} The exit status is the program's own. Options of the library: "
        "M4ALLOC_OPTIONS=misuse=abort|count|forward, M4ALLOC_RESERVE=BYTES.",
        usage="m4alloc run [-h] [--strategy STRATEGY] -- PROGRAM [ARGUMENT ...]",
    )
    parser.add_argument(
        "--strategy",
        metavar="STRATEGY",
        help="how the core places and checks: default, hardened, sampled or a TOML file",
    )
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM", help="the program and its arguments")


def run(arguments: argparse.Namespace) -> int:
    """Become the program; returns only by an exception."""
    argv = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    program = locate(argv)
    env = environment(strategy_of(arguments.strategy) if arguments.strategy else None)
    try:
        os.execve(program.path, program.argv, env)
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be run: {error.strerror}") from error


def strategy_of(name: str) -> Strategy:
    """The strategy that --strategy names: a preset, or a file of TOML. Raises UsageError."""
    from m4alloc.strategy import Strategy

    try:
        return Strategy.named(name)
    except OSError as error:
        raise UsageError(f"--strategy {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--strategy {name} is not text in UTF-8") from error
    except ValueError as error:
        raise UsageError(f"--strategy {error}") from error
