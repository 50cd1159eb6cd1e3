"""Term: a computation over capabilities, as a frozen value.

Operands are evaluated from left to right, each once; `if` evaluates one arm, `select` both. A manipulation that would
add authority clears the tag or traps, as the instruction set says; a trap ends the evaluation and is observable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, TypeAlias


class Sort(Enum):
    """What a term yields. `UNIT` is nothing: the term is there for what it does."""

    CAP = "cap"
    INT = "int"
    BOOL = "bool"
    UNIT = "unit"
    TUPLE = "tuple"


class Signature(NamedTuple):
    """The sorts of an operator's operands, and of its result."""

    operands: tuple[Sort, ...]
    result: Sort


def _signature(operands: str, result: str) -> Signature:
    return Signature(tuple(Sort(name) for name in operands.split()), Sort(result))


OPERATORS: Mapping[str, Signature] = MappingProxyType(
    {
        # capabilities; integers wrap to the width of an address
        "set": _signature("cap int", "cap"),
        "setexact": _signature("cap int", "cap"),
        "and": _signature("cap int", "cap"),
        "addrset": _signature("cap int", "cap"),
        "inc": _signature("cap int", "cap"),
        "offsetset": _signature("cap int", "cap"),
        "cleartag": _signature("cap", "cap"),
        "seal": _signature("cap cap", "cap"),
        "unseal": _signature("cap cap", "cap"),
        "sentry": _signature("cap", "cap"),
        "build": _signature("cap cap", "cap"),
        "null": _signature("int", "cap"),
        "frombits": _signature("int int", "cap"),
        # getters; length and top are at most the largest integer, as registers hold them
        "addr": _signature("cap", "int"),
        "base": _signature("cap", "int"),
        "length": _signature("cap", "int"),
        "top": _signature("cap", "int"),
        "offset": _signature("cap", "int"),
        "perms": _signature("cap", "int"),
        "type": _signature("cap", "int"),
        "upper": _signature("cap", "int"),
        "tag": _signature("cap", "bool"),
        "sealed": _signature("cap", "bool"),
        "subset": _signature("cap cap", "bool"),
        "identical": _signature("cap cap", "bool"),
        # integers
        "+": _signature("int int", "int"),
        "-": _signature("int int", "int"),
        "&": _signature("int int", "int"),
        "|": _signature("int int", "int"),
        "^": _signature("int int", "int"),
        "rounded": _signature("int", "int"),
        "mask": _signature("int", "int"),
        "==": _signature("int int", "bool"),
        "!=": _signature("int int", "bool"),
        "<": _signature("int int", "bool"),
        "<=": _signature("int int", "bool"),
        ">": _signature("int int", "bool"),
        ">=": _signature("int int", "bool"),
        "true": _signature("", "bool"),
        "false": _signature("", "bool"),
        "not": _signature("bool", "bool"),
        "all": _signature("bool bool", "bool"),
        "any": _signature("bool bool", "bool"),
        # memory at the address of the first operand; the size of a data access is a number of bytes
        "load": _signature("cap int", "int"),
        "store": _signature("cap int int", "unit"),
        "loadcap": _signature("cap", "cap"),
        "storecap": _signature("cap cap", "unit"),
        "revoke": _signature("cap", "unit"),
        # what conditions speak of; none of it is an instruction
        "within": _signature("cap int int", "bool"),
        "settable": _signature("cap int", "bool"),
        "derivable": _signature("cap", "bool"),
        "depends": _signature("cap", "bool"),
        "same_sign": _signature("int int", "bool"),
        "canonical": _signature("int", "bool"),
        "can_seal": _signature("cap", "bool"),
        "can_unseal": _signature("cap", "bool"),
        "can_execute": _signature("cap", "bool"),
        "is_global": _signature("cap", "bool"),
        "points_to_otype": _signature("cap", "bool"),
    }
)
"""`revoke`: a sweep has cleared the tags in memory of what points into the capability's bounds; registers still hold
theirs.  `within(c, a, n)`: [a, a + n) is in c's bounds, in numbers that do not wrap.  `settable(c, n)`: bounds of n
bytes from its address may be set.  `derivable(c)`: the bits are such as a tagged capability has.  `depends(c)`: its
bounds have bits from the address.  `same_sign(a, b)`: Morello's bit 55 is the same; `canonical(a)`: the byte above it
repeats it; both true elsewhere.  `points_to_otype`: the address is a type that seals."""

POLYMORPHIC = frozenset({"if", "select", "do", "tuple"})
CONDITIONS = frozenset(
    {
        "within",
        "settable",
        "derivable",
        "depends",
        "same_sign",
        "canonical",
        "can_seal",
        "can_unseal",
        "can_execute",
        "is_global",
        "points_to_otype",
    }
)
MEMORY = frozenset({"load", "store", "loadcap", "storecap", "revoke"})
WRITES = frozenset({"store", "storecap", "revoke"})
INFIX = frozenset({"+", "-", "&", "|", "^", "==", "!=", "<", "<=", ">", ">="})
MANIPULATIONS = frozenset(
    {"set", "setexact", "and", "addrset", "inc", "offsetset", "cleartag", "seal", "unseal", "sentry", "build"}
)
"""Those that yield a capability from another one."""


class TermError(ValueError):
    """A term that is not well formed, or that an instruction set has no instruction for."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An input, or what a `let` binds."""

    name: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Number:
    """An integer; what is used of it is its value modulo the address space."""

    value: int

    @property
    def sort(self) -> Sort:
        return Sort.INT


@dataclass(frozen=True, slots=True)
class Apply:
    """An operator on its operands; make it with `apply`, which checks the sorts."""

    operator: str
    operands: tuple[Term, ...]
    sort: Sort


@dataclass(frozen=True, slots=True)
class Let:
    """`bound` is evaluated once, whether or not `body` names it."""

    name: str
    bound: Term
    body: Term

    @property
    def sort(self) -> Sort:
        return self.body.sort


Term: TypeAlias = Variable | Number | Apply | Let


def apply(operator: str, *operands: Term) -> Apply:
    """The operator on these operands, once their number and sorts are right.  Raises TermError.

    >>> apply("addr", Variable("c", Sort.CAP)).sort
    <Sort.INT: 'int'>
    """
    sorts = tuple(operand.sort for operand in operands)
    if operator in POLYMORPHIC:
        return Apply(operator, operands, _polymorphic(operator, sorts))
    if operator not in OPERATORS:
        raise TermError(f"there is no operator {operator}; there are {', '.join([*OPERATORS, *sorted(POLYMORPHIC)])}")
    wanted, result = OPERATORS[operator]
    if sorts != wanted:
        raise TermError(f"{operator} takes ({_names(wanted)}), not ({_names(sorts)})")
    return Apply(operator, operands, result)


def _polymorphic(operator: str, sorts: tuple[Sort, ...]) -> Sort:
    if operator == "tuple":
        return Sort.TUPLE
    if operator == "do":
        if not sorts:
            raise TermError("do() has nothing to do: one operand or more would be right")
        return sorts[-1]
    if len(sorts) != 3 or sorts[0] is not Sort.BOOL or sorts[1] is not sorts[2]:
        raise TermError(f"{operator} takes a bool and two of one sort, not ({_names(sorts)})")
    return sorts[1]


def _names(sorts: tuple[Sort, ...]) -> str:
    return ", ".join(sort.value for sort in sorts)


def children(term: Term) -> tuple[Term, ...]:
    """The terms directly below."""
    if isinstance(term, Apply):
        return term.operands
    return (term.bound, term.body) if isinstance(term, Let) else ()


def subterms(term: Term) -> Iterator[Term]:
    """The term and all below it, operands first, each as often as it stands there."""
    for child in children(term):
        yield from subterms(child)
    yield term


def operators(term: Term) -> frozenset[str]:
    """The operators that occur."""
    return frozenset(one.operator for one in subterms(term) if isinstance(one, Apply))


def variables(term: Term, bound: frozenset[str] = frozenset()) -> dict[str, Sort]:
    """The free variables with their sorts, in the order in which they occur first."""
    if isinstance(term, Variable):
        return {} if term.name in bound else {term.name: term.sort}
    if isinstance(term, Let):
        return {**variables(term.bound, bound), **variables(term.body, bound | {term.name})}
    found: dict[str, Sort] = {}
    for child in children(term):
        found.update(variables(child, bound))
    return found


def substituted(term: Term, values: Mapping[str, Term]) -> Term:
    """The term with terms for its free variables; what a `let` binds must not be free in those.  Raises TermError."""
    if isinstance(term, Variable):
        return values.get(term.name, term)
    if isinstance(term, Number):
        return term
    if isinstance(term, Let):
        if any(term.name in variables(value) for value in values.values()):
            raise TermError(f"let binds {term.name}, which is free in what would be put below it")
        inner = {name: value for name, value in values.items() if name != term.name}
        return Let(term.name, substituted(term.bound, values), substituted(term.body, inner))
    return apply(term.operator, *(substituted(operand, values) for operand in term.operands))


def conjunction(*parts: Term) -> Term:
    """All of them; `true` for none.

    >>> conjunction() == apply("true")
    True
    """
    total: Term = apply("true")
    for part in parts:
        if part == apply("true"):
            continue
        total = part if total == apply("true") else apply("all", total, part)
    return total
