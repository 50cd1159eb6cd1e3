"""What a formula says of a word, by definition: slow, obvious, and what everything faster is tested against."""

from __future__ import annotations

from spec.ltl.formula import FUTURE, Formula, Operator, subformulas
from spec.ltl.word import Word


def holds(formula: Formula, word: Word, position: int = 0) -> bool:
    """Whether `formula` is true of `word` at `position` of its written letters: LTL of a lasso, LTLf of a finite word.

    On a finite word X is strong and N weak; [], <>, U, W, R and M end with the word, which has a letter at least.
    With past operators a position of the cycle is another one in each turn; so the cycle is written out as often as
    they are nested, after which what the past says there no longer changes from turn to turn.
    Cost: O(letters^2 * subformulas), and the nesting depth with past operators.  Raises: ValueError for an empty word.
    Source: Manna and Pnueli, The Temporal Logic of Reactive and Concurrent Systems, 3.1; De Giacomo and Vardi (2013).

    >>> from spec.ltl.parser import parse, parse_word
    >>> holds(parse("[](p -> <>q)"), parse_word("p; cycle{p; q}"))
    True
    >>> holds(parse("X p"), parse_word("p")), holds(parse("N p"), parse_word("p"))
    (False, True)
    """
    found = values(formula, word)[formula]
    if not 0 <= position < len(found):
        raise ValueError(f"position {position} of a word of {len(found)} letters")
    return found[position]


def values(formula: Formula, word: Word) -> dict[Formula, list[bool]]:
    """What `holds` says of `formula` and of each part of it, operands first, at every written position of `word`.

    A position of the cycle stands for its first turn, where the past can make a difference.
    Cost, and Raises: as one call of `holds`.

    >>> from spec.ltl.parser import parse, parse_word
    >>> for part, row in values(parse("p S q"), parse_word("q; p; cycle{p; 1}")).items(): print(part, row)
    p [False, True, True, False]
    q [True, False, False, False]
    p S q [True, True, True, False]
    """
    letters = len(word.letters)
    if not letters:
        raise ValueError("the empty word: a word has one letter at least")
    if formula.past and word.cycle:
        turns = 1 + sum(1 for part in subformulas(formula) if part.past)
        word = word.unrolled(turns)
    rows: dict[Formula, list[bool]] = {}
    for part in subformulas(formula):
        rows[part] = _Row(part, [rows[operand] for operand in part.operands], word).values()
    return {part: row[:letters] for part, row in rows.items()}


class _Row:
    """The truth of one formula at every written position, from that of its operands."""

    def __init__(self, formula: Formula, operands: list[list[bool]], word: Word) -> None:
        self.formula = formula
        self.operands = operands
        self.word = word
        self.length = len(word.letters)

    def values(self) -> list[bool]:
        return [self._at(position) for position in range(self.length)]

    def _at(self, position: int) -> bool:
        a = self.operands[0] if self.operands else []
        b = self.operands[1] if len(self.operands) > 1 else []
        operator = self.formula.operator
        future = self._future(position) if operator in _FURTHER else []
        past = range(position, -1, -1)
        match operator:
            case Operator.TRUE:
                return True
            case Operator.FALSE:
                return False
            case Operator.PROPOSITION:
                return self.formula.name in self.word.letters[position]
            case Operator.NOT:
                return not a[position]
            case Operator.AND:
                return all(operand[position] for operand in self.operands)
            case Operator.OR:
                return any(operand[position] for operand in self.operands)
            case Operator.IMPLIES:
                return not a[position] or b[position]
            case Operator.IFF:
                return a[position] == b[position]
            case Operator.NEXT:
                return (after := self._next(position)) < self.length and a[after]
            case Operator.WEAK_NEXT:
                return (after := self._next(position)) >= self.length or a[after]
            case Operator.EVENTUALLY:
                return any(a[i] for i in future)
            case Operator.ALWAYS:
                return all(a[i] for i in future)
            case Operator.UNTIL:
                return _until(a, b, future)
            case Operator.WEAK_UNTIL:
                return _until(a, b, future) or all(a[i] for i in future)
            case Operator.RELEASE:
                return _release(a, b, future) or all(b[i] for i in future)
            case Operator.STRONG_RELEASE:
                return _release(a, b, future)
            case Operator.YESTERDAY:
                return position > 0 and a[position - 1]
            case Operator.WEAK_YESTERDAY:
                return position == 0 or a[position - 1]
            case Operator.SINCE:
                return _until(a, b, past)
            case Operator.TRIGGER:
                return _release(a, b, past) or all(b[i] for i in past)
            case Operator.ONCE:
                return any(a[i] for i in past)
            case Operator.HISTORICALLY:
                return all(a[i] for i in past)

    def _future(self, position: int) -> list[int]:
        """The positions from `position` on, until they repeat or the word ends."""
        ahead = range(position, self.length)
        return [*ahead, *range(len(self.word.prefix), position)] if self.word.cycle else list(ahead)

    def _next(self, position: int) -> int:
        """The next position; the length of the word if there is none."""
        return len(self.word.prefix) if self.word.cycle and position + 1 == self.length else position + 1


_FURTHER = FUTURE - {Operator.NEXT, Operator.WEAK_NEXT}
"""The operators that look at all later positions."""


def _until(a: list[bool], b: list[bool], positions: range | list[int]) -> bool:
    for i in positions:
        if b[i]:
            return True
        if not a[i]:
            return False
    return False


def _release(a: list[bool], b: list[bool], positions: range | list[int]) -> bool:
    """b up to and including the first a, which comes."""
    for i in positions:
        if not b[i]:
            return False
        if a[i]:
            return True
    return False
