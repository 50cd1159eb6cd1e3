"""Run the attack catalogue on models of the hardware, or on a real allocator, and say what each attack achieves."""

from __future__ import annotations

import argparse
import json

from m4alloc.cli import Exit, UsageError
from m4alloc.cli._parser import Subparsers, add_json, add_seed, add_symbol_prefix, add_timeout, add_verb
from m4alloc.cli._values import count_of
from m4alloc.lib import LibraryError


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc attack [ALLOCATOR] [OPTION ...]`."""
    parser = add_verb(
        subparsers,
        "attack",
        __doc__ or "",
        usage=["[OPTION ...] [ALLOCATOR]"],
        more="Without ALLOCATOR the reference allocator is attacked over every architecture and policy, with exact "
        "probabilities where tags are drawn.",
        examples=[
            "m4alloc attack ./libmine.so",
            "m4alloc attack --attack use-after-reuse-write --architecture mte",
        ],
        status="0 whatever the attacks achieve, 2 usage, 130 interrupted.",
        page="docs/attacks.md",
    )
    add = parser.add_argument
    add("library", nargs="?", metavar="ALLOCATOR", help="a shared library, or system (default: the models)")
    add("--attack", metavar="NAME", help="one attack, told step by step (default: all)")
    add(
        "--architecture",
        metavar="NAME",
        help="one column of the table, or a kind of hardware: cheri, mte, adi, sgx (default: all)",
    )
    add(
        "--trials",
        type=count_of,
        default=0,
        metavar="N",
        help="simulate each probability in N runs as well (default %(default)s)",
    )
    add_seed(add, "what is drawn")
    add_symbol_prefix(add)
    add_timeout(add, "10s", "after which a call counts as hung")
    add_json(add)


def run(arguments: argparse.Namespace) -> int:
    """Attack, and print the table, the story, or the report."""
    from m4alloc.check import attack_text
    from m4alloc.check.attack import attack
    from m4alloc.check.foreign import WorkerError

    try:
        report = attack(
            arguments.library,
            attack=arguments.attack,
            architecture=arguments.architecture,
            trials=arguments.trials,
            seed=arguments.seed,
            symbol_prefix=arguments.symbol_prefix,
            timeout=arguments.timeout,
        )
    except (WorkerError, LibraryError, ValueError) as error:  # AttackError is a ValueError: the input was at fault
        raise UsageError(str(error)) from error
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(attack_text.lines(report)))
    return Exit.HOLDS
