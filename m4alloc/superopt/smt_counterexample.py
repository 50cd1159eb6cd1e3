"""A model of the solver as the input that it stands for, and what both functions do on it."""

from __future__ import annotations

from collections.abc import Sequence

import z3

from m4alloc.superopt.ir import Function, Struct, Type, Vector
from m4alloc.superopt.smt_clock import variables
from m4alloc.superopt.smt_function import Encoding
from m4alloc.superopt.smt_memory import POISON_BIT, UNDEF_BIT, World
from m4alloc.superopt.smt_refinement import Byte, Difference
from m4alloc.superopt.smt_values import Scalar, SymValue, Term
from m4alloc.superopt.verdict import Counterexample

SHOWN_BYTES = 32


class Reader:
    """Reads terms under a model."""

    def __init__(self, model: z3.ModelRef, renamed: Sequence[tuple[Term, Term]], world: World) -> None:
        self.model, self.world = model, world
        self.renamed = list(renamed)

    def value(self, term: Term) -> Term:
        """The term's value; variables that the model leaves open are zero."""
        if self.renamed:
            term = z3.substitute(term, *self.renamed)
        return self.model.eval(term, model_completion=True)

    def holds(self, term: Term) -> bool:
        """A truth value."""
        return bool(z3.is_true(z3.simplify(self.value(term))))

    def number(self, term: Term) -> int:
        """A number."""
        return int(z3.simplify(self.value(term)).as_long())

    def scalar(self, lane: Scalar) -> str:
        """One value as text."""
        if self.holds(lane.poison):
            return "poison"
        if lane.choices and z3.is_const(lane.bits) and lane.bits.decl().name() in lane.choices:
            return "undef"
        number = self.number(lane.bits)
        suffix = "" if self._is_one(lane) else " (one of several, as some input is undef)"
        if lane.provenance is None:
            return f"{number}{suffix}"
        return self.pointer(number, self.number(lane.provenance)) + suffix

    def _is_one(self, lane: Scalar) -> bool:
        """No choice of what is undef changes the value, as where memory that may be undef is not."""
        if not lane.choices:
            return True
        open_ = [
            (term, z3.FreshConst(term.sort())) for name, term in variables(lane.bits).items() if name in lane.choices
        ]
        bits = z3.substitute(lane.bits, *open_) if open_ else lane.bits
        bits = z3.substitute(bits, *self.renamed) if self.renamed else bits
        return bool(z3.is_bv_value(z3.simplify(self.model.eval(bits))))

    def pointer(self, address: int, provenance: int) -> str:
        """A pointer by address, and by block and offset."""
        if address == 0 and provenance == 0:
            return "null"
        if not 1 <= provenance <= self.world.blocks:
            return f"{address:#x} (no block)"
        base = self.number(self.world.blocks_at[provenance][0]) if "blocks_at" in self.world.__dict__ else None
        if base is None:
            return f"{address:#x} (block {provenance})"
        return f"{address:#x} (block {provenance}, offset {address - base})"

    def text(self, value: SymValue, type: Type) -> str:
        """A value of any type as text."""
        if isinstance(value, Scalar):
            return self.scalar(value)
        parts = [
            self.text(part, type.element if isinstance(type, Vector) else _field(type, number))
            for number, part in enumerate(value)
        ]
        brackets = "<>" if isinstance(type, Vector) else "{}"
        return f"{brackets[0]}{', '.join(parts)}{brackets[1]}"


def _field(type: Type, number: int) -> Type:
    return type.fields[number] if isinstance(type, Struct) else type


def _byte(entry: int) -> str:
    if entry >> POISON_BIT & 1:
        return "poison"
    if entry >> UNDEF_BIT & 1:
        return "undef"
    return f"{entry & 255:#04x}"


def build(
    reader: Reader,
    functions: tuple[Function, Function],
    encodings: tuple[Encoding, Encoding],
    arguments: Sequence[SymValue],
    found: Difference,
) -> Counterexample:
    """The input and the two behaviours as text.

    arguments: the inputs as symbolic values.  found: what is compared, of which the parts that differ are shown.
    """
    inputs = tuple(
        (argument.name, reader.text(value, argument.type))
        for argument, value in zip(functions[0].arguments, arguments, strict=True)
    )
    wrong = [byte for byte in found.bytes if reader.holds(byte.differs)][:1]
    shown = []
    for side, (function, encoding) in enumerate(zip(functions, encodings, strict=True)):
        if reader.holds(found.undefined[side]):
            shown.append("undefined behaviour")
            continue
        parts = []
        if encoding.result is not None and (not wrong or reader.holds(found.value)):
            parts.append(reader.text(encoding.result, function.type))
        parts += [_place(reader, byte, side) for byte in wrong]
        if reader.world.shared:
            parts.append(_sequence(reader, encoding))
        shown.append(", ".join(parts) or "a return")
    return Counterexample(inputs, shown[0], shown[1], _memory(reader, encodings))


def _place(reader: Reader, byte: Byte, side: int) -> str:
    """A byte of the final memory on one side."""
    value = (byte.source, byte.target)[side]
    text = f"[{reader.number(byte.address):#x}] = {reader.scalar(value)}"
    provenance = byte.provenances[side]
    if provenance is None or reader.holds(value.poison):
        return text
    number = reader.number(provenance)
    if number == reader.number(reader.world.integer):
        return f"{text} of an integer"
    return f"{text} of a pointer into block {number}" if number else text


def _sequence(reader: Reader, encoding: Encoding) -> str:
    """The accesses that are made, in order."""
    made = [access for access in encoding.accesses if reader.holds(access.path)]
    made.sort(key=lambda access: reader.number(access.position))
    texts = []
    for access in made:
        stored = "".join(f" = {reader.scalar(lane)}" for lane in access.value)
        texts.append(f"{access.kind} {access.size} at {reader.number(access.address):#x}{stored}")
    return f"({'; '.join(texts) or 'no access'})"


def _memory(reader: Reader, encodings: tuple[Encoding, Encoding]) -> tuple[tuple[str, str], ...]:
    """Bytes at entry that either side reads."""
    world = reader.world
    if world.shared:
        return ()
    places: dict[int, None] = {}
    for encoding in encodings:
        for access in encoding.accesses:
            if access.kind == "load" and reader.holds(access.path):
                start = reader.number(access.address)
                places.update({(start + byte) % (1 << 64): None for byte in range(access.size)})
    shown = []
    for place in list(places)[:SHOWN_BYTES]:
        entry = reader.number(z3.Select(world.initial, z3.BitVecVal(place, 64)))
        shown.append((f"{place:#x}", _byte(entry)))
    return tuple(shown)
