"""Past operators over the future: a fresh proposition stands for each, is constrained step by step, and is hidden."""

from __future__ import annotations

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.formula import (
    FALSE,
    FUTURE,
    PAST,
    TRUE,
    Formula,
    Operator,
    always,
    conjunction,
    disjunction,
    make,
    negation,
    next_,
    proposition,
    subformulas,
)


def at_beginning(formula: Formula) -> Formula:
    """A formula that says at the first position what `formula` does there, with fewer past operators.

    formula: in negation normal form. There Y f is false, Z f true, and of the others only the last operand counts.
    Cost: linear.

    >>> from spec.ltl.parser import parse
    >>> at_beginning(parse("(p S q) && []O r")), at_beginning(parse("Y p || Z p"))
    (q && []O r, false || true)
    """
    match formula.operator:
        case Operator.YESTERDAY:
            return FALSE
        case Operator.WEAK_YESTERDAY:
            return TRUE
        case Operator.SINCE | Operator.TRIGGER | Operator.ONCE | Operator.HISTORICALLY:
            return at_beginning(formula.operands[-1])
        case Operator.AND | Operator.OR if formula.past:
            return make(formula.operator, tuple(at_beginning(part) for part in formula.operands))
    return formula


def without_mixed_past(formula: Formula) -> tuple[Formula, tuple[str, ...]]:
    """A formula in which no past operator is over one of the future, and the fresh propositions that it needs.

    formula: in negation normal form. A word satisfies it iff the letters can be extended by the fresh propositions so
    that the result is satisfied. As a fresh proposition is never negated, it need only imply what it stands for:
    y for a S b by y -> b at the beginning and [](X y -> X b || X a && y), and so on.
    Cost: linear.  Source: the standard elimination of past by fresh propositions; Gabbay, The declarative past (1989).

    >>> from spec.ltl.parser import parse
    >>> print(*without_mixed_past(parse("[](p || O q)")))
    [](p || O q) ()
    >>> print(*without_mixed_past(parse("<>O []q")))
    <>_past0 && (!_past0 || []q) && [](N !_past0 || _past0 || X []q) ('_past0',)
    """
    replaced: dict[Formula, Formula] = {}
    constraints: list[Formula] = []
    fresh: list[str] = []
    ahead: dict[Formula, bool] = {}
    prefix = "_past"
    while any(name.startswith(prefix) for name in formula.propositions):
        prefix = "_" + prefix
    for part in subformulas(formula):
        ahead[part] = part.operator in FUTURE or any(ahead[operand] for operand in part.operands)
        operands = tuple(replaced[operand] for operand in part.operands)
        if part.operator in PAST and ahead[part]:
            fresh.append(f"{prefix}{len(fresh)}")
            replaced[part] = proposition(fresh[-1])
            constraints += _constraints(part.operator, operands, replaced[part])
        elif operands == part.operands:
            replaced[part] = part
        else:
            replaced[part] = make(part.operator, operands, part.name)
    return conjunction(replaced[formula], *constraints), tuple(fresh)


def _constraints(operator: Operator, operands: tuple[Formula, ...], y: Formula) -> list[Formula]:
    a, b = operands[0], operands[-1]
    not_y = negation(y)
    not_next = make(Operator.WEAK_NEXT, (not_y,))
    match operator:
        case Operator.YESTERDAY:
            return [not_y, always(disjunction(not_next, a))]
        case Operator.WEAK_YESTERDAY:
            return [always(disjunction(not_next, a))]
        case Operator.ONCE:
            return [disjunction(not_y, a), always(disjunction(not_next, y, next_(a)))]
        case Operator.HISTORICALLY:
            return [always(disjunction(not_y, a)), always(disjunction(not_next, y))]
        case Operator.SINCE:
            step = disjunction(not_next, next_(b), conjunction(y, next_(a)))
            return [disjunction(not_y, b), always(step)]
        case _:
            return [always(disjunction(not_y, b)), always(disjunction(not_next, y, next_(a)))]


def hide(automaton: Automaton, count: int) -> Automaton:
    """The automaton for the letters without their last `count` propositions: some extension of the word is accepted.

    >>> both = Automaton(("p", "q"), ((Edge(0b1000, 0),),))
    >>> hide(both, 1).edges
    ((Edge(label=2, target=0, marks=0),),)
    """
    propositions = automaton.propositions
    edges = automaton.edges
    for _ in range(count):
        propositions = propositions[:-1]
        half = 1 << len(propositions)
        low = (1 << half) - 1
        edges = tuple(tuple(Edge(e.label & low | e.label >> half, e.target, e.marks) for e in out) for out in edges)
    return Automaton(propositions, edges, automaton.initial, automaton.sets)
