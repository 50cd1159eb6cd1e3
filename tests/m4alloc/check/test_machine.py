"""The state machine passes on sound allocators, and fails on broken ones with a script of the smallest run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, settings

from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Terms
from m4alloc.check.local import arena, reference
from m4alloc.check.machine import machine, run
from m4alloc.check.mutants import ENVIRONMENT, STANDARD
from m4alloc.lib import lib
from spec.error import Violation
from spec.event import Function
from spec.script import check, parse

SHORT = settings(stateful_step_count=40, deadline=None)
PHASES = [Phase.generate, Phase.shrink]
FIXED = settings(
    max_examples=100, derandomize=True, database=None, deadline=None, stateful_step_count=12, phases=PHASES
)


def test_the_reference_allocator_keeps_the_contract() -> None:
    run(reference(quarantine=3), Terms("c17,glibc", quarantine=3, catches_misuse=True), SHORT)


def test_the_preload_library_keeps_the_contract() -> None:
    with Foreign(lib(), environment=ENVIRONMENT) as target:
        run(target, target.terms(STANDARD), SHORT)


def test_the_core_in_this_process_keeps_the_contract() -> None:
    pytest.importorskip("m4alloc._fast", reason="the native core is not built: make")
    run(arena(), Terms(STANDARD, catches_misuse=True), SHORT)


def test_the_systems_allocator_keeps_the_contract() -> None:
    with Foreign("system") as target:
        run(target, Terms("c17"), SHORT)


def test_a_broken_allocator_fails_with_the_smallest_script(bump: Callable[..., str]) -> None:
    with Foreign(bump("NOT_ZERO")) as target, pytest.raises(Violation) as caught:
        run(target, Terms("c17"), FIXED)
    assert caught.value.rule.name == "calloc-zeroes"
    script = parse(caught.value.__notes__[0])
    assert [step.event.function for step in script.steps if step.event is not None] == [Function.CALLOC]
    assert [finding.rule.name for finding in check(script).acceptor.violations] == ["calloc-zeroes"]


def test_contents_that_change_in_a_live_block_fail_at_the_end_of_the_run(bump: Callable[..., str]) -> None:
    with Foreign(bump("SCRIBBLE")) as target:
        chosen = machine(target, Terms("c17"))()
        first, second = chosen.malloc(8, 0), chosen.malloc(8, 1)
        chosen.free(first, 0)
        with pytest.raises(Violation, match=f"byte 7 of the 8 at {second:#x} is not what was stored there"):
            chosen.teardown()


def test_a_crash_fails_with_the_calls_before_it(bump: Callable[..., str]) -> None:
    with Foreign(bump("CRASH=3")) as target:
        chosen = machine(target, Terms("c17"))()
        chosen.malloc(8, 0)
        chosen.malloc(8, 1)
        with pytest.raises(Violation, match="call-returns: SIGABRT inside malloc") as caught:
            chosen.malloc(8, 0)
        chosen.teardown()
    assert [step.name for step in parse(caught.value.__notes__[0]).steps] == ["a", "b"]
