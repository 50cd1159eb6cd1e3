"""Find, verify, build and measure the allocator that serves a program best."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from m4alloc.cli import UsageError
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError

SIZES = {"k": 10**3, "m": 10**6, "g": 10**9}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc tune [OPTION ...] TRACE ...` or `m4alloc tune [OPTION ...] -- PROGRAM ARGUMENT ...`."""
    parser = subparsers.add_parser(
        "tune",
        help=__doc__,
        description=f"{__doc__} The program's headroom comes first, and may end it: nothing to gain is a right "
        "answer. Then it is recorded, what has an exact optimum is computed, the rest is searched, candidates are "
        "verified, and the best is built and measured on the program. Exit status: 0 there is an answer, 2 usage, 3 "
        "nothing could be decided, 130 interrupted.",
        usage="m4alloc tune [OPTION ...] TRACE ...\n       m4alloc tune [OPTION ...] -- PROGRAM [ARGUMENT ...]",
    )
    add = parser.add_argument
    add("-o", "--output", default="tune-report", metavar="DIR", help="the folder for all files (default tune-report)")
    add("--name", default="", metavar="NAME", help="of the library: libm4alloc-NAME.so (default: the program's)")
    add("--prefer", default="balanced", metavar="P", help="balanced (default), time, memory or security")
    add("--security", default="default", metavar="F", help="floor of security: default (default), hardened or any")
    add("--promise", type=int, default=0, metavar="Q", help="frees of its class before a block is used again, at least")
    add("--budget", type=int, default=400, metavar="N", help="evaluations a method (default 400)")
    add("--method", default="portfolio", metavar="M", help="portfolio (default), climb, evolve, nsga2, tpe, agent ...")
    add("--compare", action="store_true", help="run every method, each with the budget")
    add("--weights", type=Path, metavar="FILE", help="of a trained agent, for --method agent")
    add("--objective", default="mean", metavar="O", help="of several programs: mean (default), or regret: the worst")
    add("--no-hold-out", action="store_true", help="with several programs: do not search without each in turn")
    add("--seed", type=int, default=0, metavar="N", help="of the search and of the gates (default 0)")
    add("--engine", default="local", metavar="E", help="local (default): all cores; or dask")
    add("--scheduler", default="", metavar="ADDRESS", help="of dask.distributed, for --engine dask")
    add("--workers", type=int, default=0, metavar="N", help="processes of the local engine (default: one a core)")
    add("--calls", type=number_of, default=2_000_000, metavar="N", help="of a workload, in the search (default 2M)")
    add("--limit", type=number_of, default=1 << 30, metavar="BYTES", help="of a recorded trace (default 1.07G)")
    add("--rounds", type=int, default=15, metavar="N", help="of the last measurement, at most (default 15)")
    add("--timeout", type=float, default=600.0, metavar="S", help="seconds a run of the program (default 600)")
    add("--gate-seconds", type=float, default=10.0, metavar="S", help="a candidate's checks (default 10; 1: a trial)")
    add("--anyway", action="store_true", help="go on where the headroom says that there is nothing to gain")
    add("--no-measure", action="store_true", help="leave out the last measurement")
    add("--no-advice", action="store_true", help="leave out the settings of other allocators")
    add("--resume", action="store_true", help="go on with the recording and the search that the folder holds")
    add("--json", nargs="?", const="-", metavar="FILE", help="write the report as JSON (- or none: stdout)")
    add("words", nargs=argparse.REMAINDER, metavar="TRACE", help="recordings; or after -- a program and its arguments")


def number_of(text: str) -> int:
    """A whole number, with k, M or G for thousands.

    >>> number_of("2M"), number_of("1e6"), number_of("4096")
    (2000000, 1000000, 4096)
    """
    factor = SIZES.get(text[-1:].lower(), 1)
    try:
        value = float(text if factor == 1 else text[:-1]) * factor
        if value == int(value):
            return int(value)
    except (ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number; 4096, 64k, 2M and 1G are")


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """Traces, and the program with its arguments. Raises UsageError.

    >>> split(["a.m4t", "b.m4t"]), split(["--", "ls", "-l"])
    ((['a.m4t', 'b.m4t'], []), ([], ['ls', '-l']))
    """
    mark = words.index("--") if "--" in words else len(words)
    traces, command = words[:mark], words[mark + 1 :]
    late = next((word for word in traces if word.startswith("-")), None)
    if late is not None:
        raise UsageError(f"{late} stands after a trace: options come first, a program after --")
    if mark < len(words) and not command:
        raise UsageError("no program after --; it stands there with its arguments, as in: m4alloc tune -- ls -l")
    if not words:
        raise UsageError(
            "nothing to tune on: name recorded traces, or a program after --, as in: m4alloc tune -- ls -l"
        )
    return traces, command


def run(arguments: argparse.Namespace) -> int:
    """Tune, print the report, and return the exit status it stands for."""
    from m4alloc._build import BuildError
    from m4alloc.check import progress
    from m4alloc.trace.record import RecordError
    from m4alloc.trace.replay import ReplayError
    from m4alloc.tune import files, text
    from m4alloc.tune.engine import EngineError
    from m4alloc.tune.run import tune

    traces, command = split(arguments.words)
    try:
        report = tune(
            traces,
            command=command,
            output=arguments.output,
            progress=progress.on_stderr(),
            tell=lambda line: print(f"m4alloc tune: {line}", file=sys.stderr, flush=True),
            name=arguments.name,
            prefer=arguments.prefer,
            security=arguments.security,
            promise=arguments.promise,
            budget=arguments.budget,
            method=arguments.method,
            compare=arguments.compare,
            weights=arguments.weights,
            objective=arguments.objective,
            hold_out=not arguments.no_hold_out,
            seed=arguments.seed,
            engine=arguments.engine,
            scheduler=arguments.scheduler,
            workers=arguments.workers,
            calls=arguments.calls,
            limit=arguments.limit,
            rounds=arguments.rounds,
            timeout=arguments.timeout,
            gate_seconds=arguments.gate_seconds,
            anyway=arguments.anyway,
            measure=not arguments.no_measure,
            advice=not arguments.no_advice,
            resume=arguments.resume,
        )
        if report.interrupted:
            report = replace(report, resume=shlex.join(["m4alloc", "tune", "--resume", *words_of(arguments)]))
        report = files.write(report, Path(arguments.output))
        if arguments.json not in (None, "-"):
            files.whole(Path(arguments.json), json.dumps(report.to_json(), indent=1) + "\n")
    except (
        BuildError,
        EngineError,
        LibraryError,
        ProgramError,
        RecordError,
        ReplayError,
        ModuleNotFoundError,
    ) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
    except ValueError as error:
        # TuneError, SourceError, TraceError, StrategyError, SearchStateError, BenchError: the input was at fault.
        raise UsageError(str(error)) from error
    print(json.dumps(report.to_json(), indent=1) if arguments.json == "-" else "\n".join(text.lines(report)))
    return report.exit_status


def words_of(arguments: argparse.Namespace) -> list[str]:
    """The options that were given, as words, and what they were given for."""
    defaults = argparse.ArgumentParser()
    add_parser(defaults.add_subparsers())
    before = defaults.parse_args(["tune"])
    words = []
    for name, value in vars(arguments).items():
        if name in ("verb", "debug", "resume", "words") or value == getattr(before, name, None):
            continue
        option = f"--{name.replace('_', '-')}"
        words += [option] if value is True else [f"{option}={value}"] if name == "json" else [option, str(value)]
    return [*words, *arguments.words]
