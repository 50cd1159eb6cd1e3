"""How each format keeps its permissions, and what each bit is worth in the names that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Protocol

from capability.cheri.field import Field
from capability.perms import Perms


class PermissionCodec(Protocol):
    """The permissions of one format, in the layout that its instruction set reports (CGetPerm, GCPERM)."""

    @property
    def kind(self) -> type[IntFlag]:
        """The names and bits."""

    @property
    def mask(self) -> int:
        """Every permission there is."""

    @property
    def ones(self) -> int:
        """Bits that always read as one and mean nothing."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """Where they are in the upper word."""

    def read(self, word: int) -> int:
        """What the instruction reports, `ones` included."""

    def write(self, word: int, perms: int) -> int | None:
        """`word` with exactly these permissions, or None when it has no encoding for them."""

    def legalise(self, perms: int) -> int:
        """The largest subset that the architecture's own rules leave: the set that `write` can encode."""

    def rights(self, perms: int) -> Perms:
        """What they allow, by the shared names."""

    def within(self, rights: Perms) -> int:
        """The permissions that allow nothing beyond `rights`, to be kept when a capability is derived."""


@dataclass(frozen=True, slots=True)
class InPlace:
    """One bit a permission: field number i holds the bits from shifts[i] upwards (ISAv9, Morello).

    names: permissions to shared names; a permission without one restricts nothing that the shared names speak of.
    of_use_with: permissions that give no right themselves, and are kept together with the one that they add to.
    """

    kind: type[IntFlag]
    parts: tuple[tuple[str, Field, int], ...]
    names: Mapping[IntFlag, Perms] = field(hash=False)
    of_use_with: Mapping[IntFlag, Perms] = field(default_factory=dict, hash=False)
    ones: int = 0

    @property
    def mask(self) -> int:
        total = 0
        for _, part, shift in self.parts:
            total |= (part.mask >> part.low) << shift
        return total

    @property
    def fields(self) -> Mapping[str, Field]:
        return {name: part for name, part, _ in self.parts}

    def read(self, word: int) -> int:
        total = 0
        for _, part, shift in self.parts:
            total |= part.get(word) << shift
        return total

    def write(self, word: int, perms: int) -> int:
        for _, part, shift in self.parts:
            word = part.put(word, (perms >> shift) & (part.mask >> part.low))
        return word

    def legalise(self, perms: int) -> int:
        return perms & self.mask

    def rights(self, perms: int) -> Perms:
        held = Perms(0)
        for perm, name in self.names.items():
            if perms & perm:
                held |= name
        return held

    def within(self, rights: Perms) -> int:
        kept = self.mask
        for perm, name in (*self.names.items(), *self.of_use_with.items()):
            if not name & rights:
                kept &= ~perm
        return kept
