"""A piece of a function, and what pieces are made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function, Instruction, Int, Local, Pointer, Type, Value, Vector


@dataclass(frozen=True)
class Slice:
    """A piece of a function.

    function: the piece; its arguments are named so that facts can speak of them.  leaves: the value in the original
    for each argument.  outputs: the names in the original of what the piece gives (several as a structure).
    members: the original's instructions that it was made of.  kind: "cone" (pure instructions that lead to `outputs`),
    "unit" (consecutive instructions of a block, with its loads and stores), "function" (all of it).
    kept: members that stay after the replacement because others use them, so that rewriting them saves nothing.
    start, stop: the places in `block` of the instructions that a replacement takes the place of.
    """

    function: Function
    kind: str
    block: str
    leaves: tuple[Local, ...]
    outputs: tuple[str, ...]
    members: tuple[str, ...]
    facts: tuple[Fact, ...] = ()
    kept: tuple[str, ...] = ()
    start: int = 0
    stop: int = 0

    @property
    def name(self) -> str:
        """What it is, for people."""
        what = {"cone": f"%{', %'.join(self.outputs)}", "unit": f"block %{self.block}", "function": "whole function"}
        return what[self.kind]


def is_plain(type_: Type) -> bool:
    """Values of the type may be arguments and results of a piece: integers, addresses, vectors of them."""
    element = type_.element if isinstance(type_, Vector) else type_
    return isinstance(element, Int) or (isinstance(element, Pointer) and element.space == 0)


def with_operands(instruction: Instruction, changes: Mapping[Value, Value]) -> Instruction:
    """The instruction with some operands exchanged."""
    operands = tuple(changes.get(operand, operand) for operand in instruction.operands)
    return instruction if operands == instruction.operands else instruction.with_operands(operands)


def fresh(name: str, taken: set[str], sign: str) -> str:
    """The name, or one like it that is not taken; it is taken afterwards."""
    found, number = name, 0
    while found in taken:
        number += 1
        found = f"{name}{sign}{number}"
    taken.add(found)
    return found
