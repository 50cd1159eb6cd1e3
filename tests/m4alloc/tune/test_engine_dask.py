"""Tests of m4alloc.tune.engine_dask: on a real cluster of this machine, whose workers are processes."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from m4alloc import __version__
from m4alloc.strategy import Strategy
from m4alloc.tune.engine import EngineError, InProcess, engine_of
from m4alloc.tune.engine_dask import DaskEngine
from m4alloc.tune.evaluate import MODEL, Evaluator, Simulate
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.search import search
from m4alloc.tune.space import Space
from tests.m4alloc.tune import faulty

distributed = pytest.importorskip("distributed")

STRATEGIES = [Strategy(placement=place, refill_batch=batch) for batch in range(1, 14) for place in (0, 1)]


def evaluator(simulate: Simulate) -> Evaluator:
    return Evaluator((example_workload(100),), simulate=simulate)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler and two worker processes, each of which a nurse replaces when it dies."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as running:
        yield running


def processes(address: str) -> list[int]:
    """The process ids of the workers."""
    with distributed.Client(address, set_as_default=False) as client:
        return sorted(client.run(os.getpid).values())


@pytest.mark.slow
def test_a_campaign_on_a_cluster_is_the_same_as_in_this_process(cluster: Any) -> None:
    own, space = evaluator(example_simulate), Space.of()
    here = search(space, own, method="portfolio", budget=30, workers=1)
    there = search(space, own, method="portfolio", budget=30, engine="dask", scheduler=cluster.scheduler_address)
    assert there.evaluations == here.evaluations
    assert there.archive.front == here.archive.front


@pytest.mark.slow
def test_a_worker_that_is_killed_in_the_middle_loses_nothing(cluster: Any) -> None:
    own = evaluator(faulty.slow)
    before = processes(cluster.scheduler_address)
    found = {}
    with DaskEngine(own, cluster.scheduler_address) as engine:
        assert engine.workers == 2
        for place, one in engine.map(STRATEGIES):
            if len(found) == 3:
                os.kill(before[0], signal.SIGKILL)
            assert place not in found
            found[place] = one
    assert found == dict(InProcess(evaluator(example_simulate)).map(STRATEGIES))
    assert before[0] not in processes(cluster.scheduler_address)


@pytest.mark.campaign
def test_when_all_workers_die_the_workloads_are_sent_again(cluster: Any) -> None:
    own = evaluator(faulty.slow)
    found = {}
    with DaskEngine(own, cluster.scheduler_address) as engine:
        for place, one in engine.map(STRATEGIES[:8]):
            if not found:
                for process in processes(cluster.scheduler_address):
                    os.kill(process, signal.SIGKILL)
            found[place] = one
    assert found == dict(InProcess(evaluator(example_simulate)).map(STRATEGIES[:8]))


@pytest.mark.campaign
def test_a_candidate_over_which_workers_die_has_failed_and_the_others_have_not() -> None:
    # A cluster of its own: nurses do not replace workers for ever.
    with (
        distributed.LocalCluster(
            n_workers=3, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as running,
        DaskEngine(evaluator(faulty.dying), running.scheduler_address) as engine,
    ):
        found = dict(engine.map([Strategy(placement=place) for place in range(3)]))
    assert [one.failed for _, one in sorted(found.items())] == [False, False, True]
    assert found[2].failure.startswith(("KilledWorker: ", "its worker died, 2 times"))


def test_what_the_simulator_raises_is_the_candidates_failure(cluster: Any) -> None:
    three = [Strategy(placement=place) for place in range(3)]
    with DaskEngine(evaluator(faulty.raising), cluster.scheduler_address) as engine:
        found = dict(engine.map(three))
    assert [found[place].failure for place in range(3)] == ["", "", "ArithmeticError: no such place"]


def test_a_package_that_workers_lack_is_named(cluster: Any) -> None:
    engine = DaskEngine(evaluator(faulty.without_numba), cluster.scheduler_address)
    with engine, pytest.raises(EngineError) as caught:
        list(engine.map(STRATEGIES[:2]))
    assert str(caught.value) == (
        f"the workers of {cluster.scheduler_address} lack something: "
        "the simulator needs numba: pip install 'm4alloc[tune]'"
    )


def test_workers_of_another_version_are_refused(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.tune.evaluate.MODEL", 99)
    engine = DaskEngine(evaluator(example_simulate), cluster.scheduler_address)
    with engine, pytest.raises(EngineError) as caught:
        list(engine.map(STRATEGIES[:1]))
    here = f"m4alloc {__version__}, model"
    assert str(caught.value) == f"the workers of {cluster.scheduler_address} have {here} {MODEL}; this is {here} 99"


def test_once_stopped_no_candidate_is_begun(cluster: Any) -> None:
    with DaskEngine(evaluator(faulty.slow), cluster.scheduler_address) as engine:
        found: list[int] = []
        began = time.monotonic()
        for place, _ in engine.map(STRATEGIES, lambda: bool(found)):
            found.append(place)
        assert len(found) == 1
        assert time.monotonic() - began < 0.1 * len(STRATEGIES) / 2
        assert list(engine.map(STRATEGIES, lambda: True)) == []


def test_a_scheduler_without_workers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.tune.engine_dask.PATIENCE", 0.5)
    with distributed.LocalCluster(n_workers=0, processes=True, dashboard_address=":0", silence_logs=50) as empty:
        engine = DaskEngine(evaluator(example_simulate), empty.scheduler_address)
        with engine, pytest.raises(EngineError) as caught:
            list(engine.map(STRATEGIES[:1]))
        assert str(caught.value) == (f"the scheduler has no workers; start some: dask worker {empty.scheduler_address}")


def test_a_scheduler_that_is_not_there_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        DaskEngine(evaluator(example_simulate), address, timeout=1.0)
    assert str(caught.value).startswith(f"no scheduler answers at {address} within 1 s (")
    assert time.monotonic() - began < 5


def test_something_else_that_listens_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"

        def hang_up() -> None:
            other.settimeout(5)
            try:
                while True:
                    connection, _ = other.accept()
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.close()
            except OSError:
                return

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(EngineError) as caught:
            DaskEngine(evaluator(example_simulate), address, timeout=1.0)
    assert str(caught.value).startswith(f"what answers at {address} is no scheduler of dask (")


@pytest.mark.parametrize("address", ["nonsense://x", "tcp://", "http://127.0.0.1:1", "127.0.0.1"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(EngineError) as caught:
        DaskEngine(evaluator(example_simulate), address, timeout=1.0)
    text = str(caught.value)
    assert text.startswith((f"{address!r} is no address of a scheduler (", f"no scheduler answers at {address} within"))


def test_no_address_is_told() -> None:
    with pytest.raises(EngineError) as caught:
        engine_of("dask", evaluator(example_simulate))
    assert str(caught.value) == "the dask engine needs the address of a scheduler: --scheduler tcp://HOST:8786"


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EngineError) as caught:
        engine_of("dask", evaluator(example_simulate), scheduler="tcp://127.0.0.1:8786")
    assert str(caught.value) == "the dask engine needs dask.distributed: pip install 'm4alloc[cluster]'"
