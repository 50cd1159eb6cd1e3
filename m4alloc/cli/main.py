"""The entry point of the command `m4alloc`: finds the verb's module, and turns what it raises into an exit status."""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Protocol, cast

import m4alloc
from m4alloc import _shadow, cli
from m4alloc.cli import Exit, UsageError

WITHOUT_SPECIFICATION = frozenset({"doctor", "lib", "run"})
EPILOG = """exit status: 0 holds, 1 violation, 2 usage, 3 nothing could be decided, 4 internal error, 130 interrupted;
run and record return the program's own. Results go to stdout, progress and errors to stderr."""


class Verb(Protocol):
    """What a module of m4alloc.cli offers."""

    __doc__: str | None

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def verbs() -> list[str]:
    """The names of the verbs there are, one a module of m4alloc.cli.

    >>> "doctor" in verbs()
    True
    """
    return sorted(
        info.name for info in pkgutil.iter_modules(cli.__path__) if info.name != "main" and info.name[0] != "_"
    )


def load(verb: str) -> Verb:
    """The verb's module; ShadowedError when it needs the specification and `spec` is not ours."""
    if verb not in WITHOUT_SPECIFICATION:
        _shadow.require_ours()
    return cast(Verb, importlib.import_module(f"m4alloc.cli.{verb}"))


def parser(names: Sequence[str]) -> argparse.ArgumentParser:
    """The command's parser, with the verbs named only: one verb loads one module."""
    result = argparse.ArgumentParser(
        prog="m4alloc",
        description="A memory allocator held to its specification.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--version", action="version", version=f"m4alloc {m4alloc.__version__} ({m4alloc.backend})")
    result.add_argument("--debug", action="store_true", help="print the traceback of an error")
    subparsers = result.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in names:
        load(name).add_parser(subparsers)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run `m4alloc ARGV` and return its exit status; argparse itself leaves with 2 for unknown options."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = next((word for word in words if not word.startswith("-")), "")
    debug = "--debug" in words[: words.index(verb)] if verb else "--debug" in words
    try:
        arguments = parser([verb] if verb in verbs() else verbs()).parse_args(words)
        return load(arguments.verb).run(arguments)
    except KeyboardInterrupt:
        print("m4alloc: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's own flush is quiet
        return 128 + signal.SIGPIPE
    except Exception as error:
        if debug:
            traceback.print_exc()
        where = f"m4alloc {verb}" if verb in verbs() else "m4alloc"
        if isinstance(error, UsageError | _shadow.ShadowedError):
            print(f"{where}: {error}", file=sys.stderr)
            return Exit.USAGE
        print(f"{where}: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        if not debug:
            print(f"{where}: run it with `m4alloc --debug {verb}` for the traceback", file=sys.stderr)
        return Exit.INTERNAL
