"""Puts the proved replacement of a piece back into its function; m4alloc.superopt.slices says why that is sound."""

from __future__ import annotations

from dataclasses import replace

from m4alloc.superopt import printer
from m4alloc.superopt.ir import Function, Instruction, Local, Value
from m4alloc.superopt.known import Known
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.slices_facts import is_fixed
from m4alloc.superopt.slices_piece import Slice, fresh, with_operands


def replaced(function: Function, piece: Slice, proved: Function) -> Function:
    """The function with a piece exchanged for its proved replacement, verified by LLVM.

    What only the piece used is left behind for `simplify.cleaned`.  Raises IrError where the replacement has another
    signature, more than one block (of a cone or a unit), or an instruction that may not stand there.
    """
    if proved.type != piece.function.type or [a.type for a in proved.arguments] != [
        a.type for a in piece.function.arguments
    ]:
        raise IrError(f"@{proved.name} has another signature than the piece @{piece.function.name}")
    if piece.kind == "function":
        if [a.name for a in proved.arguments] != [a.name for a in function.arguments]:
            raise IrError(f"@{proved.name} names its arguments otherwise than @{function.name}")
        result = replace(function, blocks=proved.blocks)
    else:
        result = _exchanged(function, piece, proved)
    printer.checked(result)
    return result


def _exchanged(function: Function, piece: Slice, proved: Function) -> Function:
    _require_straight(piece, proved)
    taken = {instruction.name for instruction in function if instruction.name}
    taken |= {argument.name for argument in function.arguments} | {block.name for block in function.blocks}
    values: dict[Value, Value] = {}
    known = Known(function)
    body: list[Instruction] = []
    addresses = _addresses(piece.function)
    for argument, own, leaf in zip(proved.arguments, piece.function.arguments, piece.leaves, strict=True):
        values[argument.value] = leaf
        may_vary = own.value not in addresses and not is_fixed(known, leaf)
        if may_vary and _paths(proved, argument.value) > 1:
            frozen = Instruction("freeze", leaf.type, (leaf,), fresh(f"{leaf.name}.fixed", taken, "."))
            body.append(frozen)
            values[argument.value] = frozen.result
    for instruction in proved.blocks[0].instructions[:-1]:
        new = with_operands(instruction, values)
        if new.name:
            new = replace(new, name=fresh(new.name, taken, "."))
            values[instruction.result] = new.result
        body.append(new)
    returned = proved.blocks[0].terminator.operands
    outputs = [function.definitions()[name].result for name in piece.outputs]
    changes: dict[Value, Value] = {}
    if len(outputs) == 1:
        changes[outputs[0]] = values.get(returned[0], returned[0])
    elif outputs:
        whole = values.get(returned[0], returned[0])
        made = {instruction.name: instruction for instruction in body if instruction.name}
        for number, output in enumerate(outputs):
            field = _field(whole, number, made)
            if field is None:
                part = Instruction(
                    "extractvalue", output.type, (whole,), fresh(output.name, taken, "."), indices=(number,)
                )
                body.append(part)
                field = part.result
            changes[output] = field
    return _with_body(function, piece, body, changes)


def _require_straight(piece: Slice, proved: Function) -> None:
    if len(proved.blocks) != 1 or proved.blocks[0].terminator.opcode != "ret":
        raise IrError(f"the replacement of {piece.name} has branches; only straight-line code can be put back")
    allowed = {"load", "store"} if piece.kind == "unit" else set()
    for instruction in proved.blocks[0].instructions[:-1]:
        is_assumption = instruction.callee == "llvm.assume"
        if (
            not (instruction.is_pure or is_assumption or instruction.opcode in allowed)
            or "volatile" in instruction.flags
        ):
            raise IrError(f"the replacement of {piece.name} holds a {instruction.opcode}, which may not stand there")


def _with_body(function: Function, piece: Slice, body: list[Instruction], changes: dict[Value, Value]) -> Function:
    """The new body in the piece's place, and new operands everywhere."""
    blocks = []
    for block in function.blocks:
        instructions: list[Instruction] = []
        for index, instruction in enumerate(block.instructions):
            is_here = block.name == piece.block and piece.start <= index < piece.stop
            if is_here and index == piece.start:
                instructions.extend(body)
            if not is_here:
                instructions.append(with_operands(instruction, changes))
        blocks.append(replace(block, instructions=tuple(instructions)))
    return replace(function, blocks=tuple(blocks))


def _field(whole: Value, number: int, made: dict[str, Instruction]) -> Value | None:
    """The value that was inserted as field `number`, where that is seen."""
    while isinstance(whole, Local) and whole.name in made and made[whole.name].opcode == "insertvalue":
        instruction = made[whole.name]
        if instruction.indices == (number,):
            return instruction.operands[1]
        if instruction.indices[0] == number:
            return None
        whole = instruction.operands[0]
    return None


def _addresses(function: Function) -> set[Value]:
    """What the addresses of a unit's accesses are made of: an address that may be undef is undefined, and
    `getelementptr` gives two addresses for two bases."""
    found: set[Value] = set()
    for instruction in reversed(function.blocks[0].instructions):
        if instruction.opcode in {"load", "store"}:
            found.add(instruction.operands[-1])
        elif instruction.opcode == "getelementptr" and instruction.result in found:
            found.add(instruction.operands[0])
    return found


def _paths(proved: Function, value: Value) -> int:
    """Ways from a value to where straight-line code is observed; a freeze ends a way, as it makes one choice."""
    ways: dict[Value, int] = {}
    for instruction in reversed(proved.blocks[0].instructions):
        ends = not instruction.name or instruction.opcode in {"freeze", "load"}
        onward = 1 if ends else ways.get(instruction.result, 0)
        for operand in instruction.operands:
            ways[operand] = ways.get(operand, 0) + onward
    return ways.get(value, 0)
