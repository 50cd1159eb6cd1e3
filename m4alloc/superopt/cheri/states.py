"""Inputs worth trying: capabilities at the edges where rewrites break, and integers that fit them.

Derived and garbage, sealed, sentries, zero length, the top of the address space, the last granule of the
representable region. Uniform random states miss what these hit: 18,000 of them missed a forged tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from random import Random

from capability.cheri.capability import Capability
from capability.cheri.isa import Illegal, Isa
from capability.cheri.move import increment, set_address
from capability.cheri.narrow import representable_length, representable_mask, set_bounds
from capability.cheri.permit import and_perms
from capability.cheri.seal import seal_entry, with_otype
from capability.word import mask
from m4alloc.superopt.cheri.model import Value
from m4alloc.superopt.cheri.term import Sort


class States:
    """A stream of inputs for terms over these variables, the same for the same seed.

    >>> from capability.cheri.isa import MORELLO
    >>> states = States(MORELLO, {"c": Sort.CAP, "n": Sort.INT}, seed=1)
    >>> sorted(states.next())
    ['c', 'n']
    """

    def __init__(self, isa: Isa, variables: Mapping[str, Sort], seed: int) -> None:
        self.isa = isa
        self.variables = variables
        self.random = Random(seed)
        self.ones = mask(isa.format.address_bits)
        self.clearing = replace(isa, illegal=Illegal.CLEARS_TAG)
        """For making states: here a refusal is a cleared tag, whatever the instruction set under test does."""
        self.otypes = tuple(islice(isa.format.otypes.sealable, 64)) or (0,)

    def next(self) -> dict[str, Value]:
        """One value a variable, often related to each other."""
        capabilities: list[Capability] = []
        numbers: list[int] = []
        found: dict[str, Value] = {}
        for name, sort in sorted(self.variables.items(), key=lambda item: item[1] is not Sort.CAP):
            if sort is Sort.CAP:
                capabilities.append(self.capability(capabilities))
                found[name] = capabilities[-1]
            elif sort is Sort.BOOL:
                found[name] = self.random.random() < 0.5
            else:
                numbers.append(self.integer(capabilities, numbers) & self.ones)
                found[name] = numbers[-1]
        return found

    def capability(self, others: list[Capability]) -> Capability:
        """Tagged or not, sealed or not, pointing inside, at an edge, or as far as it may."""
        random = self.random
        if others and random.random() < 0.15:
            return self.near_other(random.choice(others))
        if random.random() < 0.06:
            word = random.getrandbits(self.isa.format.address_bits)
            return Capability(self.isa.format, word, self.address(), False)
        if random.random() < 0.06:  # an authority to seal with, where there are such
            roots = self.isa.format.roots
            return Capability.root(
                self.isa.format, "sealing" if "sealing" in roots else None, random.choice(self.otypes)
            )
        if random.random() < 0.04:
            return Capability.null(self.isa.format, self.address())
        cap = self.moved(self.narrowed(Capability.root(self.isa.format, random.choice([*self.isa.format.roots]))))
        if random.random() < 0.3:
            kept = and_perms(cap, random.getrandbits(24) | random.getrandbits(24), self.clearing)
            cap = kept if kept.tag else cap
        return self.sealed(cap) if random.random() < 0.12 else cap.clear_tag() if random.random() < 0.1 else cap

    def near_other(self, other: Capability) -> Capability:
        """A capability with the address of another, or with its bounds."""
        if self.random.random() < 0.3:
            return other.clear_tag()
        moved = set_address(self.narrowed(Capability.root(self.isa.format)), other.address, self.clearing)
        return moved if moved.tag else set_address(Capability.root(self.isa.format), other.address, self.clearing)

    def sealed(self, cap: Capability) -> Capability:
        """A sentry, or sealed with some type; sometimes without its tag."""
        otypes = self.isa.format.otypes
        if self.random.random() < 0.4:
            cap = seal_entry(cap, self.clearing)
        elif len(otypes.sealable):
            cap = with_otype(cap, self.random.choice(self.otypes))
        return cap if self.random.random() < 0.8 else cap.clear_tag()

    def narrowed(self, cap: Capability) -> Capability:
        """Bounds set up to twice; the address stays at the last base."""
        random = self.random
        if random.random() < 0.08:
            return cap
        for _ in range(random.choice((1, 1, 2))):
            length = self.length()
            at = self.address()
            if random.random() < 0.5:
                at &= representable_mask(min(length, self.ones), self.isa)
            if random.random() < 0.15:
                at = self.ones - min(length, self.ones) + random.choice((0, 1))
            narrowed = set_bounds(set_address(cap, at & self.ones, self.clearing), length, self.clearing)
            cap = narrowed if narrowed.tag else cap
        return cap

    def moved(self, cap: Capability) -> Capability:
        """The address put somewhere that keeps the tag."""
        random = self.random
        base, top, _ = cap.decoded
        first, last = cap.format.bounds.reach(cap.pesbt & mask(cap.format.bounds.width), cap.address)
        exponent = max(0, cap.format.bounds.split(cap.pesbt & mask(cap.format.bounds.width)).exponent)
        granule = 1 << min(exponent, cap.format.address_bits)
        choices: tuple[Callable[[], int], ...] = (
            lambda: base,
            lambda: top,
            lambda: top - 1,
            lambda: base + random.randrange(max(1, top - base)),
            lambda: (base + random.randrange(max(1, top - base))) & -(1 << random.randrange(1, 13)),
            lambda: last - 1 - random.randrange(2 * granule),
            lambda: first + random.randrange(2 * granule),
            lambda: random.randrange(first, max(first + 1, last)),
            lambda: base + (1 << random.randrange(cap.format.address_bits)),
            lambda: random.choice(self.otypes),
        )
        to = random.choice(choices)() & self.ones
        move = increment if random.random() < 0.3 else (lambda c, a, isa: set_address(c, a, isa))
        moved = move(cap, to - cap.address if move is increment else to, self.clearing)
        return moved if moved.tag else cap

    def length(self) -> int:
        """0 to 2**address_bits, many near powers of two, where rounding changes, and many that are exact."""
        random, bits = self.random, self.isa.format.address_bits
        choices: tuple[Callable[[], int], ...] = (
            lambda: random.randrange(0, 33),
            lambda: 16 * random.randrange(1, 300),
            lambda: random.getrandbits(random.randrange(1, bits)),
            lambda: (1 << random.randrange(bits)) + random.randrange(-9, 10),
            lambda: representable_length(random.getrandbits(random.randrange(1, bits)), self.isa),
        )
        return min(max(random.choice(choices)(), 0), 1 << bits)

    def address(self) -> int:
        """Anywhere, many aligned, some at the end of the address space."""
        random, bits = self.random, self.isa.format.address_bits
        choices: tuple[Callable[[], int], ...] = (
            lambda: random.getrandbits(bits),
            lambda: random.getrandbits(random.randrange(1, bits + 1)),
            lambda: random.getrandbits(min(bits, 48)) & -(1 << random.randrange(0, 32)),
            lambda: self.ones - random.getrandbits(random.randrange(1, bits)),
            lambda: (1 << random.randrange(bits)) - random.randrange(-16, 17),
        )
        return random.choice(choices)() & self.ones

    def integer(self, capabilities: list[Capability], numbers: list[int]) -> int:
        """A length, an offset, an address or a permission mask, as the capabilities make it interesting."""
        random = self.random
        cap = random.choice(capabilities) if capabilities else Capability.root(self.isa.format)
        base, top, _ = cap.decoded
        first, last = cap.format.bounds.reach(cap.pesbt & mask(cap.format.bounds.width), cap.address)
        room = max(0, top - cap.address)
        choices: tuple[Callable[[], int], ...] = (
            self.length,
            self.address,
            lambda: random.randrange(room + 1),
            lambda: room,
            lambda: room + random.randrange(-2, 3),
            lambda: representable_length(min(random.randrange(room + 1), self.ones), self.isa),
            lambda: top - base,
            lambda: random.randrange(min(room, 64) + 1),
            lambda: random.randrange(-64, 65),
            lambda: 0,
            lambda: base - cap.address + random.randrange(max(1, top - base)),
            lambda: last - cap.address - random.randrange(1, 5),
            lambda: (last if random.random() < 0.5 else first) - cap.address + random.randrange(-(1 << 14), 1 << 14),
            lambda: random.getrandbits(24),
            lambda: int(cap.perms) & random.getrandbits(24) | 1 << random.randrange(24),
            lambda: base + random.randrange(max(1, top - base)),
            lambda: random.choice((base, top, top - 1, cap.address)),
            lambda: random.choice(numbers) if numbers else 8,
            lambda: random.choice(numbers) - random.randrange(9) if numbers else 4,
            lambda: random.randrange(random.choice(numbers) + 1) if numbers else 1,
            lambda: -random.choice(numbers) if numbers else -1,
        )
        return random.choice(choices)()
