"""The engine of a cluster: candidates are tasks of dask.distributed, and the workloads are sent to each worker once."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import Any, Final, Self

from m4alloc.tune.engine import ATTEMPTS, EngineError, Stop, judged, never
from m4alloc.tune.evaluate import failed, version

TIMEOUT: Final = 10.0
"""Seconds in which a scheduler must answer."""

PATIENCE: Final = 60.0
"""Seconds in which one worker at least must be there, or be there again."""


class DaskEngine:
    """A cluster that runs already, by the address of its scheduler (`tcp://HOST:8786`).

    The workers need this package, of the same version. A worker that is lost loses nothing: what it was at is done
    again by another. A candidate over which the scheduler gives up, or all workers die again and again, has failed.
    judge, lost: as of m4alloc.tune.engine.Processes.
    Raises EngineError: no dask.distributed, no address, nobody there, workers of another version.
    """

    def __init__(
        self,
        evaluator: Any,
        scheduler: str,
        timeout: float = TIMEOUT,
        judge: Callable[[Any, Any], Any] = judged,
        lost: Callable[[Any, str], Any] = failed,
    ) -> None:
        if not scheduler:
            raise EngineError("the dask engine needs the address of a scheduler: --scheduler tcp://HOST:8786")
        try:
            distributed: Any = import_module("distributed")
        except ModuleNotFoundError:
            raise EngineError("the dask engine needs dask.distributed: pip install 'm4alloc[cluster]'") from None
        try:
            distributed.comm.resolve_address(scheduler)
            self._client: Any = distributed.Client(scheduler, timeout=timeout, set_as_default=False)
        except (ValueError, TypeError) as error:
            raise EngineError(f"{scheduler!r} is no address of a scheduler ({error}); one is tcp://HOST:8786") from None
        except (OSError, TimeoutError) as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise EngineError(f"no scheduler answers at {scheduler} within {timeout:g} s ({why})") from None
        except Exception as error:  # whatever a stranger's answer leads to
            raise EngineError(f"what answers at {scheduler} is no scheduler of dask ({type(error).__name__})") from None
        self._evaluator = evaluator
        self._judge, self._lost = judge, lost
        self._sent: Any = None

    @property
    def workers(self) -> int:
        """How many threads the cluster has for candidates now."""
        return sum(self._client.nthreads().values())

    def map(self, strategies: Sequence[Any], stop: Stop = never) -> Iterator[tuple[int, Any]]:
        left = dict(enumerate(strategies))
        for place, one in self._round(left, stop):
            del left[place]
            yield place, one
        # What was lost may have been what its workers died of: it comes alone, so that it takes nothing with it.
        for place, strategy in left.items():
            for _ in range(ATTEMPTS):
                if stop():
                    return
                told = next((one for _, one in self._round({place: strategy}, stop)), None)
                if told is not None:
                    yield place, told
                    break
            else:
                yield place, self._lost(strategy, f"its worker died, {ATTEMPTS} times")

    def _round(self, left: dict[int, Any], stop: Stop) -> Iterator[tuple[int, Any]]:
        """What comes back of those left; what does not was lost together with the workloads."""
        futures: dict[Any, int] = {}
        given = dict(left)
        done: SimpleQueue[Any] = SimpleQueue()
        try:
            if self._sent is None or self._sent.status != "finished":
                self._sent = self._scattered()
            for place, strategy in given.items():
                future = self._client.submit(self._judge, self._sent, strategy, pure=False)
                futures[future] = place
                future.add_done_callback(done.put)
            while futures and not stop():
                try:
                    future = done.get(timeout=0.2)
                except Empty:
                    # What was lost together with the workloads is never done.
                    for future in [one for one in futures if one.status in ("lost", "cancelled")]:
                        del futures[future]
                    continue
                place = futures.pop(future, -1)
                if place >= 0 and future.status == "finished":
                    told = self._result(future)
                    if told is not None:
                        yield place, told
                elif place >= 0 and future.status == "error":
                    yield place, self._failed(future, given[place])
        finally:
            if futures:
                self._client.cancel(list(futures))

    def _result(self, future: Any) -> Any:
        """What came out; None: its worker was lost before it could be fetched."""
        try:
            return future.result()
        except (Exception, CancelledError):
            return None

    def _scattered(self) -> Any:
        """The evaluator on every worker. Waits for a worker."""
        try:
            self._client.wait_for_workers(1, timeout=PATIENCE)
            self._check_versions()
            return self._client.scatter(self._evaluator, broadcast=True, hash=False)
        except (OSError, TimeoutError):
            raise EngineError(f"the scheduler has no workers; start some: dask worker {self._address}") from None

    def _check_versions(self) -> None:
        """Another version would give other numbers without a word."""
        for told in self._client.run(version, on_error="return").values():
            if isinstance(told, ModuleNotFoundError | AttributeError | ImportError):
                told = f"no such m4alloc ({told})"
            # Whatever else went wrong there, a worker that was lost say, is for the candidates to find out.
            if isinstance(told, str) and told != version():
                raise EngineError(f"the workers of {self._address} have {told}; this is {version()}")

    @property
    def _address(self) -> str:
        return str(self._client.scheduler.address)

    def _failed(self, future: Any, strategy: Any) -> Any:
        error = future.exception()
        if isinstance(error, ModuleNotFoundError):
            raise EngineError(f"the workers of {self._address} lack something: {error}")
        return self._lost(strategy, f"{type(error).__name__}: {error}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, tb: object) -> None:
        self._client.close()
