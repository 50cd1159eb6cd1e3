"""The entry point of the command `m4alloc`: finds the verb's module, and turns what it raises into an exit status."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import difflib
import errno
import importlib
import io
import os
import pkgutil
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, Protocol, cast

import m4alloc
from m4alloc import _shadow, cli
from m4alloc._shadow import ShadowedError
from m4alloc.cli import Exit, UsageError, told
from m4alloc.cli import _completion as completion
from m4alloc.cli._completion import SHELLS
from m4alloc.cli._parser import Help, Parser
from m4alloc.lib import LibraryError
from m4alloc.program import ProgramError

WITHOUT_SPECIFICATION = frozenset({"bench", "doctor", "lib", "run", "cc", "c++"})
MODULES = {"c++": "cxx"}
"""The module of a verb whose name cannot be one."""
COMPILERS = frozenset({"cc", "c++"})
"""Verbs all of whose words are the compiler's."""
AT_FAULT = (UsageError, ShadowedError, ProgramError, LibraryError)
"""Errors of the input or the installation: one line, exit status 2."""
WHERE_TO_BEGIN = "`m4alloc help VERB` says what a verb takes, with examples; `m4alloc doctor` what there is."
REFUSALS = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system answers when somebody else has to act first: a folder that is read-only, a disk that is full."""
EPILOG = """examples:
  m4alloc check ./libmine.so
  m4alloc verify -- git log
  m4alloc view trace

exit status: 0 holds, 1 violation, 2 usage, 3 nothing could be decided, 4 internal error, 130 interrupted; run and
record return the program's own. Results go to stdout, progress and errors to stderr.

more: docs/index.md"""


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


def parsers(names: Sequence[str]) -> tuple[Parser, dict[str, argparse.ArgumentParser]]:
    """The command's parser, and those of the verbs named: one verb loads one module."""
    whole = Parser(
        prog="m4alloc",
        usage="m4alloc VERB [OPTION ...] ...\n       m4alloc help [VERB]",
        description=f"A memory allocator held to its specification.\n\n{WHERE_TO_BEGIN}",
        epilog=EPILOG,
        formatter_class=Help,
    )
    whole.add_argument("--version", action="version", version=f"m4alloc {m4alloc.__version__} ({m4alloc.backend})")
    whole.add_argument("--debug", action="store_true", help="print the traceback of an error")
    whole.add_argument("--completion", choices=SHELLS, help="print what completes words in this shell, to be sourced")
    subparsers: Any = whole.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", prog="m4alloc")
    for name in names:
        load(name).add_parser(subparsers)
    return whole, dict(subparsers.choices)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments; when they are wrong, the usage of the verb that was meant is printed, and SystemExit is 2."""
    asked_help = words[:1] == ["help"]
    words = [*words[1:], "--help"] if asked_help else words
    verb = meant(words)
    whole, each = parsers([verb] if verb else verbs())
    if asked_help and verb in COMPILERS:  # to which --help is a word like any other
        each[verb].print_help()
        raise SystemExit(Exit.HOLDS)
    if not words:
        whole.print_help(sys.stderr)
        raise SystemExit(Exit.USAGE)
    if not verb and not words[0].startswith("-"):
        near = difflib.get_close_matches(words[0], verbs(), 1)
        guess = f"did you mean {near[0]}?" if near else f"there are {', '.join(verbs())}"
        whole.error(f"there is no verb {words[0]!r}; {guess}")
    arguments, unknown = whole.parse_known_args(words)
    if unknown:
        parser = innermost(each[arguments.verb], arguments)
        parser.unknown(unknown) if isinstance(parser, Parser) else parser.error(f"unrecognized: {unknown}")
    return arguments


def innermost(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> argparse.ArgumentParser:
    """The parser of the command that was chosen, where the verb has commands, as ltl has; else the verb's own."""
    commands = next((one for one in parser._actions if isinstance(one, argparse._SubParsersAction)), None)
    return parser if commands is None else commands.choices[getattr(arguments, commands.dest)]


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
    _encode_what_cannot_be_shown()
    with _interrupts() as interrupts:
        try:
            status = _run(words)
            return status if argv is not None or status != Exit.INTERRUPTED else _leave(status)
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            _drop_stdout()
            return 128 + signal.SIGPIPE
        except Exception as error:
            if debug:
                traceback.print_exc()
            # What was interrupted may have said so in its own words: an import that failed, a solver that gave up.
            if not interrupts:
                return _tell(error, where, verb, debug)
        print(f"{where}: interrupted", file=sys.stderr)
        return Exit.INTERRUPTED if argv is not None else _leave(Exit.INTERRUPTED)


def _leave(status: int) -> NoReturn:
    """End this process with the status, and not by the signal.

    Python forgets that an interrupt was answered where it came in `exec` of text, as in a dataclass that is being made,
    and ends itself by SIGINT after all: what it would do at its end is done here instead.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def _run(words: Sequence[str]) -> int:
    """Do what the words say; what was printed has arrived, or BrokenPipeError and UsageError say that it has not."""
    try:
        if (shell := completion.asked(words)) is not None:
            print(completion.script(shell))
            return Exit.HOLDS
        arguments = parse(words)
        status = load(arguments.verb).run(arguments)
    finally:
        _flush()
    return status


def _flush() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_stdout()
        raise UsageError(f"standard output cannot be written: {error.strerror}") from error


def _drop_stdout() -> None:
    """Let nothing more be written, so that the interpreter's own flush at its end is quiet."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(error: Exception, where: str, verb: str, debug: bool) -> int:
    """Say on stderr what went wrong; the exit status."""
    if isinstance(error, AT_FAULT) or (missing := missing_package(error) or _refused_by_system(error)):
        print(f"{where}: {error if isinstance(error, AT_FAULT) else missing}", file=sys.stderr)
        return Exit.USAGE
    print(f"{where}: internal error: {type(error).__name__}: {error}", file=sys.stderr)
    if not debug:
        print(f"{where}: run it with `m4alloc --debug {verb}` for the traceback", file=sys.stderr)
    return Exit.INTERNAL


def _refused_by_system(error: Exception) -> str:
    """What the system says of a file that may not be written, or a disk that is full; "" for any other error.

    >>> _refused_by_system(PermissionError(errno.EACCES, "Permission denied", "out.html"))
    'out.html: Permission denied'
    >>> _refused_by_system(OSError(errno.ENOSPC, "No space left on device"))
    'standard output or a file cannot be written: No space left on device'
    """
    if not isinstance(error, OSError) or error.errno not in REFUSALS:
        return ""
    return (
        told(error) if error.filename is not None else f"standard output or a file cannot be written: {error.strerror}"
    )


def _encode_what_cannot_be_shown() -> None:
    """Of a terminal that is not UTF-8, and of names that are not text: an escape, and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that is empty until SIGINT has come; it is raised as KeyboardInterrupt, as ever."""
    seen: list[int] = []

    def note(number: int, frame: object) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        if ours and signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, signal.default_int_handler)
