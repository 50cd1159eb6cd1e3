"""Runs a function on integers, for tests of analyses: no undef, no memory."""

from __future__ import annotations

from m4alloc.superopt.ir import BINARY, Constant, Function, Instruction, Int, Local, Value
from m4alloc.superopt.simplify_fold import UndefinedBehaviourError, binary, cast, compare
from m4alloc.superopt.simplify_fold import intrinsic as fold_intrinsic

Result = int | tuple[int, ...] | None


def run(function: Function, given: tuple[int, ...]) -> tuple[list[tuple[str, dict[str, Result]]], Result]:
    """The blocks in the order they ran, each with all values known at its end, and the result.

    None stands for poison; UndefinedBehaviourError where there is UB (a branch on poison too).
    """
    values: dict[str, Result] = dict(zip((one.name for one in function.arguments), given, strict=True))
    path: list[tuple[str, dict[str, Result]]] = []
    block, before = function.blocks[0], ""
    while True:
        fresh = {}
        for one in block.instructions:
            if one.opcode == "phi":
                fresh[one.name] = _value(one.operands[one.labels.index(before)], values)
        values |= fresh
        for one in block.instructions:
            if one.opcode == "phi" or one.is_terminator:
                continue
            values[one.name] = _computed(one, [_value(operand, values) for operand in one.operands])
        path.append((block.name, dict(values)))
        end = block.terminator
        if end.opcode == "ret":
            return path, _value(end.operands[0], values) if end.operands else None
        if end.opcode == "unreachable":
            raise UndefinedBehaviourError("unreachable")
        label = end.labels[0]
        if end.operands:
            chosen = _value(end.operands[0], values)
            if chosen is None:
                raise UndefinedBehaviourError("a branch on poison")
            if end.opcode == "br":
                label = end.labels[0 if chosen else 1]
            else:
                for case, one_label in zip(end.operands[1:], end.labels[1:], strict=True):
                    if isinstance(case, Constant) and case.value == chosen:
                        label = one_label
        before, block = block.name, function.block(label)


def _value(operand: Value, values: dict[str, Result]) -> Result:
    if isinstance(operand, Constant):
        return operand.value
    return values[operand.name] if isinstance(operand, Local) else None


def _computed(one: Instruction, operands: list[Result]) -> Result:
    if one.opcode == "select":
        return None if operands[0] is None else operands[1] if operands[0] else operands[2]
    if one.opcode == "freeze":
        return 0 if operands[0] is None else operands[0]
    if one.opcode in ("udiv", "sdiv", "urem", "srem") and operands[1] is None:
        raise UndefinedBehaviourError("a division by poison")
    if any(operand is None for operand in operands):
        return None
    numbers = [operand for operand in operands if isinstance(operand, int)]
    if one.opcode == "extractvalue":
        pair = operands[0]
        assert isinstance(pair, tuple)
        return pair[one.indices[0]]
    type = one.operands[0].type
    assert isinstance(type, Int)
    width = type.width
    if one.opcode in BINARY:
        return binary(one.opcode, numbers[0], numbers[1], width, one.flags)
    if one.opcode in ("zext", "sext", "trunc"):
        assert isinstance(one.type, Int)
        return cast(one.opcode, numbers[0], width, one.type.width, one.flags)
    if one.opcode == "icmp":
        return compare(one.predicate, numbers[0], numbers[1], width, one.flags)
    return fold_intrinsic(one.intrinsic, numbers, width)
