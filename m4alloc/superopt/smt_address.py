"""getelementptr: the address, and when a flag's promise is broken, so that it is poison.

Source: LLVM language reference, "'getelementptr' Instruction".
"""

from __future__ import annotations

from dataclasses import dataclass, field

import z3

from m4alloc.superopt import smt_integers, smt_layout
from m4alloc.superopt.ir import Instruction, Struct, Type, Vector
from m4alloc.superopt.smt_memory import ADDRESS
from m4alloc.superopt.smt_values import NO_CHOICE, TRUE, Scalar, Term, both, either
from m4alloc.superopt.verdict import UnsupportedError

KNOWN = frozenset({"inbounds", "nusw", "nuw"})
NO_STEP: Term = z3.BitVecVal(0, ADDRESS)
Extent = tuple[Term, Term]


@dataclass
class _Walk:
    """The way from the base along the indices, and what is promised on it.

    wrapped: when `nusw` (which `inbounds` implies) or `nuw` is broken.  left: when the block is.  moved: when some
    index, or some step, is not zero.
    """

    base: Scalar
    flags: frozenset[str]
    extent: Extent | None
    address: Term
    total: Term | None = None
    wrapped: list[Term] = field(default_factory=list)
    left: list[Term] = field(default_factory=list)
    moved: list[Term] = field(default_factory=list)

    @property
    def signed(self) -> bool:
        """Offsets are added as signed numbers without a wrap."""
        return "inbounds" in self.flags or "nusw" in self.flags

    def scaled(self, index: Scalar, scale: int) -> Term:
        """index * scale as an offset."""
        unsigned = "nuw" in self.flags
        value = z3.simplify(index.bits)
        width = value.size()
        if z3.is_bv_value(value):
            number = value.as_signed_long()
            # Cut or extended to the width of an address, as an unsigned number.
            positive = number % (1 << ADDRESS)
            kept = width <= ADDRESS or positive == value.as_long()
            if (self.signed and not -(1 << 63) <= number * scale < 1 << 63) or (
                unsigned and (not kept or positive * scale >= 1 << ADDRESS)
            ):
                self.wrapped.append(TRUE)
            return z3.BitVecVal(number * scale, ADDRESS)
        value = index.bits
        if width < ADDRESS:
            value = z3.SignExt(ADDRESS - width, value)
        elif width > ADDRESS:
            narrow = z3.Extract(ADDRESS - 1, 0, value)
            if self.signed:
                self.wrapped.append(z3.SignExt(width - ADDRESS, narrow) != value)
            if unsigned:
                self.wrapped.append(z3.ZeroExt(width - ADDRESS, narrow) != value)
            value = narrow
        if scale < 2:
            return value if scale else NO_STEP
        if self.signed:
            self.wrapped.append(z3.Or(value > ((1 << 63) - 1) // scale, value < -((1 << 63) // scale)))
        if unsigned:
            self.wrapped.append(z3.UGT(value, ((1 << 64) - 1) // scale))
        return value * scale

    def go(self, step: Term) -> None:
        """One step on."""
        if z3.is_bv_value(step) and step.as_long() == 0:
            return
        whole = step if self.total is None else self.total + step
        if self.total is not None and self.signed:
            self.wrapped.append(smt_integers.WRAPS["add", "nsw"](self.total, step))
        if self.total is not None and "nuw" in self.flags:
            self.wrapped.append(z3.ULT(whole, self.total))
        self.total = whole
        before, self.address = self.address, self.address + step
        if not self.base.local:  # within an alloca the address is not known, but nothing wraps inside of its bounds
            if self.signed:  # an unsigned address plus a signed offset
                self.wrapped.append(z3.If(step < 0, z3.UGE(self.address, before), z3.ULT(self.address, before)))
            if "nuw" in self.flags:
                self.wrapped.append(z3.ULT(self.address, before))
        if self.extent is not None:
            self.left.append(_beyond(self.address, self.extent))


def address(instruction: Instruction, operands: list[Scalar], extent: Extent | None, *, is_target: bool) -> Scalar:
    """The address that a getelementptr on scalars gives.

    extent: where the base's block begins and ends, wanted for `inbounds`.  is_target: the reference asks for a base in
    bounds where an index is not zero; a source's offset of zero, as of an index into empty elements, leaves its base
    as it is here all the same, which makes a claim about it stronger.
    Raises UnsupportedError.
    """
    base, *indices = operands
    element = instruction.element
    assert element is not None
    if instruction.flags - KNOWN:
        raise UnsupportedError(f"getelementptr {' '.join(sorted(instruction.flags))}: no such flag is known")
    walk = _Walk(base, instruction.flags, extent, base.bits)
    for number, index in enumerate(indices):
        if number and isinstance(element, Struct):
            place = z3.simplify(index.bits).as_long()
            step = z3.BitVecVal(list(smt_layout.offsets(element))[place], ADDRESS)
            element = element.fields[place]
        else:
            element = _element(element) if number else element
            step = walk.scaled(index, smt_layout.size(element))
        walk.moved.append(index.bits != 0 if is_target else step != 0)
        walk.go(step)
    if walk.total is not None and instruction.flags and base.local and extent is None:
        raise UnsupportedError(f"getelementptr {' '.join(sorted(instruction.flags))} in alloca %{base.local}")
    poison = [lane.poison for lane in operands]
    if walk.flags:
        poison += walk.wrapped
    if extent is not None:
        poison.append(both(either(*walk.moved), either(_beyond(base.bits, extent), *walk.left)))
    choices = NO_CHOICE.union(*(lane.choices for lane in operands))
    return Scalar(walk.address, either(*poison), choices, base.provenance, base.local, base.based)


def _beyond(at: Term, extent: Extent) -> Term:
    """The address is neither in the block nor right behind it."""
    return z3.Or(z3.ULT(at, extent[0]), z3.UGT(at, extent[1]))


def _element(type: Type) -> Type:
    if found := smt_layout.array(type):
        return found[1]
    if isinstance(type, Vector):
        return type.element
    raise UnsupportedError(f"getelementptr into {type}")
