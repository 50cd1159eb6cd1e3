"""The core's own event stream satisfies the property library; each fault that breaks order in time is named by it."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m4alloc import _backend, _build
from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Terms
from m4alloc.check.local import arena
from m4alloc.check.machine import HeapMachine, machine
from m4alloc.check.mutants import ENVIRONMENT, STANDARD
from m4alloc.check.mutants import build as build_fault
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.properties import evaluate_trace
from m4alloc.check.strategies import plans
from m4alloc.lib import lib
from m4alloc.strategy import PRESETS, Strategy
from m4alloc.trace.read import Trace
from m4alloc.trace.record import record
from spec.event import Event, Function
from spec.history import accept
from spec.properties import REPORTED, About
from spec.property_verdict import Answer, PropertyVerdict, evaluate_all
from tests.m4alloc.check.broken import BROKEN, build, compiler

pytestmark = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")

F = Function
FOLDER = Path(_build.__file__).resolve().parents[1] / "build" / "mutants"
OF_THE_ALLOCATOR = tuple(one for one in REPORTED if one.about is About.ALLOCATOR)
SHORT = settings(max_examples=8, stateful_step_count=30, deadline=None)
SEEN = {"no-double-allocation", "no-overlap", "allocation-ends", "free-ends"}
"""Of these every run with a malloc and a free is evidence."""


def answers(
    events: Sequence[Event], quarantine: int, limit: int, *, exited: bool = False
) -> dict[str, PropertyVerdict]:
    """What the history says of each property, by name; it goes on unless `exited`, so that nothing is a leak."""
    told = evaluate_all(REPORTED, events, quarantine=quarantine, quarantine_limit=limit, exited=exited)
    return {one.which.name: one for one in told}


def violated(told: dict[str, PropertyVerdict]) -> set[str]:
    return {name for name, one in told.items() if one.answer is Answer.VIOLATED}


def strategy_of(preset: str) -> Strategy:
    """The preset, with few enough free slots that memory comes back within a short run."""
    small = {"refill_batch": 4, "stack_depth": 16}
    more = {"sample_rate": 5} if preset == "sampled" else {"delay_line": 2} if preset == "default" else {}
    return Strategy.named(preset).with_(**small, **more)


# Hypothesis-generated runs of the preload library.


@pytest.fixture(scope="module", params=PRESETS)
def target(request: pytest.FixtureRequest) -> Iterator[Foreign]:
    strategy = strategy_of(request.param).to_environment()
    with Foreign(lib(), environment={"M4ALLOC_OPTIONS": "misuse=count", "M4ALLOC_STRATEGY": strategy}) as library:
        yield library


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_run_of_the_library_satisfies_the_allocators_properties(target: Foreign, data: st.DataObject) -> None:
    misuse = data.draw(st.booleans(), label="misuse")
    plan = data.draw(plans(target.functions, threads=3, limit=4096, misuse=misuse), label="plan")
    episode = target.run(plan)
    told = answers(episode.events, target.quarantine, target.quarantine_limit)
    assert not violated(told) & {one.name for one in OF_THE_ALLOCATOR}
    if not any(operation.misuse for operation in plan):
        assert not violated(told)
        leaked = told["freed-eventually"].unfulfilled
        assert leaked == len(accept(episode.events).heap.live)


def test_a_run_in_which_memory_comes_back_is_evidence_for_each_property(target: Foreign) -> None:
    malloc, free = Operation(F.MALLOC, size=40), Operation(F.FREE, aim=Aim.LIVE)
    use = Operation(F.LOAD, aim=Aim.LIVE)
    calloc = Operation(F.CALLOC, size=40, count=1)
    remote = Operation(F.FREE, 1, Aim.LIVE)
    episode = target.run([malloc, use, free] * 60 + [calloc, use, free] * 60 + [malloc, remote] * 60)
    told = answers(episode.events, target.quarantine, target.quarantine_limit, exited=True)
    held = {name for name, one in told.items() if one.answer is Answer.HOLDS}
    of_the_program = {"access-only-while-allocated", "accessed-then-freed", "freed-eventually", "no-double-free"}
    held -= {"access-in-bounds"}  # which the driver keeps only where no usable byte is slack: it loads those, too
    assert held == {*SEEN, *of_the_program, "handed-out-zero", "no-early-reuse"}
    assert told["no-double-allocation"].instances < 180  # so that some address was handed out again


# Hypothesis's machine on the core in this process.


def machine_of(strategy: Strategy) -> type[HeapMachine]:
    """The machine that holds the events of each of its runs to the properties as well, when the run is over."""
    quarantine, limit = strategy.quarantine_length, strategy.quarantine_limit
    terms = Terms(STANDARD, quarantine=quarantine, quarantine_limit=limit, catches_misuse=True)

    def teardown(self: Any) -> None:
        failed = self.failed
        HeapMachine.teardown(self)
        if not failed:
            told = answers(self.events, quarantine, limit)
            assert not violated(told) & {one.name for one in OF_THE_ALLOCATOR}

    return machine(arena(1 << 26, strategy), terms, teardown=teardown)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_run_of_an_arena_satisfies_the_allocators_properties(preset: str) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(machine_of(strategy_of(preset)), settings=SHORT)


# Threads.

PROGRAMS = st.lists(st.lists(st.integers(0, 600), min_size=5, max_size=40), min_size=2, max_size=3)


@pytest.mark.parametrize("preset", PRESETS)
@settings(max_examples=6, deadline=None)
@given(programs=PROGRAMS)
def test_threads_that_hand_blocks_to_each_other_satisfy_every_property(preset: str, programs: list[list[int]]) -> None:
    from m4alloc import Arena

    strategy = strategy_of(preset)
    handed: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with Arena(1 << 26, strategy) as heap, heap.record() as events:
        start = threading.Barrier(len(programs))

        def work(sizes: list[int]) -> None:
            start.wait()
            for size in sizes:
                time.sleep(0)  # gives up the lock of the interpreter, so that threads take turns
                handed.put(heap.malloc(size))
                if size % 3:  # somebody's, seldom its own
                    heap.free(handed.get())

        threads = [threading.Thread(target=work, args=(sizes,)) for sizes in programs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while not handed.empty():
            heap.free(handed.get())
    ordered = sorted(events, key=lambda event: event.begin)
    told = answers(ordered, strategy.quarantine_length, strategy.quarantine_limit, exited=True)
    assert not violated(told)
    assert told["freed-eventually"].answer is told["no-double-free"].answer is Answer.HOLDS
    assert told["freed-eventually"].letters == 2 * sum(map(len, programs))


HANDING_OVER = r"""
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
/* ./program ROUNDS SIZE SIZE 0x SIZE ...: one thread for each part; 0x ends it. Blocks are handed over in `shelf`. */
#define PLACES 8
static _Atomic(void *) shelf[PLACES];
static atomic_int ready;
static int parts, rounds;
static char **arguments;
static void *work(void *from) {
    atomic_fetch_add(&ready, 1);
    while (atomic_load(&ready) < parts) {}
    unsigned place = 0;
    for (int round = 0; round < rounds; round++)
        for (char **at = from; *at && at[0][1] != 'x'; at++) {
            size_t size = strtoul(*at, 0, 10);
            void *block = malloc(size);
            sched_yield();
            free(size % 3 ? atomic_exchange(&shelf[place++ % PLACES], block) : block);
        }
    return 0;
}
int main(int count, char **values) {
    pthread_t threads[8];
    char **starts[8];
    rounds = atoi(values[1]);
    for (int i = 1; i < count; i++)
        if (i == 1 || values[i][1] == 'x') starts[parts++] = values + i + 1;
    for (int i = 0; i < parts; i++) pthread_create(threads + i, 0, work, starts[i]);
    for (int i = 0; i < parts; i++) pthread_join(threads[i], 0);
    for (int i = 0; i < PLACES; i++) free(atomic_exchange(&shelf[i], 0));
    return 0;
}
"""


@pytest.fixture(scope="module")
def handing_over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled."""
    gcc = compiler()
    if gcc is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    folder = tmp_path_factory.mktemp("threads")
    (folder / "threads.c").write_text(HANDING_OVER, encoding="utf-8")
    subprocess.run([gcc, "-O1", "-pthread", "-o", folder / "threads", folder / "threads.c"], check=True)
    return folder / "threads"


def at_once(program: Path, preset: str, rounds: int, sizes: list[list[int]]) -> Trace:
    """What the program's threads, one for each list of sizes, ask of the library with that preset, all at once."""
    words = " 0x ".join(" ".join(map(str, part)) for part in sizes).split()
    environment = {**os.environ, "M4ALLOC_STRATEGY": strategy_of(preset).to_environment()}
    made = record([str(program), str(rounds), *words], program.with_suffix(".m4t"), env=environment, force=True)
    assert made.status == 0
    return Trace.open(made.traces[0])


@pytest.mark.parametrize("preset", PRESETS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(programs=PROGRAMS)
def test_threads_that_run_at_once_satisfy_the_allocators_properties(
    handing_over: Path, preset: str, programs: list[list[int]]
) -> None:
    trace = at_once(handing_over, preset, 3, programs)
    told = {one.which.name: one for one in evaluate_trace(trace)}
    assert violated(told) <= {"freed-eventually"}  # the C library keeps something for each thread
    assert told["no-double-free"].letters >= 2 * 3 * sum(map(len, programs))
    assert all(told[name].answer is Answer.HOLDS for name in SEEN)


def test_their_calls_do_overlap_and_hand_the_same_addresses_out_again(handing_over: Path) -> None:
    for rounds in (200, 400, 800, 1600, 3200, 6400, 12800):  # until it happens, on a busy machine
        trace = at_once(handing_over, "default", rounds, [[24, 40], [25, 41], [24, 24]])
        records = trace.records[trace.order()]
        told = {one.which.name: one for one in evaluate_trace(trace)}
        assert told["no-double-allocation"].answer is told["no-overlap"].answer is Answer.HOLDS
        assert told["no-double-allocation"].instances < told["no-double-allocation"].letters / 8
        if (records["begin"][1:] < np.maximum.accumulate(records["end"])[:-1]).any():
            return
    pytest.skip("no two threads ran at once: there is one processor, or the machine is busy")


# Seeded faults.


def malloc(size: int, thread: int = 0) -> Operation:
    return Operation(F.MALLOC, thread, size=size)


def free(block: int = 0, thread: int = 0) -> Operation:
    return Operation(F.FREE, thread, Aim.LIVE, block)


AGAIN = Operation(F.FREE, aim=Aim.DEAD)
CALLOC = Operation(F.CALLOC, size=61, count=1)
ALIGNED = Operation(F.ALIGNED_ALLOC, size=8192, alignment=8192)

CORE_FAULTS: dict[int, tuple[str, list[Operation]]] = {
    # The number of the fault (m4alloc/_core/fault.pxd), the property that names it, a run that shows it.
    1: ("no-double-allocation", [*[malloc(24)] * 4, free(), AGAIN, *[free()] * 3, *[malloc(24)] * 8]),
    4: ("handed-out-zero", [*[malloc(64)] * 6, *[free()] * 6, *[CALLOC] * 4]),
    6: ("no-overlap", [malloc(24576)] * 24),
    8: ("no-early-reuse", [malloc(24), free(), malloc(24)]),
    9: ("no-overlap", [malloc(16)] * 3),
    10: ("no-overlap", [malloc(1 << 20)] * 2),
}

BROKEN_ALLOCATORS: dict[str, tuple[str, list[Operation]]] = {
    # tests/broken/NAME.c, the property that names its bug, a run that shows it.
    "third_lifo_free": ("no-double-allocation", [*[malloc(24)] * 6, *[free()] * 3, *[malloc(24)] * 4]),
    "remote_free_twice": (
        "no-double-allocation",
        [*[malloc(24)] * 4, *[free(0, 1)] * 4, *[malloc(24), malloc(24, 1)] * 6],
    ),
    "calloc_tail": ("handed-out-zero", [malloc(61), free(), CALLOC]),
    "hundredth_live_hangs": ("allocation-ends", [malloc(4096)] * 100),
    "free_aligned_sized_aborts": ("free-ends", [ALIGNED, Operation(F.FREE_SIZED, aim=Aim.LIVE)]),
}


def run_on(library: Path, plan: list[Operation], timeout: float = 5.0) -> set[str]:
    """The allocator's properties that one run violates, the run being over."""
    with Foreign(library, environment=ENVIRONMENT, timeout=timeout) as target:
        events = target.run(plan).events
        told = evaluate_all(
            OF_THE_ALLOCATOR, events, quarantine=target.quarantine, quarantine_limit=target.quarantine_limit
        )
    return {one.which.name for one in told if one.answer is Answer.VIOLATED}


@pytest.mark.slow
@pytest.mark.parametrize("number", CORE_FAULTS)
def test_each_fault_of_the_core_that_breaks_order_is_named_by_its_property(number: int) -> None:
    if _build.unsupported():
        pytest.skip(str(_build.unsupported()))
    name, plan = CORE_FAULTS[number]
    assert name in run_on(build_fault(number, FOLDER), plan)
    assert run_on(build_fault(0, FOLDER), plan) == set()


@pytest.mark.skipif(compiler() is None, reason="needs a C compiler: apt-get install gcc")
@pytest.mark.parametrize("name", BROKEN_ALLOCATORS)
def test_each_broken_allocator_that_breaks_order_is_named_by_its_property(name: str, tmp_path: Path) -> None:
    property_, plan = BROKEN_ALLOCATORS[name]
    broken = next(one for one in BROKEN if one.name == name)
    assert property_ in run_on(build(broken, tmp_path), plan, timeout=0.3)
    if name == "remote_free_twice":  # one of them without its bug stands for all
        assert run_on(build(broken, tmp_path, fixed=True), plan) == set()
