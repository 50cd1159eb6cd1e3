"""Products of automata: the conjunction of a formula with one that holds always or never."""

from __future__ import annotations

from spec.ltl.budget import Budget
from spec.ltl.network import Network, Row, accepts, components


def recurring(network: Network) -> Network | None:
    """An automaton for []<>a from one for <>a, whose words are accepted by what they begin with; None if that is not
    seen, or true of all words.

    network: for <>a. Its state that accepts everything is replaced by the initial one, the edges there being marked.
    Cost: linear.  Source: Esparza, Kretinsky and Sickert, One theorem to rule them all (2018), on []<> of guarantees.
    """
    everything = network.everything
    which, found = components(network.rows, network.initial)
    full = (1 << network.sets) - 1
    ends = set()
    for index, members in enumerate(found):
        if network.rows[members[0]] == [(everything, members[0], full)]:
            ends.add(members[0])
        elif accepts(network, which, members, index):
            return None
    if network.initial in ends:
        return None
    rows = [
        [(label, network.initial if target in ends else target, int(target in ends)) for label, target, _ in row]
        for row in network.rows
    ]
    return Network(rows, everything, network.initial, 1)


def intersection(network: Network, other: Network, budget: Budget) -> Network:
    """The words that both accept.  Cost: the product."""
    return _product(network, other, [0] * len(network.rows), budget)


def suspended(network: Network, steady: Network, budget: Budget) -> Network:
    """The intersection, where `steady` accepts a word iff it accepts each of its suffixes.

    Since when `steady` begins to run does not matter, it waits until `network` is in a component that accepts.
    Cost: the product of the components that accept, and the others.
    Source: Babiak, Badie, Duret-Lutz, Kretinsky and Strejcek, Compositional approach to suspension and other
    improvements to LTL translation (2013), 3.
    """
    which, found = components(network.rows, network.initial)
    accepting = [accepts(network, which, members, index) for index, members in enumerate(found)]
    return _product(network, steady, [index if accepting[index] else -1 for index in which], budget)


def _product(network: Network, steady: Network, places: list[int], budget: Budget) -> Network:
    """The product; where the place of a state of `network` is -1, or changes, `steady` is at its beginning."""

    def begun(state: int) -> tuple[int, int]:
        return state, steady.initial if places[state] >= 0 else -1

    pairs = [begun(network.initial)]
    numbers = {pairs[0]: 0}
    rows: list[Row] = []
    for left, right in pairs:  # which grows
        row: Row = []
        for label, target, marks in network.rows[left]:
            if right < 0 or places[target] != places[left]:
                options = [(label, begun(target), 0)]
            else:
                options = [
                    (label & other, (target, following), marks | marks_other << network.sets)
                    for other, following, marks_other in steady.rows[right]
                    if label & other
                ]
            for common, pair, joined in options:
                if pair not in numbers:
                    numbers[pair] = len(pairs)
                    pairs.append(pair)
                    budget.admit(len(pairs), "the product")
                row.append((common, numbers[pair], joined))
        budget.spend(2 * len(row), "the product")
        rows.append(row)
    return Network(rows, network.everything, 0, network.sets + steady.sets)
