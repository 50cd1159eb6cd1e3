"""Evaluates a straight-line function lane by lane, for every input at once: each lane of each vector becomes a sum.

What is understood: loads through pointer arguments at fixed offsets, arithmetic, casts, comparisons, selects, lane
moves, reductions and the x86 operations of idioms_x86.  The bytes of arguments and of the memory they point to are the
inputs, and are taken to be neither undef nor poison.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from m4alloc.superopt import idioms_x86
from m4alloc.superopt.idioms_tables import Arithmetic, Leaf, NotASumError, Sum, unsigned
from m4alloc.superopt.ir import (
    BINARY,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Local,
    Pointer,
    Poison,
    Type,
    Undef,
    Value,
    Vector,
    lane_count,
)

Lane: TypeAlias = tuple[Sum, ...] | None
"""Parts of one lane side by side, the lowest first; None for a lane that is poison or undef."""


@dataclass(frozen=True)
class Address:
    """Byte `offset` from where an argument points; `inside`: offsets within its object unless this is poison."""

    base: str
    offset: int
    inside: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Access:
    """One load: `size` bytes at an address, at an alignment."""

    address: Address
    size: int
    align: int


@dataclass(frozen=True)
class Claim:
    """A getelementptr with flags: it is poison unless it stays within its object, or without the flag's wrap."""

    base: str
    start: int
    end: int
    flags: frozenset[str]


@dataclass(frozen=True)
class Evaluated:
    """The lanes that a function returns, the loads it makes and the claims about addresses on the way."""

    lanes: tuple[Lane, ...]
    loads: tuple[Access, ...]
    claims: tuple[Claim, ...]


@dataclass
class _State:
    arithmetic: Arithmetic
    values: dict[str, tuple[Lane, ...]] = field(default_factory=dict)
    pointers: dict[str, Address] = field(default_factory=dict)
    loads: list[Access] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def lanes(self, value: Value) -> tuple[Lane, ...]:
        match value:
            case Local():
                if value.name in self.values:
                    return self.values[value.name]
                raise NotASumError(f"%{value.name} is no integer")
            case Constant():
                return ((self.arithmetic.constant(value.type.width, value.value),),)
            case ConstantVector():
                return tuple(self.lanes(element)[0] for element in value.elements)
            case Undef() | Poison():
                return (None,) * lane_count(value.type)
        raise NotASumError(f"a constant of the kind {type(value).__name__}")

    def known(self, value: Value) -> tuple[Sum, ...]:
        """One number a lane; NotASumError where a lane is poison or undef."""
        return tuple(self.number(lane) for lane in self.lanes(value))

    def number(self, lane: Lane) -> Sum:
        if lane is None:
            raise NotASumError("a lane that is poison or undef is used")
        return self.arithmetic.joined(lane)


def lane_width(type: Type) -> int:
    """Bits of a lane; NotASumError where it is no integer of whole or single bits."""
    element = type.element if isinstance(type, Vector) else type
    if not isinstance(element, Int):
        raise NotASumError(f"a value of the type {type}")
    return element.width


def evaluate(function: Function, arithmetic: Arithmetic) -> Evaluated:
    """What the function returns, lane by lane; NotASumError says which construct cannot be held and why."""
    if len(function.blocks) != 1:
        raise NotASumError(f"@{function.name} has {len(function.blocks)} blocks, and only straight lines are evaluated")
    state = _State(arithmetic)
    for argument in function.arguments:
        if isinstance(argument.type, Pointer) and argument.type.space == 0:
            state.pointers[argument.name] = Address(argument.name, 0)
        elif isinstance(argument.type, Int | Vector):
            size = lane_width(argument.type) * lane_count(argument.type)
            if size % 8:
                raise NotASumError(f"an argument of the type {argument.type}")
            state.values[argument.name] = _taken(state, Address(argument.name, 0), argument.type)
        else:
            raise NotASumError(f"an argument of the type {argument.type}")
    for instruction in function.blocks[0].instructions:
        if instruction.opcode == "ret":
            if not instruction.operands:
                raise NotASumError("a function that returns nothing")
            value = instruction.operands[0]
            return Evaluated(state.lanes(value), tuple(state.loads), tuple(state.claims))
        _step(state, instruction)
    raise NotASumError(f"@{function.name} ends in `{function.blocks[0].terminator.opcode}`")


def _taken(state: _State, address: Address, type: Type) -> tuple[Lane, ...]:
    """The lanes that the bytes at an address make, little-endian."""
    width = lane_width(type)
    if width % 8:
        raise NotASumError(f"memory read as {type}")
    size = width // 8
    return tuple(
        tuple(state.arithmetic.byte(Leaf(address.base, address.offset + lane * size + k)) for k in range(size))
        for lane in range(lane_count(type))
    )


def _step(state: _State, instruction: Instruction) -> None:
    if state.arithmetic.strict:
        _plain(instruction)
    if instruction.opcode == "getelementptr":
        state.pointers[instruction.name] = _address(state, instruction)
    elif instruction.opcode in BINARY:
        state.values[instruction.name] = _binary(state, instruction)
    elif (known := idioms_x86.operation(instruction)) is not None:
        operands = [state.known(operand) for operand in known[1]]
        lanes = idioms_x86.OPERATIONS[known[0]](state.arithmetic, *operands)
        state.values[instruction.name] = tuple((lane,) for lane in lanes)
    elif instruction.opcode in _STEPS:
        state.values[instruction.name] = _STEPS[instruction.opcode](state, instruction)
    else:
        shown = instruction.text if instruction.opcode == "opaque" else instruction.opcode
        raise NotASumError(f"`{shown}`")


def _plain(instruction: Instruction) -> None:
    """Refuse what a rewrite promises beyond its flags.  An access as `char` promises nothing about types."""
    for kind, node in instruction.metadata:
        if kind != "noundef" and not (kind == "tbaa" and node.startswith('!{!{!"omnipotent char"')):
            raise NotASumError(f"`!{kind}` on a {instruction.opcode}")
    if instruction.attributes:
        raise NotASumError(f"a {instruction.opcode} with {', '.join(instruction.attributes)}")


def _pointer(state: _State, value: Value) -> Address:
    if isinstance(value, Local) and value.name in state.pointers:
        return state.pointers[value.name]
    raise NotASumError("an address that is no argument with a fixed offset")


def _address(state: _State, instruction: Instruction) -> Address:
    base, *indices = instruction.operands
    start = _pointer(state, base)
    element = instruction.element
    if not isinstance(element, Int) or element.width % 8 or len(indices) != 1 or not isinstance(indices[0], Constant):
        raise NotASumError(f"`getelementptr {element}` with indices that are not one constant")
    end = start.offset + element.width // 8 * indices[0].signed
    if not -(1 << 63) <= end < 1 << 63:
        raise NotASumError("an offset that wraps at 64 bits")
    if instruction.flags:
        state.claims.append(Claim(start.base, start.offset, end, instruction.flags))
    inside = {start.offset, end} if "inbounds" in instruction.flags else set()
    return Address(start.base, end, start.inside | inside)


def _load(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    if "volatile" in instruction.flags:
        raise NotASumError("a volatile load")
    address = _pointer(state, instruction.operands[0])
    bits = lane_width(instruction.type) * lane_count(instruction.type)
    state.loads.append(Access(address, bits // 8, instruction.align or max(1, bits // 8)))
    return _taken(state, address, instruction.type)


def _binary(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    left, right = map(state.lanes, instruction.operands)
    if instruction.opcode in {"and", "or", "xor"} and not instruction.flags:
        return tuple(_bitwise(state, instruction.opcode, a, b) for a, b in zip(left, right, strict=True))
    made: list[Lane] = []
    for a, b in zip(left, right, strict=True):
        # Poison in, poison out: such a lane is lost only where it is used.
        if a is None or b is None:
            made.append(None)
        elif (moved := _moved(state, instruction, a, b)) is not None:
            made.append(moved)
        else:
            numbers = state.number(a), state.number(b)
            made.append((state.arithmetic.binary(instruction.opcode, *numbers, instruction.flags),))
    return tuple(made)


def _moved(state: _State, instruction: Instruction, a: tuple[Sum, ...], b: tuple[Sum, ...]) -> Lane:
    """A lane of several parts after a shift by a constant, its parts kept apart; None where it is no such shift."""
    amount = b[0].constant if len(b) == 1 else None
    flags = instruction.flags if state.arithmetic.strict else frozenset()
    width = lane_width(instruction.type)
    if instruction.opcode not in {"shl", "lshr"} or len(a) == 1 or flags or amount is None or not 0 <= amount < width:
        return None
    if amount == 0:
        return a
    zeros = (state.arithmetic.constant(amount, 0),)
    if instruction.opcode == "shl":
        return zeros + _parts(state, a, 0, width - amount)
    return _parts(state, a, amount, width - amount) + zeros


def _bitwise(state: _State, opcode: str, a: Lane, b: Lane) -> Lane:
    if a is None or b is None:
        return None
    cuts = sorted(_cuts(a) | _cuts(b))
    return tuple(
        state.arithmetic.binary(opcode, _part(state, a, low, high - low), _part(state, b, low, high - low))
        for low, high in zip([0, *cuts], cuts, strict=False)
    )


def _cuts(lane: tuple[Sum, ...]) -> set[int]:
    """Where parts end."""
    return {sum(part.width for part in lane[: k + 1]) for k in range(len(lane))}


def _part(state: _State, lane: tuple[Sum, ...], at: int, width: int) -> Sum:
    """Bits of a lane."""
    return state.arithmetic.joined(_parts(state, lane, at, width))


def _parts(state: _State, lane: tuple[Sum, ...], at: int, width: int) -> tuple[Sum, ...]:
    """Bits of a lane, its parts kept whole where they lie within."""
    start, taken = 0, []
    for part in lane:
        low, high = max(at, start), min(at + width, start + part.width)
        if low < high:
            constant = part.constant
            piece = (
                state.arithmetic.constant(high - low, constant >> (low - start))
                if constant is not None
                else state.arithmetic.piece(part, low - start, high - low)
            )
            taken.append(piece)
        start += part.width
    return tuple(taken)


def _cast(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    width = lane_width(instruction.type)
    return tuple(_converted(state, instruction, lane, width) for lane in state.lanes(instruction.operands[0]))


def _converted(state: _State, instruction: Instruction, lane: Lane, width: int) -> Lane:
    if lane is None:
        return None
    flags = instruction.flags if state.arithmetic.strict else frozenset()
    if len(lane) > 1 and not flags:
        if instruction.opcode == "trunc":
            return _parts(state, lane, 0, width)
        if instruction.opcode == "zext":
            return (*lane, state.arithmetic.constant(width - sum(part.width for part in lane), 0))
    return (state.arithmetic.cast(instruction.opcode, state.number(lane), width, flags),)


def _bitcast(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    lanes = state.lanes(instruction.operands[0])
    width, count = lane_width(instruction.type), lane_count(instruction.type)
    old = lane_width(instruction.operands[0].type)
    made: list[Lane] = []
    for start in range(0, count * width, width):
        parts: tuple[Sum, ...] = ()
        for at in range(start - start % old, start + width, old):
            lane = lanes[at // old]
            if lane is None:
                raise NotASumError("`bitcast` of a lane that is poison or undef")
            low, high = max(start, at), min(start + width, at + old)
            parts += _parts(state, lane, low - at, high - low)
        made.append(parts)
    return tuple(made)


def _shuffle(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    lanes = [*state.lanes(instruction.operands[0]), *state.lanes(instruction.operands[1])]
    return tuple(None if index < 0 else lanes[index] for index in instruction.indices)


def _index(value: Value, count: int) -> int:
    if isinstance(value, Constant) and value.value < count:
        return value.value
    raise NotASumError("a lane chosen by a value")


def _extract(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    lanes = state.lanes(instruction.operands[0])
    return (lanes[_index(instruction.operands[1], len(lanes))],)


def _insert(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    lanes = list(state.lanes(instruction.operands[0]))
    lanes[_index(instruction.operands[2], len(lanes))] = state.lanes(instruction.operands[1])[0]
    return tuple(lanes)


def _compare(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    left, right = map(state.known, instruction.operands)
    return tuple(
        (state.arithmetic.compare(instruction.predicate, a, b, instruction.flags),)
        for a, b in zip(left, right, strict=True)
    )


def _select(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    conditions, left, right = map(state.known, instruction.operands)
    if len(conditions) == 1:
        conditions *= len(left)
    return tuple((state.arithmetic.select(*each),) for each in zip(conditions, left, right, strict=True))


def _freeze(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    return tuple((lane,) for lane in state.known(instruction.operands[0]))


def _call(state: _State, instruction: Instruction) -> tuple[Lane, ...]:
    callee, arithmetic = instruction.callee, state.arithmetic
    kind = callee.removeprefix("llvm.").rpartition(".")[0]
    if kind == "vector.reduce.add":
        first, *rest = state.known(instruction.operands[0])
        for lane in rest:
            first = arithmetic.binary("add", first, lane)
        return ((first,),)
    if kind == "ctpop":
        width = lane_width(instruction.type)
        return tuple((_count(state, lane, width),) for lane in state.lanes(instruction.operands[0]))
    if kind == "abs":
        (values, (flag,)) = map(state.known, instruction.operands)
        if flag.constant and arithmetic.strict and any(v.interval[0] == -(1 << v.width - 1) for v in values):
            raise NotASumError("`llvm.abs` that may be poison")
        return tuple((_absolute(arithmetic, value),) for value in values)
    if kind not in {"umin", "umax", "smin", "smax", "sadd.sat", "ssub.sat"}:
        raise NotASumError(f"a call of {callee}")
    left, right = map(state.known, instruction.operands)
    if kind in {"umin", "umax", "smin", "smax"}:
        return tuple((arithmetic.extreme(kind, a, b),) for a, b in zip(left, right, strict=True))
    return tuple((arithmetic.saturating(kind[1:4], a, b),) for a, b in zip(left, right, strict=True))


def _count(state: _State, lane: Lane, width: int) -> Sum:
    """How many bits of a lane are set: the counts of its parts, added."""
    if lane is None:
        raise NotASumError("a lane that is poison or undef is used")

    def of_part(part: Sum) -> Sum:
        own = part.width
        count = state.arithmetic.apply(("ctpop",), 32, (part,), lambda x: np.bitwise_count(unsigned(x, own)))
        return state.arithmetic.cast("zext" if width > 32 else "trunc", count, width) if width != 32 else count

    total, *rest = (of_part(part) for part in lane)
    for count in rest:
        total = state.arithmetic.binary("add", total, count)
    return total


def _absolute(arithmetic: Arithmetic, value: Sum) -> Sum:
    zero = arithmetic.constant(value.width, 0)
    negative = arithmetic.binary("sub", zero, value)
    return arithmetic.select(arithmetic.compare("slt", value, zero), negative, value)


_STEPS: Mapping[str, Callable[[_State, Instruction], tuple[Lane, ...]]] = {
    "load": _load, "bitcast": _bitcast, "shufflevector": _shuffle, "extractelement": _extract,
    "insertelement": _insert, "icmp": _compare, "select": _select, "freeze": _freeze,
    "zext": _cast, "sext": _cast, "trunc": _cast, "call": _call,
}  # fmt: skip
