"""The way of a finding's block through the monitor of its property: a state for each letter, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from m4alloc.monitor.report import Finding, MonitorReport
from m4alloc.monitor.story import moments
from spec.ltl.error import LogicError, TooLargeError
from spec.ltl.monitor import Monitor
from spec.ltl.truth import Truth
from spec.properties import find
from spec.property import Index
from spec.property_verdict import machine_of

SHOWN: Final = 8
"""Findings whose way the summary shows; the JSON report has all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One letter and the state that it led to.

    letter: what happened, in a few words. meaning: of the state; "violated" for good, "owed": were this the end, the
    property would not hold, or "fulfilled": it would.
    """

    letter: str
    state: int
    meaning: str

    def to_json(self) -> dict[str, Any]:
        return {"letter": self.letter, "state": self.state, "meaning": self.meaning}


def way(finding: Finding) -> tuple[Step, ...]:
    """The states that the block's word goes through, from its malloc to the finding.

    Empty where that is not known: the property is one of threads or of the process, or is too large to be made anew;
    the finding has no block; or what is left of the time before does not lead to the violation, for it began earlier.
    Cost: O(events in the finding's trace).

    >>> data = {"class": "double-free", "property": "no-double-free", "access": {"how": "free"}, "event": 3}
    >>> freed = {"size": 16, "born": 1, "died": 2, "life": "freed"}
    >>> [(one.letter, one.meaning) for one in way(Finding.of({**data, "block": freed}))]
    [('malloc, 16 bytes', 'fulfilled'), ('free', 'fulfilled'), ('free', 'violated')]
    """
    machine = _machine(finding.name)
    if machine is None or finding.block is None:
        return ()
    state, steps = machine.initial, []
    for moment in moments(finding):
        if moment.letter:  # the end of the run is no letter
            state = machine.step(state, machine.number(moment.letter))
            steps.append(Step(moment.what, state, _meaning(machine, state)))
    expected = ("owed", "violated") if finding.at_exit else ("violated",)
    return tuple(steps) if steps and steps[-1].meaning in expected else ()


def _machine(name: str) -> Monitor | None:
    try:
        one = find(name)
        return machine_of(one, ()) if one.index in (Index.ADDRESS, Index.BLOCK) else None
    except (LogicError, TooLargeError):
        return None


def _meaning(machine: Monitor, state: int) -> str:
    if machine.verdict[state] is Truth.FALSE:
        return "violated"
    return "fulfilled" if machine.at_end[state] else "owed"


def lines(report: MonitorReport) -> list[str]:
    """A line for each of the first findings: the property, the states between the letters, and what the last means.

    >>> data = {"class": "double-free", "property": "no-double-free", "access": {"how": "free"}, "event": 3}
    >>> freed = {"size": 16, "born": 1, "died": 2, "life": "freed"}
    >>> print(*lines(MonitorReport(("a",), 1, 7, False, (Finding.of({**data, "block": freed}),), ())), sep="")
    state of no-double-free: 0 (malloc, 16 bytes) 2 (free) 0 (free) 1, violated
    """
    result = []
    for finding in report.findings[:SHOWN]:
        steps = way(finding)
        if steps:
            machine = _machine(finding.name)
            assert machine is not None
            told = "".join(f" ({step.letter}) {step.state}" for step in steps)
            result.append(f"state of {finding.name}: {machine.initial}{told}, {steps[-1].meaning}")
    return result
