"""Integer instructions as bit-vectors: the result, when it is poison, when it is undefined behaviour.

Source: LLVM language reference, "Binary Operations", "Bitwise Binary Operations", "Conversion Operations".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import z3

from m4alloc.superopt.smt_values import FALSE, Scalar, Term, both, either
from m4alloc.superopt.verdict import UnsupportedError


@dataclass(frozen=True, slots=True)
class Computed:
    """What an instruction makes: the value, and the condition under which the instruction is undefined."""

    value: Scalar
    undefined: Term = FALSE


def minimum(width: int) -> Term:
    """The least signed number."""
    return z3.BitVecVal(1 << (width - 1), width)


def ones(width: int) -> Term:
    """-1."""
    return z3.BitVecVal(-1, width)


def _add_wraps_signed(a: Term, b: Term) -> Term:
    total = a + b
    return ((a ^ total) & (b ^ total)) < 0


def _subtract_wraps_signed(a: Term, b: Term) -> Term:
    return ((a ^ b) & (a ^ (a - b))) < 0


def product_wraps_unsigned(a: Term, b: Term) -> Term:
    """a * b needs more bits than it has."""
    return z3.Not(z3.BVMulNoOverflow(a, b, False))


def product_wraps_signed(a: Term, b: Term) -> Term:
    """a * b, signed, does not fit."""
    if a.size() == 1:  # z3's predicates are about two bits and more
        return both(a == 1, b == 1)
    return z3.Not(z3.And(z3.BVMulNoOverflow(a, b, True), z3.BVMulNoUnderflow(a, b)))


WRAPS: Mapping[tuple[str, str], Callable[[Term, Term], Term]] = {
    ("add", "nuw"): lambda a, b: z3.ULT(a + b, a),
    ("add", "nsw"): _add_wraps_signed,
    ("sub", "nuw"): z3.ULT,
    ("sub", "nsw"): _subtract_wraps_signed,
    ("mul", "nuw"): product_wraps_unsigned,
    ("mul", "nsw"): product_wraps_signed,
    ("shl", "nuw"): lambda a, b: z3.LShR(a << b, b) != a,
    ("shl", "nsw"): lambda a, b: ((a << b) >> b) != a,
    ("lshr", "exact"): lambda a, b: (z3.LShR(a, b) << b) != a,
    ("ashr", "exact"): lambda a, b: ((a >> b) << b) != a,
    ("udiv", "exact"): lambda a, b: z3.URem(a, b) != 0,
    ("sdiv", "exact"): lambda a, b: z3.SRem(a, b) != 0,
    ("or", "disjoint"): lambda a, b: (a & b) != 0,
}
"""When a flag's promise is broken, so that the result is poison."""

RESULTS: Mapping[str, Callable[[Term, Term], Term]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "udiv": z3.UDiv,
    "sdiv": lambda a, b: a / b,
    "urem": z3.URem,
    "srem": z3.SRem,
    "shl": lambda a, b: a << b,
    "lshr": z3.LShR,
    "ashr": lambda a, b: a >> b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
}
SHIFTS = frozenset({"shl", "lshr", "ashr"})
DIVISIONS = frozenset({"udiv", "sdiv", "urem", "srem"})

COMPARISONS: Mapping[str, Callable[[Term, Term], Term]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ugt": z3.UGT,
    "uge": z3.UGE,
    "ult": z3.ULT,
    "ule": z3.ULE,
    "sgt": lambda a, b: a > b,
    "sge": lambda a, b: a >= b,
    "slt": lambda a, b: a < b,
    "sle": lambda a, b: a <= b,
}


def _free_choice(opcode: str, flags: frozenset[str], a: Scalar, b: Scalar) -> Scalar | None:
    """An undef operand of `add`, `sub` or `xor` makes the result undef, whatever the other is: a bijection of all
    values.  Exact, and it spares the solver a quantifier over an equation."""
    if flags or opcode not in ("add", "sub", "xor"):
        return None
    for one in (a, b):
        is_variable = len(one.choices) == 1 and one.poison is FALSE and z3.is_const(one.bits)
        if is_variable and one.bits.decl().name() in one.choices:
            return Scalar(one.bits, either(a.poison, b.poison), one.choices | b.choices | a.choices)
    return None


def binary(opcode: str, flags: frozenset[str], a: Scalar, b: Scalar) -> Computed:
    """add, sub, mul, divisions, shifts and logic, with every flag."""
    choices = a.choices | b.choices
    poison = [a.poison, b.poison]
    undefined = FALSE
    x, y = a.bits, b.bits
    width = x.size()
    if opcode in DIVISIONS:
        undefined = either(b.poison, y == 0)
        if opcode in ("sdiv", "srem"):
            # A poison dividend may be the least number, so that -1 as divisor is undefined for it too.
            undefined = either(undefined, both(y == ones(width), either(a.poison, x == minimum(width))))
    elif opcode in SHIFTS:
        poison.append(z3.UGE(y, z3.BitVecVal(width, width)) if width.bit_length() <= width else y != 0)
    elif choices:
        free = _free_choice(opcode, flags, a, b)
        if free is not None:
            return Computed(free)
    for flag in flags:
        broken = WRAPS.get((opcode, flag))
        if broken is None:
            raise UnsupportedError(f"{opcode} {flag}: no such flag is known")
        poison.append(broken(x, y))
    return Computed(Scalar(RESULTS[opcode](x, y), either(*poison), choices), undefined)


def compare(predicate: str, flags: frozenset[str], a: Scalar, b: Scalar) -> Scalar:
    """icmp on integers, and on pointers by their addresses."""
    poison = [a.poison, b.poison]
    for flag in flags:
        if flag != "samesign":
            raise UnsupportedError(f"icmp {flag}: no such flag is known")
        poison.append((a.bits ^ b.bits) < 0)
    if predicate not in COMPARISONS:
        raise UnsupportedError(f"icmp {predicate}: no such predicate is known")
    result = COMPARISONS[predicate](a.bits, b.bits)
    return Scalar(z3.If(result, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)), either(*poison), a.choices | b.choices)


def resize(opcode: str, flags: frozenset[str], a: Scalar, width: int) -> Scalar:
    """trunc, zext and sext to `width` bits."""
    poison = [a.poison]
    old = a.bits.size()
    if opcode == "trunc":
        bits = z3.Extract(width - 1, 0, a.bits)
        for flag in flags:
            back = {"nuw": z3.ZeroExt, "nsw": z3.SignExt}.get(flag)
            if back is None:
                raise UnsupportedError(f"trunc {flag}: no such flag is known")
            poison.append(back(old - width, bits) != a.bits)
    elif opcode == "zext":
        bits = z3.ZeroExt(width - old, a.bits)
        if flags - {"nneg"}:
            raise UnsupportedError(f"zext {' '.join(sorted(flags))}: no such flag is known")
        if flags:
            poison.append(a.bits < 0)
    else:
        bits = z3.SignExt(width - old, a.bits)
        if flags:
            raise UnsupportedError(f"sext {' '.join(sorted(flags))}: no such flag is known")
    return Scalar(bits, either(*poison), a.choices)
