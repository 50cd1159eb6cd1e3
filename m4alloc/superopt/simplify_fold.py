"""Evaluates instructions whose operands are constants."""

from __future__ import annotations

from collections.abc import Sequence

from m4alloc.superopt.ir import (
    BINARY,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Local,
    Poison,
    Struct,
    Value,
    Vector,
    constant,
)
from m4alloc.superopt.terms import INTRINSICS, OVERFLOWS


class UndefinedBehaviourError(ArithmeticError):
    """A division by zero, or of the least integer by -1."""


def _signed(value: int, width: int) -> int:
    return value - (value >> width - 1 << width)


def _fits(value: int, width: int) -> bool:
    return -(1 << width - 1) <= value < 1 << width - 1


def binary(opcode: str, a: int, b: int, width: int, flags: frozenset[str] = frozenset()) -> int | None:
    """The result of a binary instruction on unsigned integers; None for poison; UndefinedBehaviourError.

    Source: LLVM language reference, "Binary Operations", "Bitwise Binary Operations".

    >>> binary("ashr", 0x80, 7, 8), binary("add", 255, 1, 8, frozenset({"nuw"}))
    (255, None)
    """
    mask = (1 << width) - 1
    sa, sb = _signed(a, width), _signed(b, width)
    if opcode in ("shl", "lshr", "ashr"):
        return _shift(opcode, a, b, width, flags)
    if opcode in ("udiv", "sdiv", "urem", "srem"):
        if b == 0 or (opcode[0] == "s" and sb == -1 and sa == -(1 << width - 1)):
            raise UndefinedBehaviourError(f"{opcode} {a}, {b}")
        if opcode[0] == "u":
            quotient, rest = divmod(a, b)
        else:
            quotient = abs(sa) // abs(sb) * (1 if (sa < 0) == (sb < 0) else -1)
            rest = sa - quotient * sb
        if "exact" in flags and rest:
            return None
        return (quotient if opcode.endswith("div") else rest) & mask
    match opcode:
        case "and":
            return a & b
        case "or":
            return None if "disjoint" in flags and a & b else a | b
        case "xor":
            return a ^ b
    compute = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__}[opcode]
    plain, signed = compute(a, b), compute(sa, sb)
    if ("nuw" in flags and not 0 <= plain <= mask) or ("nsw" in flags and not _fits(signed, width)):
        return None
    return plain & mask


def _shift(opcode: str, a: int, b: int, width: int, flags: frozenset[str]) -> int | None:
    if b >= width:
        return None
    mask = (1 << width) - 1
    if opcode == "shl":
        lost_unsigned = a << b > mask
        lost_signed = not _fits(_signed(a, width) << b, width)
        return None if ("nuw" in flags and lost_unsigned) or ("nsw" in flags and lost_signed) else a << b & mask
    if "exact" in flags and a & ((1 << b) - 1):
        return None
    return a >> b if opcode == "lshr" else _signed(a, width) >> b & mask


def cast(opcode: str, a: int, width: int, result: int, flags: frozenset[str] = frozenset()) -> int | None:
    """zext, sext or trunc from `width` to `result` bits; None for poison."""
    if opcode == "zext":
        return None if "nneg" in flags and a >> width - 1 else a
    if opcode == "sext":
        return _signed(a, width) & ((1 << result) - 1)
    kept = a & ((1 << result) - 1)
    if ("nuw" in flags and kept != a) or ("nsw" in flags and _signed(kept, result) != _signed(a, width)):
        return None
    return kept


def compare(predicate: str, a: int, b: int, width: int, flags: frozenset[str] = frozenset()) -> int | None:
    """An icmp on unsigned integers; None for poison.

    >>> compare("slt", 255, 0, 8)
    1
    """
    if "samesign" in flags and a >> width - 1 != b >> width - 1:
        return None
    if predicate[0] == "s":
        a, b = _signed(a, width), _signed(b, width)
    return int(
        {"eq": a == b, "ne": a != b, "gt": a > b, "ge": a >= b, "lt": a < b, "le": a <= b}[predicate.lstrip("us")]
    )


def intrinsic(name: str, a: Sequence[int], width: int) -> int | tuple[int, int] | None:
    """An integer intrinsic by its name without "llvm." and type; None for poison, a pair for an overflow form.

    Source: LLVM language reference, "Bit Manipulation Intrinsics", "Saturation", "Arithmetic with Overflow".

    >>> intrinsic("fshl", (0x12, 0x34, 4), 8), intrinsic("umul.with.overflow", (16, 16), 8)
    (35, (0, 1))
    """
    mask = (1 << width) - 1
    x, y = a[0], a[1] if len(a) > 1 else 0
    sx, sy = _signed(x, width), _signed(y, width)
    if name in OVERFLOWS:
        compute = {"add": int.__add__, "sub": int.__sub__, "mul": int.__mul__}[name[1:4]]
        exact = compute(sx, sy) if name[0] == "s" else compute(x, y)
        return exact & mask, int(not (_fits(exact, width) if name[0] == "s" else 0 <= exact <= mask))
    if name.endswith(".sat"):
        return _saturated(name, x, y, width)
    match name:
        case "umin" | "umax":
            return min(x, y) if name == "umin" else max(x, y)
        case "smin" | "smax":
            return (min(sx, sy) if name == "smin" else max(sx, sy)) & mask
        case "ctpop":
            return x.bit_count()
        case "ctlz" | "cttz":
            if x == 0:
                return None if y else width
            return width - x.bit_length() if name == "ctlz" else (x & -x).bit_length() - 1
        case "abs":
            return None if y and sx == -(1 << width - 1) else abs(sx) & mask
        case "bswap":
            return int.from_bytes(x.to_bytes(width // 8, "little"), "big")
        case "bitreverse":
            return int(f"{x:0{width}b}"[::-1], 2)
        case "fshl":
            return ((x << width | y) << a[2] % width >> width) & mask
        case "fshr":
            return ((x << width | y) >> a[2] % width) & mask
    raise ValueError(f"{name!r} is no integer intrinsic")


def _saturated(name: str, x: int, y: int, width: int) -> int | None:
    mask = (1 << width) - 1
    signed = name[0] == "s"
    low, high = (-(1 << width - 1), mask >> 1) if signed else (0, mask)
    if signed:
        x, y = _signed(x, width), _signed(y, width) if name[1:4] != "shl" else y
    if name[1:4] == "shl":
        if y >= width:
            return None
        return min(max(x << y, low), high) & mask
    return min(max(x + y if name[1:4] == "add" else x - y, low), high) & mask


def folded(instruction: Instruction) -> Value | None:
    """The constant that the instruction gives, where its operands say so; None otherwise, and where it is UB."""
    operands = instruction.operands
    if instruction.opcode == "select":
        return _selected(operands)
    if instruction.opcode == "freeze":
        return operands[0] if isinstance(operands[0], Constant) else None
    if not operands or not all(isinstance(operand, Constant | ConstantVector) for operand in operands):
        return None
    if isinstance(instruction.type, Vector):
        return _by_lane(instruction, instruction.type)
    if not all(isinstance(operand, Constant) for operand in operands) or not isinstance(instruction.type, Int):
        return None
    return _scalar(instruction, instruction.type, [operand for operand in operands if isinstance(operand, Constant)])


def _selected(operands: tuple[Value, ...]) -> Value | None:
    condition = operands[0]
    if isinstance(condition, Constant):
        return operands[1] if condition.value else operands[2]
    return None


def _by_lane(instruction: Instruction, type: Vector) -> Value | None:
    if instruction.opcode not in BINARY | {"zext", "sext", "trunc", "icmp"} and instruction.intrinsic not in INTRINSICS:
        return None
    lanes: list[Value] = []
    for lane in range(type.count):
        operands = []
        for operand in instruction.operands:
            element = operand.elements[lane] if isinstance(operand, ConstantVector) else operand
            if not isinstance(element, Constant):
                return None
            operands.append(element)
        if not isinstance(type.element, Int) or (one := _scalar(instruction, type.element, operands)) is None:
            return None
        lanes.append(one)
    return ConstantVector(type, tuple(lanes))


def _scalar(instruction: Instruction, type: Int, operands: Sequence[Constant]) -> Value | None:
    values = [operand.value for operand in operands]
    width = operands[0].type.width
    opcode = instruction.opcode
    try:
        if opcode in BINARY:
            result = binary(opcode, values[0], values[1], width, instruction.flags)
        elif opcode in ("zext", "sext", "trunc"):
            result = cast(opcode, values[0], width, type.width, instruction.flags)
        elif opcode == "icmp":
            result = compare(instruction.predicate, values[0], values[1], width, instruction.flags)
        elif opcode == "call" and instruction.intrinsic in INTRINSICS - OVERFLOWS and not instruction.attributes:
            found = intrinsic(instruction.intrinsic, values, width)
            assert not isinstance(found, tuple)
            result = found
        else:
            return None
    except UndefinedBehaviourError:
        return None
    return Poison(type) if result is None else constant(type, result)


def extracted(instruction: Instruction, function: Function) -> Value | None:
    """What `extractvalue` of an overflow intrinsic on constants gives."""
    pair = instruction.operands[0]
    if instruction.opcode != "extractvalue" or not isinstance(pair, Local) or not isinstance(pair.type, Struct):
        return None
    made = function.definitions().get(pair.name)
    if made is None or made.opcode != "call" or made.intrinsic not in OVERFLOWS or len(instruction.indices) != 1:
        return None
    values = [operand for operand in made.operands if isinstance(operand, Constant)]
    if len(values) != 2 or not isinstance(instruction.type, Int):
        return None
    result = intrinsic(made.intrinsic, [value.value for value in values], values[0].type.width)
    assert isinstance(result, tuple)
    return constant(instruction.type, result[instruction.indices[0]])
