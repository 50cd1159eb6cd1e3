"""Cuts loop-free pieces out of a function, and puts their proved replacements back.

A piece is a function of its own: what it needs from outside are its arguments, what is used of it outside its result.
Putting a proved piece back is sound, because each step below only makes the function do less than before:

- An argument stands for any value at all: that the values of a function depend on one another, or come from memory that
  the piece does not see, leaves fewer inputs than were proved.
- A proof covers an argument that is poison, that is undef, or that has one value.  In the function it may also have
  some values and not others (`and undef, 3`), anew at each use.  A value of which every use sees the same bits
  (`slices_facts.is_fixed`) has no such choice, nor has the address of an access, as it would be undefined.  Any other
  may be used along one path only: then what the replacement can give is the union over the choices, each of which was
  proved.  Where there are several paths, `replaced` freezes the value first: one choice for all of them, and what the
  original does with a frozen value it may do with the value.
- Facts are what holds whenever the place of the replacement is reached (see slices_facts).  A fact says that its values
  are not poison either, as the branch that it comes from would be undefined.
- A division that is undefined in the piece was undefined in the function, earlier on the same path.
- A `freeze` is never inside a cone: a second copy of it could choose another value than the first.
- Cones have no memory in them.  In a unit of a block, bytes of memory are a value, undef or poison, as in the checker.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from m4alloc.superopt.ir import (
    VOID,
    Argument,
    Block,
    Function,
    Instruction,
    Int,
    Local,
    Poison,
    Struct,
    Type,
    Value,
    Vector,
)
from m4alloc.superopt.known import Known, reverse_postorder
from m4alloc.superopt.slices_back import replaced
from m4alloc.superopt.slices_facts import Place, is_defined, words_of
from m4alloc.superopt.slices_piece import Slice, fresh, is_plain, with_operands

__all__ = ["Slice", "is_loop_free", "replaced", "slices"]

LARGEST = 24
"""Instructions in a cone or a unit; what is further from the root becomes an argument."""

_NOT_IN_CONES = frozenset({"freeze", "inttoptr"})
_NOT_IN_UNITS = frozenset({"opaque", "phi", "alloca"})
_KEPT = ("noundef", "nonnull", "align ", "range(")
"""Attributes that a piece's argument may carry: their meaning does not depend on memory."""


def slices(function: Function, most: int = 16, *, largest: int = LARGEST) -> tuple[Slice, ...]:
    """Pieces worth improving, at most `most`: the whole function where it has no loop and is all in the subset, then
    units with memory and cones of pure instructions, the largest first.

    Of a cone some members of which are used outside too, a second one is made with those as arguments.
    Linear in the function's size, times the number of pieces.
    """
    cutter = _Cutter(function, largest)
    found: dict[object, Slice] = {}
    if cutter.is_whole:
        found["function"] = cutter.whole()
    pieces = sorted([*cutter.units(), *cutter.cones()], key=lambda piece: -piece.function.size)
    for piece in pieces:
        found.setdefault((piece.members, piece.leaves, piece.outputs), piece)
    return tuple(list(found.values())[:most])


def is_loop_free(function: Function) -> bool:
    """No block can run twice."""
    order = {name: place for place, name in enumerate(reverse_postorder(function))}
    return all(
        order[successor] > order[block.name]
        for block in function.blocks
        if block.name in order
        for successor in block.successors
    )


class _Cutter:
    def __init__(self, function: Function, largest: int) -> None:
        self.function = function
        self.largest = largest
        self.known = Known(function)
        self.definitions = function.definitions()
        self.order = {name: place for place, name in enumerate(reverse_postorder(function))}
        self.place = {
            instruction.name: (self.order.get(block.name, -1), index)
            for block in function.blocks
            for index, instruction in enumerate(block.instructions)
            if instruction.name
        }
        self.users: dict[str, list[tuple[str, int, Instruction]]] = {}
        for block in function.blocks:
            for index, instruction in enumerate(block.instructions):
                for operand in instruction.operands:
                    if isinstance(operand, Local):
                        self.users.setdefault(operand.name, []).append((block.name, index, instruction))

    @property
    def is_whole(self) -> bool:
        return not self.function.is_opaque and is_loop_free(self.function) and self.function.size > 0

    def whole(self) -> Slice:
        leaves = tuple(argument.value for argument in self.function.arguments)
        return Slice(self.function, "function", self.function.blocks[0].name, leaves, (), tuple(self.definitions))

    # Cones.

    def cones(self) -> Iterator[Slice]:
        """A cone for each integer that something other than integer arithmetic uses."""
        for block in self.function.blocks:
            if block.name not in self.order:
                continue
            for index, instruction in enumerate(block.instructions):
                if not self._is_root(instruction):
                    continue
                members = self._cone(instruction.name, frozenset())
                if len(members) < 2:
                    continue
                full = self._slice_of_cone(block.name, index, members)
                yield full
                if full.kept:
                    alone = self._cone(instruction.name, frozenset(full.kept))
                    if len(alone) >= 2:
                        yield self._slice_of_cone(block.name, index, alone)

    def _is_root(self, instruction: Instruction) -> bool:
        if not (self._is_integer(instruction.type) and self._may_join(instruction)):
            return False
        return any(
            not (self._is_integer(user.type) and self._may_join(user))
            for _, _, user in self.users.get(instruction.name, ())
        )

    @staticmethod
    def _is_integer(type_: Type) -> bool:
        return isinstance(type_, Int) or (isinstance(type_, Vector) and isinstance(type_.element, Int))

    @staticmethod
    def _may_join(instruction: Instruction) -> bool:
        return bool(instruction.name) and instruction.is_pure and instruction.opcode not in _NOT_IN_CONES

    def _cone(self, root: str, never: frozenset[str]) -> tuple[str, ...]:
        """Names of the pure instructions nearest to the root, each after what it needs."""
        members = {root: None}
        queue = [root]
        while queue and len(members) < self.largest:
            for operand in self.definitions[queue.pop(0)].operands:
                if not isinstance(operand, Local) or operand.name in members or operand.name in never:
                    continue
                definition = self.definitions.get(operand.name)
                if definition is not None and self._may_join(definition) and len(members) < self.largest:
                    members[operand.name] = None
                    queue.append(operand.name)
        while True:  # an instruction that needs what cannot be an argument is an argument itself
            unfit = [name for name in members if not self._is_fit(self.definitions[name], members)]
            if not unfit:
                return tuple(sorted(self._reaching(root, members), key=lambda name: self.place[name]))
            if root in unfit:
                return ()
            for name in unfit:
                del members[name]

    @staticmethod
    def _is_fit(instruction: Instruction, members: Iterable[str]) -> bool:
        return all(
            operand.name in members or is_plain(operand.type)
            for operand in instruction.operands
            if isinstance(operand, Local)
        )

    def _reaching(self, root: str, members: Iterable[str]) -> set[str]:
        """The members that still lead to the root."""
        found = {root}
        work = [root]
        while work:
            for operand in self.definitions[work.pop()].operands:
                if isinstance(operand, Local) and operand.name in members and operand.name not in found:
                    found.add(operand.name)
                    work.append(operand.name)
        return found

    def _slice_of_cone(self, block: str, index: int, members: tuple[str, ...]) -> Slice:
        root = self.function.block(block).instructions[index].name
        inside = set(members)
        kept = {
            name for name in members if name != root and any(user.name not in inside for _, _, user in self.users[name])
        }
        work = list(kept)
        while work:  # what is kept needs its operands
            for operand in self.definitions[work.pop()].operands:
                if isinstance(operand, Local) and operand.name in inside and operand.name not in kept:
                    kept.add(operand.name)
                    work.append(operand.name)
        body = [self.definitions[name] for name in members]
        piece = self._piece("cone", block, index, body, (root,))
        return replace(piece, kept=tuple(name for name in members if name in kept))

    # Units.

    def units(self) -> Iterator[Slice]:
        """Runs of instructions within a block that hold a load or a store."""
        for block in self.function.blocks:
            if block.name not in self.order:
                continue
            run: list[Instruction] = []
            start = 0
            for index, instruction in enumerate(block.instructions):
                fits = self._may_be_in_unit(instruction)
                if fits:
                    run.append(instruction)
                if run and (not fits or len(run) == self.largest):
                    yield from self._unit(block, start, run)
                    run = []
                if not run:
                    start = index + 1
            if run:
                yield from self._unit(block, start, run)

    @staticmethod
    def _may_be_in_unit(instruction: Instruction) -> bool:
        return (
            instruction.opcode not in _NOT_IN_UNITS
            and not instruction.is_terminator
            and instruction.opcode != "unreachable"
            and "volatile" not in instruction.flags
            and all(is_plain(value.type) or isinstance(value.type, Struct) for value in instruction.operands)
            and (is_plain(instruction.type) or isinstance(instruction.type, Struct) or instruction.type == VOID)
        )

    def _unit(self, block: Block, start: int, run: list[Instruction]) -> Iterator[Slice]:
        if len(run) < 2 or not any(instruction.opcode in {"load", "store"} for instruction in run):
            return
        places = range(start, start + len(run))
        outputs = tuple(
            instruction.name
            for instruction in run
            if instruction.name
            and any(
                home != block.name or place not in places for home, place, _ in self.users.get(instruction.name, ())
            )
        )
        if not all(is_plain(self.definitions[name].type) for name in outputs):
            return
        piece = self._piece("unit", block.name, start, run, outputs)
        if all(is_plain(leaf.type) for leaf in piece.leaves):
            yield piece

    # Both.

    def _piece(self, kind: str, block: str, index: int, body: list[Instruction], outputs: tuple[str, ...]) -> Slice:
        inside = {instruction.name for instruction in body if instruction.name}
        leaves: dict[Local, None] = {}
        for instruction in body:
            for operand in instruction.operands:
                if isinstance(operand, Local) and operand.name not in inside:
                    leaves.setdefault(operand)
        words: dict[Value, str] = {}
        taken = set(inside)
        for leaf in leaves:
            words[leaf] = _word(leaf.name, taken)
        arguments = tuple(Argument(words[leaf], leaf.type, self._attributes(leaf)) for leaf in leaves)
        renamed = [
            with_operands(instruction, {leaf: Local(word, leaf.type) for leaf, word in words.items()})
            for instruction in body
        ]
        type_, ending = _result([Local(name, self.definitions[name].type) for name in outputs], taken)
        label = outputs[-1] if kind == "cone" else f"{block}.{index}"
        function = Function(f"{self.function.name}.{label}", type_, arguments, (Block("entry", (*renamed, *ending)),))
        facts = Place(self.function, self.known, block, index, words).facts()
        members = tuple(instruction.name for instruction in body if instruction.name)
        stop = index + (1 if kind == "cone" else len(body))
        return Slice(function, kind, block, tuple(leaves), outputs, members, facts, start=index, stop=stop)

    def _attributes(self, leaf: Local) -> tuple[str, ...]:
        """Of a leaf as an argument."""
        words = words_of(self.known, leaf)
        found = [word for word in words if word.startswith(_KEPT) and word != "noundef"]
        return tuple(["noundef", *found] if is_defined(self.known, leaf) else found)


def _word(name: str, taken: set[str]) -> str:
    """A name as facts can write it: a Python identifier that means nothing else."""
    word = re.sub(r"\W", "_", name)
    if not word or word[0].isdigit() or keyword.iskeyword(word) or word in {"signed", "align", "popcount"}:
        word = f"v{word}"
    return fresh(word, taken, "_")


def _result(outputs: list[Local], taken: set[str]) -> tuple[Type, list[Instruction]]:
    """The type that gives all outputs, and the instructions that return them."""
    if len(outputs) < 2:
        return outputs[0].type if outputs else VOID, [Instruction("ret", VOID, tuple(outputs))]
    type_ = Struct(tuple(output.type for output in outputs))
    value: Value = Poison(type_)
    ending = []
    for number, output in enumerate(outputs):
        made = Instruction("insertvalue", type_, (value, output), fresh("result", taken, "."), indices=(number,))
        ending.append(made)
        value = made.result
    return type_, [*ending, Instruction("ret", VOID, (value,))]
