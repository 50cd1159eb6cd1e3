"""Simulation: which states of an automaton can do all that others can, and automata made smaller by it."""

from __future__ import annotations

from collections import deque

from spec.ltl import graph
from spec.ltl.budget import Budget
from spec.ltl.network import Network, Row, bits, components, merged, pruned

_STEPS = 1_000_000
"""Pairs of edges that a simulation may compare; a larger automaton is reduced by bisimulation only."""


def simulators(rows: list[Row], generous: list[Row] | None = None, accepting: int = 0) -> list[int]:
    """Of each state the set of those that simulate it, as bits: on each letter they have an edge to a simulator of the
    target, with at least the marks.

    generous: the edges that simulators may use, if others than those to be simulated. accepting: states that only these
    simulate.
    Cost: O(edges^2 * states), at worst.  Source: Henzinger, Henzinger and Kopke (1995), for edges with marks as in
    Babiak et al. (2013), 5.
    """
    # Numbered anew, targets before sources, so that most pairs are looked at once.
    order = [
        state
        for members in graph.components(range(len(rows)), lambda state: [target for _, target, _ in rows[state]])
        for state in members
    ]
    new = [0] * len(rows)
    for number, state in enumerate(order):
        new[state] = number
    asked = _renumbered(rows, order, new)
    able = asked if generous is None else _renumbered(generous, order, new)
    allowed = sum(1 << new[state] for state in bits(accepting))
    relation = _greatest(asked, able, allowed)
    result = [0] * len(rows)
    for number, simulating in enumerate(relation):
        result[order[number]] = sum(1 << order[other] for other in bits(simulating))
    return result


def _renumbered(rows: list[Row], order: list[int], new: list[int]) -> list[Row]:
    return [[(label, new[target], marks) for label, target, marks in rows[state]] for state in order]


def _greatest(rows: list[Row], able: list[Row], accepting: int) -> list[int]:
    """The greatest simulation."""
    count = len(rows)
    asked, offered = [0] * count, [0] * count
    before: list[set[int]] = [set() for _ in range(count)]
    for state in range(count):
        for label, target, _ in rows[state]:
            asked[state] |= label
            before[target].add(state)
        for label, _, _ in able[state]:
            offered[state] |= label
    relation = [sum(1 << s for s in range(count) if not asked[t] & ~offered[s]) for t in range(count)]
    for state in bits(accepting):
        relation[state] &= accepting
    waiting = deque(range(count))
    queued = [True] * count
    while waiting:
        state = waiting.popleft()
        queued[state] = False
        row = rows[state]
        changed = False
        candidates = relation[state] & ~(1 << state) if rows is able else relation[state]
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            if not _matches(row, able[lowest.bit_length() - 1], relation):
                relation[state] ^= lowest
                changed = True
        if changed:
            for source in before[state]:
                if not queued[source]:
                    queued[source] = True
                    waiting.append(source)
    return relation


def _matches(row: Row, other: Row, relation: list[int]) -> bool:
    for label, target, marks in row:
        allowed = relation[target]
        for label_other, target_other, marks_other in other:
            if allowed >> target_other & 1 and not marks & ~marks_other:
                label &= ~label_other
                if not label:
                    break
        if label:
            return False
    return True


def bisimulated(network: Network) -> Network:
    """The quotient by bisimulation: states whose edges lead with the same labels and marks to the same classes.

    Cost: O(edges * rounds).
    """
    rows = network.rows
    classes = [0] * len(rows)
    count = 1
    while True:
        known: dict[frozenset[tuple[int, int, int]], int] = {}
        following = []
        for row in rows:
            labels: dict[tuple[int, int], int] = {}
            for label, target, marks in row:
                key = classes[target], marks
                labels[key] = labels.get(key, 0) | label
            signature = frozenset((label, target, marks) for (target, marks), label in labels.items())
            following.append(known.setdefault(signature, len(known)))
        classes = following
        if len(known) == count:
            break
        count = len(known)
    if count == len(rows):
        return network
    return quotient(network, classes)


def quotient(network: Network, classes: list[int]) -> Network:
    """The automaton of the classes, each with the edges of the first state in it."""
    names: dict[int, int] = {}
    first: list[int] = []
    for state, name in enumerate(classes):
        if name not in names:
            names[name] = len(first)
            first.append(state)
    rows = [
        merged([(label, names[classes[target]], marks) for label, target, marks in network.rows[state]])
        for state in first
    ]
    return Network(rows, network.everything, names[classes[network.initial]], network.sets)


def reversed_rows(rows: list[Row]) -> list[Row]:
    """The edges that come into each state: label, source, marks."""
    incoming: list[Row] = [[] for _ in rows]
    for state, row in enumerate(rows):
        for label, target, marks in row:
            incoming[target].append((label, state, marks))
    return incoming


def simulated(network: Network, budget: Budget, by_state: bool = False) -> Network:
    """The same language in fewer states and edges, by direct and reverse simulation in turn, until neither helps.

    States that simulate each other become one, and an edge gives up the letters for which another edge of its state
    leads to a state that simulates its target and has its marks. by_state: whether all the edges of a state bear the
    one mark or none does, which stays so.
    Cost: cubic in the states; only bisimulation when the automaton is large.
    Source: Etessami and Holzmann (2000); Somenzi and Bloem (2000); Babiak et al. (2013), 5; Clemente and Mayr (2013).
    """
    network = bisimulated(pruned(network, by_state))
    while True:
        size = network.size
        steps = size[1] ** 2 // 2
        if size[0] < 2 or steps * budget.weight > min(_STEPS, budget.work - budget.spent):
            return network
        budget.spend(steps, "simulation")
        network = pruned(_direct(network), by_state)
        network = pruned(_reverse(network, by_state), by_state)
        network = _redirected(network, by_state)
        if network.size == size:
            return network


def _direct(network: Network) -> Network:
    relation = simulators(network.rows)
    classes = _mutual(relation)
    rows: list[Row] = []
    for row in network.rows:
        kept: Row = []
        for index, (label, target, marks) in enumerate(row):
            for position, (label_other, target_other, marks_other) in enumerate(row):
                if (
                    label & label_other
                    and position != index
                    and relation[target] >> target_other & 1
                    and not marks & ~marks_other
                    and (classes[target] != classes[target_other] or marks != marks_other or position < index)
                ):
                    label &= ~label_other
            if label:
                kept.append((label, target, marks))
        rows.append(kept)
    return quotient(Network(rows, network.everything, network.initial, network.sets), classes)


def _mutual(relation: list[int]) -> list[int]:
    """The classes of states that are related both ways, named by their first state."""
    classes = list(range(len(relation)))
    for state in range(len(relation)):
        for other in range(state):
            if relation[state] >> other & 1 and relation[other] >> state & 1:
                classes[state] = classes[other]
                break
    return classes


def _reverse(network: Network, by_state: bool) -> Network:
    """Direct simulation on the edges turned round, with the initial state simulated by none but itself."""
    incoming = reversed_rows(network.rows)
    # A self-loop on a letter of its own makes the initial state one that only itself can simulate.
    wide = network.everything.bit_length()
    incoming[network.initial].append((1 << wide, network.initial, 0))
    accepting = 0
    if by_state:  # states are joined with all their outgoing edges, so only if these bear the same marks
        for state, row in enumerate(network.rows):
            accepting |= int(bool(row) and bool(row[0][2])) << state
    relation = simulators(incoming, accepting=accepting)
    classes = _mutual(relation)
    rows: list[Row] = []
    for row in incoming:
        kept: Row = []
        for index, (label, source, marks) in enumerate(row):
            if label >> wide:
                continue
            for position, (label_other, source_other, marks_other) in enumerate(row):
                if (
                    label & label_other
                    and position != index
                    and relation[source] >> source_other & 1
                    and not marks & ~marks_other
                    and (classes[source] != classes[source_other] or marks != marks_other or position < index)
                ):
                    label &= ~label_other
            if label:
                kept.append((label, source, marks))
        rows.append(kept)
    turned = reversed_rows(quotient(Network(rows, network.everything, network.initial, network.sets), classes).rows)
    names: dict[int, int] = {}
    for name in classes:
        names.setdefault(name, len(names))
    rows = [merged(row) for row in turned]
    return Network(rows, network.everything, names[classes[network.initial]], network.sets)


def _redirected(network: Network, by_state: bool) -> Network:
    """Without each state on no cycle that accepts what some other state does, from which it cannot be reached.

    The marks of edges on no cycle mean nothing: those to be simulated have none, those that simulate have all. What is
    related both ways accepts the same words.
    """
    rows = network.rows
    which, found = components(rows, network.initial)
    full = (1 << network.sets) - 1
    generous = [
        [(label, target, full if which[target] != which[state] else marks) for label, target, marks in row]
        for state, row in enumerate(rows)
    ]
    relation = simulators(rows, generous)
    for members in reversed(found):
        state = members[0]
        if len(members) > 1 or any(target == state for _, target, _ in rows[state]):
            continue
        # A component found earlier cannot reach one found later.
        for other in range(len(rows)):
            same = relation[state] >> other & 1 and relation[other] >> state & 1
            if other != state and which[other] < which[state] and same:
                moved = [
                    merged([(label, other if target == state else target, marks) for label, target, marks in row])
                    for row in rows
                ]
                initial = other if network.initial == state else network.initial
                return pruned(Network(moved, network.everything, initial, network.sets), by_state)
    return network
