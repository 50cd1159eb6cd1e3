"""Check any allocator against the specification: a shared library, or the one of this project."""

from __future__ import annotations

import argparse
import json
import re

from m4alloc.cli import UsageError
from m4alloc.lib import LibraryError

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc check [LIB.so] [OPTION ...]`."""
    parser = subparsers.add_parser(
        "check",
        help=__doc__,
        description=f"{__doc__} It is driven in forked children: directed plans first, then every sequence of requests "
        "up to a bound, then random rounds drawn by Hypothesis. Exit status: 0 no rule broke within what was tried, 1 "
        "one did, 2 usage, 3 nothing could be checked, 130 interrupted.",
    )
    parser.add_argument(
        "library",
        nargs="?",
        default="m4alloc",
        metavar="LIB.so",
        help="a path, system, reference or m4alloc (default)",
    )
    parser.add_argument(
        "--standard", default="", metavar="S", help="the contract: c17, c23, posix, glibc, joined by commas"
    )
    parser.add_argument("--budget", default="60s", metavar="TIME", help="how long to search: 60s (default), 5m, 2h")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random (default 0)")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="drivers at once (default: one a processor)")
    parser.add_argument("--symbol-prefix", default="", metavar="P", help="je_ where malloc is called je_malloc")
    parser.add_argument(
        "--sizes", default="", metavar="N,...", help="sizes of the exhaustive search (default 0,1,16,24,4096)"
    )
    parser.add_argument("--slots", type=int, metavar="N", help="blocks at once in the exhaustive search (default 4)")
    parser.add_argument("--depth", type=int, metavar="N", help="end the exhaustive search at this depth")
    parser.add_argument(
        "--engine",
        action="append",
        default=[],
        metavar="E",
        help="only this search: directed, exhaustive or random; repeatable",
    )
    parser.add_argument(
        "--promise", action="append", default=[], metavar="RULE", help="the library promises this rule, too; repeatable"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="RULE",
        help="leave a rule out (a known departure); repeatable",
    )
    parser.add_argument(
        "--misuse",
        action="store_true",
        help="also free twice, and what is no block: do live blocks come to share memory?",
    )
    parser.add_argument("--stop-at-first", action="store_true", help="end at the first finding, not with the budget")
    parser.add_argument(
        "-o",
        "--output",
        default="findings",
        metavar="DIR",
        help="the folder for findings (default findings; - for none)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the campaign that the folder holds")
    parser.add_argument(
        "--timeout", type=float, default=10.0, metavar="S", help="seconds after which calls count as hung"
    )
    parser.add_argument("--script", metavar="FILE.heap", help="carry out this script ten times instead of searching")
    parser.add_argument(
        "--architecture",
        default="",
        metavar="A",
        help="with `reference` in place of a library: the reference allocator on isav9-128, morello, riscv-128, "
        "isav9-64, riscv-64 or cheriot, its capabilities judged",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check, print the report, and return the exit status it stands for."""
    from m4alloc.check import check_text, progress
    from m4alloc.check.alphabet import MAX_DEPTH, SIZES, SLOTS
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
            raise UsageError("--architecture is for the reference allocator: m4alloc check reference --architecture A")
        elif arguments.script is not None:
            report = replay_of(arguments)
        else:
            report = check(
                arguments.library,
                standard=arguments.standard,
                budget=seconds(arguments.budget),
                seed=arguments.seed,
                jobs=arguments.jobs,
                symbol_prefix=arguments.symbol_prefix,
                sizes=numbers(arguments.sizes) if arguments.sizes else SIZES,
                slots=SLOTS if arguments.slots is None else arguments.slots,
                depth=MAX_DEPTH if arguments.depth is None else arguments.depth,
                engines=arguments.engine or ENGINES,
                promises=arguments.promise,
                without=arguments.without,
                misuse=arguments.misuse,
                at_first=arguments.stop_at_first,
                output=None if arguments.output == "-" else arguments.output,
                resume=arguments.resume,
                timeout=arguments.timeout,
                progress=progress.on_stderr(),
            )
    except (WorkerError, LibraryError, ValueError, OSError) as error:
        raise UsageError(str(error)) from error
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


def seconds(text: str) -> float:
    """A time such as 60, 60s, 5m or 2h, in seconds. Raises UsageError.

    >>> seconds("1.5m"), seconds("90")
    (90.0, 90.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip())
    if match is None or match[2] not in UNITS:
        raise UsageError(f"--budget {text}: a time such as 60s, 5m or 2h is wanted")
    return float(match[1]) * UNITS[match[2]]


def numbers(text: str) -> list[int]:
    """Sizes joined by commas. Raises UsageError.

    >>> numbers("0,16,4096")
    [0, 16, 4096]
    """
    try:
        return [int(word, 0) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--sizes {text}: numbers of bytes joined by commas are wanted, such as 0,16,4096") from None
