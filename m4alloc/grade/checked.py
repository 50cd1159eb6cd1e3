"""Before the traces: what is cheap to decide of a library, whatever a trace asks."""

from __future__ import annotations

import time
from functools import partial

from m4alloc.check.campaign import DIRECTED, EXHAUSTIVE
from m4alloc.check.check_library import check
from m4alloc.check.check_report import CheckReport
from m4alloc.check.judgement import Terms
from m4alloc.check.progress import Progress, Within
from m4alloc.grade.report import SLIGHT, Checked, Fault
from m4alloc.view.quantity import number, plural
from spec.contract import EXPECTATIONS
from spec.script_writer import render

BUDGET = 30.0
"""Seconds that it may take unless somebody says otherwise; a third is enough where nothing else is running."""
SHARES = (0.6, 0.8, 1.0)
"""The parts of the budget after which directed plans, sequences, and directed plans for slight rules are left out."""
DEPTH = 3
"""Requests in the longest sequences of which all are tried."""
PATIENCE = 5.0
"""Seconds without a single step after which a call counts as hung."""
DEAR = tuple(EXPECTATIONS)
"""What no standard demands, and what utilisation and the traces show: it makes an allocator dear, not wrong."""


def checked(library: str, terms: Terms, budget: float, timeout: float, progress: Progress) -> tuple[Checked, bool]:
    """What directed plans and every short sequence of requests show of a library, up to the first rule that breaks.

    Rules about memory come first; only where none of them breaks, SLIGHT ones are asked for.
    budget: seconds. timeout: seconds without a step after which it hangs. The second value: whether it was interrupted.
    A violation counts if it shows again when it is carried out again by a fresh process.
    Raises WorkerError, LibraryError.  Cost: 15 s for a library that is right, at most the budget; less for most others.
    """
    began = time.monotonic()
    look = partial(
        check,
        library,
        standard=terms.standard,
        depth=DEPTH,
        stop_at_first=True,
        output=None,
        timeout=min(timeout, PATIENCE),
    )
    grave = (*DEAR, *SLIGHT)
    steps = [*zip(SHARES, (DIRECTED, EXHAUSTIVE, DIRECTED), (grave, grave, DEAR), strict=True)]
    parts: dict[str, str] = {}
    observed: dict[str, int] = {}
    operations, interrupted = 0, False
    fault: Fault | None = None
    while steps and not interrupted:
        share, engine, without = steps[0]
        left = share * budget - (time.monotonic() - began)
        if left <= 0:
            steps.pop(0)
            continue
        report = look(budget=left, engines=(engine,), without=without, progress=Within(progress))
        name = (
            {DIRECTED: "directed plans", EXHAUSTIVE: ""}[engine] if without is not DEAR else "for errno and arguments"
        )
        parts[name] = told(report)
        for rule in report.rules:
            observed[rule.name] = observed.get(rule.name, 0) + rule.observed
        operations += report.operations
        interrupted = report.interrupted
        found = fault_of(report)
        if found is None:
            steps.pop(0)
            continue
        fault = found
        if not found.slight or without is DEAR:
            break
        steps = [(share, engine, (*without, found.rule)) for share, engine, without in steps if without is not DEAR]
    detail = "; ".join(f"{name}: {text}".removeprefix(": ") for name, text in parts.items() if text)
    held = sum(1 for name, times in observed.items() if times and (fault is None or name != fault.rule))
    standard = terms.standard
    return Checked(time.monotonic() - began, operations, detail, held, len(observed), standard, fault), interrupted


def fault_of(report: CheckReport) -> Fault | None:
    """The finding of a report, if it was seen more than once: a busy machine makes a hang of what is slow."""
    found = next((written.finding for written in report.findings if written.finding.replays), None)
    if found is None:
        return None
    return Fault(found.message, found.rule.name, found.clause, render(found.script), found.requests)


def told(report: CheckReport) -> str:
    """What a search of one engine did, in words."""
    (engine,) = report.engines
    if engine.name == DIRECTED:
        return engine.detail
    return f"every sequence of {plural(report.depth, 'request')}: {number(report.sequences)}" if report.depth else ""
