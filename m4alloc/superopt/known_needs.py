"""Decides a rule's needs (`x & y == 0`, `x < 2**31`) from what is known of the values."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from m4alloc.superopt.ir import Constant, Int, Local, Value
from m4alloc.superopt.known_extent import Extent, between, of_bits, signed_between, top
from m4alloc.superopt.terms_expressions import Expression, ispow2

if TYPE_CHECKING:
    from m4alloc.superopt.known import Known

_PREDICATES: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "ult", ast.LtE: "ule", ast.Gt: "ugt", ast.GtE: "uge",
}  # fmt: skip
_SIGNED = {"eq": "eq", "ne": "ne", "ult": "slt", "ule": "sle", "ugt": "sgt", "uge": "sge"}
_IMPLIED = {
    "eq": {"eq", "ule", "uge", "sle", "sge"}, "ult": {"ult", "ule", "ne"}, "ugt": {"ugt", "uge", "ne"},
    "slt": {"slt", "sle", "ne"}, "sgt": {"sgt", "sge", "ne"}, "ne": {"ne"}, "ule": {"ule"}, "uge": {"uge"},
    "sle": {"sle"}, "sge": {"sge"},
}  # fmt: skip
"""Predicate to those that hold whenever it does."""


@dataclass(frozen=True, slots=True)
class Span:
    """A mathematical integer between low and high; bits that it never has, where it is not negative."""

    low: int
    high: int
    never: int = 0


class Needs:
    """Proves needs for one function; everything not proved is False."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.given = tuple(Expression(fact.text).tree for fact in known.facts if _is_readable(fact.text))

    def of_argument(self, name: str, width: int) -> Extent:
        """What the given facts say of one argument alone."""
        found = top(width)
        for tree in self.given:
            for part in _conjuncts(tree):
                found &= _one_sided(part, name, width)
        return found

    def holds(self, need: Expression, values: Mapping[str, Value], widths: Mapping[str, int], block: str) -> bool:
        """The need is true of these values wherever the block runs."""
        return _Need(self, values, widths, block).holds(need.tree)


def _is_readable(text: str) -> bool:
    try:
        Expression(text)
    except ValueError:
        return False
    return True


def _conjuncts(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in _conjuncts(value)]
    if isinstance(tree, ast.Compare) and len(tree.ops) > 1:
        sides = [tree.left, *tree.comparators]
        return [ast.Compare(left, [op], [right]) for left, op, right in zip(sides, tree.ops, sides[1:], strict=False)]
    return [tree]


def _number(tree: ast.expr) -> int | None:
    try:
        return Expression(ast.unparse(tree)).value({}, {})
    except ValueError:
        return None


_TURNED: Mapping[str, str] = {"ult": "ugt", "ugt": "ult", "ule": "uge", "uge": "ule", "eq": "eq", "ne": "ne"}


def _one_sided(part: ast.expr, name: str, width: int) -> Extent:
    whole = top(width)
    if not (isinstance(part, ast.Compare) and len(part.ops) == 1):
        return whole
    predicate = _PREDICATES.get(type(part.ops[0]), "")
    left, right = part.left, part.comparators[0]
    number = _number(right)
    if number is None:
        number, left, predicate = _number(left), right, _TURNED.get(predicate, "")
    if number is None or not predicate:
        return whole
    match left:
        case ast.Name(id=found) if found == name:
            return _within(predicate, number, width, signed=False)
        case ast.Call(func=ast.Name(id="signed"), args=[ast.Name(id=found)]) if found == name:
            return _within(predicate, number, width, signed=True)
        case ast.BinOp(left=ast.Name(id=found), op=ast.BitAnd(), right=mask) if found == name and predicate == "eq":
            bits = _number(mask)
            if bits is not None and 0 <= bits <= whole.mask and number & ~bits == 0:
                return of_bits(width, bits & ~number, number)
        case ast.BinOp(left=ast.Name(id=found), op=ast.Mod(), right=divisor) if found == name and predicate == "eq":
            size = _number(divisor)
            if size is not None and ispow2(size) and 0 <= number < size <= whole.mask:
                return of_bits(width, (size - 1) & ~number, number)
    return whole


def _within(predicate: str, number: int, width: int, *, signed: bool) -> Extent:
    whole = top(width)
    least, most = (whole.slow, whole.shigh) if signed else (0, whole.mask)
    low, high = {
        "eq": (number, number), "ult": (least, number - 1), "ule": (least, number), "ugt": (number + 1, most),
        "uge": (number, most), "ne": (least + (number == least), most - (number == most)),
    }[predicate]  # fmt: skip
    low, high = max(low, least), min(high, most)
    if low > high:
        return whole
    return signed_between(width, low, high) if signed else between(width, low, high)


class _Need:
    """One need over one binding."""

    def __init__(self, needs: Needs, values: Mapping[str, Value], widths: Mapping[str, int], block: str) -> None:
        self.needs, self.values, self.widths, self.block = needs, values, widths, block
        self.known = needs.known

    def holds(self, tree: ast.expr) -> bool:
        match tree:
            case ast.BoolOp(op=ast.And(), values=parts):
                return all(self.holds(part) for part in parts)
            case ast.BoolOp(op=ast.Or(), values=parts):
                return any(self.holds(part) for part in parts)
            case ast.Compare(ops=ops) if len(ops) > 1:
                return all(self.holds(part) for part in _conjuncts(tree))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self.compared(left, op, right) or self.is_given(tree)
        return False

    def compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:
        a, b = self.span(left), self.span(right)
        if a is not None and b is not None:
            match op:
                case ast.Eq() if a.low == a.high == b.low == b.high:
                    return True
                case ast.NotEq() if a.high < b.low or b.high < a.low:
                    return True
                case ast.Lt() if a.high < b.low:
                    return True
                case ast.LtE() if a.high <= b.low:
                    return True
                case ast.Gt() if a.low > b.high:
                    return True
                case ast.GtE() if a.low >= b.high:
                    return True
        return self.is_power(left, op, right) or self.is_related(left, op, right)

    def is_power(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:
        match left, op, right:
            case ast.Call(func=ast.Name(id="popcount"), args=[ast.Name(id=name)]), ast.Eq(), ast.Constant(value=1):
                return name in self.values and self.is_pow2(self.values[name])
        return False

    def is_pow2(self, value: Value) -> bool:
        """Exactly one bit is set, wherever the value is not poison."""
        extent = self.known.extent(value, self.block)
        if extent is not None and extent.value is not None:
            return ispow2(extent.value)
        if not isinstance(value, Local) or value.name in self.known.arguments:
            return False
        made = self.known.definitions[value.name]
        nonzero = extent is not None and extent.low > 0
        match made.opcode:
            case "shl":
                first = made.operands[0]
                alone = first == Constant(first.type, 1) if isinstance(first.type, Int) else False
                return alone or (nonzero and self.is_pow2(first)) or ("nuw" in made.flags and self.is_pow2(first))
            case "lshr":
                return nonzero and self.is_pow2(made.operands[0])
            case "zext":
                return self.is_pow2(made.operands[0])
            case "select":
                return self.is_pow2(made.operands[1]) and self.is_pow2(made.operands[2])
        return False

    def is_related(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool:
        predicate = _PREDICATES.get(type(op))
        a, b = self.named(left), self.named(right)
        if predicate is None or a is None or b is None or a[1] != b[1]:
            return False
        predicate = _SIGNED[predicate] if a[1] else predicate
        for relation in self.known.relations(self.block) if self.block else ():
            for one, x, y in (
                (relation.predicate, relation.a, relation.b),
                (_flipped(relation.predicate), relation.b, relation.a),
            ):
                if (x, y) == (a[0], b[0]) and predicate in _IMPLIED[one]:
                    return True
        return False

    def named(self, tree: ast.expr) -> tuple[Value, bool] | None:
        match tree:
            case ast.Name(id=name) if name in self.values:
                return self.values[name], False
            case ast.Call(func=ast.Name(id="signed"), args=[ast.Name(id=name)]) if name in self.values:
                return self.values[name], True
        return None

    def is_given(self, tree: ast.Compare) -> bool:
        """It is one of the facts word for word, with arguments for names."""
        if not self.needs.given:
            return False
        renamed = _Renamed(self).visit(ast.parse(ast.unparse(tree), mode="eval").body)
        text = ast.unparse(renamed)
        return all(
            self.known.is_defined(self.values[name])
            for name in Expression(ast.unparse(tree)).values
            if name in self.values
        ) and any(
            ast.unparse(_Folded().visit(ast.parse(ast.unparse(part), mode="eval").body)) == text
            for given in self.needs.given
            for part in _conjuncts(given)
        )

    def span(self, tree: ast.expr) -> Span | None:
        match tree:
            case ast.Constant(value=int(value)):
                return Span(value, value, ~value if value >= 0 else 0)
            case ast.Name(id=name) if name in self.values:
                extent = self.known.extent(self.values[name], self.block)
                return None if extent is None else Span(extent.low, extent.high, extent.zeros | ~extent.mask)
            case ast.Call(func=ast.Name(id="width"), args=[ast.Name(id=name)]) if name in self.widths:
                return Span(self.widths[name], self.widths[name], ~self.widths[name])
            case ast.Call(func=ast.Name(id="signed"), args=[ast.Name(id=name)]) if name in self.values:
                extent = self.known.extent(self.values[name], self.block)
                return None if extent is None else Span(extent.slow, extent.shigh)
            case ast.BinOp(left=left, op=op, right=right):
                return self.combined(self.span(left), op, self.span(right))
            case ast.UnaryOp(op=ast.Invert(), operand=ast.Name(id=name)) if name in self.values:
                extent = self.known.extent(self.values[name], self.block)
                if extent is not None:
                    return Span(extent.mask - extent.high, extent.mask - extent.low, extent.ones | ~extent.mask)
        return None

    def combined(self, a: Span | None, op: ast.operator, b: Span | None) -> Span | None:
        if a is None or b is None:
            return None
        fixed = b.low == b.high
        natural = a.low >= 0 and b.low >= 0
        match op:
            case ast.Add():
                return Span(a.low + b.low, a.high + b.high)
            case ast.Sub():
                return Span(a.low - b.high, a.high - b.low)
            case ast.Mult() if natural:
                return Span(a.low * b.low, a.high * b.high)
            case ast.Pow() if natural and b.high <= 256:
                return Span(a.low**b.low, a.high**b.high)
            case ast.LShift() if natural and b.high <= 256:
                low = a.never << b.low | (1 << b.low) - 1 if fixed else 0
                return Span(a.low << b.low, a.high << b.high, low)
            case ast.RShift() if natural and b.high <= 256:
                return Span(a.low >> b.high, a.high >> b.low, a.never >> b.low if fixed else 0)
            case ast.FloorDiv() if natural and b.low > 0:
                return Span(a.low // b.high, a.high // b.low)
            case ast.Mod() if natural and b.low > 0:
                if fixed and ispow2(b.low):
                    return _bounded(a.never | ~(b.low - 1), a.high)
                return Span(0, min(a.high, b.high - 1)) if a.high >= b.low else a
            case ast.BitAnd() if natural:
                return _bounded(a.never | b.never, min(a.high, b.high))
            case ast.BitOr() if natural:
                never = a.never & b.never
                return Span(max(a.low, b.low), ~never if never < 0 else a.high + b.high, never)
            case ast.BitXor() if natural:
                never = a.never & b.never
                return Span(0, ~never if never < 0 else a.high + b.high, never)
        return None


def _bounded(never: int, high: int) -> Span:
    """Not negative, without the bits `never`, at most `high`."""
    return Span(0, min(high, ~never) if never < 0 else high, never)


def _flipped(predicate: str) -> str:
    return predicate.translate(str.maketrans("gl", "lg")) if predicate not in ("eq", "ne") else predicate


class _Folded(ast.NodeTransformer):
    """Numbers computed."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        changed = self.generic_visit(node)
        assert isinstance(changed, ast.BinOp)
        number = _number(changed)
        return changed if number is None else ast.Constant(number)


class _Renamed(_Folded):
    """Names of a rule to those of the function."""

    def __init__(self, need: _Need) -> None:
        self.need = need

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self.need.values.get(node.id)
        match value:
            case Local():
                return ast.Name(value.name, ast.Load())
            case Constant():
                return ast.Constant(value.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match node:
            case ast.Call(func=ast.Name(id="width"), args=[ast.Name(id=name)]) if name in self.need.widths:
                return ast.Constant(self.need.widths[name])
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])
