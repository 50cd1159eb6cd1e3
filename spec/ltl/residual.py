"""What is left to ask of the rest of a finite word: LTLf by formula progression, for past operators too."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from spec.ltl.automaton import proposition_label
from spec.ltl.error import TooLargeError
from spec.ltl.formula import FUTURE, PAST, Formula, Operator, subformulas
from spec.ltl.implication import Implication
from spec.ltl.normal import negation_normal_form

Key = TypeVar("Key", bound=Hashable)

Residual = frozenset[int]
"""A condition on the letters still to come: any of the clauses, each of which asks all of its obligations.

An obligation is X g (there is a next letter, and g holds there) or N g (g holds there if there is one); a clause is a
set of them, one bit each, and names with an obligation all that are seen to follow from it. Then a clause implies
another if it contains it. No clause contains another, so that most conditions that are equal are equal sets.
"""
Branches = Mapping[Residual, int]
"""For each residual, the label (set of letters) that leads to it; the labels are disjoint and name every letter."""

NOTHING: Residual = frozenset({0})
"""Nothing is asked any more: true."""
NEVER: Residual = frozenset()
"""No rest of the word will do: false."""

STEPS = 5_000_000
"""How many combinations of residuals and of clauses a progression may try, of about half a microsecond each."""

OBLIGATIONS = 1000
"""How many formulas a formula may ask of the next letter."""


class State(NamedTuple):
    """What is known after some letters.

    now: what the rest of the word must satisfy. past: for each remembered formula, in order, what the rest must satisfy
    for it to have been true at the last letter; None before the first letter, and when `now` is settled.
    """

    now: Residual
    past: tuple[Residual, ...] | None


class Progression:
    """The deterministic machine that reads a finite word and says after each letter whether LTLf holds so far.

    A future operator is replaced by what it asks of this letter and of the next: a U b by b, or a and X (a U b). A past
    operator is replaced by what it asks of this letter and of the last: a S b by b, or a and Y (a S b); and the truth
    of a formula at the last letter is carried as a residual too, since it may look ahead from there.
    propositions: all those of the formula; they number the letters.
    Source: Bacchus and Kabanza, Planning for temporally extended goals (1998); De Giacomo and Vardi (2013).

    >>> from spec.ltl.parser import parse
    >>> freed = Progression(parse("[](malloc -> <>free)"), ("free", "malloc"))
    >>> [freed.at_end(state) for state in freed.branches(freed.initial)]
    [True, False]
    """

    def __init__(self, formula: Formula, propositions: tuple[str, ...]) -> None:
        self.propositions = propositions
        self._steps = STEPS
        self._everything = (1 << (1 << len(propositions))) - 1
        self._parts = tuple(subformulas(negation_normal_form(formula)))
        self._remembered = tuple(dict.fromkeys(_last(part) for part in self._parts if part.operator in PAST))
        self._obligations = _Obligations(self._parts)
        self._future: dict[Formula, Branches] = {}
        for part in self._parts:
            if not part.past:
                self._future[part] = self._after(part, self._future, {})
        self._clauses: dict[int, Branches] = {}
        # Before the first letter, the whole formula is what the next letter is asked; of no letter at all, [] and N
        # are true, <> and X false, and a proposition is false.
        self.initial = State(self._obligations.residual(self._parts[-1], _of_nothing(self._parts)), None)

    def at_end(self, state: State) -> bool:
        """Whether the word read so far, if it ends here, satisfies the formula: some clause asks no further letter."""
        return any(not clause & self._obligations.strong for clause in state.now)

    def branches(self, state: State) -> dict[State, int]:
        """The label of each state that one letter leads to.

        Raises: TooLargeError when it has taken more than STEPS since the first letter.
        """
        values = dict(self._future)
        if state.now not in (NOTHING, NEVER):
            last = dict(zip(self._remembered, state.past, strict=True)) if state.past is not None else {}
            for part in self._parts:
                if part.past:
                    values[part] = self._after(part, values, last)
        found = [self._progress(state.now, values)]
        if state.now not in (NOTHING, NEVER):
            found.extend(values[part] for part in self._remembered)
        joint: dict[tuple[Residual, ...], int] = {(): self._everything}
        for one in found:
            joint = self._combine(joint, one, lambda before, residual: (*before, residual))
        result: dict[State, int] = {}
        for (now, *past), label in joint.items():
            target = State(now, None if now in (NOTHING, NEVER) else tuple(past))
            result[target] = result.get(target, 0) | label
        return result

    def _after(self, part: Formula, values: Mapping[Formula, Branches], last: Mapping[Formula, Residual]) -> Branches:
        """What `part` at this letter asks of the letters after it, given that of its operands (in `values`).

        last: what each remembered formula asks; it is empty at the first letter.
        """
        operands = [values[operand] for operand in part.operands]
        match part.operator:
            case Operator.TRUE:
                return self._always(NOTHING)
            case Operator.FALSE:
                return self._always(NEVER)
            case Operator.PROPOSITION:
                return self._literal(part.name, True)
            case Operator.NOT:
                return self._literal(part.operands[0].name, False)
            case Operator.AND:
                return self._fold(operands, self._both)
            case Operator.OR:
                return self._fold(operands, self._either)
            case Operator.NEXT:
                return self._always(self._obligations.residual(part.operands[0], False))
            case Operator.WEAK_NEXT:
                return self._always(self._obligations.residual(part.operands[0], True))
            case Operator.EVENTUALLY:
                return self._fold([operands[0], self._always(self._obligations.residual(part, False))], self._either)
            case Operator.ALWAYS:
                return self._fold([operands[0], self._always(self._obligations.residual(part, True))], self._both)
            case Operator.UNTIL | Operator.WEAK_UNTIL:
                again = self._always(self._obligations.residual(part, part.operator is Operator.WEAK_UNTIL))
                return self._fold([operands[1], self._fold([operands[0], again], self._both)], self._either)
            case Operator.RELEASE | Operator.STRONG_RELEASE:
                again = self._always(self._obligations.residual(part, part.operator is Operator.RELEASE))
                return self._fold([operands[1], self._fold([operands[0], again], self._either)], self._both)
            case Operator.YESTERDAY | Operator.WEAK_YESTERDAY:
                return self._before(part, values, last)
            case Operator.ONCE:
                return self._fold([operands[0], self._before(part, values, last)], self._either)
            case Operator.HISTORICALLY:
                return self._fold([operands[0], self._before(part, values, last)], self._both)
            case Operator.SINCE:
                return self._fold(
                    [operands[1], self._fold([operands[0], self._before(part, values, last)], self._both)], self._either
                )
            case Operator.TRIGGER:
                return self._fold(
                    [operands[1], self._fold([operands[0], self._before(part, values, last)], self._either)], self._both
                )
        raise ValueError(f"{part.operator.name} in a negation normal form")

    def _before(self, part: Formula, values: Mapping[Formula, Branches], last: Mapping[Formula, Residual]) -> Branches:
        """What it asks that the remembered formula of `part` was true at the last letter."""
        if not last:
            weak = part.operator in (Operator.WEAK_YESTERDAY, Operator.HISTORICALLY, Operator.TRIGGER)
            return self._always(NOTHING if weak else NEVER)
        # What was asked then is of strict subformulas, whose values at this letter are known by now.
        return self._progress(last[_last(part)], values)

    def _progress(self, residual: Residual, values: Mapping[Formula, Branches]) -> Branches:
        """A residual, one letter later."""
        return self._fold([self._always(NEVER), *(self._ask(clause, values) for clause in residual)], self._either)

    def _ask(self, clause: int, values: Mapping[Formula, Branches]) -> Branches:
        """A clause, one letter later."""
        known = self._clauses.get(clause)
        if known is not None:
            return known
        asked = self._obligations.asked(clause, values)
        result = self._fold([self._always(NOTHING), *(values[part] for part in asked)], self._both)
        if not any(part.past for part in asked):
            self._clauses[clause] = result
        return result

    def _always(self, residual: Residual) -> Branches:
        return {residual: self._everything}

    def _literal(self, name: str, positive: bool) -> Branches:
        label = proposition_label(self.propositions.index(name), len(self.propositions))
        other = self._everything & ~label
        return {NOTHING: label, NEVER: other} if positive else {NEVER: label, NOTHING: other}

    def _fold(self, parts: list[Branches], combine: Callable[[Residual, Residual], Residual]) -> Branches:
        result = parts[0]
        for part in parts[1:]:
            result = self._combine(result, part, combine)
        return result

    def _combine(
        self, left: Mapping[Key, int], right: Branches, combine: Callable[[Key, Residual], Key]
    ) -> dict[Key, int]:
        """Both at once: for each letter, what is left of the two together."""
        self._spend(len(left) * len(right))
        result: dict[Key, int] = {}
        for first, label in left.items():
            for second, other in right.items():
                if common := label & other:
                    both = combine(first, second)
                    result[both] = result.get(both, 0) | common
        return result

    def _either(self, left: Residual, right: Residual) -> Residual:
        if left <= right or right == NOTHING:
            return right
        if right <= left or left == NOTHING:
            return left
        return self._shortest(left | right)

    def _both(self, left: Residual, right: Residual) -> Residual:
        if left in (NOTHING, right):
            return right
        if right == NOTHING:
            return left
        self._spend(len(left) * len(right))
        return self._shortest({a | b for a in left for b in right})

    def _shortest(self, clauses: Iterable[int]) -> Residual:
        """The clauses that contain no other."""
        kept: list[int] = []
        for clause in sorted(clauses, key=int.bit_count):
            if not any(shorter & clause == shorter for shorter in kept):
                kept.append(clause)
        self._spend(len(kept) * len(kept))
        return frozenset(kept)

    def _spend(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise TooLargeError(f"the progression of the formula takes more than {STEPS} steps")


def _last(part: Formula) -> Formula:
    """What a past operator asks of the last letter: its operand for Y and Z, itself for the others."""
    return part.operands[0] if part.operator in (Operator.YESTERDAY, Operator.WEAK_YESTERDAY) else part


def _of_nothing(parts: Iterable[Formula]) -> bool:
    """Whether the last of the subformulas holds of the empty word."""
    values: dict[Formula, bool] = {}
    holds = False
    for part in parts:
        operands = [values[operand] for operand in part.operands]
        match part.operator:
            case Operator.NOT:
                holds = not operands[0]
            case Operator.AND:
                holds = all(operands)
            case Operator.OR:
                holds = any(operands)
            case operator:
                holds = operator in _TRUE_OF_NOTHING
        values[part] = holds
    return holds


_TRUE_OF_NOTHING = frozenset(
    {
        Operator.TRUE,
        Operator.WEAK_NEXT,
        Operator.ALWAYS,
        Operator.WEAK_UNTIL,
        Operator.RELEASE,
        Operator.WEAK_YESTERDAY,
        Operator.HISTORICALLY,
        Operator.TRIGGER,
    }
)


class _Obligations:
    """The obligations that a formula can leave for the next letter, numbered: bit 2i for N g, bit 2i + 1 for X g."""

    def __init__(self, parts: tuple[Formula, ...]) -> None:
        looking = [part for part in parts if part.operator in FUTURE]
        later = [part.operands[0] if part.operator in _NEXTS else part for part in looking]
        known = Implication(finite=True)
        self._later = tuple(dict.fromkeys([*later, parts[-1]]))
        if len(self._later) > OBLIGATIONS:
            raise TooLargeError(
                f"the formula can ask {len(self._later)} things of the next letter, {OBLIGATIONS} at most"
            )
        self._numbers = {part: number for number, part in enumerate(self._later)}
        try:
            self._weak = [
                sum(1 << 2 * number for number, other in enumerate(self._later) if known.implies(part, other))
                for part in self._later
            ]
        except RecursionError:
            raise TooLargeError("the formula is nested deeper than sys.getrecursionlimit() allows") from None
        # What implies the most comes first; then all that follows from it has been asked.
        self._order = sorted(range(len(self._later)), key=lambda number: -self._weak[number].bit_count())
        self.strong = sum(2 << 2 * number for number in range(len(self._later)))

    def residual(self, formula: Formula, weak: bool) -> Residual:
        """N formula, or X formula if not `weak`."""
        follows = self._weak[self._numbers[formula]]
        return frozenset({follows if weak else follows | follows << 1})

    def asked(self, clause: int, known: Container[Formula]) -> list[Formula]:
        """What a clause asks of the next letter, should there be one, without what follows from the rest.

        known: those whose values are; what else a clause names follows from some of them.
        """
        found = []
        for number in self._order:
            if clause >> 2 * number & 1 and self._later[number] in known:
                found.append(self._later[number])
                clause &= ~self._weak[number]
        return found


_NEXTS = frozenset({Operator.NEXT, Operator.WEAK_NEXT})
