"""The arithmetic that rules do on constants: `ispow2(C)`, `C1 + C2`, `width(x) - 1`, in mathematical integers."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType


class ExpressionError(ValueError):
    """An expression outside the language, or one without a value for these constants (`log2(3)`)."""


def ispow2(value: int) -> bool:
    """Exactly one bit is set."""
    return value > 0 and value & (value - 1) == 0


def log2(value: int) -> int:
    """The exponent of a power of two; ExpressionError for any other number."""
    if not ispow2(value):
        raise ExpressionError(f"{value} is not a power of two")
    return value.bit_length() - 1


def align(value: int) -> int:
    """The largest power of two that divides `value`; ExpressionError for 0.

    >>> align(48)
    16
    """
    if value == 0:
        raise ExpressionError("every power of two divides 0")
    return value & -value


def reciprocal(divisor: int, width: int) -> int:
    """The multiplier m for which x // divisor == x * m >> (width + reciprocal_shift), for each x of `width` bits.

    Granlund, Montgomery, "Division by invariant integers using multiplication" (1994), theorem 4.2: it is enough that
    2**(width + shift) <= m * divisor <= 2**(width + shift) + 2**shift.

    >>> reciprocal(3, 8), reciprocal_shift(3, 8)
    (171, 1)
    """
    return -(-(1 << width + reciprocal_shift(divisor, width)) // divisor)


def reciprocal_shift(divisor: int, width: int) -> int:
    """The least shift that makes `reciprocal` exact; ExpressionError where the divisor is 0 or does not fit."""
    if not 0 < divisor < 1 << width:
        raise ExpressionError(f"{divisor} is no divisor of {width} bits")
    return next(shift for shift in range(width + 1) if -(1 << width + shift) % divisor <= 1 << shift)


_FUNCTIONS = {
    "ispow2": ispow2,
    "log2": log2,
    "align": align,
    "popcount": int.bit_count,
    "reciprocal": reciprocal,
    "reciprocal_shift": reciprocal_shift,
}
_OF_A_NAME = ("width", "signed")
_INSTANCE_ONLY = frozenset({"reciprocal", "reciprocal_shift"})
_ALLOWED = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A Python expression over names of constants (or of values, in a rule's `needs`), checked when it is made.

    `width(x)` is the width of a value, a constant or a type; `signed(C)` reads two's complement; `~C` is at the width
    of its first name; `ispow2`, `log2`, `align`, `popcount`, `reciprocal`, `reciprocal_shift`.

    >>> Expression("~C & (width(C) - 1)").value({"C": 1}, {"C": 8})
    6
    """

    text: str

    def __post_init__(self) -> None:
        try:
            tree = ast.parse(self.text.strip(), mode="eval")
        except SyntaxError as error:
            raise ExpressionError(f"{self.text!r} is no expression: {error.msg}") from None
        for node in ast.walk(tree):
            if not isinstance(node, _ALLOWED):
                raise ExpressionError(f"{self.text!r}: {type(node).__name__} is not in the language")
            if isinstance(node, ast.Call):
                if not isinstance(node.func, ast.Name) or node.func.id not in {*_FUNCTIONS, *_OF_A_NAME}:
                    raise ExpressionError(f"{self.text!r}: {ast.unparse(node.func)} is not a function of the language")
                if node.func.id in _OF_A_NAME and not (len(node.args) == 1 and isinstance(node.args[0], ast.Name)):
                    raise ExpressionError(f"{self.text!r}: {node.func.id} takes one name")

    @cached_property
    def tree(self) -> ast.expr:
        """Parsed."""
        return ast.parse(self.text.strip(), mode="eval").body

    @cached_property
    def values(self) -> frozenset[str]:
        """The names whose value counts."""
        skipped = {id(call.func) for call in ast.walk(self.tree) if isinstance(call, ast.Call)} | {
            id(call.args[0])
            for call in ast.walk(self.tree)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "width"
        }
        return frozenset(
            node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and id(node) not in skipped
        )

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name in it, those of widths too."""
        called = {id(call.func) for call in ast.walk(self.tree) if isinstance(call, ast.Call)}
        return frozenset(
            node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and id(node) not in called
        )

    @cached_property
    def is_symbolic(self) -> bool:
        """It can be said of unknown constants in the language of facts."""
        return not any(
            isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _INSTANCE_ONLY
            for call in ast.walk(self.tree)
        )

    def takes(self, name: str, functions: Sequence[str]) -> bool:
        """The name stands somewhere under one of these functions."""
        return any(
            isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in functions
            and any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(call))
            for call in ast.walk(self.tree)
        )  # fmt: skip

    @cached_property
    def _code(self) -> CodeType:
        tree = ast.Expression(_Named().visit(ast.parse(self.text.strip(), mode="eval").body))
        return compile(ast.fix_missing_locations(tree), self.text, "eval")

    def value(self, values: Mapping[str, int], widths: Mapping[str, int]) -> int:
        """The value for these constants (unsigned); ExpressionError where there is none."""
        names: dict[str, object] = dict(values)
        for name, width in widths.items():
            names[f"width_{name}"] = width
            names[f"mask_{name}"] = (1 << width) - 1
            if name in values:
                value = values[name]
                names[f"signed_{name}"] = value - (value >> (width - 1) << width)
        try:
            return int(eval(self._code, {"__builtins__": {}, **_FUNCTIONS}, names))
        except (ArithmeticError, ValueError, NameError) as error:
            raise ExpressionError(f"{self.text} has no value: {error}") from None


def _first_name(node: ast.expr) -> str:
    called = {id(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and id(part) not in called:
            return part.id
    raise ExpressionError(f"~ in {ast.unparse(node)!r} has no width")


class _Named(ast.NodeTransformer):
    """`width(x)` to the name width_x, `signed(C)` to signed_C, `~e` to the mask of its first name ^ e."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in _OF_A_NAME and isinstance(node.args[0], ast.Name):
            return ast.Name(f"{node.func.id}_{node.args[0].id}", ast.Load())
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Invert):
            mask = ast.Name(f"mask_{_first_name(node.operand)}", ast.Load())
            return ast.BinOp(mask, ast.BitXor(), self.visit(node.operand))
        return self.generic_visit(node)


class _Factual(ast.NodeTransformer):
    """To the language of facts at fixed widths; a logarithm becomes a fresh unknown."""

    def __init__(self, widths: Mapping[str, int], names: Mapping[str, str], unknowns: dict[str, str]) -> None:
        self.widths, self.names, self.unknowns = widths, names, unknowns

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.names.get(node.id, node.id), ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        match node.func.id:
            case "width":
                assert isinstance(node.args[0], ast.Name)
                return ast.Constant(self.widths[node.args[0].id])
            case "ispow2":
                counted = ast.Call(ast.Name("popcount", ast.Load()), [self.visit(node.args[0])], [])
                return ast.Compare(counted, [ast.Eq()], [ast.Constant(1)])
            case "log2":
                inner = ast.unparse(self.visit(node.args[0]))
                return ast.Name(self.unknowns.setdefault(inner, f"log2_{len(self.unknowns)}"), ast.Load())
        return ast.Call(node.func, [self.visit(argument) for argument in node.args], [])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Invert):
            mask = ast.Constant((1 << self.widths[_first_name(node.operand)]) - 1)
            return ast.BinOp(mask, ast.BitXor(), self.visit(node.operand))
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        changed = self.generic_visit(node)
        assert isinstance(changed, ast.BinOp)
        if isinstance(changed.left, ast.Constant) and isinstance(changed.right, ast.Constant):
            return ast.Constant(Expression(ast.unparse(changed)).value({}, {}))
        return changed


def _parts(tree: ast.expr) -> list[ast.expr]:
    if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And):
        return [part for value in tree.values for part in _parts(value)]
    return [tree]


def fact_text(
    expression: Expression, widths: Mapping[str, int], names: Mapping[str, str], unknowns: dict[str, str]
) -> str:
    """The expression in the language of `Fact` at fixed widths.

    names: name in the rule to name of the argument that stands for it.  unknowns: filled with what each logarithm is
    of, by the name of the argument that stands for the logarithm: the caller adds `1 << name == what`.
    Parts over widths and numbers alone are decided: "" where nothing else is left, ExpressionError where one is false.

    >>> unknowns: dict[str, str] = {}
    >>> fact_text(Expression("ispow2(C) and log2(C) < width(x)"), {"x": 8}, {}, unknowns), unknowns
    ('popcount(C) == 1 and log2_0 < 8', {'C': 'log2_0'})
    """
    if not isinstance(expression.tree, ast.Compare | ast.BoolOp) and expression.text != "True":
        tree = _Factual(widths, names, unknowns).visit(ast.parse(expression.text.strip(), mode="eval").body)
        return ast.unparse(ast.fix_missing_locations(tree))
    texts = []
    chosen = {name: int(text) for name, text in names.items() if text.isdigit()}
    for part in _parts(expression.tree):
        alone = Expression(ast.unparse(part))
        if alone.values - {"True"} - chosen.keys():
            tree = _Factual(widths, names, unknowns).visit(ast.parse(alone.text, mode="eval").body)
            text = ast.unparse(ast.fix_missing_locations(tree))
            texts.append(f"({text})" if isinstance(tree, ast.BoolOp) else text)
        elif not alone.value(chosen, widths):
            raise ExpressionError(f"{alone.text} is false at these widths")
    return " and ".join(texts)
