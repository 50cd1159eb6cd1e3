"""CHERIoT's permissions: twelve of them, in six bits, because only six kinds of set are useful.

Source: cheriot-sail, src/cheri_cap_common.sail, encCapabilityToCapability and capToEncCap.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag

from capability.cheri.field import Field
from capability.cheri.permission import CheriotPerms as P
from capability.perms import Perms

_MOVES = P.LOAD | P.LOAD_STORE_CAP
_OPTIONAL = (P.LOAD_GLOBAL, P.LOAD_MUTABLE)
_KINDS: tuple[tuple[int, int, P, tuple[P, ...]], ...] = (
    # how many low bits are optional permissions, the bits above them, the permissions of the kind, the optional ones
    (3, 0b01, P.EXECUTE | _MOVES, (*_OPTIONAL, P.ACCESS_SYSTEM_REGS)),
    (3, 0b11, _MOVES | P.STORE, (*_OPTIONAL, P.STORE_LOCAL_CAP)),
    (2, 0b101, _MOVES, _OPTIONAL),
    (0, 0b10000, P.STORE | P.LOAD_STORE_CAP, ()),
    (2, 0b100, P(0), (P.STORE, P.LOAD)),
    (3, 0b00, P(0), (P.UNSEAL, P.SEAL, P.USER0)),
)
"""In the order in which a set of permissions is tried when it is encoded: the first kind that it contains."""


@dataclass(frozen=True, slots=True)
class CheriotCompressed:
    """GLOBAL has a bit of its own; the other five bits are a kind and what that kind may have in addition.

    >>> from capability.cheri.formats import CHERIOT
    >>> P(CHERIOT.permissions.read(CHERIOT.root)) & P.EXECUTE
    <CheriotPerms: 0>
    """

    field: Field

    @property
    def kind(self) -> type[IntFlag]:
        return P

    @property
    def mask(self) -> int:
        return 0xFFF

    @property
    def ones(self) -> int:
        return 0

    @property
    def fields(self) -> Mapping[str, Field]:
        return {"CPERMS": self.field}

    def read(self, word: int) -> int:
        bits = self.field.get(word)
        held = P.GLOBAL if bits >> 5 else P(0)
        return int(held | _expand(bits & 0b11111))

    def write(self, word: int, perms: int) -> int | None:
        kept = self.legalise(perms)
        return self._put(word, P(kept)) if kept == perms else None

    def _put(self, word: int, perms: P) -> int:
        optional, head, _, names = _kind_of(perms)
        bits = head << optional | sum(1 << number for number, name in enumerate(names) if name in perms)
        return self.field.put(word, (1 if P.GLOBAL in perms else 0) << 5 | bits)

    def legalise(self, perms: int) -> int:
        _, _, whole, names = _kind_of(P(perms))
        return perms & int(whole | P.GLOBAL | _union(names))

    def rights(self, perms: int) -> Perms:
        given, held = P(perms), Perms(0)
        for needed, name in _RIGHTS:
            if needed in given:
                held |= name
        return held

    def within(self, rights: Perms) -> int:
        kept = P(self.mask)
        for perm, name in _SINGLE:
            if not name & rights:
                kept &= ~perm
        if (P.LOAD in kept and Perms.PERMIT_LOAD_CAP not in rights) or (
            P.STORE in kept and Perms.PERMIT_STORE_CAP not in rights
        ):
            kept &= ~P.LOAD_STORE_CAP
        return int(kept)


def _expand(bits: int) -> P:
    """The permissions of a five-bit encoding; longer heads are more specific, so they are looked at first."""
    for optional, head, whole, names in sorted(_KINDS, key=lambda kind: kind[0]):
        if bits >> optional == head:
            return whole | _union(tuple(name for number, name in enumerate(names) if bits >> number & 1))
    raise AssertionError(f"{bits:#07b} is of no kind")


def _kind_of(perms: P) -> tuple[int, int, P, tuple[P, ...]]:
    """The first kind whose permissions are all there; data needs LOAD or STORE, and sealing needs nothing."""
    for kind in _KINDS:
        _, head, whole, _ = kind
        if head == 0b100:
            if perms & (P.LOAD | P.STORE):
                return kind
        elif whole in perms:
            return kind
    raise AssertionError(f"{perms!r} is of no kind")


def _union(names: tuple[P, ...]) -> P:
    total = P(0)
    for name in names:
        total |= name
    return total


_RIGHTS = (
    (P.GLOBAL, Perms.GLOBAL),
    (P.EXECUTE, Perms.PERMIT_EXECUTE),
    (P.LOAD, Perms.PERMIT_LOAD),
    (P.STORE, Perms.PERMIT_STORE),
    (P.LOAD | P.LOAD_STORE_CAP, Perms.PERMIT_LOAD_CAP),
    (P.STORE | P.LOAD_STORE_CAP, Perms.PERMIT_STORE_CAP),
    (P.STORE | P.LOAD_STORE_CAP | P.STORE_LOCAL_CAP, Perms.PERMIT_STORE_LOCAL_CAP),
    (P.EXECUTE | P.ACCESS_SYSTEM_REGS, Perms.ACCESS_SYSTEM_REGS),
    (P.SEAL, Perms.PERMIT_SEAL),
    (P.UNSEAL, Perms.PERMIT_UNSEAL),
    (P.USER0, Perms.SW_SYSCALL),
)
_SINGLE = (
    (P.GLOBAL, Perms.GLOBAL),
    (P.EXECUTE, Perms.PERMIT_EXECUTE),
    (P.LOAD, Perms.PERMIT_LOAD),
    (P.STORE, Perms.PERMIT_STORE),
    (P.STORE_LOCAL_CAP, Perms.PERMIT_STORE_LOCAL_CAP),
    (P.ACCESS_SYSTEM_REGS, Perms.ACCESS_SYSTEM_REGS),
    (P.SEAL, Perms.PERMIT_SEAL),
    (P.UNSEAL, Perms.PERMIT_UNSEAL),
    (P.USER0, Perms.SW_SYSCALL),
)
