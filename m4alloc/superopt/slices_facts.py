"""What is known at one place of a function, as facts over the values that a slice takes as arguments.

A branch on an undefined condition is undefined, so on the path that was taken every condition holds, is not poison, and
neither are the operands that it is computed from.  Where an operand may be undef, the condition holds for each value it
may take.  A condition speaks of the same values as the place does: every definition that reaches both dominates the
branch, and the branch dominates the place, so no later definition lies between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import NEGATED, Constant, Function, Instruction, Int, Local, Null, Pointer, Poison, Value
from m4alloc.superopt.known import Known

LONGEST = 240
"""Facts above this many characters are left out."""

_SIGNS = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_DEPTH = 6


class Place:
    """One place, before the instruction number `index` of a block.

    names: the values that may be spoken of, and the word that stands for each.
    """

    def __init__(self, function: Function, known: Known, block: str, index: int, names: Mapping[Value, str]) -> None:
        self.function = function
        self.known = known
        self.block = block
        self.index = index
        self.names = {value: word for value, word in names.items() if isinstance(value.type, Int | Pointer)}
        self.definitions = known.definitions

    def facts(self) -> tuple[Fact, ...]:
        """All that is known, each fact once."""
        found: dict[str, Fact] = {}
        for text, origin in [*self._conditions(), *self._values()]:
            if len(text) <= LONGEST:
                found.setdefault(text, Fact(text, origin))
        return tuple(found.values())

    def _conditions(self) -> Iterator[tuple[str, str]]:
        """Of dominating branches, switches and assumptions."""
        path = self.known.dominators.get(self.block, ())
        before = self.function.predecessors()
        for name in path:
            block = self.function.block(name)
            end = self.index if name == self.block else len(block.instructions)
            for instruction in block.instructions[:end]:
                if instruction.callee == "llvm.assume":
                    yield from self._condition(instruction.operands[0], True, f"llvm.assume in %{name}", 0)
            sources = before[name]
            if len(sources) == 1:
                yield from self._edge(self.function.block(sources[0]).terminator, name, sources[0])

    def _edge(self, end: Instruction, target: str, source: str) -> Iterator[tuple[str, str]]:
        """What the only edge into `target` says."""
        origin = f"path condition of %{source} -> %{target}"
        if end.opcode == "br" and len(end.labels) == 2 and end.labels[0] != end.labels[1]:
            yield from self._condition(end.operands[0], end.labels[0] == target, origin, 0)
        if end.opcode != "switch":
            return
        value = self.text(end.operands[0], 0)
        cases = [(case, label) for case, label in zip(end.operands[1:], end.labels[1:], strict=True)]
        if value is None or not all(isinstance(case, Constant) for case, _ in cases):
            return
        here = [case for case, label in cases if label == target]
        if end.labels[0] != target and here:
            yield " or ".join(f"{value} == {_number(case)}" for case in here), origin
        elif end.labels[0] == target and not here:
            yield " and ".join(f"{value} != {_number(case)}" for case, _ in cases) or "True", origin

    def _condition(self, value: Value, holds: bool, origin: str, depth: int) -> Iterator[tuple[str, str]]:
        """The facts in a condition that is true, or false."""
        if not isinstance(value, Local):
            return
        if value in self.names:
            yield f"{self.names[value]} == {int(holds)}", origin
            return
        instruction = self.definitions.get(value.name)
        if instruction is None or depth > _DEPTH or instruction.type != Int(1):
            return
        operands = instruction.operands
        match instruction.opcode:
            case "icmp":
                text = self._compared(instruction, holds)
                if text is not None:
                    yield text, origin
            case "xor" if isinstance(operands[1], Constant) and operands[1].value == 1:
                yield from self._condition(operands[0], not holds, origin, depth + 1)
            case "and" | "or" if holds == (instruction.opcode == "and"):
                for operand in operands:
                    yield from self._condition(operand, holds, origin, depth + 1)
            case "select" if holds and _is(operands[2], 0):
                for operand in operands[:2]:
                    yield from self._condition(operand, True, origin, depth + 1)
            case "select" if not holds and _is(operands[1], 1):
                for operand in (operands[0], operands[2]):
                    yield from self._condition(operand, False, origin, depth + 1)

    def _compared(self, instruction: Instruction, holds: bool) -> str | None:
        predicate = instruction.predicate if holds else NEGATED[instruction.predicate]
        left, right = instruction.operands
        sign = _SIGNS[predicate[-2:]]
        if predicate.startswith("s"):
            texts = [self._signed(left), self._signed(right)]
        else:
            texts = [self.text(left, 0), self.text(right, 0)]
        if None in texts or all(isinstance(operand, Constant | Null) for operand in (left, right)):
            return None
        return f"{texts[0]} {sign} {texts[1]}"

    def _signed(self, value: Value) -> str | None:
        if isinstance(value, Constant):
            return str(value.signed)
        return f"signed({self.names[value]})" if value in self.names else None

    def text(self, value: Value, depth: int) -> str | None:
        """An integer or an address as an expression over the names, None where there is none.

        Its value is the mathematical one, so each step that may wrap is reduced to its width.
        """
        if value in self.names:
            return self.names[value]
        if isinstance(value, Constant | Null):
            return _number(value)
        instruction = self.definitions.get(value.name) if isinstance(value, Local) else None
        if instruction is None or depth > _DEPTH or not (instruction.is_pure and isinstance(instruction.type, Int)):
            return None
        parts = [self.text(operand, depth + 1) for operand in instruction.operands]
        if None in parts or not all(isinstance(operand.type, Int | Pointer) for operand in instruction.operands):
            return None
        size = 1 << instruction.type.width
        wraps = "" if "nuw" in instruction.flags else f" % {size}"
        amount = instruction.operands[-1]
        number = amount.value if isinstance(amount, Constant) else None
        match instruction.opcode:
            case "add" | "mul":
                sign = {"add": "+", "mul": "*"}[instruction.opcode]
                return f"(({parts[0]} {sign} {parts[1]}){wraps})" if wraps else f"({parts[0]} {sign} {parts[1]})"
            case "sub":
                return f"(({parts[0]} - {parts[1]}){wraps})" if wraps else f"({parts[0]} - {parts[1]})"
            case "and" | "or" | "xor":
                return (
                    f"({parts[0]} {dict(zip(('and', 'or', 'xor'), '&|^', strict=True))[instruction.opcode]} {parts[1]})"
                )
            case "shl" if number is not None and number < instruction.type.width:
                return f"(({parts[0]} << {number}) % {size})"
            case "lshr" if number is not None and number < instruction.type.width:
                return f"({parts[0]} >> {number})"
            case "udiv" if number:
                return f"({parts[0]} // {number})"
            case "urem" if number:
                return f"({parts[0]} % {number})"
            case "zext":
                return parts[0]
            case "trunc":
                return f"({parts[0]} % {size})"
            case "ptrtoint" | "ptrtoaddr" if instruction.type.width == 64:
                return parts[0]
            case "call" if instruction.callee.startswith("llvm.ctpop."):
                return f"popcount({parts[0]})" if instruction.operands[0] in self.names else None
        return None

    def _values(self) -> Iterator[tuple[str, str]]:
        """Of the attributes and metadata of values that are neither undef nor poison."""
        for value, name in self.names.items():
            if not isinstance(value, Local) or not is_defined(self.known, value):
                continue
            what = "argument" if value.name in self.known.arguments else self.definitions[value.name].opcode
            for word in words_of(self.known, value):
                text = _of_attribute(word, name, value)
                if text is not None:
                    yield text, f"attribute of the {what}"


def is_defined(known: Known, value: Local) -> bool:
    """The value is neither undef nor poison."""
    return known.is_defined(value) or "noundef" in words_of(known, value)


def is_fixed(known: Known, value: Value) -> bool:
    """Every use of the value sees the same bits (or poison): nothing that it is computed from may be undef.

    A phi that leads back to itself brings nothing new, as what it had before was fixed.
    """
    seen: set[Value] = {value}
    work = [value]
    while work:
        one = work.pop()
        if known.is_fixed(one) or isinstance(one, Poison) or (isinstance(one, Local) and is_defined(known, one)):
            continue
        definition = known.definitions.get(one.name) if isinstance(one, Local) else None
        if definition is None or not (definition.is_pure or definition.opcode == "phi"):
            return False
        work.extend(operand for operand in definition.operands if operand not in seen)
        seen.update(definition.operands)
    return True


def words_of(known: Known, value: Local) -> tuple[str, ...]:
    """Attributes of an argument, or of an instruction's result."""
    if value.name in known.arguments:
        return known.arguments[value.name].attributes
    return known_words(known.definitions[value.name])


def known_words(instruction: Instruction) -> tuple[str, ...]:
    """Attributes of an instruction's result, those of a load from its metadata and of an opaque call from its text.

    >>> load = Instruction("load", Int(8), name="x", metadata=(("range", "!{i8 0, i8 2}"), ("noundef", "!{}")))
    >>> known_words(load)
    ('range(i8 0, 2)', 'noundef')
    """
    found = list(instruction.attributes)
    for kind, node in instruction.metadata:
        if kind == "range" and (bounds := re.fullmatch(r"!\{(i\d+) (-?\d+), i\d+ (-?\d+)\}", node)):
            found.append(f"range({bounds[1]} {bounds[2]}, {bounds[3]})")
        elif kind == "align" and (size := re.fullmatch(r"!\{i64 (\d+)\}", node)):
            found.append(f"align {size[1]}")
        elif kind in {"noundef", "nonnull"}:
            found.append(kind)
    if instruction.opcode == "opaque" and (call := _CALL.match(instruction.text)):
        found.extend(match.group() for match in _RESULT.finditer(call[1]))
    return tuple(found)


_WORD = r"(?:noundef|nonnull|noalias|zeroext|signext|align \d+|\w+\([^()]*\)|\w*cc)"
_CALL = re.compile(rf"(?:(?:tail|musttail|notail) )?call ((?:{_WORD} )*)")
_RESULT = re.compile(r"noundef|nonnull|align \d+|range\([^()]*\)")


def _of_attribute(word: str, name: str, value: Value) -> str | None:
    if word == "nonnull":
        return f"{name} != 0"
    if match := re.fullmatch(r"align (\d+)", word):
        return f"{name} % {match[1]} == 0"
    if match := re.fullmatch(r"range\(i(\d+) (-?\d+), (-?\d+)\)", word):
        size = 1 << int(match[1])
        low, high = int(match[2]) % size, int(match[3]) % size
        if low < high:
            return f"{low} <= {name} < {high}"
        return f"{low} <= {name}" if high == 0 else f"{low} <= {name} or {name} < {high}"
    return None


def _is(value: Value, number: int) -> bool:
    return isinstance(value, Constant) and value.value == number


def _number(value: Value) -> str:
    return str(value.value) if isinstance(value, Constant) else "0"
