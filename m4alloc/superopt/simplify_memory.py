"""Rewrites of loads and stores inside one block: forwarded, dropped, merged, narrowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from m4alloc.superopt.ir import (
    Block,
    Constant,
    Function,
    Instruction,
    Int,
    Local,
    Pointer,
    Type,
    Value,
    constant,
)
from m4alloc.superopt.known import Known
from m4alloc.superopt.simplify import is_movable
from m4alloc.superopt.simplify_branches import NotHereError, Site, fresh, names_of
from m4alloc.superopt.simplify_cfg import replaced

_PROMISES_OF_POISON = ("range", "nonnull", "align", "dereferenceable", "dereferenceable_or_null")


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes [offset, offset + size) from a pointer of which only the identity is known."""

    base: Value
    offset: int
    size: int

    def covers(self, other: Place) -> bool:
        """It holds all bytes of the other."""
        return self.base == other.base and self.offset <= other.offset and other.end <= self.end

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.offset + self.size


def size_of(type: Type) -> int | None:
    """Bytes that a value takes in memory; None where some of their bits are not the value's."""
    if isinstance(type, Int):
        return type.width // 8 if type.width % 8 == 0 and type.width.bit_count() == 1 else None
    return 8 if isinstance(type, Pointer) and not type.space else None


def abi_alignment(type: Type) -> int:
    """The alignment that a load or a store of the type has where none is written: x86-64's data layout."""
    size = size_of(type)
    return min(size or 1, 16)


class _Memory:
    """What is known of pointers in one function."""

    def __init__(self, function: Function) -> None:
        self.definitions = function.definitions()

    def place(self, one: Instruction) -> Place | None:
        """Where a plain load or store goes; None for anything else."""
        if one.opcode not in ("load", "store") or "volatile" in one.flags:
            return None
        pointer = one.operands[0] if one.opcode == "load" else one.operands[1]
        type = one.type if one.opcode == "load" else one.operands[0].type
        size = size_of(type)
        if size is None or (isinstance(pointer.type, Pointer) and pointer.type.space):
            return None
        base, offset = self.based(pointer)
        return Place(base, offset, size)

    def based(self, pointer: Value) -> tuple[Value, int]:
        """The pointer as another one with a constant number of bytes."""
        offset = 0
        while isinstance(pointer, Local) and (made := self.definitions.get(pointer.name)) is not None:
            if made.opcode != "getelementptr" or len(made.operands) != 2:
                break
            step, size = made.operands[1], size_of(made.element) if made.element is not None else None
            if not isinstance(step, Constant) or size is None:
                break
            offset = (offset + step.signed * size + (1 << 63)) % (1 << 64) - (1 << 63)  # it wraps as the address does
            pointer = made.operands[0]
        return pointer, offset

    def is_apart(self, one: Place, other: Place) -> bool:
        """They share no byte for certain."""
        if one.base == other.base:
            between = (other.offset - one.offset) % (1 << 64)
            return one.size <= between <= (1 << 64) - other.size
        homes = [self.definitions.get(place.base.name) for place in (one, other) if isinstance(place.base, Local)]
        allocas = [home for home in homes if home is not None and home.opcode == "alloca"]
        return len(allocas) == 2

    def may_write(self, one: Instruction, place: Place) -> bool:
        """The instruction may change a byte of the place."""
        if one.opcode == "store":
            other = self.place(one)
            return other is None or not self.is_apart(other, place)
        return not (
            is_movable(one) or one.opcode in ("phi", "alloca") or (one.opcode == "load" and "volatile" not in one.flags)
        )

    def may_read(self, one: Instruction, place: Place) -> bool:
        """The instruction may look at a byte of the place, or end the function."""
        if one.opcode == "load":
            other = self.place(one)
            return other is None or not self.is_apart(other, place)
        return not (is_movable(one) or one.opcode in ("phi", "alloca")) and not (
            one.opcode == "store" and self.place(one) is not None
        )


def _changed(function: Function, block: Block, instructions: list[Instruction]) -> Function:
    new = replace(block, instructions=tuple(instructions))
    return replace(function, blocks=tuple(new if each is block else each for each in function.blocks))


def _before(function: Function, known: Known, block: Block, at: int) -> Iterator[Instruction]:
    """Instructions backwards from a place, on through predecessors while there is only one."""
    predecessors = function.predecessors()
    seen = set()
    while True:
        yield from reversed(block.instructions[:at])
        if len(predecessors[block.name]) != 1 or block.name in seen:
            return
        seen.add(block.name)
        block = function.block(predecessors[block.name][0])
        at = len(block.instructions) - 1


def loads_forwarded(function: Function, known: Known) -> Iterator[Site]:
    """A load gives what was last stored to, or loaded from, the same bytes as the same type."""
    memory = _Memory(function)
    for block in function.blocks:
        for at, one in enumerate(block.instructions):
            place = memory.place(one) if one.opcode == "load" else None
            if place is None:
                continue
            for earlier in _before(function, known, block, at):
                if memory.place(earlier) == place:
                    type = earlier.type if earlier.opcode == "load" else earlier.operands[0].type
                    if type == one.type:
                        yield f"%{one.name}", partial(_forwarded, function, one, earlier)
                    break
                if memory.may_write(earlier, place):
                    break


def _forwarded(function: Function, load: Instruction, earlier: Instruction) -> Function:
    if earlier.opcode == "store":
        value = earlier.operands[0]
    else:
        value = earlier.result
        promised = {kind for kind, _ in earlier.metadata}
        if promised & set(_PROMISES_OF_POISON):
            # The load that stays must not be poison where the one that goes was not.
            kept = tuple(
                pair for pair in earlier.metadata if pair[0] not in _PROMISES_OF_POISON or pair in load.metadata
            )
            function = function.mapped(lambda one: replace(one, metadata=kept) if one is earlier else one)
    blocks = tuple(
        replace(block, instructions=tuple(one for one in block.instructions if one.name != load.name or not one.name))
        for block in function.blocks
    )
    return replaced(replace(function, blocks=blocks), {load.name: value})


def stores_dropped(function: Function, known: Known) -> Iterator[Site]:
    """A store is dropped that a later one covers before anything looks, or that writes back what was just loaded."""
    memory = _Memory(function)
    for block in function.blocks:
        for at, one in enumerate(block.instructions):
            place = memory.place(one) if one.opcode == "store" else None
            if place is None:
                continue
            if _is_covered(memory, block, at, place) or _is_written_back(memory, block, at, one, place):
                instructions = [each for number, each in enumerate(block.instructions) if number != at]
                yield (
                    f"store {at} of {block.name}",
                    partial(_changed, function, block, instructions),
                )


def _is_covered(memory: _Memory, block: Block, at: int, place: Place) -> bool:
    for later in block.instructions[at + 1 : -1]:
        other = memory.place(later) if later.opcode == "store" else None
        if other is not None and other.covers(place):
            return True
        if memory.may_read(later, place):
            return False
    return False


def _is_written_back(memory: _Memory, block: Block, at: int, store: Instruction, place: Place) -> bool:
    for earlier in reversed(block.instructions[:at]):
        if earlier.opcode == "load" and earlier.name and earlier.result == store.operands[0]:
            return memory.place(earlier) == place
        if memory.may_write(earlier, place):
            return False
    return False


def stores_merged(function: Function, known: Known) -> Iterator[Site]:
    """Two stores to neighbouring bytes become one, of constants or of the two halves of a value."""
    memory = _Memory(function)
    for block in function.blocks:
        stores = [(at, one) for at, one in enumerate(block.instructions) if one.opcode == "store"]
        for at, one in stores:
            for then, other in stores:
                if at < then and memory.place(one) is not None and memory.place(other) is not None:
                    value = _merged_value(function, memory, one, other)
                    if value is not None and not _is_looked_at(memory, block, at, then, one):
                        yield (
                            f"store {at} of {block.name}",
                            partial(_stored, function, memory, block, at, then, value),
                        )


def _is_looked_at(memory: _Memory, block: Block, at: int, then: int, one: Instruction) -> bool:
    place = memory.place(one)
    assert place is not None
    return any(
        memory.may_read(between, place) or memory.may_write(between, place)
        for between in block.instructions[at + 1 : then]
    )


def _merged_value(function: Function, memory: _Memory, one: Instruction, other: Instruction) -> Value | None:
    """What a store over both has to write: the bytes at the lower address are the low ones."""
    first, second = memory.place(one), memory.place(other)
    assert first is not None and second is not None
    if first.base != second.base or first.size != second.size:
        return None
    if first.end == second.offset:
        low, high = one.operands[0], other.operands[0]
    elif second.end == first.offset:
        low, high = other.operands[0], one.operands[0]
    else:
        return None
    bits = 8 * first.size
    if 2 * bits > 64:
        return None
    if isinstance(low, Constant) and isinstance(high, Constant):
        return constant(Int(2 * bits), high.value << bits | low.value)
    return _whole(memory, low, high, bits)


def _whole(memory: _Memory, low: Value, high: Value, bits: int) -> Value | None:
    """x where low is trunc x and high is trunc (lshr x, bits), x of twice the bits."""
    parts = [memory.definitions.get(part.name) if isinstance(part, Local) else None for part in (low, high)]
    if parts[0] is None or parts[1] is None or any(part is None or part.opcode != "trunc" for part in parts):
        return None
    whole, shifted = parts[0].operands[0], parts[1].operands[0]
    moved = memory.definitions.get(shifted.name) if isinstance(shifted, Local) else None
    if moved is None or moved.opcode not in ("lshr", "ashr") or moved.operands[0] != whole:
        return None
    amount = moved.operands[1]
    return whole if whole.type == Int(2 * bits) and amount == constant(Int(2 * bits), bits) else None


def _stored(function: Function, memory: _Memory, block: Block, at: int, then: int, value: Value) -> Function:
    one, other = block.instructions[at], block.instructions[then]
    first, second = memory.place(one), memory.place(other)
    assert first is not None and second is not None
    lower = one if first.offset < second.offset else other
    align = lower.align or abi_alignment(lower.operands[0].type)
    merged = replace(other, operands=(value, lower.operands[1]), align=align, metadata=())
    if lower is other and not isinstance(lower.operands[1], Local):
        raise NotHereError("the lower address is no local")
    instructions = [each for number, each in enumerate(block.instructions) if number != at]
    instructions[then - 1] = merged
    return _changed(function, block, instructions)


def loads_merged(function: Function, known: Known) -> Iterator[Site]:
    """Two loads of neighbouring bytes, put together by zext, shl and or, become one."""
    memory = _Memory(function)
    for block in function.blocks:
        for at, one in enumerate(block.instructions):
            if one.opcode not in ("or", "add", "xor") or not isinstance(one.type, Int):
                continue
            for low, high in (one.operands, one.operands[::-1]):
                found = _halves(memory, block, low, high)
                if found is not None:
                    yield (
                        f"%{one.name}",
                        partial(_loaded, function, memory, block, at, found),
                    )
                    break


def _halves(memory: _Memory, block: Block, low: Value, high: Value) -> tuple[Instruction, Instruction] | None:
    """The loads that `zext low | zext high << bits` is made of, both in the block, with no write between them."""

    def made(value: Value, opcode: str) -> Instruction | None:
        found = memory.definitions.get(value.name) if isinstance(value, Local) else None
        return found if found is not None and found.opcode == opcode else None

    shifted, below = made(high, "shl"), made(low, "zext")
    above = made(shifted.operands[0], "zext") if shifted else None
    if shifted is None or below is None or above is None:
        return None
    first, second = made(below.operands[0], "load"), made(above.operands[0], "load")
    if first is None or second is None or first.metadata or second.metadata:
        return None
    places = memory.place(first), memory.place(second)
    if places[0] is None or places[1] is None or not isinstance(first.type, Int) or not isinstance(second.type, Int):
        return None
    neighbours = places[0].base == places[1].base and places[0].end == places[1].offset
    amount = shifted.operands[1]
    width = first.type.width + second.type.width
    fits = isinstance(amount, Constant) and amount.value == first.type.width and width.bit_count() == 1
    if not neighbours or not fits or first not in block.instructions or second not in block.instructions:
        return None
    start, stop = sorted((block.instructions.index(first), block.instructions.index(second)))
    between = block.instructions[start + 1 : stop]
    if any(memory.may_write(one, place) for one in between for place in places if place is not None):
        return None
    return first, second


def _loaded(
    function: Function, memory: _Memory, block: Block, at: int, found: tuple[Instruction, Instruction]
) -> Function:
    first, second = found
    one = block.instructions[at]
    assert isinstance(first.type, Int) and isinstance(second.type, Int) and isinstance(one.type, Int)
    type = Int(first.type.width + second.type.width)
    if type.width > one.type.width:
        raise NotHereError("the shift loses bits")
    taken = names_of(function)
    align = first.align or abi_alignment(first.type)
    load = Instruction("load", type, first.operands, fresh(taken, "whole"), align=align)
    instructions = list(block.instructions)
    later = max(instructions.index(first), instructions.index(second))
    if type == one.type:
        changed = _changed(function, block, [*instructions[: later + 1], load, *instructions[later + 1 :]])
        dropped = replace(
            changed,
            blocks=tuple(
                replace(
                    each, instructions=tuple(two for two in each.instructions if two.name != one.name or not two.name)
                )
                for each in changed.blocks
            ),
        )
        return replaced(dropped, {one.name: load.result})
    instructions[at] = Instruction("zext", one.type, (load.result,), one.name)
    return _changed(function, block, [*instructions[: later + 1], load, *instructions[later + 1 :]])


def loads_narrowed(function: Function, known: Known) -> Iterator[Site]:
    """A truncated load loads only the bytes that are kept; little-endian."""
    memory = _Memory(function)
    for block in function.blocks:
        for at, one in enumerate(block.instructions):
            if (
                one.opcode != "trunc"
                or one.flags
                or size_of(one.type) is None
                or not isinstance(one.operands[0], Local)
            ):
                continue
            wide = memory.definitions.get(one.operands[0].name)
            if wide is None or memory.place(wide) is None or wide.opcode != "load" or function.uses()[wide.name] != 1:
                continue
            if wide.metadata or wide not in block.instructions:
                continue
            align = wide.align or abi_alignment(wide.type)
            narrow = Instruction("load", one.type, wide.operands, one.name, align=align)
            new = [narrow if each is wide else each for number, each in enumerate(block.instructions) if number != at]
            yield f"%{one.name}", partial(_changed, function, block, new)
