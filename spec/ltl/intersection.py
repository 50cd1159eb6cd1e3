"""What two automata both accept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.cover import Cube, cover, label_of
from spec.ltl.error import TooLargeError
from spec.ltl.graph import components

STATES = 100_000
"""How many states an intersection may have, unless told otherwise."""


def over(automaton: Automaton, propositions: Sequence[str]) -> Automaton:
    """The same automaton over more propositions, or the same in another order.  Cost: the covers of its labels.

    Raises: ValueError when one of its own is not among them.

    >>> over(Automaton(("q",), ((Edge(0b10, 0),),)), ("p", "q")).edges
    ((Edge(label=12, target=0, marks=0),),)
    """
    names = tuple(propositions)
    if names == automaton.propositions:
        return automaton
    places = [names.index(name) for name in automaton.propositions]

    def moved(bits: int) -> int:
        return sum(1 << place for i, place in enumerate(places) if bits >> i & 1)

    labels: dict[int, int] = {}
    for label in {edge.label for edges in automaton.edges for edge in edges}:
        cubes = cover(label, len(places))
        labels[label] = reduce(
            or_, (label_of(Cube(moved(cube.true), moved(cube.false)), len(names)) for cube in cubes), 0
        )
    edges = tuple(tuple(edge._replace(label=labels[edge.label]) for edge in edges) for edges in automaton.edges)
    return Automaton(names, edges, automaton.initial, automaton.sets)


def intersection(left: Automaton, right: Automaton, *, states: int = STATES) -> Automaton:
    """The automaton of the words that both accept, over the propositions of both; the sets of `right` come last.

    Only what is reachable from the initial states is made. Raises: TooLargeError beyond `states` states.
    Cost: O(edges of the one * edges of the other).

    >>> from spec.ltl.word import Word
    >>> always_p, always_q = (Automaton((name,), ((Edge(0b10, 0),),)) for name in "pq")
    >>> both = intersection(always_p, always_q)
    >>> both.propositions, both.edges
    (('p', 'q'), ((Edge(label=8, target=0, marks=0),),))
    """
    propositions = (*left.propositions, *(name for name in right.propositions if name not in left.propositions))
    left, right = over(left, propositions), over(right, propositions)
    pairs = [(left.initial, right.initial)]
    numbers = {pairs[0]: 0}
    rows: list[tuple[Edge, ...]] = []
    for a, b in pairs:  # which grows
        row: list[Edge] = []
        for one in left.edges[a]:
            for other in right.edges[b]:
                label = one.label & other.label
                if not label:
                    continue
                pair = one.target, other.target
                if pair not in numbers:
                    if len(pairs) >= states:
                        raise TooLargeError(f"the intersection of two automata has more than states={states} states")
                    numbers[pair] = len(pairs)
                    pairs.append(pair)
                row.append(Edge(label, numbers[pair], one.marks | other.marks << left.sets))
        rows.append(tuple(row))
    return Automaton(propositions, tuple(rows), 0, left.sets + right.sets)


def accepting_components(automaton: Automaton) -> list[frozenset[int]]:
    """The reachable components with a cycle through every mark; there is none iff no word is accepted.

    >>> accepting_components(Automaton(("p",), ((Edge(0b01, 0), Edge(0b10, 1, 1)), (Edge(0b11, 1, 1),)), 0, 1))
    [frozenset({1})]
    """
    found = []
    for component in components([automaton.initial], lambda state: (edge.target for edge in automaton.edges[state])):
        inside = frozenset(component)
        marks = [edge.marks for state in component for edge in automaton.edges[state] if edge.target in inside]
        if marks and reduce(or_, marks) == automaton.all_marks:
            found.append(inside)
    return found


def nonempty(automaton: Automaton) -> bool:
    """Whether some word is accepted.  Cost: O(edges)."""
    return bool(accepting_components(automaton))


def trimmed(automaton: Automaton) -> Automaton:
    """The same automaton without the edges to states from which no word is accepted; states keep their numbers.

    >>> trimmed(Automaton(("p",), ((Edge(0b01, 0, 1), Edge(0b10, 1)), (Edge(0b11, 1),)), 0, 1)).edges
    ((Edge(label=1, target=0, marks=1),), ())
    """
    useful: set[int] = set().union(*accepting_components(automaton))
    before: dict[int, list[int]] = {}
    for state, edges in enumerate(automaton.edges):
        for edge in edges:
            before.setdefault(edge.target, []).append(state)
    waiting = list(useful)
    while waiting:
        for state in before.get(waiting.pop(), ()):
            if state not in useful:
                useful.add(state)
                waiting.append(state)
    kept = tuple(
        tuple(edge for edge in edges if state in useful and edge.target in useful)
        for state, edges in enumerate(automaton.edges)
    )
    return Automaton(automaton.propositions, kept, automaton.initial, automaton.sets)
