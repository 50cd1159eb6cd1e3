"""The cheap fixed point that every search ends with: dead code, constants, common subexpressions, trivial control."""

from __future__ import annotations

from dataclasses import replace

from m4alloc.superopt.ir import SWAPPED, Function, Instruction, Local, Value
from m4alloc.superopt.known import dominators
from m4alloc.superopt.simplify_cfg import (
    decided_branches,
    merged_blocks,
    reachable,
    replaced,
    skipped_blocks,
    trivial_phis,
    without,
)
from m4alloc.superopt.simplify_fold import extracted, folded
from m4alloc.superopt.terms import COMMUTATIVE_NODES, INTRINSICS

_HARMLESS = ("llvm.vector.reduce.", *(f"llvm.{name}." for name in INTRINSICS))


def is_movable(instruction: Instruction) -> bool:
    """It may be shared or dropped where nothing uses it: pure, and if a call, then to a known intrinsic."""
    return (
        instruction.is_pure
        and bool(instruction.name)
        and (instruction.opcode != "call" or instruction.callee.startswith(_HARMLESS))
    )


def without_dead(function: Function) -> Function:
    """Without results that nothing uses; a load or a division that would be UB is dropped too, a volatile one kept."""
    while True:
        used = {operand.name for one in function for operand in one.operands if isinstance(operand, Local)}
        dead = frozenset(
            one.name
            for one in function
            if one.name
            and one.name not in used
            and (
                is_movable(one)
                or one.opcode in ("phi", "alloca")
                or (one.opcode == "load" and "volatile" not in one.flags)
            )
        )
        if not dead:
            return _without_dead_phis(function)
        function = without(function, dead)


def _without_dead_phis(function: Function) -> Function:
    """Phis that only keep one another alive."""
    phis = {one.name: one for one in function if one.opcode == "phi"}
    if not phis:
        return function
    live = {
        operand.name
        for one in function
        if one.opcode != "phi"
        for operand in one.operands
        if isinstance(operand, Local) and operand.name in phis
    }
    work = list(live)
    while work:
        for operand in phis[work.pop()].operands:
            if isinstance(operand, Local) and operand.name in phis and operand.name not in live:
                live.add(operand.name)
                work.append(operand.name)
    dead = frozenset(phis) - live
    return without(function, dead) if dead else function


def with_constants_folded(function: Function) -> Function:
    """Instructions on constants become constants, in one sweep."""
    changes: dict[str, Value] = {}
    for one in function:
        if one.name and not one.attributes:
            now = one if not changes else _with(one, changes)
            value = folded(now)
            if value is None and one.opcode == "extractvalue":
                value = extracted(now, function)
            if value is not None and value != one.result:
                changes[one.name] = value
    return without(replaced(function, changes), frozenset(changes)) if changes else function


def _with(instruction: Instruction, changes: dict[str, Value]) -> Instruction:
    operands = tuple(
        changes.get(operand.name, operand) if isinstance(operand, Local) else operand
        for operand in instruction.operands
    )
    return instruction.with_operands(operands)


def _key(instruction: Instruction) -> tuple[object, ...]:
    operands: tuple[Value, ...] = instruction.operands
    opcode = instruction.opcode
    name = instruction.callee.removeprefix("llvm.").rpartition(".")[0] if opcode == "call" else opcode
    predicate = instruction.predicate
    if len(operands) == 2 and (name in COMMUTATIVE_NODES or opcode == "icmp") and repr(operands[0]) > repr(operands[1]):
        operands = operands[::-1]
        predicate = SWAPPED.get(predicate, "")
    return (opcode, instruction.type, operands, predicate, instruction.callee, instruction.element, instruction.indices)


def with_common_subexpressions(function: Function) -> Function:
    """An instruction that computes what a dominating one has computed is replaced by it; the flags of both remain."""
    order = dominators(function)
    seen: dict[tuple[object, ...], list[tuple[str, Instruction]]] = {}
    changes: dict[str, Value] = {}
    weaker: dict[str, Instruction] = {}
    for name in order:
        for one in function.block(name).instructions:
            if not is_movable(one):
                continue
            now = _with(one, changes)
            earlier = next((found for home, found in seen.get(_key(now), ()) if home in order[name]), None)
            if earlier is None:
                seen.setdefault(_key(now), []).append((name, now))
                continue
            changes[one.name] = earlier.result
            kept = weaker.get(earlier.name, earlier)
            weaker[earlier.name] = replace(
                kept,
                flags=kept.flags & one.flags,
                attributes=tuple(word for word in kept.attributes if word in one.attributes),
                metadata=tuple(pair for pair in kept.metadata if pair in one.metadata),
            )
    if not changes:
        return function

    def change(instruction: Instruction) -> Instruction:
        kept = weaker.get(instruction.name) if instruction.name else None
        if kept is None:
            return instruction
        return replace(instruction, flags=kept.flags, attributes=kept.attributes, metadata=kept.metadata)

    return replaced(without(function.mapped(change), frozenset(changes)), changes)


def cleaned(function: Function) -> Function:
    """A refinement of the function without anything that plainly costs for nothing.

    Dead code, constants, common subexpressions, unreachable blocks, decided branches, trivial phis, merged blocks, to
    the fixed point.  Flags are lost only where two instructions become one.  Cost: about 0.2 ms for 10 instructions.
    """
    while True:
        before = function
        function = with_constants_folded(function)
        if len(function.blocks) > 1:
            function = merged_blocks(skipped_blocks(trivial_phis(reachable(decided_branches(function)))))
        function = without_dead(with_common_subexpressions(function))
        if function == before:
            return function
