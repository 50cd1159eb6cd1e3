"""The entry point of the command `m4alloc`: finds the verb's module, and turns what it raises into an exit status."""

from __future__ import annotations

import argparse
import difflib
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
from m4alloc._shadow import ShadowedError
from m4alloc.cli import Exit, UsageError
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError

WITHOUT_SPECIFICATION = frozenset({"bench", "doctor", "lib", "run", "cc", "c++"})
MODULES = {"c++": "cxx"}
"""The module of a verb whose name cannot be one."""
AT_FAULT = (UsageError, ShadowedError, ProgramError, LibraryError)
"""Errors of the input or the installation: one line, exit status 2."""
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
    named = {module: verb for verb, module in MODULES.items()}
    found = (info.name for info in pkgutil.iter_modules(cli.__path__))
    return sorted(named.get(name, name) for name in found if name != "main" and name[0] != "_")


def load(verb: str) -> Verb:
    """The verb's module; ShadowedError when it needs the specification and `spec` is not ours."""
    if verb not in WITHOUT_SPECIFICATION:
        _shadow.require_ours()
    return cast(Verb, importlib.import_module(f"m4alloc.cli.{MODULES.get(verb, verb)}"))


def parsers(names: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The command's parser, and those of the verbs named: one verb loads one module."""
    whole = argparse.ArgumentParser(
        prog="m4alloc",
        description="A memory allocator held to its specification.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"m4alloc {m4alloc.__version__} ({m4alloc.backend})")
    whole.add_argument("--debug", action="store_true", help="print the traceback of an error")
    subparsers = whole.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in names:
        load(name).add_parser(subparsers)
    return whole, dict(subparsers.choices)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; when they are wrong, argparse prints the usage of the verb that was meant and leaves with 2."""
    verb = meant(words)
    whole, each = parsers([verb] if verb else verbs())
    if not words:
        whole.print_help(sys.stderr)
        raise SystemExit(Exit.USAGE)
    if not verb and not words[0].startswith("-"):
        near = difflib.get_close_matches(words[0], verbs(), 1)
        guess = f"did you mean {near[0]}?" if near else f"there are {', '.join(verbs())}"
        whole.error(f"there is no verb {words[0]!r}; {guess}")
    arguments, unknown = whole.parse_known_args(words)
    if unknown:
        each[arguments.verb].error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def meant(words: Sequence[str]) -> str:
    """The verb among the words of a command line, or "" when the first that is no option is none.

    >>> meant(["--debug", "lib", "--json"]), meant(["lob"])
    ('lib', '')
    """
    first = next((word for word in words if not word.startswith("-")), "")
    return first if first in verbs() else ""


def missing_package(error: Exception) -> str:
    """What to install when an extra of the distribution is missing, or "" when that is not what went wrong.

    >>> missing_package(ModuleNotFoundError("No module named 'z3'", name="z3"))
    "it needs z3: pip install 'm4alloc[superopt]'"
    >>> missing_package(ModuleNotFoundError("No module named 'm4alloc.nothing'", name="m4alloc.nothing"))
    ''
    """
    if not isinstance(error, ModuleNotFoundError):
        return ""
    if "pip install 'm4alloc[" in str(error):
        return str(error)
    from m4alloc.doctor import EXTRAS

    module = (error.name or "").partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if module in modules), "")
    return f"it needs {module}: pip install 'm4alloc[{extra}]'" if extra else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `m4alloc ARGV` and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = meant(words)
    debug = "--debug" in words[: words.index(verb) if verb else len(words)]
    where = f"m4alloc {verb}".strip()
    try:
        arguments = parse(words)
        return load(arguments.verb).run(arguments)
    except KeyboardInterrupt:
        print(f"{where}: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's own flush is quiet
        return 128 + signal.SIGPIPE
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, AT_FAULT) or (missing := missing_package(error)):
            print(f"{where}: {error if isinstance(error, AT_FAULT) else missing}", file=sys.stderr)
            return Exit.USAGE
        print(f"{where}: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        if not debug:
            print(f"{where}: run it with `m4alloc --debug {verb}` for the traceback", file=sys.stderr)
        return Exit.INTERNAL
