"""Object types: what the otype field of each format means."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ObjectTypes:
    """The object types of one format.

    unsealed: means no seal. sentry: sealed until it is jumped to. reserved: those with a fixed meaning, unsealed
    included. names: of the reserved ones. sealable: what an authority can seal with. code_sealable: where code has
    types of its own, those. data_from: added to the stored type of a sealed capability that is not code (CHERIoT: 8).

    >>> from capability.cheri.formats import ISAV9_128
    >>> ISAV9_128.otypes.is_reserved(0x3FFFE), ISAV9_128.otypes.name(0x3FFFE), ISAV9_128.otypes.name(12)
    (True, 'sentry', '12')
    """

    unsealed: int
    sentry: int
    reserved: Collection[int]
    sealable: Collection[int]
    names: MappingProxyType[int, str] = field(hash=False)
    code_sealable: Collection[int] | None = None
    data_from: int = 0

    def is_reserved(self, otype: int) -> bool:
        """True for unsealed, sentries, and what the architecture keeps for itself."""
        return otype in self.reserved

    def meant(self, stored: int, executable: bool) -> int:
        """The object type that the field stores."""
        return stored if executable or stored == self.unsealed else stored + self.data_from

    def stored(self, otype: int) -> int:
        """What the field stores of an object type."""
        return otype - self.data_from if self.data_from and otype >= self.data_from else otype

    def may_seal(self, otype: int, executable: bool) -> bool:
        """True if an authority can seal with it, code or data."""
        return otype in (self.code_sealable if executable and self.code_sealable is not None else self.sealable)

    def name(self, otype: int) -> str:
        """Its name if it is reserved, else its number."""
        return self.names.get(otype, str(otype))
