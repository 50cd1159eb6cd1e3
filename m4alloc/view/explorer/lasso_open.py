"""What is true along a run that has not ended, as far as the letters so far settle it, past operators included."""

from __future__ import annotations

from functools import reduce

from spec.ltl.formula import Formula, Operator, subformulas
from spec.ltl.word import Word

Known = bool | None
"""None: the letters to come decide."""


def known(formula: Formula, word: Word) -> dict[Formula, list[Known]]:
    """The truth of the formula and of each part at each position of a finite word, None where it is open.

    What is said is so in each continuation. What is open may yet be the same in all: `p || !p` at the end of the
    future is not recognised (`finite.ltl3` does that, for formulas without past).
    Cost: O(letters * subformulas).

    >>> from spec.ltl.parser import parse, parse_word
    >>> formula = parse("[](free -> O malloc)")
    >>> known(formula, parse_word("free; malloc"))[formula]
    [False, None]
    """
    rows: dict[Formula, list[Known]] = {}
    length = len(word.letters)
    for part in subformulas(formula):
        operands = [rows[operand] for operand in part.operands]
        row: list[Known] = [None] * length
        forwards = part.past and part.operator in _FROM
        before: Known = _FROM.get(part.operator)
        for at in range(length) if forwards else range(length - 1, -1, -1):
            row[at] = before = _at(part, [values[at] for values in operands], operands, before, word, at)
        rows[part] = row
    return rows


_FROM: dict[Operator, Known] = {
    Operator.SINCE: False,
    Operator.ONCE: False,
    Operator.TRIGGER: True,
    Operator.HISTORICALLY: True,
}
"""The operators that look at the past, and what they say before the first letter."""


def _at(part: Formula, here: list[Known], operands: list[list[Known]], other: Known, word: Word, at: int) -> Known:
    """The truth at one position. other: the formula's own truth at the next, or of a past operator the one before."""
    match part.operator:
        case Operator.TRUE | Operator.FALSE:
            return part.operator is Operator.TRUE
        case Operator.PROPOSITION:
            return part.name in word.letters[at]
        case Operator.NOT:
            return _not(here[0])
        case Operator.AND:
            return reduce(_and, here)
        case Operator.OR:
            return reduce(_or, here)
        case Operator.IMPLIES:
            return _or(_not(here[0]), here[1])
        case Operator.IFF:
            return None if None in here else here[0] is here[1]
        case Operator.NEXT | Operator.WEAK_NEXT:
            return operands[0][at + 1] if at + 1 < len(operands[0]) else None
        case Operator.YESTERDAY | Operator.WEAK_YESTERDAY:
            return operands[0][at - 1] if at else part.operator is Operator.WEAK_YESTERDAY
        case Operator.EVENTUALLY | Operator.ONCE:
            return _or(here[0], other)
        case Operator.ALWAYS | Operator.HISTORICALLY:
            return _and(here[0], other)
        case Operator.UNTIL | Operator.WEAK_UNTIL | Operator.SINCE:
            return _or(here[1], _and(here[0], other))
        case Operator.RELEASE | Operator.STRONG_RELEASE | Operator.TRIGGER:
            return _and(here[1], _or(here[0], other))


def _not(one: Known) -> Known:
    return None if one is None else not one


def _and(one: Known, other: Known) -> Known:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _or(one: Known, other: Known) -> Known:
    return _not(_and(_not(one), _not(other)))
