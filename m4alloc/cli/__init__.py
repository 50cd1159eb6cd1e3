"""The command line: one module a verb, each of which parses, calls one function, and prints.

A verb's module has `add_parser(subparsers)` and `run(arguments) -> int`, the exit status. The first line of its
docstring is the verb's line in `m4alloc --help`. `_parser` has what verbs share: the shape of help, errors, and the
options that mean the same everywhere; `_values` reads times, sizes and counts; `_completion` is for shells. An option
that is new has its name and its one meaning in the table of tests/m4alloc/cli/test_options.py. The command begins in
_m4alloc_command.py, beside the package, and goes on in `main`.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What each exit status of m4alloc means; `run` and `record` return the program's own instead."""

    HOLDS = 0
    VIOLATION = 1
    USAGE = 2
    UNDECIDED = 3
    INTERNAL = 4
    INTERRUPTED = 130


class UsageError(Exception):
    """The input was at fault: what was wrong, where, and what would be right. Exit status 2."""


def told(error: BaseException) -> str:
    """What an error says in one line; of a file, its name and what is wrong with it.

    >>> told(FileNotFoundError(2, "No such file or directory", "a b")), told(ValueError("wrong"))
    ('a b: No such file or directory', 'wrong')
    """
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        name = error.filename.decode("utf-8", "replace") if isinstance(error.filename, bytes) else error.filename
        return f"{name}: {error.strerror}"
    return str(error)
