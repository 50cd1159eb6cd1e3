"""Runs that go on from a given beginning: can what a finite run shows be shown by one that is fair and as assumed?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from spec.ltl.evaluate import holds
from spec.ltl.formula import FALSE, Formula
from spec.ltl.word import Letter
from spec.model.execution import Execution, Values
from spec.model.search import check
from spec.model.system import Path, Step, Verdict

Node = tuple[int, Values]


class Continued:
    """The runs of a program that begin with a finite one; a state is its place in that, up to the last, and the state.

    >>> from spec.model.catalogue import program
    >>> system = Execution(program("peterson"))
    >>> state, = system.initial()
    >>> step, target = system.successors(state)[1]
    >>> begun = Continued(system, Path((state, target), (step,)))
    >>> [after for _, (_, after) in begun.successors((0, state))] == [target]
    True
    """

    def __init__(self, system: Execution, begin: Path) -> None:
        self.system = system
        self.begin = begin
        self._last = len(begin.states) - 1

    @property
    def processes(self) -> tuple[str, ...]:
        """Those of the program."""
        return self.system.processes

    def initial(self) -> Iterable[Node]:
        """The first state of the beginning."""
        return [(0, cast(Values, self.begin.states[0]))]

    def successors(self, state: Node) -> Iterator[tuple[Step, Node]]:
        """The next step of the beginning; after its last, every step."""
        place, values = state
        if place < self._last:
            yield self.begin.steps[place], (place + 1, cast(Values, self.begin.states[place + 1]))
        else:
            for step, target in self.system.successors(values):
                yield step, (place, target)

    def letter(self, state: Node) -> Letter:
        """That of the program's state."""
        return self.system.letter(state[1])

    def ended(self, state: Node) -> bool:
        """As in the program, after the beginning."""
        return state[0] == self._last and self.system.ended(state[1])

    def show(self, state: Node) -> str:
        """The program's state."""
        return self.system.show(state[1])


def continued(
    system: Execution,
    begin: Path,
    formula: Formula,
    assumptions: Iterable[Formula],
    fairness: tuple[int, ...],
    *,
    states: int | None,
    seconds: float | None,
) -> Path | None:
    """A run that begins with `begin`, violates `formula`, is fair, and as assumed; None when there is none.

    begin: a finite run after which the formula is violated whatever follows. None too when a bound was reached.
    Raises: KeyboardInterrupt, which the search itself would not let out.
    Cost: a search of what can be reached from the end of `begin`, which is often short: any run from there will do.
    """
    result = check(
        Continued(system, begin), FALSE, assumptions=assumptions, fairness=fairness, states=states, seconds=seconds
    )
    path = result.counterexample
    if result.reason == "interrupted":
        raise KeyboardInterrupt
    if result.verdict is not Verdict.VIOLATED or path is None or path.back is None:
        return None
    run = Path(tuple(cast(Node, state)[1] for state in path.states), path.steps, path.back)
    if holds(formula, run.word(system)):
        raise AssertionError(f"{formula} was violated by the beginning of {run.word(system)}, of which it is true")
    return run
