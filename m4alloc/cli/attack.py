"""Run the attack catalogue on models of the hardware, or on a real allocator, and say what each attack achieves."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import Exit, UsageError
from m4alloc.lib import LibraryError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc attack [LIB.so | system] [--attack NAME] [--architecture A] [--trials N] [--seed N] [--json]`."""
    parser = subparsers.add_parser(
        "attack",
        help=__doc__,
        description=f"{__doc__} Without LIB.so the reference allocator is attacked over every architecture and policy, "
        "with exact probabilities where tags are drawn. Exit status 0, whatever the attacks achieve.",
    )
    parser.add_argument(
        "library",
        nargs="?",
        metavar="LIB.so",
        help="an allocator, or `system` for the C library's (default: the models)",
    )
    parser.add_argument("--attack", metavar="NAME", help="one attack, told step by step")
    parser.add_argument(
        "--architecture", metavar="A", help="one column of the table, or a kind of hardware: cheri, mte, adi, sgx"
    )
    parser.add_argument(
        "--trials", type=int, default=0, metavar="N", help="simulate each probability in N runs as well (default: 0)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn (default 0)")
    parser.add_argument(
        "--symbol-prefix", default="", metavar="P", help="the library's functions are Pmalloc, Pfree ..."
    )
    parser.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds for a call that hangs (10)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON (docs/json-schema)")


def run(arguments: argparse.Namespace) -> int:
    """Attack, and print the table, the story, or the report."""
    from m4alloc.check import attack_text
    from m4alloc.check.attack import AttackError, attack
    from m4alloc.check.foreign import WorkerError

    try:
        report = attack(
            arguments.library,
            name=arguments.attack,
            architecture=arguments.architecture,
            trials=arguments.trials,
            seed=arguments.seed,
            prefix=arguments.symbol_prefix,
            timeout=arguments.timeout,
        )
    except (AttackError, WorkerError, LibraryError) as error:
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(attack_text.lines(report)))
    return Exit.HOLDS
