"""Run an unmodified program on the core, by preloading libm4alloc.so."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, overload

from m4alloc import statistics
from m4alloc.lib import lib
from m4alloc.program import locate
from m4alloc.statistics import SCHEMA, Statistics

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy

PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that go to the program when we get them. SIGINT and SIGQUIT reach it from the terminal anyway."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run with statistics: the program's status (128 + n when signal n killed it), and one entry an ended process.

    pid: of the program. processes: its own and those of its children, in the order in which they ended; there is none
    of a process that a signal killed or that has become another program by exec. incomplete: how many are not whole.
    """

    program: tuple[str, ...]
    status: int
    pid: int
    processes: tuple[Statistics, ...]
    incomplete: int = 0

    @property
    def main(self) -> Statistics | None:
        """The program's own statistics."""
        return next((process for process in self.processes if process.pid == self.pid), None)

    def to_json(self) -> dict[str, Any]:
        """The report as `m4alloc run --json` prints it."""
        return {
            "schema": SCHEMA,
            "verb": "run",
            "program": list(self.program),
            "status": self.status,
            "pid": self.pid,
            "incomplete": self.incomplete,
            "processes": [process.to_json() for process in self.processes],
        }


@overload
def run(
    argv: Sequence[str],
    *,
    strategy: Strategy | None = ...,
    env: Mapping[str, str] | None = ...,
    stats: Literal[False] = ...,
    stdout: int | None = ...,
) -> int: ...


@overload
def run(
    argv: Sequence[str],
    *,
    strategy: Strategy | None = ...,
    env: Mapping[str, str] | None = ...,
    stats: Literal[True],
    stdout: int | None = ...,
) -> RunReport: ...


def run(
    argv: Sequence[str],
    *,
    strategy: Strategy | None = None,
    env: Mapping[str, str] | None = None,
    stats: bool = False,
    stdout: int | None = None,
) -> int | RunReport:
    """Run the program on the core and return its status; 128 + n when signal n killed it.

    strategy: how the core places and checks; None is the default strategy.
    env: the environment it starts from; None is this process's.
    stats: return a RunReport, with what the core has counted in the program and in its children. Meanwhile SIGTERM,
    SIGHUP, SIGUSR1 and SIGUSR2 are passed on to the program, if this is the main thread.
    stdout: of the program, as subprocess takes it.
    Raises ProgramError (see m4alloc.program.locate); LibraryError: there is no native core here; ValueError: the folder
    for temporary files has a name that the library does not take.
    """
    program = locate(argv)
    variables = environment(strategy, env)
    if not stats:
        status = subprocess.run(program.argv, executable=program.path, env=variables, stdout=stdout).returncode
        return shell_status(status)
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        path = Path(folder).absolute() / "statistics"
        options = (variables.get("M4ALLOC_OPTIONS", ""), statistics.option(path))
        variables["M4ALLOC_OPTIONS"] = ",".join(filter(None, options))
        with signals_passed_on() as started:
            process = subprocess.Popen(program.argv, executable=program.path, env=variables, stdout=stdout)
            started(process)
            status = shell_status(process.wait())
        processes, incomplete = statistics.read(path)
    return RunReport(tuple(argv), status, process.pid, tuple(processes), incomplete)


def shell_status(status: int) -> int:
    """The status that a shell would give for one of subprocess's.

    >>> shell_status(3), shell_status(-15)
    (3, 143)
    """
    return status if status >= 0 else 128 - status


@contextmanager
def signals_passed_on() -> Iterator[Any]:
    """While it lasts, the process to which the yielded function is applied gets the signals of PASSED_ON that we get.

    SIGINT and SIGQUIT only do not end us. The program finds every signal as we did: handlers do not survive exec.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda process: None
        return
    early: list[int] = []
    program: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if program:
            program[0].send_signal(number)
        else:
            early.append(number)

    def started(process: subprocess.Popen[bytes]) -> None:
        program.append(process)
        for number in early:
            process.send_signal(number)

    before = {number: signal.getsignal(number) for number in (*PASSED_ON, signal.SIGINT, signal.SIGQUIT)}
    for number in before:
        if before[number] not in (signal.SIG_IGN, None):  # what is ignored stays so, for the program too
            signal.signal(number, pass_on if number in PASSED_ON else lambda number, frame: None)
    try:
        yield started
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: it was not set by Python
                signal.signal(number, handler)


def environment(strategy: Strategy | None = None, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that makes a program run on the core: our library in front of what is preloaded already."""
    result = dict(os.environ if env is None else env)
    result["LD_PRELOAD"] = preload(lib(), result.get("LD_PRELOAD", ""))
    if strategy is not None:
        result["M4ALLOC_STRATEGY"] = strategy.to_environment()
    return result


def preload(library: Path, others: str) -> str:
    """The value of LD_PRELOAD with `library` first; the loader splits it at colons and spaces.

    >>> preload(Path("/a/libm4alloc.so"), "/b/other.so")
    '/a/libm4alloc.so:/b/other.so'
    """
    kept = [other for other in others.replace(":", " ").split() if other != str(library)]
    return ":".join([str(library), *kept])
