"""Check any allocator against the specification: a shared library, or the one of this project."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import UsageError, told
from m4alloc.cli._parser import (
    Subparsers,
    add_budget,
    add_jobs,
    add_json,
    add_output,
    add_seed,
    add_standard,
    add_symbol_prefix,
    add_timeout,
    add_verb,
)
from m4alloc.cli._values import count_of, counts_of
from m4alloc.lib import LibraryError


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc check [ALLOCATOR] [OPTION ...]`."""
    parser = add_verb(
        subparsers,
        "check",
        __doc__ or "",
        usage=["[OPTION ...] [ALLOCATOR]", "reference [--architecture NAME] [OPTION ...]"],
        more="It is driven in forked children: directed plans first, then every sequence of requests up to a bound, "
        "then random rounds drawn by Hypothesis.",
        examples=[
            "m4alloc check ./libmine.so --budget 20s",
            "m4alloc check ./libmine.so --symbol-prefix je_ --standard posix",
            "m4alloc check ./libmine.so --script findings/calloc-zeroes.heap  # a finding, once more",
        ],
        status="0 no rule broken within what was tried, 1 one was, 2 usage, 3 nothing could be checked, 130 "
        "interrupted.",
        page="docs/check.md",
    )
    add = parser.add_argument
    add(
        "library",
        nargs="?",
        default="m4alloc",
        metavar="ALLOCATOR",
        help="a shared library, m4alloc, system or reference (default %(default)s)",
    )
    add = parser.add_argument_group("the contract").add_argument
    add_standard(add, "")
    add(
        "--promise", action="append", default=[], metavar="RULE", help="the library promises this rule, too; repeatable"
    )
    add(
        "--without",
        action="append",
        default=[],
        metavar="RULE",
        help="leave a rule out (a known departure); repeatable",
    )
    add(
        "--misuse",
        action="store_true",
        help="also free twice, and what is no block: do live blocks come to share memory?",
    )
    add_symbol_prefix(add)
    add(
        "--architecture",
        default="",
        metavar="NAME",
        help="with reference: its capabilities are judged, too, on isav9-128, morello, riscv-128, isav9-64, riscv-64 "
        "or cheriot (default isav9-128)",
    )
    add = parser.add_argument_group("the search").add_argument
    add_budget(add, "60s", "how long to search")
    add(
        "--engine",
        action="append",
        default=[],
        metavar="ENGINE",
        help="only this search: directed, exhaustive or random; repeatable",
    )
    add(
        "--sizes",
        type=counts_of,
        default=[],
        metavar="N,...",
        help="sizes of the exhaustive search (default 0,1,16,24,4096)",
    )
    add(
        "--slots",
        type=count_of,
        default=4,
        metavar="N",
        help="blocks at once in the exhaustive search (default %(default)s)",
    )
    add(
        "--depth",
        type=count_of,
        default=32,
        metavar="N",
        help="end the exhaustive search at this depth (default %(default)s, and in fact with the budget)",
    )
    add("--script", metavar="FILE.heap", help="carry out this script ten times instead of searching")
    add("--stop-at-first", action="store_true", help="end at the first finding, not with the budget")
    add_seed(add, "all that is random")
    add_jobs(add, 0, "drivers at once")
    add_timeout(add, "10s", "after which a call counts as hung")
    add = parser.add_argument_group("what is written").add_argument
    add_output(add, "DIR", "findings", "the folder for findings")
    add("--resume", action="store_true", help="go on with the campaign that the folder holds")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Check, print the report, and return the exit status it stands for."""
    from m4alloc.check import check_text, progress
    from m4alloc.check.alphabet import SIZES
    from m4alloc.check.campaign import ENGINES
    from m4alloc.check.check_library import check
    from m4alloc.check.check_reference import check_reference
    from m4alloc.check.foreign import WorkerError

    try:
        if arguments.library == "reference":
            report = check_reference(
                arguments.architecture or "isav9-128", standard=arguments.standard, seed=arguments.seed
            )
        elif arguments.architecture:
            raise UsageError(
                "--architecture is for the reference allocator: m4alloc check reference --architecture NAME"
            )
        elif arguments.script is not None:
            report = replay_of(arguments)
        else:
            report = check(
                arguments.library,
                standard=arguments.standard,
                budget=arguments.budget,
                seed=arguments.seed,
                jobs=arguments.jobs,
                symbol_prefix=arguments.symbol_prefix,
                sizes=arguments.sizes or SIZES,
                slots=arguments.slots,
                depth=arguments.depth,
                engines=arguments.engine or ENGINES,
                promises=arguments.promise,
                without=arguments.without,
                misuse=arguments.misuse,
                stop_at_first=arguments.stop_at_first,
                output=arguments.output,
                resume=arguments.resume,
                timeout=arguments.timeout,
                progress=progress.on_stderr(),
            )
    except (WorkerError, LibraryError, ValueError, OSError) as error:
        raise UsageError(told(error)) from error
    print(json.dumps(report.to_json(), indent=2) if arguments.json else "\n".join(check_text.lines(report)))
    return report.exit_status


def replay_of(arguments: argparse.Namespace):  # type: ignore[no-untyped-def]
    """The report of one script."""
    from pathlib import Path

    from m4alloc.check.check_library import replay
    from spec.script_reader import parse

    text = Path(arguments.script).read_text(encoding="utf-8")
    return replay(
        arguments.library,
        parse(text, arguments.script),
        standard=arguments.standard,
        symbol_prefix=arguments.symbol_prefix,
        timeout=arguments.timeout,
        seed=arguments.seed,
    )
