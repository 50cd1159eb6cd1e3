"""The traces that an allocator is graded on: those that come with m4alloc, or files of any format that it reads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from m4alloc.grade.patterns import PATTERNS
from m4alloc.trace.format import TraceError
from m4alloc.trace.formats.reading import open_history
from m4alloc.trace.read import Trace
from m4alloc.tune.workload import Kind, Workload
from m4alloc.view.quantity import number

RECORDED = ("perl", "cc1", "git", "python3", "sqlite3")
"""Whole runs of programs, each in m4alloc/grade/bundled: a script that counts words, a small C file, `git log --stat`,
a script that imports and dumps JSON (every object by malloc), and a table that is filled, indexed and thinned out."""
SLOTS = 1 << 20


def bundled() -> list[Workload]:
    """The traces that come with m4alloc. Cost: 0.2 s.

    >>> [workload.name for workload in bundled()]
    ['binary', 'coalesce', 'growing', 'mixed', 'perl', 'cc1', 'git', 'python3', 'sqlite3']
    """
    folder = resources.files("m4alloc.grade") / "bundled"
    recorded = []
    for name in RECORDED:
        with resources.as_file(folder / f"{name}.m4t.xz") as path:
            recorded.append(replace(Workload.of(Trace.open(path)), name=name))
    return [*(pattern() for pattern in PATTERNS), *recorded]


def read(path: str | os.PathLike[str]) -> Workload:
    """The requests of one file: a recording, a trace, a .rep, a heap script, or another tool's log.

    Raises TraceError: what is wrong with the file, or too many blocks at once.
    """
    try:
        history = open_history(path)
    except OSError as error:
        raise TraceError(
            f"{path}: {error.strerror or error}; a trace is wanted, such as m4alloc record writes"
        ) from error
    try:
        workload = Workload.of(history.trace, history.inherited)
    except TraceError as error:
        raise TraceError(str(error).replace("nothing to tune", "nothing to grade")) from error
    if workload.blocks > SLOTS:
        raise TraceError(f"{path}: {number(workload.blocks)} blocks at once; {number(SLOTS)} at most can be graded")
    return replace(workload, name=named(Path(path)))


def named(path: Path) -> str:
    """What a file's trace is called in tables.

    >>> named(Path("traces/short1-bal.rep")), named(Path("git.m4t.xz"))
    ('short1-bal', 'git')
    """
    return path.name.partition(".")[0] or path.name


def traces_of(paths: Sequence[str | os.PathLike[str]]) -> list[Workload]:
    """Those of the files, or the bundled ones when there are none. Files of one name are told apart by a number."""
    found = [read(path) for path in paths] if paths else bundled()
    names: set[str] = set()
    for place, workload in enumerate(found):
        name, times = workload.name, 1
        while name in names:
            times += 1
            name = f"{workload.name}-{times}"
        names.add(name)
        found[place] = replace(workload, name=name)
    return found


def peak_live(workload: Workload) -> tuple[int, int]:
    """The most bytes that were asked for and not freed, and the number of the call that reached it. Cost: O(n).

    >>> from m4alloc.tune.workload import example
    >>> peak_live(example([(Kind.ALLOCATE, 1, 8), (Kind.RESIZE, 1, 5), (Kind.ALLOCATE, 2, 4), (Kind.FREE, 1, 0)]))
    (9, 2)
    """
    held = [0] * (workload.blocks + 1)
    live = most = place = 0
    calls = zip(workload.kind.tolist(), workload.block.tolist(), workload.size.tolist(), strict=True)
    for call, (_, block, size) in enumerate(calls):
        live += size - held[block]  # the size of a FREE is 0
        held[block] = size
        if live > most:
            most, place = live, call
    return most, place


def counts(workload: Workload) -> dict[str, int]:
    """How often each function is asked for: malloc, calloc, aligned_alloc, realloc, free."""
    allocates = workload.kind == Kind.ALLOCATE
    aligned = allocates & (workload.alignment > 0)
    zeroed = allocates & workload.zeroed & ~aligned
    return {
        "malloc": int(np.count_nonzero(allocates & ~aligned & ~zeroed)),
        "calloc": int(np.count_nonzero(zeroed)),
        "aligned_alloc": int(np.count_nonzero(aligned)),
        "realloc": int(np.count_nonzero(workload.kind == Kind.RESIZE)),
        "free": int(np.count_nonzero(workload.kind == Kind.FREE)),
    }
