"""Solver terms evaluated on many inputs at once by numpy, on all where they are few: where bit-blasting is slow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import z3

from m4alloc.superopt.smt_values import Term
from m4alloc.superopt.vectors_words import ones

MOST_BITS = 16
"""Of all variables together, to try every input: 65,536."""
_CHUNK = 1 << 14
Array = Any

_HARD = frozenset(
    {
        z3.Z3_OP_BMUL, z3.Z3_OP_BUDIV, z3.Z3_OP_BUREM, z3.Z3_OP_BSDIV, z3.Z3_OP_BSREM, z3.Z3_OP_BSMOD,
        z3.Z3_OP_BUDIV_I, z3.Z3_OP_BUREM_I, z3.Z3_OP_BSDIV_I, z3.Z3_OP_BSREM_I, z3.Z3_OP_BSMOD_I,
        z3.Z3_OP_BUMUL_NO_OVFL, z3.Z3_OP_BSMUL_NO_OVFL, z3.Z3_OP_BSMUL_NO_UDFL,
    }
)  # fmt: skip


_PRODUCTS = frozenset({z3.Z3_OP_BUMUL_NO_OVFL, z3.Z3_OP_BSMUL_NO_OVFL, z3.Z3_OP_BSMUL_NO_UDFL})


class Program:
    """A Boolean term as a list of steps in order.

    inputs: the variables with their widths, `bits` together.  hard: a product or a division is in it.  is_supported:
    it can be evaluated at all.
    """

    def __init__(self, term: Term) -> None:
        self.inputs: list[tuple[Term, int]] = []
        self.order: list[Term] = []
        self.hard = False
        self.bits = 0
        self.is_supported = True
        seen: set[int] = set()
        stack: list[tuple[Term, bool]] = [(term, False)]
        while stack:
            node, done = stack.pop()
            if done:
                self.order.append(node)
                continue
            key = node.get_id()
            if key in seen:
                continue
            seen.add(key)
            if not z3.is_app(node) or not self._take(node):
                self.is_supported = False
                return
            stack.append((node, True))
            stack += [(child, False) for child in node.children()]

    def _take(self, node: Term) -> bool:
        """Note a node; False where it cannot be evaluated."""
        kind = node.decl().kind()
        if not (z3.is_bool(node) or (z3.is_bv(node) and node.size() <= 64)):
            return False
        if kind == z3.Z3_OP_UNINTERPRETED:
            if node.children():
                return False
            width = 1 if z3.is_bool(node) else node.size()
            self.inputs.append((node, width))
            self.bits += width
            return True
        self.hard = self.hard or kind in _HARD
        if kind == z3.Z3_OP_DISTINCT and node.num_args() != 2:
            return False
        return kind in _STEPS and not (kind in _PRODUCTS and node.arg(0).size() > 31)

    @property
    def is_small(self) -> bool:
        """Every input can be tried."""
        return self.is_supported and self.bits <= MOST_BITS

    def find(self) -> list[Term] | None:
        """Equations of the first input on which the term is true; None where there is none.

        Cost: about 0.1 ms for each node and 16,384 inputs.
        """
        total = 1 << self.bits
        for start in range(0, total, _CHUNK):
            numbers = np.arange(start, min(start + _CHUNK, total), dtype=np.uint64)
            columns = []
            place = 0
            for _, width in self.inputs:
                columns.append((numbers >> np.uint64(place)) & ones(width))
                place += width
            if (found := self._first(columns, len(numbers))) is not None:
                return found
        return None

    def sample(self, count: int = 4096) -> list[Term] | None:
        """`find` among so many inputs, drawn at random, with few or many leading zeros; None proves nothing."""
        rng = np.random.default_rng(count)
        columns = []
        for _, width in self.inputs:
            words = rng.integers(0, 1 << 64, count, np.uint64, endpoint=False) & ones(width)
            columns.append(words >> rng.integers(0, width, count, np.uint64))
        return self._first(columns, count)

    def _first(self, columns: list[Array], count: int) -> list[Term] | None:
        """Equations of the first row on which the term is true."""
        values: dict[int, Array] = {}
        for (node, _), column in zip(self.inputs, columns, strict=True):
            values[node.get_id()] = column.astype(bool) if z3.is_bool(node) else column
        with np.errstate(over="ignore"):
            for node in self.order:
                if node.get_id() not in values:
                    values[node.get_id()] = _STEPS[node.decl().kind()](node, values)
        result = np.broadcast_to(values[self.order[-1].get_id()], (count,))
        if not result.any():
            return None
        row = int(np.argmax(result))
        found = []
        for (node, width), column in zip(self.inputs, columns, strict=True):
            value = int(column[row])
            found.append(node == bool(value) if z3.is_bool(node) else node == z3.BitVecVal(value, width))
        return found


Values = Mapping[int, Array]
Step = Callable[[Term, Values], Array]


def _arguments(node: Term, values: Values) -> list[Array]:
    return [values[child.get_id()] for child in node.children()]


def _signed(value: Array, width: int) -> Array:
    """Two's complement as int64."""
    shift = np.uint64(64 - width)
    return (np.asarray(value) << shift).astype(np.int64) >> np.int64(64 - width)


def _folded(function: Callable[[Array, Array], Array]) -> Step:
    def step(node: Term, values: Values) -> Array:
        first, *rest = _arguments(node, values)
        for part in rest:
            first = function(first, part)
        return first & ones(node.size())

    return step


def _logic(function: Callable[[Array, Array], Array]) -> Step:
    def step(node: Term, values: Values) -> Array:
        first, *rest = _arguments(node, values)
        for part in rest:
            first = function(first, part)
        return first

    return step


def _compared(function: Callable[[Array, Array], Array], is_signed: bool) -> Step:
    def step(node: Term, values: Values) -> Array:
        a, b = _arguments(node, values)
        if is_signed:
            width = node.arg(0).size()
            a, b = _signed(a, width), _signed(b, width)
        return function(a, b)

    return step


def _shifted(kind: str) -> Step:
    def step(node: Term, values: Values) -> Array:
        a, amount = _arguments(node, values)
        width = node.size()
        over = amount >= np.uint64(width)
        amount = np.minimum(amount, np.uint64(width - 1))
        if kind == "left":
            return np.where(over, np.uint64(0), (a << amount) & ones(width))
        if kind == "right":
            return np.where(over, np.uint64(0), a >> amount)
        amount = np.where(over, np.uint64(width - 1), amount)
        return (_signed(a, width) >> amount.astype(np.int64)).astype(np.uint64) & ones(width)

    return step


def _divided(rest: bool) -> Step:
    def step(node: Term, values: Values) -> Array:
        a, b = _arguments(node, values)
        zero = b == 0
        safe = np.where(zero, np.uint64(1), b)
        return np.where(zero, a, a % safe) if rest else np.where(zero, ones(node.size()), a // safe)

    return step


def _divided_signed(kind: str) -> Step:
    """By magnitudes, as SMT-LIB defines them; the divisor 0 included."""

    def step(node: Term, values: Values) -> Array:
        width = node.size()
        a, b = _arguments(node, values)
        x, y = _signed(a, width), _signed(b, width)
        size_x, size_y = np.abs(x).astype(np.uint64), np.abs(y).astype(np.uint64)
        zero = size_y == 0
        safe = np.where(zero, np.uint64(1), size_y)
        if kind == "quotient":
            size = np.where(zero, ones(width), size_x // safe)
            negative = (x < 0) != (y < 0)
            return np.where(negative, np.uint64(0) - size, size) & ones(width)
        size = np.where(zero, size_x, size_x % safe)
        signed = np.where(x < 0, np.uint64(0) - size, size)
        if kind == "rest":
            return signed & ones(width)
        other = (size != 0) & ((x < 0) != (y < 0)) & ~zero
        return np.where(other, signed + y.astype(np.uint64), signed) & ones(width)

    return step


def _concatenated(node: Term, values: Values) -> Array:
    result = np.uint64(0)
    for child in node.children():
        result = (result << np.uint64(child.size())) | values[child.get_id()]
    return result


def _extracted(node: Term, values: Values) -> Array:
    high, low = node.params()
    return (values[node.arg(0).get_id()] >> np.uint64(low)) & ones(high - low + 1)


def _extended(node: Term, values: Values) -> Array:
    inner = node.arg(0)
    return _signed(values[inner.get_id()], inner.size()).astype(np.uint64) & ones(node.size())


def _product_fits(kind: str) -> Step:
    """At up to 31 bits, where the product fits 64."""

    def step(node: Term, values: Values) -> Array:
        width = node.arg(0).size()
        a, b = _arguments(node, values)
        if kind == "unsigned":
            return a * b <= ones(width)
        product = _signed(a, width) * _signed(b, width)
        return product < (1 << (width - 1)) if kind == "over" else product >= -(1 << (width - 1))

    return step


_STEPS: Mapping[int, Step] = {
    z3.Z3_OP_TRUE: lambda node, values: np.bool_(True),
    z3.Z3_OP_FALSE: lambda node, values: np.bool_(False),
    z3.Z3_OP_BNUM: lambda node, values: np.uint64(node.as_long()),
    z3.Z3_OP_AND: _logic(np.logical_and),
    z3.Z3_OP_OR: _logic(np.logical_or),
    z3.Z3_OP_XOR: _logic(np.logical_xor),
    z3.Z3_OP_NOT: lambda node, values: ~np.asarray(values[node.arg(0).get_id()]),
    z3.Z3_OP_IMPLIES: lambda node, values: ~_arguments(node, values)[0] | _arguments(node, values)[1],
    z3.Z3_OP_EQ: lambda node, values: np.equal(*_arguments(node, values)),
    z3.Z3_OP_DISTINCT: lambda node, values: np.not_equal(*_arguments(node, values)),
    z3.Z3_OP_ITE: lambda node, values: np.where(*_arguments(node, values)),
    z3.Z3_OP_BADD: _folded(np.add),
    z3.Z3_OP_BSUB: _folded(np.subtract),
    z3.Z3_OP_BMUL: _folded(np.multiply),
    z3.Z3_OP_BAND: _folded(np.bitwise_and),
    z3.Z3_OP_BOR: _folded(np.bitwise_or),
    z3.Z3_OP_BXOR: _folded(np.bitwise_xor),
    z3.Z3_OP_BNOT: lambda node, values: ~values[node.arg(0).get_id()] & ones(node.size()),
    z3.Z3_OP_BNEG: lambda node, values: (np.uint64(0) - values[node.arg(0).get_id()]) & ones(node.size()),
    z3.Z3_OP_BSHL: _shifted("left"),
    z3.Z3_OP_BLSHR: _shifted("right"),
    z3.Z3_OP_BASHR: _shifted("arithmetic"),
    z3.Z3_OP_BUDIV: _divided(rest=False),
    z3.Z3_OP_BUDIV_I: _divided(rest=False),
    z3.Z3_OP_BUREM: _divided(rest=True),
    z3.Z3_OP_BUREM_I: _divided(rest=True),
    z3.Z3_OP_BSDIV: _divided_signed("quotient"),
    z3.Z3_OP_BSDIV_I: _divided_signed("quotient"),
    z3.Z3_OP_BSREM: _divided_signed("rest"),
    z3.Z3_OP_BSREM_I: _divided_signed("rest"),
    z3.Z3_OP_BSMOD: _divided_signed("modulus"),
    z3.Z3_OP_BSMOD_I: _divided_signed("modulus"),
    z3.Z3_OP_ULEQ: _compared(np.less_equal, False),
    z3.Z3_OP_ULT: _compared(np.less, False),
    z3.Z3_OP_UGEQ: _compared(np.greater_equal, False),
    z3.Z3_OP_UGT: _compared(np.greater, False),
    z3.Z3_OP_SLEQ: _compared(np.less_equal, True),
    z3.Z3_OP_SLT: _compared(np.less, True),
    z3.Z3_OP_SGEQ: _compared(np.greater_equal, True),
    z3.Z3_OP_SGT: _compared(np.greater, True),
    z3.Z3_OP_CONCAT: _concatenated,
    z3.Z3_OP_EXTRACT: _extracted,
    z3.Z3_OP_ZERO_EXT: lambda node, values: values[node.arg(0).get_id()],
    z3.Z3_OP_SIGN_EXT: _extended,
    z3.Z3_OP_BUMUL_NO_OVFL: _product_fits("unsigned"),
    z3.Z3_OP_BSMUL_NO_OVFL: _product_fits("over"),
    z3.Z3_OP_BSMUL_NO_UDFL: _product_fits("under"),
}
