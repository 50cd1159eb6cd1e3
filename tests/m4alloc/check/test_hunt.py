"""A plan that breaks a rule becomes a finding: short, told as a script, and tried again by fresh drivers."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import pytest

from m4alloc.check.finding import planned, requests_in
from m4alloc.check.foreign import Foreign
from m4alloc.check.hunt import Hunt, attempts, clause, expanded_length, replayed
from m4alloc.check.instruction import Planner
from m4alloc.check.judgement import Broken, Terms
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.script_plan import instructions
from spec.contract import EXPECTATIONS, RULES
from spec.event import Function
from spec.script import check, parse, render

Bump = Callable[..., str]
C17 = Terms("c17")
MALLOC, FREE, LABEL = Function.MALLOC, Function.FREE, Function.LABEL
PARALLEL, JOIN = directive(Directive.PARALLEL), directive(Directive.JOIN)
LONG = [op for n in range(60) for op in (Operation(MALLOC, size=n), Operation(Function.CALLOC, size=8, count=n))]


@pytest.fixture
def hunting() -> Callable[..., Hunt]:
    """Makes hunts, and ends their drivers."""
    made: list[Hunt] = []

    def hunt(path: str, terms: Terms = C17, patience: float = 30) -> Hunt:
        made.append(Hunt(partial(Foreign, path), terms, patience))
        return made[-1]

    yield hunt  # type: ignore[misc]
    for one in made:
        one.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("macro", "rule", "requests"),
    [
        ("OVERLAP", "result-disjoint", 2),
        ("NOT_ZERO", "calloc-zeroes", 1),
        ("SCRIBBLE", "block-keeps-contents", 3),
        ("CRASH=4", "call-returns", 4),
    ],
)
def test_a_finding_is_short_and_shows_every_time(
    hunting: Callable[..., Hunt], bump: Bump, macro: str, rule: str, requests: int
) -> None:
    hunt = hunting(bump(macro))
    plan = [*LONG, *[Operation(FREE, aim=Aim.LIVE, block=1 + n % 5) for n in range(59)]]
    broken = hunt.look(plan)
    assert broken is not None and broken.rule is RULES[rule]
    found = hunt.finding(plan, broken, "directed", "here")
    assert (found.rule.name, found.replays, found.flaky) == (rule, 10, False)
    assert found.requests == requests_in(found.script) <= requests
    assert (found.engine, found.where, found.repeated) == ("directed", "here", False)
    script = parse(render(found.script))
    assert check(script).ok
    again = hunt.see(instructions(script))
    assert again is not None and again.rule.name == rule
    assert hunt.operations > len(plan) and hunt.observed["call-returns"] > 0


def test_a_plan_that_uses_ever_more_memory_is_a_finding_that_is_repeated(
    hunting: Callable[..., Hunt], library: Callable[..., str]
) -> None:
    path = library(
        """#include <stddef.h>
        static _Alignas(64) char room[1L << 33]; static size_t used;
        void free(void *p) { (void)p; }
        void *malloc(size_t n)
        {
            size_t at = used;
            used += (n + 15) / 16 * 16 + 16;
            return used > 1L << 33 ? 0 : room + at;
        }"""
    )
    plan = [op for size in (4096, 100_000) for op in (Operation(MALLOC, size=size), Operation(FREE, aim=Aim.LIVE))]
    hunt = hunting(path)
    assert hunt.look(plan) is None
    broken = hunt.look(plan, repeated=True)
    assert broken is not None and broken.rule is EXPECTATIONS["freed-is-reused"]
    found = hunt.finding(plan, broken, "directed", "reuse", repeated=True)
    assert found.repeated and found.replays == 10 and found.requests <= 2
    assert hunt.observed["freed-is-reused"] > 1


def test_the_systems_allocator_reuses_memory(hunting: Callable[..., Hunt]) -> None:
    plan = [*[Operation(MALLOC, size=5000)] * 20, *[Operation(FREE, aim=Aim.LIVE)] * 20]
    hunt = hunting("system")
    assert hunt.look(plan, repeated=True) is None and hunt.observed == {"freed-is-reused": 1}


def test_a_crash_while_a_plan_is_repeated_is_judged(hunting: Callable[..., Hunt], bump: Bump) -> None:
    broken = hunting(bump("CRASH=500")).look([Operation(MALLOC, size=16)], repeated=True)
    assert broken is not None and broken.rule.name == "call-returns"


def test_shrinking_ends_when_its_time_is_over(hunting: Callable[..., Hunt], bump: Bump) -> None:
    hunt = hunting(bump("OVERLAP"), patience=0.0)
    broken = hunt.look(LONG)
    assert broken is not None
    found = hunt.finding(LONG, broken, "random", "round 1")
    assert found.rule.name == "result-disjoint" and found.replays == 10
    assert hunt.smallest(LONG, "result-disjoint", broken.number, time.monotonic(), repeated=False) == LONG


def test_a_rule_that_does_not_break_again_is_replayed_0_times(bump: Bump) -> None:
    script = planned([Operation(MALLOC, size=24)], C17)
    broken = Broken(RULES["result-disjoint"], "seen once", 0)
    assert replayed(partial(Foreign, bump()), C17, script, broken, times=2) == (0, 2)


def test_racing_plans_are_tried_more_often() -> None:
    assert attempts([Operation(MALLOC, size=8)]) == 1
    assert attempts([PARALLEL, Operation(MALLOC, size=8), JOIN]) > 1


def test_what_is_repeated_counts_each_time() -> None:
    body = [directive(Directive.REPEAT, 100), Operation(MALLOC, size=8), Operation(FREE, aim=Aim.LIVE)]
    assert expanded_length([*body, directive(Directive.END_REPEAT), Operation(MALLOC, size=8)]) == 201
    assert expanded_length([]) == 0


def test_a_plan_is_told_as_a_script_that_carries_out_the_same() -> None:
    plan = [
        Operation(MALLOC, 1, size=24),
        Operation(Function.CALLOC, size=8, count=3),
        PARALLEL,
        Operation(Function.REALLOC, 2, Aim.LIVE, 1, size=77),
        Operation(FREE, aim=Aim.LIVE),
        JOIN,
        directive(Directive.THREAD_END, thread=1),
        directive(Directive.REPEAT, 7),
        Operation(Function.ALIGNED_ALLOC, size=100, alignment=64),
        directive(Directive.END_REPEAT),
        Operation(FREE),
        Operation(Function.USABLE_SIZE, aim=Aim.LIVE),
    ]
    again = instructions(parse(render(planned(plan, C17))))
    wanted = Planner().plan(plan)
    for field in ("function", "thread", "size", "alignment", "aim", "slot"):
        assert again[field].tolist() == wanted[field].tolist(), field


def test_a_clause_is_that_of_the_standard_in_force() -> None:
    broken = Broken(RULES["calloc-zeroes"], "", 0)
    assert clause(broken, Terms("c17")) != clause(broken, Terms("c23"))
    assert clause(Broken(EXPECTATIONS["freed-is-reused"], "", 0), C17)


def test_what_hangs_is_carried_out_again_as_often_as_time_allows_but_three_times(bump: Bump) -> None:
    script = planned([Operation(MALLOC, size=24)], C17)
    broken = Broken(RULES["call-returns"], "no answer in time", 0)
    start = partial(Foreign, bump("HANG=1"), timeout=0.1)
    assert replayed(start, C17, script, broken, until=time.monotonic()) == (3, 3)
    assert replayed(start, C17, script, broken, times=4, until=time.monotonic() + 60) == (4, 4)
    hunt = Hunt(start, C17, patience=0.0)
    plan = [Operation(MALLOC, size=24)]
    seen = hunt.look(plan)
    assert seen is not None
    finding = hunt.finding(plan, seen, "directed", "a plan")
    hunt.close()
    assert (finding.replays, finding.times, finding.flaky) == (3, 3, False)
