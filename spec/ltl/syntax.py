"""Classes of formulas that their syntax shows: sufficient, never necessary."""

from __future__ import annotations

from typing import NamedTuple

from spec.ltl.formula import PAST, Formula, Operator, subformulas
from spec.ltl.normal import negation_normal_form

O = Operator  # noqa: E741


class Syntax(NamedTuple):
    """What the syntax of a formula shows it to be; False means only that it does not show.

    step_free: no operator looks exactly one position ahead or back, so that the formula is stutter-invariant.
    """

    safety: bool
    guarantee: bool
    obligation: bool
    recurrence: bool
    persistence: bool
    step_free: bool


def syntax(formula: Formula) -> Syntax:
    """The syntactic classes of `formula`, on its negation normal form.  Cost: linear.

    A formula of the past alone says something of a prefix, as a proposition does.
    Source: Manna and Pnueli, A hierarchy of temporal properties (1990); Cerna and Pelanek, Relating hierarchy of
    temporal properties to model checking (2003).

    >>> from spec.ltl.parser import parse
    >>> syntax(parse("[](p -> X q W r)")).safety, syntax(parse("[]<>p")).recurrence, syntax(parse("[]<>p")).obligation
    (True, True, False)
    """
    normal = negation_normal_form(formula)
    known: dict[Formula, Syntax] = {}
    for part in subformulas(normal):
        known[part] = _syntax(part, [known[operand] for operand in part.operands])
    return known[normal]


def _syntax(part: Formula, operands: list[Syntax]) -> Syntax:
    operator = part.operator
    left = operands[0] if operands else Syntax(*[True] * 6)
    right = operands[-1] if operands else left
    step_free = all(one.step_free for one in operands)
    safety, guarantee, obligation, recurrence, persistence = (
        all(one[i] for one in operands) for i in range(len(Syntax._fields) - 1)
    )
    match operator:
        case O.NEXT | O.WEAK_NEXT:
            step_free = False
        case O.EVENTUALLY:
            safety, obligation, recurrence = False, guarantee, guarantee
        case O.ALWAYS:
            guarantee, obligation, persistence = False, safety, safety
        case O.UNTIL:
            safety, obligation = False, left.obligation and right.guarantee
            recurrence = left.recurrence and right.guarantee
        case O.STRONG_RELEASE:
            safety, obligation = False, left.guarantee and right.obligation
            recurrence = left.guarantee and right.recurrence
        case O.RELEASE:
            guarantee, obligation = False, left.obligation and right.safety
            persistence = left.persistence and right.safety
        case O.WEAK_UNTIL:
            guarantee, obligation = False, left.safety and right.obligation
            persistence = left.safety and right.persistence
        case _ if operator in PAST:
            # Over the future as well, nothing is shown: the position it speaks of is not the first.
            now = all(one.operator not in AHEAD for one in subformulas(part))
            step_free = step_free and operator not in (O.YESTERDAY, O.WEAK_YESTERDAY)
            return Syntax(now, now, now, now, now, step_free)
    return Syntax(safety, guarantee, obligation, recurrence, persistence, step_free)


AHEAD = frozenset({O.NEXT, O.WEAK_NEXT, O.EVENTUALLY, O.ALWAYS, O.UNTIL, O.WEAK_UNTIL, O.RELEASE, O.STRONG_RELEASE})
