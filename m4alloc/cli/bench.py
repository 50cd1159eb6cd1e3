"""Measure programs on several allocators, side by side: time, memory, single calls, threads."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import (
    Subparsers,
    add_json,
    add_output,
    add_program,
    add_rounds,
    add_seed,
    add_timeout,
    add_verb,
    parser_of,
    program_of,
    words_of,
)
from m4alloc.cli._values import counts_of, names_of
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc bench [OPTION ...]` or `m4alloc bench [OPTION ...] -- PROGRAM [ARGUMENT ...]`."""
    parser = add_verb(
        subparsers,
        "bench",
        __doc__ or "",
        usage=["[OPTION ...]", "[OPTION ...] -- PROGRAM [ARGUMENT ...]"],
        more="Every round runs every program on every allocator once, in random order; a ratio is to the glibc run of "
        "the same round.",
        examples=[
            "m4alloc bench --quick  # does all run? a minute",
            "m4alloc bench --program cfrac --among m4alloc -o report",
            "m4alloc bench --allocator mine=./libmine.so -- ./server --once",
        ],
        status="0 all ran, 1 an allocator failed (a crash, a wrong checksum), 2 usage, 3 nothing could be measured, "
        "130 interrupted.",
        page="docs/bench.md",
    )
    add = parser.add_argument_group("what runs").add_argument
    add("--program", action="append", default=[], metavar="NAME", help="only this one of the catalogue; repeatable")
    add("--catalogue", metavar="DIR", help="another folder with a catalogue.toml and its sources (default: ours)")
    add("--quick", action="store_true", help="short scales: does all run? (times mean little)")
    add(
        "--threads",
        type=counts_of,
        default=[],
        metavar="N,...",
        help="for programs with threads (default 1,2,4 ... up to the cores)",
    )
    add_program(add)
    add = parser.add_argument_group("on what").add_argument
    add(
        "--allocator",
        action="append",
        default=[],
        metavar="ALLOCATOR",
        help="one more: the path of a shared library, or NAME=PATH; repeatable",
    )
    add(
        "--strategy",
        action="append",
        default=[],
        metavar="FILE.toml",
        help="one more variant of our core; repeatable",
    )
    add(
        "--among",
        type=names_of,
        default=[],
        metavar="NAME,...",
        help="only these beside glibc and those of --allocator and --strategy (default: all there are)",
    )
    add = parser.add_argument_group("what is measured").add_argument
    add_rounds(add, 3, "rounds")
    add(
        "--latency",
        action=argparse.BooleanOptionalAction,
        help="percentiles of single calls (default: unless a program is named)",
    )
    add("--resident", action="store_true", help="resident memory in the course of each program, once more")
    add(
        "--heap-sizes",
        nargs="?",
        type=counts_of,
        const=[10**4, 10**5, 10**6, 10**7],
        default=[],
        metavar="N,...",
        help="cost of a call with so many live blocks (without numbers: 1e4,1e5,1e6,1e7; default: not measured)",
    )
    add_seed(add, "the order of the runs")
    add_timeout(add, "10m", "of a run")
    add = parser.add_argument_group("what is written").add_argument
    add_output(add, "DIR", None, "the folder for report.json, report.html, pictures, and the state")
    add("--resume", action="store_true", help="go on with the benchmark that the folder holds")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the report, and return the exit status it stands for."""
    from m4alloc._build import BuildError
    from m4alloc.bench import files, text
    from m4alloc.bench.catalogue import catalogue
    from m4alloc.bench.run import bench, resume_line
    from m4alloc.check import progress

    command = program_of(arguments.command)
    try:
        report = bench(
            command,
            programs=arguments.program,
            allocators=arguments.allocator,
            among=arguments.among,
            strategies=arguments.strategy,
            rounds=arguments.rounds,
            quick=arguments.quick,
            seed=arguments.seed,
            threads=arguments.threads,
            latency=arguments.latency,
            resident=arguments.resident,
            heap_sizes=arguments.heap_sizes,
            catalogue=arguments.catalogue,
            output=arguments.output,
            resume=arguments.resume,
            timeout=arguments.timeout,
            progress=progress.on_stderr(),
            tell=lambda line: print(f"m4alloc bench: {line}", file=sys.stderr, flush=True),
        )
    except ProgramError as error:
        named = command[0] if command and command[0] in {one.name for one in catalogue(arguments.catalogue)} else ""
        raise UsageError(f"{error}{f'; of the catalogue it is --program {named}' * bool(named)}") from error
    except (BuildError, LibraryError, ValueError, OSError) as error:
        # AllocatorError, BenchError, CatalogueError, StateError, StrategyError are ValueErrors: the input was at fault.
        raise UsageError(told(error)) from error
    if arguments.output is not None:
        words = words_of(parser_of(add_parser), arguments, ["resume"])
        resume = resume_line([*words, *(["--", *command] if command else [])]) if report.interrupted else ""
        try:
            report = files.write(replace(report, resume=resume), Path(arguments.output))
        except OSError as error:
            raise UsageError(told(error)) from error
    print(json.dumps(report.to_json(), indent=1) if arguments.json else "\n".join(text.lines(report)))
    return report.exit_status
