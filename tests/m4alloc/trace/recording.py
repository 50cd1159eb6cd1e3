"""Record small programs in tests, on every allocator that is there."""

from __future__ import annotations

import os
import resource
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from m4alloc.lib import recorder
from m4alloc.trace.index import TraceTree, open_index
from m4alloc.trace.preload import library_of, preloaded
from m4alloc.trace.read import Trace
from m4alloc.trace.record import record
from tests.m4alloc.native import build

PROGRAMS = Path(__file__).parent / "programs"
PEERS = {
    "libmimalloc.so.2": "libmimalloc2.0",
    "libjemalloc.so.2": "libjemalloc2",
    "libtcmalloc_minimal.so.4": "libtcmalloc-minimal4",
}
"""Other allocators that may be there, and Debian's package of each."""
LIBRARY_FOLDERS = tuple(Path(folder) for folder in ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"))
ALLOCATORS = ("m4alloc", "system", "libmimalloc.so.2", "libjemalloc.so.2")


def allocator(name: str) -> str:
    """The name or path to record on; a peer that is not installed skips the test."""
    if name not in PEERS:
        return name
    for folder in LIBRARY_FOLDERS:
        if (folder / name).exists():
            return str(folder / name)
    pytest.skip(f"{name} is missing: apt install {PEERS[name]}")


def program(name: str, *flags: str) -> str:
    """The compiled program of programs/, by the name of its source."""
    return str(build(PROGRAMS / name, *flags))


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording and what the program wrote."""

    tree: TraceTree
    status: int
    out: str
    err: str

    @property
    def only(self) -> Trace:
        """The trace of a program that has one image."""
        (trace,) = self.tree.traces
        return trace


def recorded(
    argv: Sequence[str],
    folder: Path,
    *,
    on: str = "system",
    limit: int | None = None,
    env: Mapping[str, str] | None = None,
) -> Recorded:
    """Record through the library face, with the program's outputs caught in files."""
    with (folder / "out").open("w+") as out, (folder / "err").open("w+") as err:
        report = record(
            argv,
            folder / "trace",
            allocator=on,
            limit=limit,
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out.fileno(),
            stderr=err.fileno(),
        )
        out.seek(0)
        err.seek(0)
        return Recorded(open_index(report.index), report.status, out.read(), err.read())


def recorded_by_hand(
    argv: Sequence[str], folder: Path, *, on: str = "system", limits: Mapping[int, int] | None = None
) -> tuple[subprocess.CompletedProcess[str], list[Trace]]:
    """Record with LD_PRELOAD alone, in a process with the limits given; the traces are the files there are."""

    def restrict() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, value in (limits or {}).items():
            resource.setrlimit(number, (value, value))

    library = library_of(on)
    with preloaded([recorder(), *([library] if library else [])], "") as value:
        done = subprocess.run(
            argv,
            env={**os.environ, "LD_PRELOAD": value, "M4ALLOC_RECORD": str(folder / "trace")},
            capture_output=True,
            text=True,
            preexec_fn=restrict,
        )
    return done, [Trace.open(path) for path in sorted(folder.glob("trace.*.*"))]


def calls_from(trace: Trace, low: int, high: int) -> Counter[str]:
    """How many calls of each function were made by code in [low, high)."""
    return Counter(event.function.name.lower() for event in trace.events() if low <= event.site < high)


def own_counts(line: str) -> tuple[int, int, int, Counter[str]]:
    """Process, bounds of its code and counts, from a line that programs/calls.c writes."""
    pid, low, high, *counts = line.split()
    pairs = (word.split("=") for word in counts)
    return int(pid), int(low), int(high), Counter({name: int(count) for name, count in pairs if int(count)})
