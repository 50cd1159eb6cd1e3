"""Grade an allocator: a library, or a file of Python, on the traces that come with m4alloc or on others."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from m4alloc.check.progress import Progress, Silent, Within
from m4alloc.grade.checked import BUDGET
from m4alloc.grade.library import LibraryGrader
from m4alloc.grade.outcome import GradeError
from m4alloc.grade.page import write
from m4alloc.grade.picture import heap_map
from m4alloc.grade.places import Places
from m4alloc.grade.policy import PolicyGrader
from m4alloc.grade.report import WEIGHT, Checked, Fault, GradeReport, TraceGrade
from m4alloc.grade.text import BEFORE
from m4alloc.grade.traces import traces_of
from m4alloc.lib import lib
from m4alloc.trace.format import TraceError
from m4alloc.trace.whole import write_whole
from m4alloc.trace.write import write as write_trace
from m4alloc.view.explorer.run import view as view_page
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.html import Html
from m4alloc.view.quantity import plural
from spec.event import Event

Grader = LibraryGrader | PolicyGrader
SOURCES = {
    ".c": "gcc -O2 -shared -fPIC -fno-builtin {file} -o {stem}.so",
    ".cpp": "g++ -O2 -shared -fPIC -fno-builtin {file} -o {stem}.so",
    ".cc": "g++ -O2 -shared -fPIC -fno-builtin {file} -o {stem}.so",
    ".pyx": "`m4alloc new NAME` shows with its Makefile how Cython makes a library",
    ".rs": "rustc --crate-type cdylib {file} -o {stem}.so",
    ".o": "gcc -shared {file} -o {stem}.so",
    ".a": "gcc -shared -Wl,--whole-archive {file} -o {stem}.so",
}
"""What has to be compiled first, and how."""
WEEK = 7 * 24 * 60 * 60
"""Seconds: as long as one part of one trace may take."""
TRACES = frozenset({".rep", ".heap", ".m4t", ".xz"})


def grade(
    allocator: str | os.PathLike[str],
    traces: Sequence[str | os.PathLike[str]] = (),
    *,
    weight: float = WEIGHT,
    budget: float = BUDGET,
    timeout: float = 60.0,
    findings: str | os.PathLike[str] | None = "findings",
    output: str | os.PathLike[str] | None = None,
    view: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> GradeReport:
    """Score an allocator for utilisation, speed and correctness on traces, as malloc labs do.

    allocator: the path of a shared library, "m4alloc", "system", or a Python file FILE.py (or FILE.py:CLASS) with a
    class that has malloc and free, or more of the family. traces: files of any format that `m4alloc convert` reads;
    those that come with m4alloc when there are none. weight: of utilisation, 0 to 1; the rest is for speed.
    budget: seconds to look, before the traces, for what they do not ask; a rule about memory that breaks there makes
    the total 0, one of `report.SLIGHT` costs a fifth. With 0 the traces alone decide: most wrong allocators pass them.
    timeout: seconds that one part of one trace may take. findings: the folder for the smallest script of each fault,
    None for none. output: a page with the grade and a map of the heap on each trace.
    view: a folder for one page a trace, on which its heap can be explored, and its history; None for none.
    No input is replaced, nor what is no page or no trace: GradeError says so before anything is graded.
    All of the allocator runs in children: what crashes or hangs there is a fault on that trace, which brings 0 points.
    Raises GradeError, TraceError, LibraryError, ValueError, OSError.  Cost: the budget, and 10 s for bundled traces.

    >>> report = grade("system", ["benchmarks/traces/excerpts/sqlite3.m4t.xz"], budget=0, findings=None)
    >>> report.verdict.value, report.traces[0].requests, 0 < report.total <= 100
    ('HOLDS', 20547, True)
    """
    if not 0 <= weight <= 1:
        raise GradeError(f"a weight of {weight:g}: from 0 (speed alone) to 1 (memory alone)")
    if not 0 <= budget <= WEEK:
        raise GradeError(f"a budget of {budget:g} seconds: 0 or more, and {WEEK} (a week) at most")
    if not 0 < timeout <= WEEK:
        raise GradeError(f"a timeout of {timeout:g} seconds: it must be more than 0, and {WEEK} (a week) at most")
    places = Places.of(findings, output, view, traces)
    told = Silent() if progress is None else progress
    name = os.fspath(allocator)
    grader = grader_of(name, timeout)
    workloads = traces_of(traces)
    places.check_heaps([workload.name for workload in workloads])
    rows: list[TraceGrade] = []
    pictures: dict[str, Html] = {}
    unseen: list[str] = []
    interrupted = hangs = False
    looked: Checked | None = None
    with told:
        try:
            if budget:
                looked, interrupted = grader.checked(budget, Within(told))
                looked = replace(looked, fault=saved(BEFORE, looked.fault, grader, places))
            hangs = looked is not None and looked.fault is not None and looked.fault.hangs
            if hangs:
                unseen.append("the traces were left out: it hangs")
            told.phase("traces", len(workloads))
            for done, workload in enumerate([] if interrupted or hangs else workloads):
                told.advance(done)
                found = grader.grade(workload)
                fault = saved(workload.name, found.fault, grader, places)
                row = TraceGrade(workload.name, len(workload), weight, found.measured, fault)
                events = grader.events(workload) if output is not None or view is not None else []
                if events and output is not None:
                    pictures[workload.name] = heap_map(events)
                if events and view is not None:
                    try:
                        row = replace(row, page=explored(events, workload.name, name, places))
                    except (ViewError, TraceError, OSError) as error:
                        unseen.append(f"the heap on {workload.name} has no page: {error}")
                rows.append(row)
        except KeyboardInterrupt:
            interrupted = True
    left = 0 if hangs else len(workloads) - len(rows)
    notes = (*grader.notes, *unseen, *([f"interrupted: {plural(left, 'trace')} left out"] if interrupted else []))
    report = GradeReport(name, grader.kind, grader.reference, weight, tuple(rows), notes, interrupted, looked)
    if output is not None:
        write(report, output, pictures)
    return report


def grader_of(name: str, timeout: float) -> Grader:
    """What grades this allocator. Raises GradeError: it is none, and what would be."""
    if name == "m4alloc":
        return LibraryGrader(os.fspath(lib()), timeout)
    if name == "system":
        return LibraryGrader(name, timeout)
    path = Path(re.sub(r"(\.py):\w+$", r"\1", name))
    if not name:
        raise GradeError("the allocator has no name; a library or a file of Python is wanted")
    if not path.exists():
        near = [
            one for one in (f"lib{path.name}.so", f"{path.name}.so", f"{path.name}.py") if path.with_name(one).exists()
        ]
        raise GradeError(f"{name}: no such file" + (f"; did you mean {path.with_name(near[0])}?" if near else ""))
    if path.is_dir():
        inside = [str(one) for one in (path / f"lib{path.name}.so", path / f"{path.name}.py") if one.exists()]
        meant = f"; did you mean {' or '.join(inside)}?" if inside else ""
        raise GradeError(f"{name} is a folder; a library or a file of Python is wanted{meant}")
    if path.suffix == ".py":
        return PolicyGrader(name, timeout)
    if path.suffix in SOURCES:
        how = SOURCES[path.suffix].format(file=path, stem=path.with_suffix(""))
        raise GradeError(f"{name} has to be compiled first: {how}; then grade {path.with_suffix('.so')}")
    if path.suffix in TRACES:
        raise GradeError(f"{name} is a trace; the allocator comes first: m4alloc grade MINE.so {name}")
    return LibraryGrader(name, timeout)


def saved(name: str, fault: Fault | None, grader: Grader, places: Places) -> Fault | None:
    """The same; a fault that has a script is written into the folder of findings. name: where it was seen."""
    if fault is None or not fault.script or places.findings is None:
        return fault
    places.findings.mkdir(parents=True, exist_ok=True)
    file = places.finding(name, fault.rule)
    write_whole(file, fault.script)
    return replace(fault, file=str(file), replay=grader.replay_command(str(file)))


def explored(events: Sequence[Event], trace: str, allocator: str, places: Places) -> str:
    """Write the history as a trace, and the page on which it can be explored: the page's path.

    Raises ViewError, TraceError, OSError.
    """
    recorded, page = places.history(trace), places.heap(trace)
    recorded.parent.mkdir(parents=True, exist_ok=True)
    write_trace(recorded, events, allocator=allocator, command=[trace])
    view_page(recorded, output=page)
    return str(page)
