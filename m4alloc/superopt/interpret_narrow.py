"""The same function at a few bits, where that makes sense: something to test with, never a proof of the wide one."""

from __future__ import annotations

from dataclasses import replace

from m4alloc.superopt.ir import (
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Local,
    Poison,
    Struct,
    Type,
    Undef,
    Value,
    Vector,
    Void,
    constant,
)


class _NoSenseError(Exception):
    """Something has no counterpart at the narrow width."""


def narrowed(function: Function, width: int) -> Function | None:
    """The function with its widest argument (or result) at `width` bits and all other widths in proportion.

    i1 stays.  Constants keep their meaning: small ones, -1, the sign bit, half masks, the width itself and what is near
    it, repeating patterns.  None where something has no counterpart: memory, pointers, ranges, byte swaps, other
    constants, a width that would become 1.

    >>> x = Local("x", Int(32))
    >>> shift = Instruction("ashr", Int(32), (x, constant(Int(32), 31)), "s")
    >>> from m4alloc.superopt.ir import Argument, Block, VOID
    >>> body = Block("entry", (shift, Instruction("ret", VOID, (shift.result,))))
    >>> small = narrowed(Function("f", Int(32), (Argument("x", Int(32)),), (body,)), 4)
    >>> small.blocks[0].instructions[0].operands[1].value
    3
    """
    widths = [_bits(argument.type) for argument in function.arguments] + [_bits(function.type)]
    widest = max(widths, default=0)
    if widest < width:
        return None
    narrow = _Narrow(widest, width)
    try:
        return replace(
            function,
            type=narrow.type(function.type),
            arguments=tuple(
                replace(a, type=narrow.type(a.type), attributes=narrow.attributes(a.attributes))
                for a in function.arguments
            ),
            return_attributes=narrow.attributes(function.return_attributes),
            blocks=tuple(
                replace(block, instructions=tuple(map(narrow.instruction, block.instructions)))
                for block in function.blocks
            ),
        )
    except _NoSenseError:
        return None


def _bits(type: Type) -> int:
    if isinstance(type, Vector):
        return _bits(type.element)
    return type.width if isinstance(type, Int) else 0


class _Narrow:
    """From one width to another."""

    def __init__(self, wide: int, narrow: int) -> None:
        self.wide = wide
        self.narrow = narrow

    def width(self, wide: int) -> int:
        """A width in proportion."""
        if wide == 1:
            return 1
        scaled, rest = divmod(wide * self.narrow, self.wide)
        if rest or scaled < 2:
            raise _NoSenseError
        return scaled

    def type(self, type: Type) -> Type:
        """The type at the narrow width."""
        if isinstance(type, Int):
            return Int(self.width(type.width))
        if isinstance(type, Vector) and isinstance(type.element, Int):
            return Vector(type.count, Int(self.width(type.element.width)))
        if isinstance(type, Struct):
            return Struct(tuple(map(self.type, type.fields)))
        if isinstance(type, Void):
            return type
        raise _NoSenseError

    def attributes(self, attributes: tuple[str, ...]) -> tuple[str, ...]:
        """Only noundef says something that does not depend on the width."""
        if any(attribute not in ("noundef", "zeroext", "signext") for attribute in attributes):
            raise _NoSenseError
        return tuple(attribute for attribute in attributes if attribute == "noundef")

    def instruction(self, instruction: Instruction) -> Instruction:
        """One instruction at the narrow width."""
        opcode = instruction.opcode
        if opcode in ("load", "store", "getelementptr", "alloca", "opaque") or instruction.metadata:
            raise _NoSenseError
        callee = instruction.callee
        if callee:
            if ".bswap" in callee or not callee.startswith("llvm."):
                raise _NoSenseError
            callee = ".".join(map(self._part, callee.split(".")))
        if opcode in ("extractelement", "insertelement"):  # the last is a position
            operands = (*map(self.value, instruction.operands[:-1]), instruction.operands[-1])
        else:
            operands = tuple(map(self.value, instruction.operands))
        return replace(
            instruction,
            type=self.type(instruction.type),
            operands=operands,
            callee=callee,
            attributes=self.attributes(instruction.attributes),
        )

    def _part(self, part: str) -> str:
        """A part of an intrinsic's name: "i32" or "v4i32" changes, the rest stays."""
        head, letter, bits = part.rpartition("i")
        if letter and bits.isdigit() and (not head or head[0] == "v"):
            return f"{head}i{self.width(int(bits))}"
        return part

    def value(self, value: Value) -> Value:
        """An operand at the narrow width."""
        if isinstance(value, Local):
            return Local(value.name, self.type(value.type))
        if isinstance(value, Constant):
            return self._constant(value)
        if isinstance(value, ConstantVector):
            type = self.type(value.type)
            assert isinstance(type, Vector)
            return ConstantVector(type, tuple(map(self.value, value.elements)))
        if isinstance(value, Undef | Poison):
            return replace(value, type=self.type(value.type))
        raise _NoSenseError

    def _constant(self, value: Constant) -> Constant:
        wide, type = value.type.width, Int(self.width(value.type.width))
        narrow = type.width
        if wide == narrow:
            return value
        number = value.signed
        for step in (0, -1, 1):  # the width of a type that occurs, or one off it
            if number - step in (wide, wide // 2) and number - step > 4:
                return constant(type, (number - step) * narrow // wide + step)
        for step in (0, -1, 1):  # the sign bit, the upper half, or one off them
            for place, scaled in ((wide - 1, narrow - 1), (wide // 2, narrow // 2)):
                if abs(number - step) == 1 << place:
                    return constant(type, (-1 if number < 0 else 1) * (1 << scaled) + step)
        if -(1 << (narrow - 1)) <= number < 1 << (narrow - 1):
            return constant(type, number)
        low = value.value & ((1 << narrow) - 1)
        if value.value == sum(low << at for at in range(0, wide, narrow)):
            return constant(type, low)
        raise _NoSenseError
