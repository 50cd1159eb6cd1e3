"""How fast an allocator written in Python is: the trace on it, or on the reference allocator.

Each is timed in a child of its own: what a student's file does to Python, or to m4alloc, is not done to the reference.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from time import perf_counter  # by name: it stays what it was, whatever is put into the module `time` later
from typing import Any

from m4alloc.check.adapter_object import NAMES
from m4alloc.grade.plan import functions_of
from m4alloc.grade.policy_load import load
from m4alloc.tune.workload import Kind, Workload
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function

RACES = 3
CAPACITY = 1 << 30


def timed(path: str, wanted: str, workload: Workload, functions: frozenset[Function]) -> float:
    """Seconds of the trace on a fresh allocator: to be run in a child."""
    made = load(path, wanted)()
    calls = calls_of(workload, functions)
    gc.disable()
    return of_object(made, calls, workload.blocks)


def timed_reference(workload: Workload, functions: frozenset[Function]) -> float:
    """Seconds of the trace on a fresh reference allocator: to be run in a child."""
    calls = calls_of(workload, functions)
    gc.disable()
    return of_reference(calls, workload.blocks)


def calls_of(workload: Workload, functions: frozenset[Function]) -> list[Any]:
    """The calls as tuples: function, kind, block, size, alignment."""
    columns = (functions_of(workload, functions), workload.kind, workload.block, workload.size, workload.alignment)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def of_object(allocator: Any, calls: list[Any], blocks: int) -> float:
    """Seconds of the calls on methods; contents are nobody's business here."""
    methods: dict[int, Callable[..., Any]] = {}
    for function, names in NAMES.items():
        method = next((found for name in names if (found := getattr(allocator, name, None)) is not None), None)
        if method is not None:
            methods[int(function)] = method
    places: list[Any] = [0] * (blocks + 1)
    malloc, free, realloc, calloc = (
        methods.get(int(one)) for one in (Function.MALLOC, Function.FREE, Function.REALLOC, Function.CALLOC)
    )
    begin = perf_counter()
    for function, kind, block, size, alignment in calls:
        try:
            if function == Function.MALLOC:
                places[block] = malloc(size)  # type: ignore[misc]  # all are there that the calls ask for
            elif kind == Kind.FREE:
                free(places[block])  # type: ignore[misc]
            elif kind == Kind.RESIZE:
                places[block] = realloc(places[block], size)  # type: ignore[misc]
            elif function == Function.CALLOC:
                places[block] = calloc(1, size)  # type: ignore[misc]
            elif function == Function.POSIX_MEMALIGN:
                places[block] = methods[function](max(alignment, 8), size)[1]
            else:
                places[block] = methods[function](alignment, size)
        except MemoryError:  # a null pointer; what a resize was to replace stays
            if kind == Kind.ALLOCATE:
                places[block] = 0
    return perf_counter() - begin


def of_reference(calls: list[Any], blocks: int) -> float:
    """Seconds of the calls on the reference allocator, first fit on flat memory."""
    request = ReferenceAllocator(capacity=CAPACITY).request
    places = [0] * (blocks + 1)
    begin = perf_counter()
    for function, _, block, size, alignment in calls:
        event = Event(function, 0, places[block], size, 1, alignment)
        if function in (Function.MALLOC, Function.CALLOC):
            event = Event(function, 0, 0, size)
        places[block] = request(event).result
    return perf_counter() - begin
