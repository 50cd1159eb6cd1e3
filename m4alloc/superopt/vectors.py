"""Quick tests of functions without memory: N inputs at once, one numpy operation an instruction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_attributes import base_name, range_of
from m4alloc.superopt.ir import (
    Block,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Local,
    Null,
    Poison,
    Struct,
    Value,
    Vector,
)
from m4alloc.superopt.vectors_inputs import draws, is_word, scalar_width
from m4alloc.superopt.vectors_ops import Lanes, Masks, either, operation
from m4alloc.superopt.vectors_shapes import SHAPING, Item, bitcast
from m4alloc.superopt.vectors_words import Mask, Words, is_within
from m4alloc.superopt.verdict import UnsupportedError


@dataclass(frozen=True)
class Vectors:
    """Inputs that satisfy the facts they were drawn for.

    inputs: for each argument, in order, its value in every run; `count` runs.
    """

    inputs: tuple[Lanes, ...]
    count: int
    _constants: dict[Value, Lanes] = field(default_factory=dict, repr=False, compare=False)

    def constant(self, value: Value) -> Lanes:
        """A constant, the same in every run; UnsupportedError for undef and for what has no value."""
        found = self._constants.get(value)
        if found is None:
            found = self._constants[value] = self._spread(value)
        return found

    def _spread(self, value: Value) -> Lanes:
        if isinstance(value, Constant) and value.type.width <= 64:
            return Lanes(np.full(self.count, value.value, np.uint64))
        if isinstance(value, Null):
            return Lanes(np.zeros(self.count, np.uint64))
        if isinstance(value, ConstantVector):
            elements = [self.constant(element) for element in value.elements]
            if any(element.poison is not None for element in elements):
                poison = [element.poison if element.poison is not None else np.zeros(self.count, np.bool_)
                          for element in elements]  # fmt: skip
                return Lanes(np.stack([element.value for element in elements]), np.stack(poison))
            return Lanes(np.stack([element.value for element in elements]))
        if isinstance(value, Poison) and is_word(value.type) and not isinstance(value.type, Struct):
            shape = (value.type.count, self.count) if isinstance(value.type, Vector) else (self.count,)
            return Lanes(np.zeros(shape, np.uint64), np.ones(shape, np.bool_))
        raise UnsupportedError(f"quick tests have no value for {value}")

    def input(self, run: int) -> tuple[int | tuple[int | None, ...] | None, ...]:
        """The arguments of one run: integers, tuples for vectors, None for poison."""
        row: list[int | tuple[int | None, ...] | None] = []
        for lanes in self.inputs:
            column = np.atleast_2d(lanes.value)[:, run].tolist()
            lost = [False] * len(column) if lanes.poison is None else np.atleast_2d(lanes.poison)[:, run].tolist()
            scalars = tuple(None if bad else int(word) for word, bad in zip(column, lost, strict=True))
            row.append(scalars[0] if lanes.value.ndim == 1 else scalars)
        return tuple(row)


@dataclass(frozen=True)
class Results:
    """What a function gives in every run.

    value, poison: shape (k, N), k scalars of the result (0 for void); ub: shape (N,).
    vague: shape (N,), runs in which a poison value was frozen, so that `value` is only one of several.
    """

    value: Words
    poison: Mask
    ub: Mask
    vague: Mask


def test_vectors(function: Function, facts: Sequence[Fact] = (), count: int = 256, seed: int = 0) -> Vectors | None:
    """Inputs for the function that satisfy the facts; every input, where there are no more than `count`.

    None where an argument's type is not covered or no input satisfies the facts.  Deterministic in `seed`.
    Errors: FactError.  Cost: 2 to 10 ms.
    """
    if not all(is_word(argument.type) and not isinstance(argument.type, Struct) for argument in function.arguments):
        return None
    rows = draws(function, facts, count, seed)
    if not rows:
        return None
    inputs = []
    for place, argument in enumerate(function.arguments):
        scalars = [row[place] for row in rows]
        value = np.array([[0 if s is None else s for s in column] for column in scalars], np.uint64).T
        lost = np.array([[s is None for s in column] for column in scalars], np.bool_).T
        if not isinstance(argument.type, Vector):
            value, lost = value[0], lost[0]
        inputs.append(Lanes(np.ascontiguousarray(value), np.ascontiguousarray(lost) if lost.any() else None))
    return Vectors(tuple(inputs), len(rows))


test_vectors.__test__ = False  # type: ignore[attr-defined]  # pytest would take the name for a test


def run(function: Function, vectors: Vectors) -> Results | None:
    """What the function gives on the vectors; None where a construct is not covered.

    Undef, memory, loops, other calls than intrinsics, and attributes that are not understood are not covered.
    Cost: about 10 microseconds an instruction at 256 vectors.
    """
    try:
        return _Run(function, vectors).results()
    except (UnsupportedError, KeyError):
        return None


def refines_on(source: Results, target: Results) -> npt.NDArray[np.bool_]:
    """In which runs the target does nothing that the source may not; True also where the run cannot tell.

    >>> x = np.array([[1, 2]], np.uint64)
    >>> no = np.array([False, False])
    >>> a, b = Results(x, np.array([[True, False]]), no, no), Results(x, np.array([[False, True]]), no, no)
    >>> refines_on(a, b).tolist()
    [True, False]
    """
    scalars = source.poison | (~target.poison & (source.value == target.value))
    same = scalars.all(0) if len(scalars) != 1 else scalars[0]
    found: npt.NDArray[np.bool_] = source.ub | source.vague | target.vague | (same & ~target.ub)
    return found


Environment: TypeAlias = dict[str, Item]


class _Run:
    """One function on one set of vectors."""

    def __init__(self, function: Function, vectors: Vectors) -> None:
        self.function = function
        self.vectors = vectors
        self.values: Environment = {
            argument.name: lanes for argument, lanes in zip(function.arguments, vectors.inputs, strict=True)
        }
        self.ub: Masks = None
        self.vague: Masks = None
        self.returned: list[tuple[Masks, Item]] = []

    def results(self) -> Results:
        """The whole function."""
        blocks = self.function.blocks
        if len(blocks) == 1:
            self._block(blocks[0], None)
        else:
            self._graph()
        return self._collect()

    def _get(self, operand: Value) -> Item:
        return self.values[operand.name] if isinstance(operand, Local) else self.vectors.constant(operand)

    def _lanes(self, operand: Value) -> Lanes:
        item = self._get(operand)
        if not isinstance(item, Lanes):
            raise UnsupportedError("a structure as an operand")
        return item

    def _undefined(self, where: Masks, active: Masks) -> None:
        """UB in those of the active runs."""
        if where is not None:
            self.ub = either(self.ub, where if active is None else where & active)

    def _block(self, block: Block, active: Masks) -> list[tuple[str, Masks]]:
        """Run a block in the active runs (None: all); the edges that are taken, with the runs that take each."""
        for instruction in block.instructions:
            opcode = instruction.opcode
            if opcode in _TERMINATORS:
                return _TERMINATORS[opcode](self, instruction, active)
            if opcode == "phi":
                continue
            if instruction.metadata:
                raise UnsupportedError("metadata")
            self._step(instruction, active)
        raise UnsupportedError("a block without an end that is understood")

    def _step(self, instruction: Instruction, active: Masks) -> None:
        """One instruction that is neither a phi nor a terminator."""
        opcode = instruction.opcode
        if opcode in SHAPING:
            self.values[instruction.name] = SHAPING[opcode](instruction, tuple(map(self._get, instruction.operands)))
            return
        operands = [self._lanes(operand) for operand in instruction.operands]
        if opcode == "call":
            self._call(instruction, operands, active)
            return
        width = 1 if opcode == "icmp" else scalar_width(instruction.type)
        source = scalar_width(instruction.operands[0].type) if opcode in _RESIZING else width
        if opcode == "bitcast" and width != source:
            count = instruction.type.count if isinstance(instruction.type, Vector) else 0
            self.values[instruction.name] = bitcast(operands[0], source, width, count)
            return
        if opcode in ("ptrtoint", "ptrtoaddr"):
            opcode = "trunc" if width < 64 else "bitcast"
            source = 64
        result = operation(opcode, width, source, instruction.flags, instruction.predicate)(operands)
        self.values[instruction.name] = self._own(result, active)

    def _own(self, result: Lanes, active: Masks) -> Lanes:
        """Move UB and vagueness from the value to the run."""
        if result.ub is not None:
            self._undefined(result.ub, active)
        if result.vague is not None:
            vague = _anywhere(result.vague)
            self.vague = either(self.vague, vague if active is None else vague & active)
        return Lanes(result.value, result.poison) if result.ub is not None or result.vague is not None else result

    def _call(self, instruction: Instruction, operands: Sequence[Lanes], active: Masks) -> None:
        name = base_name(instruction.callee)
        if name == "llvm.assume":
            (condition,) = operands
            self._undefined(either(condition.value == 0, condition.poison), active)
            return
        type, flags = instruction.type, instruction.flags
        if flags:
            raise UnsupportedError("flags on a call")
        source = scalar_width(instruction.operands[0].type)
        if isinstance(type, Struct):
            value = operation("call", source, source, flags, "", name)(operands)
            bit = operation("call", 1, source, flags, "", name + ".bit")(operands)
            self.values[instruction.name] = (value, bit)
            return
        result = self._own(operation("call", scalar_width(type), source, flags, "", name)(operands), active)
        self.values[instruction.name] = self._attributed(result, instruction.attributes, scalar_width(type), active)

    def _attributed(self, lanes: Lanes, attributes: Sequence[str], width: int, active: Masks) -> Lanes:
        """The value after the attributes of a result: outside of `range` is poison, poison under `noundef` is UB."""
        for attribute in attributes:
            bounds = range_of((attribute,))
            if bounds is not None:
                lanes = Lanes(lanes.value, either(lanes.poison, ~is_within(lanes.value, bounds, width)))
            elif attribute not in ("noundef", "zeroext", "signext"):
                raise UnsupportedError(f"attribute {attribute}")
        if "noundef" in attributes and lanes.poison is not None:
            self._undefined(_anywhere(lanes.poison), active)
        return lanes

    def _return(self, instruction: Instruction, active: Masks) -> list[tuple[str, Masks]]:
        if instruction.operands:
            value, attributes = self._get(instruction.operands[0]), self.function.return_attributes
            if attributes:
                if not isinstance(value, Lanes):
                    raise UnsupportedError("attributes of a structure")
                value = self._attributed(value, attributes, scalar_width(self.function.type), active)
            self.returned.append((active, value))
        return []

    def _unreachable(self, instruction: Instruction, active: Masks) -> list[tuple[str, Masks]]:
        self.ub = either(self.ub, np.ones(self.vectors.count, np.bool_) if active is None else active)
        return []

    def _branch(self, instruction: Instruction, active: Masks) -> list[tuple[str, Masks]]:
        if not instruction.operands:
            return [(instruction.labels[0], active)]
        condition = self._lanes(instruction.operands[0])
        self._undefined(condition.poison, active)
        taken = condition.value != 0
        other = ~taken
        if active is not None:
            taken, other = taken & active, other & active
        return [(instruction.labels[0], taken), (instruction.labels[1], other)]

    def _switch(self, instruction: Instruction, active: Masks) -> list[tuple[str, Masks]]:
        value = self._lanes(instruction.operands[0])
        self._undefined(value.poison, active)
        rest = np.ones(self.vectors.count, np.bool_) if active is None else active
        edges: list[tuple[str, Masks]] = []
        for case, label in zip(instruction.operands[1:], instruction.labels[1:], strict=True):
            taken = rest & (value.value == self._lanes(case).value)
            rest = rest & ~taken
            edges.append((label, taken))
        return [*edges, (instruction.labels[0], rest)]

    def _graph(self) -> None:
        """Blocks in an order in which every predecessor comes first; UnsupportedError for a loop."""
        blocks = {block.name: block for block in self.function.blocks}
        entry = self.function.blocks[0].name
        arriving: dict[str, dict[str, Masks]] = {entry: {}}
        for name in _order(blocks, entry):
            active: Masks = None
            if name != entry:
                for edge in arriving[name].values():
                    active = either(active, edge)
                if active is None:
                    active = np.zeros(self.vectors.count, np.bool_)
                self._phis(blocks[name], arriving[name])
            for label, taken in self._block(blocks[name], active):
                mask = np.ones(self.vectors.count, np.bool_) if taken is None else taken
                before = arriving.setdefault(label, {}).get(name)
                arriving[label][name] = mask if before is None else before | mask

    def _phis(self, block: Block, arriving: Mapping[str, Masks]) -> None:
        found: Environment = {}
        for instruction in block.instructions:
            if instruction.opcode != "phi":
                break
            value: Item | None = None
            for operand, label in zip(instruction.operands, instruction.labels, strict=True):
                if label in arriving:
                    value = self._get(operand) if value is None else merged(arriving[label], self._get(operand), value)
            if value is None:
                raise UnsupportedError("a phi that no edge reaches")
            found[instruction.name] = value
        self.values.update(found)

    def _collect(self) -> Results:
        """The value of whichever return was reached."""
        count = self.vectors.count
        value: Item | None = None
        for active, given in self.returned:
            value = given if value is None else merged(active, given, value)
        ub = np.zeros(count, np.bool_) if self.ub is None else self.ub
        vague = np.zeros(count, np.bool_) if self.vague is None else self.vague
        if value is None:
            return Results(np.zeros((0, count), np.uint64), np.zeros((0, count), np.bool_), ub, vague)
        parts = [value] if isinstance(value, Lanes) else list(value)
        words = np.concatenate([np.atleast_2d(part.value) for part in parts])
        poison = np.zeros(words.shape, np.bool_)
        row = 0
        for part in parts:
            rows = 1 if part.value.ndim == 1 else len(part.value)
            if part.poison is not None:
                poison[row : row + rows] = part.poison
            row += rows
        return Results(words, poison, ub, vague)


_TERMINATORS: Mapping[str, Callable[[_Run, Instruction, Masks], list[tuple[str, Masks]]]] = {
    "ret": _Run._return,
    "br": _Run._branch,
    "switch": _Run._switch,
    "unreachable": _Run._unreachable,
}
_RESIZING = frozenset({"icmp", "trunc", "zext", "sext", "bitcast"})


def _anywhere(mask: Mask) -> Mask:
    """In which runs some element is marked."""
    if mask.ndim == 1:
        return mask
    runs: Mask = np.logical_or.reduce(mask, 0)
    return runs


def merged(where: Masks, a: Item, b: Item) -> Item:
    """`a` in those runs (None: in all), `b` in the others."""
    if where is None:
        return a
    if isinstance(a, Lanes) and isinstance(b, Lanes):
        poison = None
        if a.poison is not None or b.poison is not None:
            none = np.False_
            poison = np.where(where, none if a.poison is None else a.poison, none if b.poison is None else b.poison)
        return Lanes(np.where(where, a.value, b.value), poison)
    if isinstance(a, Lanes) or isinstance(b, Lanes):
        raise UnsupportedError("a structure where a scalar stands")
    fields = [merged(where, x, y) for x, y in zip(a, b, strict=True)]
    return tuple(field for field in fields if isinstance(field, Lanes))


def _order(blocks: Mapping[str, Block], entry: str) -> list[str]:
    """Reachable blocks, predecessors first; UnsupportedError for a loop."""
    done: list[str] = []
    state: dict[str, int] = {}
    stack: list[tuple[str, int]] = [(entry, 0)]
    while stack:
        name, next_edge = stack.pop()
        if next_edge == 0:
            state[name] = 1
        successors = blocks[name].successors
        if next_edge == len(successors):
            state[name] = 2
            done.append(name)
            continue
        stack.append((name, next_edge + 1))
        successor = successors[next_edge]
        if state.get(successor) == 1:
            raise UnsupportedError("a loop")
        if successor not in state:
            stack.append((successor, 0))
    return done[::-1]
