"""From acceptance sets on edges to one set of accepting states."""

from __future__ import annotations

from itertools import permutations

from spec.ltl.budget import Budget
from spec.ltl.network import Network, Row, components, merged

_ORDERS = 24
"""At most so many orders of the acceptance sets are tried in a component, and fewer in a large one."""
_STEPS = 100_000


def degeneralised(network: Network, budget: Budget) -> Network:
    """A plain Buchi automaton for the same words: all edges of a state bear the one mark, or none does.

    network: pruned. In each accepting component a state is paired with a level, the sets met since all were last met,
    in some order; a level is skipped when the edge, or every edge after it, has its set too. Only a bottom component of
    these pairs is kept, the smallest over the orders tried, and entered at any of its levels, since what a run did
    before entering does not matter. Outside of accepting components there are no levels.
    Cost: O(orders * edges * sets).
    Source: Giannakopoulou and Lerda (2002); Babiak et al., Compositional approach to suspension (2013), 4.
    """
    rows = network.rows
    which, found = components(rows, network.initial)
    full = (1 << network.sets) - 1
    places: dict[int, list[int]] = {}  # of each state, its copies
    made: list[Row] = []
    accepting: list[bool] = []
    for index, members in enumerate(found):
        inside = {state: [edge for edge in rows[state] if which[edge[1]] == index] for state in members}
        union = 0
        for row in inside.values():
            for _, _, marks in row:
                union |= marks
        if not any(inside.values()) or union != full:
            copies = {(state, 0): [(label, (target, 0)) for label, target, _ in inside[state]] for state in members}
            top = -1
        else:
            copies, top = _levels(inside, network.sets, budget)
        numbers = {}
        for pair in copies:
            numbers[pair] = len(made)
            places.setdefault(pair[0], []).append(len(made))
            made.append([])
            accepting.append(pair[1] == top)
        for pair, following in copies.items():
            row = made[numbers[pair]]
            mark = int(pair[1] == top)
            row.extend((label, numbers[target], mark) for label, target in following)
            row.extend((label, places[target][0], mark) for label, target, _ in rows[pair[0]] if which[target] != index)
        budget.admit(len(made), "the degeneralised automaton")
    return Network([merged(row) for row in made], network.everything, places[network.initial][0], 1)


Pair = tuple[int, int]


def _levels(inside: dict[int, Row], sets: int, budget: Budget) -> tuple[dict[Pair, list[tuple[int, Pair]]], int]:
    """The pairs of state and level with their edges, and the level that accepts."""
    common = {}
    steady = True
    for state, row in inside.items():
        shared = (1 << sets) - 1
        for _, _, marks in row:
            shared &= marks
        common[state] = shared
        steady = steady and shared == (1 << sets) - 1
    if steady:
        return {(s, 0): [(label, (target, 0)) for label, target, _ in row] for s, row in inside.items()}, 0
    edges = sum(map(len, inside.values()))
    orders = max(1, min(_ORDERS, _STEPS // (edges * sets)))
    best: dict[Pair, list[tuple[int, Pair]]] | None = None
    for tried, order in enumerate(permutations(range(sets))):
        if tried >= orders:
            break
        budget.spend(edges * sets, "degeneralisation", labels=False)
        candidate = _bottom(_paired(inside, common, order, sets, budget))
        if best is None or len(candidate) < len(best):
            best = candidate
    assert best is not None
    return best, sets


def _paired(
    inside: dict[int, Row], common: dict[int, int], order: tuple[int, ...], sets: int, budget: Budget
) -> dict[Pair, list[tuple[int, Pair]]]:
    start = (next(iter(inside)), 0)
    result: dict[Pair, list[tuple[int, Pair]]] = {start: []}
    waiting = [start]
    for pair in waiting:  # which grows
        state, level = pair
        base = 0 if level == sets else level
        for label, target, marks in inside[state]:
            seen = marks | common[target]
            after = base
            while after < sets and seen >> order[after] & 1:
                after += 1
            following = (target, after)
            result[pair].append((label, following))
            if following not in result:
                result[following] = []
                waiting.append(following)
                budget.admit(len(waiting), "the degeneralised automaton")
    return result


def _bottom(graph: dict[Pair, list[tuple[int, Pair]]]) -> dict[Pair, list[tuple[int, Pair]]]:
    """The smallest component of the pairs that none leaves."""
    numbers = {pair: i for i, pair in enumerate(graph)}
    rows: list[Row] = [[(label, numbers[target], 0) for label, target in edges] for edges in graph.values()]
    which, found = components(rows, 0)
    pairs = list(graph)
    bottoms = [
        members
        for index, members in enumerate(found)
        if all(which[target] == index for state in members for _, target, _ in rows[state])
    ]
    return {pairs[state]: graph[pairs[state]] for state in min(bottoms, key=len)}
