"""What is judged page by page as it comes is what the whole history says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from m4alloc.check import observe as observer
from m4alloc.check.foreign import Foreign
from m4alloc.check.instruction import Planner
from m4alloc.check.judgement import Terms, judge
from m4alloc.check.observe import Seen, observe
from m4alloc.check.operation import Aim, Directive, Operation, directive
from m4alloc.check.strategies import plans
from spec.event import Function

Bump = Callable[..., str]
GLIBC = Terms("c17,glibc")
MALLOC, FREE = Function.MALLOC, Function.FREE
MACROS = ["", "OVERLAP", "NOT_ZERO", "LOSE_TAIL", "TWICE", "SCRIBBLE", "FREE_SETS_ERRNO", "LAX", "CRASH=9"]
ALL_OF_THEM = list(HealthCheck)


def seen_of(target: Foreign, plan: list[Operation], terms: Terms = GLIBC, *, told: bool = False) -> Seen:
    return observe(target, Planner().plan(plan), terms, told=told)


@pytest.mark.slow
@pytest.mark.parametrize("macro", MACROS)
def test_the_first_rule_that_breaks_is_that_of_the_whole_history(bump: Bump, macro: str) -> None:
    with Foreign(bump(*filter(None, [macro]))) as target:

        @given(plans(target.functions, threads=2, limit=5000))
        @settings(
            max_examples=8, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=ALL_OF_THEM
        )
        def same(plan: list[Operation]) -> None:
            observed: dict[str, int] = {}
            whole, seen = judge(target.run(plan), GLIBC, observed), seen_of(target, plan)
            assert (seen.broken and (seen.broken.rule, seen.broken.message)) == (whole and (whole.rule, whole.message))
            if whole is None:
                assert {name: number for name, number in seen.observed.items() if name in observed} == observed
            else:
                assert seen_of(target, plan, told=True).broken == whole

        same()


def test_operations_are_counted_and_rules_observed() -> None:
    plan = [Operation(MALLOC, size=24), Operation(FREE, aim=Aim.LIVE)] * 50_000
    with Foreign("system") as libc:
        seen = seen_of(libc, plan)
    assert seen.broken is None and seen.operations == 100_000
    assert seen.observed["call-returns"] == 100_000 and seen.observed["free-keeps-errno"] == 50_000


def test_a_small_request_that_fails_is_asked_about_unless_the_client_limited_memory(bump: Bump) -> None:
    small, limit = Operation(MALLOC, size=2000), directive(Directive.LIMIT_MEMORY, 1 << 20)
    with Foreign(bump("SILENT")) as target:
        broken = seen_of(target, [small], Terms("c17")).broken
        assert broken is not None and broken.rule.name == "request-served"
        assert seen_of(target, [limit, small], Terms("c17")).broken is None
        assert seen_of(target, [small], Terms("c17", without=frozenset({"request-served"}))).broken is None
        assert seen_of(target, [Operation(MALLOC, size=1 << 40)], Terms("c17")).broken is None


def test_a_crash_is_a_violation_unless_that_is_left_out(bump: Bump) -> None:
    plan = [Operation(MALLOC, size=8)] * 5
    with Foreign(bump("CRASH=3")) as target:
        broken = seen_of(target, plan, told=True).broken
        assert broken is not None and broken.rule.name == "call-returns" and broken.number == 2
        assert broken.message.startswith("SIGABRT inside malloc: malloc(8) ")
        passing = seen_of(target, plan).broken
        assert passing is not None and passing.message == broken.message and passing.history == ()
        assert seen_of(target, plan, Terms("c17", without=frozenset({"call-returns"}))).broken is None


@pytest.mark.parametrize(
    ("macro", "rule"), [("CRASH=60000", "call-returns"), ("MISALIGNED", "result-aligned-fundamental")]
)
def test_a_history_too_long_to_be_kept_is_judged_all_the_same(
    bump: Bump, monkeypatch: pytest.MonkeyPatch, macro: str, rule: str
) -> None:
    monkeypatch.setattr(observer, "MOST_KEPT", 100)
    plan = [Operation(MALLOC, size=16)] * 70_000
    with Foreign(bump(macro)) as target:
        broken = seen_of(target, plan).broken
    assert broken is not None and broken.rule.name == rule and broken.history == ()


def test_misuse_that_ends_the_process_is_no_violation() -> None:
    plan = [Operation(MALLOC, size=2000), Operation(FREE, aim=Aim.LIVE), Operation(FREE, aim=Aim.DEAD)]
    with Foreign("system") as libc:
        assert seen_of(libc, plan).broken is None


def test_a_child_forked_among_threads_is_judged(library: Callable[..., str]) -> None:
    """The allocator of this test begins anew in a forked child, over the blocks that are live."""
    path = library(
        """#include <stddef.h>
        #include <unistd.h>
        static _Alignas(64) char room[1 << 20]; static _Atomic size_t used; static int whose;
        void free(void *p) { (void)p; }
        void *malloc(size_t n)
        {
            if (whose != getpid())
                used = 0, whose = getpid();
            return room + (used += (n + 63) / 64 * 64);
        }"""
    )
    plan = [Operation(MALLOC, size=40)] * 3
    inside = [directive(Directive.PARALLEL), *plan, directive(Directive.FORK_CHILD), *plan, directive(Directive.JOIN)]
    with Foreign(path) as target:
        broken = seen_of(target, inside).broken
        between = seen_of(target, [*plan, directive(Directive.FORK_CHILD), *plan]).broken
    assert broken is not None and broken.message.startswith("in a forked child, ")
    assert between is not None and broken.rule == between.rule and broken.rule.name == "reuse-only-after-free"
