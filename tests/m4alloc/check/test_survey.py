"""The directed plans ask only for what is allowed, and a right allocator holds on each of them."""

from __future__ import annotations

from functools import cache

import pytest

from m4alloc.check.foreign import Foreign
from m4alloc.check.hunt import Hunt, expanded_length, is_directive
from m4alloc.check.instruction import Planner
from m4alloc.check.judgement import Terms
from m4alloc.check.operation import Aim, Directive
from m4alloc.check.survey import PARTS, Directed, survey
from m4alloc.lib import lib
from spec.event import ALLOCATING, FREEING, RESIZING, Function

EVERY = frozenset(Function) - {Function.LOAD, Function.STORE, Function.FILL, Function.LABEL}
FEW = frozenset({Function.MALLOC, Function.FREE})
DEPARTURES = frozenset({"aligned-alloc-arguments"})
"""glibc 2.36 serves aligned_alloc with alignments that are none: 0 as 16, 5 as 8."""
QUICK = (
    "the-null-pointer",
    "growing-from-nothing",
    "zero-bytes",
    "products-that-overflow",
    "alignments-that-are-none",
    "realloc-from-each-size-to-each",
    "calloc-between-live-blocks",
    "fork-child-between-calls",
    "threads-that-end",
    "threads-that-leave",
    "forks-in-children",
    "usable-sizes-asked-again",
    "calloc-of-used-large-memory",
    "growing-beside-a-freed-block",
    "memory-comes-back",
)


@cache
def plans(functions: frozenset[Function] = EVERY, *, realloc_zero: bool = True) -> dict[str, Directed]:
    """The directed plans by name."""
    made = survey(functions, realloc_zero=realloc_zero)
    named = {directed.name: directed for directed in made}
    assert len(named) == len(made), "each has a name of its own"
    return named


@pytest.mark.slow
def test_a_survey_is_the_same_each_time_and_other_for_another_seed() -> None:
    first, again, other = [*plans(FEW, realloc_zero=False).values()], survey(FEW), survey(FEW, seed=1)
    assert first == again != other
    assert [one.name for one in first] == [one.name for one in other]


@pytest.mark.slow
@pytest.mark.parametrize("functions", [EVERY, FEW], ids=["every", "few"])
def test_a_plan_asks_only_for_what_there_is_and_is_allowed(functions: frozenset[Function]) -> None:
    for directed in plans(functions, realloc_zero=False).values():
        asked = {step.function for step in directed.plan}
        assert asked <= functions | {Function.LABEL, Function.LOAD, Function.FILL}, directed.name
        assert asked & functions, directed.name
        assert not any(step.misuse for step in directed.plan), directed.name
        for step in directed.plan:
            if step.function is Function.REALLOC and step.aim is Aim.LIVE:
                assert step.size, directed.name


@pytest.mark.slow
def test_misuse_is_planned_only_when_asked_for() -> None:
    with_misuse = survey(EVERY, misuse=True)
    more = [one for one in with_misuse if one.name not in plans()]
    assert more and all(any(step.misuse for step in one.plan) for one in more)


def test_every_function_of_the_family_is_asked_for() -> None:
    asked = {step.function for directed in plans().values() for step in directed.plan}
    assert asked >= EVERY - {Function.DELETE, Function.FREE_ALIGNED_SIZED}  # which the driver chooses for a block


def test_what_opens_is_closed() -> None:
    for directed in plans().values():
        for opens, closes in ((Directive.PARALLEL, Directive.JOIN), (Directive.REPEAT, Directive.END_REPEAT)):
            depth = 0
            for step in directed.plan:
                depth += is_directive(step, opens) - is_directive(step, closes)
                assert depth in (0, 1), directed.name
            assert depth == 0, directed.name


def test_plans_carried_out_over_and_over_free_what_they_take() -> None:
    repeated = [directed for directed in plans().values() if directed.repeated]
    assert repeated
    for directed in repeated:
        live = 0
        for row in Planner().rows(directed.plan):
            function = Function(row.function)
            live += function in ALLOCATING or (function in RESIZING and row.aim == Aim.NULL)
            live -= function in FREEING and row.aim == Aim.LIVE
            live -= function in RESIZING and row.aim == Aim.LIVE and row.size == 0
        assert live == 0, directed.name


def test_some_plan_makes_more_than_a_million_requests() -> None:
    assert max(expanded_length(directed.plan) for directed in plans().values()) > 1_000_000
    assert len(PARTS) >= 12


@pytest.mark.parametrize("name", QUICK)
def test_the_systems_allocator_holds_on_a_directed_plan(name: str) -> None:
    hunt = Hunt(lambda: Foreign("system"), Terms("c17,glibc", without=DEPARTURES))
    try:
        assert hunt.look(plans()[name].plan) is None
    finally:
        hunt.close()
    assert hunt.operations > 0 and hunt.observed["call-returns"] > 0


@pytest.mark.campaign
@pytest.mark.parametrize("library", ["system", "m4alloc"])
def test_a_right_allocator_holds_on_every_directed_plan(library: str) -> None:
    path = str(lib()) if library == "m4alloc" else library
    with Foreign(path) as first:
        stated = first.terms("c17,glibc")
        functions = first.functions
    terms = Terms("c17,glibc", stated.quarantine, stated.quarantine_limit, without=DEPARTURES)
    hunt = Hunt(lambda: Foreign(path), terms)
    broken = {}
    try:
        for directed in survey(functions, realloc_zero=True):
            found = hunt.look(directed.plan, repeated=directed.repeated)
            if found is not None:
                broken[directed.name] = str(found)
    finally:
        hunt.close()
    assert broken == {}
