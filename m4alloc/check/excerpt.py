"""The part of a recorded history that one violation needs, as a heap script: short enough to read, and it replays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m4alloc.trace.read import Trace, decode
from spec import script
from spec.acceptor import Acceptor
from spec.error import Violation
from spec.event import Event
from spec.judge import extent, hands_out

LIMIT = 400
"""Events at most: the last ones before the violation."""


def excerpt(trace: Trace, inherited: Sequence[Event], violation: Violation, acceptor: Acceptor) -> str:
    """The calls that touched the addresses of `violation`, up to it, as the text of a `.heap` script.

    inherited: the allocations that the process was forked with.
    Leaving out calls at other addresses keeps the violation: no rule excuses a reply because of them.
    Cost: one pass over the trace.
    """
    event = violation.event
    if event is None:
        return ""
    ranges = [(event.result, event.result + extent(event))] if hands_out(event) else []
    ranges += [(event.address, event.address + 1)] if event.address else []
    if violation.block is not None:
        ranges.append((violation.block.base, violation.block.top))
    chosen = [one for one in inherited if any(_touches(one, low, high) for low, high in ranges)]
    records = trace.records[trace.order()]
    records = records[records["begin"] <= event.begin]
    tops = records["result"] + np.maximum(np.maximum(records["usable"], 1).astype(np.uint64), records["size"])
    near = records["begin"] == event.begin
    for low, high in ranges:
        near |= (records["result"] < high) & (tops > low) & (records["result"] > 0)
        near |= (records["address"] >= low) & (records["address"] < high)
    # A block that reaches into the addresses from below is given up by a pointer outside them.
    near |= np.isin(records["address"], records["result"][near & (records["result"] > 0)])
    calls = list(decode(records[near][-LIMIT:], trace.labels))
    settings = script.Settings(
        standard=acceptor.contract.name,
        quarantine=trace.quarantine or None,
        quarantine_limit=trace.quarantine_limit if trace.quarantine else None,
        observes=acceptor.observes,
        promises=acceptor.contract.promises or None,
    )
    # Inherited blocks were handed out in the parent: here they come first, and overlap nothing.
    first = [one._replace(begin=0, end=0) for one in chosen]
    told = script.render(script.from_events([*first, *calls], settings))
    return f"# {violation.rule.name}: {violation.message}\n{told}"


def _touches(event: Event, low: int, high: int) -> bool:
    return event.result < high and event.result + extent(event) > low
