"""Tests of m4alloc.tune.engine."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.engine import ATTEMPTS, EngineError, InProcess, Processes, cores, engine_of
from m4alloc.tune.evaluate import Evaluator, Simulate
from m4alloc.tune.example import example_simulate, example_workload
from tests.m4alloc.tune import faulty

STRATEGIES = [Strategy(placement=place, refill_batch=batch) for batch in (8, 64, 256) for place in (0, 1, 2)]


def evaluator(simulate: Simulate, name: str = "one") -> Evaluator:
    return Evaluator((example_workload(100, name=name),), simulate=simulate)


def test_processes_and_this_process_give_the_same_evaluations_and_each_once() -> None:
    own = evaluator(example_simulate)
    with InProcess(own) as engine:
        expected = dict(engine.map(STRATEGIES))
    with Processes(own, 2) as several:
        found = list(several.map(STRATEGIES))
        assert sorted(place for place, _ in found) == list(range(len(STRATEGIES)))
        assert dict(found) == expected
        # The workers stay for the next map.
        pids = {worker.process.pid for worker in several._pool}
        assert dict(several.map(STRATEGIES[:3])) == {place: expected[place] for place in range(3)}
        assert {worker.process.pid for worker in several._pool} == pids
    assert not set(pids) & {child.pid for child in multiprocessing.active_children()}
    assert [one.strategy for _, one in sorted(expected.items())] == STRATEGIES
    assert not any(one.simulations for one in expected.values())


def test_a_candidate_over_which_workers_die_has_failed_and_the_others_have_not() -> None:
    with Processes(evaluator(faulty.dying), 2) as engine:
        found = dict(engine.map(STRATEGIES[:4]))
    assert {place: one.failure for place, one in found.items() if one.failed} == {2: "its worker died, 2 times"}
    assert found[2].strategy == STRATEGIES[2]
    assert engine.replaced == ATTEMPTS


def test_a_candidate_whose_worker_dies_once_is_evaluated_again(tmp_path: Path) -> None:
    own = evaluator(faulty.dying_once, str(tmp_path / "died"))
    with Processes(own, 2) as engine:
        found = dict(engine.map(STRATEGIES[:4]))
    assert engine.replaced == 1
    assert found == dict(InProcess(own).map(STRATEGIES[:4]))
    assert not any(one.failed for one in found.values())


def test_a_worker_that_is_killed_from_outside_is_replaced() -> None:
    with Processes(evaluator(faulty.slow), 2) as engine:
        found = {}
        for place, one in engine.map(STRATEGIES[:6]):
            if not found:
                # One in the middle of a candidate, or if the other has not begun yet, the one that gets the next.
                victim = max((worker for worker in engine._pool if worker.ready), key=lambda worker: worker.place)
                os.kill(victim.process.pid, signal.SIGKILL)
            found[place] = one
    assert len(found) == 6 and not any(one.failed for one in found.values())
    assert engine.replaced == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_simulator_raises_is_the_candidates_failure(workers: int) -> None:
    with engine_of("local", evaluator(faulty.raising), workers=workers) as engine:
        found = dict(engine.map(STRATEGIES[:3]))
    assert [found[place].failure for place in range(3)] == ["", "", "ArithmeticError: no such place"]


def test_a_missing_package_ends_the_campaign_and_is_named() -> None:
    missing = "the simulator needs numba: pip install 'm4alloc\\[tune\\]'"
    with Processes(evaluator(faulty.without_numba), 1) as engine, pytest.raises(EngineError, match=missing):
        list(engine.map(STRATEGIES[:3]))
    with InProcess(evaluator(faulty.without_numba)) as engine, pytest.raises(ModuleNotFoundError, match=missing):
        list(engine.map(STRATEGIES[:3]))


def test_once_stopped_no_candidate_is_begun() -> None:
    own = evaluator(faulty.slow)
    for engine in (InProcess(own), Processes(own, 2)):
        with engine:
            found: list[int] = []
            for place, _ in engine.map(STRATEGIES, lambda found=found: bool(found)):  # type: ignore[misc]
                found.append(place)
            # What was begun when the first was ready is finished.
            assert 1 <= len(found) <= engine.workers
            assert list(engine.map(STRATEGIES, lambda: True)) == []


def test_an_interrupt_from_the_terminal_does_not_end_workers() -> None:
    with Processes(evaluator(faulty.slow), 2) as engine:
        found = []
        for place, one in engine.map(STRATEGIES[:4]):
            for worker in engine._pool:
                if worker.ready:
                    os.kill(worker.process.pid, signal.SIGINT)
            found.append((place, one.failed))
            time.sleep(0.05)
    assert sorted(found) == [(place, False) for place in range(4)]
    assert engine.replaced == 0


def test_as_many_processes_as_cores_are_the_default() -> None:
    engine = engine_of("local", evaluator(example_simulate))
    assert engine.workers == cores()
    assert isinstance(engine_of("local", evaluator(example_simulate), workers=1), InProcess)


@pytest.mark.parametrize(
    ("name", "scheduler", "message"),
    [
        ("cloud", "", "there is no engine 'cloud'; there are local, dask"),
        ("local", "tcp://x:1", "a scheduler is for the engine dask; the local one has none"),
    ],
)
def test_misuse_is_told(name: str, scheduler: str, message: str) -> None:
    with pytest.raises(EngineError) as caught:
        engine_of(name, evaluator(example_simulate), scheduler=scheduler)
    assert str(caught.value) == message


def test_a_worker_that_cannot_begin_is_told() -> None:
    own = replace(evaluator(example_simulate), simulate=_Unloadable())
    with Processes(own, 1) as engine, pytest.raises(EngineError) as caught:
        list(engine.map(STRATEGIES[:2]))
    assert str(caught.value) == (
        "a worker process ended before it began, with status 1; try one worker "
        "(a script must be a file, and begin under if __name__ == '__main__':)"
    )


def test_a_script_without_a_file_is_told_whatever_the_size_of_its_workload() -> None:
    # More than a pipe holds, so that a start that waited for the worker to take it would wait for ever.
    script = (
        "from m4alloc.strategy import Strategy\n"
        "from m4alloc.tune.engine import Processes\n"
        "from m4alloc.tune.evaluate import Evaluator\n"
        "from m4alloc.tune.example import example_simulate, example_workload\n"
        "with Processes(Evaluator((example_workload(10000),), simulate=example_simulate), 2) as engine:\n"
        "    list(engine.map([Strategy(), Strategy(placement=1)]))\n"
    )
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, timeout=60, check=False)
    assert "m4alloc.tune.engine.EngineError: a worker process ended before it began, with status 1;" in done.stderr


def test_a_worker_in_the_middle_of_a_candidate_is_not_waited_for() -> None:
    began = time.monotonic()
    with Processes(evaluator(faulty.endless), 2) as engine:
        next(engine.map([STRATEGIES[2], STRATEGIES[1]]))
    assert time.monotonic() - began < 60


class _Unloadable:
    """A simulation that can be sent, and not be received."""

    def __call__(self, workload: object, strategy: Strategy) -> object:
        return example_simulate(workload, strategy)  # type: ignore[arg-type]

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return int, ("no number",)
