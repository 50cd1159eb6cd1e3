"""The search finds what is wrong with an allocator, names the rule, and shrinks to a script that shows it again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import SLACK, Terms, judge, judge_usage
from m4alloc.check.local import reference
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.scripted import play
from m4alloc.check.search import find_history, find_leak, find_violation, leaking_plans
from m4alloc.check.strategies import plans
from m4alloc.check.target import End, Episode, Usage
from spec.contract import EXPECTATIONS, RULES
from spec.event import NEVER_RETURNED, Event, Function
from spec.script import check, parse, render

Bump = Callable[..., str]
GLIBC = Terms("c17,glibc")
C17 = Terms("c17")

BROKEN = {
    "OVERLAP": ("result-disjoint", C17, 2),
    "MISALIGNED": ("result-aligned-fundamental", C17, 1),
    "NOT_ZERO": ("calloc-zeroes", C17, 1),
    "LOSE_TAIL": ("realloc-keeps-contents", C17, 2),
    "GENEROUS": ("result-disjoint", C17, 2),
    "SILENT": ("result-non-null-or-enomem", GLIBC, 1),
    "FREE_SETS_ERRNO": ("free-keeps-errno", GLIBC, 2),
    "WRAP": ("calloc-overflow-refused", C17, 1),
    "ONE_ZERO": ("zero-size-distinct", C17, 2),
    "TWICE": ("reuse-only-after-free", C17, 2),
    "LAX": ("posix-memalign-arguments", GLIBC, 1),
    "SCRIBBLE": ("block-keeps-contents", C17, 3),
    "CRASH=3": ("call-returns", C17, 3),
    "UNMAPPED": ("block-accessible", C17, 1),
}
"""What each macro of bump.c breaks, under which standard, and how many operations show it at most."""


@pytest.mark.slow
@pytest.mark.parametrize("macro", BROKEN)
def test_each_broken_allocator_is_found_by_the_rule_it_breaks_and_shrunk(bump: Bump, macro: str) -> None:
    rule, terms, length = BROKEN[macro]
    with Foreign(bump(macro)) as target:
        found = find_history(target, 400, terms=terms)
        assert found is not None and found.broken.rule.name == rule
        assert len(found.plan) <= length, str(found)
        assert found.broken.rule is RULES[rule]
        assert str(found).startswith(f"# {target.name} breaks {rule}\n")
        script = parse(render(found.script()))
        assert check(script).ok
        if found.episode.end is End.FINISHED:
            for _ in range(10):
                outcome = play(script, target)
                assert outcome.failures == [] and [str(finding) for finding in outcome.unclaimed] == []


@pytest.mark.slow
def test_a_sound_allocator_is_left_alone(bump: Bump) -> None:
    with Foreign(bump()) as target:
        assert find_history(target, 100, terms=GLIBC) is None


def test_an_allocator_that_never_reuses_memory_leaks(bump: Bump) -> None:
    with Foreign(bump()) as target:
        found = find_leak(target, 30, threads=1)
    assert found is not None and found.repeated
    assert found.broken.rule.name == "freed-is-reused"
    assert [operation.function for operation in found.plan] == [Function.MALLOC]
    assert "when this is repeated" in str(found)


@pytest.mark.slow
def test_the_systems_allocator_and_the_reference_break_nothing() -> None:
    with Foreign("system") as system:
        assert find_violation(system, 60, terms=C17) is None
    assert find_violation(reference(), 20, terms=GLIBC, limit=1 << 14) is None


def test_the_same_seed_finds_the_same_counterexample(bump: Bump) -> None:
    with Foreign(bump("OVERLAP")) as target:
        first, second = (find_history(target, 400, terms=C17, seed=5) for _ in range(2))
    assert first is not None and second is not None
    assert (first.plan, first.plans_tried) == (second.plan, second.plans_tried)


def test_shrinking_stays_with_the_rule_that_broke_first(bump: Bump) -> None:
    with Foreign(bump("LOSE_TAIL", "NOT_ZERO", "MISALIGNED")) as target:
        rules = {seed: find_history(target, 100, terms=C17, seed=seed) for seed in range(2)}
    for found in rules.values():
        assert found is not None
        again = judge(found.episode, C17)
        assert again is not None and again.rule == found.broken.rule


def test_a_crash_is_judged_only_after_the_replies_before_it() -> None:
    overlapping = [Event(Function.MALLOC, size=24, result=0x1000), Event(Function.MALLOC, size=24, result=0x1010)]
    last = Event(Function.FREE, address=0x1000, flags=NEVER_RETURNED)
    broken = judge(Episode([*overlapping, last], End.CRASHED, 11), C17)
    assert broken is not None and broken.rule.name == "result-disjoint" and broken.number == 1
    broken = judge(Episode([overlapping[0], last], End.CRASHED, 11, "boom"), C17)
    assert broken is not None and broken.rule.name == "call-returns" and broken.number == 1


def test_an_end_in_no_call_at_all_breaks_call_returns_and_says_what_was_heard() -> None:
    broken = judge(Episode([Event(Function.MALLOC, size=24, result=0x1000)], End.CRASHED, 11, "boom"), C17)
    assert broken is not None
    assert str(broken) == "call-returns: SIGSEGV when the client used its blocks; it said: boom"


@pytest.mark.parametrize(("more", "leaks"), [(-(1 << 22), False), (0, False), (1, True)])
def test_fresh_memory_for_three_tenths_of_what_later_rounds_take_is_a_leak(more: int, leaks: bool) -> None:
    plan = [Operation(Function.MALLOC, size=4096)]
    late = (1 << 24) * 3 // 10 + SLACK + more
    usage = Usage(1 << 25, 1 << 24, 4096, 1 << 24, late)
    broken = judge_usage(plan, usage, C17)
    assert (broken is not None) is leaks
    assert broken is None or broken.rule is EXPECTATIONS["freed-is-reused"]
    assert judge_usage(plan, usage, Terms(without=frozenset({"freed-is-reused"}))) is None


def test_what_a_quarantine_holds_back_is_no_leak() -> None:
    plan = [Operation(Function.MALLOC, size=4096), Operation(Function.FREE, aim=Aim.LIVE)]
    usage = Usage(1 << 24, 12 << 20, 4096, 12 << 20, 10 << 20)
    assert judge_usage(plan, usage, Terms(quarantine=10, quarantine_limit=8192)) is not None
    assert judge_usage(plan, usage, Terms(quarantine=2000, quarantine_limit=8192)) is None
    larger = [Operation(Function.MALLOC, size=1 << 20)]  # beyond the limit at most as many bytes of it are held back
    assert judge_usage(larger, usage, Terms(quarantine=10, quarantine_limit=8192)) is not None


@given(st.data(), st.booleans())
@settings(max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)
def test_every_sublist_of_a_plan_is_a_plan(data: st.DataObject, misuse: bool) -> None:
    target = reference()
    plan = data.draw(plans(target.functions, threads=2, limit=4096, misuse=misuse))
    kept = [operation for operation in plan if data.draw(st.booleans())] if len(plan) < 40 else plan[::2]
    terms = Terms("c17,glibc", catches_misuse=True)
    assert judge(target.run(kept), terms) is None


@given(plans(reference().functions, threads=3, misuse=False))
def test_plans_without_misuse_hold_none(plan: list[Operation]) -> None:
    assert not any(operation.misuse for operation in plan)
    assert all(0 <= operation.thread < 3 for operation in plan)


@given(leaking_plans(2))
def test_leaking_plans_allocate_at_sizes_where_a_leak_soon_shows(plan: list[Operation]) -> None:
    assert all(operation.size >= 4096 for operation in plan if operation.function is Function.MALLOC)


@pytest.mark.parametrize(("functions", "threads"), [(frozenset({Function.FREE}), 1), (frozenset({Function.MALLOC}), 0)])
def test_plans_that_cannot_be_are_refused_at_once(functions: frozenset[Function], threads: int) -> None:
    with pytest.raises(ValueError, match=r"at least 1 is needed|needs malloc"):
        plans(functions, threads=threads)


def test_an_operation_that_names_no_block_is_skipped() -> None:
    plan = [
        Operation(Function.FREE, aim=Aim.LIVE),
        Operation(Function.FREE, aim=Aim.DEAD),
        Operation(Function.FREE, aim=Aim.INSIDE),
        Operation(Function.USABLE_SIZE, aim=Aim.LIVE),
        Operation(Function.MALLOC, size=8),
        Operation(Function.FREE, aim=Aim.LIVE, block=7),
    ]
    assert [event.function for event in reference().run(plan).events] == [Function.MALLOC, Function.FREE]
