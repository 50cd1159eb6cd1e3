"""Automata over infinite words: transition-based generalised Buchi automata, of which plain ones are a special case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import NamedTuple

from spec.ltl.graph import components
from spec.ltl.word import Letter, Word


class Edge(NamedTuple):
    """One edge: for every letter of its label, to `target`.

    label: a set of letters, bit i for the letter whose number is i (`Automaton.number`); so and, or and not of labels
    are &, | and ^ of integers, and 0 is the edge that no letter takes. marks: bit i for acceptance set i.
    """

    label: int
    target: int
    marks: int = 0


@dataclass(frozen=True, slots=True)
class Automaton:
    """A generalised Buchi automaton with acceptance on edges, states numbered from 0.

    It accepts an infinite word iff some run on it from `initial` takes edges of each of the `sets` acceptance sets
    infinitely often; with 0 sets every infinite run accepts. A missing edge ends a run.
    propositions: in order; letter number n has proposition i iff bit i of n is set.

    >>> eventually_p = Automaton(("p",), ((Edge(0b01, 0), Edge(0b10, 1, 1)), (Edge(0b11, 1, 1),)), 0, 1)
    >>> eventually_p.accepts(Word.of([[], ["p"]], [[]])), eventually_p.accepts(Word.of([], [[]]))
    (True, False)
    """

    propositions: tuple[str, ...]
    edges: tuple[tuple[Edge, ...], ...]
    initial: int = 0
    sets: int = 0

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.edges)

    @property
    def everything(self) -> int:
        """The label of all letters."""
        return (1 << (1 << len(self.propositions))) - 1

    @property
    def all_marks(self) -> int:
        """Every acceptance set."""
        return (1 << self.sets) - 1

    @property
    def state_based(self) -> bool:
        """Whether all edges that leave a state carry the same marks, so that the marks may be said of the state."""
        return all(len({edge.marks for edge in edges}) <= 1 for edges in self.edges)

    @property
    def deterministic(self) -> bool:
        """Whether no letter has two edges to choose from.  Cost: O(edges)."""
        for edges in self.edges:
            taken = 0
            for edge in edges:
                if taken & edge.label:
                    return False
                taken |= edge.label
        return True

    @property
    def complete(self) -> bool:
        """Whether each state has an edge for each letter."""
        for edges in self.edges:
            taken = 0
            for edge in edges:
                taken |= edge.label
            if taken != self.everything:
                return False
        return True

    def number(self, letter: Letter) -> int:
        """The number of a letter; propositions that the automaton does not know are ignored."""
        return sum(1 << i for i, name in enumerate(self.propositions) if name in letter)

    def letter(self, number: int) -> Letter:
        """The letter of a number."""
        return frozenset(name for i, name in enumerate(self.propositions) if number >> i & 1)

    def step(self, state: int, number: int) -> Iterator[Edge]:
        """The edges that leave `state` on the letter of that number."""
        return (edge for edge in self.edges[state] if edge.label >> number & 1)

    def accepts(self, word: Word) -> bool:
        """Whether some run on the lasso `word` is accepting: a reachable cycle of the product bears every mark.

        Raises: ValueError for a finite word.  Cost: O(letters * edges).
        """
        if word.finite:
            raise ValueError("a finite word: an automaton over infinite words needs a cycle")
        numbers = [self.number(letter) for letter in word.letters]

        def edges(node: tuple[int, int]) -> Iterator[tuple[tuple[int, int], int]]:
            position, state = node
            after = word.after(position)
            return (((after, edge.target), edge.marks) for edge in self.step(state, numbers[position]))

        for component in components([(0, self.initial)], lambda node: (target for target, _ in edges(node))):
            inside = set(component)
            marks = [mark for node in component for target, mark in edges(node) if target in inside]
            if marks and reduce(or_, marks) == self.all_marks:
                return True
        return False

    def _repr_html_(self) -> str:
        """For notebooks: the states and edges drawn; a table when there are many."""
        from spec.ltl.picture import automaton

        return automaton(self)

    def _repr_svg_(self) -> str | None:
        """The same where nobody says what the page looks like; None when it is a table."""
        from spec.picture import alone

        drawn = self._repr_html_()
        return alone(drawn) if drawn.startswith("<svg") else None

    def check(self) -> None:
        """Raise ValueError unless labels, targets and marks are within what is declared.  Cost: O(edges)."""
        if not 0 <= self.initial < self.states:
            raise ValueError(f"initial state {self.initial} of {self.states}")
        if len(set(self.propositions)) != len(self.propositions):
            raise ValueError(f"a proposition is named twice: {self.propositions}")
        for state, edges in enumerate(self.edges):
            for edge in edges:
                if not 0 < edge.label <= self.everything:
                    raise ValueError(f"state {state}: label {edge.label:#x} of {len(self.propositions)} propositions")
                if not 0 <= edge.target < self.states:
                    raise ValueError(f"state {state}: an edge to {edge.target}, of {self.states} states")
                if edge.marks & ~self.all_marks:
                    raise ValueError(f"state {state}: marks {edge.marks:#b} of {self.sets} acceptance sets")


def proposition_label(index: int, propositions: int) -> int:
    """The label of the letters in which proposition `index` of so many is true.

    >>> bin(proposition_label(0, 2)), bin(proposition_label(1, 2))
    ('0b1010', '0b1100')
    """
    block = 1 << index
    label = ((1 << block) - 1) << block
    for width in range(index + 1, propositions):
        label |= label << (1 << width)
    return label
