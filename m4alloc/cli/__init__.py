"""The command line: one module a verb, each of which parses, calls one function, and prints.

A verb's module has `add_parser(subparsers)` and `run(arguments) -> int`, the exit status. The first line of its
docstring is the verb's line in `m4alloc --help`.
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
