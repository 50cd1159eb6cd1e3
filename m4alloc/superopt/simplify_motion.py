"""Moves pure instructions between blocks: out of both arms of a branch, through phis, down to their only use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from m4alloc.superopt.ir import Block, Function, Instruction, Local, Value
from m4alloc.superopt.known import Known
from m4alloc.superopt.simplify import is_movable
from m4alloc.superopt.simplify_branches import Site, fresh, names_of
from m4alloc.superopt.simplify_cfg import replaced, without

_DIVISIONS = frozenset({"udiv", "sdiv", "urem", "srem"})


def _same(one: Instruction, other: Instruction) -> bool:
    return (
        one.opcode == other.opcode and one.type == other.type and one.predicate == other.predicate
        and one.callee == other.callee and one.element == other.element and one.indices == other.indices
        and len(one.operands) == len(other.operands)
    )  # fmt: skip


def _merged(one: Instruction, other: Instruction, operands: tuple[Value, ...], name: str) -> Instruction:
    """One instruction in place of two: it promises only what both did."""
    return replace(
        one,
        operands=operands,
        name=name,
        flags=one.flags & other.flags,
        attributes=tuple(word for word in one.attributes if word in other.attributes),
        metadata=tuple(pair for pair in one.metadata if pair in other.metadata),
    )


def hoisted(function: Function, known: Known) -> Iterator[Site]:
    """An instruction that both arms of a branch begin with is done once, before the branch."""
    before = function.predecessors()
    for head in function.blocks:
        end = head.terminator
        if end.opcode != "br" or len(end.labels) != 2 or end.labels[0] == end.labels[1]:
            continue
        arms = [function.block(label) for label in end.labels]
        if any(before[arm.name] != (head.name,) or arm.name == head.name for arm in arms):
            continue
        for one in arms[0].instructions:
            for other in arms[1].instructions:
                if (
                    not (is_movable(one) and is_movable(other))
                    or one.operands != other.operands
                    or not _same(one, other)
                ):
                    continue
                if one.opcode in _DIVISIONS or not _is_outside(arms, one):
                    continue
                yield f"%{one.name}", partial(_hoisted, function, head, one, other)


def _is_outside(arms: list[Block], one: Instruction) -> bool:
    inside = {each.name for arm in arms for each in arm.instructions if each.name}
    return not any(isinstance(operand, Local) and operand.name in inside for operand in one.operands)


def _hoisted(function: Function, head: Block, one: Instruction, other: Instruction) -> Function:
    moved = _merged(one, other, one.operands, one.name)
    dropped = without(function, frozenset({one.name, other.name}))
    blocks = tuple(
        replace(block, instructions=(*block.instructions[:-1], moved, block.terminator))
        if block.name == head.name
        else block
        for block in dropped.blocks
    )
    return replaced(replace(dropped, blocks=blocks), {other.name: moved.result})


def sunk_through_phis(function: Function, known: Known) -> Iterator[Site]:
    """A phi of the same operation in every predecessor becomes the operation on a phi of the operands that differ."""
    uses = function.uses()
    for block in function.blocks:
        for phi in block.instructions:
            if phi.opcode != "phi" or len(set(phi.labels)) != len(phi.labels) or len(phi.labels) < 2:
                continue
            made = [known.definitions.get(value.name) if isinstance(value, Local) else None for value in phi.operands]
            several = [one for one in made if one is not None and is_movable(one) and uses[one.name] == 1]
            if len(several) != len(made) or any(not _same(several[0], one) for one in several):
                continue
            if several[0].opcode in _DIVISIONS | {"freeze", "extractvalue", "select"}:
                continue
            differing = [
                number
                for number in range(len(several[0].operands))
                if len({one.operands[number] for one in several}) > 1
            ]
            if len(differing) != 1 or not _is_free(several[0], differing[0]):
                continue
            yield (
                f"%{phi.name}",
                partial(_sunk, function, block, phi, several, differing[0]),
            )


def _is_free(one: Instruction, number: int) -> bool:
    """The operand may be any value, not only a literal; and the phi of it has a type of its own."""
    if one.opcode == "call":
        return number == 0 or not one.callee.startswith(("llvm.ctlz", "llvm.cttz", "llvm.abs"))
    return one.opcode != "getelementptr" or number == 0


def _sunk(function: Function, block: Block, phi: Instruction, several: list[Instruction], at: int) -> Function:
    taken = names_of(function)
    inner = Instruction(
        "phi", several[0].operands[at].type, tuple(one.operands[at] for one in several), fresh(taken, "differs"),
        labels=phi.labels,
    )  # fmt: skip
    outer = several[0]
    for one in several[1:]:
        outer = _merged(outer, one, outer.operands, phi.name)
    operands = (*outer.operands[:at], inner.result, *outer.operands[at + 1 :])
    outer = replace(outer, operands=operands, name=phi.name)
    phis = [one for one in block.instructions if one.opcode == "phi" and one is not phi]
    rest = [one for one in block.instructions if one.opcode != "phi"]
    new = replace(block, instructions=(*phis, inner, outer, *rest))
    changed = replace(function, blocks=tuple(new if each is block else each for each in function.blocks))
    gone = frozenset(one.name for one in several)
    return replace(
        changed,
        blocks=tuple(
            replace(
                each, instructions=tuple(one for one in each.instructions if not (one.name in gone and one in several))
            )
            for each in changed.blocks
        ),
    )


def sunk(function: Function, known: Known) -> Iterator[Site]:
    """An instruction whose only use is in one successor is done there, where that has no other predecessor."""
    before = function.predecessors()
    for block in function.blocks:
        for one in block.instructions:
            if not is_movable(one) or one.opcode in _DIVISIONS:
                continue
            users = [(each, use) for each in function.blocks for use in each.instructions if one.result in use.operands]
            if len({each.name for each, _ in users}) != 1 or users[0][0] is block:
                continue
            if any(use.opcode == "phi" for _, use in users) or before[users[0][0].name] != (block.name,):
                continue
            yield f"%{one.name}", partial(_moved, function, block, one, users[0][0])


def _moved(function: Function, block: Block, one: Instruction, to: Block) -> Function:
    phis = sum(each.opcode == "phi" for each in to.instructions)
    new = {
        block.name: replace(block, instructions=tuple(each for each in block.instructions if each is not one)),
        to.name: replace(to, instructions=(*to.instructions[:phis], one, *to.instructions[phis:])),
    }
    return replace(function, blocks=tuple(new.get(each.name, each) for each in function.blocks))
