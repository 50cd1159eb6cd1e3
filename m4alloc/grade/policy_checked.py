"""Before the traces: directed plans for an allocator in Python, as far as one thread can carry them out."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from m4alloc.check import adapter
from m4alloc.check.judgement import judge
from m4alloc.check.operation import Operation
from m4alloc.check.survey import survey
from m4alloc.check.target import Episode
from m4alloc.grade.checked import DEAR
from m4alloc.grade.isolate import told as in_words
from m4alloc.grade.policy_load import load
from m4alloc.grade.policy_shrink import NoAnswerError, Shrinking, give_up
from m4alloc.grade.report import SLIGHT
from spec.event import Function

LONGEST = 10_000
"""Requests in a plan that Python may be asked."""
LATE = 10.0
"""Seconds after which a plan hangs, each of which takes a fraction of one."""


def plans(functions: frozenset[Function]) -> list[tuple[str, list[Operation]]]:
    """The directed plans that one thread of one process can carry out, by name; none that asks for waste alone.

    >>> from spec.event import Function
    >>> [name for name, _ in plans(frozenset({Function.MALLOC, Function.FREE}))][:2]
    ['three-blocks-in-both-orders', 'four-of-six-blocks-in-both-orders']
    """
    return [
        (directed.name, directed.plan)
        for directed in survey(functions)
        if not directed.repeated
        and len(directed.plan) <= LONGEST
        and all(step.function is not Function.LABEL and step.thread == 0 for step in directed.plan)
    ]


def surveyed(path: str, wanted: str, functions: frozenset[Function], budget: float) -> dict[str, Any]:
    """What the plans show, up to the first rule that breaks, as fields of Checked: to be run in a child."""
    target = adapter.from_object(load(path, wanted))
    whole_terms = replace(target.terms(), without=frozenset(DEAR))
    terms = replace(whole_terms, without=whole_terms.without | SLIGHT)
    file = str(Path(path).resolve())
    observed: dict[str, int] = {}
    began, whole, operations, done = time.monotonic(), plans(functions), 0, 0
    signal.signal(signal.SIGALRM, give_up)
    fault, slight = None, None
    for name, plan in whole:
        left = budget - (time.monotonic() - began)
        if left <= 0:
            break
        try:
            signal.setitimer(signal.ITIMER_REAL, min(left, LATE))
            events, broken, error = Shrinking(target, terms, None, None, file).look(plan)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except NoAnswerError as late:  # while the history was judged, and not in the allocator
            error = late
        if isinstance(error, NoAnswerError):
            where = in_words(error, file).removeprefix("NoAnswerError").lstrip(": ")
            if left > LATE and where:
                fault = {"message": f"no answer after {LATE:g} s, in the plan {name} {where}"}
            break  # else the time is over: a slow allocator is not a wrong one
        operations += len(events)
        if broken is not None or error is not None:
            fault = Shrinking(target, terms, broken, error, file).fault(plan)
            break
        told = judge(Episode(events), whole_terms, observed)
        if told is not None and slight is None:
            slight = plan, told
        done += 1
    if fault is None and slight is not None:
        fault = Shrinking(target, whole_terms, slight[1], None, file).fault(slight[0])
    rules, broken_rule = len(whole_terms.contract.rules), "" if fault is None else fault.get("rule", "")
    return {
        "seconds": time.monotonic() - began,
        "operations": operations,
        "detail": f"directed plans: {done} of {len(whole)}, {operations:,} operations",
        "held": sum(1 for rule, times in observed.items() if times and rule != broken_rule),
        "rules": rules,
        "standard": terms.standard,
        "fault": fault,
    }
