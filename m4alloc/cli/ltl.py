"""Ask about formulas of temporal logic: read, compare, classify, translate and monitor them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from m4alloc.cli import Exit, UsageError
from m4alloc.cli._parser import Subparsers, add_json, add_verb
from m4alloc.cli._values import count_of

if TYPE_CHECKING:
    from m4alloc.ltl import LogicReport

NOTATION = """formulas, loosest operators first; those of two operands associate to the right:
  <-> -> || &&        also <=> => | & and the mathematical signs
  U W R M             until, weak until, release (SPIN's V), strong release
  S T                 since, trigger: the past counterparts of U and R
  ! [] <> X N         not, always (G), eventually (F), next, weak next
  Y Z O H             yesterday, weak yesterday, once, historically
  true false (1 0), names, "anything in double quotes"
words:
  a; b&c; cycle{a; 1} letters between semicolons; a letter names what is true in it, 1 is the letter without anything;
                      without a cycle the word ends with its last letter

The shell takes > | & ! ( ) and spaces for itself: put formulas and words in single quotes."""

STATUS = "0 yes, 1 no, 2 usage, 3 nothing could be decided within the bound on states."
EXAMPLES = {
    "parse": "'[](malloc -> <>free)'",
    "sat": "'<>[]p && []<>!p'",
    "valid": "'[]p -> p'",
    "equiv": "'!(p U q)' '!p R !q'",
    "implies": "'[]p' '<>p'",
    "classify": "'[](p -> <>q)'",
    "translate": "--dot '[](p -> <>q)'",
    "accepts": "'[]<>a' 'a; b; cycle{a&b; c}'",
    "monitor": "'!p U q' 'r; q'",
}

COMMANDS = {
    "parse": ("FORMULA", "print a formula in every spelling, its normal form, simplified, and its class"),
    "sat": ("FORMULA", "is it true of some infinite word? print one"),
    "valid": ("FORMULA", "is it true of every infinite word? print one that it is not true of"),
    "equiv": ("LEFT RIGHT", "are two formulas true of the same infinite words? print one that tells them apart"),
    "implies": ("LEFT RIGHT", "is the right formula true wherever the left is? print a word where it is not"),
    "classify": ("FORMULA", "safety, liveness, guarantee, obligation, recurrence, persistence, stutter invariance"),
    "translate": ("FORMULA", "print a small Buchi automaton: a table, HOA, GraphViz or a never claim"),
    "accepts": ("FORMULA WORD", "is it true of a word? LTL of a lasso, LTLf of a finite word"),
    "monitor": ("FORMULA [WORD]", "print the smallest monitor, or its verdict after each letter of a finite word"),
}
"""What each command takes, and what it does."""

OPERANDS = {
    "FORMULA": "a formula; words that the shell has taken apart are one formula",
    "LEFT RIGHT": "two formulas, each in single quotes",
    "FORMULA WORD": "a formula, and a word such as 'a; b; cycle{a&b; c}', each in single quotes",
    "FORMULA [WORD]": "a formula, and a finite word such as 'a; b; 1', each in single quotes",
}


def add_parser(subparsers: Subparsers[argparse.ArgumentParser]) -> None:
    """`m4alloc ltl {parse,sat,valid,equiv,implies,classify,translate,accepts,monitor} [--json] FORMULA ...`."""
    whole = add_verb(
        subparsers,
        "ltl",
        __doc__ or "",
        usage=["[--json] COMMAND [OPTION ...] FORMULA ..."],
        more=NOTATION,
        examples=[f"m4alloc ltl {name} {EXAMPLES[name]}" for name in ("equiv", "translate", "monitor")],
        status=STATUS,
        page="docs/ltl.md",
    )
    add_json(whole.add_argument)
    told = "what is asked; `m4alloc ltl COMMAND --help` says what it takes"
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True, help=told)
    for name, (operands, text) in COMMANDS.items():
        parser = add_verb(
            commands,
            name,
            f"{text[0].upper()}{text[1:]}{'' if text.endswith('?') else '.'}",
            verb_of="ltl",
            usage=[f"[OPTION ...] {operands}"],
            more=NOTATION,
            examples=[f"m4alloc ltl {name} {EXAMPLES[name]}"],
            status=STATUS,
            page="docs/ltl.md",
        )
        parser.add_argument("operands", nargs="+", metavar=operands, help=OPERANDS[operands])
        # Suppressed, so that it does not take back the one before the command.
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the report as JSON")
        if name == "accepts":
            parser.add_argument(
                "--weak",
                action="store_true",
                help="read X as N: on a finite word, true at the last letter (default: X is strong, false there)",
            )
        if name == "translate":
            _add_forms(parser)
        if name in ("classify", "translate", "monitor"):
            parser.add_argument(
                "--states",
                type=_count,
                metavar="N",
                help="how many states any automaton on the way may have (default: as many as docs/ltl.md says)",
            )


def _add_forms(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--hoa", dest="form", action="store_const", const="hoa", help="in the Hanoi Omega-Automata format"
    )
    forms.add_argument(
        "--dot", dest="form", action="store_const", const="dot", help="as GraphViz text: pipe it into `dot -Tsvg`"
    )
    forms.add_argument(
        "--never",
        dest="form",
        action="store_const",
        const="never",
        help="as a never claim for SPIN (a plain automaton)",
    )
    parser.add_argument(
        "--plain", action="store_true", help="one acceptance set, of states, instead of any number, of edges"
    )
    parser.add_argument(
        "--define",
        action="append",
        default=[],
        metavar="NAME=EXPRESSION",
        help="with --never: what a proposition is in Promela, if it is no variable or macro there; repeatable",
    )


def _count(text: str) -> int:
    if (count := count_of(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number of states, at least 1, is wanted")
    return count


def run(arguments: argparse.Namespace) -> int:
    """Answer, print the report, and return the exit status it stands for."""
    from spec.ltl.error import LogicError, TooLargeError

    try:
        report = _question(arguments)()
    except LogicError as error:
        raise UsageError(str(error)) from error
    except TooLargeError as error:
        told = {"schema": "m4alloc/1", "verb": "ltl", "command": arguments.command, "exit_status": int(Exit.UNDECIDED)}
        if arguments.json:
            print(json.dumps({**told, "undecided": str(error)}, indent=2))
        print(f"m4alloc ltl: nothing could be decided: {error}", file=sys.stderr)
        return Exit.UNDECIDED
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2))
    else:
        print("\n".join(report.lines()))
    return report.exit_status


def _question(arguments: argparse.Namespace) -> Callable[[], LogicReport]:
    from m4alloc import ltl

    first, second = _operands(arguments.command, arguments.operands)
    bound = {"states": arguments.states} if getattr(arguments, "states", None) is not None else {}
    match arguments.command:
        case "sat":
            return lambda: ltl.sat(first)
        case "valid":
            return lambda: ltl.valid(first)
        case "equiv":
            return lambda: ltl.equiv(first, second or "")
        case "implies":
            return lambda: ltl.implies(first, second or "")
        case "classify":
            return lambda: ltl.classify(first, **bound)
        case "translate":
            define = _definitions(arguments)
            form = arguments.form or "table"
            return lambda: ltl.translate(first, form=form, plain=arguments.plain, define=define, **bound)
        case "accepts":
            return lambda: ltl.accepts(first, second or "", weak=arguments.weak)
        case "monitor":
            return lambda: ltl.monitor(first, second, **bound)
        case _:
            return lambda: ltl.parse(first)


def _operands(command: str, words: list[str]) -> tuple[str, str | None]:
    """The one or two operands of the command.  Raises: UsageError."""
    wanted = COMMANDS[command][0]
    if wanted == "FORMULA":
        return " ".join(words), None
    if len(words) == 2:
        return words[0], words[1]
    if len(words) == 1 and command == "monitor":
        return words[0], None
    given = "one word" if len(words) == 1 else f"{len(words)} words"
    raise UsageError(
        f"{command} takes {wanted}, and was given {given}: {' | '.join(words)}; each operand goes in single quotes"
    )


def _definitions(arguments: argparse.Namespace) -> dict[str, str]:
    """What --define says of each proposition.  Raises: UsageError."""
    if arguments.define and arguments.form != "never":
        raise UsageError("--define says what propositions are in Promela; it goes with --never")
    definitions = {}
    for text in arguments.define:
        name, sign, expression = text.partition("=")
        if not (name.strip() and sign and expression.strip()):
            raise UsageError(f"--define {text}: NAME=EXPRESSION is wanted, such as 'malloc=event == 1'")
        definitions[name.strip()] = expression.strip()
    return definitions
