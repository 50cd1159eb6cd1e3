"""Suppressions hold back what the user knows, count it, and hold back nothing else."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.m4alloc.monitor.reports import Told, directory, start, tell

NUMBERS = itertools.count()
KNOWN = (
    "unknown class; known: use-after-free, double-free, invalid-free, out-of-bounds, uninitialised-read, leak, "
    "property, property NAME"
)


def written(text: str) -> Path:
    path = directory() / f"suppressions{next(NUMBERS)}"
    path.write_text(text)
    return path


def suppressing(text: str, bug: str = "twice-and-exit", more: str = "") -> Told:
    return tell(bug, options=f"suppressions={written(text)}{more}")


@pytest.mark.parametrize(
    "line",
    [
        "double-free:drop",
        "double-free:ro",
        "double-free:^drop$",
        "double-free:d*p",
        "double-free:^d*",
        "double-free:*",
        "double-free:make",
        "double-free:reports.c$",
        "double-free:/program",
        "property no-double-free:drop",
    ],
)
def test_a_pattern_is_looked_for_in_functions_files_and_modules_of_every_stack(line: str) -> None:
    told = suppressing(f"{line}\n")
    assert told.findings == ()
    assert told.ran.status == 0
    assert told.ran.err == f"m4alloc: 1 finding suppressed, by {line}\n"
    assert told.end is not None
    assert told.end["suppressed"] == 1


@pytest.mark.parametrize(
    "line",
    [
        "use-after-free:drop",
        "double-free:^rop",
        "double-free:dro$",
        "double-free:dropp",
        "double-free:d*q",
        "double-free:Drop",
        "property:drop",
        "property access-in-bounds:drop",
        "#double-free:drop",
    ],
)
def test_what_does_not_fit_holds_nothing_back(line: str) -> None:
    told = suppressing(f"{line}\n")
    assert told.classes == ["double-free"]
    assert told.ran.status == 1


def test_each_line_counts_for_itself() -> None:
    told = suppressing(
        "# what we know\n\n  double-free:drop_twice  \n\tuse-after-free:main\r\n", "threads", ",on_violation=continue"
    )
    assert told.ran.status == 0, told.ran
    assert told.ran.err == "m4alloc: 8 findings suppressed, by double-free:drop_twice\n"


def test_what_is_suppressed_is_so_again() -> None:
    told = suppressing("use-after-free:use\n", "uses", ",on_violation=continue")
    assert told.classes == ["use-after-free"], "the one in main"
    assert "5 findings suppressed, by use-after-free:use" in told.ran.err


def test_a_leak_is_suppressed_by_who_allocated_it() -> None:
    assert suppressing("leak:^make$\n", "leak").ran.status == 0
    assert suppressing("leak:^drop$\n", "leak").classes == ["leak"]


@pytest.mark.parametrize(
    ("text", "number", "what"),
    [
        ("leak:foo\nuse-after-fre:x\n", 2, f'{KNOWN}: "use-after-fre:x"'),
        ("\n# so\nleak\n", 3, 'neither class:pattern nor property NAME:pattern: "leak"'),
        ("leak:\n", 1, 'neither class:pattern nor property NAME:pattern: "leak:"'),
        ("property :x\n", 1, f'{KNOWN}: "property :x"'),
        (":x", 1, f'{KNOWN}: ":x"'),
    ],
)
def test_a_wrong_line_is_told_by_its_number(text: str, number: int, what: str) -> None:
    path = written(text)
    ran = start(f"suppressions={path}")
    assert (ran.status, ran.err) == (2, f"m4alloc: suppressions: {path}:{number}: {what}\n")


def test_more_than_a_thousand_are_refused() -> None:
    path = written("leak:x\n" * 1001)
    ran = start(f"suppressions={path}")
    assert ran.err == f'm4alloc: suppressions: {path}:1001: more than 1000 suppressions: "leak:x"\n'
    assert start(f"suppressions={written('leak:x' + chr(10) * 2000)}").status == 0
