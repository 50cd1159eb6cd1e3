"""Random small changes of a function, for stochastic search: always well-formed SSA, hardly ever equivalent."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from m4alloc.superopt.ir import (
    BINARY,
    FLAGS,
    I1,
    PREDICATES,
    Block,
    Constant,
    Function,
    Instruction,
    Int,
    Local,
    Type,
    Value,
    constant,
)
from m4alloc.superopt.known import dominators
from m4alloc.superopt.problem import Step
from m4alloc.superopt.simplify import is_movable

_TWO: Final = ("umin", "umax", "smin", "smax", "uadd.sat", "usub.sat", "sadd.sat", "ssub.sat")
_ONE: Final = ("ctpop", "bswap", "bitreverse")
_COUNTS: Final = ("ctlz", "cttz", "abs")
_FUNNELS: Final = ("fshl", "fshr")
_CHEAP: Final = ("add", "sub", "and", "or", "xor", "shl", "lshr", "ashr")
MOVES: Final = ("operand", "constant", "opcode", "insert", "remove", "replace", "swap", "flag", "predicate")
_WEIGHTS: Final = (6, 4, 4, 4, 3, 3, 1, 1, 2)
_TRIES: Final = 60


@dataclass(frozen=True)
class Pool:
    """What mutations are made of.

    widths: of integers in the source.  constants: to choose from at each width.  opcodes: binary instructions, those
    of the source more often.  intrinsics: calls that may appear.
    """

    widths: tuple[int, ...]
    constants: Mapping[int, tuple[int, ...]]
    opcodes: tuple[str, ...]
    intrinsics: tuple[str, ...]


@lru_cache(maxsize=256)
def pool_of(function: Function) -> Pool:
    """Ingredients for a search that starts at this function: its constants with their neighbours, its opcodes.

    >>> from m4alloc.superopt.parse import parse_function
    >>> pool_of(parse_function("define i8 @f(i8 %x) { %a = lshr i8 %x, 3 ret i8 %a }")).widths
    (8,)
    """
    widths: dict[int, set[int]] = {}
    opcodes = [*_CHEAP, "mul"]
    intrinsics = ["umin", "umax", "smin", "smax", "ctpop", "abs", "cttz", "ctlz", "usub.sat", "uadd.sat"]
    types: list[Type] = [argument.type for argument in function.arguments]
    for one in function:
        types.append(one.type)
        if one.opcode in BINARY:
            opcodes += [one.opcode] * 2
        if one.opcode == "call" and is_movable(one):
            intrinsics += [one.intrinsic] * 2
        for operand in one.operands:
            if isinstance(operand, Constant):
                value = operand.value
                found = widths.setdefault(operand.type.width, set())
                found |= {value, value + 1, value - 1, ~value, -value, operand.type.width - value}
    for type in types:
        if isinstance(type, Int):
            widths.setdefault(type.width, set())
    for width, found in widths.items():
        found |= {0, 1, -1, 2, width - 1, 1 << width - 1, (1 << width - 1) - 1}
    return Pool(
        tuple(sorted(widths)),
        {width: tuple(sorted({value % (1 << width) for value in found})) for width, found in widths.items()},
        tuple(opcodes),
        tuple(name for name in intrinsics if name in (*_TWO, *_ONE, *_COUNTS, *_FUNNELS)),
    )


def mutated(function: Function, rng: random.Random, pool: Pool) -> tuple[Function, Step]:
    """The function with one change, and the step that says which; ValueError where nothing could be changed.

    Operands dominate their uses and types agree.  Memory, phis and what is opaque keep their place; unused results
    stay until `simplify.cleaned` takes them.  Cost: 30-60 us for ten instructions.
    """
    places = _places(function)
    for _ in range(_TRIES):
        move = rng.choices(MOVES, _WEIGHTS)[0]
        change = _Change(places, rng, pool)
        found = change.made(move)
        if found is not None and found[0] != function:
            result, at = found
            return result, Step(f"mutate {move}", at, result)
    raise ValueError(f"@{function.name} has nothing that could be changed")


class _Places:
    """Where values are available."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.arguments = [argument.value for argument in function.arguments]
        self.order = dominators(function)
        self.results = {block.name: [one.result for one in block.instructions if one.name] for block in function.blocks}
        self.sites = [
            (block, at)
            for block in function.blocks
            if block.name in self.order
            for at, one in enumerate(block.instructions)
            if one.opcode not in ("phi", "opaque")
        ]

    def before(self, block: Block, at: int) -> list[Local]:
        """Values that may be used at that instruction of the block."""
        found = list(self.arguments)
        for name in self.order[block.name][:-1]:
            found += self.results[name]
        found += [one.result for one in block.instructions[:at] if one.name]
        return found


_LAST: list[_Places] = []


def _places(function: Function) -> _Places:
    """Those of the last function again where it is the same one: a chain stays at one state for many proposals."""
    if not _LAST or _LAST[0].function is not function:
        _LAST[:] = [_Places(function)]
    return _LAST[0]


class _Change:
    def __init__(self, places: _Places, rng: random.Random, pool: Pool) -> None:
        self.places, self.rng, self.pool = places, rng, pool
        self.function = places.function

    def made(self, move: str) -> tuple[Function, str] | None:
        if not self.places.sites:
            return None
        block, at = self.rng.choice(self.places.sites)
        one = block.instructions[at]
        where = f"%{one.name}" if one.name else one.opcode
        match move:
            case "operand":
                found = self.operand(block, at, one)
            case "constant":
                found = self.constant(one)
            case "opcode":
                found = self.opcode(one)
            case "flag":
                found = self.flag(one)
            case "predicate":
                found = self.predicate(one)
            case "insert":
                return self.insert(block, at)
            case "remove":
                return self.remove(block, at, one)
            case "replace":
                fresh = self.fresh(one.type, block, at) if is_movable(one) else None
                found = None if fresh is None else [replace(fresh, name=one.name)]
            case _:
                return self.swap(block, at)
        return None if found is None else (self.with_instructions(block, at, at + 1, found), where)

    def with_instructions(self, block: Block, start: int, stop: int, new: Sequence[Instruction]) -> Function:
        changed = replace(block, instructions=(*block.instructions[:start], *new, *block.instructions[stop:]))
        return replace(self.function, blocks=tuple(changed if one is block else one for one in self.function.blocks))

    def some(self, type: Type, block: Block, at: int, *, constants: bool = True) -> Value | None:
        """An available value of the type, or a constant of the pool."""
        found = [value for value in self.places.before(block, at) if value.type == type]
        if isinstance(type, Int) and constants and (not found or self.rng.random() < 0.25):
            return constant(type, self.rng.choice(self.pool.constants.get(type.width, (0, 1))))
        return self.rng.choice(found) if found else None

    def operand(self, block: Block, at: int, one: Instruction) -> list[Instruction] | None:
        if not one.operands or one.opcode in ("switch", "alloca"):
            return None
        number = self.rng.randrange(len(one.operands))
        if _is_fixed(one, number):
            return None
        new = self.some(one.operands[number].type, block, at)
        return None if new is None else [_with(one, number, new)]

    def constant(self, one: Instruction) -> list[Instruction] | None:
        if one.opcode in ("switch", "alloca"):
            return None
        numbers = [
            number
            for number, operand in enumerate(one.operands)
            if isinstance(operand, Constant) and not _is_fixed(one, number)
        ]
        if not numbers:
            return None
        number = self.rng.choice(numbers)
        old = one.operands[number]
        assert isinstance(old, Constant)
        near = (old.value + 1, old.value - 1, -old.value, ~old.value, old.value << 1, old.value >> 1)
        values = (*near, *self.pool.constants.get(old.type.width, ()))
        return [_with(one, number, constant(old.type, self.rng.choice(values)))]

    def opcode(self, one: Instruction) -> list[Instruction] | None:
        if one.opcode in BINARY or (one.opcode == "call" and one.intrinsic in _TWO):
            a, b = one.operands
            return [replace(self.binary(one.type, a, b), name=one.name)]
        if one.opcode in ("zext", "sext"):
            other = "sext" if one.opcode == "zext" else "zext"
            return [replace(one, opcode=other, flags=frozenset())]
        if one.opcode == "call" and one.intrinsic in (*_COUNTS, *_FUNNELS):
            family = _COUNTS if one.intrinsic in _COUNTS else _FUNNELS
            name = self.rng.choice(family)
            return [replace(one, callee=f"llvm.{name}.{one.type}", attributes=(), metadata=())]
        return None

    def binary(self, type: Type, a: Value, b: Value) -> Instruction:
        names = [name for name in self.pool.intrinsics if name in _TWO]
        if isinstance(type, Int) and type.width > 1 and names and self.rng.random() < 0.2:
            return Instruction("call", type, (a, b), callee=f"llvm.{self.rng.choice(names)}.{type}")
        return Instruction(self.rng.choice(self.pool.opcodes), type, (a, b))

    def flag(self, one: Instruction) -> list[Instruction] | None:
        possible = sorted(FLAGS.get(one.opcode, frozenset()) - {"volatile"})
        if not possible:
            return None
        return [replace(one, flags=one.flags ^ {self.rng.choice(possible)})]

    def predicate(self, one: Instruction) -> list[Instruction] | None:
        if one.opcode != "icmp":
            return None
        return [replace(one, predicate=self.rng.choice(PREDICATES), flags=frozenset())]

    def fresh(self, type: Type, block: Block, at: int) -> Instruction | None:
        """A random instruction of the type on available values; None where there is none."""
        if not isinstance(type, Int):
            return None
        kinds = ["binary"] * 6 + ["select", "one", "count", "cast", "cast", "funnel"]
        kinds = ["icmp"] * 4 + ["binary"] * 2 + ["select", "cast"] if type == I1 else kinds
        match self.rng.choice(kinds):
            case "icmp":
                width = self.rng.choice(self.pool.widths)
                operands = self.several(Int(width), 2, block, at)
                return Instruction("icmp", type, operands, predicate=self.rng.choice(PREDICATES))
            case "select":
                condition = self.some(I1, block, at, constants=False)
                operands = self.several(type, 2, block, at)
                return None if condition is None else Instruction("select", type, (condition, *operands))
            case "one":
                return self.call(_ONE, type, self.several(type, 1, block, at))
            case "count":
                flag = constant(I1, self.rng.choice((0, 0, 1)))
                return self.call(_COUNTS, type, (*self.several(type, 1, block, at), flag))
            case "funnel":
                return self.call(_FUNNELS, type, self.several(type, 3, block, at))
            case "cast":
                other = Int(self.rng.choice(self.pool.widths))
                value = self.some(other, block, at, constants=False)
                if value is None or other == type:
                    return None
                opcode = "trunc" if other.width > type.width else self.rng.choice(("zext", "sext"))
                return Instruction(opcode, type, (value,))
        return self.binary(type, *self.several(type, 2, block, at))

    def several(self, type: Int, count: int, block: Block, at: int) -> tuple[Value, ...]:
        found = tuple(self.some(type, block, at) for _ in range(count))
        return tuple(value for value in found if value is not None)

    def call(self, family: Sequence[str], type: Int, operands: tuple[Value, ...]) -> Instruction | None:
        names = [name for name in self.pool.intrinsics if name in family]
        if not names or type.width == 1:
            return None
        name = self.rng.choice(names)
        if name == "bswap" and type.width % 16:
            return None
        return Instruction("call", type, operands, callee=f"llvm.{name}.{type}")

    def insert(self, block: Block, at: int) -> tuple[Function, str] | None:
        """A new instruction, used at once by a later one of the same block where a type fits."""
        rest = block.instructions[at:]
        uses = [
            (offset, number, operand.type)
            for offset, one in enumerate(rest)
            if one.opcode not in ("phi", "opaque", "switch", "alloca")
            for number, operand in enumerate(one.operands)
            if isinstance(operand.type, Int) and not _is_fixed(one, number)
        ]
        if not uses:
            return None
        offset, number, type = self.rng.choice(uses)
        fresh = self.fresh(type, block, at)
        if fresh is None:
            return None
        taken = {one.name for one in self.function} | {argument.name for argument in self.function.arguments}
        name = next(f"m{count}" for count in range(len(taken) + 1) if f"m{count}" not in taken)
        fresh = replace(fresh, name=name)
        later = list(rest)
        later[offset] = _with(later[offset], number, fresh.result)
        return self.with_instructions(block, at, len(block.instructions), [fresh, *later]), f"%{name}"

    def remove(self, block: Block, at: int, one: Instruction) -> tuple[Function, str] | None:
        """Without one instruction; an operand of its type or another value takes its place."""
        if not is_movable(one):
            return None
        stand_ins: list[Value] = [operand for operand in one.operands if operand.type == one.type]
        other = self.some(one.type, block, at)
        stand_in = self.rng.choice(stand_ins) if stand_ins and self.rng.random() < 0.7 else other
        if stand_in is None:
            return None
        function = self.with_instructions(block, at, at + 1, [])

        def change(instruction: Instruction) -> Instruction:
            operands = tuple(stand_in if operand == one.result else operand for operand in instruction.operands)
            return instruction if operands == instruction.operands else instruction.with_operands(operands)

        return function.mapped(change), f"%{one.name}"

    def swap(self, block: Block, at: int) -> tuple[Function, str] | None:
        """Two neighbours that do not use each other change places, or one's first two operands do."""
        one = block.instructions[at]
        if at + 1 < len(block.instructions):
            following = block.instructions[at + 1]
            if is_movable(one) and is_movable(following) and one.result not in following.operands:
                return self.with_instructions(block, at, at + 2, [following, one]), f"%{one.name}"
        if is_movable(one) and len(one.operands) >= 2:
            first = 1 if one.opcode == "select" else 0
            a, b = one.operands[first : first + 2]
            if a.type == b.type and not _is_fixed(one, first) and not _is_fixed(one, first + 1):
                operands = (*one.operands[:first], b, a, *one.operands[first + 2 :])
                return self.with_instructions(block, at, at + 1, [one.with_operands(operands)]), f"%{one.name}"
        return None


def _is_fixed(one: Instruction, number: int) -> bool:
    """The operand must be a literal: a count's i1, a lane or an index of a structure."""
    if one.opcode == "call":
        return not is_movable(one) or (number == 1 and one.intrinsic in _COUNTS)
    return one.opcode == "getelementptr" and number > 0 and not isinstance(one.operands[number], Local)


def _with(one: Instruction, number: int, value: Value) -> Instruction:
    return one.with_operands((*one.operands[:number], value, *one.operands[number + 1 :]))
