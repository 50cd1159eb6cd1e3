"""What each scalar instruction means for given operands, written from the language reference with Python's integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, TypeAlias

from m4alloc.superopt.verdict import UnsupportedError


class _Poison:
    """The one poison value."""

    def __repr__(self) -> str:
        return "poison"

    def __reduce__(self) -> str:
        return "POISON"


POISON: Final = _Poison()

Scalar: TypeAlias = int | _Poison
"""An integer, 0 <= value < 2**width, or POISON."""
Meaning: TypeAlias = Callable[..., Scalar]
"""Scalars to a scalar; raises UndefinedBehaviour."""
Pair: TypeAlias = Callable[[Scalar, Scalar], tuple[Scalar, Scalar]]


class UndefinedBehaviour(Exception):  # noqa: N818  (the reference's own term)
    """The program has none of the meanings that the language gives: everything may happen."""


def signed(value: int, width: int) -> int:
    """The number in two's complement.

    >>> signed(15, 4)
    -1
    """
    return value - (1 << width) if value >> (width - 1) else value


@cache
def meaning(
    opcode: str, width: int, source_width: int = 0, flags: frozenset[str] = frozenset(), predicate: str = ""
) -> Meaning:
    """The instruction as a function of its operands.

    width: of the result (icmp: of the operands); source_width: of a cast's operand.
    Errors: UnsupportedError.
    Source: LangRef, "Binary Operations", "Bitwise Binary Operations", "Conversion Operations", "icmp Instruction".

    >>> meaning("shl", 4)(1, 4), meaning("add", 4, flags=frozenset({"nsw"}))(7, 1)
    (poison, poison)
    """
    if opcode in ("udiv", "sdiv", "urem", "srem"):
        return _division(opcode, width, "exact" in flags)
    if opcode in _ARITHMETIC:
        return _strict(_arithmetic(opcode, width, flags))
    if opcode in ("shl", "lshr", "ashr"):
        return _strict(_shift(opcode, width, flags))
    if opcode in ("and", "or", "xor"):
        return _strict(_bitwise(opcode, "disjoint" in flags))
    if opcode == "icmp":
        return _strict(_comparison(predicate, width, "samesign" in flags))
    if opcode in ("trunc", "zext", "sext"):
        return _strict(_cast(opcode, width, source_width, flags))
    raise UnsupportedError(f"the interpreter does not cover {opcode}")


def _strict(inner: Meaning) -> Meaning:
    """Poison in any operand makes the result poison ("Poison Values")."""

    def apply(*operands: Scalar) -> Scalar:
        for operand in operands:
            if operand is POISON:
                return POISON
        return inner(*operands)

    return apply


def _division(opcode: str, width: int, exact: bool) -> Meaning:
    """Division by zero is UB, and so is the one that overflows; poison may stand for the worst value."""
    low = -(1 << (width - 1))
    mask = (1 << width) - 1

    def apply(a: Scalar, b: Scalar) -> Scalar:
        if isinstance(b, _Poison) or b == 0:
            raise UndefinedBehaviour
        if opcode[0] == "u":
            if isinstance(a, _Poison):
                return POISON
            quotient, rest = divmod(a, b)
        else:
            y = signed(b, width)
            if isinstance(a, _Poison):
                if y == -1:
                    raise UndefinedBehaviour
                return POISON
            x = signed(a, width)
            if x == low and y == -1:
                raise UndefinedBehaviour
            quotient = abs(x) // abs(y)
            if (x < 0) != (y < 0):
                quotient = -quotient  # rounds towards zero
            rest = x - quotient * y
        if exact and rest != 0:
            return POISON
        return (quotient if opcode[1:] == "div" else rest) & mask

    return apply


_ARITHMETIC: Mapping[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
}


def _arithmetic(opcode: str, width: int, flags: frozenset[str]) -> Meaning:
    exact = _ARITHMETIC[opcode]
    size = 1 << width

    def apply(a: int, b: int) -> Scalar:
        natural = exact(a, b)
        if "nuw" in flags and not 0 <= natural < size:
            return POISON
        if "nsw" in flags and not -size // 2 <= exact(signed(a, width), signed(b, width)) < size // 2:
            return POISON
        return natural % size

    return apply


def _shift(opcode: str, width: int, flags: frozenset[str]) -> Meaning:
    size = 1 << width

    def apply(a: int, b: int) -> Scalar:
        if b >= width:
            return POISON
        if opcode == "shl":
            if "nuw" in flags and a << b >= size:
                return POISON
            if "nsw" in flags and not -size // 2 <= signed(a, width) << b < size // 2:
                return POISON
            return (a << b) % size
        if "exact" in flags and a % (1 << b) != 0:
            return POISON
        return a >> b if opcode == "lshr" else (signed(a, width) >> b) % size

    return apply


def _bitwise(opcode: str, disjoint: bool) -> Meaning:
    def apply(a: int, b: int) -> Scalar:
        if disjoint and a & b:
            return POISON
        return a & b if opcode == "and" else a | b if opcode == "or" else a ^ b

    return apply


_ORDER: Mapping[str, Callable[[int, int], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}


def _comparison(predicate: str, width: int, samesign: bool) -> Meaning:
    compare = _ORDER[predicate if predicate in ("eq", "ne") else predicate[1:]]
    is_signed = predicate[0] == "s"

    def apply(a: int, b: int) -> Scalar:
        if samesign and (signed(a, width) < 0) != (signed(b, width) < 0):
            return POISON
        return int(compare(signed(a, width), signed(b, width)) if is_signed else compare(a, b))

    return apply


def _cast(opcode: str, width: int, source_width: int, flags: frozenset[str]) -> Meaning:
    size = 1 << width

    def apply(a: int) -> Scalar:
        if opcode == "sext":
            return signed(a, source_width) % size
        if opcode == "zext":
            return POISON if "nneg" in flags and signed(a, source_width) < 0 else a
        if "nuw" in flags and a >= size:
            return POISON
        if "nsw" in flags and not -size // 2 <= signed(a, source_width) < size // 2:
            return POISON
        return a % size

    return apply


@cache
def intrinsic(name: str, width: int, result_width: int = 0) -> Meaning:
    """An intrinsic ("llvm.umin") with one scalar result; `width` of its operands, `result_width` of ucmp's and scmp's.

    Errors: UnsupportedError.  Source: LangRef, "Standard C/C++ Library Intrinsics", "Bit Manipulation Intrinsics",
    "Saturation Arithmetic Intrinsics".

    >>> intrinsic("llvm.ctlz", 4)(1, 0), intrinsic("llvm.ctlz", 4)(0, 1), intrinsic("llvm.sadd.sat", 4)(7, 7)
    (3, poison, 7)
    """
    short = name.removeprefix("llvm.")
    if short.endswith(".sat"):
        return _strict(_saturating(short[: -len(".sat")], width))
    if short in ("ucmp", "scmp"):
        return _strict(_three_way(short == "scmp", width, result_width))
    if short in ("fshl", "fshr"):
        return _strict(_funnel(short == "fshl", width))
    if short in ("abs", "ctlz", "cttz"):
        return _strict(_switched(short, width))
    if short in ("umin", "umax", "smin", "smax"):
        return _strict(_extreme(short, width))
    if short == "ctpop":
        return _strict(lambda a: a.bit_count())
    if short == "bswap" and width % 16 == 0:
        return _strict(lambda a: int.from_bytes(a.to_bytes(width // 8, "little"), "big"))
    if short == "bitreverse":
        return _strict(lambda a: int(f"{a:0{width}b}"[::-1], 2))
    raise UnsupportedError(f"the interpreter does not cover {name} at {width} bits")


def _saturating(short: str, width: int) -> Meaning:
    is_signed, operation = short[0] == "s", short[1:]
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if is_signed else (0, (1 << width) - 1)

    def apply(a: int, b: int) -> Scalar:
        x, y = (signed(a, width), signed(b, width)) if is_signed else (a, b)
        if operation == "shl":
            if b >= width:
                return POISON
            natural = x << b
        else:
            natural = _ARITHMETIC[operation](x, y)
        return min(max(natural, low), high) % (1 << width)

    return apply


def _three_way(is_signed: bool, width: int, result_width: int) -> Meaning:
    def apply(a: int, b: int) -> Scalar:
        x, y = (signed(a, width), signed(b, width)) if is_signed else (a, b)
        return ((x > y) - (x < y)) % (1 << result_width)

    return apply


def _funnel(left: bool, width: int) -> Meaning:
    def apply(a: int, b: int, c: int) -> Scalar:
        both, by = a << width | b, c % width
        return (both << by >> width if left else both >> by) % (1 << width)

    return apply


def _switched(short: str, width: int) -> Meaning:
    low = 1 << (width - 1)

    def apply(a: int, switch: int) -> Scalar:
        if switch and a == (low if short == "abs" else 0):
            return POISON
        if short == "abs":
            return abs(signed(a, width)) % (1 << width)
        if short == "ctlz":
            return width - a.bit_length()
        return (a & -a).bit_length() - 1 if a else width

    return apply


def _extreme(short: str, width: int) -> Meaning:
    choose: Callable[..., int] = min if short.endswith("min") else max
    if short[0] == "u":
        return lambda a, b: choose(a, b)
    return lambda a, b: choose(a, b, key=lambda value: signed(value, width))


@cache
def overflowing(name: str, width: int) -> Pair:
    """An intrinsic such as "llvm.uadd.with.overflow": the wrapped result with whether it wrapped.

    >>> overflowing("llvm.uadd.with.overflow", 4)(9, 8)
    (1, 1)
    """
    short = name.removeprefix("llvm.").removesuffix(".with.overflow")
    if short[1:] not in _ARITHMETIC:
        raise UnsupportedError(f"the interpreter does not cover {name}")
    exact, is_signed = _ARITHMETIC[short[1:]], short[0] == "s"

    def apply(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
        if isinstance(a, _Poison) or isinstance(b, _Poison):
            return POISON, POISON
        natural = exact(signed(a, width), signed(b, width)) if is_signed else exact(a, b)
        wrapped = natural % (1 << width)
        return wrapped, int((signed(wrapped, width) if is_signed else wrapped) != natural)

    return apply


REDUCTIONS: Mapping[str, str] = {"add": "add", "mul": "mul", "and": "and", "or": "or", "xor": "xor"}


@cache
def reduction(name: str, width: int) -> Meaning:
    """llvm.vector.reduce.*: the scalars of one vector to a scalar.

    >>> reduction("llvm.vector.reduce.add", 4)(9, 9, 1)
    3
    """
    short = name.removeprefix("llvm.vector.reduce.")
    step = meaning(REDUCTIONS[short], width) if short in REDUCTIONS else intrinsic(f"llvm.{short}", width)

    def apply(*elements: Scalar) -> Scalar:
        result = elements[0]
        for element in elements[1:]:
            result = step(result, element)
        return result

    return apply
