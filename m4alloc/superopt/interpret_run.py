"""Everything a function may do on one input: a set of outcomes, with poison, undef and UB explicit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from m4alloc.superopt import ir
from m4alloc.superopt.interpret_attributes import base_name, in_range, range_of
from m4alloc.superopt.interpret_memory import (
    WILD,
    Byte,
    Element,
    Memory,
    Place,
    Possible,
    TooManyChoicesError,
    moved,
    stride,
)
from m4alloc.superopt.interpret_ops import (
    POISON,
    UndefinedBehaviour,
    intrinsic,
    meaning,
    overflowing,
    reduction,
)
from m4alloc.superopt.interpret_values import (
    chosen,
    combined,
    constant_value,
    frozen,
    is_lost,
    lanewise,
    lost,
    recast,
    scalar_type,
    spread,
)
from m4alloc.superopt.verdict import UnsupportedError

RUNS = 1 << 14
"""How many ways to choose (freeze) are followed on one input."""
STEPS = 4_000
"""How many instructions one run may take."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that may happen.

    value: what each use of the result may find ({POISON}, a set of several for undef), None for void.
    memory: the bytes that the caller can see.  accesses: loads and stores of them in order.
    """

    value: Possible | None
    memory: tuple[tuple[tuple[str, int], Byte], ...] = ()
    accesses: tuple[tuple[str, Place, int, object], ...] = ()


class Undefined:
    """Some run has undefined behaviour, so everything is allowed."""

    def __repr__(self) -> str:
        return "undefined behaviour"


UB: Final = Undefined()


def outcomes(
    function: ir.Function, arguments: Sequence[Possible], memory: Memory | None = None
) -> frozenset[Outcome] | Undefined:
    """All that the function may do; `UB` where one of its choices ends in undefined behaviour.

    arguments: for each the set that a use may find: `frozenset({3})`, `frozenset({POISON})`, `everything(type)`: undef.
    Errors: UnsupportedError for what is not covered; TooManyChoicesError, a kind of it, where enumeration is too long.
    Cost: some 5 microseconds an instruction for each way to choose what a freeze gives.

    >>> x = ir.Argument("x", ir.Int(4))
    >>> twice = ir.Instruction("xor", ir.Int(4), (x.value, x.value), "r")
    >>> end = ir.Instruction("ret", ir.VOID, (twice.result,))
    >>> function = ir.Function("f", ir.Int(4), (x,), (ir.Block("entry", (twice, end)),))
    >>> [sorted(outcome.value) for outcome in outcomes(function, [frozenset({5})])]
    [[0]]
    >>> [len(outcome.value) for outcome in outcomes(function, [frozenset(range(16))])]
    [16]
    """
    choices = _Choices()
    found = set()
    while True:
        try:
            found.add(_Run(function, arguments, memory or Memory(), choices).outcome())
        except UndefinedBehaviour:
            return UB
        if not choices.next():
            return frozenset(found)


class _Choices:
    """An oracle that is asked to choose, and over its runs gives every combination of answers."""

    def __init__(self) -> None:
        self.taken: list[list[int]] = []
        self.asked = 0
        self.runs = 0

    def choose(self, count: int) -> int:
        """A number below `count`."""
        if self.asked == len(self.taken):
            self.taken.append([0, count])
        self.asked += 1
        return self.taken[self.asked - 1][0]

    def next(self) -> bool:
        """Prepare the next combination; False after the last."""
        self.asked = 0
        self.runs += 1
        if self.runs > RUNS:
            raise TooManyChoicesError(f"more than {RUNS} ways to choose what freezes give")
        while self.taken:
            self.taken[-1][0] += 1
            if self.taken[-1][0] < self.taken[-1][1]:
                return True
            self.taken.pop()
        return False


def _plain(instruction: ir.Instruction) -> None:
    if instruction.flags:
        raise UnsupportedError(f"the interpreter does not cover {', '.join(instruction.flags)} accesses")


def _attribute(kind: str, node: str) -> str:
    """A load's metadata as the attribute that means the same."""
    if kind in ("noundef", "nonnull"):
        return kind
    numbers = re.findall(r"i(\d+) (-?\d+)", node)
    if kind == "align" and len(numbers) == 1:
        return f"align {numbers[0][1]}"
    if kind == "range" and len(numbers) == 2:
        return f"range(i{numbers[0][0]} {numbers[0][1]}, {numbers[1][1]})"
    raise UnsupportedError(f"the interpreter does not know the metadata !{kind} {node}")


def _one_index(instruction: ir.Instruction) -> tuple[int, ...]:
    if len(instruction.indices) != 1:
        raise UnsupportedError(f"the interpreter covers {instruction.opcode} with one index")
    return instruction.indices


class _Run:
    """One run, with its choices."""

    def __init__(self, function: ir.Function, arguments: Sequence[Possible], memory: Memory, choices: _Choices) -> None:
        self.function = function
        self.memory = memory.copy()
        self.choices = choices
        self.steps = 0
        self.values: dict[str, Possible] = {}
        for argument, given in zip(function.arguments, arguments, strict=True):
            self.values[argument.name] = self._constrained(given, argument.type, argument.attributes)

    def outcome(self) -> Outcome:
        """Run to the return."""
        blocks = {block.name: block for block in self.function.blocks}
        block, before = self.function.blocks[0], ""
        while True:
            phis = [instruction for instruction in block.instructions if instruction.opcode == "phi"]
            self.values |= {phi.name: self._incoming(phi, before) for phi in phis}
            for instruction in block.instructions[len(phis) :]:
                self.steps += 1
                if self.steps > STEPS:
                    raise TooManyChoicesError(f"a run takes more than {STEPS} instructions")
                if instruction.is_terminator:
                    break
                self._step(instruction)
            if instruction.opcode == "ret":
                return self._returned(instruction)
            before, block = block.name, blocks[self._next(instruction)]

    def _returned(self, instruction: ir.Instruction) -> Outcome:
        value: Possible | None = None
        if instruction.operands:
            value = self._constrained(
                self._get(instruction.operands[0]), self.function.type, self.function.return_attributes
            )
        return Outcome(value, self.memory.visible(), tuple(self.memory.accesses))

    def _incoming(self, phi: ir.Instruction, before: str) -> Possible:
        for value, label in zip(phi.operands, phi.labels, strict=True):
            if label == before:
                return self._get(value)
        raise UnsupportedError(f"phi %{phi.name} has no value for the block {before!r}")

    def _next(self, instruction: ir.Instruction) -> str:
        """Where a terminator goes; UB on a condition that is poison or has no single value."""
        if instruction.opcode == "br" and not instruction.operands:
            return instruction.labels[0]
        if instruction.opcode not in ("br", "switch"):
            if instruction.opcode == "unreachable":
                raise UndefinedBehaviour
            raise UnsupportedError(f"the interpreter does not cover {instruction.text or instruction.opcode}")
        value = self._single(instruction.operands[0])
        if instruction.opcode == "br":
            return instruction.labels[0 if value else 1]
        for case, label in zip(instruction.operands[1:], instruction.labels[1:], strict=True):
            if self._single(case) == value:
                return label
        return instruction.labels[0]

    def _single(self, operand: ir.Value) -> Element:
        """The one value of an operand; UB where it has several or is poison."""
        value = self._get(operand)
        (element,) = value if len(value) == 1 else (POISON,)
        if is_lost(element):
            raise UndefinedBehaviour
        return element

    def _get(self, operand: ir.Value) -> Possible:
        return self.values[operand.name] if isinstance(operand, ir.Local) else constant_value(operand)

    def _step(self, instruction: ir.Instruction) -> None:
        """One instruction that is neither a phi nor a terminator."""
        handler = _HANDLERS.get(instruction.opcode, _Run._scalar)
        result = handler(self, instruction)
        if instruction.name:
            self.values[instruction.name] = result

    def _scalar(self, instruction: ir.Instruction) -> Possible:
        """Arithmetic, comparisons and casts, scalar or element by element."""
        opcode, type, first = instruction.opcode, instruction.type, instruction.operands[0].type
        kind = first if opcode == "icmp" else type
        inner, source = scalar_type(kind), scalar_type(first)
        if isinstance(source, ir.Pointer):
            return self._pointers(instruction)
        if not isinstance(inner, ir.Int) or not isinstance(source, ir.Int):
            raise UnsupportedError(f"the interpreter does not cover {instruction.text or opcode} of {first} to {type}")
        function: Callable[..., Element] = meaning(
            opcode, inner.width, source.width, instruction.flags, instruction.predicate
        )
        if isinstance(first, ir.Vector):
            function = lanewise(function)
        return combined(function, *map(self._get, instruction.operands))

    def _pointers(self, instruction: ir.Instruction) -> Possible:
        """Comparison of pointers and ptrtoint: addresses only, never provenance."""
        operands = list(map(self._get, instruction.operands))
        if not isinstance(instruction.type, ir.Int) or any(WILD in operand for operand in operands):
            raise UnsupportedError("the interpreter does not look at addresses of undef pointers or of vectors")
        if instruction.opcode == "icmp":
            function = meaning("icmp", 64, 0, instruction.flags, instruction.predicate)
        elif instruction.opcode in ("ptrtoint", "ptrtoaddr"):
            function = meaning("trunc" if instruction.type.width < 64 else "zext", instruction.type.width, 64)
        else:
            raise UnsupportedError(f"the interpreter does not cover {instruction.opcode} of a pointer")

        def apply(*places: Element) -> Element:
            return function(*[self.memory.address(p) if isinstance(p, Place) else POISON for p in places])

        return frozenset(apply(*combination) for combination in product(*operands))

    def _freeze(self, instruction: ir.Instruction) -> Possible:
        """One value for all uses, any of those that the operand may be."""
        held = self._get(instruction.operands[0])
        if WILD in held or (POISON in held and isinstance(instruction.type, ir.Pointer)):
            raise UnsupportedError("freeze of an undef or poison pointer")
        options = frozen(held, instruction.type)
        if len(options) == 1:
            return frozenset(options)
        return frozenset({options[self.choices.choose(len(options))]})

    def _select(self, instruction: ir.Instruction) -> Possible:
        """The arm that is not chosen does not matter; a poison condition is poison."""
        condition, a, b = map(self._get, instruction.operands)
        if isinstance(instruction.operands[0].type, ir.Vector):
            return combined(lanewise(chosen), condition, a, b)
        found: set[Element] = set()
        for element in condition:
            found |= {lost(instruction.type)} if element is POISON else a if element else b
        return frozenset(found)

    def _load(self, instruction: ir.Instruction) -> Possible:
        _plain(instruction)
        value = self.memory.load(self._get(instruction.operands[0]), instruction.type, instruction.align)
        attributes = [_attribute(kind, node) for kind, node in instruction.metadata]
        return self._constrained(value, instruction.type, attributes)

    def _store(self, instruction: ir.Instruction) -> Possible:
        _plain(instruction)
        value, pointer = instruction.operands
        self.memory.store(self._get(value), value.type, self._get(pointer), instruction.align)
        return frozenset()

    def _alloca(self, instruction: ir.Instruction) -> Possible:
        count = self._single(instruction.operands[0]) if instruction.operands else 1
        if instruction.element is None or not isinstance(count, int):
            raise UnsupportedError("an alloca without an element type")
        return frozenset({self.memory.allocate(stride(instruction.element) * count, instruction.align or 16)})

    def _address(self, instruction: ir.Instruction) -> Possible:
        """getelementptr with one index, or with constant indices into a structure."""
        base, *indices = instruction.operands
        if instruction.element is None or len(indices) != 1 or not isinstance(indices[0].type, ir.Int):
            raise UnsupportedError("the interpreter covers getelementptr with one scalar index")
        size, width = stride(instruction.element), indices[0].type.width
        found: set[Element] = set()
        for place, index in product(self._get(base), self._get(indices[0])):
            if place is POISON or index is POISON:
                found.add(POISON)
            elif isinstance(place, Place) and isinstance(index, int):
                result = moved(self.memory, place, [(index, size)], instruction.flags, width)
                found.add(POISON if result is None else result)
            else:
                found |= {WILD, POISON} if instruction.flags else {WILD}
        return frozenset(found)

    def _call(self, instruction: ir.Instruction) -> Possible:
        name = base_name(instruction.callee)
        if instruction.flags:
            raise UnsupportedError(f"flags on a call of {name}")
        operands = list(map(self._get, instruction.operands))
        if name == "llvm.assume":
            if self._single(instruction.operands[0]) == 0:
                raise UndefinedBehaviour
            return frozenset()
        value = self._intrinsic(instruction, name, operands)
        return self._constrained(value, instruction.type, instruction.attributes)

    def _intrinsic(self, instruction: ir.Instruction, name: str, operands: list[Possible]) -> Possible:
        if name in ("llvm.expect", "llvm.ssa.copy"):
            return operands[0]
        first, type = instruction.operands[0].type, instruction.type
        inner, result = scalar_type(first), scalar_type(type)
        if not name.startswith("llvm.") or not isinstance(inner, ir.Int):
            raise UnsupportedError(f"the interpreter does not cover a call of {instruction.callee}")
        if name.startswith("llvm.vector.reduce."):
            folded = reduction(name, inner.width)
            return frozenset(folded(*element) for element in operands[0] if isinstance(element, tuple))
        if name.endswith(".with.overflow") and isinstance(first, ir.Int):
            return combined(overflowing(name, inner.width), *operands)
        if not isinstance(result, ir.Int):
            raise UnsupportedError(f"the interpreter does not cover {instruction.callee}")
        function: Callable[..., Element] = intrinsic(name, inner.width, result.width)
        if isinstance(first, ir.Vector):
            function = spread(function, first.count)
        return combined(function, *operands)

    def _extract_value(self, instruction: ir.Instruction) -> Possible:
        (index,) = _one_index(instruction)
        return frozenset(row[index] for row in self._get(instruction.operands[0]) if isinstance(row, tuple))

    def _insert_value(self, instruction: ir.Instruction) -> Possible:
        (index,) = _one_index(instruction)
        rows, values = map(self._get, instruction.operands)
        return frozenset(
            (*row[:index], value, *row[index + 1 :]) for row, value in product(rows, values) if isinstance(row, tuple)
        )

    def _extract_element(self, instruction: ir.Instruction) -> Possible:
        """An index past the end is poison."""

        def apply(row: Element, index: Element) -> Element:
            assert isinstance(row, tuple)
            return row[index] if isinstance(index, int) and index < len(row) else POISON

        return frozenset(apply(*pair) for pair in product(*map(self._get, instruction.operands)))

    def _insert_element(self, instruction: ir.Instruction) -> Possible:
        """An index past the end makes the whole vector poison."""

        def apply(row: Element, value: Element, index: Element) -> Element:
            assert isinstance(row, tuple)
            if not isinstance(index, int) or index >= len(row):
                return lost(instruction.type)
            return (*row[:index], value, *row[index + 1 :])

        return frozenset(apply(*parts) for parts in product(*map(self._get, instruction.operands)))

    def _shuffle(self, instruction: ir.Instruction) -> Possible:
        """A mask element of -1 is poison."""

        def apply(a: Element, b: Element) -> Element:
            assert isinstance(a, tuple)
            assert isinstance(b, tuple)
            both = a + b
            return tuple(POISON if index < 0 else both[index] for index in instruction.indices)

        return frozenset(apply(*pair) for pair in product(*map(self._get, instruction.operands[:2])))

    def _bitcast(self, instruction: ir.Instruction) -> Possible:
        source, target = instruction.operands[0].type, instruction.type
        value = self._get(instruction.operands[0])
        if source == target:
            return value
        return frozenset(recast(element, source, target) for element in value)

    def _opaque(self, instruction: ir.Instruction) -> Possible:
        raise UnsupportedError(f"the interpreter does not cover {instruction.text or instruction.opcode!r}")

    def _constrained(self, value: Possible, type: ir.Type, attributes: Sequence[str]) -> Possible:
        """A value under parameter or result attributes: what breaks one is poison; under noundef UB."""
        for attribute in attributes:
            if attribute != "noundef":
                value = frozenset(self._under(element, type, attribute) for element in value)
        if "noundef" in attributes and (len(value) != 1 or any(map(is_lost, value))):
            raise UndefinedBehaviour
        return value

    def _under(self, element: Element, type: ir.Type, attribute: str) -> Element:
        """One element under one attribute other than noundef ("Parameter Attributes")."""
        if isinstance(element, tuple) and isinstance(type, ir.Vector):
            return tuple(self._under(part, type.element, attribute) for part in element)
        bounds = range_of((attribute,))
        if bounds is not None and isinstance(type, ir.Int):
            return element if isinstance(element, int) and in_range(element, bounds, type.width) else POISON
        kind, _, number = attribute.replace("(", " ").rstrip(")").partition(" ")
        if kind in ("nonnull", "align", "dereferenceable") and element is WILD:
            raise UnsupportedError(f"{attribute} on an undef pointer")
        if kind == "nonnull" and isinstance(element, Place):
            return POISON if self.memory.address(element) == 0 else element
        if kind == "align" and isinstance(element, Place):
            return POISON if self.memory.address(element) % int(number) else element
        if kind == "dereferenceable" and not self._reaches(element, int(number)):
            raise UndefinedBehaviour
        if kind not in _UNDERSTOOD:
            raise UnsupportedError(f"the interpreter does not know the attribute {attribute!r}")
        return element

    def _reaches(self, element: Element, size: int) -> bool:
        """So many bytes can be read there."""
        region = self.memory.regions.get(element.block) if isinstance(element, Place) else None
        return region is not None and isinstance(element, Place) and 0 <= element.offset <= region.size - size


# Attributes that say nothing about a value here: hints, or the width in which a callee's caller passes it.
_UNDERSTOOD = frozenset({"nonnull", "align", "dereferenceable", "zeroext", "signext", "range"})

_HANDLERS: Mapping[str, Callable[[_Run, ir.Instruction], Possible]] = {
    "freeze": _Run._freeze,
    "select": _Run._select,
    "load": _Run._load,
    "store": _Run._store,
    "alloca": _Run._alloca,
    "getelementptr": _Run._address,
    "call": _Run._call,
    "extractvalue": _Run._extract_value,
    "insertvalue": _Run._insert_value,
    "extractelement": _Run._extract_element,
    "insertelement": _Run._insert_element,
    "shufflevector": _Run._shuffle,
    "bitcast": _Run._bitcast,
    "opaque": _Run._opaque,
    "inttoptr": _Run._opaque,
}
