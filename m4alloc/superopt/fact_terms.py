"""Context facts as solver terms over mathematical integers: every term is wide enough that nothing wraps."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import z3

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_facts import FactError, holds, names
from m4alloc.superopt.smt_intrinsics import popcount
from m4alloc.superopt.smt_values import FALSE, TRUE, Term, both, either, negation

LONGEST_SHIFT = 4096
"""A longer shift to the left is undefined, as is a negative one: a fact that makes it does not hold."""
_FUNCTIONS = ("signed", "align", "popcount")


@dataclass(frozen=True, slots=True)
class Integer:
    """A number as a signed bit-vector that holds [low, high], and the condition under which it is defined."""

    term: Term
    low: int
    high: int
    defined: Term = TRUE


@dataclass(frozen=True, slots=True)
class Truth:
    """A truth value, and the condition under which it is defined."""

    term: Term
    defined: Term = TRUE


def conditions(facts: Sequence[Fact], arguments: Mapping[str, Term]) -> list[Term]:
    """Conditions that hold together where all facts do, over the arguments' bit-vectors.

    arguments: name to bits, pointers by their address.  A fact that divides by zero or shifts by a negative number
    does not hold.
    Raises FactError for a text that is not in the language, with the place and the names that are known.
    Cost: linear in the facts' length, times the widths that their values need.

    >>> x = z3.BitVec("x", 8)
    >>> z3.simplify(z3.substitute(conditions([Fact("x + 1 <= 256")], {"x": x})[-1], (x, z3.BitVecVal(255, 8))))
    True
    """
    trees = [_tree(fact.text) for fact in facts]
    bounds: dict[str, tuple[int, int]] = {}
    for tree in trees:
        _narrow(tree.body, arguments, bounds)
    found = [z3.ULE(arguments[name], high) for name, (_, high) in bounds.items()]
    for fact, tree in zip(facts, trees, strict=True):
        truth = _Compiler(fact.text, arguments, bounds).truth(tree.body)
        found.append(both(truth.defined, truth.term))
    return found


def _tree(text: str) -> ast.Expression:
    try:
        return ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise FactError(f"fact {text!r}, column {error.offset}: not an expression ({error.msg})") from None


def _narrow(node: ast.expr, arguments: Mapping[str, Term], bounds: dict[str, tuple[int, int]]) -> None:
    """Learn the constant bounds that a fact sets on a name, so that `1 << name` stays narrow: where a bound does not
    hold, the facts together do not hold, whatever the others say."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for part in node.values:
            _narrow(part, arguments, bounds)
    if not isinstance(node, ast.Compare):
        return
    sides = [node.left, *node.comparators]
    for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
        for name, number, strict, below in (
            (left, right, isinstance(operator, ast.Lt), isinstance(operator, ast.Lt | ast.LtE)),
            (right, left, isinstance(operator, ast.Gt), isinstance(operator, ast.Gt | ast.GtE)),
        ):
            limit = number.value if isinstance(number, ast.Constant) else None
            if below and type(limit) is int and isinstance(name, ast.Name) and name.id in arguments:
                low, high = bounds.get(name.id, (0, (1 << arguments[name.id].size()) - 1))
                bounds[name.id] = (low, max(0, min(high, limit - strict)))


def _needed(low: int, high: int) -> int:
    """Bits of the signed numbers from low to high."""
    return max(low.bit_length() + 1, high.bit_length() + 1, 2)


def _fit(value: Integer, width: int) -> Term:
    old = value.term.size()
    if old < width:
        return z3.SignExt(width - old, value.term)
    return value.term if old == width else z3.Extract(width - 1, 0, value.term)


def _integer(term: Term, low: int, high: int, defined: Term) -> Integer:
    """The number in as few bits as its range needs."""
    width = _needed(low, high)
    return Integer(z3.Extract(width - 1, 0, term) if term.size() > width else term, low, high, defined)


class _Compiler:
    """Turns a fact's tree into terms."""

    def __init__(self, text: str, arguments: Mapping[str, Term], bounds: Mapping[str, tuple[int, int]]) -> None:
        self.text = text
        self.arguments = arguments
        self.bounds = bounds

    def error(self, node: ast.expr, why: str) -> FactError:
        """FactError at a place in the text."""
        return FactError(f"fact {self.text!r}, column {node.col_offset + 1}: {why}")

    def truth(self, node: ast.expr) -> Truth:
        """The node as a truth value; a number is true where it is not zero."""
        if isinstance(node, ast.BoolOp):
            return self._connected(node)
        if isinstance(node, ast.Compare):
            return self._compared(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.truth(node.operand)
            return Truth(negation(inner.term), inner.defined)
        if isinstance(node, ast.Constant) and isinstance(node.value, bool):
            return Truth(TRUE if node.value else FALSE)
        number = self.number(node)
        return Truth(number.term != 0, number.defined)

    def _connected(self, node: ast.BoolOp) -> Truth:
        """and, or: what comes after the deciding part is not evaluated, so it may be undefined."""
        parts = [self.truth(part) for part in node.values]
        is_and = isinstance(node.op, ast.And)
        result = parts[-1]
        for part in reversed(parts[:-1]):
            term = both(part.term, result.term) if is_and else either(part.term, result.term)
            skipped = negation(part.term) if is_and else part.term
            result = Truth(term, both(part.defined, either(skipped, result.defined)))
        return result

    def _compared(self, node: ast.Compare) -> Truth:
        """A chain: what comes after the first false comparison is not evaluated, so it may be undefined."""
        values = [self.number(part) for part in (node.left, *node.comparators)]
        terms = []
        for left, operator, right in zip(values, node.ops, values[1:], strict=False):
            width = max(left.term.size(), right.term.size())
            a, b = _fit(left, width), _fit(right, width)
            match operator:
                case ast.Eq():
                    terms.append(a == b)
                case ast.NotEq():
                    terms.append(a != b)
                case ast.Lt():
                    terms.append(a < b)
                case ast.LtE():
                    terms.append(a <= b)
                case ast.Gt():
                    terms.append(a > b)
                case ast.GtE():
                    terms.append(a >= b)
                case _:
                    raise self.error(node, "compare with ==, !=, <, <=, > or >=")
        defined = [values[0].defined, values[1].defined]
        for place, value in enumerate(values[2:], start=1):
            defined.append(either(negation(both(*terms[:place])), value.defined))
        return Truth(both(*terms), both(*defined))

    def number(self, node: ast.expr) -> Integer:
        """The node as a number."""
        match node:
            case ast.Constant(value=int(constant)):
                return self._constant(int(constant))
            case ast.Name(id=name):
                return self._named(node, name)
            case ast.BinOp():
                return self._binary(node)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                value = self.number(inner)
                width = _needed(-value.high, -value.low) + 1
                return _integer(-_fit(value, width), -value.high, -value.low, value.defined)
            case ast.UnaryOp(op=ast.UAdd(), operand=inner):
                return self.number(inner)
            case ast.UnaryOp(op=ast.Invert(), operand=inner):
                value, width = self.number(inner), self._width(inner)
                return self._unsigned(~_fit(value, width), value.defined)
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in _FUNCTIONS:
                return self._call(name, inner)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                truth = self.truth(node)
                return Integer(z3.If(truth.term, z3.BitVecVal(1, 2), z3.BitVecVal(0, 2)), 0, 1, truth.defined)
        raise self.error(node, f"{ast.unparse(node)!r} is not in the language of facts")

    def _constant(self, value: int) -> Integer:
        return Integer(z3.BitVecVal(value, _needed(value, value)), value, value)

    def _unsigned(self, bits: Term, defined: Term = TRUE) -> Integer:
        return Integer(z3.ZeroExt(1, bits), 0, (1 << bits.size()) - 1, defined)

    def _named(self, node: ast.expr, name: str) -> Integer:
        if name not in self.arguments:
            known = ", ".join(self.arguments) or "none"
            raise self.error(node, f"{name!r} is no argument; the arguments are: {known}")
        full = self._unsigned(self.arguments[name])
        low, high = self.bounds.get(name, (full.low, full.high))
        # The bound is a fact of its own, so that the bits above it are zero wherever all facts hold.
        return _integer(full.term, low, high, TRUE)

    def _width(self, node: ast.expr) -> int:
        """The width of a term: the widest argument in it."""
        inside = [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id not in _FUNCTIONS]
        if not inside:
            raise self.error(node, "~ and the functions need an argument under them, to have a width")
        for name in inside:
            self._named(node, name)
        return max(int(self.arguments[name].size()) for name in inside)

    def _call(self, name: str, inner: ast.expr) -> Integer:
        width = self._width(inner)
        value = self.number(inner)
        bits = _fit(value, width)
        if name == "signed":
            return Integer(bits, -(1 << (width - 1)), (1 << (width - 1)) - 1, value.defined)
        if name == "popcount":
            counted = popcount(z3.ZeroExt(8, bits))
            return _integer(z3.ZeroExt(1, counted), 0, width, value.defined)
        wide = z3.ZeroExt(2, bits)
        # Zero is a multiple of every power of two that the width can hold.
        result = z3.If(bits == 0, z3.BitVecVal(1 << width, width + 2), wide & -wide)
        return Integer(result, 0, 1 << width, value.defined)

    def _binary(self, node: ast.BinOp) -> Integer:
        left, right = self.number(node.left), self.number(node.right)
        defined = both(left.defined, right.defined)
        match node.op:
            case ast.Add():
                return self._linear(left, right, left.low + right.low, left.high + right.high, 1, defined)
            case ast.Sub():
                return self._linear(left, right, left.low - right.high, left.high - right.low, -1, defined)
            case ast.Mult():
                corners = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
                low, high = min(corners), max(corners)
                width = self._bounded(node, _needed(low, high), left, right)
                return _integer(_fit(left, width) * _fit(right, width), low, high, defined)
            case ast.FloorDiv() | ast.Mod():
                return self._divided(left, right, isinstance(node.op, ast.Mod), defined)
            case ast.BitAnd() | ast.BitOr() | ast.BitXor():
                return self._bitwise(node.op, left, right, defined)
            case ast.LShift():
                return self._shifted(node, left, right, defined)
            case ast.RShift():
                width = max(left.term.size(), right.term.size())
                term = _fit(left, width) >> _fit(right, width)
                low, high = min(left.low, 0), max(left.high, 0)
                return _integer(term, low, high, both(defined, _fit(right, width) >= 0))
            case ast.Pow() if left.low == left.high and right.low == right.high and 0 <= right.low <= LONGEST_SHIFT:
                return self._constant(left.low**right.low)
            case ast.Pow():
                raise self.error(node, "a power of anything but constants is not in the language; use <<")
        raise self.error(node, f"{ast.unparse(node)!r} is not in the language of facts")

    def _bounded(self, node: ast.expr, width: int, *parts: Integer) -> int:
        width = max(width, *(part.term.size() for part in parts))
        if width > 4 * LONGEST_SHIFT:
            raise self.error(node, f"a number of {width} bits; at most {4 * LONGEST_SHIFT} are handled")
        return width

    def _linear(self, left: Integer, right: Integer, low: int, high: int, sign: int, defined: Term) -> Integer:
        width = max(_needed(low, high), left.term.size(), right.term.size())
        a, b = _fit(left, width), _fit(right, width)
        return _integer(a + b if sign > 0 else a - b, low, high, defined)

    def _divided(self, left: Integer, right: Integer, is_rest: bool, defined: Term) -> Integer:
        width = max(left.term.size(), right.term.size()) + 1
        a, b = _fit(left, width), _fit(right, width)
        defined = both(defined, b != 0)
        largest = max(abs(right.low), abs(right.high))
        rest = z3.URem(a, b) if left.low >= 0 and right.low >= 0 else a % b  # bvsmod: the sign of the divisor
        if is_rest:
            return _integer(rest, -largest if right.low < 0 else 0, largest, defined)
        if left.low >= 0 and right.low >= 0:
            return _integer(z3.UDiv(a, b), 0, left.high, defined)
        bound = max(abs(left.low), abs(left.high))
        return _integer((a - rest) / b, -bound - 1, bound + 1, defined)

    def _bitwise(self, operator: ast.operator, left: Integer, right: Integer, defined: Term) -> Integer:
        width = max(left.term.size(), right.term.size())
        a, b = _fit(left, width), _fit(right, width)
        if isinstance(operator, ast.BitAnd):
            term = a & b
            highs = [part.high for part in (left, right) if part.low >= 0]
            if highs:
                return _integer(term, 0, min(highs), defined)
        else:
            term = a | b if isinstance(operator, ast.BitOr) else a ^ b
        reach = 1 << (width - 1)
        if left.low >= 0 and right.low >= 0:
            return _integer(term, 0, (1 << max(left.high.bit_length(), right.high.bit_length())) - 1, defined)
        return Integer(term, -reach, reach - 1, defined)

    def _shifted(self, node: ast.expr, left: Integer, right: Integer, defined: Term) -> Integer:
        longest = max(0, min(right.high, LONGEST_SHIFT))
        low, high = min(left.low << longest, left.low), max(left.high << longest, left.high)
        width = self._bounded(node, _needed(low, high), left, right)
        amount = _fit(right, width)
        defined = both(defined, amount >= 0, amount <= longest)
        return _integer(_fit(left, width) << amount, low, high, defined)


__all__ = ["FactError", "conditions", "holds", "names"]
