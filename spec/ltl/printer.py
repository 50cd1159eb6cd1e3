"""Writes formulas: with as few parentheses as parse back to the same formula, in one of four spellings."""

from __future__ import annotations

import re
from enum import Enum

from spec.ltl.formula import (
    BINARY,
    CONSTANTS,
    PAST,
    UNARY,
    VARIADIC,
    Formula,
    Operator,
    conjunction,
    make,
    next_,
    subformulas,
    until,
)
from spec.ltl.parser import RESERVED


class Spelling(Enum):
    """How operators are written: ASCII as in this project, SPIN's, Spot's, or mathematical signs."""

    ASCII = "ascii"
    SPIN = "spin"
    SPOT = "spot"
    MATHEMATICAL = "mathematical"


_SIGNS: dict[Spelling, dict[Operator, str]] = {
    Spelling.ASCII: {},
    Spelling.SPIN: {Operator.RELEASE: "V"},
    Spelling.SPOT: {
        Operator.ALWAYS: "G",
        Operator.EVENTUALLY: "F",
        Operator.AND: "&",
        Operator.OR: "|",
    },
    Spelling.MATHEMATICAL: {
        Operator.TRUE: "⊤",
        Operator.FALSE: "⊥",
        Operator.NOT: "¬",
        Operator.AND: "∧",
        Operator.OR: "∨",
        Operator.IMPLIES: "→",
        Operator.IFF: "↔",
        Operator.NEXT: "○",
        Operator.EVENTUALLY: "◇",
        Operator.ALWAYS: "□",
        Operator.YESTERDAY: "●",
        Operator.UNTIL: "𝒰",
        Operator.WEAK_UNTIL: "𝒲",
        Operator.RELEASE: "ℛ",
        Operator.STRONG_RELEASE: "ℳ",
        Operator.SINCE: "𝒮",
    },
}
_NAME = re.compile(r"[A-Za-z_]\w*")


def show(formula: Formula, spelling: Spelling = Spelling.ASCII) -> str:
    """The text of `formula`: `parse(show(f)) is f`, in every spelling.

    && and || are parenthesised inside one another, though they need not be. Cost: linear in the text.

    >>> from spec.ltl.parser import parse
    >>> f = parse("[](p && q -> (r U <>s))")
    >>> f
    []((p && q) -> (r U <>s))
    >>> print(show(f, Spelling.SPOT), show(f, Spelling.MATHEMATICAL))
    G((p & q) -> (r U F s)) □((p ∧ q) → (r 𝒰 ◇s))
    """
    signs = _SIGNS[spelling]
    texts: dict[Formula, str] = {}
    for part in subformulas(formula):
        operator = part.operator
        sign = signs.get(operator, operator.value)
        if operator is Operator.PROPOSITION:
            plain = _NAME.fullmatch(part.name) and part.name not in RESERVED
            texts[part] = part.name if plain else f'"{part.name}"'
        elif operator in CONSTANTS:
            texts[part] = sign
        elif operator in UNARY:
            operand = part.operands[0]
            text = texts[operand] if _bare(operand, part) else f"({texts[operand]})"
            texts[part] = f"{sign} {text}" if sign[-1].isalpha() and text[0] != "(" else sign + text
        else:
            shown = [texts[f] if _bare(f, part) else f"({texts[f]})" for f in part.operands]
            texts[part] = f" {sign} ".join(shown)
    return texts[formula]


def readable_by_spin(formula: Formula) -> tuple[Formula, tuple[str, ...]]:
    """An equivalent formula on infinite words without M and N, which SPIN does not know; and what else it cannot read.

    That is X, which SPIN knows only if it was built for it (as packaged by Debian it is not), operators of the past,
    and names in quotes; a never claim, in which propositions are expressions, says all of it.
    Cost: O(subformulas).

    >>> from spec.ltl.parser import parse
    >>> print(*readable_by_spin(parse("[](p M q) && X q")))
    [](q U (p && q)) && X q ('X',)
    """
    other: dict[Formula, Formula] = {}
    unread: dict[str, None] = {}
    for part in subformulas(formula):
        operands = tuple(other[operand] for operand in part.operands)
        match part.operator:
            case Operator.STRONG_RELEASE:
                other[part] = until(operands[1], conjunction(*operands))
            case Operator.NEXT | Operator.WEAK_NEXT:
                other[part] = next_(*operands)
                unread["X"] = None
            case operator:
                other[part] = make(operator, operands, part.name)
                if operator in PAST:
                    unread[operator.value] = None
        if part.operator is Operator.PROPOSITION and show(part).startswith('"'):
            unread[show(part)] = None
    return other[formula], tuple(unread)


def readable_by_spot(formula: Formula) -> tuple[Formula, tuple[str, ...]]:
    """An equivalent formula on infinite words without N, which Spot does not know; and the past operators, nor these.

    The automaton in HOA says what they say.  Cost: O(subformulas).

    >>> from spec.ltl.parser import parse
    >>> print(*readable_by_spot(parse("[](N p -> O q)")))
    [](X p -> O q) ('O',)
    """
    other: dict[Formula, Formula] = {}
    for part in subformulas(formula):
        operator = Operator.NEXT if part.operator is Operator.WEAK_NEXT else part.operator
        other[part] = make(operator, tuple(other[operand] for operand in part.operands), part.name)
    past = dict.fromkeys(part.operator.value for part in subformulas(formula) if part.operator in PAST)
    return other[formula], tuple(past)


def _bare(operand: Formula, parent: Formula) -> bool:
    """Whether `operand` of a binary operator is written without parentheses."""
    operator = operand.operator
    if operator is Operator.PROPOSITION or operator in CONSTANTS or operator in UNARY:
        return True
    return parent.operator in VARIADIC and operator in BINARY
