"""Deterministic machines with an output for each state: found while they are walked, then made as small as can be."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from spec.ltl.error import TooLargeError

State = TypeVar("State", bound=Hashable)
Output = TypeVar("Output", bound=Hashable)
First = TypeVar("First", bound=Hashable)
Second = TypeVar("Second", bound=Hashable)

EDGES = 300_000
"""How many edges a machine may have while it is walked."""
BYTES = 1 << 27
"""How much memory their labels may take."""


@dataclass(frozen=True, slots=True)
class Machine(Generic[Output]):
    """A complete deterministic Moore machine; state 0 is where it begins.

    rows: for each state, the label of each successor; a label is a set of letters as in `spec.ltl.automaton.Edge`, so
    that a machine over many propositions stays short. outputs: one a state.
    """

    rows: tuple[Mapping[int, int], ...]
    outputs: tuple[Output, ...]

    def table(self, letters: int) -> tuple[tuple[int, ...], ...]:
        """For each state, the successor of each of so many letters.  Cost: O(edges * letters)."""
        table = []
        for row in self.rows:
            successors = [0] * letters
            for target, label in row.items():
                digits = bin(label)[:1:-1]  # the lowest bit first
                letter = digits.find("1")
                while letter >= 0:
                    successors[letter] = target
                    letter = digits.find("1", letter + 1)
            table.append(tuple(successors))
        return tuple(table)

    def widened(self, propositions: tuple[str, ...], more: tuple[str, ...]) -> Machine[Output]:
        """The machine of the same words over `more` propositions, which it ignores if they are not among its own.

        Both are in order.  Cost: O(edges * letters).
        """
        rows = ({target: widened(label, propositions, more) for target, label in row.items()} for row in self.rows)
        return Machine(tuple(rows), self.outputs) if more != propositions else self


def explore(
    initial: State,
    branches: Callable[[State], Mapping[State, int]],
    output: Callable[[State], Output],
    states: int,
) -> Machine[Output]:
    """The machine of the states that are reachable from `initial`.

    branches: for a state, the label of each successor; the labels of a state are disjoint and name every letter.
    states: how many there may be.  Raises: TooLargeError beyond that, and beyond EDGES and BYTES.  Cost: O(edges).
    """
    edges = size = 0
    numbers = {initial: 0}
    found = [initial]
    rows: list[dict[int, int]] = []
    while len(rows) < len(found):
        row: dict[int, int] = {}
        for target, label in branches(found[len(rows)]).items():
            if target not in numbers:
                if len(found) == states:
                    raise TooLargeError(f"the monitor needs more than {states} states; states=... allows more")
                numbers[target] = len(found)
                found.append(target)
            row[numbers[target]] = label
        rows.append(row)
        edges += len(row)
        size += sum(label.bit_length() for label in row.values()) >> 3
        if edges > EDGES or size > BYTES:
            raise TooLargeError(f"the monitor needs more than {EDGES} edges or {BYTES} bytes for their labels")
    return Machine(tuple(rows), tuple(map(output, found)))


def product(
    left: Machine[First], right: Machine[Second], output: Callable[[First, Second], Output], states: int
) -> Machine[Output]:
    """The smallest machine whose output is `output` of the two machines' outputs.

    states: how many reachable pairs there may be.  Raises: TooLargeError beyond that.  Cost: O(pairs of edges).
    """

    def branches(at: tuple[int, int]) -> dict[tuple[int, int], int]:
        return {
            (first, second): common
            for first, label in left.rows[at[0]].items()
            for second, other in right.rows[at[1]].items()
            if (common := label & other)
        }

    return minimise(explore((0, 0), branches, lambda at: output(left.outputs[at[0]], right.outputs[at[1]]), states))


def minimise(machine: Machine[Output]) -> Machine[Output]:
    """The smallest machine with the same outputs after the same letters, its states in breadth-first order.

    States begin in one block if their outputs are equal, and blocks are split until all states of a block lead to the
    same blocks on the same letters. Since the smallest machine is unique and successors are numbered by their lowest
    letter, machines that answer alike become equal.  Cost: O(rounds * edges), with at most as many rounds as states.
    Source: Moore, Gedanken-experiments on sequential machines (1956).

    >>> blinking = Machine(({1: 3}, {2: 3}, {1: 3}), ("off", "on", "off"))
    >>> minimise(blinking)
    Machine(rows=({1: 3}, {0: 3}), outputs=('off', 'on'))
    """
    names: dict[Hashable, int] = {}
    blocks = [names.setdefault(output, len(names)) for output in machine.outputs]
    while True:
        rows = [_merged(row, blocks) for row in machine.rows]
        split: dict[Hashable, int] = {}
        finer = [
            split.setdefault((block, frozenset(row.items())), len(split))
            for block, row in zip(blocks, rows, strict=True)
        ]
        if len(split) == len(names):
            break
        blocks, names = finer, split
    members = {block: state for state, block in reversed(list(enumerate(blocks)))}
    numbers = {blocks[0]: 0}
    order = [blocks[0]]
    for block in order:
        row = rows[members[block]]
        for target in sorted(row, key=lambda target: row[target] & -row[target]):
            if target not in numbers:
                numbers[target] = len(order)
                order.append(target)
    return Machine(
        tuple({numbers[target]: label for target, label in rows[members[block]].items()} for block in order),
        tuple(machine.outputs[members[block]] for block in order),
    )


def _merged(row: Mapping[int, int], blocks: list[int]) -> dict[int, int]:
    merged: dict[int, int] = {}
    for target, label in row.items():
        merged[blocks[target]] = merged.get(blocks[target], 0) | label
    return merged


def widened(label: int, propositions: tuple[str, ...], more: tuple[str, ...]) -> int:
    """The label over `more` propositions of the letters that are in `label` but for those not in `propositions`.

    Both are in order.  Cost: O(letters over `propositions`) operations.

    >>> bin(widened(0b10, ("p",), ("p", "q"))), bin(widened(0b10, ("q",), ("p", "q")))
    ('0b1010', '0b1100')
    """
    if not label or not more:
        return label
    rest, half = more[:-1], 1 << len(more) - 1
    if propositions[-1:] != more[-1:]:
        same = widened(label, propositions, rest)
        return same | same << half
    low = 1 << len(propositions) - 1
    below = widened(label & ((1 << low) - 1), propositions[:-1], rest)
    above = widened(label >> low, propositions[:-1], rest)
    return below | above << half
