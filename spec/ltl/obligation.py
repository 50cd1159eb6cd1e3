"""Obligation properties, which have a unique minimal deterministic automaton whose components accept all or nothing."""

from __future__ import annotations

from spec.ltl.budget import Budget
from spec.ltl.formula import Formula, Operator, subformulas
from spec.ltl.network import Network, Row, components

Split = list[tuple[int, int]]
"""Labels that do not overlap, each with the set of states it leads to, as bits."""


def weak_deterministic(network: Network, budget: Budget, weaker: list[int] | None = None) -> Network:
    """The subset automaton of `network`, minimised on the assumption that its language is an obligation.

    It has one set; all the edges of a state are marked, or none is.

    weaker: of each state those that accept all it does, as bits, with which subsets are kept small.
    The result accepts another language exactly if that of `network` is no obligation (`agrees` tells).
    Cost: exponential in the states, bounded by `budget`.
    Source: Dax, Eisinger and Klaedtke, Mechanizing the powerset construction for restricted classes of omega-automata
    (ATVA 2007); Loding, Efficient minimization of deterministic weak omega-automata (2001).
    """
    rows, subsets = _determinised(network, budget, weaker)
    colours = _coloured(network, rows, subsets, budget)
    return _minimised(rows, colours, network.everything, budget)


def _determinised(network: Network, budget: Budget, weaker: list[int] | None) -> tuple[list[Row], list[int]]:
    """The subset automaton: its rows, and the subset of each state."""
    start = 1 << network.initial
    numbers = {start: 0}
    subsets = [start]
    rows: list[Row] = []
    for subset in subsets:  # which grows
        row: dict[int, int] = {}
        for label, targets in _split(network.rows, subset, budget):
            if weaker is not None:
                targets = _largest(targets, weaker)
            if targets not in numbers:
                numbers[targets] = len(subsets)
                subsets.append(targets)
                budget.admit(len(subsets), "the subset automaton")
            number = numbers[targets]
            row[number] = row.get(number, 0) | label
        rows.append([(label, target, 0) for target, label in row.items()])
    return rows, subsets


def _largest(subset: int, weaker: list[int]) -> int:
    """The subset without states that others in it simulate; of equals the first stays."""
    rest = subset
    while rest:
        lowest = rest & -rest
        rest ^= lowest
        if weaker[lowest.bit_length() - 1] & subset & ~lowest:
            subset ^= lowest
    return subset


def _split(rows: list[Row], subset: int, budget: Budget) -> Split:
    """For each letter that some edge takes, the set of targets; as labels."""
    labels: dict[int, int] = {}
    rest = subset
    while rest:
        lowest = rest & -rest
        rest ^= lowest
        for label, target, _ in rows[lowest.bit_length() - 1]:
            labels[target] = labels.get(target, 0) | label
    parts: dict[int, int] = {}
    everything = 0
    for label in labels.values():
        everything |= label
    parts = {0: everything}
    for target, label in labels.items():
        budget.spend(len(parts), "the subset construction")
        following: dict[int, int] = {}
        bit = 1 << target
        for targets, part in parts.items():
            inside = part & label
            if inside:
                following[targets | bit] = inside
                part ^= inside
            if part:
                following[targets] = part
        parts = following
    return [(label, targets) for targets, label in parts.items() if targets]


def _coloured(network: Network, rows: list[Row], subsets: list[int], budget: Budget) -> list[int]:
    """A colour for each state, even where the cycles of its component accept, odd where they do not: as low as can be
    without rising along an edge. A state without an edge for some letter leads to the sink, of colour 1."""
    which, found = components(rows, 0)
    colours = [0] * len(rows)
    for index, members in enumerate(found):
        colour = 0
        for state in members:
            taken = 0
            for label, target, _ in rows[state]:
                taken |= label
                if which[target] != index:
                    colour = max(colour, colours[target])
            if taken != network.everything:
                colour = max(colour, 1)
        cycle = _cycle(rows, which, members[0], index)
        if cycle:
            good = _accepts(network, subsets[members[0]], cycle, budget)
            if good == bool(colour & 1):
                colour += 1
        for state in members:
            colours[state] = colour
    return colours


def _cycle(rows: list[Row], which: list[int], start: int, index: int) -> list[int]:
    """Labels of a shortest cycle through a state, inside its component; none if there is none."""
    reached: dict[int, tuple[int, int]] = {}
    waiting = [start]
    for state in waiting:  # which grows
        for label, target, _ in rows[state]:
            if which[target] == index and target not in reached:
                reached[target] = (state, label)
                if target == start:
                    labels = []
                    while True:
                        source, label = reached[target]
                        labels.append(label & -label)
                        target = source
                        if target == start:
                            return labels[::-1]
                waiting.append(target)
    return []


def _accepts(network: Network, subset: int, letters: list[int], budget: Budget) -> bool:
    """Whether some state of the subset accepts the letters, again and again."""
    length = len(letters)
    numbers: dict[tuple[int, int], int] = {}
    pairs: list[tuple[int, int]] = []
    rest = subset
    while rest:
        lowest = rest & -rest
        rest ^= lowest
        pair = (lowest.bit_length() - 1, 0)
        numbers[pair] = len(pairs)
        pairs.append(pair)
    roots = len(pairs)
    product: list[Row] = []
    for state, position in pairs:  # which grows
        row: Row = []
        letter = letters[position]
        after = (position + 1) % length
        for label, target, marks in network.rows[state]:
            if label & letter:
                pair = (target, after)
                if pair not in numbers:
                    numbers[pair] = len(pairs)
                    pairs.append(pair)
                row.append((1, numbers[pair], marks))
        product.append(row)
        budget.spend(len(row) + 1, "the subset construction")
    product.append([(1, root, 0) for root in range(roots)])
    return nonempty(product, len(product) - 1, (1 << network.sets) - 1)


def nonempty(rows: list[Row], initial: int, full: int) -> bool:
    """Whether a component with a cycle has all the marks.  Cost: linear."""
    which, found = components(rows, initial)
    for index, members in enumerate(found):
        union, cyclic = 0, False
        for state in members:
            for _, target, marks in rows[state]:
                if which[target] == index:
                    union |= marks
                    cyclic = True
        if cyclic and union == full:
            return True
    return False


def _minimised(rows: list[Row], colours: list[int], everything: int, budget: Budget) -> Network:
    """The quotient by equality of what finite words lead to even colours; the sink has no state."""
    even = [not colour & 1 for colour in colours]
    classes = [int(flag) for flag in even]  # 0 is that of the sink too
    count = len({0, *classes})
    while True:
        budget.spend(2 * sum(map(len, rows)), "minimisation")
        sink = (0, frozenset[tuple[int, int]]())
        known = {sink: 0}
        following = []
        for state, row in enumerate(rows):
            labels: dict[int, int] = {}
            for label, target, _ in row:
                if classes[target]:
                    labels[classes[target]] = labels.get(classes[target], 0) | label
            signature = (int(even[state]), frozenset(labels.items()))
            following.append(known.setdefault(signature, len(known)))
        new_count = len(set(following) | {0})
        stable = new_count == count
        classes, count = following, new_count
        if stable:
            break
    names: dict[int, int] = {}
    first: list[int] = []
    for state, name in enumerate(classes):
        if name and name not in names:
            names[name] = len(first)
            first.append(state)
    if not classes[0]:
        return Network.nothing(everything, 1)
    result: list[Row] = []
    for state in first:
        row_labels: dict[int, int] = {}
        for label, target, _ in rows[state]:
            if classes[target]:
                name = names[classes[target]]
                row_labels[name] = row_labels.get(name, 0) | label
        result.append([(label, target, int(even[state])) for target, label in row_labels.items()])
    return Network(result, everything, names[classes[0]], 1)


def included(network: Network, weak: Network, budget: Budget) -> bool:
    """Whether a weak deterministic automaton accepts all that `network` does.  Cost: their product."""
    return not _meets(network, weak, budget, True)


def disjoint(network: Network, weak: Network, budget: Budget) -> bool:
    """Whether a weak deterministic automaton accepts nothing that `network` does.  Cost: their product."""
    return not _meets(network, weak, budget, False)


def _meets(network: Network, weak: Network, budget: Budget, turned: bool) -> bool:
    """Whether a word is accepted by `network` and by `weak` (`turned`: not by `weak`)."""
    sink = len(weak.rows)
    full = (1 << network.sets) - 1
    numbers = {(network.initial, weak.initial): 0}
    pairs = [(network.initial, weak.initial)]
    rows: list[Row] = []
    extra = 1 << network.sets
    for left, right in pairs:  # which grows
        options: list[tuple[int, int]] = []
        rest = network.everything
        good = turned
        if right != sink:
            for label, target, _ in weak.rows[right]:
                options.append((label, target))
                rest &= ~label
            good = weak_marked(weak, right) != turned
        if turned and rest:
            options.append((rest, sink))
        row = []
        for label, target, marks in network.rows[left]:
            for label_right, target_right in options:
                if label & label_right:
                    pair = (target, target_right)
                    if pair not in numbers:
                        numbers[pair] = len(pairs)
                        pairs.append(pair)
                        budget.admit(len(pairs), "the product")
                    row.append((1, numbers[pair], marks | (extra if good else 0)))
        budget.spend(len(options) * len(network.rows[left]) + 1, "the product")
        rows.append(row)
    return nonempty(rows, 0, full | extra)


def weak_marked(weak: Network, state: int) -> bool:
    """Whether the edges of a state are marked."""
    return bool(weak.rows[state]) and bool(weak.rows[state][0][2])


def syntactic_obligation(formula: Formula) -> bool:
    """Whether the syntax of a formula in negation normal form shows that it is an obligation.

    Source: Chang, Manna and Pnueli, Characterization of temporal property classes (1992).

    >>> from spec.ltl.parser import parse
    >>> syntactic_obligation(parse("[]p || <>q")), syntactic_obligation(parse("[]<>p"))
    (True, False)
    """
    return _classes(formula)[2]


def syntactic_guarantee(formula: Formula) -> bool:
    """Whether the syntax of a formula in negation normal form shows that a finite prefix decides that it is true.

    >>> from spec.ltl.parser import parse
    >>> syntactic_guarantee(parse("<>(p && X q)")), syntactic_guarantee(parse("[]p"))
    (True, False)
    """
    return _classes(formula)[1]


def _classes(formula: Formula) -> tuple[bool, bool, bool]:
    """Whether the syntax shows a safety property, a guarantee, an obligation."""
    safety: dict[Formula, bool] = {}
    guarantee: dict[Formula, bool] = {}
    obligation: dict[Formula, bool] = {}
    for part in subformulas(formula):
        operands = part.operands
        safe, good = all(safety[f] for f in operands), all(guarantee[f] for f in operands)
        own = all(obligation[f] for f in operands)
        match part.operator:
            case Operator.ALWAYS | Operator.WEAK_UNTIL | Operator.RELEASE:
                # a W b and b R a with a guarantee b are obligations.
                right = operands[0] if part.operator is Operator.RELEASE else operands[-1]
                left = operands[-1] if part.operator is Operator.RELEASE else operands[0]
                own = safe or (part.operator is not Operator.ALWAYS and safety[left] and obligation[right])
                good = False
            case Operator.EVENTUALLY | Operator.UNTIL | Operator.STRONG_RELEASE:
                right = operands[0] if part.operator is Operator.STRONG_RELEASE else operands[-1]
                left = operands[-1] if part.operator is Operator.STRONG_RELEASE else operands[0]
                own = good or (part.operator is not Operator.EVENTUALLY and guarantee[right] and obligation[left])
                safe = False
            case Operator.AND | Operator.OR | Operator.NEXT | Operator.WEAK_NEXT | Operator.PROPOSITION:
                pass
            case Operator.NOT | Operator.TRUE | Operator.FALSE:
                pass
            case _:
                safe = good = own = safe and good
        safety[part], guarantee[part], obligation[part] = safe, good, own or safe or good
    return safety[formula], guarantee[formula], obligation[formula]
