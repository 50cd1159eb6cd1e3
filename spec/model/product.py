"""A system beside an automaton that reads it: what emptiness search walks to find a run that the automaton accepts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic

from spec.ltl.automaton import Automaton
from spec.ltl.graph import components
from spec.ltl.word import Letter
from spec.model.fairness import enabled
from spec.model.system import State, Step, System

STAY = Step(-1, "stays as it is")
"""The step of a state without successors."""


class FailedStep(Exception):  # noqa: N818  (not an error of the caller's: the search has found something)
    """A step of the system fails. node: of the product, in which it was taken; step, target: the step."""

    def __init__(self, node: object, step: Step, target: object) -> None:
        super().__init__(step.fault)
        self.node, self.step, self.target = node, step, target


class Product(Generic[State]):
    """The runs of `system` whose word `automaton` accepts, and that are fair to the processes `fair`.

    A node is a state and what the automaton has come to before it reads the state's letter; so the first letter is that
    of the initial state. A state without successors has a step to itself. Acceptance sets are those of the automaton,
    then one for each process in `fair`: its edges are those on which the process moves, and those that leave a state
    in which it cannot (`spec.model.fairness`).
    skip_faults: leave out the steps that fail, instead of raising FailedStep.

    >>> from spec.ltl.automaton import Edge
    >>> from spec.model.path import PathSystem
    >>> from spec.ltl.parser import parse_word
    >>> eventually_q = Automaton(("q",), ((Edge(0b11, 0), Edge(0b10, 1)), (Edge(0b11, 1, 1),)), 0, 1)
    >>> product = Product(PathSystem(parse_word("p; cycle{q}")), eventually_q)
    >>> [(node, step.text) for step, node, _ in product.successors((1, 0))]
    [((1, 0), 'q'), ((1, 1), 'q')]
    """

    def __init__(self, system: System[State], automaton: Automaton, fair: Sequence[int] = ()) -> None:
        self.system = system
        self.automaton = automaton
        self.fair = tuple(fair)
        self.sets = automaton.sets + len(self.fair)
        self.skip_faults = False
        self._everything = (1 << self.sets) - 1
        self._numbers: dict[Letter, int] = {}
        self._moves: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        # In a state-based automaton without fairness, nodes accept as their automaton state does.
        full = automaton.all_marks
        self._accepting = [bool(edges) and all(edge.marks == full for edge in edges) for edges in automaton.edges]

    def initial(self) -> Iterator[tuple[State, int]]:
        """Each initial state, with the automaton's."""
        return ((state, self.automaton.initial) for state in self.system.initial())

    def moves(self, node: tuple[State, int]) -> tuple[tuple[int, int], ...]:
        """Where the automaton may go on the letter of the node's state: (state, marks)."""
        letter = self.system.letter(node[0])
        number = self._numbers.get(letter)
        if number is None:
            number = self._numbers[letter] = self.automaton.number(letter)
        key = node[1], number
        found = self._moves.get(key)
        if found is None:
            found = tuple(dict.fromkeys((edge.target, edge.marks) for edge in self.automaton.step(*key)))
            self._moves[key] = found
        return found

    def steps(self, node: tuple[State, int]) -> list[tuple[Step, State]]:
        """The system's steps from the node's state, or the one that stays.  Raises: FailedStep."""
        state = node[0]
        steps = list(self.system.successors(state))
        if not steps:
            return [(STAY, state)]
        for step, target in steps:
            if step.fault:
                if not self.skip_faults:
                    raise FailedStep(node, step, target)
                return [(step, target) for step, target in steps if not step.fault]
        return steps

    def successors(self, node: tuple[State, int]) -> Iterable[tuple[Step, tuple[State, int], int]]:
        """Each step with each move of the automaton; the marks are those of the move and of fairness."""
        moves = self.moves(node)
        if not moves:
            return []
        steps = self.steps(node)
        if not self.fair:
            return [(step, (target, after), marks) for step, target in steps for after, marks in moves]
        able = enabled(self.system, node[0])
        first = 1 << self.automaton.sets
        idle = sum(first << i for i, process in enumerate(self.fair) if process not in able)
        # Before a step that no process makes it is not known yet who can go on; a state that stays has nobody who can.
        fair = {
            step.process: idle | sum(first << i for i, process in enumerate(self.fair) if process == step.process)
            for step, _ in steps
        }
        return [(step, (target, after), marks | fair[step.process]) for step, target in steps for after, marks in moves]

    def accepting(self, node: tuple[State, int]) -> bool:
        """Whether the automaton's state accepts; of use when the automaton is state-based and nothing is fair."""
        return self._accepting[node[1]]


def universal(automaton: Automaton) -> frozenset[int]:
    """States from which every word is accepted, as their edges to themselves show: what has come there is decided."""
    found = set()
    for state, edges in enumerate(automaton.edges):
        taken = 0
        for edge in edges:
            if edge.target == state and edge.marks == automaton.all_marks:
                taken |= edge.label
        if taken == automaton.everything:
            found.add(state)
    return frozenset(found)


def terminal(automaton: Automaton) -> bool:
    """Whether accepting is coming to a universal state: then a finite prefix shows it, and breadth-first search does.

    Automata of negated safety properties are so; one that is not may still be equivalent to one that is.

    >>> from spec.ltl.automaton import Edge
    >>> terminal(Automaton(("p",), ((Edge(0b10, 0), Edge(0b01, 1)), (Edge(0b11, 1, 1),)), 0, 1))
    True
    """
    decided = universal(automaton)

    def targets(state: int) -> Iterator[int]:
        return (edge.target for edge in automaton.edges[state])

    for component in components([automaton.initial], targets):
        inside = set(component)
        marks, cyclic = 0, False
        for state in component:
            for edge in automaton.edges[state]:
                if edge.target in inside:
                    marks |= edge.marks
                    cyclic = True
        if cyclic and marks == automaton.all_marks and not (len(component) == 1 and component[0] in decided):
            return False
    return True
