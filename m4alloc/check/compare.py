"""Run a program on two allocators in turn and compare: time, peak memory, and whether it said and did the same."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import IO

from m4alloc.program import Program


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program. status: 128 + n when signal n killed it; output: a digest of stdout and stderr."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    floor_bytes: int
    status: int
    output: str


@dataclass(frozen=True, slots=True)
class Side:
    """The runs on one allocator, at least one."""

    allocator: str
    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        """Median wall-clock time."""
        return median(run.seconds for run in self.runs)

    @property
    def peak_bytes(self) -> float:
        """Median peak resident memory."""
        return median(run.peak_bytes for run in self.runs)


class Output(StrEnum):
    """Whether the program wrote the same and ended the same on both allocators."""

    EQUAL = "equal"
    DIFFERS = "differs"
    VARIES = "varies"
    """It is not even the same from run to run on the second allocator, so nothing can be said."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The program on our allocator and on the other, run in turn."""

    ours: Side
    other: Side

    @property
    def time_ratio(self) -> float:
        """Median time on ours over median time on the other."""
        return self.ours.seconds / self.other.seconds

    @property
    def floor_bytes(self) -> int:
        """Peaks up to this cannot be told apart."""
        return max(run.floor_bytes for side in (self.ours, self.other) for run in side.runs)

    @property
    def peak_ratio(self) -> float | None:
        """Median peak memory on ours over that on the other; None when a peak is below what can be measured."""
        if min(self.ours.peak_bytes, self.other.peak_bytes) <= 1.05 * self.floor_bytes:
            return None
        return self.ours.peak_bytes / self.other.peak_bytes

    @property
    def output(self) -> Output:
        """Compare what was written and the exit status, over all runs."""
        ours = {(run.output, run.status) for run in self.ours.runs}
        other = {(run.output, run.status) for run in self.other.runs}
        if ours == other and len(ours) == 1:
            return Output.EQUAL
        # One run a side cannot show that the program varies; several on the other side can.
        return Output.VARIES if len(other) > 1 else Output.DIFFERS


def run_once(program: Program, preload: str, env: Mapping[str, str], stdin: IO[bytes]) -> Run:
    """Run the program once with LD_PRELOAD=preload (empty: none); its output goes to files and is digested.

    stdin: a file that is read from its start. The program has a process group of its own, which is killed if we
    are interrupted. Raises OSError when no process can be started.
    """
    base = {name: value for name, value in env.items() if name != "LD_PRELOAD"}
    launcher = str(Path(__file__).with_name("launch.py"))
    read_end, write_end = os.pipe()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, os.fdopen(read_end, "rb") as report:
        stdin.seek(0)
        words = [str(write_end), preload, os.fspath(program.path), *program.argv]
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", launcher, *words],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=base,
            pass_fds=(write_end,),
            process_group=0,
        )
        os.close(write_end)
        try:
            answer = report.read()
            process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if not answer:
            raise ChildProcessError(f"the launcher of {program.path} ended with status {process.returncode}")
        digest = hashlib.sha256()
        for stream in (stdout, stderr):
            stream.seek(0)
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    known = json.loads(answer)
    status = os.waitstatus_to_exitcode(known["status"])
    return Run(
        known["seconds"],
        known["cpu_seconds"],
        known["peak_bytes"],
        known["floor_bytes"],
        status if status >= 0 else 128 - status,
        digest.hexdigest(),
    )


def compare(
    program: Program,
    ours: tuple[str, str, Mapping[str, str]],
    other: tuple[str, str, Mapping[str, str]],
    *,
    repeat: int = 5,
    seed: int = 0,
    stdin: IO[bytes],
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run the program `repeat` times on each side, in pairs whose order within each pair is drawn from `seed`.

    ours, other: (name, LD_PRELOAD, environment). progress is told runs done and runs in all.
    """
    if repeat < 1:
        raise ValueError(f"a comparison needs at least one run on each side, not {repeat}")
    order = random.Random(seed)
    runs: tuple[list[Run], list[Run]] = ([], [])
    sides: Sequence[tuple[str, str, Mapping[str, str]]] = (ours, other)
    for _ in range(repeat):
        for index in order.sample((0, 1), 2):
            _, preload, env = sides[index]
            runs[index].append(run_once(program, preload, env, stdin))
            if progress is not None:
                progress(len(runs[0]) + len(runs[1]), 2 * repeat)
    return Comparison(Side(ours[0], tuple(runs[0])), Side(other[0], tuple(runs[1])))
