"""Find, verify, build and measure the allocator that serves a program best."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import (
    Subparsers,
    add_jobs,
    add_json,
    add_limit,
    add_rounds,
    add_scheduler,
    add_seed,
    add_timeout,
    add_verb,
    parser_of,
    words_of,
)
from m4alloc.cli._values import count_of, needed_place_of, time_of
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc tune [OPTION ...] TRACE ...` or `m4alloc tune [OPTION ...] -- PROGRAM ARGUMENT ...`."""
    parser = add_verb(
        subparsers,
        "tune",
        __doc__ or "",
        usage=["[OPTION ...] -- PROGRAM [ARGUMENT ...]", "[OPTION ...] TRACE ..."],
        more="The program's headroom comes first, and may end it: nothing to gain is a right answer. Then it is "
        "recorded, what has an exact optimum is computed, the rest is searched, candidates are verified, and "
        "the best is built and measured on the program.",
        examples=[
            "m4alloc tune --evaluations 60 -- perl hash.pl  # three minutes",
            "m4alloc tune --prefer memory --security hardened -- ./server --once",
        ],
        status="0 there is an answer, 2 usage, 3 nothing could be decided, 130 interrupted.",
        page="docs/tune.md",
    )
    add = parser.add_argument
    add("words", nargs=argparse.REMAINDER, metavar="TRACE", help="recordings; or after -- a program and its arguments")
    add = parser.add_argument_group("what is wanted").add_argument
    add("--prefer", default="balanced", metavar="NAME", help="balanced, time, memory or security (default %(default)s)")
    add("--security", default="default", metavar="NAME", help="floor: default, hardened or any (default %(default)s)")
    add(
        "--reuse-after",
        type=count_of,
        default=0,
        metavar="N",
        help="frees of its class before a block is used again, at least (default 0: as the floor says)",
    )
    add(
        "--objective",
        default="mean",
        metavar="NAME",
        help="what is made smaller over several programs: mean, or regret: the worst (default %(default)s)",
    )
    add("--anyway", action="store_true", help="go on where the headroom says that there is nothing to gain")
    add = parser.add_argument_group("the search").add_argument
    add("--evaluations", type=count_of, default=400, metavar="N", help="of candidates, a method (default %(default)s)")
    add(
        "--method",
        default="portfolio",
        metavar="NAME",
        help="portfolio, climb, evolve, nsga2, tpe, agent ... (default %(default)s)",
    )
    add("--compare", action="store_true", help="run every method, each with so many evaluations")
    add("--weights", metavar="FILE", help="of a trained agent, for --method agent (default: the bundled ones)")
    add("--no-hold-out", action="store_true", help="with several programs: do not search without each in turn")
    add("--calls", type=count_of, default="2M", metavar="N", help="of a workload, in the search (default %(default)s)")
    add_seed(add, "the search and the gates")
    add_jobs(add, 0, "processes that evaluate")
    add_scheduler(add)
    add = parser.add_argument_group("verifying and measuring").add_argument
    add_limit(add, "1Gi")
    add(
        "--gate-budget",
        type=time_of,
        default="10s",
        metavar="TIME",
        help="for the checks of a candidate (default %(default)s; 1s: a trial)",
    )
    add_rounds(add, 15, "of the last measurement, at most")
    add_timeout(add, "10m", "of a run of the program")
    add("--no-measure", action="store_true", help="leave out the last measurement")
    add("--no-advice", action="store_true", help="leave out the settings of other allocators")
    add = parser.add_argument_group("what is written").add_argument
    add(
        "-o",
        "--output",
        type=needed_place_of,
        default="tune-report",
        metavar="DIR",
        help="the folder for all files (default %(default)s)",
    )
    add("--name", default="", metavar="NAME", help="of the library: libm4alloc-NAME.so (default: the program's)")
    add("--resume", action="store_true", help="go on with the recording and the search that the folder holds")
    add_json(add)


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
            reuse_after=arguments.reuse_after,
            evaluations=arguments.evaluations,
            method=arguments.method,
            compare=arguments.compare,
            weights=None if arguments.weights is None else Path(arguments.weights),
            objective=arguments.objective,
            hold_out=not arguments.no_hold_out,
            seed=arguments.seed,
            scheduler=arguments.scheduler,
            jobs=arguments.jobs,
            calls=arguments.calls,
            limit=arguments.limit,
            rounds=arguments.rounds,
            timeout=arguments.timeout,
            gate_budget=arguments.gate_budget,
            anyway=arguments.anyway,
            measure=not arguments.no_measure,
            advice=not arguments.no_advice,
            resume=arguments.resume,
        )
        if report.interrupted:
            report = replace(report, resume=resume_line(arguments))
        report = files.write(report, Path(arguments.output))
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
        raise UsageError(told(error)) from error
    except ValueError as error:
        # TuneError, SourceError, TraceError, StrategyError, SearchStateError, BenchError: the input was at fault.
        raise UsageError(str(error)) from error
    print(json.dumps(report.to_json(), indent=1) if arguments.json else "\n".join(text.lines(report)))
    return report.exit_status


def resume_line(arguments: argparse.Namespace) -> str:
    """The command that goes on with an interrupted tuning."""
    words = words_of(parser_of(add_parser), arguments, ["resume"])
    return shlex.join(["m4alloc", "tune", "--resume", *words, *arguments.words])
