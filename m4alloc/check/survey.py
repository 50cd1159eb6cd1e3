"""Directed plans: every clause of the contract and every place where allocators are known to break, each put once.

A search finds what it happens to try. These plans try what is known to matter: each size up to a page, both sides of
each size class and page edge, each alignment, each function on memory that was used before, requests that cannot be
met, requests of nothing, memory running out, threads by turns and at once, forks, many blocks, many requests.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from m4alloc.check.operation import Aim, Operation
from m4alloc.check.survey_blocks import aligned, gigabytes, limits, measuring, nothing, recycled, resizing, small
from m4alloc.check.survey_heap import crowds, exhaustion, forks, long, many, parallel, pauses, turns, usage
from m4alloc.check.survey_misuse import misused
from m4alloc.check.survey_words import LABEL, REALLOC, Part, Plan
from spec.event import Function

PARTS: tuple[Part, ...] = (
    small,
    limits,
    nothing,
    aligned,
    resizing,
    recycled,
    measuring,
    turns,
    parallel,
    crowds,
    forks,
    exhaustion,
    gigabytes,
    usage,
    many,
    long,
    pauses,
)


@dataclass(frozen=True, slots=True)
class Directed:
    """One directed plan. repeated: what matters is how much memory it takes when carried out over and over."""

    name: str
    plan: Plan
    repeated: bool = False


def survey(
    functions: frozenset[Function], *, realloc_zero: bool = False, misuse: bool = False, seed: int = 0
) -> list[Directed]:
    """The directed plans for an allocator with these functions, the cheap ones first.

    realloc_zero: whether the client may ask for realloc(p, 0). misuse: whether it also breaks its own side.
    seed: of the plans that are random in part.
    Cost: about 1 s to make; a minute to carry out on a fast allocator.
    """
    chance = random.Random(f"survey {seed}")
    made: list[Directed] = []
    for part in (*PARTS, misused) if misuse else PARTS:
        for name, plan, repeated in part(chance):
            usable = [op for op in plan if possible(op, functions, realloc_zero)]
            if any(op.function is not LABEL for op in usable):
                made.append(Directed(name, usable, repeated))
    return made


def possible(operation: Operation, functions: frozenset[Function], realloc_zero: bool) -> bool:
    """Whether the allocator has the function, and the client may ask for that."""
    function = operation.function
    if function is REALLOC and operation.aim is Aim.LIVE and not operation.size and not realloc_zero:
        return False
    return function in functions or function in (LABEL, Function.LOAD, Function.FILL)
