"""Negation normal form: negations before propositions only, and neither -> nor <->."""

from __future__ import annotations

from functools import lru_cache

from spec.ltl.formula import FALSE, TRUE, Formula, Operator, make, subformulas

DUALS = {
    Operator.AND: Operator.OR,
    Operator.NEXT: Operator.WEAK_NEXT,
    Operator.EVENTUALLY: Operator.ALWAYS,
    Operator.UNTIL: Operator.RELEASE,
    Operator.WEAK_UNTIL: Operator.STRONG_RELEASE,
    Operator.YESTERDAY: Operator.WEAK_YESTERDAY,
    Operator.SINCE: Operator.TRIGGER,
    Operator.ONCE: Operator.HISTORICALLY,
}
DUALS |= {dual: operator for operator, dual in DUALS.items()}
"""Of each operator the one that holds of the negated operands iff it does not hold of the operands."""


def negation_normal_form(formula: Formula) -> Formula:
    """The equivalent formula in which only propositions are negated, on infinite and on finite words.

    Its operators are &&, ||, X, N, U, R, W, M, [], <>, Y, Z, S, T, O and H.
    Cost: O(distinct subformulas), as a shared graph; the tree doubles with each nested <->.
    Source: duality of the operators; Manna and Pnueli (1992), 3.2.

    >>> from spec.ltl.parser import parse
    >>> negation_normal_form(parse("!(p -> X(q U r))")), negation_normal_form(parse("!(p <-> O q)"))
    (p && N(!q R !r), (p && H !q) || (!p && O q))
    """
    return _forms(formula)[0]


def negated(formula: Formula) -> Formula:
    """The negation of `formula`, in negation normal form."""
    return _forms(formula)[1]


@lru_cache(maxsize=4096)
def _forms(formula: Formula) -> tuple[Formula, Formula]:
    """The normal forms of the formula and of its negation."""
    forms: dict[Formula, tuple[Formula, Formula]] = {}
    for part in subformulas(formula):
        forms[part] = _form(part, [forms[operand] for operand in part.operands])
    return forms[formula]


def _form(part: Formula, operands: list[tuple[Formula, Formula]]) -> tuple[Formula, Formula]:
    operator = part.operator
    match operator:
        case Operator.TRUE:
            return TRUE, FALSE
        case Operator.FALSE:
            return FALSE, TRUE
        case Operator.PROPOSITION:
            return part, make(Operator.NOT, (part,))
        case Operator.NOT:
            return operands[0][1], operands[0][0]
        case Operator.IMPLIES:
            (a, not_a), (b, not_b) = operands
            return make(Operator.OR, (not_a, b)), make(Operator.AND, (a, not_b))
        case Operator.IFF:
            (a, not_a), (b, not_b) = operands
            same = make(Operator.OR, (make(Operator.AND, (a, b)), make(Operator.AND, (not_a, not_b))))
            other = make(Operator.OR, (make(Operator.AND, (a, not_b)), make(Operator.AND, (not_a, b))))
            return same, other
    straight = tuple(operand[0] for operand in operands)
    turned = tuple(operand[1] for operand in operands)
    return make(operator, straight), make(DUALS[operator], turned)
