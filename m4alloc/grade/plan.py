"""A trace's requests as the driver of libraries takes them, and as a plan that can be cut down."""

from __future__ import annotations

import numpy as np

from m4alloc.check.instruction import INSTRUCTION, Instructions
from m4alloc.check.operation import Aim, Operation
from m4alloc.tune.workload import Kind, Workload
from spec.event import Function

ALIGNING = (Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN)
"""What can serve a request for an alignment, the first that there is."""


def functions_of(workload: Workload, offered: frozenset[Function]) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """The function of each call; of those for an alignment, one that is offered.

    >>> from m4alloc.tune.workload import example
    >>> functions_of(example([(Kind.ALLOCATE, 1, 8), (Kind.FREE, 1, 0)]), frozenset()).tolist()
    [1, 5]
    """
    aligning = next((function for function in ALIGNING if function in offered), Function.ALIGNED_ALLOC)
    return np.select(
        [workload.kind == Kind.FREE, workload.kind == Kind.RESIZE, workload.alignment > 0, workload.zeroed],
        [Function.FREE, Function.REALLOC, aligning, Function.CALLOC],
        Function.MALLOC,
    ).astype(np.uint8)


def missing(workload: Workload, offered: frozenset[Function]) -> tuple[str, int] | None:
    """A function that the trace asks for and nobody offers, and how often it does; None when there is none."""
    numbers, times = np.unique(functions_of(workload, offered), return_counts=True)
    for number, count in zip(numbers.tolist(), times.tolist(), strict=True):
        if Function(number) not in offered:
            return Function(number).name.lower(), count
    return None


def instructions(workload: Workload, offered: frozenset[Function]) -> Instructions:
    """The whole trace for the driver, on one thread, each block in a slot of its own. Cost: O(n log n).

    >>> from m4alloc.tune.workload import example
    >>> rows = instructions(example([(Kind.ALLOCATE, 1, 8), (Kind.FREE, 1, 0)]), frozenset(Function))
    >>> rows[["function", "aim", "slot", "turn"]].tolist()
    [(1, 0, 0, 0), (5, 1, 0, 1)]
    """
    rows = np.zeros(len(workload), INSTRUCTION)
    rows["function"] = functions_of(workload, offered)
    rows["aim"] = np.where(workload.kind == Kind.ALLOCATE, Aim.NULL, Aim.LIVE)
    rows["slot"] = workload.block - 1
    rows["size"], rows["count"], rows["alignment"] = workload.size, 1, workload.alignment
    order = np.argsort(rows["slot"], kind="stable")
    sorted_slots = rows["slot"][order]
    first = np.concatenate([[True], sorted_slots[1:] != sorted_slots[:-1]])
    begins = np.maximum.accumulate(np.where(first, np.arange(len(rows)), 0))
    rows["turn"][order] = np.arange(len(rows)) - begins
    rows["uses_slot"] = 1
    return rows


def operations(workload: Workload, offered: frozenset[Function], stop: int) -> list[Operation]:
    """The first `stop` calls as operations, which name their block by its place among the live ones, youngest first.

    Cost: O(n * live blocks), with a small factor.

    >>> from m4alloc.tune.workload import example
    >>> calls = [(Kind.ALLOCATE, 1, 8), (Kind.ALLOCATE, 2, 9), (Kind.FREE, 1, 0)]
    >>> [step.block for step in operations(example(calls), frozenset(Function), 3)]
    [0, 0, 1]
    """
    live: list[int] = []
    plan = []
    functions = functions_of(workload, offered)
    columns = (functions, workload.kind, workload.block, workload.size, workload.alignment)
    for function, kind, block, size, alignment in zip(*(column[:stop].tolist() for column in columns), strict=True):
        if kind == Kind.ALLOCATE:
            live.append(block)
            plan.append(Operation(Function(function), size=size, alignment=alignment))
            continue
        place = len(live) - 1 - live[::-1].index(block)
        plan.append(Operation(Function(function), aim=Aim.LIVE, block=len(live) - 1 - place, size=size))
        del live[place]
        if kind == Kind.RESIZE:
            live.append(block)
    return plan
