"""Every instruction that is no terminator, as terms."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import z3

from m4alloc.superopt import smt_address, smt_attributes, smt_integers, smt_intrinsics, smt_layout
from m4alloc.superopt.ir import (
    BINARY,
    Constant,
    ConstantVector,
    Float,
    Function,
    Global,
    Instruction,
    Int,
    Null,
    OpaqueConstant,
    Pointer,
    Poison,
    Struct,
    Type,
    Undef,
    Value,
    Vector,
)
from m4alloc.superopt.smt_memory import ADDRESS, Accessor, Memory, World
from m4alloc.superopt.smt_values import (
    FALSE,
    NO_CHOICE,
    TRUE,
    Choices,
    Scalar,
    SymValue,
    Term,
    either,
    is_set,
    joined,
    negation,
    scalars,
    selected,
)
from m4alloc.superopt.verdict import UnsupportedError


@dataclass(frozen=True, slots=True)
class Done:
    """What an instruction did: its value, the memory after it, and when it is undefined."""

    value: SymValue | None
    memory: Memory
    undefined: Term = FALSE


@lru_cache(maxsize=4096)
def _number(value: int, width: int) -> Scalar:
    return Scalar(z3.BitVecVal(value, width))


def _shown(instruction: Instruction) -> str:
    """An instruction as a reason names it."""
    if instruction.text:
        text = instruction.text
        for number, operand in enumerate(instruction.operands):
            text = text.replace(f"{{{number}}}", _operand_text(operand))
        return text
    parts = " ".join(sorted(instruction.flags)) + (" " if instruction.flags else "")
    operands = ", ".join(f"{operand.type} {_operand_text(operand)}" for operand in instruction.operands)
    shown = f"{instruction.type}, " if instruction.opcode == "load" else ""
    return f"{instruction.opcode} {parts}{shown}{operands}"


def _operand_text(value: Value) -> str:
    name = getattr(value, "name", None)
    if name is not None:
        return f"@{name}" if isinstance(value, Global) else f"%{name}"
    if isinstance(value, Constant):
        return str(value.value)
    return getattr(value, "text", type(value).__name__.lower())


def _lanes(value: SymValue) -> list[Scalar]:
    return list(scalars(value))


def _lanewise(operation: Callable[..., Scalar], *operands: SymValue) -> SymValue:
    """The operation on scalars, or on each lane."""
    if isinstance(operands[0], Scalar):
        return operation(*operands)
    return tuple(operation(*lane) for lane in zip(*operands, strict=True))


@dataclass
class Instructions:
    """Runs the instructions of one function."""

    world: World
    choices: Choices
    accessor: Accessor
    is_target: bool

    def constant(self, value: Value) -> SymValue:
        """A constant as terms; each use of an undef chooses anew."""
        if isinstance(value, Constant):
            return _number(value.value, value.type.width)
        if isinstance(value, ConstantVector):
            return tuple(map(self.constant, value.elements))
        if isinstance(value, Undef | Poison):
            return self._unknown(value.type, isinstance(value, Undef))
        if isinstance(value, Null):
            smt_layout.bits(value.type)
            return Scalar(z3.BitVecVal(0, ADDRESS), provenance=self.world.provenance(0))
        if isinstance(value, Global):
            smt_layout.bits(value.type)
            return self._pointer(f"@{value.name}")
        if isinstance(value, OpaqueConstant):
            return self._opaque(value)
        raise UnsupportedError(f"the operand {value}")

    def _unknown(self, type: Type, is_undef: bool) -> SymValue:
        if isinstance(type, Struct):
            return tuple(self._unknown(part, is_undef) for part in type.fields)
        if isinstance(type, Vector):
            return tuple(self._unknown(type.element, is_undef) for _ in range(type.count))
        width = smt_layout.bits(type)
        value = self.choices.undef(width, "undef") if is_undef else Scalar(z3.BitVecVal(0, width), TRUE)
        if not isinstance(type, Pointer):
            return value
        if not is_undef:
            return replace(value, provenance=self.world.provenance(0))
        name, term = self.choices.fresh(self.world.bits, "undef provenance")
        return replace(value, provenance=term, choices=value.choices | {name}, based=None)

    def _pointer(self, name: str) -> Scalar:
        """A pointer that both functions know by name: it may point into any block."""
        provenance = z3.BitVec(f"provenance of {name}", self.world.bits)
        self.world.facts.append(z3.ULE(provenance, self.world.blocks))
        return Scalar(z3.BitVec(name, ADDRESS), provenance=provenance)

    def _opaque(self, value: OpaqueConstant) -> Scalar:
        if isinstance(value.type, Float):
            return Scalar(_float_bits(value.type, value.text))
        if re.search(r"\bundef\b", value.text):
            raise UnsupportedError(f"the constant {value.type} {value.text}: it may be undef")
        # Whether a flag's promise is kept is as unknown as the value, and the same on both sides.
        flagged = re.search(r"\b(?:inbounds|nusw|nuw|nsw|exact|poison)\b", value.text)
        poison = z3.Bool(f"constant {value.text} is poison") if flagged else FALSE
        if isinstance(value.type, Pointer):
            smt_layout.bits(value.type)
            return replace(self._pointer(value.text), poison=poison)
        if isinstance(value.type, Int):
            return Scalar(z3.BitVec(f"constant {value.text}", value.type.width), poison)
        raise UnsupportedError(f"the constant {value.type} {value.text}")

    def run(self, instruction: Instruction, operands: list[SymValue], memory: Memory, path: Term) -> Done:
        """The instruction on these operands, each chosen anew for this use."""
        opcode = instruction.opcode
        if opcode in BINARY:
            return self._binary(instruction, operands, memory)
        if opcode in ("load", "store"):
            return self._access(instruction, operands, memory, path)
        if self.is_target and instruction.metadata:
            smt_attributes.refuse_unknown_metadata(instruction)
        if opcode == "alloca":
            return self._alloca(instruction, memory)
        if opcode == "call":
            return self._call(instruction, operands, memory)
        method = _METHODS.get(opcode)
        if method is None:
            raise UnsupportedError(f"{_shown(instruction)}: not compared")
        return Done(method(self, instruction, operands), memory)

    def _binary(self, instruction: Instruction, operands: list[SymValue], memory: Memory) -> Done:
        opcode, flags = instruction.opcode, instruction.flags
        left, right = operands
        if isinstance(left, Scalar) and isinstance(right, Scalar):
            found = smt_integers.binary(opcode, flags, left, right)
            return Done(found.value, memory, found.undefined)
        assert isinstance(left, tuple) and isinstance(right, tuple)
        lanes = [
            smt_integers.binary(opcode, flags, a, b)
            for a, b in zip(left, right, strict=True)
            if isinstance(a, Scalar) and isinstance(b, Scalar)
        ]
        return Done(tuple(lane.value for lane in lanes), memory, either(*(lane.undefined for lane in lanes)))

    def _icmp(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        for operand in operands:
            for lane in scalars(operand):
                if lane.local:
                    raise UnsupportedError(f"the address of alloca %{lane.local} is compared")
        return _lanewise(lambda a, b: smt_integers.compare(instruction.predicate, instruction.flags, a, b), *operands)

    def _resize(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        type = instruction.type.element if isinstance(instruction.type, Vector) else instruction.type
        width = smt_layout.bits(type)
        return _lanewise(lambda a: smt_integers.resize(instruction.opcode, instruction.flags, a, width), operands[0])

    def _pointer_to_integer(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        type = instruction.type.element if isinstance(instruction.type, Vector) else instruction.type
        width = smt_layout.bits(type)

        def one(pointer: Scalar) -> Scalar:
            if pointer.local:
                raise UnsupportedError(f"the address of alloca %{pointer.local} becomes an integer")
            value = Scalar(pointer.bits, pointer.poison, pointer.choices)
            if width == ADDRESS:
                return value
            return smt_integers.resize("trunc" if width < ADDRESS else "zext", frozenset(), value, width)

        return _lanewise(one, operands[0])

    def _integer_to_pointer(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        for lane in scalars(operands[0]):
            bits = z3.simplify(lane.bits)
            if not (z3.is_bv_value(bits) and bits.as_long() == 0):
                raise UnsupportedError(f"{_shown(instruction)}: which block the pointer may access is not known")
        return _lanewise(
            lambda a: Scalar(z3.BitVecVal(0, ADDRESS), a.poison, provenance=self.world.provenance(0)), operands[0]
        )

    def _bitcast(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        value, type = operands[0], instruction.type
        element = type.element if isinstance(type, Vector) else type
        lanes = _lanes(value)
        if isinstance(element, Pointer) or lanes[0].provenance is not None:
            return value
        width = smt_layout.bits(element)
        old = lanes[0].bits.size()
        if width == old and isinstance(value, tuple) == isinstance(type, Vector):
            return value
        whole = joined(lane.bits for lane in lanes)
        count = type.count if isinstance(type, Vector) else 1
        parts = []
        for number in range(count):
            low, high = number * width, (number + 1) * width
            inside = [lane for at, lane in enumerate(lanes) if at * old < high and low < (at + 1) * old]
            parts.append(
                Scalar(
                    z3.Extract(high - 1, low, whole),
                    either(*(lane.poison for lane in inside)),
                    NO_CHOICE.union(*(lane.choices for lane in inside)),
                )
            )
        return tuple(parts) if isinstance(type, Vector) else parts[0]

    def _select(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        condition, yes, no = operands
        if isinstance(condition, tuple):
            assert isinstance(yes, tuple) and isinstance(no, tuple)
            return tuple(_picked(c, a, b) for c, a, b in zip(condition, yes, no, strict=True))
        return _picked(condition, yes, no)

    def _freeze(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        return self.choices.frozen(operands[0])

    def _extract_value(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        value = operands[0]
        for index in instruction.indices:
            assert isinstance(value, tuple)
            value = value[index]
        return value

    def _insert_value(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        def inserted(whole: SymValue, indices: tuple[int, ...]) -> SymValue:
            if not indices:
                return operands[1]
            assert isinstance(whole, tuple)
            parts = list(whole)
            parts[indices[0]] = inserted(parts[indices[0]], indices[1:])
            return tuple(parts)

        return inserted(operands[0], instruction.indices)

    def _extract_element(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        vector, index = operands
        assert isinstance(vector, tuple) and isinstance(index, Scalar)
        found: SymValue = vector[-1]
        for number in reversed(range(len(vector) - 1)):
            if number < 1 << index.bits.size():
                found = selected(index.bits == number, vector[number], found)
        assert isinstance(found, Scalar)
        return replace(
            found,
            poison=either(found.poison, index.poison, _outside(index.bits, len(vector))),
            choices=found.choices | index.choices,
        )

    def _insert_element(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        vector, part, index = operands
        assert isinstance(vector, tuple) and isinstance(index, Scalar)
        bad = either(index.poison, _outside(index.bits, len(vector)))
        lanes = []
        for number, old in enumerate(vector):
            here = index.bits == number if number < 1 << index.bits.size() else FALSE
            lane = selected(here, part, old)
            assert isinstance(lane, Scalar)
            lanes.append(replace(lane, poison=either(lane.poison, bad), choices=lane.choices | index.choices))
        return tuple(lanes)

    def _shuffle(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        both_ = [*_lanes(operands[0]), *_lanes(operands[1])]
        first = both_[0]
        nothing = Scalar(z3.BitVecVal(0, first.bits.size()), TRUE, provenance=_none_of(first.provenance))
        # Each lane of the result is a use of its own: LLVM takes the splat of an undef for a vector of any lanes.
        return tuple(self.choices.renewed(both_[place]) if place >= 0 else nothing for place in instruction.indices)

    def _address(self, instruction: Instruction, operands: list[SymValue]) -> SymValue:
        """getelementptr, lane by lane where an operand is a vector."""
        if not isinstance(instruction.type, Vector):
            return self._one_address(instruction, [lane for lane in operands if isinstance(lane, Scalar)])
        count = instruction.type.count
        spread = [operand if isinstance(operand, tuple) else (operand,) * count for operand in operands]
        return tuple(
            self._one_address(instruction, [lane for lane in lanes if isinstance(lane, Scalar)])
            for lanes in zip(*spread, strict=True)
        )

    def _one_address(self, instruction: Instruction, operands: list[Scalar]) -> Scalar:
        base = operands[0]
        extent = None
        if "inbounds" in instruction.flags:
            extent = self.world.extent(base.provenance)
            if base.local:
                size = self.accessor.allocas[base.local].size
                extent = z3.BitVecVal(0, ADDRESS), z3.BitVecVal(size, ADDRESS)
        return smt_address.address(instruction, operands, extent, is_target=self.is_target)

    def _alloca(self, instruction: Instruction, memory: Memory) -> Done:
        count = 1
        if instruction.operands:
            number = instruction.operands[0]
            if not isinstance(number, Constant):
                raise UnsupportedError(f"{_shown(instruction)}: its size is not constant")
            count = number.value
        assert instruction.element is not None
        alignment = instruction.align or smt_layout.alignment(instruction.element)
        memory = self.accessor.allocate(memory, instruction.name, instruction.element, count, alignment)
        return Done(
            Scalar(z3.BitVecVal(0, ADDRESS), provenance=self.world.provenance(0), local=instruction.name),
            memory,
        )

    def _access(self, instruction: Instruction, operands: list[SymValue], memory: Memory, path: Term) -> Done:
        if "volatile" in instruction.flags:
            raise UnsupportedError(f"{_shown(instruction)}: volatile accesses are not compared")
        if instruction.flags:
            raise UnsupportedError(f"{_shown(instruction)}: no such flag is known")
        pointer = operands[-1]
        assert isinstance(pointer, Scalar)
        tags = smt_attributes.tags(instruction)
        type = instruction.type if instruction.opcode == "load" else instruction.operands[0].type
        alignment = instruction.align or smt_layout.alignment(type)
        if pointer.local and tags and self.is_target:
            smt_attributes.refuse_unknown_metadata(instruction)
        if instruction.opcode == "store":
            memory, undefined = self.accessor.store(memory, path, pointer, operands[0], type, alignment, tags)
            return Done(None, memory, undefined)
        memory, value, undefined = self.accessor.load(memory, path, pointer, type, alignment, tags)
        value = smt_attributes.from_metadata(instruction, value)
        if any(kind == "noundef" for kind, _ in instruction.metadata):
            value, bad = self._demanded(value)
            undefined = either(undefined, bad)
        return Done(value, memory, undefined)

    def _demanded(self, value: SymValue) -> tuple[SymValue, Term]:
        """The value with its choices settled, and when it is poison or undef."""
        if isinstance(value, tuple):
            parts = [self._demanded(part) for part in value]
            return tuple(part for part, _ in parts), either(*(bad for _, bad in parts))
        settled, undef = self.choices.settled(value)
        return replace(settled, poison=FALSE), either(settled.poison, undef)

    def _call(self, instruction: Instruction, operands: list[SymValue], memory: Memory) -> Done:
        callee = instruction.callee
        if callee == "llvm.assume":
            condition = operands[0]
            assert isinstance(condition, Scalar)
            settled, undef = self.choices.settled(condition)
            return Done(None, memory, either(settled.poison, undef, negation(is_set(settled.bits))))
        if callee.startswith("llvm.expect."):
            value = operands[0]
        elif callee.startswith("llvm.ptrmask."):
            value = _lanewise(_masked, operands[0], operands[1])
        else:
            name = smt_intrinsics.short_name(callee)
            if not name:
                raise UnsupportedError(f"call of @{callee}: not an intrinsic that is compared")
            type = instruction.type.element if isinstance(instruction.type, Vector) else instruction.type
            width = type.width if isinstance(type, Int) else 1
            value = smt_intrinsics.call(name, width, operands)
        value = smt_attributes.from_metadata(instruction, value)
        value = smt_attributes.restricted(instruction.attributes, value)
        unknown = [
            word
            for word in instruction.attributes
            if not word.startswith(("noundef", "range", "nonnull", "align", "zeroext", "signext"))
        ]
        if unknown and self.is_target:
            raise UnsupportedError(f"the attribute {unknown[0]} of the call of @{callee}")
        if "noundef" in instruction.attributes or any(kind == "noundef" for kind, _ in instruction.metadata):
            value, bad = self._demanded(value)
            return Done(value, memory, bad)
        return Done(value, memory)


_METHODS: Mapping[str, Callable[[Instructions, Instruction, list[SymValue]], SymValue]] = {
    "icmp": Instructions._icmp,
    "trunc": Instructions._resize,
    "zext": Instructions._resize,
    "sext": Instructions._resize,
    "ptrtoint": Instructions._pointer_to_integer,
    "ptrtoaddr": Instructions._pointer_to_integer,
    "inttoptr": Instructions._integer_to_pointer,
    "bitcast": Instructions._bitcast,
    "select": Instructions._select,
    "freeze": Instructions._freeze,
    "extractvalue": Instructions._extract_value,
    "insertvalue": Instructions._insert_value,
    "extractelement": Instructions._extract_element,
    "insertelement": Instructions._insert_element,
    "shufflevector": Instructions._shuffle,
    "getelementptr": Instructions._address,
}


def _masked(pointer: Scalar, mask: Scalar) -> Scalar:
    """llvm.ptrmask."""
    if pointer.local:
        raise UnsupportedError(f"the address of alloca %{pointer.local} is masked")
    width = mask.bits.size()
    bits = mask.bits if width == ADDRESS else z3.SignExt(ADDRESS - width, mask.bits)
    return replace(
        pointer,
        bits=pointer.bits & bits,
        poison=either(pointer.poison, mask.poison),
        choices=pointer.choices | mask.choices,
    )


def _picked(condition: SymValue, yes: SymValue, no: SymValue) -> SymValue:
    """select on one condition."""
    assert isinstance(condition, Scalar)
    value = selected(is_set(condition.bits), yes, no)

    def worse(part: SymValue) -> SymValue:
        if isinstance(part, tuple):
            return tuple(map(worse, part))
        return replace(part, poison=either(condition.poison, part.poison), choices=part.choices | condition.choices)

    if condition.poison is FALSE and not condition.choices:
        return value
    return worse(value)


def _outside(index: Term, count: int) -> Term:
    width = index.size()
    if count >= 1 << width:
        return FALSE
    return z3.UGE(index, z3.BitVecVal(count, width))


def _none_of(provenance: Term | None) -> Term | None:
    return None if provenance is None else z3.BitVecVal(0, provenance.size())


def _float_bits(type: Float, text: str) -> Term:
    """A float constant: its bits where they are plain, else bits that are not known but the same on both sides."""
    width = smt_layout.bits(type)
    layout = {"float": "f", "double": "d"}.get(type.kind)
    if layout:
        try:
            if text.startswith(("0x7FF", "0xFFF")):  # a conversion would make a signalling NaN quiet
                bits = int(text, 16)
                narrow = bits >> 63 << 31 | 0xFF << 23 | (bits >> 29 & (1 << 23) - 1)
                return z3.BitVecVal(bits if width == 64 else narrow, width)
            number = struct.unpack(">d", bytes.fromhex(text[2:]))[0] if text.startswith("0x") else float(text)
            return z3.BitVecVal(int.from_bytes(struct.pack(">" + layout, number), "big"), width)
        except (ValueError, OverflowError, struct.error):
            pass
    return z3.BitVec(f"constant {type} {text}", width)


def unknown_constants(function: Function) -> list[str]:
    """Constants that are only known to be the same on both sides, by their text: a counterexample may hinge on them."""
    return [
        operand.text
        for instruction in function
        for operand in instruction.operands
        if isinstance(operand, OpaqueConstant)
        and not (isinstance(operand.type, Float) and z3.is_bv_value(_float_bits(operand.type, operand.text)))
    ]
