"""A library as the malloc of a program, which is where it is timed: recorded once, and judged by the contract."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from m4alloc.check.accept import accept_records
from m4alloc.check.judgement import Terms
from m4alloc.grade.plan import functions_of
from m4alloc.grade.report import Fault
from m4alloc.lib import recorder, replayer
from m4alloc.trace.format import HEADER_SIZE, RECORD
from m4alloc.trace.operations import compile_trace
from m4alloc.trace.preload import library_of, preloaded
from m4alloc.trace.read import Trace
from m4alloc.tune.workload import Workload
from spec.acceptor import Acceptor
from spec.event import Function


def written(workload: Workload, functions: frozenset[Function], path: Path) -> Path:
    """The requests as a trace that asks the library alone: what aligns must be its own, not the C library's."""
    workload.write(path)
    records = np.memmap(path, RECORD, "r+", HEADER_SIZE, len(workload) + (workload.prelude > 0))
    calls = records["function"] != Function.LABEL
    records["function"][calls] = functions_of(workload, functions)
    records.flush()
    return path


def judged(library: str, workload: Workload, functions: frozenset[Function], terms: Terms) -> dict[str, Any] | None:
    """The rule that breaks when the requests are made under the recorder, as fields of Fault: to be run in a child.

    Its blocks are not filled and compared: whoever keeps addresses apart is believed about the bytes.
    Raises ValueError: nothing was recorded.  Cost: 20 ms, and 1 us a request.
    """
    served_by = library_of(library)
    with tempfile.TemporaryDirectory(prefix="m4alloc-") as folder:
        plan, recording = Path(folder) / "plan", Path(folder) / "seen"
        with plan.open("wb") as file:
            compile_trace(Trace.open(written(workload, functions, Path(folder) / "trace.m4t"))).write(file)
        with preloaded([replayer(), recorder(), *([served_by] if served_by else [])], "") as value:
            variables = {"LD_PRELOAD": value, "M4ALLOC_REPLAY": str(plan), "M4ALLOC_RECORD": str(recording)}
            subprocess.run([sys.executable, "-c", ""], env={**os.environ, **variables}, capture_output=True)
        seen = sorted(recording.parent.glob(f"{recording.name}.*"))
        if not seen:
            raise ValueError("it could not be recorded")
        trace = Trace.open(seen[0])
        acceptor = accept_records(trace.records, Acceptor(terms.contract), labels=trace.labels, order=trace.order())
    found = next((one for one in acceptor.violations if not one.after_misuse), None)
    if found is None:
        return None
    return asdict(Fault(found.message, found.rule.name, terms.contract.clause(found.rule)))
