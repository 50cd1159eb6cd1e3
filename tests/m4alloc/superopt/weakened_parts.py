"""The wrong parts of weakened checkers: each takes a part of the real one and gives one that makes a mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import z3

from m4alloc.superopt import equivalence, smt_integers, smt_memory
from m4alloc.superopt.ir import Constant, Function, Instruction
from m4alloc.superopt.smt_values import (
    FALSE,
    NO_CHOICE,
    Choices,
    Scalar,
    SymValue,
    Term,
    both,
    either,
)
from m4alloc.superopt.verdict import Outcome, UnsupportedError, Verdict

Maker: TypeAlias = Callable[[Any], Any]
"""The real part to the wrong one."""
Patches: TypeAlias = tuple[tuple[Any, str, Maker], ...]
"""Which attribute of which module or class is replaced, and by what."""


def on_target(change: Callable[[Instruction], Instruction]) -> Patches:
    """The target is taken to be without something that its text says."""

    def make(real: Any) -> Any:
        def encode(function: Function, *arguments: Any, is_target: bool = False, **named: Any) -> Any:
            return real(function.mapped(change) if is_target else function, *arguments, is_target=is_target, **named)

        return encode

    return ((equivalence, "encode", make),)


def without_flag(*names: str) -> Patches:
    """The target's flags of these names are not seen."""
    return on_target(lambda one: replace(one, flags=one.flags - set(names)))


def without_promise(instruction: Instruction) -> Instruction:
    """An intrinsic's i1 that promises that 0 or INT_MIN does not occur is taken to be false."""
    if instruction.callee.startswith(("llvm.ctlz", "llvm.cttz", "llvm.abs")):
        value, switch = instruction.operands
        if isinstance(switch, Constant):
            return instruction.with_operands((value, replace(switch, value=0)))
    return instruction


def always(value: Any) -> Maker:
    """Whatever the part is asked, the answer is this."""
    return lambda real: lambda *arguments, **named: value


def binary(change: Callable[[str, Any, Scalar, Scalar], Any]) -> Patches:
    """Another outcome of arithmetic: the change sees opcode, right outcome and operands."""

    def make(real: Any) -> Any:
        def binary(opcode: str, flags: frozenset[str], a: Scalar, b: Scalar) -> Any:
            return change(opcode, real(opcode, flags, a, b), a, b)

        return binary

    return ((smt_integers, "binary", make),)


def shift_is_total(opcode: str, found: Any, a: Scalar, b: Scalar) -> Any:
    """z3's own shifts give 0 or the sign past the width."""
    if opcode not in smt_integers.SHIFTS:
        return found
    return replace(found, value=replace(found.value, poison=either(a.poison, b.poison)))


def division_is_total(opcode: str, found: Any, a: Scalar, b: Scalar) -> Any:
    """Every division gives a value."""
    return replace(found, undefined=FALSE)


def least_over_minus_one(opcode: str, found: Any, a: Scalar, b: Scalar) -> Any:
    """Only zero is a bad divisor."""
    if opcode not in ("sdiv", "srem"):
        return found
    return replace(found, undefined=either(b.poison, b.bits == 0))


def poison_stops(opcode: str, found: Any, a: Scalar, b: Scalar) -> Any:
    """Poison operands do not make the result poison."""
    if a.poison is FALSE and b.poison is FALSE:
        return found
    clean = [replace(operand, poison=FALSE) for operand in (a, b)]
    return replace(found, value=replace(found.value, poison=FALSE, choices=clean[0].choices | clean[1].choices))


def frozen_is_itself(real: Any) -> Any:
    """freeze does nothing."""

    def frozen(self: Choices, value: SymValue, origin: str = "freeze", *_: Any) -> SymValue:
        return value

    return frozen


def frozen_once(real: Any) -> Any:
    """All freezes of one width choose the same value."""

    def frozen(self: Choices, value: SymValue, origin: str = "freeze", *_: Any) -> Any:
        if not isinstance(value, Scalar):
            return real(self, value, origin)
        same = z3.BitVec(f"{self.prefix}frozen {value.bits.size()}", value.bits.size())
        bits = same if value.choices else z3.If(value.poison, same, value.bits)
        return replace(value, bits=bits, poison=FALSE, choices=NO_CHOICE)

    return frozen


def decided_blindly(real: Any) -> Any:
    """A condition is never undefined."""

    def decided(self: Any, value: Scalar, state: Any) -> Term:
        return self.choices.settled(value)[0].bits

    return decided


def undef_is_fine(real: Any) -> Any:
    """Only poison conditions are undefined."""

    def decided(self: Any, value: Scalar, state: Any) -> Term:
        settled, _ = self.choices.settled(value)
        if settled.poison is not FALSE:
            self.undefined.append(both(state.path, settled.poison))
        return settled.bits

    return decided


def unaligned(real: Any) -> Any:
    """Every access has alignment 1."""
    return lambda self, pointer, size, alignment: real(self, pointer, size, 1)


def lanes_alone(real: Any) -> Any:
    """Each lane of a value that is used chooses for itself."""

    def used(self: Choices, value: SymValue, *_: Any) -> SymValue:
        return self.renewed(value) if isinstance(value, Scalar) else tuple(used(self, lane) for lane in value)

    return used


def steps_are_right(real: Any) -> Any:
    """A step of getelementptr keeps every flag by itself."""

    def go(self: Any, step: Term) -> None:
        real(self, step)
        self.wrapped.clear()

    return go


def first_lane(real: Any) -> Any:
    """Only the first lane of a vector is compared."""

    def differs(source: SymValue, target: SymValue) -> Any:
        while isinstance(source, tuple) and isinstance(target, tuple):
            source, target = source[0], target[0]
        return real(source, target)

    return differs


def without_provenance(real: Any) -> Any:
    """Pointers are compared by address."""

    def differs(source: Scalar, target: Scalar) -> Any:
        return real(replace(source, provenance=None), replace(target, provenance=None))

    return differs


def without_poison(real: Any) -> Any:
    """The target's poison is not looked at."""
    return lambda source, target: real(source, replace(target, poison=FALSE))


def poison_equal_only(real: Any) -> Any:
    """The source's poison permits nothing."""
    return lambda source, target: real(replace(source, poison=FALSE), target)


def target_defined(real: Any) -> Any:
    """The target's undefined behaviour is not looked at."""

    def difference(source: Any, target: Any, world: Any) -> Any:
        return real(source, replace(target, undefined=FALSE), world)

    return difference


def picks_without_poison(real: Any) -> Any:
    """select takes no poison from its arms."""

    def picked(condition: SymValue, yes: SymValue, no: SymValue) -> Any:
        found = real(condition, yes, no)
        if isinstance(found, Scalar) and isinstance(condition, Scalar):
            return replace(found, poison=condition.poison)
        return found

    return picked


def picks_all_poison(real: Any) -> Any:
    """select takes poison from both arms."""

    def picked(condition: SymValue, yes: SymValue, no: SymValue) -> Any:
        found = real(condition, yes, no)
        if isinstance(found, Scalar) and isinstance(yes, Scalar) and isinstance(no, Scalar):
            return replace(found, poison=either(found.poison, yes.poison, no.poison))
        return found

    return picked


def picks_on_poison(real: Any) -> Any:
    """select on poison picks an arm."""

    def picked(condition: SymValue, yes: SymValue, no: SymValue) -> Any:
        return real(replace(condition, poison=FALSE) if isinstance(condition, Scalar) else condition, yes, no)

    return picked


def gives_up_gladly(real: Any) -> Any:
    """Every query runs out of time, and counts as proved."""

    def check(self: Any, terms: Any, **named: Any) -> Any:
        result, model = real(self, terms, **{**named, "limit": 0.0})
        return (z3.unsat, None) if result == z3.unknown else (result, model)

    return check


def unknown_is_equal(real: Any) -> Any:
    """Unsupported constructs count as equal."""

    def run(self: Any) -> Any:
        try:
            return real(self)
        except UnsupportedError:
            return Verdict(Outcome.REFINES, "SMT")

    return run


def bytes_defined(real: Any) -> Any:
    """Bytes at entry are never undef."""

    def assembled(self: Any, entries: Any, places: Any, is_pointer: bool, choices: Any) -> Any:
        keep = ~(1 << smt_memory.UNDEF_BIT)
        known = [entry & z3.BitVecVal(keep, entry.size()) for entry in entries]
        return real(self, known, places, is_pointer, choices)

    return assembled


def bytes_without_poison(real: Any) -> Any:
    """Poison bytes do not make what is loaded poison."""
    return lambda self, *arguments: replace(real(self, *arguments), poison=FALSE)


def no_overflow(real: Any) -> Any:
    """The i1 of the overflow intrinsics is never set."""

    def overflow(operation: str, signed: bool, a: Term, b: Term) -> tuple[Term, Term]:
        return real(operation, signed, a, b)[0], FALSE

    return overflow


def never_exhausted(real: Any) -> Any:
    """A loop never runs longer than it was unrolled."""
    return lambda *arguments, **named: replace(real(*arguments, **named), exhausted=FALSE)


def signs_forgotten(real: Any) -> Any:
    """Signed predicates as unsigned ones."""
    return {**real, "slt": real["ult"], "sgt": real["ugt"], "sle": real["ule"], "sge": real["uge"]}
