"""The state machine passes on sound allocators, and fails on broken ones with a script of the smallest run."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from m4alloc.check import AllocatorMachine
from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Terms
from m4alloc.check.local import arena, reference
from m4alloc.check.machine import machine, run
from m4alloc.check.mutants import ENVIRONMENT, STANDARD
from m4alloc.check.reproduce_c import c_program
from m4alloc.lib import lib
from spec.error import Violation
from spec.event import Function
from spec.script import check, parse, render

SHORT = settings(max_examples=10, stateful_step_count=30, deadline=None)
PHASES = [Phase.generate, Phase.shrink]
FIXED = settings(
    max_examples=100, database=None, deadline=None, stateful_step_count=12, phases=PHASES, report_multiple_bugs=False
)
UNSHRUNK = settings(FIXED, max_examples=20, phases=[Phase.generate])


def run_seeded(chosen: type[RuleBasedStateMachine], settings: settings = FIXED) -> None:
    """Run a machine, the same way every time: how long a failing run takes to shrink is a matter of luck."""
    run_state_machine_as_test(seed(3)(chosen), settings=settings)


def test_the_reference_allocator_keeps_the_contract() -> None:
    run(reference(quarantine=3), Terms("c17,glibc", quarantine=3, catches_misuse=True), SHORT)


def test_the_preload_library_keeps_the_contract() -> None:
    with Foreign(lib(), environment=ENVIRONMENT) as target:
        run(target, target.terms(STANDARD), SHORT)


def test_the_core_in_this_process_keeps_the_contract() -> None:
    pytest.importorskip("m4alloc._fast", reason="the native core is not built: make")
    run(arena(), Terms(STANDARD, catches_misuse=True), SHORT)


def test_the_systems_allocator_keeps_the_contract() -> None:
    run_state_machine_as_test(AllocatorMachine("system"), settings=SHORT)


def test_a_broken_allocator_fails_with_the_smallest_script(bump: Callable[..., str]) -> None:
    with pytest.raises(Violation) as caught:
        run_seeded(AllocatorMachine(bump("NOT_ZERO")))
    assert caught.value.rule.name == "calloc-zeroes"
    script = parse(caught.value.__notes__[0])
    assert [step.event.function for step in script.steps if step.event is not None] == [Function.CALLOC]
    assert [finding.rule.name for finding in check(script).acceptor.violations] == ["calloc-zeroes"]
    assert check(script).ok, "the script claims what it shows"


def test_contents_that_change_in_a_live_block_fail_at_the_latest_at_the_end_of_the_run(
    bump: Callable[..., str],
) -> None:
    with Foreign(bump("SCRIBBLE")) as target:
        chosen = machine(target, Terms("c17"))()
        first, second = chosen.malloc(8, 0), chosen.malloc(8, 1)
        with pytest.raises(Violation, match=f"load of 8 bytes at {second:#x} .* found that byte 7 of 8 is not what"):
            try:
                chosen.free(first, 0)
            finally:
                chosen.teardown()


def test_a_crash_fails_with_the_call_that_did_not_return(bump: Callable[..., str]) -> None:
    with Foreign(bump("CRASH=3")) as target:
        chosen = machine(target, Terms("c17"))()
        chosen.malloc(8, 0)
        chosen.malloc(8, 1)
        with pytest.raises(Violation, match=r"call-returns: .*malloc\(8\) at event 3 never returned") as caught:
            chosen.malloc(8, 0)
        chosen.teardown()
    text = caught.value.__notes__[0]
    assert text.splitlines()[-1] == "malloc 8 -> NULL never-returned    ! violates call-returns"
    assert [step.name for step in parse(text).steps] == ["a", "b", ""]


def test_c23_is_not_asked_to_resize_to_nothing(bump: Callable[..., str]) -> None:
    with Foreign(bump()) as target:
        chosen = machine(target, "c23")()
        block = chosen.malloc(8, 0)
        chosen.realloc(block, 0, 0)
        assert [event.size for event in chosen.events if event.function is Function.REALLOC] == [1]
        chosen.teardown()


def test_every_note_is_printed_with_what_was_found(bump: Callable[..., str]) -> None:
    path = bump("NOT_ZERO")
    notes = (render, lambda script: c_program(script, library=path))
    with pytest.raises(Violation) as caught:
        run_seeded(AllocatorMachine(path, notes=notes), UNSHRUNK)
    heap, program = caught.value.__notes__[:2]
    assert "! violates calloc-zeroes" in heap
    assert "int main(void)" in program


def test_a_machine_can_be_extended_with_rules_of_ones_own() -> None:
    class Counting(AllocatorMachine("system", threads=1)):  # type: ignore[misc]
        @invariant()
        def no_more_than_three_live(self) -> None:
            assert len(self.acceptor.heap.live) <= 3

    with pytest.raises(AssertionError):
        run_seeded(Counting, UNSHRUNK)


def test_one_thread_means_that_no_other_makes_a_request() -> None:
    seen = []

    class Watching(AllocatorMachine(reference(), threads=1, sizes=st.just(5))):  # type: ignore[misc]
        def teardown(self) -> None:
            seen.extend(self.events)
            super().teardown()

    run_seeded(Watching, UNSHRUNK)
    assert {event.thread for event in seen} == {0}
    assert {event.size for event in seen if event.function is Function.MALLOC and event.result} == {5}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threads": 0}, "threads=0: a number of threads, at least 1, is wanted"),
        ({"sizes": 24}, "sizes=24: a strategy is wanted"),
        ({"terms": "c42"}, "standard 'c42' is unknown; known are c17, c23"),
    ],
)
def test_a_bad_argument_is_refused_at_once(arguments: dict[str, object], message: str) -> None:
    with pytest.raises((InvalidArgument, ValueError), match=message):
        AllocatorMachine("system", **arguments)  # type: ignore[arg-type]


def test_a_library_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"libnone\.so: no such file"):
        AllocatorMachine(tmp_path / "libnone.so")


def test_naming_a_library_starts_nothing(bump: Callable[..., str]) -> None:
    chosen = AllocatorMachine(bump())
    assert "foreign" not in vars(chosen.target)
    assert issubclass(chosen, RuleBasedStateMachine)


def test_the_test_case_of_a_machine_fails_with_the_rule_the_script_and_the_steps(bump: Callable[..., str]) -> None:
    case = seed(3)(AllocatorMachine(bump("NOT_ZERO"))).TestCase
    case.settings = UNSHRUNK
    result = unittest.TestResult()
    case("runTest").run(result)
    [(_, text)] = result.errors + result.failures
    assert "spec.error.Violation: calloc-zeroes: calloc(" in text
    assert "! violates calloc-zeroes" in text
    assert "state.calloc(" in text
