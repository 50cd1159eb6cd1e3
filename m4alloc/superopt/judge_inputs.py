"""Counterexamples as further test inputs, and arguments by other names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from m4alloc.superopt.ir import Argument, Function, Instruction, Int, Local, Pointer, Value
from m4alloc.superopt.vectors import Vectors
from m4alloc.superopt.vectors_ops import Lanes


def joined(function: Function, tests: Vectors, inputs: Sequence[tuple[str, str]]) -> Vectors | None:
    """The tests with one more input, given by name as text; None where some argument is no plain integer or poison.

    >>> tests = Vectors((Lanes(np.array([1], np.uint64)),), 1)
    >>> x = Argument("x", Int(8))
    >>> joined(Function("f", Int(8), (x,), ()), tests, [("x", "255")]).inputs[0].value.tolist()
    [1, 255]
    """
    given = dict(inputs)
    columns = []
    for argument, lanes in zip(function.arguments, tests.inputs, strict=True):
        word = read(given.get(argument.name, "0"), argument)
        if word is None:
            return None
        value, lost = word
        poison = lanes.poison
        if lost or poison is not None:
            before = np.zeros(tests.count, np.bool_) if poison is None else poison
            poison = np.append(before, np.bool_(lost))
        columns.append(Lanes(np.append(lanes.value, np.uint64(value)), poison))
    return Vectors(tuple(columns), tests.count + 1)


def read(text: str, argument: Argument) -> tuple[int, bool] | None:
    """(value, poison) of a counterexample's text; None for undef, a vector, and a pointer into memory."""
    if not isinstance(argument.type, Int | Pointer) or (isinstance(argument.type, Int) and argument.type.width > 64):
        return None
    if text == "poison":
        return 0, True
    width = argument.type.width if isinstance(argument.type, Int) else 64
    try:
        return int(text.split(" ")[0], 0) & ((1 << width) - 1), False
    except ValueError:
        return None


def with_argument_names(function: Function, arguments: Sequence[Argument]) -> Function:
    """The same function whose arguments are called as given; locals that would clash get a new name."""
    names = {mine.name: theirs.name for mine, theirs in zip(function.arguments, arguments, strict=True)}
    taken = {theirs.name for theirs in arguments}
    used = taken | {instruction.name for instruction in function}
    for instruction in function:
        if instruction.name in taken:
            fresh = instruction.name
            while fresh in used:
                fresh += "_"
            used.add(fresh)
            names[instruction.name] = fresh

    def renamed(value: Value) -> Value:
        return Local(names.get(value.name, value.name), value.type) if isinstance(value, Local) else value

    def change(instruction: Instruction) -> Instruction:
        return replace(
            instruction,
            name=names.get(instruction.name, instruction.name),
            operands=tuple(map(renamed, instruction.operands)),
        )

    changed = function.mapped(change)
    return replace(
        changed,
        arguments=tuple(replace(mine, name=names[mine.name]) for mine in function.arguments),
    )
