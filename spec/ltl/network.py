"""Automata while they are being made smaller: lists of edges, and the reductions that look at components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spec.ltl.automaton import Automaton, Edge

Row = list[tuple[int, int, int]]
"""The edges of one state: label, target, marks."""


@dataclass(slots=True)
class Network:
    """A generalised Buchi automaton as plain lists; rows[state] are the edges that leave it.

    Marks of an edge that no cycle uses, or of a component that accepts nothing, mean nothing.
    """

    rows: list[Row]
    everything: int
    """The label of all letters."""
    initial: int = 0
    sets: int = 0

    @classmethod
    def nothing(cls, everything: int, sets: int = 0) -> Network:
        """The automaton that accepts no word: one state without edges."""
        return cls([[]], everything, 0, sets)

    @classmethod
    def of(cls, automaton: Automaton) -> Network:
        """The same automaton."""
        rows = [[(edge.label, edge.target, edge.marks) for edge in edges] for edges in automaton.edges]
        return cls(rows, automaton.everything, automaton.initial, automaton.sets)

    def automaton(self, propositions: tuple[str, ...]) -> Automaton:
        """The same automaton over `propositions`."""
        edges = tuple(tuple(Edge(*edge) for edge in row) for row in self.rows)
        return Automaton(propositions, edges, self.initial, self.sets)

    @property
    def size(self) -> tuple[int, int]:
        """States and edges."""
        return len(self.rows), sum(map(len, self.rows))


def bits(number: int) -> Iterator[int]:
    """The bits that are set, from the lowest."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def components(rows: list[Row], initial: int) -> tuple[list[int], list[list[int]]]:
    """The component of each state (-1: not reachable), and the components, each after all that it leads to.

    Cost: linear.  Source: Tarjan (1972); as `spec.ltl.graph.components`, for numbered states.
    """
    order = [-1] * len(rows)
    low = [0] * len(rows)
    which = [-1] * len(rows)
    found: list[list[int]] = []
    stack: list[int] = []
    order[initial] = 0
    count = 1
    stack.append(initial)
    path = [(initial, iter(rows[initial]))]
    while path:
        node, rest = path[-1]
        for _, target, _ in rest:
            if order[target] < 0:
                order[target] = low[target] = count
                count += 1
                stack.append(target)
                path.append((target, iter(rows[target])))
                break
            if which[target] < 0 and order[target] < low[node]:
                low[node] = order[target]
        else:
            path.pop()
            if low[node] == order[node]:
                members = []
                while True:
                    member = stack.pop()
                    which[member] = len(found)
                    members.append(member)
                    if member == node:
                        break
                found.append(members)
            if path and low[node] < low[path[-1][0]]:
                low[path[-1][0]] = low[node]
    return which, found


def accepts(network: Network, which: list[int], members: list[int], index: int) -> bool:
    """Whether a run may stay in a component, with number `index`, and accept."""
    union, cyclic = 0, False
    for state in members:
        for _, target, marks in network.rows[state]:
            if which[target] == index:
                union |= marks
                cyclic = True
    return cyclic and union == (1 << network.sets) - 1


def merged(row: Row) -> Row:
    """The row with one edge for each target and marks, whose label joins theirs."""
    if len(row) < 2:
        return row
    labels: dict[tuple[int, int], int] = {}
    for label, target, marks in row:
        key = target, marks
        labels[key] = labels.get(key, 0) | label
    if len(labels) == len(row):
        return row
    return [(label, target, marks) for (target, marks), label in labels.items()]


def pruned(network: Network, by_state: bool = False) -> Network:
    """The same language without states from which nothing is accepted, and without marks that do not matter.

    Marks outside accepting components are dropped; a set that every cycle of a component meets is put on all its edges;
    a set that another one implies everywhere is dropped. by_state: the one set stays, and all the edges that leave a
    state bear what its edges inside its component do, which must be the same.  Cost: O(edges * sets^2).
    Source: Babiak, Badie, Duret-Lutz, Kretinsky and Strejcek, Compositional approach to suspension and other
    improvements to LTL translation (2013), 4.
    """
    rows, sets = network.rows, network.sets
    which, found = components(rows, network.initial)
    full = (1 << sets) - 1
    useful = [False] * len(found)
    accepting = [False] * len(found)
    idle = True  # whether every useful component with a cycle accepts
    for index, members in enumerate(found):
        union = 0
        cyclic = False
        for state in members:
            for _, target, marks in rows[state]:
                if which[target] == index:
                    union |= marks
                    cyclic = True
                elif useful[which[target]]:
                    useful[index] = True
        accepting[index] = cyclic and union == full
        if accepting[index]:
            useful[index] = True
        elif cyclic and useful[index]:
            idle = False
    if not useful[which[network.initial]]:
        return Network.nothing(network.everything, int(by_state))
    always = [0] * len(found)
    implied = [full] * sets  # implied[i]: the sets that are on each edge with i, where components accept
    for index, members in enumerate(found):
        if accepting[index]:
            for mark in range(sets):
                if not _cycle_without(rows, which, members, index, 1 << mark):
                    always[index] |= 1 << mark
            for state in members:
                for _, target, marks in rows[state]:
                    if which[target] == index:
                        marks |= always[index]
                        for i in range(sets):
                            if marks >> i & 1:
                                implied[i] &= marks
    if by_state:
        keep = [0]
    elif idle and all(marks == full for marks, good in zip(always, accepting, strict=True) if good):
        keep = []
    else:
        keep = _needed(implied, sets)
    useful_states = [state for state in range(len(rows)) if which[state] >= 0 and useful[which[state]]]
    names = {state: name for name, state in enumerate(useful_states)}
    new_rows: list[Row] = []
    for state in useful_states:
        index = which[state]
        row: Row = []
        own = 0
        if by_state and accepting[index]:
            own = always[index]
            for _, target, marks in rows[state]:
                if which[target] == index:
                    own |= marks
        for label, target, marks in rows[state]:
            if target not in names:
                continue
            kept = own
            if not by_state and accepting[index] and which[target] == index:
                marks |= always[index]
                for i, old in enumerate(keep):
                    kept |= (marks >> old & 1) << i
            row.append((label, names[target], kept))
        new_rows.append(merged(row))
    return Network(new_rows, network.everything, names[network.initial], len(keep))


def _needed(implied: list[int], sets: int) -> list[int]:
    """The sets to keep: not those that are on every edge with some kept set."""
    keep = list(range(sets))
    for mark in range(sets):
        if any(other != mark and other in keep and implied[other] >> mark & 1 for other in range(sets)):
            keep.remove(mark)
    return keep


def _cycle_without(rows: list[Row], which: list[int], members: list[int], index: int, mark: int) -> bool:
    """Whether a component has a cycle whose edges lack `mark`."""
    incoming = dict.fromkeys(members, 0)
    for state in members:
        for _, target, marks in rows[state]:
            if which[target] == index and not marks & mark:
                incoming[target] += 1
    free = [state for state in members if not incoming[state]]
    removed = 0
    while free:
        state = free.pop()
        removed += 1
        for _, target, marks in rows[state]:
            if which[target] == index and not marks & mark:
                incoming[target] -= 1
                if not incoming[target]:
                    free.append(target)
    return removed < len(members)
