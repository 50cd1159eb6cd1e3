"""What a term does, as formulas: `model` once more, over words, for all inputs at once.

A trap is a condition and a kind; memory is a function of the address that is unknown, and another one after each write,
so that two terms read alike exactly where they wrote alike before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from capability.fault import FaultKind
from m4alloc.superopt.cheri.codecs import Codec, Open, Worked
from m4alloc.superopt.cheri.encoding import Decoded
from m4alloc.superopt.cheri.layout import Layout
from m4alloc.superopt.cheri.symbol import KINDS, Cap, Event, Seen, Symbol, Unsupported
from m4alloc.superopt.cheri.symbolic_operations import OPERATIONS
from m4alloc.superopt.cheri.term import Apply, Let, Number, Term, Variable
from m4alloc.superopt.cheri.words import FALSE, TRUE, Truth, Word, choose, choose_truth, every

Refusal: TypeAlias = "tuple[Truth, FaultKind | None]"


def observed(term: Term, environment: Mapping[str, Symbol], layout: Layout, *, by_lemmas: bool = False) -> Seen:
    """The formulas of a term.  Raises Unsupported.

    by_lemmas: with the bounds formulas left open, and with what `lemmas` says of them in `Seen.facts`.
    """
    machine = SymbolicMachine(layout, by_lemmas=by_lemmas)
    value = machine.value(term, environment, TRUE)
    return Seen(
        value, machine.trapped, machine.kind, tuple(machine.events), tuple(machine.loaded), tuple(machine.facts)
    )


class SymbolicMachine:
    """One evaluation; the layout says which instruction set."""

    def __init__(self, layout: Layout, *, by_lemmas: bool = False) -> None:
        self.layout = layout
        self.by_lemmas = by_lemmas
        self.codec: Codec = Open(layout.codec) if by_lemmas else Worked(layout.codec)
        self.facts: list[Truth] = []
        self.trapped = FALSE
        self.kind = Word(0, 3)
        self.events: list[Event] = []
        self.loaded: list[Cap] = []
        self.width = layout.address_bits

    # Terms

    def value(self, term: Term, environment: Mapping[str, Symbol], guard: Truth) -> Symbol:
        """The value where `guard` holds and nothing has trapped."""
        if isinstance(term, Number):
            return Word(term.value, self.width)
        if isinstance(term, Variable):
            return environment[term.name]
        if isinstance(term, Let):
            bound = self.value(term.bound, environment, guard)
            return self.value(term.body, {**environment, term.name: bound}, guard)
        if term.operator == "if":
            return self.branch(term, environment, guard)
        operands = tuple(self.value(operand, environment, guard) for operand in term.operands)
        if term.operator == "tuple":
            return operands
        if term.operator == "do":
            return operands[-1]
        if term.operator == "select":
            condition, one, other = operands
            assert isinstance(condition, Truth)
            return merged(condition, one, other)
        operation = OPERATIONS.get(term.operator)
        if operation is None:
            raise Unsupported(f"no formula for {term.operator}")
        result: Symbol = operation(self, guard, *operands)
        return result

    def branch(self, term: Apply, environment: Mapping[str, Symbol], guard: Truth) -> Symbol:
        """One arm; neither may write."""
        condition = self.value(term.operands[0], environment, guard)
        assert isinstance(condition, Truth)
        count = len(self.events)
        one = self.value(term.operands[1], environment, guard & condition)
        other = self.value(term.operands[2], environment, guard & ~condition)
        if len(self.events) != count:
            raise Unsupported("a write in an arm of a branch")
        return merged(condition, one, other)

    # Refusals

    def trap(self, guard: Truth, applies: Truth, kind: FaultKind) -> None:
        """End the evaluation here, unless it has ended already."""
        now = every(guard, ~self.trapped, applies)
        self.kind = choose(now, Word(KINDS[kind], 3), self.kind)
        self.trapped = self.trapped | now

    def settle(self, guard: Truth, result: Cap, refusals: Sequence[Refusal]) -> Cap:
        """The first refusal that applies decides: a trap where the instruction set traps, else a cleared tag."""
        none, cleared = TRUE, FALSE
        for applies, kind in refusals:
            if self.layout.trapping and kind is not None:
                self.trap(guard, none & applies, kind)
            else:
                cleared = cleared | (none & applies)
            none = none & ~applies
        return result._replace(tag=result.tag & ~cleared)

    # Fields

    def decoded(self, cap: Cap) -> Decoded:
        """Its bounds."""
        return self.codec.decode(self.bounds_bits(cap), cap.address)

    def bounds_bits(self, cap: Cap) -> Word:
        """The stored bounds."""
        return cap.upper.bits(self.layout.codec.width - 1, 0)

    def otype(self, cap: Cap) -> Word:
        """As stored."""
        return cap.upper.bits(self.layout.otype.high, self.layout.otype.low)

    def sealed(self, cap: Cap) -> Truth:
        """Not unsealed."""
        return self.otype(cap).ne(self.layout.unsealed)

    def perms(self, cap: Cap) -> Word:
        """As the instruction set reports them, without the bits that mean nothing."""
        total = Word(0, self.width)
        for part, shift in self.layout.parts:
            total = total | (cap.upper.bits(part.high, part.low).to(self.width) << shift)
        for stored, reported in self.layout.shuffled:
            total = total | (cap.upper.bits(stored, stored).to(self.width) << reported)
        return total

    def with_perms(self, cap: Cap, perms: Word) -> Cap:
        """The field alone."""
        upper, width = cap.upper, self.layout.upper_bits
        for part, shift in self.layout.parts:
            put = perms.bits(shift + part.width - 1, shift).to(width) << part.low
            upper = (upper & ~part.mask) | put
        for stored, reported in self.layout.shuffled:
            upper = (upper & ~(1 << stored)) | (perms.bits(reported, reported).to(width) << stored)
        return cap._replace(upper=upper)

    def has(self, cap: Cap, right: int) -> Truth:
        """The permission at this bit of what is reported."""
        return FALSE if right < 0 else self.perms(cap).bit(right)

    def within(self, cap: Cap, address: Word, length: Word) -> Truth:
        """[address, address + length) is in bounds, in numbers that do not wrap."""
        bounds = self.decoded(cap)
        wide = self.width + 1
        end = address.to(wide) + length.to(wide)
        return every(bounds.valid, bounds.base <= address, end <= bounds.top)

    def derivable(self, cap: Cap) -> Truth:
        """What holds of every capability with a tag: valid bounds that neither wrap nor leave the address space.

        The top two bits of T follow from B by `encoding.split`; without that there are encodings no hardware holds.
        """
        bounds = self.decoded(cap)
        known = every(
            bounds.valid,
            bounds.base.to(self.width + 1) <= bounds.top,
            bounds.top <= Word(1 << self.width, self.width + 1),
            self.codec.in_range(self.bounds_bits(cap)),
        )
        if not self.layout.shuffled:
            return known
        return known & self.legalised(self.perms(cap)).eq(self.perms(cap))

    def legalised(self, perms: Word) -> Word:
        """RISC-V's rules for sets that make no sense, once in order; elsewhere every set makes sense.

        Source: riscv-cheri, "Permission Transitions"; `capability.cheri.riscv_perms`.
        """
        if not self.layout.shuffled:
            return perms
        w, lm, el, sl, _, c = range(6)
        asr, x, r = 16, 17, 18
        perms = choose(perms.bit(r) | perms.bit(w), perms, perms & ~(1 << c))
        for bit, needed in ((lm, (c, r)), (asr, (x, x)), (el, (c, r)), (sl, (c, w))):
            stays = perms.bit(needed[0]) & perms.bit(needed[1])
            perms = choose(stays, perms, perms & ~(1 << bit))
        return perms


def merged(condition: Truth, one: Symbol, other: Symbol) -> Symbol:
    """The first value where the condition holds, else the second; both are of one sort."""
    if isinstance(one, Cap) and isinstance(other, Cap):
        return Cap(
            choose(condition, one.upper, other.upper),
            choose(condition, one.address, other.address),
            choose_truth(condition, one.tag, other.tag),
        )
    if isinstance(one, Word) and isinstance(other, Word):
        return choose(condition, one, other)
    if isinstance(one, Truth) and isinstance(other, Truth):
        return choose_truth(condition, one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return tuple(merged(condition, left, right) for left, right in zip(one, other, strict=True))
    return None
