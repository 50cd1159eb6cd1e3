"""Short words that show something: a lasso that an automaton accepts, and what of a word can be left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.cover import cover
from spec.ltl.intersection import accepting_components
from spec.ltl.word import Letter, Word

EXPANSIONS = 100_000
"""How many nodes are looked at to make a lasso shorter than the first one found."""
EVALUATIONS = 400
"""How often a word is tried without one of its parts."""


def lasso(automaton: Automaton) -> Word | None:
    """A short lasso that the automaton accepts, or None if it accepts none.

    It is a shortest one, prefix and cycle together, unless that takes more than EXPANSIONS nodes to find; each letter
    has as few true propositions as its edge allows.
    Cost: linear in the edges to find one; then up to EXPANSIONS.

    >>> eventually_p = Automaton(("p",), ((Edge(0b01, 0), Edge(0b10, 1, 1)), (Edge(0b11, 1, 1),)), 0, 1)
    >>> lasso(eventually_p)
    p; cycle{1}
    """
    found = accepting_components(automaton)
    if not found:
        return None
    component_of = {state: component for component in found for state in component}
    before = _reach(automaton)
    prefix: list[Edge] = []
    cycle: list[Edge] | None = None
    budget = EXPANSIONS
    distances: dict[int, int] = {}
    for state, step in before.items():  # nearest first
        distance = distances[state] = 0 if step is None else distances[step[0]] + 1
        if state not in component_of:
            continue
        best = None if cycle is None else len(prefix) + len(cycle)
        if best is not None and (distance + 1 >= best or budget <= 0):
            break
        inside = component_of[state]
        most = None if best is None else best - distance - 1
        shorter, used = _shortest_cycle(automaton, state, inside, most, budget)
        budget -= used
        if shorter is None and cycle is None:
            shorter = _some_cycle(automaton, state, inside)
        if shorter is not None:
            prefix, cycle = _path(before, state), shorter
    assert cycle is not None
    letters = {edge.label: _fewest(automaton, edge.label) for edge in (*prefix, *cycle)}
    return Word(tuple(letters[edge.label] for edge in prefix), tuple(letters[edge.label] for edge in cycle))


Before = dict[int, tuple[int, Edge] | None]
"""Of each state that is reached the state before and the edge from there; None of the first."""


def _reach(automaton: Automaton) -> Before:
    """The reachable states, nearest first."""
    before: Before = {automaton.initial: None}
    waiting = deque([automaton.initial])
    while waiting:
        state = waiting.popleft()
        for edge in automaton.edges[state]:
            if edge.target not in before:
                before[edge.target] = state, edge
                waiting.append(edge.target)
    return before


def _path(before: Before, state: int) -> list[Edge]:
    edges = []
    while (step := before[state]) is not None:
        state, edge = step
        edges.append(edge)
    return edges[::-1]


def _shortest_cycle(
    automaton: Automaton, start: int, inside: frozenset[int], most: int | None, budget: int
) -> tuple[list[Edge] | None, int]:
    """The fewest edges from `start` to itself that bear every mark, at most `most`; and the nodes seen."""
    wanted = automaton.all_marks
    before: dict[tuple[int, int], tuple[tuple[int, int], Edge]] = {}
    waiting = deque([((start, 0), 0)])
    reached = {(start, 0)}
    used = 0
    while waiting and used < budget:
        node, length = waiting.popleft()
        used += 1
        if length == most:
            break
        state, marks = node
        for edge in automaton.edges[state]:
            if edge.target not in inside:
                continue
            target = edge.target, marks | edge.marks
            if target == (start, wanted):
                edges = [edge]
                while node in before:
                    node, edge = before[node]
                    edges.append(edge)
                return edges[::-1], used
            if target not in reached:
                reached.add(target)
                before[target] = node, edge
                waiting.append((target, length + 1))
    return None, used


def _some_cycle(automaton: Automaton, start: int, inside: frozenset[int]) -> list[Edge]:
    """A cycle that bears every mark: to the nearest edge with one that is missing, again and again, and back."""
    missing, state, cycle = automaton.all_marks, start, list[Edge]()
    while missing:
        walk = _walk(automaton, state, inside, lambda edge: bool(edge.marks & missing))  # noqa: B023
        for edge in walk:
            missing &= ~edge.marks
        cycle += walk
        state = walk[-1].target
    if state != start or not cycle:
        cycle += _walk(automaton, state, inside, lambda edge: edge.target == start)
    return cycle


def _walk(automaton: Automaton, start: int, inside: frozenset[int], wanted: Callable[[Edge], bool]) -> list[Edge]:
    """The fewest edges to one that is wanted, in a component where there is one."""
    before: Before = {start: None}
    waiting = deque([start])
    while True:
        state = waiting.popleft()
        for edge in automaton.edges[state]:
            if edge.target not in inside:
                continue
            if wanted(edge):
                return [*_path(before, state), edge]
            if edge.target not in before:
                before[edge.target] = state, edge
                waiting.append(edge.target)


def _fewest(automaton: Automaton, label: int) -> Letter:
    """The letter of the label with the fewest true propositions; of several the first in order."""
    cubes = cover(label, len(automaton.propositions))
    return automaton.letter(min((cube.true for cube in cubes), key=lambda true: (true.bit_count(), true)))


def shortened(word: Word, wanted: Callable[[Word], bool], evaluations: int = EVALUATIONS) -> Word:
    """The lasso with letters and true propositions left out, one after the other, as long as it is `wanted`.

    evaluations: how often `wanted` is asked at most. What comes back is wanted if `word` is.

    >>> shortened(Word.of([["p"], ["q"]], [["p"], ["p", "q"]]), lambda word: "p" in word.cycle[0])
    cycle{p}
    """
    word = rolled(word)
    again = True
    while again:
        again = False
        for candidate in _less(word):
            if not evaluations:
                return word
            evaluations -= 1
            if wanted(candidate):
                word, again = rolled(candidate), True
                break
    return word


def _less(word: Word) -> Iterator[Word]:
    """The word with the end of its prefix for a cycle, then without one letter, then with one proposition fewer."""
    prefix, cycle = word
    for i in reversed(range(len(prefix))):
        yield Word(prefix[:i], prefix[i:])
    for i in range(len(prefix)):
        yield Word(prefix[:i] + prefix[i + 1 :], cycle)
    if len(cycle) > 1:
        for i in range(len(cycle)):
            yield Word(prefix, cycle[:i] + cycle[i + 1 :])
    for i, letter in enumerate(word.letters):
        for name in sorted(letter):
            letters = (*word.letters[:i], letter - {name}, *word.letters[i + 1 :])
            yield Word(letters[: len(prefix)], letters[len(prefix) :])


def rolled(word: Word) -> Word:
    """The same infinite word with the shortest cycle, and then the shortest prefix.

    >>> rolled(Word.of([["p"], ["q"]], [["p"], ["q"], ["p"], ["q"]]))
    cycle{p; q}
    """
    prefix, cycle = word
    for length in range(1, len(cycle)):
        if len(cycle) % length == 0 and cycle == cycle[:length] * (len(cycle) // length):
            cycle = cycle[:length]
            break
    while prefix and prefix[-1] == cycle[-1]:
        prefix, cycle = prefix[:-1], (cycle[-1], *cycle[:-1])
    return Word(prefix, cycle)
