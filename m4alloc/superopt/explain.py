"""Checks each step of a rewrite alone, so that the path from the source to the result can be read and trusted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.problem import Step


def explained(
    source: Function,
    steps: Sequence[Step],
    facts: Sequence[Fact] = (),
    *,
    seconds: float = 2.0,
    most: float = 20.0,
    shared: bool = False,
) -> tuple[Step, ...]:
    """The steps, each with the verdict on its function against the one before; the first against the source.

    A step whose own verdict is UNKNOWN or a counterexample is no flaw of the whole, which was proved apart: a search
    may go through functions that are wrong, or too hard to prove.  A step that has a proof keeps it.
    seconds: for each step; most: for all of them, after which the rest are not checked.
    """
    ends = time.monotonic() + most
    found = []
    before = source
    for step in steps:
        left = min(seconds, ends - time.monotonic())
        if step.proof is None and left > 0:
            step = replace(step, proof=refines(before, step.result, facts, seconds=left, shared=shared))
        found.append(step)
        before = step.result
    return tuple(found)
