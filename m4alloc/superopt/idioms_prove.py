"""The proof of a replacement for a whole idiom: by sums, by induction, or by SMT on unrolled bounds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from m4alloc.superopt import idioms_sums
from m4alloc.superopt.equivalence import refines as refines_by_smt
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_constants import Table
from m4alloc.superopt.idioms_induction import refines_by_induction
from m4alloc.superopt.idioms_unroll import NotBoundedError, written_out
from m4alloc.superopt.ir import Function
from m4alloc.superopt.known import dominators
from m4alloc.superopt.verdict import Verdict


def has_loop(function: Function) -> bool:
    """Some block may be reached from itself."""
    above = dominators(function)
    order = {name: place for place, name in enumerate(above)}
    return any(order[next_] <= order[name] for name in above for next_ in function.block(name).successors)


def plain(function: Function, bound: int, known: Mapping[str, Table] | None = None) -> tuple[Function, str]:
    """The function with its loops written out where constants end them within the bound, and what was done, or ""."""
    if not has_loop(function):
        return function, ""
    try:
        return written_out(
            function, bound, known
        ), f"loops were written out, constants end them within {bound} repetitions"
    except NotBoundedError:
        return function, ""


def proved(
    source: Function,
    target: Function,
    facts: Sequence[Fact] = (),
    *,
    bound: int = 64,
    seconds: float = 10.0,
    known: Mapping[str, Table] | None = None,
) -> Verdict:
    """Whether `target` refines `source`; a loop is followed `bound` times, which has to be proved to be enough.

    seconds: for all methods together, each getting what the ones before it left.  known: constant tables of the
    source's module.  Raises as equivalence.refines.
    """
    started = time.monotonic()
    straight, done = plain(source, bound, known)
    verdict: Verdict | None = None
    if len(straight.blocks) == 1 and len(target.blocks) == 1:
        verdict = idioms_sums.refines(straight, target)
    if verdict is None or not verdict.accepted or verdict.assumptions:
        repeated = bound if has_loop(straight) or has_loop(target) else 0
        by_induction = (
            refines_by_induction(source, target, facts, bound=bound, seconds=0.7 * seconds) if repeated else None
        )
        if by_induction is not None and by_induction.accepted:
            verdict = by_induction
        else:
            left = seconds - (time.monotonic() - started)
            verdict = refines_by_smt(straight, target, facts, seconds=left, unroll=repeated)
    obligations = (*((done,) if done else ()), *verdict.obligations) if verdict.accepted else ()
    return replace(verdict, obligations=obligations, seconds=time.monotonic() - started)
