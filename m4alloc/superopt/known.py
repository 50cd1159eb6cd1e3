"""What can be said of a value from its definition, attributes, given facts, and the branches that lead to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import (
    BINARY,
    NEGATED,
    SWAPPED,
    Constant,
    ConstantVector,
    Function,
    Global,
    Instruction,
    Int,
    Local,
    Null,
    Poison,
    Type,
    Value,
    Vector,
)
from m4alloc.superopt.known_extent import (
    BINARY_EXTENTS,
    Extent,
    between,
    cast,
    compared,
    counted,
    exactly,
    of_bits,
    top,
    united,
    where,
)
from m4alloc.superopt.known_needs import Needs
from m4alloc.superopt.terms_expressions import Expression


@dataclass(frozen=True, slots=True)
class Relation:
    """`icmp predicate a b` is true where it is known, and neither side is poison there."""

    predicate: str
    a: Value
    b: Value


def width_of(type: Type) -> int | None:
    """Bits of an integer, or of each lane of a vector of integers."""
    element = type.element if isinstance(type, Vector) else type
    return element.width if isinstance(element, Int) else None


class Known:
    """Analyses of one function, made as they are asked for.

    A claim about bits or ranges is true of the value wherever it is not poison.  With `block`, it is true where that
    block runs: conditions of the branches that dominate it count.
    """

    def __init__(self, function: Function, facts: Sequence[Fact] = ()) -> None:
        self.function = function
        self.facts = tuple(facts)
        self.arguments = {argument.name: argument for argument in function.arguments}
        self.definitions = function.definitions()
        self.home = {one.name: block.name for block in function.blocks for one in block.instructions if one.name}
        self.entry = function.blocks[0].name
        self._extents: dict[tuple[Value, str], Extent] = {}
        self._busy: set[tuple[Value, str]] = set()
        self._cut = False  # a cycle of phis was met, so what is found meanwhile is not final
        self._fixed: dict[str, bool] = {}
        self._defined: dict[str, bool] = {}
        self._relations: dict[str, tuple[Relation, ...]] = {}
        self._dominators: dict[str, tuple[str, ...]] | None = None
        self.needs = Needs(self)

    @property
    def dominators(self) -> dict[str, tuple[str, ...]]:
        """Block name to the blocks that dominate it, itself last; blocks that are never reached are left out."""
        if self._dominators is None:
            self._dominators = dominators(self.function)
        return self._dominators

    def is_fixed(self, value: Value) -> bool:
        """Each use of the value sees the same bits: it is not undef, though it may be poison."""
        return self._claim(value, self._fixed, defined=False)

    def is_defined(self, value: Value) -> bool:
        """The value is neither undef nor poison."""
        return self._claim(value, self._defined, defined=True)

    def _claim(self, value: Value, cache: dict[str, bool], *, defined: bool) -> bool:
        match value:
            case Constant() | Null() | Global():
                return True
            case Poison():
                return not defined
            case ConstantVector():
                return all(self._claim(element, cache, defined=defined) for element in value.elements)
            case Local():
                if value.name not in cache:
                    cache[value.name] = False  # what a cycle of phis sees
                    cache[value.name] = self._claimed(value.name, cache, defined)
                return cache[value.name]
        return False

    def _claimed(self, name: str, cache: dict[str, bool], defined: bool) -> bool:
        if name in self.arguments:
            return any(
                word == "noundef" or word.startswith("dereferenceable(") for word in self.arguments[name].attributes
            )
        instruction = self.definitions[name]
        if "noundef" in instruction.attributes or any(kind == "noundef" for kind, _ in instruction.metadata):
            return True
        if instruction.opcode == "freeze":
            return True
        if instruction.opcode == "alloca":
            return True
        known = {"icmp", "select", "phi", "zext", "sext", "trunc", "getelementptr", "ptrtoint", "ptrtoaddr",
                 "extractvalue", "bitcast"}  # fmt: skip
        if instruction.opcode not in known | BINARY and not (
            instruction.opcode == "call" and instruction.callee.startswith("llvm.") and instruction.is_pure
        ):
            return False
        if instruction.opcode == "call" and not instruction.callee.startswith(_TOTAL):
            return False
        if defined and (
            instruction.flags or instruction.attributes or instruction.metadata or self._may_poison(instruction)
        ):
            return False
        return all(self._claim(operand, cache, defined=defined) for operand in instruction.operands)

    def _may_poison(self, instruction: Instruction) -> bool:
        if instruction.opcode in ("shl", "lshr", "ashr"):
            amount, width = self.extent(instruction.operands[1]), width_of(instruction.type)
            return amount is None or width is None or amount.high >= width
        if instruction.opcode == "call":
            name = instruction.callee.removeprefix("llvm.").rpartition(".")[0]
            if name in ("ctlz", "cttz", "abs"):
                return instruction.operands[1] != Constant(Int(1), 0)
            return name in ("ushl.sat", "sshl.sat")
        return False

    def extent(self, value: Value, block: str = "") -> Extent | None:
        """What the integer (or each lane) can be; None for anything but integers."""
        width = width_of(value.type)
        if width is None:
            return None
        match value:
            case Constant():
                return exactly(width, value.value)
            case ConstantVector():
                lanes = [element for element in value.elements if isinstance(element, Constant)]
                return (
                    united([exactly(width, lane.value) for lane in lanes])
                    if len(lanes) == value.type.count
                    else top(width)
                )
            case Local():
                return self._local(value, width, block)
        return top(width)

    def _local(self, value: Local, width: int, block: str) -> Extent:
        key = (value, block)
        if key in self._extents:
            return self._extents[key]
        if key in self._busy or len(self._busy) > 200:
            self._cut = True
            return top(width)
        self._busy.add(key)
        try:
            found = self._defined_extent(value, width, block)
            if block and not isinstance(value.type, Vector):
                for relation in self.relations(block):
                    if relation.a == value:
                        bounds = self.extent(relation.b)
                        assert bounds is not None
                        narrower = found & where(relation.predicate, width, bounds)
                        found = found if narrower.is_empty else narrower
                    elif relation.b == value:
                        bounds = self.extent(relation.a)
                        assert bounds is not None
                        narrower = found & where(SWAPPED[relation.predicate], width, bounds)
                        found = found if narrower.is_empty else narrower
        finally:
            self._busy.discard(key)
        if not self._busy:
            self._cut = False
        if not self._cut:
            self._extents[key] = found
        return found

    def _defined_extent(self, value: Local, width: int, block: str) -> Extent:
        if value.name in self.arguments:
            argument = self.arguments[value.name]
            found = annotated(argument.attributes, width)
            if not isinstance(value.type, Vector) and self.is_defined(value):
                found &= self.needs.of_argument(value.name, width)
            return found
        instruction = self.definitions[value.name]
        found = self._made(instruction, width, block)
        found &= annotated(instruction.attributes, width)
        for kind, text in instruction.metadata:
            if kind == "range":
                found &= _ranged(re.findall(r"-?\d+", re.sub(r"\bi\d+", "", text)), width)
        return found

    def _made(self, instruction: Instruction, width: int, block: str) -> Extent:
        opcode = instruction.opcode
        if opcode == "call":
            opcode = instruction.callee.removeprefix("llvm.").rpartition(".")[0]
        if opcode == "phi":
            return united(
                [
                    self._incoming(*one) or top(width)
                    for one in zip(instruction.operands, instruction.labels, strict=True)
                ]
            )
        operands = [self.extent(operand, block) for operand in instruction.operands]
        if opcode == "extractvalue":
            return self._extracted(instruction, width, block)
        if any(operand is None for operand in operands):
            return self._of_pointer(instruction, width)
        given = [operand for operand in operands if operand is not None]
        if opcode in BINARY_EXTENTS and len(given) == 2:
            return BINARY_EXTENTS[opcode](given[0], given[1], instruction.flags)
        if opcode in ("zext", "sext", "trunc"):
            return cast(opcode, given[0], width)
        if opcode in ("ctpop", "ctlz", "cttz"):
            return counted(opcode, given[0])
        match opcode:
            case "select":
                return given[1] | given[2]
            case "freeze":
                return given[0] if self.is_defined(instruction.operands[0]) else top(width)
            case "icmp":
                found = compared(instruction.predicate, given[0], given[1])
                return top(1) if found is None else exactly(1, int(found))
        return top(width)

    def _incoming(self, value: Value, label: str) -> Extent | None:
        if isinstance(value, Poison):
            return None
        return self.extent(value, label if label in self.dominators else "")

    def _of_pointer(self, instruction: Instruction, width: int) -> Extent:
        if instruction.opcode in ("ptrtoint", "ptrtoaddr") and width == 64:
            pointer = instruction.operands[0]
            return of_bits(width, (1 << self.alignment(pointer)) - 1, 0)
        if instruction.opcode == "select" and len(instruction.operands) == 3:
            arms = [self.extent(operand) for operand in instruction.operands[1:]]
            if arms[0] is not None and arms[1] is not None:
                return arms[0] | arms[1]
        return top(width)

    def alignment(self, pointer: Value) -> int:
        """log2 of what the address is known to be a multiple of."""
        if not isinstance(pointer, Local):
            return 64 if isinstance(pointer, Null) else 0
        if pointer.name in self.arguments:
            words = [word.split()[1] for word in self.arguments[pointer.name].attributes if word.startswith("align ")]
            return max((int(word).bit_length() - 1 for word in words if word.isdigit()), default=0)
        instruction = self.definitions[pointer.name]
        return (instruction.align or 1).bit_length() - 1 if instruction.opcode == "alloca" else 0

    def _extracted(self, instruction: Instruction, width: int, block: str) -> Extent:
        pair = instruction.operands[0]
        made = self.definitions.get(pair.name) if isinstance(pair, Local) else None
        if made is None or made.opcode != "call" or not made.callee.startswith(_OVERFLOWS) or len(made.operands) != 2:
            return top(width)
        a, b = (self.extent(operand, block) for operand in made.operands)
        assert a is not None and b is not None
        verb, signed = made.callee.removeprefix("llvm.")[1:4], made.callee.startswith("llvm.s")
        if instruction.indices == (0,):
            return BINARY_EXTENTS[verb](a, b, frozenset())
        least, most = (a.slow, a.shigh) if signed else (a.low, a.high)
        other_least, other_most = (b.slow, b.shigh) if signed else (b.low, b.high)
        if verb == "sub":
            corners = [least - other_most, most - other_least]
        elif verb == "add":
            corners = [least + other_least, most + other_most]
        else:
            corners = [x * y for x in (least, most) for y in (other_least, other_most)]
        whole = top(a.width)
        floor, ceiling = (whole.slow, whole.shigh) if signed else (0, whole.mask)
        if floor <= min(corners) and max(corners) <= ceiling:
            return exactly(1, 0)
        return exactly(1, 1) if min(corners) > ceiling or max(corners) < floor else top(1)

    def relations(self, block: str) -> tuple[Relation, ...]:
        """Comparisons that hold wherever the block runs."""
        if block not in self._relations:
            found: list[Relation] = []
            chain = self.dominators.get(block, ())
            for one in chain[1:]:
                found += self._of_edge(one)
            self._relations[block] = tuple(found)
        return self._relations[block]

    def _of_edge(self, block: str) -> list[Relation]:
        before = self.function.predecessors()[block]
        if len(before) != 1:
            return []
        end = self.function.block(before[0]).terminator
        if end.opcode == "br" and len(end.labels) == 2 and end.labels[0] != end.labels[1]:
            return self._of_condition(end.operands[0], end.labels[0] == block)
        if end.opcode == "switch" and end.labels.count(block) == 1:
            at = end.labels.index(block)
            if at:
                return [Relation("eq", end.operands[0], end.operands[at])]
            return [Relation("ne", end.operands[0], case) for case in end.operands[1:]]
        return []

    def _of_condition(self, condition: Value, holds: bool) -> list[Relation]:
        found = [Relation("eq", condition, Constant(Int(1), int(holds)))]
        if not isinstance(condition, Local) or condition.name in self.arguments:
            return found
        made = self.definitions[condition.name]
        match made.opcode:
            case "icmp":
                predicate = made.predicate if holds else NEGATED[made.predicate]
                found.append(Relation(predicate, made.operands[0], made.operands[1]))
            case "and" | "or" if holds == (made.opcode == "and"):
                for operand in made.operands:
                    found += self._of_condition(operand, holds)
            case "xor" if Constant(Int(1), 1) in made.operands:
                other = made.operands[made.operands[0] == Constant(Int(1), 1)]
                found += self._of_condition(other, not holds)
            case "select" if made.operands[2 if holds else 1] == Constant(Int(1), int(not holds)):
                found += self._of_condition(made.operands[0], holds)
                found += self._of_condition(made.operands[1 if holds else 2], holds)
        return found

    def holds(self, need: Expression, values: Mapping[str, Value], widths: Mapping[str, int], block: str) -> bool:
        """The expression is true of these values wherever the block runs and none of them is poison."""
        return self.needs.holds(need, values, widths, block)


_OVERFLOWS = tuple(f"llvm.{sign}{verb}.with.overflow" for sign in "us" for verb in ("add", "sub", "mul"))
_TOTAL = (
    *_OVERFLOWS,
    *(
        f"llvm.{name}."
        for name in (
            "umin", "umax", "smin", "smax", "uadd.sat", "sadd.sat", "usub.sat", "ssub.sat", "ushl.sat", "sshl.sat",
            "ctpop", "bswap", "bitreverse", "fshl", "fshr", "ctlz", "cttz", "abs",
        )
    ),
)  # fmt: skip


def annotated(attributes: Sequence[str], width: int) -> Extent:
    """What `range(iN low, high)` among attributes says; poison where it is violated."""
    found = top(width)
    for word in attributes:
        if match := re.fullmatch(r"range\(i\d+ (-?\d+), (-?\d+)\)", word):
            found &= _ranged([match[1], match[2]], width)
    return found


def _ranged(bounds: Sequence[str], width: int) -> Extent:
    numbers = [int(bound) for bound in bounds]
    parts = []
    for low, high in zip(numbers[::2], numbers[1::2], strict=True):
        first, last = low % (1 << width), (high - 1) % (1 << width)
        if first <= last:
            parts.append(between(width, first, last))
        else:
            parts += [between(width, 0, last), between(width, first, (1 << width) - 1)]
    return united(parts) if parts else top(width)


def dominators(function: Function) -> dict[str, tuple[str, ...]]:
    """Block name to the names of the blocks on every path to it, in the order of the path, itself last.

    Blocks that cannot be reached are left out.
    """
    before = function.predecessors()
    order = reverse_postorder(function)
    found: dict[str, frozenset[str]] = {order[0]: frozenset({order[0]})}
    changed = True
    while changed:
        changed = False
        for name in order[1:]:
            known = [found[one] for one in before[name] if one in found]
            new = frozenset.intersection(*known) | {name}
            if found.get(name) != new:
                found[name] = new
                changed = True
    return {name: tuple(sorted(found[name], key=lambda one: len(found[one]))) for name in order}


def reverse_postorder(function: Function) -> list[str]:
    """Names of the blocks that can be reached, each after its predecessors but for back edges."""
    successors = {block.name: block.successors for block in function.blocks}
    seen: set[str] = set()
    order: list[str] = []
    stack: list[tuple[str, int]] = [(function.blocks[0].name, 0)]
    seen.add(function.blocks[0].name)
    while stack:
        name, at = stack.pop()
        if at < len(successors[name]):
            stack.append((name, at + 1))
            following = successors[name][at]
            if following not in seen:
                seen.add(following)
                stack.append((following, 0))
        else:
            order.append(name)
    return order[::-1]
