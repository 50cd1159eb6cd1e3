"""Every sequence up to a bound: the driver forks at each node of the tree of sequences, and each path is judged.

A path is judged by the compiled acceptor where it is built; what that does not admit at a glance goes to the readable
one, whose word counts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from m4alloc.check.accept import tree_suspects
from m4alloc.check.alphabet import Alphabet
from m4alloc.check.board import EXPLORATION
from m4alloc.check.foreign import Foreign
from m4alloc.check.judgement import Broken, Terms, judge
from m4alloc.check.operation import LABELS
from m4alloc.check.target import End, Episode
from m4alloc.trace.format import RECORD
from m4alloc.trace.read import Records, decode
from spec.event import NEVER_RETURNED

PATIENCE_MS = 2000
"""A request of a sequence that takes longer hangs."""


@dataclass(slots=True)
class Explored:
    """What an exploration saw.

    sequences: of full length, carried out to their end. nodes: requests carried out, each once.
    broken: the first rule that broke, with the history that shows it. complete: nothing was left out.
    observed: how often each rule was seen to hold.
    """

    depth: int
    sequences: int = 0
    nodes: int = 0
    broken: Broken | None = None
    complete: bool = False
    observed: dict[str, int] = field(default_factory=dict)


def explore(
    foreign: Foreign,
    alphabet: Alphabet,
    depth: int,
    terms: Terms,
    *,
    part: Sequence[int] = (),
    processor: int | None = None,
    go_on: Callable[[int], bool] = lambda _: True,
) -> Explored:
    """Carry out and judge every sequence of `depth` requests, or those that begin with `part`.

    processor: where the driver stays, since a process that changes processors at each fork takes half as long again.
    go_on: told how many nodes there were so far, every few thousand; the exploration ends when it says False.
    It ends, too, at the first violation.  Raises WorkerError.
    Cost: about 0.1 ms a node, which is a fork.

    >>> from m4alloc.check.alphabet import usual
    >>> from spec.event import Function
    >>> small = usual(frozenset({Function.MALLOC, Function.FREE}), sizes=(16, 4096), slots=2)
    >>> with Foreign("system") as libc:
    ...     seen = explore(libc, small, 3, Terms("c17,glibc"))
    >>> seen.sequences == small.sequences(3), seen.complete, seen.broken
    (True, True, None)
    """
    seen = Explored(depth)
    walk = Walk(terms, seen.observed)

    def keep(records: Records) -> bool:
        seen.broken = seen.broken or walk.judge(records)
        return seen.broken is None and go_on(foreign.board.nodes)

    room = [*part, *[0] * (32 - len(part))]
    makers, resizers = len(alphabet.makers), len(alphabet.resizers)
    packed = EXPLORATION.pack(depth, alphabet.slots, makers, resizers, len(part), PATIENCE_MS, *room)
    with foreign.begin() as session:
        if processor is not None:
            os.sched_setaffinity(session.pid, {processor})
        foreign.board.ask(alphabet.instructions())
        session.exchange(b"E" + packed, keep, patience=True)
        seen.sequences, seen.nodes = foreign.board.leaves, foreign.board.nodes
        seen.complete = seen.broken is None and not foreign.board.stopped
    return seen


class Walk:
    """Judges the nodes of a depth-first walk page by page; keeps the path to the last one."""

    def __init__(self, terms: Terms, observed: dict[str, int]) -> None:
        self.terms = terms
        self.acceptor = terms.acceptor()
        self.observed = observed
        self.path: Records = np.zeros(0, RECORD)

    def judge(self, page: Records) -> Broken | None:
        """The first rule that a node of this page breaks, or None."""
        records = np.concatenate([self.path, page])
        if not len(records):
            return None
        nodes, tally = tree_suspects(records, self.acceptor, done=len(self.path))
        for name, number in tally.items():
            self.observed[name] = self.observed.get(name, 0) + number
        for node in nodes:
            broken = self.reconsider(path_to(records, int(node)))
            if broken is not None:
                return broken
        self.path = path_to(records, int(records["time_ns"][-1]))
        return None

    def reconsider(self, path: Records) -> Broken | None:
        """What the readable acceptor says of one path."""
        events = [event._replace(site=0, time_ns=0) for event in decode(path, LABELS)]
        ended = events[-1].flags & NEVER_RETURNED
        return judge(Episode(events, End.CRASHED if ended else End.FINISHED), self.terms)


def path_to(records: Records, node: int) -> Records:
    """The records of the nodes from the root to `node`, of a walk in which nodes are numbered as they are met.

    Cost: O(n).
    """
    last = int(np.searchsorted(records["time_ns"], node, side="right"))
    depths = records["site"][:last].astype(np.int64)
    numbers = records["time_ns"][:last]
    kept: list[int] = []
    index, wanted = last - 1, int(depths[last - 1])
    current = int(numbers[last - 1])
    while index >= 0:
        if int(numbers[index]) == current:
            kept.append(index)
            index -= 1
            continue
        wanted -= 1
        if not wanted:
            break
        while index >= 0 and int(depths[index]) != wanted:
            index -= 1
        current = int(numbers[index]) if index >= 0 else 0
    return records[kept[::-1]].copy()
