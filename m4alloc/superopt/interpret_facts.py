"""Context facts decided for given numbers: the language of `Fact`, by Python's own integers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from m4alloc.superopt.facts import Fact

Evaluator: TypeAlias = Callable[[Mapping[str, int]], int]


class FactError(ValueError):
    """A fact that is not in the language, or names what is no argument."""


class _UndefinedError(Exception):
    """A division by zero or a negative shift inside a fact: the fact does not hold there."""


@lru_cache(maxsize=4096)
def names(fact: Fact) -> frozenset[str]:
    """The arguments that a fact speaks of.

    >>> sorted(names(Fact("signed(x) < y")))
    ['x', 'y']
    """
    return frozenset(node.id for node in ast.walk(_tree(fact.text)) if isinstance(node, ast.Name)) - _FUNCTIONS


def holds(facts: Sequence[Fact], values: Mapping[str, int], widths: Mapping[str, int]) -> bool:
    """All facts are true of these unsigned argument values; an argument that is missing from `values` is poison,
    and a fact that names it does not hold.

    widths: bits of each argument.  A division by zero inside a fact makes it false.
    Errors: FactError.

    >>> holds([Fact("1 <= slots <= 64"), Fact("slots & ~(slots - 1) == slots")], {"slots": 8}, {"slots": 8})
    True
    """
    frozen = tuple(widths.items())
    for fact in facts:
        evaluate = compiled(fact.text, frozen)
        if not names(fact) <= values.keys():
            return False
        try:
            if not evaluate(values):
                return False
        except _UndefinedError:
            return False
    return True


@lru_cache(maxsize=4096)
def compiled(text: str, widths: tuple[tuple[str, int], ...]) -> Evaluator:
    """The fact as a function of the argument values; FactError where it is not in the language."""
    return _Compiler(dict(widths), text).compile(_tree(text).body)


@lru_cache(maxsize=4096)
def _tree(text: str) -> ast.Expression:
    try:
        return ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise FactError(f"fact {text!r}: not an expression ({error.msg})") from None


_FUNCTIONS = frozenset({"signed", "align", "popcount"})


def _divided(a: int, b: int) -> int:
    if b == 0:
        raise _UndefinedError
    return a // b


def _rest(a: int, b: int) -> int:
    if b == 0:
        raise _UndefinedError
    return a % b


def _shifted(a: int, b: int) -> int:
    if not 0 <= b <= 4096:
        raise _UndefinedError
    return a << b


def _shifted_down(a: int, b: int) -> int:
    if b < 0:
        raise _UndefinedError
    return a >> b


_BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: _divided,
    ast.Mod: _rest,
    ast.BitAnd: lambda a, b: a & b,
    ast.BitOr: lambda a, b: a | b,
    ast.BitXor: lambda a, b: a ^ b,
    ast.LShift: _shifted,
    ast.RShift: _shifted_down,
}

_COMPARE: Mapping[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
}


class _Compiler:
    """Turns a fact's tree into closures."""

    def __init__(self, widths: Mapping[str, int], text: str) -> None:
        self.widths = widths
        self.text = text

    def compile(self, node: ast.expr) -> Evaluator:
        match node:
            case ast.Constant(value=bool(value) | int(value)):
                return lambda values: int(value)
            case ast.Name(id=name):
                self._known(name)
                return lambda values: values[name]
            case ast.BoolOp(op=operator, values=parts):
                compiled_parts = [self.compile(part) for part in parts]
                combine = all if isinstance(operator, ast.And) else any
                return lambda values: int(combine(part(values) for part in compiled_parts))
            case ast.Compare(left=left, ops=operators, comparators=rights):
                return self._chain(left, operators, rights)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                apply, a, b = _BINARY[type(operator)], self.compile(left), self.compile(right)
                return lambda values: apply(a(values), b(values))
            case ast.UnaryOp(op=unary, operand=inner):
                return self._unary(unary, inner)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
                return self._call(name, argument)
        raise FactError(f"fact {self.text!r}: {ast.unparse(node)!r} is not in the language of facts")

    def _known(self, name: str) -> int:
        if name not in self.widths:
            known = ", ".join(self.widths) or "none"
            raise FactError(f"fact {self.text!r}: {name!r} is no argument; the arguments are: {known}")
        return self.widths[name]

    def _chain(self, left: ast.expr, operators: list[ast.cmpop], rights: list[ast.expr]) -> Evaluator:
        if any(type(operator) not in _COMPARE for operator in operators):
            raise FactError(f"fact {self.text!r}: compare with ==, !=, <, <=, > or >=")
        terms = [self.compile(part) for part in (left, *rights)]
        compares = [_COMPARE[type(operator)] for operator in operators]

        def chain(values: Mapping[str, int]) -> int:
            number = terms[0](values)
            for term, compare in zip(terms[1:], compares, strict=True):
                following = term(values)
                if not compare(number, following):
                    return 0  # as in Python, what comes after the first false one is not evaluated
                number = following
            return 1

        return chain

    def _unary(self, operator: ast.unaryop, inner: ast.expr) -> Evaluator:
        operand = self.compile(inner)
        if isinstance(operator, ast.Not):
            return lambda values: int(not operand(values))
        if isinstance(operator, ast.USub):
            return lambda values: -operand(values)
        if isinstance(operator, ast.Invert):
            mask = (1 << self._width(inner)) - 1
            return lambda values: ~operand(values) & mask
        return operand

    def _width(self, node: ast.expr) -> int:
        """The width of a term: the widest argument in it."""
        inside = [self._known(part.id) for part in ast.walk(node)
                  if isinstance(part, ast.Name) and part.id not in _FUNCTIONS]  # fmt: skip
        if not inside:
            raise FactError(f"fact {self.text!r}: ~ needs an argument under it, to have a width")
        return max(inside)

    def _call(self, name: str, argument: ast.expr) -> Evaluator:
        operand, width = self.compile(argument), self._width(argument)
        mask, top = (1 << width) - 1, 1 << width
        if name == "popcount":
            return lambda values: (operand(values) & mask).bit_count()
        if name == "align":  # zero is a multiple of every power of two that the width can hold
            return lambda values: ((number := operand(values) & mask) & -number) or top
        return lambda values: (number := operand(values) & mask) - (top if number >> (width - 1) else 0)
