"""Stepping tables: in Python and as the runtime does it, letter by letter what the specification says of words."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.monitor.machine import Run
from m4alloc.monitor.table import BUILT_IN, Table
from spec.event import ACCESSING, Event, Function
from spec.properties import find
from spec.property import Property
from spec.property_verdict import evaluate
from spec.propositions import Delivery, Words
from tests.m4alloc.monitor import native_machine
from tests.m4alloc.monitor.deliveries import LIBRARY, deliveries, told
from tests.spec.test_history import history, mutations

SOME = st.lists(st.sampled_from(LIBRARY), min_size=1, max_size=4, unique=True)


def run_of(table: Table, letters: Iterable[Delivery]) -> Run:
    run = Run(table)
    for letter in letters:
        run.read(letter)
    return run


@pytest.mark.parametrize("one", LIBRARY, ids=lambda one: one.name)
def test_a_property_is_judged_as_the_specification_judges_it(one: Property) -> None:
    table = Table.of([one])
    for seed in range(40):
        letters = deliveries(seed, seed, 1 + seed % 3)
        run = run_of(table, letters)
        run.check()
        assert list(zip(run.violated, run.unfulfilled(), strict=True)) == told([one], letters), seed


@given(properties=SOME, seed=st.integers(0, 2**32), length=st.integers(0, 60), threads=st.integers(1, 3))
def test_properties_that_share_tables_do_not_disturb_each_other(
    properties: list[Property], seed: int, length: int, threads: int
) -> None:
    letters = deliveries(seed, length, threads)
    run = run_of(Table.of(properties), letters)
    run.check()
    assert list(zip(run.violated, run.unfulfilled(), strict=True)) == told(properties, letters)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), wrong=st.booleans(), threads=st.integers(1, 3))
def test_a_history_is_judged_as_its_recording_is(seed: int, wrong: bool, threads: int) -> None:
    events = history(seed, 60, threads, 0)
    if wrong:
        events = list(mutations(random.Random(seed), events))
    events.append(Event(Function.LOAD, 0, 0x10000, 8, begin=10**9, end=10**9 + 1))  # so that there is evidence
    assert events[-1].function in ACCESSING
    run = run_of(Table.of(BUILT_IN), Words(events))
    for number, one in enumerate(BUILT_IN):
        verdict = evaluate(one, events, sees=["uninitialised"], exited=False)
        assert (run.violated[number], run.unfulfilled()[number]) == (verdict.violated, verdict.unfulfilled), one.name


@pytest.mark.slow
@given(seed=st.integers(0, 2**32), wrong=st.booleans())
def test_without_accesses_only_what_is_certain_is_violated(seed: int, wrong: bool) -> None:
    events = history(seed, 60, 2, 0)
    if wrong:
        events = list(mutations(random.Random(seed), events))
    events = [event for event in events if event.function not in ACCESSING]
    properties = [find(name) for name in ("whole-life", "one-life", "S1", "no-double-free")]
    run = run_of(Table.of(properties, unseen={"access"}), Words(events))
    for number, one in enumerate(properties):
        verdict = evaluate(one, events)
        found = run.violated[number], run.unfulfilled()[number]
        assert found == (verdict.violated, verdict.unfulfilled), one.name


# The same in the runtime.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runtime's machines are, compiled for Python."""
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    found = tmp_path_factory.mktemp("native_machine")
    native_machine.build(found)
    return found


def checked(folder: Path, check: str, seed: int = 0) -> None:
    command = [sys.executable, "-m", "tests.m4alloc.monitor.native_machine", str(folder), check, str(seed)]
    done = subprocess.run(command, cwd=Path(__file__).resolve().parents[3], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "as wanted\n"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1000])
def test_the_runtime_steps_as_python_does(folder: Path, seed: int) -> None:
    checked(folder, "alike", seed)


def test_the_runtime_reads_what_python_wrote(folder: Path) -> None:
    checked(folder, "told")


def test_the_runtime_refuses_damaged_tables_and_reads_nothing_outside_of_them(folder: Path) -> None:
    checked(folder, "damaged")


def test_threads_that_step_one_block_at_once_find_each_violation_once(folder: Path) -> None:
    checked(folder, "shared")


def test_a_run_with_ever_more_labels_does_not_need_ever_more_memory(folder: Path) -> None:
    checked(folder, "recycled")


def test_threads_with_the_same_blocks_lose_none_of_them(folder: Path) -> None:
    checked(folder, "crowded")


def test_a_signal_handler_in_the_middle_of_a_letter_is_not_let_in(folder: Path) -> None:
    checked(folder, "interrupted")
