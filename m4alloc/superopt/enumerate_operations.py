"""The operations that enumeration combines, each as a code that compiled kernels evaluate on machine words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.ir import Function

njit: Any
try:
    from numba import njit
except ModuleNotFoundError:
    njit = None


Words = npt.NDArray[np.uint64]
F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compiled by numba, kept on disk; as it is where there is no numba, for those who only prove and list."""
    if njit is None:
        return function
    compiled: Any = njit(cache=True, nogil=True, error_model="numpy")
    return compiled(function)  # type: ignore[no-any-return]


def require_numba() -> None:
    """ModuleNotFoundError, with the line that installs it, where numba is missing."""
    if njit is None:
        raise ModuleNotFoundError("enumeration needs numba: pip install 'm4alloc[superopt]'")


SAME, BIT, CAST = "same", "bit", "cast"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of one or two operands of one width.

    result: `SAME` width, one `BIT`, or a `CAST` to another width.  size: IR instructions that it takes; an overflow bit
    takes two, the call and the `extractvalue`.  word: the opcode, a comparison's predicate or an intrinsic's stem.
    """

    code: int
    word: str
    kind: str
    arity: int = 2
    commutative: bool = False
    result: str = SAME
    size: int = 1


(ADD, SUB, AND, OR, XOR, SHL, LSHR, ASHR, MUL, UDIV, UREM, SDIV, SREM) = range(13)
(UMIN, UMAX, SMIN, SMAX, UADD_SAT, USUB_SAT, SADD_SAT, SSUB_SAT, UCMP, SCMP) = range(13, 23)
(EQ, NE, ULT, ULE, SLT, SLE) = range(32, 38)
(UMUL_O, SADD_O, SSUB_O, SMUL_O) = range(40, 44)
(CTPOP, CTLZ, CTTZ, BSWAP, BITREVERSE, ABS) = range(50, 56)
(ZEXT, SEXT, TRUNC) = range(60, 63)
(ROTL, ROTR) = range(70, 72)
SELECT = 80
FUNNEL = 100
"""FUNNEL + c: fshl(a, b, c) by the constant c; SELECT has kernels of its own."""

OPERATIONS = {
    one.code: one
    for one in (
        Operation(ADD, "add", "binary", commutative=True),
        Operation(SUB, "sub", "binary"),
        Operation(AND, "and", "binary", commutative=True),
        Operation(OR, "or", "binary", commutative=True),
        Operation(XOR, "xor", "binary", commutative=True),
        Operation(SHL, "shl", "binary"),
        Operation(LSHR, "lshr", "binary"),
        Operation(ASHR, "ashr", "binary"),
        Operation(MUL, "mul", "binary", commutative=True),
        Operation(UDIV, "udiv", "binary"),
        Operation(UREM, "urem", "binary"),
        Operation(SDIV, "sdiv", "binary"),
        Operation(SREM, "srem", "binary"),
        Operation(UMIN, "umin", "intrinsic", commutative=True),
        Operation(UMAX, "umax", "intrinsic", commutative=True),
        Operation(SMIN, "smin", "intrinsic", commutative=True),
        Operation(SMAX, "smax", "intrinsic", commutative=True),
        Operation(UADD_SAT, "uadd.sat", "intrinsic", commutative=True),
        Operation(USUB_SAT, "usub.sat", "intrinsic"),
        Operation(SADD_SAT, "sadd.sat", "intrinsic", commutative=True),
        Operation(SSUB_SAT, "ssub.sat", "intrinsic"),
        Operation(UCMP, "ucmp", "three-way"),
        Operation(SCMP, "scmp", "three-way"),
        Operation(EQ, "eq", "icmp", commutative=True, result=BIT),
        Operation(NE, "ne", "icmp", commutative=True, result=BIT),
        Operation(ULT, "ult", "icmp", result=BIT),
        Operation(ULE, "ule", "icmp", result=BIT),
        Operation(SLT, "slt", "icmp", result=BIT),
        Operation(SLE, "sle", "icmp", result=BIT),
        Operation(UMUL_O, "umul.with.overflow", "overflow", commutative=True, result=BIT, size=2),
        Operation(SADD_O, "sadd.with.overflow", "overflow", commutative=True, result=BIT, size=2),
        Operation(SSUB_O, "ssub.with.overflow", "overflow", result=BIT, size=2),
        Operation(SMUL_O, "smul.with.overflow", "overflow", commutative=True, result=BIT, size=2),
        Operation(CTPOP, "ctpop", "intrinsic", 1),
        Operation(CTLZ, "ctlz", "counting", 1),
        Operation(CTTZ, "cttz", "counting", 1),
        Operation(BSWAP, "bswap", "intrinsic", 1),
        Operation(BITREVERSE, "bitreverse", "intrinsic", 1),
        Operation(ABS, "abs", "counting", 1),
        Operation(ZEXT, "zext", "cast", 1, result=CAST),
        Operation(SEXT, "sext", "cast", 1, result=CAST),
        Operation(TRUNC, "trunc", "cast", 1, result=CAST),
        Operation(ROTL, "fshl", "rotate"),
        Operation(ROTR, "fshr", "rotate"),
    )
}


CORE = frozenset({ADD, SUB, AND, OR, XOR})
"""What is tried where all operations would be too many."""


def applies_to(code: int, source: Function) -> bool:
    """The source itself has the operation.

    >>> from m4alloc.superopt.parse import parse_function
    >>> source = parse_function("define i8 @f(i8 %x) { %a = mul i8 %x, %x ret i8 %a }")
    >>> applies_to(MUL, source), applies_to(ADD, source)
    (True, False)
    """
    operation = OPERATIONS[code]
    for instruction in source:
        if operation.word in (instruction.opcode, instruction.predicate):
            return True
        if instruction.callee.startswith(f"llvm.{operation.word}."):
            return True
    return False


_0, _1, _2, _4, _32, _56, _63, _64 = map(np.uint64, (0, 1, 2, 4, 32, 56, 63, 64))
_LOW = np.uint64(0xFFFFFFFF)
_PAIRS, _QUADS, _NIBBLES = map(np.uint64, (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F))
_BYTES = np.uint64(0x0101010101010101)
_S8, _S16 = np.uint64(8), np.uint64(16)
_EVEN, _HALVES = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


@kernel
def population(a: Any) -> Any:
    """Bits set in a word."""
    a = a - ((a >> _1) & _PAIRS)
    a = (a & _QUADS) + ((a >> _2) & _QUADS)
    a = (a + (a >> _4)) & _NIBBLES
    return (a * _BYTES) >> _56


@kernel
def _swapped(a: Any, w: Any) -> Any:
    a = ((a >> _S8) & _EVEN) | ((a & _EVEN) << _S8)
    a = ((a >> _S16) & _HALVES) | ((a & _HALVES) << _S16)
    return ((a >> _32) | (a << _32)) >> (_64 - w)


@kernel
def _reversed(a: Any, w: Any) -> Any:
    a = ((a >> _1) & _PAIRS) | ((a & _PAIRS) << _1)
    a = ((a >> _2) & _QUADS) | ((a & _QUADS) << _2)
    a = ((a >> _4) & _NIBBLES) | ((a & _NIBBLES) << _4)
    return _swapped(a, _64) >> (_64 - w)


@kernel
def _signed(a: Any, w: Any) -> Any:
    return np.int64(a << (_64 - w)) >> np.int64(_64 - w)


@kernel
def _high(a: Any, b: Any) -> Any:
    al, ah, bl, bh = a & _LOW, a >> _32, b & _LOW, b >> _32
    cross = ah * bl + ((al * bl) >> _32)
    other = al * bh + (cross & _LOW)
    return ah * bh + (cross >> _32) + (other >> _32)


@kernel
def _too_large(a: Any, b: Any, limit: Any) -> Any:
    return _high(a, b) != _0 or a * b > limit


@kernel
def one(op: Any, w: Any, m: Any, a: Any, b: Any) -> Any:
    """(value, state): what one operation gives; state 0 good, 1 poison, 2 UB.

    w, m: width of the operands, all of it ones; for casts the width of the operand and the mask of the result.
    """
    if op == 0:
        return (a + b) & m, 0
    if op == 1:
        return (a - b) & m, 0
    if op == 2:
        return a & b, 0
    if op == 3:
        return a | b, 0
    if op == 4:
        return a ^ b, 0
    if op == 5:
        return ((a << b) & m, 0) if b < w else (_0, 1)
    if op == 6:
        return (a >> b, 0) if b < w else (_0, 1)
    if op == 7:
        return (np.uint64(_signed(a, w) >> np.int64(b)) & m, 0) if b < w else (_0, 1)
    if op == 8:
        return (a * b) & m, 0
    if op == 9:
        return (a // b, 0) if b != _0 else (_0, 2)
    if op == 10:
        return (a % b, 0) if b != _0 else (_0, 2)
    if op == 11 or op == 12:
        top = (m >> _1) + _1
        if b == _0 or (b == m and a == top):
            return _0, 2
        x = (_0 - a) & m if a & top else a
        y = (_0 - b) & m if b & top else b
        if op == 11:
            return ((_0 - x // y) & m if (a ^ b) & top else x // y), 0
        return ((_0 - x % y) & m if a & top else x % y), 0
    if op == 13:
        return min(a, b), 0
    if op == 14:
        return max(a, b), 0
    if op == 15:
        return (a if _signed(a, w) < _signed(b, w) else b), 0
    if op == 16:
        return (a if _signed(a, w) > _signed(b, w) else b), 0
    if op == 17:
        return (m if a > m - b else a + b), 0
    if op == 18:
        return (a - b if a > b else _0), 0
    if op == 19:
        top, total = (m >> _1) + _1, (a + b) & m
        over = (total ^ a) & (total ^ b) & top
        return (total if not over else (top if a & top else top - _1)), 0
    if op == 20:
        top, rest = (m >> _1) + _1, (a - b) & m
        over = (a ^ b) & (rest ^ a) & top
        return (rest if not over else (top if a & top else top - _1)), 0
    if op == 21:
        return (m if a < b else (_1 if a > b else _0)), 0
    if op == 22:
        x, y = _signed(a, w), _signed(b, w)
        return (m if x < y else (_1 if x > y else _0)), 0
    if op == 32:
        return (_1 if a == b else _0), 0
    if op == 33:
        return (_1 if a != b else _0), 0
    if op == 34:
        return (_1 if a < b else _0), 0
    if op == 35:
        return (_1 if a <= b else _0), 0
    if op == 36:
        return (_1 if _signed(a, w) < _signed(b, w) else _0), 0
    if op == 37:
        return (_1 if _signed(a, w) <= _signed(b, w) else _0), 0
    if op == 40:
        return (_1 if _too_large(a, b, m) else _0), 0
    if op == 41:
        total = (a + b) & m
        return (((total ^ a) & (total ^ b)) >> (w - _1)) & _1, 0
    if op == 42:
        rest = (a - b) & m
        return (((a ^ b) & (rest ^ a)) >> (w - _1)) & _1, 0
    if op == 43:
        top = (m >> _1) + _1
        x = (_0 - a) & m if a & top else a
        y = (_0 - b) & m if b & top else b
        return (_1 if _too_large(x, y, top if (a ^ b) & top else top - _1) else _0), 0
    if op == 50:
        return population(a), 0
    if op == 51:
        x = a
        for step in range(6):
            x |= x >> (_1 << np.uint64(step))
        return w - population(x), 0
    if op == 52:
        return population(~a & (a - _1) & m), 0
    if op == 53:
        return _swapped(a, w), 0
    if op == 54:
        return _reversed(a, w), 0
    if op == 55:
        return ((_0 - a) & m if a >> (w - _1) else a), 0
    if op == 60:
        return a, 0
    if op == 61:
        return np.uint64(_signed(a, w)) & m, 0
    if op == 62:
        return a & m, 0
    by: Any = np.uint64(op - 100) if op >= 100 else b % w
    if op == 71:
        by = (w - by) % w
    other = b if op >= 100 else a
    return ((a << by) | (other >> (w - by)) if by != _0 else a) & m, 0


def evaluated(code: int, width: np.uint64, mask: np.uint64, a: Words, b: Words | None) -> Words:
    """The operation on each lane, whatever its state; `b` is None for one operand."""
    if b is None:
        b = np.zeros_like(a)
    return np.array([one(code, width, mask, x, y)[0] for x, y in zip(a, b, strict=True)], np.uint64)
