"""Rewrites that are no terms, of control flow, memory and the places of instructions, as rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from m4alloc.superopt import match
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.known import Known
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.simplify_branches import (
    NotHereError,
    Site,
    branches_to_selects,
    implied_branches,
    implied_selects,
    jumps_threaded,
    selects_to_branches,
    switches_to_compares,
)
from m4alloc.superopt.simplify_memory import (
    loads_forwarded,
    loads_merged,
    loads_narrowed,
    stores_dropped,
    stores_merged,
)
from m4alloc.superopt.simplify_motion import hoisted, sunk, sunk_through_phis

Sites = Callable[[Function, Known], Iterator[Site]]


def _cleaned(function: Function, known: Known) -> Iterator[Site]:
    """Dead code, constants, repeated code, unreachable blocks, decided branches, trivial phis, merged blocks."""
    yield "the function", lambda: cleaned(function)


def _described(name: str, kind: str, pattern: str, replacement: str, sites: Sites) -> tuple[Rule, Sites]:
    return Rule(name, kind, pattern, replacement, (sites.__doc__ or "").split("\n", 1)[0], widths=()), sites


_LISTED: Final = (
    _described("clean", "fold", "dead, constant or repeated code", "none of it", _cleaned),
    _described("branch-implied", "branch", "a branch on a known condition", "a jump", implied_branches),
    _described("value-implied", "fold", "a result that is known here", "the constant", implied_selects),
    _described("branch-to-select", "branch", "a branch around pure code", "selects", branches_to_selects),
    _described("select-to-branch", "branch", "a select", "a branch around a phi", selects_to_branches),
    _described("switch-to-compare", "branch", "a switch of one range", "a comparison", switches_to_compares),
    _described(
        "jump-threaded", "branch", "a jump to a branch on a constant", "a jump to where it leads", jumps_threaded
    ),
    _described("load-forwarded", "memory", "a load of bytes just seen", "their value", loads_forwarded),
    _described("store-dropped", "memory", "a store that nobody sees", "nothing", stores_dropped),
    _described("stores-merged", "memory", "stores to neighbours", "one wide store", stores_merged),
    _described("loads-merged", "memory", "loads of neighbours put together", "one wide load", loads_merged),
    _described("load-narrowed", "memory", "a truncated load", "a narrow load", loads_narrowed),
    _described("hoist", "branch", "the same instruction in both arms", "once before the branch", hoisted),
    _described("sink-through-phi", "branch", "a phi of one operation", "the operation on a phi", sunk_through_phis),
    _described("sink", "branch", "an instruction used in one successor", "it there", sunk),
)
STRUCTURAL: Final[tuple[Rule, ...]] = tuple(rule for rule, _ in _LISTED)
"""As rules whose pattern is told in words; the checker proves each application, not the rule."""


def structural(function: Function, facts: Sequence[Fact] = ()) -> Iterator[tuple[Rule, str, Callable[[], Function]]]:
    """Every structural rewrite of the function as (rule, position, what comes of it).

    The last may raise ValueError where a closer look forbids it; the position is a result, a block or a store.
    """
    known = Known(function, facts)
    for rule, sites in _LISTED:
        for position, made in sites(function, known):
            yield rule, position, made


def applications(
    function: Function, rules: Iterable[Rule], facts: Sequence[Fact] = (), *, speculative: bool = False
) -> Iterator[tuple[Rule, str, Callable[[], Function]]]:
    """Applications of term rules, as `match.applications`, and after them every structural rewrite."""
    yield from match.applications(function, rules, facts, speculative=speculative)
    yield from structural(function, facts)


__all__ = ["STRUCTURAL", "NotHereError", "applications", "structural"]
