"""The command line is one thing: each option of every verb is in one table, means one thing, and is told in one way."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _lazy
from m4alloc.cli import main
from m4alloc.cli._parser import MOST_UNGROUPED, Parser, parser_of, words_of
from m4alloc.tune.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
FLAG = ""
FILES = "DIR FILE FILE.html FILE.json LIB.so"
ALLOWED = {
    # Everywhere.
    "--json": (FLAG, "print the report as JSON"),
    "--output": (FILES, "where the verb's own product goes, - for none"),
    "--seed": ("N", "of whatever is drawn at random"),
    "--jobs": ("N", "processes that work at once"),
    "--scheduler": ("ADDRESS", "a cluster of dask.distributed to work on"),
    "--budget": ("TIME", "how long to search"),
    "--timeout": ("TIME", "when a run or a call is given up"),
    "--rounds": ("N", "how often a measurement is repeated"),
    "--limit": ("BYTES", "the size at which a recorded trace ends"),
    "--resume": (FLAG, "go on with what the output folder holds"),
    "--list": (FLAG, "print what can be named, and do nothing else"),
    # What it is about.
    "--allocator": ("ALLOCATOR", "an allocator: m4alloc, system, or the path of a shared library"),
    "--architecture": ("NAME", "a model of the hardware on which the allocator runs"),
    "--strategy": ("NAME|FILE.toml FILE.toml {sampled,default,hardened}", "how the core places and checks"),
    "--standard": ("NAME,...", "the contract"),
    "--promise": ("RULE", "a rule that no standard states"),
    "--without": ("RULE", "a rule that is left out"),
    "--property": ("NAME|FORMULA", "a temporal property"),
    "--symbol-prefix": ("PREFIX", "what the names of the library's functions begin with"),
    "--attack": ("NAME", "an attack of the catalogue"),
    "--image": ("PID.N", "a process of a recording"),
    "--from": ("FORMAT", "the format of what is read"),
    "--to": ("FORMAT", "the format of what is written"),
    "--trace": ("FILE", "a recording to judge"),
    "--script": ("FILE.heap", "a script to carry out"),
    "--replay": ("FILE", "a counterexample to replay"),
    "--program": ("NAME", "a program of the catalogue"),
    "--catalogue": ("DIR", "a folder with a catalogue of programs"),
    "--function": ("NAME", "a function of the source"),
    "--fail-on": ("KIND", "a finding that counts as a failure"),
    "--only": (FLAG, "nothing but what is named"),
    "--uninitialised": (FLAG, "reads of what was never written"),
    "--misuse": (FLAG, "wrong frees, too"),
    "--const": ("NAME=VALUE", "a constant of a model"),
    "--define": ("NAME=EXPRESSION", "a proposition in Promela"),
    "--assume": ("FACT", "a fact about the arguments of a function"),
    "--isa": ("NAME", "the instruction set of capability code"),
    "--target": ("{x86-64,x86-64-v3,aarch64,riscv64}", "the machine whose assembly is counted"),
    "--clang": ("FLAG", "a flag for the compiler"),
    "--shared": (FLAG, "other threads may touch the memory"),
    "--fair": (FLAG, "every process is scheduled fairly"),
    "--no-deadlock": (FLAG, "a deadlock is as good as an end"),
    # How it searches.
    "--engine": ("ENGINE {auto,own,compiled,spin}", "the program that searches"),
    "--method": ("NAME", "a way of searching"),
    "--objective": ("NAME {ir,instructions,latency}", "what the search makes smaller"),
    "--prefer": ("NAME", "what the recommended candidate is best at"),
    "--security": ("NAME", "the floor of security"),
    "--reuse-after": ("N", "frees before a block is used again"),
    "--evaluations": ("N", "candidates that are evaluated"),
    "--calls": ("N", "calls that are simulated"),
    "--gate-budget": ("TIME", "how long a candidate is checked"),
    "--weights": ("FILE", "of a trained agent"),
    "--compare": (FLAG, "every method"),
    "--thorough": (FLAG, "use up the budget"),
    "--anyway": (FLAG, "go on although there is nothing to gain"),
    "--no-hold-out": (FLAG, "leave that out"),
    "--no-measure": (FLAG, "leave that out"),
    "--no-advice": (FLAG, "leave that out"),
    "--no-compare": (FLAG, "leave that out"),
    "--states": ("N", "the most states that are stored"),
    "--memory": ("BYTES", "the most memory that is used"),
    "--reduce": (FLAG, "partial-order reduction"),
    "--symmetry": (FLAG, "symmetry reduction"),
    "--compact": (FLAG, "digests instead of states"),
    "--sizes": ("N,...", "request sizes that are tried"),
    "--slots": ("N", "blocks at once"),
    "--depth": ("N", "the length of a sequence"),
    "--unroll": ("N", "how often a loop is followed"),
    "--stop-at-first": (FLAG, "end at the first finding"),
    "--reference": (FLAG, "judge by the specification alone"),
    "--verify": ("A B", "whether B refines A"),
    "--rules": ("KIND", "the rewrite rules"),
    "--trials": ("N", "runs that are simulated"),
    "--weak": (FLAG, "X as weak next"),
    # How it runs and measures.
    "--quarantine": ("BYTES", "what waits after free"),
    "--on-violation": ("{exit,abort,continue}", "what follows a report"),
    "--suppressions": ("FILE", "what is not told"),
    "--leaks": ("{unreachable,all,no}", "which blocks are leaks"),
    "--history": ("{calls,accesses,no}", "what is kept of the time before"),
    "--frames": ("N", "the depth of a stack"),
    "--quick": (FLAG, "short scales"),
    "--threads": ("N,...", "numbers of threads"),
    "--among": ("NAME,...", "allocators that are compared"),
    "--latency": (FLAG, "percentiles of single calls"),
    "--no-latency": (FLAG, "leave that out"),
    "--resident": (FLAG, "resident memory in the course of a run"),
    "--heap-sizes": ("N,...", "numbers of live blocks"),
    "--weight": ("W", "the share of utilisation in the points"),
    "--stats": (FLAG, "what the core has counted"),
    "--force": (FLAG, "replace what is there"),
    # What it prints and writes besides.
    "--name": ("NAME", "of what is built"),
    "--title": ("TEXT", "of the page"),
    "--events": ("N", "the most events that are drawn"),
    "--text": (FLAG, "print it as text"),
    "--svg": ("FILE", "a picture"),
    "--view": ("DIR", "pages to explore"),
    "--findings": ("DIR", "the folder for findings, beside another output"),
    "--keep-trace": ("FILE", "the recording is kept"),
    "--promela": ("FILE", "the model in Promela"),
    "--assembly": (FLAG, "show the assembly"),
    "--hoa": (FLAG, "a form of an automaton"),
    "--dot": (FLAG, "a form of an automaton"),
    "--never": (FLAG, "a form of an automaton"),
    "--plain": (FLAG, "a plain automaton"),
    "--recorder": (FLAG, "which path is printed"),
    "--monitor": (FLAG, "which path is printed"),
    "--include": (FLAG, "which path is printed"),
    "--cflags": (FLAG, "which path is printed"),
}  # fmt: skip
"""Each name an option may have, with what may stand after it, and the one thing that it means."""

COMPILERS = {"cc", "c++"}
"""Verbs all of whose words are the compiler's."""
DRAWING = {"attack", "bench", "check", "superopt", "tune", "verify", "view"}
"""Verbs that draw something at random."""
RENAMED = {"from": "source_format", "to": "target_format", "const": "constants", "no_deadlock": "deadlock"}
"""Keywords of functions that cannot be, or are clearer than, the option's name; `no_` options are their opposites."""
ONLY_ON_THE_COMMAND_LINE = {
    *("json", "list", "text", "no_compare", "trace", "script", "replay", "verify", "rules", "assembly"),
}
"""What another function does, or what is about printing."""
OF_ANOTHER = {"check": {"architecture"}, "superopt": {"isa", "unroll", "output"}}
"""What check_reference, superopt_cheri and superopt.verify take; the folder of a superopt is written by the verb."""


def walk(name: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands."""
    yield name, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command, below in action.choices.items():
                yield from walk(f"{name} {command}", below)


PARSERS = {
    name: parser
    for verb, whole in main.parsers(sorted(set(main.verbs()) - COMPILERS))[1].items()
    for name, parser in walk(verb, whole)
}
OPTIONS = [
    (name, option, action)
    for name, parser in PARSERS.items()
    for action in parser._actions
    for option in action.option_strings
    if option.startswith("--") and option != "--help"
]
every = pytest.mark.parametrize("name", PARSERS)


def value_of(action: argparse.Action) -> str:
    """What stands after an option in --help."""
    if action.nargs == 0:
        return FLAG
    if action.metavar is None:
        return f"{{{','.join(map(str, action.choices or ()))}}}"
    return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)


def shown(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """The help of an option, with its default in place."""
    return (action.help or "") % {"default": action.default, "prog": parser.prog}


def test_every_option_is_in_the_table_with_one_kind_of_value() -> None:
    wrong = [
        f"{name} {option} {value_of(action)}"
        for name, option, action in OPTIONS
        if option not in ALLOWED
        or (value_of(action) != ALLOWED[option][0] and value_of(action) not in ALLOWED[option][0].split())
    ]
    assert wrong == []


def test_every_name_in_the_table_is_used_and_every_meaning_is_one() -> None:
    assert set(ALLOWED) - {option for _, option, _ in OPTIONS} == set()
    once = [meaning for _, meaning in ALLOWED.values() if meaning not in ("leave that out",)]
    of_several = {"a form of an automaton", "which path is printed"}
    assert len(once) == len(set(once)) + sum(once.count(one) - 1 for one in of_several)


def test_the_only_short_option_is_that_of_output() -> None:
    short = {
        (option, action.option_strings[-1])
        for parser in PARSERS.values()
        for action in parser._actions
        for option in action.option_strings
        if not option.startswith("--") and option != "-h"
    }
    assert short == {("-o", "--output")}
    assert all("-o" in action.option_strings for _, option, action in OPTIONS if option == "--output")


def test_an_option_takes_the_same_type_everywhere() -> None:
    types: dict[str, set[object]] = {}
    for _, _, action in OPTIONS:
        if value_of(action) in {"TIME", "BYTES", "N", "N,..."}:
            types.setdefault(value_of(action), set()).add(getattr(action.type, "__name__", action.type))
    assert types == {
        "TIME": {"time_of"},
        "BYTES": {"size_of"},
        "N": {"count_of", "_count"},  # _count: count_of, and at least 1
        "N,...": {"counts_of"},
    }


def test_every_verb_prints_json_and_every_one_that_draws_takes_a_seed() -> None:
    assert {name for name, option, _ in OPTIONS if option == "--json"} == set(PARSERS)
    assert {name for name, option, _ in OPTIONS if option == "--seed"} == DRAWING


@every
def test_help_says_what_everything_is_and_what_its_default_is(name: str) -> None:
    parser = PARSERS[name]
    for action in parser._actions:
        told = shown(parser, action)
        assert told and told != argparse.SUPPRESS, action
        if (
            not action.option_strings
            or action.nargs == 0
            or action.required
            or isinstance(action, argparse._AppendAction)
        ):
            continue
        of_another = told.endswith("(instead of a search)") or "instead of" in told or action.dest == "keep_trace"
        if isinstance(action, argparse._SubParsersAction):
            continue
        assert "default" in told or of_another or action.dest in {"promela", "svg"}, f"{name} {action.option_strings}"
        if action.default not in (None, "", []):
            assert str(action.default) in told, f"{name} {action.option_strings}: {told}"


@every
def test_help_begins_with_a_claim_and_ends_with_examples_statuses_and_a_page(name: str) -> None:
    parser = PARSERS[name]
    told = parser.format_help()
    claim = (parser.description or "").partition("\n\n")[0]
    assert told.startswith(" ".join(claim.split())[:40]) and claim.endswith((".", "?"))
    assert f"usage: m4alloc {name} " in told
    examples, _, end = (parser.epilog or "").partition("\n\n")
    assert examples.startswith("examples:\n  ") and end.startswith("exit status: ") and "2 " in end
    page = end.rpartition("more: ")[2]
    assert (ROOT / page).is_file(), page


@every
def test_more_than_ten_options_are_in_groups(name: str) -> None:
    loose = next(group for group in PARSERS[name]._action_groups if group.title == "options")
    assert len([one for one in loose._group_actions if one.dest != "help"]) <= MOST_UNGROUPED


@every
def test_the_examples_of_help_can_be_carried_out(name: str) -> None:
    lines = [line.strip() for line in (PARSERS[name].epilog or "").partition("\n\n")[0].splitlines()[1:]]
    assert lines
    for line in lines:
        line = line.partition("  #")[0]
        inner = line.partition("$(")[2].partition(")")[0] or line
        words = shlex.split(inner)
        assert words[0] == "m4alloc"
        assert main.parse(words[1:]).verb == name.split()[0]


def test_nothing_is_abbreviated() -> None:
    assert all(not parser.allow_abbrev and isinstance(parser, Parser) for parser in PARSERS.values())


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("bench", ["--latency"]),
        ("bench", ["--no-latency"]),
        ("bench", ["--heap-sizes=10,100"]),
        ("bench", ["--threads", "1,2", "--seed=-3"]),
        ("tune", ["--limit", "500000000", "--no-measure"]),
        ("superopt", ["--assume", "a <= 3", "--assume", "b <= 3", "--clang=-O1"]),
        ("check", ["--output=-"]),
    ],
)
def test_the_words_of_what_was_given_give_it_again(verb: str, words: list[str]) -> None:
    parser = parser_of(main.load(verb).add_parser)
    assert sorted(words_of(parser, parser.parse_args(words))) == sorted(words)


FUNCTIONS = ["attack", "bench", "check", "convert", "grade", "model", "monitor", "new", "record", "replay", "tune"]
FUNCTIONS += ["superopt", "vectors", "verify", "view"]


def keywords_of(verb: str) -> dict[str, object]:
    """The keywords of a verb's function, with their defaults."""
    function: Callable[..., Any] = _lazy.load(_lazy._targets("m4alloc")[verb])
    told = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    if verb == "tune":
        told |= {field.name: field.default for field in dataclasses.fields(Settings)}
    return told


def keyword_of(verb: str, action: argparse.Action, keywords: Iterable[str]) -> str:
    """The keyword that an option reaches; "" for none."""
    option = action.option_strings[-1].removeprefix("--").replace("-", "_")
    name = RENAMED.get(option, option.removeprefix("no_"))
    return next((one for one in (name, f"{name}s", f"{name[:-1]}ies", action.dest) if one in keywords), "")


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_the_keywords_of_the_function_are_the_names_of_the_options(verb: str) -> None:
    keywords = keywords_of(verb)
    for action in parser_of(main.load(verb).add_parser)._actions:
        if not action.option_strings or action.dest in {"help", *ONLY_ON_THE_COMMAND_LINE, *OF_ANOTHER.get(verb, ())}:
            continue
        assert keyword_of(verb, action, keywords), f"{verb} {action.option_strings[-1]}: {sorted(keywords)}"


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_the_defaults_of_the_options_are_those_of_the_function(verb: str) -> None:
    keywords = keywords_of(verb)
    for action in parser_of(main.load(verb).add_parser)._actions:
        name = keyword_of(verb, action, keywords) if action.option_strings else ""
        if not name or action.dest in {"output", *ONLY_ON_THE_COMMAND_LINE} or action.required:
            continue  # a command writes where it is, a function where it is told to
        default = action.default
        default = action.type(default) if isinstance(default, str) and callable(action.type) else default
        default = not default if action.option_strings[-1].startswith("--no-") and action.nargs == 0 else default
        wanted = keywords[name]
        if action.option_strings == ["--latency", "--no-latency"]:
            default = action.default
        of_all = default in (None, "", []) and isinstance(wanted, tuple)  # none named: all, as in the function
        assert default == wanted or of_all or (not default and not wanted), f"{verb} {name}: {default!r}, {wanted!r}"
