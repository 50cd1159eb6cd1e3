"""Which finite words can still go on to an infinite word that an automaton accepts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from spec.ltl.automaton import Automaton
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula, Operator, conjunction, disjunction
from spec.ltl.graph import components
from spec.ltl.normal import negation_normal_form
from spec.ltl.translate import translate
from spec.ltl.word import Letter

Subset = frozenset[int]
"""Where an automaton can be after a word; empty after a word that no accepted word begins with."""
_FOREVER = -1
FOREVER: Subset = frozenset({_FOREVER})
"""Where every further word can still go on: one state, -1, in the place of all subsets that are so; `Prefixes.after`
and `branches` give it for them."""


def live(automaton: Automaton) -> Subset:
    """The states from which some infinite word is accepted, of those that are reachable.  Cost: O(edges).

    >>> from spec.ltl.parser import parse
    >>> live(translate(parse("false")))
    frozenset()
    """
    alive: set[int] = set()
    for component in components([automaton.initial], lambda state: (edge.target for edge in automaton.edges[state])):
        inside = set(component)
        edges = [edge for state in component for edge in automaton.edges[state]]
        marks = [edge.marks for edge in edges if edge.target in inside]
        accepting = bool(marks) and reduce(or_, marks) == automaton.all_marks
        # Components come after all that they lead to, so what is alive below is known.
        if accepting or any(edge.target in alive for edge in edges):
            alive |= inside
    return frozenset(alive)


def lasting(automaton: Automaton, alive: Subset) -> Subset:
    """The states from which every finite word leads to a state of `alive` again: the greatest set of them in which
    each state has, for each letter, an edge that stays inside.  Cost: O(states * edges).
    """
    inside = set(alive)
    changed = True
    while changed:
        stays = {
            state
            for state in inside
            if reduce(or_, (edge.label for edge in automaton.edges[state] if edge.target in inside), 0)
            == automaton.everything
        }
        changed = stays != inside
        inside = stays
    return frozenset(inside)


class Prefixes:
    """The words that some accepted word begins with, read letter by letter: the subset construction on live states.

    A subset with a lasting state never becomes empty, whatever comes; all such subsets are one, FOREVER, so that a
    property without bad prefixes needs no more subsets than that. Its only member, -1, is no state of the automaton: it
    stands for the lasting ones, and accepts every letter and stays.

    >>> from spec.ltl.parser import parse
    >>> Prefixes(translate(parse("[]<>p"))).initial == FOREVER
    True
    """

    __slots__ = ("_edges", "automaton", "initial")

    def __init__(self, automaton: Automaton) -> None:
        alive = live(automaton)
        forever = lasting(automaton, alive)
        self.automaton = automaton
        self._edges = {
            state: [
                edge._replace(target=_FOREVER if edge.target in forever else edge.target)
                for edge in automaton.edges[state]
                if edge.target in alive
            ]
            for state in alive
        }
        initial = automaton.initial
        self.initial: Subset = FOREVER if initial in forever else frozenset({initial}) & alive

    def after(self, subset: Subset, letter: Letter) -> Subset:
        """Where the automaton can be one letter later, among live states.  Cost: O(edges that leave `subset`)."""
        if subset == FOREVER:
            return FOREVER
        number = self.automaton.number(letter)
        after = frozenset(edge.target for state in subset for edge in self._edges[state] if edge.label >> number & 1)
        return FOREVER if _FOREVER in after else after

    def alive(self, subset: Subset) -> bool:
        """Whether some accepted word begins with what was read."""
        return bool(subset)

    def branches(self, subset: Subset) -> dict[Subset, int]:
        """The label of each subset that one letter leads to.  Cost: O(edges that leave it + targets * subsets)."""
        everything = self.automaton.everything
        if subset == FOREVER:
            return {FOREVER: everything}
        by_target: dict[int, int] = {}
        for edge in (edge for state in subset for edge in self._edges[state]):
            by_target[edge.target] = by_target.get(edge.target, 0) | edge.label
        forever = by_target.pop(_FOREVER, 0)
        parts: dict[Subset, int] = {frozenset(): everything & ~forever} if forever != everything else {}
        for target, label in by_target.items():
            finer: dict[Subset, int] = {}
            one = frozenset({target})
            for targets, letters in parts.items():
                if with_it := letters & label:
                    finer[targets | one] = with_it
                if without := letters & ~label:
                    finer[targets] = without
            parts = finer
        if forever:
            parts[FOREVER] = forever
        return parts


class Together:
    """The prefixes of the words of several languages: of any of them, or of each."""

    __slots__ = ("disjunction", "initial", "parts")

    def __init__(self, parts: tuple[Beginnings, ...], disjunction: bool) -> None:
        self.parts = parts
        self.disjunction = disjunction
        self.initial: tuple[Any, ...] = tuple(part.initial for part in parts)

    def after(self, state: tuple[Any, ...], letter: Letter) -> tuple[Any, ...]:
        """Where each of the parts is one letter later.  Cost: that of the parts."""
        return tuple(part.after(now, letter) for part, now in zip(self.parts, state, strict=True))

    def alive(self, state: tuple[Any, ...]) -> bool:
        """Whether any of the parts can go on, or each can."""
        alive = (part.alive(now) for part, now in zip(self.parts, state, strict=True))
        return any(alive) if self.disjunction else all(alive)


Beginnings = Prefixes | Together
"""The words that some word of a language begins with."""


@lru_cache(maxsize=1024)
def beginnings(formula: Formula) -> Beginnings:
    """The prefixes of the words that satisfy `formula`.

    A prefix of a word of f || g is one of a word of f, or of a word of g. A prefix of a word of f && g is both; and
    what is both is one, if f and g have no proposition in common: what completes it for f and what completes it for g
    can be laid over each other. So such formulas need no automaton of the whole, which can be far larger.
    Raises: TooLargeError when an automaton would be too large.  Cost: that of the translations.

    >>> from spec.ltl.parser import parse
    >>> never_p = beginnings(parse("[]!p"))
    >>> state = never_p.after(never_p.initial, frozenset())
    >>> never_p.alive(state), never_p.alive(never_p.after(state, frozenset({"p"})))
    (True, False)
    """
    try:
        return _beginnings(negation_normal_form(formula))
    except RecursionError:
        raise TooLargeError("the formula is nested deeper than sys.getrecursionlimit() allows") from None


def _beginnings(formula: Formula) -> Beginnings:
    if formula.temporal and formula.operator is Operator.OR:
        operands = operands_of(formula, Operator.OR)
        present = [operand for operand in operands if not operand.temporal]
        parts = [operand for operand in operands if operand.temporal]
        parts += [disjunction(*present)] if present else []
        return Together(tuple(_beginnings(part) for part in parts), True)
    if formula.temporal and formula.operator is Operator.AND:
        groups = independent(operands_of(formula, Operator.AND))
        if len(groups) > 1:
            return Together(tuple(_beginnings(conjunction(*group)) for group in groups), False)
    return Prefixes(translate(formula))


def operands_of(formula: Formula, operator: Operator) -> list[Formula]:
    """What `formula` is a conjunction or disjunction of, whatever the brackets."""
    found: dict[Formula, None] = {}
    waiting = [formula]
    while waiting:
        part = waiting.pop()
        if part not in found:
            found[part] = None
            if part.operator is operator:
                waiting.extend(reversed(part.operands))
    return [part for part in found if part.operator is not operator]


def independent(formulas: Iterable[Formula]) -> list[list[Formula]]:
    """The formulas in groups that have no proposition in common."""
    groups: list[tuple[frozenset[str], list[Formula]]] = []
    for formula in formulas:
        names, members = formula.propositions, [formula]
        apart = []
        for other in groups:
            if names & other[0]:
                names, members = names | other[0], other[1] + members
            else:
                apart.append(other)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]
