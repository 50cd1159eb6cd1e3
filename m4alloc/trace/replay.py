"""Replay recorded calls natively on chosen allocators, and measure the time and the memory that they take."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from m4alloc.lib import replayer
from m4alloc.trace.formats.reading import open_tree
from m4alloc.trace.index import SCHEMA
from m4alloc.trace.operations import Operations, compile_trace
from m4alloc.trace.preload import library_of, preloaded

RESULT = np.dtype([(name, "<u8") for name in ("nanoseconds", "requests", "failures", "baseline", "peak")])


class ReplayError(Exception):
    """The replay did not come to its end; the message says what happened."""


@dataclass(frozen=True, slots=True)
class AllocatorResult:
    """What one allocator did. Times and memory are those of all process images of the recording together.

    seconds: median over the repetitions; all_seconds: each of them. peak_bytes: resident memory that the blocks and
    the allocator added at the peak of the largest image, median. failures: requests that failed here, not there.
    """

    allocator: str
    library: str
    seconds: float
    all_seconds: tuple[float, ...]
    peak_bytes: int
    failures: int

    def to_json(self) -> dict[str, Any]:
        return {
            "allocator": self.allocator,
            "library": self.library,
            "seconds": self.seconds,
            "all_seconds": list(self.all_seconds),
            "peak_bytes": self.peak_bytes,
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The replay of one recording: requests made in each repetition, and a result for each allocator.

    skipped: recorded calls that cannot be made again, see m4alloc.trace.operations.Operations.
    """

    path: Path
    images: int
    requests: int
    skipped: int
    results: tuple[AllocatorResult, ...]

    @property
    def seconds(self) -> float:
        """Of the first allocator."""
        return self.results[0].seconds

    @property
    def peak_bytes(self) -> int:
        """Of the first allocator."""
        return self.results[0].peak_bytes

    def to_json(self) -> dict[str, Any]:
        """The report as `m4alloc replay --json` prints it."""
        return {
            "schema": SCHEMA,
            "verb": "replay",
            "trace": str(self.path),
            "images": self.images,
            "requests": self.requests,
            "skipped": self.skipped,
            "results": [result.to_json() for result in self.results],
        }


def replay(
    path: str | os.PathLike[str],
    *,
    allocator: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = ("m4alloc", "system"),
    rounds: int = 5,
) -> ReplayReport:
    """Make the recorded calls again in a fresh process, `rounds` times on each allocator, in turns.

    path: a recording's index, or one trace. allocator: "m4alloc", "system", the path of a library, or several of these.
    Each process image is replayed in a process of its own, in one thread, in the order in which the calls began;
    one byte of each page of a block is written. The allocator is that process's malloc, by LD_PRELOAD.
    Raises TraceError, AllocatorError, LibraryError, ReplayError, ValueError (rounds below 1), OSError.
    Cost: about a microsecond a call to prepare, then what the allocators take.
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds}; at least one replay is needed")
    names = [allocator] if isinstance(allocator, str | os.PathLike) else list(allocator)
    libraries = [library_of(name) for name in names]
    tree = open_tree(path)
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        plans: list[tuple[Path, Operations]] = []
        for trace in tree.traces:
            operations = compile_trace(trace, tree.inherited(trace))
            if operations.requests:
                plan = Path(folder) / trace.path.name
                with plan.open("wb") as file:
                    operations.write(file)
                plans.append((plan, operations))
        skipped = sum(operations.skipped for _, operations in plans)
        requests = sum(operations.requests for _, operations in plans)
        runs: list[list[_Run]] = [[] for _ in names]
        for _ in range(rounds):
            for name, library, done in zip(names, libraries, runs, strict=True):
                done.append(_sum([_once(plan, library, os.fspath(name), it.requests) for plan, it in plans]))
    results = [_result(os.fspath(name), done) for name, done in zip(names, runs, strict=True)]
    return ReplayReport(tree.path, len(tree.traces), requests, skipped, tuple(results))


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    peak_bytes: int
    failures: int
    library: str


def _once(plan: Path, library: Path | None, name: str, requests: int) -> _Run:
    """One image's replay. The host is this interpreter's program, whose main never runs.

    The result comes by standard output, which the allocator can write to as well: all that came has to be one result,
    of as many requests as were asked for, and the name of the file that served them.
    """
    with preloaded([replayer(), *([library] if library else [])], "") as value:
        environment = {key: text for key, text in os.environ.items() if key != "LD_PRELOAD"}
        environment |= {"LD_PRELOAD": value, "M4ALLOC_REPLAY": str(plan)}
        done = subprocess.run([sys.executable, "-c", ""], env=environment, capture_output=True)
        head, served_by = done.stdout[: RESULT.itemsize], os.fsdecode(done.stdout[RESULT.itemsize :])
        is_file = not served_by or os.path.exists(served_by)  # noqa: PTH110 - what is no name at all is no file
    if done.returncode < 0:
        what = f"was killed by {signal.Signals(-done.returncode).name}"
        raise ReplayError(f"the replay on {name} {what}: {done.stderr.decode(errors='replace').strip()}")
    if done.returncode != 0 or len(head) < RESULT.itemsize:
        raise ReplayError(f"the replay on {name} ended with status {done.returncode}, without a result")
    result = np.frombuffer(head, RESULT)[0]
    if int(result["requests"]) != requests or not is_file:
        raise ReplayError(
            f"the replay on {name} told what is no result; the allocator seems to write to standard output, where the "
            "result is told"
        )
    return _Run(
        float(result["nanoseconds"]) / 1e9,
        max(0, int(result["peak"]) - int(result["baseline"])),
        int(result["failures"]),
        served_by,
    )


def _sum(images: Sequence[_Run]) -> _Run:
    return _Run(
        sum(run.seconds for run in images),
        max((run.peak_bytes for run in images), default=0),
        sum(run.failures for run in images),
        images[0].library if images else "",
    )


def _result(name: str, runs: Sequence[_Run]) -> AllocatorResult:
    seconds = tuple(run.seconds for run in runs)
    peak = int(statistics.median(run.peak_bytes for run in runs))
    return AllocatorResult(name, runs[0].library, statistics.median(seconds), seconds, peak, runs[0].failures)
