"""The bounds formulas behind one face: worked out, or left open so that a proof rests on lemmas alone.

What is proved with the formulas left open holds for every way of keeping bounds that the lemmas are true of; what is
not proved then says nothing, and is asked again with the formulas worked out.
"""

from __future__ import annotations

from typing import Any, Protocol

from capability.cheri.concentrate import Concentrate, OutOfRange
from capability.cheri.isa import Check
from m4alloc.superopt.cheri import encoding
from m4alloc.superopt.cheri.encoding import Decoded, Encoded
from m4alloc.superopt.cheri.words import TRUE, Truth, Word, is_symbolic, solver


class Codec(Protocol):
    """What the semantics ask of a way to keep bounds."""

    def decode(self, bits: Word, address: Word) -> Decoded: ...
    def encode(self, base: Word, length: Word) -> Encoded: ...
    def depends(self, bits: Word) -> Truth:
        """The bounds have bits from the address."""

    def in_range(self, bits: Word) -> Truth:
        """The exponent is one that setting bounds makes."""

    def keeps(self, check: Check, bits: Word, old: Word, new: Word) -> Truth:
        """The check of a move passes, valid bounds and Morello's sign included."""


class Worked:
    """The formulas of `encoding`."""

    def __init__(self, codec: Concentrate) -> None:
        self.codec = codec

    def decode(self, bits: Word, address: Word) -> Decoded:
        return encoding.decode(self.codec, bits, address)

    def encode(self, base: Word, length: Word) -> Encoded:
        return encoding.encode(self.codec, base, length)

    def depends(self, bits: Word) -> Truth:
        taken = encoding.split(self.codec, bits)
        return taken.negative | encoding.depends_on_address(self.codec, taken.exponent)

    def in_range(self, bits: Word) -> Truth:
        if self.codec.out_of_range is not OutOfRange.CLAMPED:
            return TRUE  # what is out of range is not valid there, but for Morello's spelling of the whole space
        return encoding.split(self.codec, bits).exponent <= Word(self.codec.largest, 8)

    def keeps(self, check: Check, bits: Word, old: Word, new: Word) -> Truth:
        survive = encoding.keeps_bounds if check is Check.PRECISE else encoding.keeps_bounds_fast
        kept = encoding.decode(self.codec, bits, old).valid & survive(self.codec, bits, old, new)
        exponent = encoding.split(self.codec, bits).exponent
        return kept & ~encoding.changes_sign(self.codec, exponent, old, new)


class Open:
    """Functions of which nothing is known but that equal arguments give equal results; over z3 only."""

    def __init__(self, codec: Concentrate) -> None:
        self.codec = codec

    def _word(self, name: str, width: int, *arguments: Word) -> Word:
        z3 = solver()
        raws: list[Any] = [
            word.raw if is_symbolic(word.raw) else z3.BitVecVal(word.raw, word.width) for word in arguments
        ]
        sorts = [z3.BitVecSort(word.width) for word in arguments]
        return Word(z3.Function(name, *sorts, z3.BitVecSort(width))(*raws), width)

    def _truth(self, name: str, *arguments: Word) -> Truth:
        return self._word(name, 1, *arguments).bit(0)

    def decode(self, bits: Word, address: Word) -> Decoded:
        width = self.codec.address_bits
        base = self._word("base", width, bits, address)
        top = self._word("top", width + 1, bits, address)
        return Decoded(base, top, self._truth("valid", bits, address))

    def encode(self, base: Word, length: Word) -> Encoded:
        bits = self._word("bits", self.codec.width, base, length)
        exact = self._truth("exact", base, length)
        return Encoded(bits, exact, self._word("shift", 8, base, length))

    def depends(self, bits: Word) -> Truth:
        return self._truth("depends", bits)

    def in_range(self, bits: Word) -> Truth:
        return self._truth("in range", bits)

    def keeps(self, check: Check, bits: Word, old: Word, new: Word) -> Truth:
        before = self.decode(bits, old)
        kept = before.valid
        if check is Check.PRECISE:
            kept = kept & encoding.same_bounds(before, self.decode(bits, new))
        else:
            kept = kept & self._truth("fast check", bits, old, new)
        signed = self.codec.signed_bits
        return kept & ~((old ^ new).bit(signed - 1) & self.depends(bits)) if signed else kept
