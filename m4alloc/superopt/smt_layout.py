"""Sizes, alignments and offsets of types in memory, by the data layout of the 64-bit targets.

Source: LLVM language reference, "Data Layout"; the alignments are those of x86-64, aarch64 and riscv64 alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from m4alloc.superopt.ir import Float, Int, OpaqueType, Pointer, Struct, Type, Vector
from m4alloc.superopt.parse_types import parse_type
from m4alloc.superopt.verdict import UnsupportedError

FLOAT_BITS = {"half": 16, "bfloat": 16, "float": 32, "double": 64, "fp128": 128}
_ARRAY = re.compile(r"\[(\d+) x (.+)\]")


def bits(type: Type) -> int:
    """Width of a scalar.

    >>> bits(Pointer())
    64
    """
    if isinstance(type, Int):
        return type.width
    if isinstance(type, Pointer) and not type.space:
        return 64
    if isinstance(type, Float) and type.kind in FLOAT_BITS:
        return FLOAT_BITS[type.kind]
    raise UnsupportedError(f"a value of type {type}: not a type that is compared")


def array(type: Type) -> tuple[int, Type] | None:
    """Length and element of `[N x T]`, which the IR keeps as text; None for another type."""
    match = _ARRAY.fullmatch(type.text) if isinstance(type, OpaqueType) else None
    return (int(match[1]), parse_type(match[2])) if match else None


def _power(size: int) -> int:
    return 1 << max(0, size - 1).bit_length()


def alignment(type: Type) -> int:
    """The ABI's alignment in bytes, which an access without `align` has."""
    if isinstance(type, Struct):
        return max(map(alignment, type.fields), default=1)
    if found := array(type):
        return alignment(found[1])
    if isinstance(type, Vector):
        return _power((bits(type.element) * type.count + 7) // 8)
    return min(_power((bits(type) + 7) // 8), 16)


def size(type: Type) -> int:
    """Bytes from one element of an array to the next.

    >>> size(Struct((Int(8), Int(32))))
    8
    """
    if isinstance(type, Struct):
        *_, end = (0, *offsets(type))
        return end
    if found := array(type):
        return found[0] * size(found[1])
    if isinstance(type, Vector):
        return _up((bits(type.element) * type.count + 7) // 8, alignment(type))
    return _up((bits(type) + 7) // 8, alignment(type))


def _up(size: int, to: int) -> int:
    return -(-size // to) * to


def offsets(type: Struct) -> Iterator[int]:
    """Where each field begins, then the size of the whole."""
    at = 0
    for part in type.fields:
        at = _up(at, alignment(part))
        yield at
        at += size(part)
    yield _up(at, alignment(type))


def stored(type: Type) -> int:
    """Bytes that a load or store of the type touches; only whole bytes are compared."""
    total = bits(type.element) * type.count if isinstance(type, Vector) else bits(type)
    if total % 8 or (isinstance(type, Vector) and bits(type.element) % 8):
        raise UnsupportedError(f"memory access of type {type}: its width is not a multiple of 8 bits")
    return total // 8
