"""The parser of every verb: one shape of help, errors that say what would be right, and the options they share."""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, cast

from m4alloc.cli import Exit, UsageError
from m4alloc.cli._values import count_of, place_of, size_of, time_of

Subparsers = argparse._SubParsersAction
MOST_UNGROUPED = 10
"""Options that --help lists without headings."""


class Help(argparse.HelpFormatter):
    """Paragraphs are filled to the width of the terminal; lines that begin with a space stay as they are."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=26, **options)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        lines: list[str] = []
        for block in re.findall(r"(?:^[^ \n].*\n?)+|^.*\n?", text, re.MULTILINE):
            told = " ".join(block.split())
            if not told or block[0] == " ":
                lines.append(block.rstrip("\n"))
            else:
                lines += textwrap.wrap(told, width, break_on_hyphens=False, break_long_words=False)
        return "\n".join(indent + line for line in lines).rstrip()

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False, break_long_words=False)


class Parser(argparse.ArgumentParser):
    """A parser without abbreviations, whose errors name the nearest option and show an example.

    example: a command line that is right, shown where something is missing.
    """

    example = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options = {"allow_abbrev": False, "formatter_class": Help, **options}
        super().__init__(*arguments, **options)

    def format_help(self) -> str:
        """The claim first, then the usage, what else there is to know, the options, and the end."""
        claim, _, more = (self.description or "").partition("\n\n")
        formatter = self._get_formatter()
        formatter.add_text(claim)
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(more)
        for group in self._action_groups:
            formatter.start_section(group.title)
            formatter.add_text(group.description)
            formatter.add_arguments(group._group_actions)
            formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and leave with 2: of an option's value in one line, by UsageError."""
        if message.startswith("argument "):
            message = _nearest_choice(message.removeprefix("argument "))
            if message.startswith("-"):
                raise UsageError(message) from None
        if self.example and "required" in message:
            message += f"; as in: {self.example}"
        self.print_usage(sys.stderr)
        self.exit(Exit.USAGE, f"{self.prog}: {message}\n")

    def unknown(self, words: Sequence[str]) -> NoReturn:
        """Refuse words that no option and no argument takes; the nearest option is named."""
        known = [option for action in self._actions for option in action.option_strings]
        guesses = [near[0] for word in words if word.startswith("-") and (near := _near(word.partition("=")[0], known))]
        guess = f"; did you mean {' '.join(guesses)}?" if guesses else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{guess}")


def _near(word: str, known: Iterable[str]) -> list[str]:
    """The name that is nearest to a word, or one that it begins.

    >>> _near("--sed", ["--seed", "--json"]), _near("--prop", ["--property"]), _near("--x", ["--seed"])
    (['--seed'], ['--property'], [])
    >>> _near("--on", ["--json", "--only"])
    ['--only']
    """
    names = list(known)
    begun = [name for name in names if len(word) > 3 and name.startswith(word)]
    bare = {name.lstrip("-"): name for name in names}
    return begun[:1] or [bare[near] for near in difflib.get_close_matches(word.lstrip("-"), bare, 1)]


def _nearest_choice(message: str) -> str:
    """argparse's message about a choice, without its quotes, and with the nearest choice.

    >>> _nearest_choice("--leaks: invalid choice: 'al' (choose from 'unreachable', 'all', 'no')")
    "--leaks: invalid choice: 'al' (choose from unreachable, all, no); did you mean all?"
    """
    match = re.fullmatch(r"(.*invalid choice: '?)([^']*)('? )\(choose from (.*)\)", message, re.DOTALL)
    if match is None:
        return message
    choices = [choice.strip("'\" ") for choice in match[4].split(",")]
    guess = "".join(f"; did you mean {near}?" for near in _near(match[2], choices))
    return f"{match[1]}{match[2]}{match[3]}(choose from {', '.join(choices)}){guess}"


def add_verb(
    subparsers: Subparsers[argparse.ArgumentParser],
    verb: str,
    claim: str,
    *,
    usage: Sequence[str],
    examples: Sequence[str],
    page: str,
    more: str = "",
    status: str = "",
    verb_of: str = "",
) -> argparse.ArgumentParser:
    """The parser of one verb; its --help begins with the claim, and ends with examples, statuses and the page.

    usage: a line for each way to call it, without `m4alloc VERB`. examples: whole command lines, each perhaps followed
    by two spaces, # and a remark; the first is shown where something is missing. status: what the exit statuses mean.
    page: of docs/. verb_of: the verb of which this is a command. more: what else there is to know, paragraphs.
    """
    parts = ["examples:\n" + "\n".join(f"  {example}" for example in examples)]
    parts += [f"exit status: {status}"] if status else []
    parts += [f"more: {page}"] if page else []
    name = " ".join(filter(None, ["m4alloc", verb_of, verb]))
    parser = subparsers.add_parser(
        verb,
        prog=name,
        help=claim,
        description="\n\n".join(filter(None, [claim, more])),
        usage="\n       ".join(f"{name} {line}".rstrip() for line in usage),
        epilog="\n\n".join(parts),
        formatter_class=Help,
    )
    if isinstance(parser, Parser):
        parser.example = examples[0].partition("  #")[0].rstrip()
    return parser


Add = Callable[..., argparse.Action]


def add_json(add: Add, what: str = "the report") -> None:
    """--json: what is printed, as JSON."""
    add("--json", action="store_true", help=f"print {what} as JSON (docs/json-schema)")


def add_json_of_program(add: Add) -> None:
    """--json of a verb that runs a program, whose own output then goes elsewhere."""
    add("--json", action="store_true", help="print the report as JSON; the program's output goes to stderr")


def add_seed(add: Add, what: str) -> None:
    """--seed: of what is drawn; the same seed gives the same run."""
    add("--seed", type=count_of, default=0, metavar="N", help=f"of {what} (default %(default)s)")


def add_timeout(add: Add, default: str | None, what: str) -> None:
    """--timeout: when something is given up."""
    shown = "none" if default is None else "%(default)s"
    add("--timeout", type=time_of, default=default, metavar="TIME", help=f"{what} (default {shown})")


def add_symbol_prefix(add: Add) -> None:
    """--symbol-prefix: je_ where malloc is called je_malloc."""
    add("--symbol-prefix", default="", metavar="PREFIX", help="je_ where malloc is called je_malloc (default none)")


def add_standard(add: Add, default: str) -> None:
    """--standard: the contract."""
    shown = default or "c17,glibc for ours and the system's, else c23,posix"
    add(
        "--standard",
        default=default,
        metavar="NAME,...",
        help=f"the contract: c17, c23, posix, glibc, joined by commas (default {shown})",
    )


def add_strategy(add: Add, what: str) -> None:
    """--strategy: how the core places and checks."""
    add("--strategy", metavar="NAME|FILE.toml", help=f"default, hardened, sampled or a file of TOML: {what}")


def add_output(add: Add, metavar: str, default: str | None, what: str) -> None:
    """-o, --output: where the verb writes; - is nowhere."""
    shown = "none" if default is None else "%(default)s; - for none"
    add("-o", "--output", type=place_of, default=default, metavar=metavar, help=f"{what} (default {shown})")


def add_rounds(add: Add, default: int, what: str) -> None:
    """--rounds: how often a measurement is repeated, everything in turns."""
    add("--rounds", type=count_of, default=default, metavar="N", help=f"{what} (default %(default)s)")


def add_budget(add: Add, default: str | None, what: str) -> None:
    """--budget: how long a search may take."""
    shown = "none" if default is None else "%(default)s"
    add("--budget", type=time_of, default=default, metavar="TIME", help=f"{what} (default {shown})")


def add_jobs(add: Add, default: int, what: str) -> None:
    """--jobs: processes that work at once; 0 is one a core."""
    shown = "%(default)s" if default else "0: one a core"
    add("--jobs", type=count_of, default=default, metavar="N", help=f"{what} (default {shown})")


def add_scheduler(add: Add) -> None:
    """--scheduler: a cluster instead of this machine."""
    add(
        "--scheduler",
        default="",
        metavar="ADDRESS",
        help="work on the cluster of dask.distributed there, as in tcp://host:8786 (default: on this machine)",
    )


def add_limit(add: Add, default: str | None) -> None:
    """--limit: the size at which each recorded trace ends."""
    shown = "none" if default is None else "%(default)s"
    add(
        "--limit", type=size_of, default=default, metavar="BYTES", help=f"end each trace at this size (default {shown})"
    )


def add_image(add: Add) -> None:
    """--image: one of the processes that a recording holds."""
    add("--image", default="", metavar="PID.N", help="which process of a recording (default: of most calls)")


def add_property(add: Add, what: str) -> None:
    """--property: a temporal property by its name or as a formula, as the monitor and the verifier take it."""
    add(
        "--property",
        action="append",
        default=[],
        metavar="NAME|FORMULA",
        help=f"{what}: a name of the library (--list) or a formula such as '[](malloc -> <>free)' or 'thread: ...'; "
        "repeatable",
    )


def add_list(add: Add) -> None:
    """--list: the library of properties, instead of running anything."""
    add("--list", action="store_true", help="print the properties of the library, instead of running a program")


def print_properties(verb: str, *, as_json: bool) -> int:
    """Print the library of temporal properties; the exit status."""
    from m4alloc.check.verify_text import library
    from spec.properties import PROPERTIES

    if as_json:
        listed = [
            {"name": one.name, "index": str(one.index), "formula": str(one.formula), "sentence": one.sentence}
            for one in PROPERTIES
        ]
        print(json.dumps({"schema": "m4alloc/1", "verb": verb, "properties": listed}, indent=2))
    else:
        print("\n".join(library()))
    return Exit.HOLDS


def add_program(add: Add) -> None:
    """The program to run, and its arguments, as the last words; `program_of` reads them."""
    add("command", nargs=argparse.REMAINDER, metavar="PROGRAM", help="the program and its arguments, after --")


def program_of(words: Sequence[str]) -> list[str]:
    """The program and its arguments, without the -- before them.

    >>> program_of(["--", "ls", "--", "-l"]), program_of(["ls"])
    (['ls', '--', '-l'], ['ls'])
    """
    return list(words[1:] if words[:1] == ["--"] else words)


def end_of_options(*words: str) -> list[str]:
    """Positional arguments as words, after -- where one could be taken for an option.

    >>> end_of_options("a b.ll"), end_of_options("-x.ll")
    (['a b.ll'], ['--', '-x.ll'])
    """
    return ["--", *words] if any(word.startswith("-") for word in words) else list(words)


def parser_of(add_parser: Callable[[Subparsers[argparse.ArgumentParser]], None]) -> argparse.ArgumentParser:
    """The parser that a verb's `add_parser` adds."""
    subparsers: Any = Parser(prog="m4alloc").add_subparsers()
    add_parser(subparsers)
    (parser,) = subparsers.choices.values()
    return cast(argparse.ArgumentParser, parser)


def words_of(parser: argparse.ArgumentParser, arguments: argparse.Namespace, without: Iterable[str] = ()) -> list[str]:
    """The options that were given, as words that give them again; what has its default is left out.

    without: names in the namespace that are left out, too. Positional arguments are the caller's.
    """
    words: list[str] = []
    left_out = {"help", *without}
    for action in parser._actions:
        value = getattr(arguments, action.dest, None)
        default = parser.get_default(action.dest)
        if isinstance(default, str) and callable(action.type):
            default = action.type(default)
        if not action.option_strings or action.dest in left_out or value == default:
            continue
        option = action.option_strings[-1]
        if action.nargs == 0:
            meant = bool(value) or not isinstance(action, argparse.BooleanOptionalAction)
            words.append(action.option_strings[0] if meant else option)  # the last is --no-...
            continue
        for one in value if isinstance(value, list) and isinstance(action, argparse._AppendAction) else [value]:
            told = ",".join(map(str, one)) if isinstance(one, list) else "-" if one is None else str(one)
            words += [f"{option}={told}"] if told.startswith("-") or action.nargs == "?" else [option, told]
    return words
