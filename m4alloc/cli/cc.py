"""Compile C so that the program is watched while it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from m4alloc.cli import UsageError
from m4alloc.cli._parser import Help
from m4alloc.monitor.compiler import command
from m4alloc.monitor.instrument import HOOKS
from m4alloc.monitor.start import CompilerError

LANGUAGE = "c"
VERB = "cc"
TEXT = """Every word is the compiler's, but for those below, which may stand anywhere, also in M4ALLOC_CC_OPTIONS:

  --hooks={hooks}
                        how accesses become events; the first is the default
  --property PROPERTY   this temporal property has to hold, too; may be repeated
                        (m4alloc verify --list)
  --stack               arrays on the stack are watched byte by byte, too
                        (kernel-address); without it, when a function returns
  --uninitialised       tell of values that nobody has written and that decide
                        something; implies --hooks=thread, wants
                        M4ALLOC_OPTIONS=uninitialised=1
  --compiler=COMMAND    the compiler that does the work, instead of gcc and g++
                        (M4ALLOC_CC, M4ALLOC_CXX)

CC="m4alloc cc" CXX="m4alloc c++" ./configure and `make CC="m4alloc cc"` do what they say."""
HELP = """m4alloc {verb}: builds programs that are watched while they run. Words of its own: --hooks={hooks},
--property PROPERTY, --stack, --uninitialised, --compiler=COMMAND; `m4alloc help {verb}` says what they do.
Every other word is that of {compiler}, whose help follows.
"""
SOURCE = {"cc": "program.c", "c++": "program.cc"}
EXAMPLE = {"cc": 'make CC="m4alloc cc"', "c++": 'make CXX="m4alloc c++"'}
STATUS = "exit status: the compiler's; 2 when the command cannot be carried out."


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`m4alloc cc [--hooks=H] [--property P] [--compiler=COMMAND] WORD ...`: only for the list of verbs and --help."""
    add(subparsers, VERB, __doc__ or "")


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str, text: str) -> None:
    """The parser of a verb all of whose words are the compiler's."""
    parser = subparsers.add_parser(
        verb,
        help=text,
        prog=f"m4alloc {verb}",
        description=f"{text}\n\n{TEXT.format(hooks='|'.join(HOOKS))}",
        usage=f"m4alloc {verb} WORD ...",
        epilog="\n\n".join(
            [f"examples:\n  m4alloc {verb} -g {SOURCE[verb]} -o program\n  {EXAMPLE[verb]}", STATUS, "more: docs/cc.md"]
        ),
        formatter_class=Help,
        prefix_chars="\0",
        add_help=False,
    )
    parser.set_defaults(language={"cc": "c", "c++": "c++"}[verb])
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="WORD", help="the compiler's, or one of those above")


def main_c() -> int:
    """The command `m4alloc-cc`, for build tools that want one word."""
    return _main("cc")


def main_cxx() -> int:
    """The command `m4alloc-c++`."""
    return _main("c++")


def _main(verb: str) -> int:
    from m4alloc.cli.main import main

    return main([verb, *sys.argv[1:]])


def run(arguments: argparse.Namespace) -> int:
    """Become the compiler."""
    return become(arguments.words, arguments.language)


def become(words: Sequence[str], language: str) -> int:
    """Replace this process by the compiler; returns only when no word is the compiler's. Raises UsageError."""
    if not words:
        text = TEXT.format(hooks="|".join(HOOKS))
        print(f"usage: m4alloc {'cc' if language == 'c' else 'c++'} WORD ...\n{text}", file=sys.stderr)
        raise UsageError("no words for the compiler, as in: -O2 -c program.c")
    try:
        argv = command(words, language)
    except CompilerError as error:
        raise UsageError(str(error)) from error
    if "--help" in words:
        print(HELP.format(verb="cc" if language == "c" else "c++", hooks="|".join(HOOKS), compiler=argv[0]))
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be run: {error.strerror}") from error
