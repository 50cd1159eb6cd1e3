"""Intrinsics on integers as bit-vectors: counts, permutations of bits, minima, overflow and saturation.

Source: LLVM language reference, "Bit Manipulation Intrinsics", "Arithmetic with Overflow Intrinsics", "Saturation
Arithmetic Intrinsics", "Vector Reduction Intrinsics".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import z3

from m4alloc.superopt.smt_integers import minimum, ones, product_wraps_signed, product_wraps_unsigned
from m4alloc.superopt.smt_values import NO_CHOICE, Scalar, SymValue, Term, either
from m4alloc.superopt.verdict import UnsupportedError

WIDE_PRODUCT = 32
"""Up to this width an overflow of a signed product is read off the product at twice the width, which is what rewrites
by widening also compute; above it z3's own predicates are far cheaper."""


def popcount(x: Term) -> Term:
    """The number of ones, by halves: the parts are `width` bits wide, for every width."""
    width = x.size()
    size = 1
    while size < width:
        size *= 2
    value = z3.ZeroExt(size - width, x) if size > width else x
    part = 1
    while part < size:
        mask = z3.BitVecVal(sum(((1 << part) - 1) << at for at in range(0, size, 2 * part)), size)
        value = (value & mask) + (z3.LShR(value, part) & mask)
        part *= 2
    return z3.Extract(width - 1, 0, value)


def leading_zeros(x: Term) -> Term:
    """The number of zeros above the highest one; the width at 0."""
    width = x.size()
    result = z3.BitVecVal(width, width)
    for place in range(width):
        result = z3.If(z3.Extract(place, place, x) == 1, z3.BitVecVal(width - 1 - place, width), result)
    return result


def trailing_zeros(x: Term) -> Term:
    """The number of zeros below the lowest one; the width at 0."""
    width = x.size()
    result = z3.BitVecVal(width, width)
    for place in reversed(range(width)):
        result = z3.If(z3.Extract(place, place, x) == 1, z3.BitVecVal(place, width), result)
    return result


def swapped_bytes(x: Term) -> Term:
    """The bytes in reverse order."""
    return z3.Concat([z3.Extract(at + 7, at, x) for at in range(0, x.size(), 8)])


def reversed_bits(x: Term) -> Term:
    """The bits in reverse order."""
    if x.size() == 1:
        return x
    return z3.Concat([z3.Extract(at, at, x) for at in range(x.size())])


def _widened(x: Term, signed: bool, by: int) -> Term:
    return z3.SignExt(by, x) if signed else z3.ZeroExt(by, x)


def overflow(operation: str, signed: bool, a: Term, b: Term) -> tuple[Term, Term]:
    """The wrapped result of add, sub or mul, and whether it wrapped."""
    width = a.size()
    if operation == "mul" and not signed:
        return a * b, product_wraps_unsigned(a, b)
    if operation == "mul" and width > WIDE_PRODUCT:
        return a * b, product_wraps_signed(a, b)
    if operation == "mul":
        wide = _widened(a, signed, width) * _widened(b, signed, width)
    else:
        x, y = _widened(a, signed, 1), _widened(b, signed, 1)
        wide = x + y if operation == "add" else x - y
    result = z3.Extract(width - 1, 0, wide)
    return result, _widened(result, signed, wide.size() - width) != wide


def _saturated(operation: str, signed: bool, a: Term, b: Term) -> Term:
    width = a.size()
    least, greatest = minimum(width), ones(width) ^ minimum(width)
    if operation == "shl":
        result = a << b
        if signed:
            return z3.If((result >> b) != a, z3.If(a < 0, least, greatest), result)
        return z3.If(z3.LShR(result, b) != a, ones(width), result)
    result, wrapped = overflow(operation, signed, a, b)
    if not signed:
        return z3.If(wrapped, ones(width) if operation == "add" else z3.BitVecVal(0, width), result)
    return z3.If(wrapped, z3.If(a < 0, least, greatest), result)


def _funnel(left: bool, a: Term, b: Term, amount: Term) -> Term:
    width = a.size()
    count = z3.URem(amount, z3.BitVecVal(width, width)) if width & (width - 1) else amount & (width - 1)
    if width == 1:
        return a if left else b
    rest = z3.BitVecVal(width, width) - count
    if left:
        return z3.If(count == 0, a, (a << count) | z3.LShR(b, rest))
    return z3.If(count == 0, b, (a << rest) | z3.LShR(b, count))


def _three_way(less: Term, equal: Term, width: int) -> Term:
    return z3.If(less, ones(width), z3.If(equal, z3.BitVecVal(0, width), z3.BitVecVal(1, width)))


LEAST: Mapping[str, Callable[[Term, Term], Term]] = {
    "umin": z3.ULE,
    "umax": z3.UGE,
    "smin": lambda a, b: a <= b,
    "smax": lambda a, b: a >= b,
}


def _extreme(test: Callable[[Term, Term], Term]) -> Callable[[Term, Term], Term]:
    return lambda a, b: z3.If(test(a, b), a, b)


FOLDS: Mapping[str, Callable[[Term, Term], Term]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    **{name: _extreme(test) for name, test in LEAST.items()},
}
UNARY: Mapping[str, Callable[[Term], Term]] = {
    "ctpop": popcount,
    "bswap": swapped_bytes,
    "bitreverse": reversed_bits,
}


def _immediate(name: str, value: Scalar) -> bool:
    bits = z3.simplify(value.bits)
    if not z3.is_bv_value(bits):
        raise UnsupportedError(f"llvm.{name}: its last operand has to be a constant")
    return bool(bits.as_long())


def _on_lane(name: str, width: int, operands: Sequence[Scalar]) -> SymValue:
    """An intrinsic on scalars; `width` is that of the result."""
    poison = [operand.poison for operand in operands]
    choices = NO_CHOICE.union(*(operand.choices for operand in operands))
    a = operands[0].bits
    if name in UNARY:
        bits = UNARY[name](a)
    elif name in ("ctlz", "cttz"):
        if _immediate(name, operands[1]):
            poison.append(a == 0)
        bits = leading_zeros(a) if name == "ctlz" else trailing_zeros(a)
    elif name == "abs":
        if _immediate(name, operands[1]):
            poison.append(a == minimum(a.size()))
        bits = z3.If(a < 0, -a, a)
    elif name in LEAST:
        bits = FOLDS[name](a, operands[1].bits)
    elif name in ("fshl", "fshr"):
        bits = _funnel(name == "fshl", a, operands[1].bits, operands[2].bits)
    elif name in ("ucmp", "scmp"):
        b = operands[1].bits
        bits = _three_way(z3.ULT(a, b) if name == "ucmp" else a < b, a == b, width)
    elif name.endswith(".sat"):
        signed, operation = name[0] == "s", name[1:-4]
        b = operands[1].bits
        if operation == "shl":
            size = z3.BitVecVal(a.size(), a.size() + 8)
            poison.append(z3.UGE(z3.ZeroExt(8, b), size))
        bits = _saturated(operation, signed, a, b)
    elif name.endswith(".with.overflow"):
        result, wrapped = overflow(name[1:4], name[0] == "s", a, operands[1].bits)
        flag = z3.If(wrapped, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1))
        return Scalar(result, either(*poison), choices), Scalar(flag, either(*poison), choices)
    else:
        raise UnsupportedError(f"call of @llvm.{name}: not an intrinsic that is compared")
    return Scalar(bits, either(*poison), choices)


KNOWN = frozenset(
    {*UNARY, *LEAST, "ctlz", "cttz", "abs", "fshl", "fshr", "ucmp", "scmp"}
    | {f"{sign}{name}.sat" for sign in "us" for name in ("add", "sub", "shl")}
    | {f"{sign}{name}.with.overflow" for sign in "us" for name in ("add", "sub", "mul")}
    | {f"vector.reduce.{name}" for name in FOLDS}
)
"""Without the `llvm.` and the suffix for the type."""


def short_name(callee: str) -> str:
    """The intrinsic without `llvm.` and without its type's suffix; "" for a function that is none of KNOWN.

    >>> short_name("llvm.umul.with.overflow.i16"), short_name("llvm.vector.reduce.add.v4i32"), short_name("puts")
    ('umul.with.overflow', 'vector.reduce.add', '')
    """
    parts = callee.split(".")
    if parts[0] != "llvm":
        return ""
    for end in range(len(parts), 1, -1):
        if (name := ".".join(parts[1:end])) in KNOWN:
            return name
    return ""


def call(name: str, width: int, operands: Sequence[SymValue]) -> SymValue:
    """The result of the intrinsic with that short name; `width` is that of the result, or of its lanes."""
    if name.startswith("vector.reduce."):
        lanes = operands[0]
        assert isinstance(lanes, tuple)
        parts = [lane for lane in lanes if isinstance(lane, Scalar)]
        bits = reduce(FOLDS[name.rpartition(".")[2]], [lane.bits for lane in parts])
        poison = either(*(lane.poison for lane in parts))
        return Scalar(bits, poison, NO_CHOICE.union(*(lane.choices for lane in parts)))
    first = operands[0]
    if isinstance(first, Scalar):
        return _on_lane(name, width, [operand for operand in operands if isinstance(operand, Scalar)])
    results = []
    for number in range(len(first)):
        lane = [operand[number] if isinstance(operand, tuple) else operand for operand in operands]
        results.append(_on_lane(name, width, [part for part in lane if isinstance(part, Scalar)]))
    if name.endswith(".with.overflow"):
        pairs = [pair for pair in results if isinstance(pair, tuple)]
        return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    return tuple(results)
