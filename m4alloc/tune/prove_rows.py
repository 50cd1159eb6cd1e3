"""A short workload as text, a call a line, so that a test can hold it; and the smallest that still shows something."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from m4alloc.tune.workload import Kind, Workload

WORDS = {"malloc": Kind.ALLOCATE, "calloc": Kind.ALLOCATE, "realloc": Kind.RESIZE, "free": Kind.FREE}
LONGEST = 100_000
"""Calls of a workload that a test can hold at most."""


def to_rows(workload: Workload) -> str:
    """The calls one a line, as `from_rows` reads them; the blocks numbered anew from 1.

    Raises: ValueError for more than 100,000 calls.  Cost: O(n).
    """
    if len(workload) > LONGEST:
        raise ValueError(f"{len(workload):,} calls are too many to be kept in a test; {LONGEST:,} are the most")
    names: dict[int, int] = {}
    lines = []
    columns = (workload.kind, workload.block, workload.size, workload.alignment, workload.zeroed)
    rows = zip(*(column.tolist() for column in (*columns, workload.thread, workload.time_ms)), strict=True)
    for kind, block, size, alignment, zeroed, thread, clock in rows:
        words = [
            {Kind.FREE: "free", Kind.RESIZE: "realloc"}.get(kind, "calloc" if zeroed else "malloc"),
            str(names.setdefault(block, len(names) + 1)),
        ]
        words += [str(size)] if kind != Kind.FREE else []
        words += [f"align={alignment}"] if alignment else []
        words += [f"thread={thread}"] if thread else []
        words += [f"at={clock}"] if clock else []
        lines.append(" ".join(words) + "\n")
    return "".join(lines)


def from_rows(text: str, name: str = "kept") -> Workload:
    """The workload of such lines: `malloc BLOCK SIZE`, `calloc`, `realloc`, `free BLOCK`; align=, thread= and at= (ms).

    Raises: ValueError with the number of the line for anything else.

    >>> workload = from_rows("malloc 1 100\\nrealloc 1 5000 at=3\\nfree 1")
    >>> len(workload), workload.blocks, to_rows(workload).split("\\n")[1]
    (3, 1, 'realloc 1 5000 at=3')
    """
    rows: list[tuple[int, ...]] = []
    for at, line in enumerate(text.strip().split("\n"), 1):
        words = line.split()
        options = {"align": 0, "thread": 0, "at": 0}
        try:
            while words and "=" in words[-1]:
                key, _, value = words.pop().partition("=")
                options[key] = int(value) if key in options else int("")
            kind, block, *sizes = WORDS[words[0]], *map(int, words[1:])
            if len(sizes) != (kind is not Kind.FREE) or block < 1:
                raise ValueError
        except (KeyError, ValueError, IndexError, TypeError):
            raise ValueError(f"line {at}: {line!r}; `malloc BLOCK SIZE` or `free BLOCK` would be right") from None
        rows.append((kind, block, *(sizes or [0]), options["align"], words[0] == "calloc", *list(options.values())[1:]))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Workload(
        name,
        kind=columns[0].astype(np.uint8),
        block=columns[1].astype(np.uint32),
        size=columns[2].astype(np.uint64),
        alignment=columns[3].astype(np.uint64),
        zeroed=columns[4].astype(np.bool_),
        thread=columns[5].astype(np.uint16),
        time_ms=columns[6].astype(np.uint32),
        blocks=int(columns[1].max()),
        threads=int(columns[5].max()) + 1,
    )


def part(workload: Workload, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Workload:
    """The workload with only some of its calls."""
    return replace(
        workload,
        **{
            name: getattr(workload, name)[chosen]
            for name in ("kind", "block", "size", "alignment", "zeroed", "thread", "time_ms")
        },
    )


def lives(workload: Workload) -> npt.NDArray[np.int64]:
    """For each call which block's life it belongs to: a number that is free again begins another life.

    >>> lives(from_rows("malloc 1 8\\nfree 1\\nmalloc 1 8\\nfree 1")).tolist()
    [0, 0, 1, 1]
    """
    current: dict[int, int] = {}
    found = np.empty(len(workload), np.int64)
    count = 0
    for at, (kind, block) in enumerate(zip(workload.kind.tolist(), workload.block.tolist(), strict=True)):
        if kind == Kind.ALLOCATE or block not in current:
            current[block] = count
            count += 1
        found[at] = current[block]
    return found


def smallest(workload: Workload, breaks: Callable[[Workload], bool], seconds: float) -> Workload:
    """A part of the workload, of whole lives of blocks, on which `breaks` still holds, as far as the time allows.

    breaks: holds of the workload itself.  Cost: some tens of tries where few blocks matter.

    >>> workload = from_rows("".join(f"malloc {n} {n}\\n" for n in range(1, 100)))
    >>> to_rows(smallest(workload, lambda one: {7, 70} <= set(one.size.tolist()), 5.0))
    'malloc 1 7\\nmalloc 2 70\\n'
    """
    until = time.monotonic() + seconds
    of = lives(workload)
    kept: Sequence[int] = range(int(of.max()) + 1)
    length = max(1, len(kept) // 2)
    while True:
        end, before = len(kept), len(kept)
        while end > 0:
            if time.monotonic() > until:
                return part(workload, np.isin(of, kept))
            start = max(0, end - length)
            fewer = [*kept[:start], *kept[end:]]
            if fewer and breaks(part(workload, np.isin(of, fewer))):
                kept = fewer
            end = start
        if length == 1 and len(kept) == before:
            return part(workload, np.isin(of, kept))
        length = max(1, length // 2)
