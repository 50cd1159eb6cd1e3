"""Loops over neighbouring bytes, and the one store that does the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_text import made, placed
from m4alloc.superopt.ir import Constant, Function, Instruction, Int, Local, Pointer, Value, Void

WIDTHS = (2, 4, 8, 16)
"""Bytes of a store that may replace as many."""


@dataclass(frozen=True)
class _Byte:
    """Byte `offset` from a pointer argument."""

    base: str
    offset: int


def wide_stores(function: Function, straight: Function, facts: Sequence[Fact]) -> Iterator[Function]:
    """A function that only fills, or copies, neighbouring bytes, as one wide access.

    Whether that is right for a copy depends on whether the two overlap, which the proof decides.
    """
    if len(straight.blocks) != 1 or not isinstance(function.type, Void):
        return
    places: dict[str, _Byte] = {
        argument.name: _Byte(argument.name, 0) for argument in function.arguments if isinstance(argument.type, Pointer)
    }
    loaded: dict[str, _Byte] = {}
    stored: list[tuple[_Byte, Value]] = []
    for one in straight.blocks[0].instructions[:-1]:
        if not _followed(one, places, loaded, stored):
            return
    stored.sort(key=lambda each: each[0].offset)
    first = stored[0][0] if stored else None
    size = len(stored)
    if first is None or size not in WIDTHS or any(
        place != _Byte(first.base, first.offset + k) for k, (place, _) in enumerate(stored)
    ):  # fmt: skip
        return
    lines = _value(size, [value for _, value in stored], loaded, function)
    if lines:
        at = f"%to = getelementptr i8, ptr {placed(function, first.base)}, i64 {first.offset}\n"
        kind = f"<{size} x i8>" if "load" in lines else f"i{8 * size}"
        yield made(function, lines + at + f"store {kind} %value, ptr %to, align 1\nret void\n")


def _followed(
    one: Instruction, places: dict[str, _Byte], loaded: dict[str, _Byte], stored: list[tuple[_Byte, Value]]
) -> bool:
    """Take in one instruction; False where it is none of those that are understood."""
    pointer = one.operands[1 if one.opcode == "store" else 0] if one.operands else None
    place = places.get(pointer.name) if isinstance(pointer, Local) else None
    if place is None or "volatile" in one.flags:
        return False
    if one.opcode == "getelementptr" and len(one.operands) == 2 and isinstance(one.operands[1], Constant):
        if one.element != Int(8):
            return False
        places[one.name] = _Byte(place.base, place.offset + one.operands[1].signed)
        return True
    if one.opcode == "load" and one.type == Int(8):
        loaded[one.name] = place
        return True
    if one.opcode == "store" and one.operands[0].type == Int(8):
        stored.append((place, one.operands[0]))
        return True
    return False


def _value(size: int, values: Sequence[Value], loaded: dict[str, _Byte], function: Function) -> str:
    """Lines that put the stored bytes together as %value; "" where they are of several kinds."""
    bits = 8 * size
    if all(isinstance(value, Constant) for value in values):
        number = sum(value.value << 8 * k for k, value in enumerate(values) if isinstance(value, Constant))
        return f"%value = or i{bits} {number}, 0\n"
    first = values[0]
    if all(value == first for value in values) and isinstance(first, Local):
        if any(argument.name == first.name for argument in function.arguments):
            ones = sum(1 << 8 * k for k in range(size))
            return f"%wide = zext i8 {placed(function, first.name)} to i{bits}\n%value = mul i{bits} %wide, {ones}\n"
        return ""
    sources = [loaded.get(value.name) if isinstance(value, Local) else None for value in values]
    start = sources[0]
    if start is None or any(source != _Byte(start.base, start.offset + k) for k, source in enumerate(sources)):
        return ""
    at = f"%from = getelementptr i8, ptr {placed(function, start.base)}, i64 {start.offset}\n"
    # A vector: one poison byte in memory would make a whole wide integer poison.
    return at + f"%value = load <{size} x i8>, ptr %from, align 1\n"
