"""Rewrites of control flow that need no cost: dead blocks, decided branches, merged blocks, trivial phis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from m4alloc.superopt.ir import (
    VOID,
    Block,
    Constant,
    Function,
    Instruction,
    Local,
    Value,
)
from m4alloc.superopt.known import reverse_postorder


def replaced(function: Function, changes: dict[str, Value]) -> Function:
    """Each use of a named local replaced; a replacement may itself be replaced."""
    if not changes:
        return function

    def final(value: Value) -> Value:
        seen = 0
        while isinstance(value, Local) and value.name in changes and seen <= len(changes):
            value = changes[value.name]
            seen += 1
        return value

    def change(instruction: Instruction) -> Instruction:
        operands = tuple(final(operand) for operand in instruction.operands)
        return instruction if operands == instruction.operands else instruction.with_operands(operands)

    return function.mapped(change)


def without(function: Function, names: frozenset[str]) -> Function:
    """Without the instructions that define these names."""
    return replace(
        function,
        blocks=tuple(
            replace(
                block, instructions=tuple(one for one in block.instructions if one.name not in names or not one.name)
            )
            for block in function.blocks
        ),
    )


def with_edge_removed(block: Block, predecessor: str, keep: int = 0) -> Block:
    """A block whose phis list `predecessor` at most `keep` times."""
    instructions = []
    for one in block.instructions:
        if one.opcode == "phi":
            kept: list[tuple[Value, str]] = []
            left = keep
            for operand, label in zip(one.operands, one.labels, strict=True):
                if label != predecessor or left > 0:
                    kept.append((operand, label))
                    left -= label == predecessor
            operands, labels = tuple(pair[0] for pair in kept), tuple(pair[1] for pair in kept)
            instructions.append(replace(one, operands=operands, labels=labels))
        else:
            instructions.append(one)
    return replace(block, instructions=tuple(instructions))


def jump(label: str) -> Instruction:
    """An unconditional branch."""
    return Instruction("br", VOID, labels=(label,))


def with_terminator(function: Function, name: str, terminator: Instruction) -> Function:
    """The block ends in another terminator; the phis of successors that lose an edge are mended."""
    old = function.block(name).terminator
    blocks = []
    for block in function.blocks:
        new = replace(block, instructions=(*block.instructions[:-1], terminator)) if block.name == name else block
        if block.name in old.labels and old.labels.count(block.name) > terminator.labels.count(block.name):
            new = with_edge_removed(new, name, terminator.labels.count(block.name))
        blocks.append(new)
    return replace(function, blocks=tuple(blocks))


def decided(terminator: Instruction) -> Instruction | None:
    """The unconditional branch that a terminator comes to; None where it is open."""
    if terminator.opcode == "br" and len(terminator.labels) == 2:
        condition = terminator.operands[0]
        if isinstance(condition, Constant):
            return jump(terminator.labels[0 if condition.value else 1])
        if terminator.labels[0] == terminator.labels[1]:
            return jump(terminator.labels[0])
    if terminator.opcode == "switch":
        value = terminator.operands[0]
        if isinstance(value, Constant):
            cases = dict(zip(terminator.operands[1:], terminator.labels[1:], strict=True))
            return jump(cases.get(value, terminator.labels[0]))
        if len(set(terminator.labels)) == 1:
            return jump(terminator.labels[0])
    return None


def decided_branches(function: Function) -> Function:
    """Branches on constants, and branches whose destinations are the same, become jumps."""
    for block in function.blocks:
        if (jumped := decided(block.terminator)) is not None:
            function = with_terminator(function, block.name, jumped)
    return function


def reachable(function: Function) -> Function:
    """Without the blocks that no path reaches; opaque terminators keep their labels as edges."""
    kept = set(reverse_postorder(function))
    if len(kept) == len(function.blocks):
        return function
    gone = [block.name for block in function.blocks if block.name not in kept]
    blocks = []
    for block in function.blocks:
        if block.name in kept:
            for name in gone:
                block = with_edge_removed(block, name)
            blocks.append(block)
    return replace(function, blocks=tuple(blocks))


def _repeated(function: Function, change: Callable[[Function], Function | None]) -> Function:
    while (changed := change(function)) is not None:
        function = changed
    return function


def trivial_phis(function: Function) -> Function:
    """A phi whose operands are all one value, itself not counted, is that value."""
    return _repeated(function, _without_a_phi)


def _without_a_phi(function: Function) -> Function | None:
    for one in function:
        if one.opcode == "phi":
            values = {operand for operand in one.operands if operand != one.result}
            if len(values) == 1:
                return without(replaced(function, {one.name: values.pop()}), frozenset({one.name}))
    return None


def merged_blocks(function: Function) -> Function:
    """A block and its only successor, whose only predecessor it is, become one."""
    return _repeated(function, _with_a_merger)


def _with_a_merger(function: Function) -> Function | None:
    before = function.predecessors()
    for block in function.blocks:
        end = block.terminator
        if end.opcode != "br" or len(end.labels) != 1:
            continue
        following = end.labels[0]
        if following == block.name or following == function.blocks[0].name or before[following] != (block.name,):
            continue
        next_ = function.block(following)
        if any(one.opcode == "phi" for one in next_.instructions):
            continue
        joined = replace(block, instructions=(*block.instructions[:-1], *next_.instructions))
        blocks = [joined if one.name == block.name else one for one in function.blocks if one.name != following]
        return replace(function, blocks=tuple(_renamed_label(one, following, block.name) for one in blocks))
    return None


def _renamed_label(block: Block, old: str, new: str) -> Block:
    if not any(one.opcode == "phi" and old in one.labels for one in block.instructions):
        return block
    return replace(
        block,
        instructions=tuple(
            replace(one, labels=tuple(new if label == old else label for label in one.labels))
            if one.opcode == "phi"
            else one
            for one in block.instructions
        ),
    )


def skipped_blocks(function: Function) -> Function:
    """An empty block that only jumps on is skipped, where the destination has no phi or gets the same values."""
    return _repeated(function, _with_a_skip)


def _with_a_skip(function: Function) -> Function | None:
    before = function.predecessors()
    for block in function.blocks[1:]:
        if len(block.instructions) != 1 or block.terminator.opcode != "br" or len(block.terminator.labels) != 1:
            continue
        following = block.terminator.labels[0]
        if following == block.name or block.name == function.blocks[0].name:
            continue
        destination = function.block(following)
        phis = [one for one in destination.instructions if one.opcode == "phi"]
        sources = before[block.name]
        if phis and any(following in function.block(source).successors for source in sources):
            continue
        if not sources or any(function.block(source).terminator.opcode == "opaque" for source in sources):
            continue
        return _skipped(function, block.name, following, sources)
    return None


def _skipped(function: Function, name: str, following: str, sources: tuple[str, ...]) -> Function:
    edges = [source for source in sources for label in function.block(source).terminator.labels if label == name]
    blocks = []
    for block in function.blocks:
        if block.name == name:
            continue
        instructions = []
        for one in block.instructions:
            if one.opcode == "phi" and block.name == following:
                pairs: list[tuple[Value, str]] = []
                for operand, label in zip(one.operands, one.labels, strict=True):
                    pairs += [(operand, source) for source in edges] if label == name else [(operand, label)]
                one = replace(one, operands=tuple(a for a, _ in pairs), labels=tuple(b for _, b in pairs))
            elif one.is_terminator:
                one = replace(one, labels=tuple(following if label == name else label for label in one.labels))
            instructions.append(one)
        blocks.append(replace(block, instructions=tuple(instructions)))
    return replace(function, blocks=tuple(blocks))
