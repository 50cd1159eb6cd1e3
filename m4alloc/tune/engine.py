"""Engine: where candidates are evaluated: in this process, in several processes, or on a cluster (engine_dask).

Which engine, and how many workers it has, changes nothing about the results.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final, Protocol, Self

from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import Evaluator, Scored, failed

ENGINES: Final = ("local", "dask")

ATTEMPTS: Final = 2
"""How many workers may die over a candidate before it is given up."""

Stop = Callable[[], bool]


class EngineError(RuntimeError):
    """Candidates cannot be evaluated there; the message says why and what to do."""


class Engine(Protocol):
    """Evaluates candidates; used in a with-statement."""

    @property
    def workers(self) -> int:
        """How many candidates are evaluated at the same time."""
        ...

    def map(self, strategies: Sequence[Strategy], stop: Stop = ...) -> Iterator[tuple[int, Scored]]:
        """Each candidate's place and what it is worth, as they come in.

        A candidate that raises, or over which two workers died, is among them as failed. Once stop() is true no further
        candidate is begun. Raises: EngineError.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...


def never() -> bool:
    """No reason to stop."""
    return False


def judged(evaluator: Evaluator, strategy: Strategy) -> Scored:
    """The evaluation without its simulations, which are many numbers; what the evaluator raises is a failure."""
    try:
        return replace(evaluator.evaluate(strategy), simulations=())
    except ModuleNotFoundError:
        raise  # every candidate would fail
    except Exception as error:
        return failed(strategy, f"{type(error).__name__}: {error}")


def engine_of(
    name: str,
    evaluator: Any,
    *,
    workers: int = 0,
    scheduler: str = "",
    judge: Callable[[Any, Any], Any] = judged,
    lost: Callable[[Any, str], Any] = failed,
) -> Engine:
    """The engine of that name. workers: processes, 0 for as many as there are cores. scheduler: of dask, an address.

    judge, lost: for other work than candidates, as of Processes. Raises: EngineError.

    >>> from m4alloc.tune.example import example_simulate, example_workload
    >>> engine_of("cloud", Evaluator((example_workload(),), simulate=example_simulate))
    Traceback (most recent call last):
    m4alloc.tune.engine.EngineError: there is no engine 'cloud'; there are local, dask
    """
    if name == "dask":
        from m4alloc.tune.engine_dask import DaskEngine

        return DaskEngine(evaluator, scheduler, judge=judge, lost=lost)
    if name != "local":
        raise EngineError(f"there is no engine {name!r}; there are {', '.join(ENGINES)}")
    if scheduler:
        raise EngineError("a scheduler is for the engine dask; the local one has none")
    count = workers or cores()
    return InProcess(evaluator, judge) if count == 1 else Processes(evaluator, count, judge, lost)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


class InProcess:
    """One candidate after another, in this process: for one core, and for debugging.  judge: as of Processes.

    >>> from m4alloc.tune.example import example_simulate, example_workload
    >>> with InProcess(Evaluator((example_workload(),), simulate=example_simulate)) as engine:
    ...     [(place, one.objectives.time) for place, one in engine.map([Strategy()])]
    [(0, 1.0)]
    """

    workers = 1

    def __init__(self, evaluator: Any, judge: Callable[[Any, Any], Any] = judged) -> None:
        self.evaluator = evaluator
        self._judge = judge

    def map(self, strategies: Sequence[Any], stop: Stop = never) -> Iterator[tuple[int, Any]]:
        for place, strategy in enumerate(strategies):
            if stop():
                return
            yield place, self._judge(self.evaluator, strategy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None: ...


@dataclass(slots=True)
class _Worker:
    process: Any
    pipe: Connection
    place: int = -1
    """Of the candidate it is at; -1: none."""
    given: bool = False
    """Whether the evaluator was sent to it."""
    ready: bool = False


class Processes:
    """Workers of this machine, each of which gets the evaluator once, at its start.

    A worker that dies is replaced, and its candidate evaluated again. The workers are started by the first map, and
    live until the with-statement ends. As with all of multiprocessing, a script that uses it must be a file
    that can be imported: what it does stands under `if __name__ == "__main__":`.

    judge, lost: other work than candidates (m4alloc.superopt.campaign): what is done with the evaluator and each item,
    and what is told of an item over which workers died. Both are functions of modules, so that they can be sent.
    """

    def __init__(
        self,
        evaluator: Any,
        workers: int,
        judge: Callable[[Any, Any], Any] = judged,
        lost: Callable[[Any, str], Any] = failed,
    ) -> None:
        self.workers = workers
        self.replaced = 0
        """Workers that died and were replaced."""
        self._sent = judge, evaluator
        self._lost = lost
        self._context = multiprocessing.get_context("spawn")
        self._pool: list[_Worker] = []

    def map(self, strategies: Sequence[Any], stop: Stop = never) -> Iterator[tuple[int, Any]]:
        waiting = deque(range(len(strategies)))
        deaths = [0] * len(strategies)
        while len(self._pool) < min(self.workers, len(strategies)):
            self._pool.append(self._started())
        while True:
            if not stop():
                self._hand_out(waiting, strategies)
            if not any(worker.place >= 0 for worker in self._pool) and (stop() or not waiting):
                return
            for worker, told in self._heard():
                if told is None:
                    place = worker.place
                    self._replace(worker)
                    if place < 0:
                        continue
                    deaths[place] += 1
                    if deaths[place] < ATTEMPTS:
                        waiting.appendleft(place)
                    else:
                        yield place, self._lost(strategies[place], f"its worker died, {ATTEMPTS} times")
                elif worker.place >= 0:
                    place, worker.place = worker.place, -1
                    yield place, told

    def _hand_out(self, waiting: deque[int], strategies: Sequence[Any]) -> None:
        for worker in self._pool:
            if waiting and worker.ready and worker.place < 0:
                place = waiting.popleft()
                worker.place = place
                with suppress(OSError):  # it has died, and will be heard of
                    worker.pipe.send(strategies[place])

    def _heard(self) -> list[tuple[_Worker, Any]]:
        """What workers said, after a while at most; None: that worker has died."""
        heard: list[tuple[_Worker, Any]] = []
        pipes = {worker.pipe: worker for worker in self._pool}
        for pipe in wait(list(pipes), timeout=0.2):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                told = worker.pipe.recv()
            except (EOFError, OSError):
                if not worker.ready:
                    worker.process.join(5)
                    raise EngineError(
                        f"a worker process ended before it began, with status {worker.process.exitcode}; try one "
                        f"worker (a script must be a file, and begin under if __name__ == '__main__':)"
                    ) from None
                heard.append((worker, None))
                continue
            if isinstance(told, str):
                if told:
                    raise EngineError(told)
                worker.ready = worker.given
                if not worker.given:
                    worker.given = True
                    with suppress(OSError):  # it has died, and will be heard of
                        worker.pipe.send(self._sent)
            else:
                heard.append((worker, told))
        return heard

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        # The evaluator follows when the worker says that it is there: start() writes its arguments into a pipe whose
        # other end stays open here, and would wait for ever on one that ended before it read them.
        process = self._context.Process(target=_work, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _replace(self, worker: _Worker) -> None:
        self.replaced += 1
        worker.pipe.close()
        worker.process.join(5)
        self._pool[self._pool.index(worker)] = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        for worker in self._pool:
            worker.pipe.close()
        for worker in self._pool:
            worker.process.terminate()
            worker.process.join()
        self._pool.clear()


def _work(pipe: Connection) -> None:
    """A worker's life: candidates in, evaluations out, until the pipe is closed."""
    # An interrupt from the terminal is for the search, which finishes what was begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send("")
    try:
        judge, evaluator = pipe.recv()
    except (EOFError, OSError):
        return
    pipe.send("")
    while True:
        try:
            strategy = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            told = judge(evaluator, strategy)
        except ModuleNotFoundError as error:
            told = str(error)
        pipe.send(told)
