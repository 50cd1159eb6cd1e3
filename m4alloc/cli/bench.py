"""Measure programs on several allocators, side by side: time, memory, single calls, threads."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from m4alloc.cli import UsageError
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc bench [OPTION ...] [--program PROGRAM] [-- ARGUMENT ...]`."""
    parser = subparsers.add_parser(
        "bench",
        help=__doc__,
        description=f"{__doc__} Every round runs every program on every allocator once, in random order; a ratio is to "
        "the glibc run of the same round. Exit status: 0 all ran, 1 an allocator failed (a crash, a wrong checksum), 2 "
        "usage, 3 nothing could be measured, 130 interrupted.",
        usage="m4alloc bench [OPTION ...]\n       m4alloc bench [OPTION ...] --program PROGRAM [-- ARGUMENT ...]",
    )
    parser.add_argument(
        "--program",
        nargs="?",
        const="",
        metavar="PROGRAM",
        help="your own program instead of the catalogue's; its arguments stand after --",
    )
    parser.add_argument(
        "--allocator",
        action="append",
        default=[],
        metavar="A",
        help="one more: NAME=PATH or PATH of a shared library; repeatable",
    )
    parser.add_argument(
        "--among",
        default="",
        metavar="NAME,...",
        help="only these beside glibc and those of --allocator and --strategy (default: all there are)",
    )
    parser.add_argument(
        "--strategy",
        action="append",
        default=[],
        metavar="FILE.toml",
        help="one more variant of our core; repeatable",
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="this program of the catalogue; repeatable"
    )
    parser.add_argument("--programs", metavar="DIR", help="another folder with a catalogue.toml and its sources")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (default 3)")
    parser.add_argument("--quick", action="store_true", help="short scales: does all run? (times mean little)")
    parser.add_argument(
        "--threads", default="", metavar="N,...", help="for programs with threads (default 1,2,4 ... up to the cores)"
    )
    parser.add_argument(
        "--latency",
        action=argparse.BooleanOptionalAction,
        help="percentiles of single calls (default: unless a program is named)",
    )
    parser.add_argument(
        "--memory", action="store_true", help="resident memory in the course of each program, once more"
    )
    parser.add_argument(
        "--heap-sizes",
        nargs="?",
        const="",
        metavar="N,...",
        help="cost of a call with so many live blocks (without numbers: 1e4,1e5,1e6,1e7)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the order of the runs (default 1)")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds a run (default 600)")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the folder for report.json, report.html, pictures, and the state"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the benchmark that the folder holds")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the report as JSON (- or none: stdout)"
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="of your own program")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the report, and return the exit status it stands for."""
    from m4alloc._build import BuildError
    from m4alloc.bench import files, heap_size, text
    from m4alloc.bench.run import bench, resume_line
    from m4alloc.check import progress

    command = own_command(arguments)
    sizes = [] if arguments.heap_sizes is None else numbers("--heap-sizes", arguments.heap_sizes)
    try:
        report = bench(
            command,
            only=arguments.only,
            allocators=arguments.allocator,
            among=[name for name in arguments.among.split(",") if name],
            strategies=arguments.strategy,
            rounds=arguments.rounds,
            quick=arguments.quick,
            seed=arguments.seed,
            threads=numbers("--threads", arguments.threads),
            latency=arguments.latency,
            memory=arguments.memory,
            heap_sizes=sizes or (heap_size.SIZES if arguments.heap_sizes is not None else ()),
            programs=arguments.programs,
            output=arguments.output,
            resume=arguments.resume,
            timeout=arguments.timeout,
            progress=progress.on_stderr(),
            tell=lambda line: print(f"m4alloc bench: {line}", file=sys.stderr, flush=True),
        )
    except (BuildError, LibraryError, ProgramError, ValueError, OSError) as error:
        # AllocatorError, BenchError, CatalogueError, StateError, StrategyError are ValueErrors: the input was at fault.
        raise UsageError(str(error)) from error
    try:
        if arguments.output is not None:
            resume = resume_line(words_of(arguments)) if report.interrupted else ""
            report = files.write(replace(report, resume=resume), Path(arguments.output))
        if arguments.json not in (None, "-"):
            Path(arguments.json).write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    print(json.dumps(report.to_json(), indent=1) if arguments.json == "-" else "\n".join(text.lines(report)))
    return report.exit_status


def own_command(arguments: argparse.Namespace) -> list[str]:
    """The user's own program with its arguments; empty when there is none. Raises UsageError."""
    rest = arguments.arguments[1:] if arguments.arguments[:1] == ["--"] else arguments.arguments
    if arguments.program:
        return [arguments.program, *rest]
    if arguments.program is None and rest:
        raise UsageError(f"{rest[0]}: your own program is named with --program, as in: --program -- {rest[0]}")
    if arguments.program is not None and not rest:
        raise UsageError("--program: no program given; it follows, or stands after --, as in: --program -- ls -l")
    return list(rest)


def numbers(option: str, text: str) -> list[int]:
    """Whole numbers joined by commas, 1e6 among them. Raises UsageError.

    >>> numbers("--threads", "1,2"), numbers("--heap-sizes", "1e4,1000000"), numbers("--threads", "")
    ([1, 2], [10000, 1000000], [])
    """
    found = []
    for word in filter(None, text.split(",")):
        try:
            value = float(word)
            found.append(int(value))
        except (ValueError, OverflowError):
            value = 0.5
        if value != int(value):
            raise UsageError(f"{option} {text}: whole numbers joined by commas are wanted, such as 1,2,4 or 1e4,1e6")
    return found


def words_of(arguments: argparse.Namespace) -> list[str]:
    """The options that were given, as words; what has its default is left out."""
    words = []
    for name, value in vars(arguments).items():
        option = f"--{name.replace('_', '-')}"
        if name in ("verb", "debug", "resume", "json", "program", "arguments") or value is None or value in ("", []):
            words += [option] if name == "heap_sizes" and value == "" else []
        elif value is False:
            words += ["--no-latency"] if name == "latency" else []
        elif isinstance(value, list):
            words += [word for one in value for word in (option, str(one))]
        elif value is True:
            words.append(option)
        elif (name, value) not in (("rounds", 3), ("seed", 1), ("timeout", 600.0)):
            words += [option, str(value)]
    if arguments.program is not None:
        words += ["--program", "--", *own_command(arguments)]
    return words
