"""Formulas of linear temporal logic, future and past: immutable, and shared, so that equal formulas are one object."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final
from weakref import WeakValueDictionary


class Operator(Enum):
    """What a formula is built with; the value is its ASCII spelling.

    On a word w and a position i: X f, f at i + 1, which there must be; N f, the same if there is an i + 1 (on infinite
    words the two are equal). a U b: b at some j >= i, and a until then; a W b: a U b, or a for ever; a R b: b up to and
    including the first a, or for ever; a M b: the same, and such an a exists. Y f: f at i - 1, which there must be;
    Z f: the same if there is one. a S b: b at some j <= i, and a since then; a T b: b back to and including the last a,
    or to the beginning. O f: f at some j <= i; H f: f at all.
    """

    TRUE = "true"
    FALSE = "false"
    PROPOSITION = "proposition"
    NOT = "!"
    AND = "&&"
    OR = "||"
    IMPLIES = "->"
    IFF = "<->"
    NEXT = "X"
    WEAK_NEXT = "N"
    EVENTUALLY = "<>"
    ALWAYS = "[]"
    UNTIL = "U"
    WEAK_UNTIL = "W"
    RELEASE = "R"
    STRONG_RELEASE = "M"
    YESTERDAY = "Y"
    WEAK_YESTERDAY = "Z"
    SINCE = "S"
    TRIGGER = "T"
    ONCE = "O"
    HISTORICALLY = "H"

    __hash__ = object.__hash__  # an Enum hashes its name, in Python; formulas are looked up by their operators often


CONSTANTS = frozenset({Operator.TRUE, Operator.FALSE})
BOOLEAN = frozenset({Operator.NOT, Operator.AND, Operator.OR, Operator.IMPLIES, Operator.IFF})
FUTURE = frozenset(
    {
        Operator.NEXT,
        Operator.WEAK_NEXT,
        Operator.EVENTUALLY,
        Operator.ALWAYS,
        Operator.UNTIL,
        Operator.WEAK_UNTIL,
        Operator.RELEASE,
        Operator.STRONG_RELEASE,
    }
)
PAST = frozenset(
    {
        Operator.YESTERDAY,
        Operator.WEAK_YESTERDAY,
        Operator.SINCE,
        Operator.TRIGGER,
        Operator.ONCE,
        Operator.HISTORICALLY,
    }
)
UNARY = frozenset(
    {
        Operator.NOT,
        Operator.NEXT,
        Operator.WEAK_NEXT,
        Operator.EVENTUALLY,
        Operator.ALWAYS,
        Operator.YESTERDAY,
        Operator.WEAK_YESTERDAY,
        Operator.ONCE,
        Operator.HISTORICALLY,
    }
)
BINARY = frozenset(
    {
        Operator.UNTIL,
        Operator.WEAK_UNTIL,
        Operator.RELEASE,
        Operator.STRONG_RELEASE,
        Operator.SINCE,
        Operator.TRIGGER,
    }
)
"""The temporal operators of two operands."""
VARIADIC = frozenset({Operator.AND, Operator.OR})


class Formula:
    """One formula; made by the functions below or by `spec.ltl.parser.parse`, and equal only to itself.

    operator; operands: its subformulas, two or more of AND and OR; name: of a proposition, else empty.
    size: nodes of the tree, so that sharing does not count. temporal: whether any operator in it looks at another
    position; past: whether one looks back. propositions: the names in it.

    >>> p, q = proposition("p"), proposition("q")
    >>> until(p, q) is until(p, q), until(p, q) is until(q, p)
    (True, False)
    >>> always(p >> eventually(q))
    [](p -> <>q)
    """

    __slots__ = ("__weakref__", "name", "operands", "operator", "past", "propositions", "size", "temporal")

    operator: Operator
    operands: tuple[Formula, ...]
    name: str
    size: int
    temporal: bool
    past: bool
    propositions: frozenset[str]

    def __and__(self, other: Formula) -> Formula:
        return conjunction(self, other)

    def __or__(self, other: Formula) -> Formula:
        return disjunction(self, other)

    def __rshift__(self, other: Formula) -> Formula:
        return implies(self, other)

    def __invert__(self) -> Formula:
        return negation(self)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a formula is immutable; {name} cannot be set")

    def __reduce__(self) -> tuple[object, ...]:
        return make, (self.operator, self.operands, self.name)

    def __copy__(self) -> Formula:
        return self

    def __deepcopy__(self, memo: object) -> Formula:
        return self

    def __str__(self) -> str:
        from spec.ltl.printer import show

        return show(self)

    __repr__ = __str__


_known: WeakValueDictionary[tuple[Operator, tuple[Formula, ...], str], Formula] = WeakValueDictionary()


def make(operator: Operator, operands: tuple[Formula, ...] = (), name: str = "") -> Formula:
    """The formula of these parts, as they are: nothing is simplified.  Cost: O(1) and its propositions.

    Raises: ValueError when the operator takes another number of operands.
    """
    key = operator, operands, name
    known = _known.get(key)
    if known is not None:
        return known
    wanted = 1 if operator in UNARY else 0 if operator in CONSTANTS or operator is Operator.PROPOSITION else 2
    if len(operands) != wanted and not (operator in VARIADIC and len(operands) > wanted):
        raise ValueError(f"{operator.name} takes {wanted} operands, not {len(operands)}")
    if (operator is Operator.PROPOSITION) != bool(name):
        raise ValueError("a proposition has a name, and nothing else does")
    formula = object.__new__(Formula)
    put = object.__setattr__
    put(formula, "operator", operator)
    put(formula, "operands", operands)
    put(formula, "name", name)
    put(formula, "size", 1 + sum(operand.size for operand in operands))
    put(formula, "temporal", operator in FUTURE or operator in PAST or any(operand.temporal for operand in operands))
    put(formula, "past", operator in PAST or any(operand.past for operand in operands))
    put(formula, "propositions", frozenset({name}) if name else frozenset().union(*(f.propositions for f in operands)))
    _known[key] = formula
    return formula


TRUE: Final = make(Operator.TRUE)
FALSE: Final = make(Operator.FALSE)


def proposition(name: str) -> Formula:
    """The atomic proposition `name`."""
    return make(Operator.PROPOSITION, (), name)


def negation(formula: Formula) -> Formula:
    """Not `formula`."""
    return make(Operator.NOT, (formula,))


def conjunction(*formulas: Formula) -> Formula:
    """All of the formulas, in order; TRUE of none.

    >>> conjunction(), conjunction(proposition("p")), conjunction(proposition("p"), proposition("q"))
    (true, p, p && q)
    """
    return TRUE if not formulas else formulas[0] if len(formulas) == 1 else make(Operator.AND, formulas)


def disjunction(*formulas: Formula) -> Formula:
    """Any of the formulas, in order; FALSE of none."""
    return FALSE if not formulas else formulas[0] if len(formulas) == 1 else make(Operator.OR, formulas)


def implies(left: Formula, right: Formula) -> Formula:
    """`right` if `left`."""
    return make(Operator.IMPLIES, (left, right))


def iff(left: Formula, right: Formula) -> Formula:
    """Both or neither."""
    return make(Operator.IFF, (left, right))


def next_(formula: Formula) -> Formula:
    """X: there is a next position, and `formula` holds there."""
    return make(Operator.NEXT, (formula,))


def weak_next(formula: Formula) -> Formula:
    """N: `formula` holds at the next position, if there is one."""
    return make(Operator.WEAK_NEXT, (formula,))


def eventually(formula: Formula) -> Formula:
    """<>: now or later."""
    return make(Operator.EVENTUALLY, (formula,))


def always(formula: Formula) -> Formula:
    """[]: now and at every later position."""
    return make(Operator.ALWAYS, (formula,))


def until(left: Formula, right: Formula) -> Formula:
    """U: `right` now or later, and `left` at every position before."""
    return make(Operator.UNTIL, (left, right))


def weak_until(left: Formula, right: Formula) -> Formula:
    """W: left U right, or `left` for ever."""
    return make(Operator.WEAK_UNTIL, (left, right))


def release(left: Formula, right: Formula) -> Formula:
    """R: `right` up to and including the first `left`, or for ever."""
    return make(Operator.RELEASE, (left, right))


def strong_release(left: Formula, right: Formula) -> Formula:
    """M: left R right, and `left` comes."""
    return make(Operator.STRONG_RELEASE, (left, right))


def yesterday(formula: Formula) -> Formula:
    """Y: there is a previous position, and `formula` holds there."""
    return make(Operator.YESTERDAY, (formula,))


def since(left: Formula, right: Formula) -> Formula:
    """S: `right` now or earlier, and `left` at every position after that."""
    return make(Operator.SINCE, (left, right))


def once(formula: Formula) -> Formula:
    """O: now or earlier."""
    return make(Operator.ONCE, (formula,))


def historically(formula: Formula) -> Formula:
    """H: now and at every earlier position."""
    return make(Operator.HISTORICALLY, (formula,))


def subformulas(formula: Formula) -> Iterator[Formula]:
    """Each subformula once, operands before what they are in, `formula` last.  Cost: O(distinct subformulas)."""
    seen: set[Formula] = set()
    waiting = [(formula, False)]
    while waiting:
        current, ready = waiting.pop()
        if ready:
            yield current
        elif current not in seen:
            seen.add(current)
            waiting.append((current, True))
            waiting.extend((operand, False) for operand in reversed(current.operands))


def depth(formula: Formula) -> int:
    """How deep operators are nested; a proposition has depth 0.

    >>> depth(always(proposition("p") >> eventually(proposition("q"))))
    3
    """
    depths: dict[Formula, int] = {}
    for part in subformulas(formula):
        depths[part] = 1 + max((depths[operand] for operand in part.operands), default=-1)
    return depths[formula]
