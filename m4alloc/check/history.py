"""The order of what an episode saw: parallel sections by their numbers, forked children as histories of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from m4alloc.check.operation import Directive
from m4alloc.trace.read import Records
from spec.event import Event, Function

FORK_NUMBERS = (int(Directive.FORK_CHILD), int(Directive.FORK_PARENT))
FORKS = frozenset({Directive.FORK_CHILD.label, Directive.FORK_PARENT.label})


def ordered(events: Iterable[Event]) -> list[Event]:
    """The events with those of each parallel section in the order of their begins. Cost: O(n log n).

    An event without a number stands where it was written down, between the sections.

    >>> a, b = Event(Function.FREE, begin=3, end=4), Event(Function.MALLOC, begin=1, end=2)
    >>> [event.begin for event in ordered([Event(Function.LABEL), a, b])]
    [0, 1, 3]
    """
    done: list[Event] = []
    section: list[Event] = []
    for event in events:
        if event.begin:
            section.append(event)
            continue
        if section:
            done += sorted(section, key=begin)
            section = []
        done.append(event)
    return done + sorted(section, key=begin)


def ordered_records(records: Records) -> Records:
    """`ordered` for records. Cost: O(n log n) where there are numbers, else O(n)."""
    numbers = records["begin"]
    if not numbers.any():
        return records
    sections = np.cumsum(numbers == 0)
    return records[np.lexsort((numbers, sections))]


def begin(event: Event) -> int:
    """What events are sorted by."""
    return event.begin


def histories(events: Sequence[Event]) -> list[list[Event]]:
    """The history of the episode's first process, then one for each child that was forked in a parallel section.

    Such a child's events have its number in `site`.
    Cost: O(n log n), and O(n) a child.
    """
    last = max((event.site for event in events), default=0)
    whole = [ordered(event for event in events if not event.site)]
    for child in range(1, last + 1):
        fork = next((event for event in events if is_fork(event) and event.size == child), None)
        if fork is not None:
            whole.append(history_of_child(events, fork))
    return whole


def history_of_child(events: Sequence[Event], fork: Event) -> list[Event]:
    """What the child of `fork` began with, the fork, then its own events.

    The fork itself happened at some time between its begin and its end. What had begun before the end may have been
    under way: what it gave up is free in the child, what it was to hand out is not the child's. All of it comes before
    the fork, and the child's own events stand behind it: the numbers of both are moved.
    """
    parent = [event for event in events if not event.site and event is not fork]
    after = fork.end or max((event.begin for event in parent), default=0) + 1
    section = next(n for n, event in enumerate(events) if event is fork)
    rest = iter(events[section:])
    joined = next((event for event in rest if is_join(event)), None)
    before = []
    for event in parent:
        if event is joined:
            break  # what stands behind the section in the parent's history has no number, and is not the child's
        if not event.begin:
            before.append(event)
        elif event.begin < after:
            before.append(event._replace(end=event.end if 0 < event.end <= fork.begin else 0))
    own = [
        event._replace(begin=event.begin and event.begin + after, end=event.end and event.end + after)
        for event in events
        if event.site == fork.size
    ]
    forked = fork._replace(begin=after, end=after + 1)  # the first number of the child's own is after + 2, or more
    return ordered([*before, forked, *own])


def record_histories(records: Records) -> list[Records]:
    """`histories` for records, without the forks. Cost: O(n log n), and O(n) a child, in numpy."""
    site, begin, end = (records[name] for name in ("site", "begin", "end"))
    first = site == 0
    labels = records["function"] == Function.LABEL
    whole = [ordered_records(records[first])]
    for child in range(1, int(site.max(initial=0)) + 1):
        forks = np.flatnonzero(
            labels & np.isin(records["address"], FORK_NUMBERS) & (begin > 0) & (records["size"] == child)
        )
        if not len(forks):
            continue
        fork = int(forks[0])
        known = first.copy()
        known[fork] = False
        fork_end = int(end[fork])
        after = fork_end or int(begin[known].max(initial=0)) + 1
        joins = np.flatnonzero(labels & (records["address"] == Directive.JOIN))
        joins = joins[joins > fork]
        place = np.arange(len(records))
        until = int(joins[0]) if len(joins) else len(records)
        known &= (place < until) & ((begin == 0) | (begin < after))
        before = records[known].copy()
        before["end"] = np.where(before["end"] <= begin[fork], before["end"], 0)
        own = records[site == child].copy()
        for name in ("begin", "end"):
            own[name] = np.where(own[name] > 0, own[name] + np.uint64(after), 0)
        whole.append(ordered_records(np.concatenate([before, own])))
    return whole


def is_fork(event: Event) -> bool:
    """Whether the event is a fork in a parallel section."""
    return event.function is Function.LABEL and event.label in FORKS and event.begin > 0


def is_join(event: Event) -> bool:
    """Whether the event is the end of a parallel section."""
    return event.function is Function.LABEL and event.label == Directive.JOIN.label
