"""What share of a program's processor time is spent inside its allocator, and how often it touches fresh memory."""

from __future__ import annotations

import ctypes
import mmap
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from m4alloc.bench.launch import Launcher
from m4alloc.bench.peer import Peer
from m4alloc.program import locate
from m4alloc.tune.native import library

RECORD = struct.Struct("<8Q")
RECORDS = 1 << 14
"""As in share.c; the first record's place holds how many were taken."""
REASONS = {
    2: "where in its libc the allocator is cannot be told",
    3: "no timer could be started",
    4: "the program uses SIGPROF itself",
}
LEAST_SAMPLES = 50
ENOUGH = 2.0
"""Seconds of processor time."""
REPEATED = 40
"""Short looks, for the least of them is one that nothing else disturbed."""
COVERED = 0.7
"""The part of the processor time that must have been sampled."""


@dataclass(frozen=True, slots=True)
class Share:
    """The allocator's share of the processor time of a program and the children it waited for.

    fraction: from 0 to 1; None: not measured, and `reason` says why. error: one standard deviation of it. samples:
    milliseconds that were judged. faults: pages that it touched for the first time, or again after they were given
    back. refaults: those beyond what was resident at the peak: all that better keeping of pages could save. images:
    programs that began, forks included. cpu: seconds, of all runs.
    """

    allocator: str
    fraction: float | None
    error: float
    samples: int
    faults: int
    refaults: int
    images: int
    cpu: float
    reason: str = ""


def share(
    command: Sequence[str], peer: Peer, *, runs: int = 1, timeout: float = 600.0, status: int | None = None
) -> Share:
    """Run the program and look about every millisecond of processor time whether it is in its allocator.

    runs: so many at most, all together, until they took 2 s of it. timeout: seconds of each. status: the exit status
    that is right; None: any.
    Functions of libc that the allocator calls directly count; kernel time counts where the call was made; first touches
    of memory count where the program makes them, and are told. The kernel looks at such timers once a tick, of 1 to
    10 ms. Before Linux 6.4 it disturbed mostly the first thread, so that what others do is seen too rarely.
    Raises ProgramError, BuildError, OSError. Cost: the runs, a per cent slower.

    >>> share(["true"], Peer("glibc", "")).reason
    'too short: less than 50 samples of a millisecond'
    """
    program, cpu, taken, how = locate(command), 0.0, 0, ""
    records: list[tuple[int, ...]] = []
    with TemporaryDirectory(prefix="m4alloc-share-") as scratch:
        launcher, path = Launcher(Path(scratch)), Path(scratch) / "records"
        preload = " ".join(filter(None, (str(library("share")), peer.preload)))
        variables = {"LD_PRELOAD": preload, "M4ALLOC_SHARE_FILE": str(path)}
        for _ in range(runs):
            with path.open("wb") as file:
                file.truncate((RECORDS + 1) * RECORD.size)
            run = launcher.run(program.argv, peer, path=str(program.path), timeout=timeout, variables=variables)
            wanted, given = read(path.read_bytes())
            taken, cpu, records = taken + wanted, cpu + run.cpu, records + given
            if run.timed_out or (status is not None and run.status != status):
                how = run.ended() or "ended with status 0"
                break
            if cpu >= ENOUGH:
                break
    return shared(peer.name, taken, records, cpu, how)


def read(held: bytes) -> tuple[int, list[tuple[int, ...]]]:
    """How many records were asked for, and those that were given."""
    taken = RECORD.unpack_from(held)[0]
    return taken, [RECORD.unpack_from(held, RECORD.size * (1 + at)) for at in range(min(taken, RECORDS))]


def shared(name: str, taken: int, records: Sequence[tuple[int, ...]], cpu: float, failed: str = "") -> Share:
    """What the records come to. cpu: seconds that were used in all.

    >>> shared("mine", 1, [(1, 4711, 1000, 100, 80, 400, 1_000_000, 0)], 1.01).fraction
    0.25
    """
    samples, inside, faults, looks = (sum(record[at] for record in records) for at in (2, 3, 4, 5))
    covered = sum(record[2] * record[6] * 1e-9 for record in records)
    refaults = sum(max(0, record[4] - record[7] * 1024 // mmap.PAGESIZE) for record in records)
    states = {record[0] for record in records}
    reason = next((REASONS[state] for state in REASONS if state in states), "")
    if failed:
        reason = f"with the sampler the program {failed}"
    elif not records:
        reason = "the sampler was not loaded: the program is statically linked, or drops LD_PRELOAD"
    elif not reason and samples < LEAST_SAMPLES and cpu * 1e3 < 2 * LEAST_SAMPLES:
        reason = f"too short: less than {LEAST_SAMPLES} samples of a millisecond"
    elif not reason and (covered < COVERED * cpu or samples < LEAST_SAMPLES):
        reason = (
            f"only {covered:.2f} s of {cpu:.2f} s were sampled: the program holds SIGPROF back, or is many short ones"
        )
    fraction = inside / looks if looks and not reason else None
    error = (fraction * (1 - fraction) / looks) ** 0.5 if fraction is not None else 0.0
    return Share(name, fraction, error, samples, faults, refaults, taken, cpu, reason)


def fault_seconds(pages: int = 256) -> float:
    """What the first touch of a page takes on this machine. Cost: 20 ms.

    >>> 1e-8 < fault_seconds() < 1e-3
    True
    """
    size = pages * mmap.PAGESIZE
    touched: list[list[float]] = []
    for _ in range(REPEATED):
        with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            memory.madvise(mmap.MADV_NOHUGEPAGE)
            view = (ctypes.c_char * size).from_buffer(memory)
            touched.append([])
            for value in (1, 2):
                begun = time.perf_counter()
                ctypes.memset(view, value, size)
                touched[-1].append(time.perf_counter() - begun)
            del view
    first, again = (min(times) for times in zip(*touched, strict=True))
    return float(max(first - again, 0.0) / pages)
