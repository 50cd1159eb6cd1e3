"""Satisfiability without an automaton: a search through sets of formulas that are made as it goes."""

from __future__ import annotations

from collections.abc import Iterator

from spec.ltl.budget import Budget
from spec.ltl.emptiness import connected
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula, Operator, subformulas
from spec.ltl.meter import BoundReached, Meter
from spec.ltl.normal import negation_normal_form
from spec.ltl.word import Letter, Word

O = Operator  # noqa: E741
STATES = 20_000
"""How many sets of formulas the search may come to, unless told otherwise."""
WORK = 2_000_000
"""How many times it may take a formula apart."""


def search(formula: Formula, *, states: int = STATES, work: int = WORK) -> Word | None:
    """A lasso of which `formula`, without past operators, is true, or None if there is none; not a short one.

    It needs no automaton: where there are many ways to satisfy a formula, one is often found when the whole automaton
    would be too large. Of the ways to satisfy an until, the one that fulfils it now is tried first.
    Raises: TooLargeError when it has not ended within `states` sets of formulas and `work` steps; ValueError for past
    operators.
    Source: Gerth, Peled, Vardi and Wolper, Simple on-the-fly automatic verification of linear temporal logic (1995).

    >>> from spec.ltl.parser import parse
    >>> search(parse("[](p && X !q)")), search(parse("[]p && <>!p"))
    (p; cycle{p}, None)
    """
    if formula.past:
        raise ValueError(f"{formula} has past operators; the search is for formulas of the future")
    graph = _Expansion(negation_normal_form(formula), Budget(states, work))
    try:
        found = connected(graph, Meter(states=states))
    except BoundReached as error:
        raise TooLargeError(f"the search for a word that satisfies the formula took {error}") from None
    if found is None:
        return None
    return Word(found.labels[: len(found.prefix)], found.labels[len(found.prefix) :])


class _Expansion:
    """The `spec.ltl.emptiness.Graph` of what remains to be satisfied: a node is a set of formulas, as bits."""

    def __init__(self, formula: Formula, budget: Budget) -> None:
        self.budget = budget
        self.formulas: list[Formula] = []
        self.numbers: dict[Formula, int] = {}
        promises = [part for part in subformulas(formula) if part.operator in (O.UNTIL, O.STRONG_RELEASE, O.EVENTUALLY)]
        self.promise = {part: 1 << i for i, part in enumerate(promises)}
        self.sets = len(promises)
        self.start = self.bit(formula)

    def bit(self, formula: Formula) -> int:
        number = self.numbers.get(formula)
        if number is None:
            number = self.numbers[formula] = len(self.formulas)
            self.formulas.append(formula)
        return 1 << number

    def initial(self) -> list[int]:
        return [self.start]

    def accepting(self, node: int) -> bool:
        return self.sets == 0

    def successors(self, node: int) -> Iterator[tuple[Letter, int, int]]:
        """Each way to satisfy the formulas now: the letter, what remains for the next one, the promises not put off."""
        goal = tuple(f for i, f in enumerate(self.formulas) if node >> i & 1)
        waiting: list[tuple[tuple[Formula, ...], Letter, Letter, int, int]] = [(goal, frozenset(), frozenset(), 0, 0)]
        everything = (1 << self.sets) - 1
        while waiting:
            todo, true, false, later, put_off = waiting.pop()
            while todo:
                self.budget.spend(1, "the search for a word that satisfies the formula")
                part, todo = todo[-1], todo[:-1]
                operator, operands = part.operator, part.operands
                if operator is O.TRUE:
                    continue
                if operator is O.FALSE:
                    break
                if operator is O.PROPOSITION:
                    true |= {part.name}
                elif operator is O.NOT:
                    false |= {operands[0].name}
                elif operator is O.AND:
                    todo += operands
                elif operator in (O.NEXT, O.WEAK_NEXT):
                    later |= self.bit(operands[0])
                elif operator is O.ALWAYS:
                    todo, later = (*todo, operands[0]), later | self.bit(part)
                elif operator is O.OR:
                    waiting.extend(((*todo, one), true, false, later, put_off) for one in reversed(operands[1:]))
                    todo = (*todo, operands[0])
                else:
                    now, until_then = _ways(part)
                    kept = later | self.bit(part)
                    waiting.append((todo + until_then, true, false, kept, put_off | self.promise.get(part, 0)))
                    todo += now
                if true & false:
                    break
            else:
                yield true, later, everything & ~put_off


def _ways(part: Formula) -> tuple[tuple[Formula, ...], tuple[Formula, ...]]:
    """What satisfies an until or a release now; and what does if it is also satisfied at the next position."""
    operands = part.operands
    if part.operator is O.EVENTUALLY:
        return operands, ()
    left, right = operands
    if part.operator in (O.UNTIL, O.WEAK_UNTIL):
        return (right,), (left,)
    return (left, right), (right,)
