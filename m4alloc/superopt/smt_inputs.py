"""The inputs of a check as terms: arguments that may be undef or poison, and the memory they point into."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import product

import z3

from m4alloc.superopt import smt_attributes, smt_layout
from m4alloc.superopt.ir import (
    BINARY,
    Argument,
    ConstantVector,
    Function,
    Global,
    Instruction,
    Local,
    OpaqueConstant,
    Pointer,
    Struct,
    Type,
    Value,
    Vector,
)
from m4alloc.superopt.smt_function import back_edges
from m4alloc.superopt.smt_memory import World, null_is_none
from m4alloc.superopt.smt_values import (
    FALSE,
    Choices,
    Scalar,
    SymValue,
    Term,
    either,
    scalars,
)
from m4alloc.superopt.verdict import UnsupportedError

MOST_BLOCKS = 14
CASES = 16
"""So many combinations of undef arguments are checked one by one; more of them in one query."""


def _pointers_in(type: Type) -> int:
    if isinstance(type, Pointer):
        return 1
    if isinstance(type, Vector):
        return type.count if isinstance(type.element, Pointer) else 0
    return sum(map(_pointers_in, type.fields)) if isinstance(type, Struct) else 0


def _constants(value: Value) -> Iterator[str]:
    if isinstance(value, Global):
        yield f"@{value.name}"
    elif isinstance(value, OpaqueConstant) and isinstance(value.type, Pointer):
        yield value.text
    elif isinstance(value, ConstantVector):
        for element in value.elements:
            yield from _constants(element)


def mixes_kinds(source: Function, target: Function) -> bool:
    """Memory is accessed as pointers and as other values, on one side or between both."""
    kinds = set()
    for instruction in (*source, *target):
        if instruction.opcode in ("load", "store"):
            accessed = instruction.type if instruction.opcode == "load" else instruction.operands[0].type
            kinds.add(_pointers_in(accessed) > 0)
    return len(kinds) > 1


def world_of(source: Function, target: Function, shared: bool, strict: bool = False) -> World:
    """Memory with a block for each pointer that the source can come by.

    One that only the target loads needs none: where it points into none of them, an access through it is undefined,
    which is as much a counterexample as what it would do in a block of its own.
    """
    blocks = sum(_pointers_in(argument.type) for argument in source.arguments)
    named: set[str] = set()
    tracked = False
    for function in (source, target):
        for instruction in function:
            for operand in instruction.operands:
                named.update(_constants(operand))
            if instruction.opcode == "load" and _pointers_in(instruction.type):
                blocks += _pointers_in(instruction.type) if function is source else 0
                tracked = True
            tracked = tracked or (instruction.opcode == "store" and _pointers_in(instruction.operands[0].type) > 0)
    blocks += len(named)
    if blocks > MOST_BLOCKS:
        raise UnsupportedError(f"{blocks} pointers into memory: at most {MOST_BLOCKS} blocks are told apart")
    return World(blocks, tracked, shared, strict and tracked)


@dataclass(frozen=True)
class Inputs:
    """The arguments of one case, for both sides: the same but for the undef variables of each.

    shown: as the source's caller passes them, for counterexamples.
    """

    source: dict[str, SymValue]
    target: dict[str, SymValue]
    source_undefined: Term
    target_undefined: Term
    shown: tuple[SymValue, ...]


DEFINED, UNDEF, EITHER = "defined", "undef", "either"


def _lane(
    world: World, type: Type, name: str, origin: str, mode: str, may_be_poison: bool, choices: Choices | None
) -> Scalar:
    width = smt_layout.bits(type)
    is_pointer = isinstance(type, Pointer)
    value = Scalar(
        z3.BitVec(name, width),
        z3.Bool(f"{name} is poison") if may_be_poison else FALSE,
        provenance=z3.BitVec(f"provenance of {name}", world.bits) if is_pointer else None,
    )
    if is_pointer:
        world.facts += [z3.ULE(value.provenance, world.blocks), null_is_none(value.bits, value.provenance)]
    if mode == DEFINED or choices is None:
        return value
    undef = choices.undef(width, f"argument {origin}")
    if is_pointer:
        extra, term = choices.fresh(world.bits, f"provenance {origin}")
        undef = replace(undef, provenance=term, choices=undef.choices | {extra}, based=None)
    if mode == UNDEF:
        return undef
    flag = z3.Bool(f"{name} is undef")
    return Scalar(
        z3.If(flag, undef.bits, value.bits),
        z3.And(z3.Not(flag), value.poison) if may_be_poison else FALSE,
        undef.choices,
        z3.If(flag, undef.provenance, value.provenance) if is_pointer else None,
        based=undef.based,
    )


def _symbol(world: World, type: Type, name: str, mode: str, may_be_poison: bool, choices: Choices | None) -> SymValue:
    if isinstance(type, Vector):
        return tuple(
            _lane(world, type.element, f"{name}.{lane}", f"{name}.{lane}", mode, may_be_poison, choices)
            for lane in range(type.count)
        )
    if isinstance(type, Struct):
        return tuple(
            _symbol(world, part, f"{name}.{number}", mode, may_be_poison, choices)
            for number, part in enumerate(type.fields)
        )
    return _lane(world, type, name, name, mode, may_be_poison, choices)


def bits_of(index: int, type: Type) -> Term | None:
    """The variable that holds a scalar argument's bits, for facts; None for vectors and structures."""
    if isinstance(type, Vector | Struct):
        return None
    return z3.BitVec(f"argument{index}", smt_layout.bits(type))


def inputs(
    world: World,
    source: Function,
    target: Function,
    modes: tuple[str, ...],
    demanded: Collection[int],
    sides: tuple[Choices, Choices],
) -> Inputs:
    """The arguments in one case of which are undef; `demanded` are the ones that facts speak of, by number."""
    tables: tuple[dict[str, SymValue], dict[str, SymValue]] = ({}, {})
    undefined: tuple[list[Term], list[Term]] = ([], [])
    shown = []
    for index, (theirs, ours) in enumerate(zip(source.arguments, target.arguments, strict=True)):
        is_noundef = smt_attributes.noundef(theirs.attributes) or index in demanded
        for side, (argument, function_choices) in enumerate(zip((theirs, ours), sides, strict=True)):
            value = _symbol(world, argument.type, f"argument{index}", modes[index], not is_noundef, function_choices)
            if side == 0:
                shown.append(value)
            if any(attribute == "noalias" for attribute in argument.attributes):
                value = _based(value, str(index))
            value = smt_attributes.restricted(argument.attributes, value)
            undefined[side].append(smt_attributes.undefined_argument(argument.attributes, value, world))
            # The caller's value is defined where the source says so; to break a `range` is poison, and more only here.
            if smt_attributes.noundef(argument.attributes):
                for lane in scalars(value):
                    undefined[side].append(either(lane.poison, function_choices.settled(lane)[1]))
                if not any(lane.choices for lane in scalars(value)):
                    value = _never_poison(value)
            tables[side][argument.name] = value
    return Inputs(tables[0], tables[1], either(*undefined[0]), either(*undefined[1]), tuple(shown))


def _based(value: SymValue, name: str) -> SymValue:
    if isinstance(value, Scalar):
        return value if value.based is None else replace(value, based=frozenset((name,)))
    return tuple(_based(part, name) for part in value)


def _never_poison(value: SymValue) -> SymValue:
    if isinstance(value, Scalar):
        return replace(value, poison=FALSE)
    return tuple(map(_never_poison, value))


def cases(source: Function, target: Function, demanded: Collection[int]) -> list[tuple[str, ...]]:
    """Which arguments are undef, case by case; together they cover every input.

    An argument that the target uses linearly needs no case: see `is_linear`.
    """
    has_freeze = any(instruction.opcode == "freeze" for instruction in source)
    repeats = bool(back_edges(target))  # a use in a loop is several
    options: list[tuple[str, ...]] = []
    for index, (theirs, ours) in enumerate(zip(source.arguments, target.arguments, strict=True)):
        if (
            smt_attributes.noundef(theirs.attributes)
            or index in demanded
            or (not has_freeze and not repeats and is_linear(target, ours))
        ):
            options.append((DEFINED,))
        elif isinstance(theirs.type, Vector | Struct):
            options.append((DEFINED, EITHER))
        else:
            options.append((DEFINED, UNDEF))
    total = 1
    for option in options:
        total *= len(option)
    if total <= CASES:
        return list(product(*options))
    every = tuple(DEFINED for _ in options)
    return [every, tuple(EITHER if len(option) > 1 else DEFINED for option in options)]


_FOLLOWED = frozenset({"icmp", "select", "trunc", "zext", "sext", "call", "ptrtoint", "ptrtoaddr", "getelementptr"})


def is_linear(function: Function, argument: Argument) -> bool:
    """An undef argument acts in this function as some defined value does.

    It and everything computed from it are used at most once, up to a freeze or the return, and nothing on the way is
    undefined or poison for the mere reason of being undef.  The target's one choice is then a defined argument, for
    which the source can choose the same at each use; a source's freeze could not foresee it, so there must be none, and
    the target must have no loop, in which one use is several.
    """
    if isinstance(argument.type, Vector | Struct) or set(argument.attributes) & {"noundef", "nonnull"}:
        return False
    if any(word.startswith(("align", "range", "dereferenceable", "noalias")) for word in argument.attributes):
        return False
    users: dict[str, list[Instruction]] = {}
    loads = False
    for instruction in function:
        loads = loads or instruction.opcode == "load"
        for operand in instruction.operands:
            if isinstance(operand, Local):
                users.setdefault(operand.name, []).append(instruction)
    name = argument.name
    while True:
        using = users.get(name, [])
        if not using:
            return True
        if len(using) > 1:
            return False
        (user,) = using
        if user.opcode == "freeze":
            return True
        if user.opcode == "ret":
            return not function.return_attributes
        if user.opcode == "store":
            return not loads and user.operands[1] != Local(name, user.operands[1].type)
        if isinstance(user.type, Vector | Struct) or user.metadata or user.attributes:
            return False
        if user.opcode == "call" and user.callee == "llvm.assume":
            return False
        if user.opcode not in _FOLLOWED and user.opcode not in BINARY:
            return False
        name = user.name
