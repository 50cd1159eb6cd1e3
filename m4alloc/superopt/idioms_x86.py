"""x86 vector operations as arithmetic on lanes: what each of LLVM's intrinsics of the target computes.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, the operation of each instruction.
tests/m4alloc/superopt/test_idioms_x86.py holds the definitions against the processor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from m4alloc.superopt.idioms_tables import Arithmetic, Sum
from m4alloc.superopt.ir import Instruction, Local, Value
from m4alloc.superopt.parse_tokens import Cursor, IrError
from m4alloc.superopt.parse_types import Context, read_type, read_value

Lanes = tuple[Sum, ...]


def multiply_add_words(arithmetic: Arithmetic, a: Lanes, b: Lanes) -> Lanes:
    """PMADDWD: products of signed 16-bit lanes, neighbours added, modulo 2**32."""

    def product(index: int) -> Sum:
        left, right = (arithmetic.cast("sext", lanes[index], 32) for lanes in (a, b))
        return arithmetic.binary("mul", left, right)

    return tuple(arithmetic.binary("add", product(k), product(k + 1)) for k in range(0, len(a), 2))


def multiply_add_bytes(arithmetic: Arithmetic, a: Lanes, b: Lanes) -> Lanes:
    """PMADDUBSW: products of unsigned bytes of `a` with signed bytes of `b`, neighbours added, saturated to 16 bits."""

    def product(index: int) -> Sum:
        left, right = arithmetic.cast("zext", a[index], 16), arithmetic.cast("sext", b[index], 16)
        return arithmetic.binary("mul", left, right)

    return tuple(arithmetic.saturating("add", product(k), product(k + 1)) for k in range(0, len(a), 2))


def horizontal_add(arithmetic: Arithmetic, a: Lanes, b: Lanes) -> Lanes:
    """PHADDD: neighbours added modulo 2**32; in every 128 bits first those of `a`, then those of `b`."""
    made: list[Sum] = []
    for start in range(0, len(a), 4):
        for lanes in (a, b):
            made.extend(arithmetic.binary("add", lanes[k], lanes[k + 1]) for k in range(start, start + 4, 2))
    return tuple(made)


def with_sign(arithmetic: Arithmetic, a: Lanes, b: Lanes) -> Lanes:
    """PSIGNB: lanes of `a`, negated modulo 2**8 where that of `b` is negative, zero where it is zero."""
    zero = arithmetic.constant(8, 0)

    def lane(x: Sum, sign: Sum) -> Sum:
        negated = arithmetic.binary("sub", zero, x)
        rest = arithmetic.select(arithmetic.compare("eq", sign, zero), zero, x)
        return arithmetic.select(arithmetic.compare("slt", sign, zero), negated, rest)

    return tuple(lane(x, sign) for x, sign in zip(a, b, strict=True))


OPERATIONS: Mapping[str, Callable[[Arithmetic, Lanes, Lanes], Lanes]] = {
    "llvm.x86.sse2.pmadd.wd": multiply_add_words,
    "llvm.x86.avx2.pmadd.wd": multiply_add_words,
    "llvm.x86.ssse3.pmadd.ub.sw.128": multiply_add_bytes,
    "llvm.x86.avx2.pmadd.ub.sw": multiply_add_bytes,
    "llvm.x86.ssse3.phadd.d.128": horizontal_add,
    "llvm.x86.avx2.phadd.d": horizontal_add,
    "llvm.x86.ssse3.psign.b.128": with_sign,
    "llvm.x86.avx2.psign.b": with_sign,
}
"""Name of the intrinsic to what it computes; where an operand lane is poison, nothing is said of the result."""

_CALL = re.compile(
    r"(?:tail |notail )?call <[^>]*> @(?P<callee>llvm\.x86\.[\w.]+)"
    r"\((?P<arguments>[^()]*(?:\([^()]*\)[^()]*)*)\)"
)


def operation(instruction: Instruction) -> tuple[str, tuple[Value, ...]] | None:
    """The name and operands of a call of one of OPERATIONS, which the subset keeps as text; None for anything else."""
    match = _CALL.fullmatch(instruction.text) if instruction.opcode == "opaque" else None
    if match is None or match["callee"] not in OPERATIONS:
        return None
    cursor = Cursor(re.sub(r"\{(\d+)\}", r"%\1", match["arguments"]))
    found: list[Value] = []
    try:
        while not cursor.is_done:
            value = read_value(cursor, read_type(cursor, Context()), Context())
            found.append(instruction.operands[int(value.name)] if isinstance(value, Local) else value)
            cursor.accept(",")
    except IrError:
        return None
    return match["callee"], tuple(found)
