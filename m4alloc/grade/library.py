"""Grade a shared library: each trace judged by the contract, its pages counted, and a race with the system's malloc."""

from __future__ import annotations

import shlex
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from m4alloc.check.check_library import asked_of
from m4alloc.check.finding import Finding
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.hunt import Hunt
from m4alloc.check.judgement import Broken, Terms
from m4alloc.check.progress import Progress
from m4alloc.grade.checked import checked
from m4alloc.grade.footprint import ROLLUP, footprint, with_static_tls
from m4alloc.grade.isolate import isolated
from m4alloc.grade.outcome import Graded, GradeError
from m4alloc.grade.plan import instructions, missing, operations
from m4alloc.grade.preloaded import judged, written
from m4alloc.grade.report import Checked, Fault, Measured
from m4alloc.lib import replayer
from m4alloc.trace.replay import replay
from m4alloc.tune.workload import Workload
from m4alloc.view.quantity import plural
from spec.event import Event, Function
from spec.script_writer import render

NEEDED = (Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.FREE)
"""What a library has to export to be a program's malloc: whoever has some of them only mixes two heaps."""
PATIENCE = 8.0
"""Seconds that shrinking a fault may take."""
RACES = 7
LONGEST = 1e5
"""Seconds that no replay takes."""


class LibraryGrader:
    """One library, to be graded on traces one after the other.

    path: of the library. timeout: seconds that a trace may take.
    Raises GradeError: it cannot be loaded, or lacks one of NEEDED; LibraryError: m4alloc's replayer is not built.
    """

    kind = "library"
    reference = "the system's malloc"
    notes: tuple[str, ...] = ()

    def __init__(self, path: str, timeout: float) -> None:
        self.path, self.timeout = path, timeout
        self.library = path if path == "system" else str(Path(path).resolve())
        self.start = partial(Foreign, self.library, timeout=timeout)
        try:
            with self.start() as driver:
                self.functions = driver.functions
                self.terms: Terms = driver.terms(asked_of(path, "", (), (), False))
        except WorkerError as error:
            raise GradeError(explained(str(error))) from error
        replayer()  # it is there, or grading ends here: no trace can be raced without it
        if not ROLLUP.exists():
            raise GradeError(f"this kernel has no {ROLLUP}, which counts a heap's pages; only Python can be graded")
        absent = [function.name.lower() for function in NEEDED if function not in self.functions]
        if absent:
            raise GradeError(
                f"{path} exports no {' and no '.join(absent)}; a program on it would get such memory from the C "
                "library, and give it back to the wrong heap. Define malloc, calloc, realloc and free"
            )

    def checked(self, budget: float, progress: Progress) -> tuple[Checked, bool]:
        """What is cheap to decide before the traces, and whether that was interrupted."""
        return checked(self.library, self.terms, budget, self.timeout, progress)

    def grade(self, workload: Workload) -> Graded:
        """Judge the trace, and measure it if the library is right."""
        absent = missing(workload, self.functions)
        if absent is not None:
            name, times = absent
            return Graded(fault=Fault(f"the trace calls {name} {plural(times, 'time')}, and the library exports none"))
        try:
            fault = self.judged(workload)
        except BrokenPipeError:  # a driver may end between two requests, of what an earlier one has done
            try:
                fault = self.judged(workload)
            except BrokenPipeError:
                fault = Fault("the process in which it was judged ended between two requests, twice")
        if fault is not None:
            return Graded(fault=fault)
        pages = isolated(partial(footprint, self.library, workload), self.timeout)
        if "static TLS" in pages.problem:
            pages = isolated(partial(with_static_tls, self.library, workload), self.timeout)
        if pages.problem:
            return Graded(fault=Fault(f"while its pages were counted: {pages.problem}"))
        seen = isolated(partial(judged, self.library, workload, self.functions, self.terms), self.timeout)
        if seen.value:
            return Graded(fault=as_malloc(Fault(**seen.value)))
        race = isolated(partial(raced, self.library, workload, self.functions), self.timeout)
        if race.problem:
            return Graded(fault=as_malloc(Fault(race.problem)))
        mine, theirs = race.value
        return Graded(
            Measured(**pages.value, seconds=statistics.median(mine), reference_seconds=statistics.median(theirs))
        )

    def judged(self, workload: Workload) -> Fault | None:
        """What rule the library breaks on the trace. Raises BrokenPipeError."""
        with self.hunt() as hunt:
            broken = hunt.see(instructions(workload, self.functions), told=True)
            return None if broken is None else self.fault(hunt, workload, broken)

    @contextmanager
    def hunt(self) -> Iterator[Hunt]:
        """Something that judges plans on this library."""
        hunt = Hunt(self.start, self.terms, PATIENCE)
        try:
            yield hunt
        finally:
            hunt.close()

    def fault(self, hunt: Hunt, workload: Workload, broken: Broken) -> Fault:
        """The broken rule with the smallest script that was found."""
        plan = operations(workload, self.functions, min(len(workload), broken.number + 2))
        finding: Finding = hunt.finding(plan, broken, "trace", workload.name)
        return Fault(finding.message, finding.rule.name, finding.clause, render(finding.script), finding.requests)

    def replay_command(self, file: str) -> str:
        """How a script is carried out again."""
        return shlex.join(["m4alloc", "check", self.path, "--script", file])

    def events(self, workload: Workload) -> list[Event]:
        """The trace's history on this library, for a picture of its heap."""
        with self.start() as driver:
            return driver.carry_out(instructions(workload, self.functions)).events


def as_malloc(fault: Fault) -> Fault:
    """The same, seen of the library where it is the malloc of a program."""
    return replace(fault, message=f"as the malloc of a program (LD_PRELOAD): {fault.message}")


def raced(library: str, workload: Workload, functions: frozenset[Function]) -> tuple[tuple[float, ...], ...]:
    """Seconds of the trace on the library, and on the system's malloc, in turns: to be run in a child."""
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        path = written(workload, functions, Path(folder) / "trace.m4t")
        report = replay(path, allocator=[library, "system"], rounds=RACES)
    seconds = tuple(result.all_seconds for result in report.results)
    if not all(0 < one < LONGEST for some in seconds for one in some):
        raise ValueError("its time cannot be read; does it write to standard output, where the replay tells it?")
    return seconds


def explained(message: str) -> str:
    """What a loader said, with what to do about it; where it names an option that `grade` lacks, what to do here.

    >>> explained("./a.so: no such file")
    './a.so: no such file'
    """
    told, _, prefix = message.partition(": --symbol-prefix ")
    if prefix:
        return (
            f"{told}. A program's malloc has no prefix: add `void *malloc(size_t size) {{ "
            f"return {prefix}malloc(size); }}`, and so for calloc, realloc and free"
        )
    if "exports no malloc" in message:
        return (
            f'{message}. A C function is exported unless it is static or hidden; in C++ it needs extern "C"; in Cython '
            "it is `cdef public`"
        )
    if "undefined symbol: Py" in message or "undefined symbol: _Py" in message:
        return f"{message}. It needs Python: `m4alloc new NAME` shows how Cython makes a library that does not"
    return message
