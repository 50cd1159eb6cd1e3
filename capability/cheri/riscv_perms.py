"""Permissions of the RISC-V draft: one bit each in the 128-bit format, a table of sets in the 64-bit one.

A right to load or store capabilities is C together with R or W, so sets can be pointless: LM without C, C without
R and W. The 64-bit format spends five bits on the sets that are not, and a set that is in no row of its table
cannot be kept. The instruction that clears permissions then clears more of them, by rules run once in order.
Source: riscv-cheri, src/cheri/riscv-unpriv-integration.adoc, "Permission Transitions"; src/cheri/rvy32-encoding.adoc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntFlag
from types import MappingProxyType

from capability.cheri.field import Field
from capability.cheri.permission import RiscvPerms as P
from capability.perms import Perms

LEVELS = P.EL | P.SL | P.LEVEL
_ARCHITECTURAL = P.W | P.LM | P.EL | P.SL | P.LEVEL | P.C | P.ASR | P.X | P.R
_SOFTWARE_SHIFT = 6
_SOFTWARE = (Perms.SW_SYSCALL, Perms.SW_VMEM, Perms.SW_2, Perms.SW_3)


class _Riscv:
    """What the two formats share: the register layout, the level, the software bits, the shared names."""

    __slots__ = ()

    levels: bool
    software: Field
    level: Field

    @property
    def kind(self) -> type[IntFlag]:
        return P

    @property
    def mask(self) -> int:
        return int(_ARCHITECTURAL) | (self.software.mask >> self.software.low) << _SOFTWARE_SHIFT

    @property
    def ones(self) -> int:
        """Bits 15 down to the software permissions, and 23:19."""
        return (0xFFFF & ~((1 << (_SOFTWARE_SHIFT + self.software.width)) - 1)) | 0xF80000

    def _register(self, word: int, architectural: int) -> int:
        """The reported layout; without the levels extension its three bits read as ones."""
        perms = architectural | self.software.get(word) << _SOFTWARE_SHIFT | self.ones
        if not self.levels:
            return perms | int(LEVELS)
        return perms | (int(P.LEVEL) if self.level.get(word) else 0)

    def _common(self, word: int, perms: int) -> int:
        """Writes software bits and level; without the levels extension the level's bit is reserved and stays."""
        if self.levels:
            word = self.level.put(word, 1 if perms & P.LEVEL else 0)
        return self.software.put(word, (perms >> _SOFTWARE_SHIFT) & (self.software.mask >> self.software.low))

    def rights(self, perms: int) -> Perms:
        held = Perms(0)
        given = P(perms & self.mask)
        for needed, name in _RIGHTS:
            if needed in given:
                held |= name
        for number in range(self.software.width):
            if given & P(1 << (_SOFTWARE_SHIFT + number)):
                held |= _SOFTWARE[number]
        return held

    def within(self, rights: Perms) -> int:
        kept = P(self.mask)
        for perm, name in _SINGLE:
            if not name & rights:
                kept &= ~perm
        if (P.R in kept and Perms.PERMIT_LOAD_CAP not in rights) or (
            P.W in kept and Perms.PERMIT_STORE_CAP not in rights
        ):
            kept &= ~P.C
        for number in range(self.software.width):
            if not rights & _SOFTWARE[number]:
                kept &= ~P(1 << (_SOFTWARE_SHIFT + number))
        return int(kept)


_RIGHTS = (
    (P.LEVEL, Perms.GLOBAL),
    (P.X, Perms.PERMIT_EXECUTE),
    (P.R, Perms.PERMIT_LOAD),
    (P.W, Perms.PERMIT_STORE),
    (P.C | P.R, Perms.PERMIT_LOAD_CAP),
    (P.C | P.W, Perms.PERMIT_STORE_CAP),
    (P.C | P.W | P.SL, Perms.PERMIT_STORE_LOCAL_CAP),
    (P.X | P.ASR, Perms.ACCESS_SYSTEM_REGS),
)
_SINGLE = (
    (P.LEVEL, Perms.GLOBAL),
    (P.X, Perms.PERMIT_EXECUTE),
    (P.R, Perms.PERMIT_LOAD),
    (P.W, Perms.PERMIT_STORE),
    (P.SL, Perms.PERMIT_STORE_LOCAL_CAP),
    (P.ASR, Perms.ACCESS_SYSTEM_REGS),
)

Rule = tuple[P, Callable[[P], bool]]
"""A permission, and what must hold for it to stay."""


def has(perms: P, wanted: P) -> bool:
    """True if all of `wanted` are there."""
    return wanted in perms


BASE_RULES: tuple[Rule, ...] = (
    (P.C, lambda p: bool(p & (P.R | P.W))),
    (P.LM, lambda p: has(p, P.C | P.R)),
    (P.ASR, lambda p: has(p, P.X)),
)
LEVEL_RULES: tuple[Rule, ...] = (
    (P.EL, lambda p: has(p, P.C | P.R)),
    (P.SL, lambda p: has(p, P.C | P.W)),
)
TABLE_RULES: tuple[Rule, ...] = (
    (P.C, lambda p: has(p, P.R)),
    (P.X, lambda p: has(p, P.R)),
    (P.W, lambda p: not p & P.C or has(p, P.LM)),
    (P.X, lambda p: bool(p & (P.W | P.C))),
    (P.LM, lambda p: has(p, P.C)),
)
TABLE_LEVEL_RULES: tuple[Rule, ...] = (
    (P.LM, lambda p: bool(p & (P.W | P.EL))),
    (P.EL, lambda p: has(p, P.LM)),
    (P.SL, lambda p: has(p, P.LM | P.W)),
    (
        P.X,
        lambda p: (
            has(p, P.C | P.LM | P.EL | P.SL)
            or (has(p, P.C | P.LM | P.EL) and not p & P.W)
            or not p & (P.C | P.LM | P.EL | P.SL)
        ),
    ),
)
TABLE_LAST_RULES: tuple[Rule, ...] = (
    (P.X, lambda p: has(p, P.C | P.LM) or not p & (P.C | P.LM)),
    (P.ASR, lambda p: has(p, P.W | P.C | P.X)),
)


def _run(perms: int, rules: tuple[Rule, ...]) -> int:
    """The rules once, in order: each takes its permission away unless its condition holds."""
    left = P(perms)
    for perm, stays in rules:
        if left & perm and not stays(left):
            left &= ~perm
    return int(left)


@dataclass(frozen=True, slots=True)
class RiscvBits(_Riscv):
    """The 128-bit format: eight architectural bits in an order of their own.

    >>> from capability.cheri.formats import RISCV_128
    >>> hex(RISCV_128.permissions.read(RISCV_128.root))
    '0xffffff'
    """

    architectural: Field
    software: Field
    level: Field
    levels: bool

    @property
    def fields(self) -> Mapping[str, Field]:
        return {"SDP": self.software, "AP": self.architectural, "LEVEL": self.level}

    def read(self, word: int) -> int:
        stored = self.architectural.get(word)
        usable = _BIT_ORDER if self.levels else _BIT_ORDER[:-2]
        return self._register(word, sum(int(perm) for number, perm in enumerate(usable) if stored >> number & 1))

    def write(self, word: int, perms: int) -> int:
        usable = _BIT_ORDER if self.levels else _BIT_ORDER[:-2]
        stored = sum(1 << number for number, perm in enumerate(usable) if perms & perm)
        return self._common(self.architectural.put(word, stored), perms)

    def legalise(self, perms: int) -> int:
        return _run(perms & self.mask, BASE_RULES + (LEVEL_RULES if self.levels else ()))


_BIT_ORDER = (P.C, P.W, P.R, P.X, P.ASR, P.LM, P.EL, P.SL)
"""AP bits 0 to 7; the last two are there only with the levels extension."""

_CAPS = P.C | P.LM | P.EL
_ALL = _CAPS | P.SL
_TABLE: Mapping[int, P] = MappingProxyType(
    {
        # quadrant 0: data that holds no capabilities
        0b00000: P(0),
        0b00001: P.R,
        0b00100: P.W,
        0b00101: P.R | P.W,
        # quadrant 1: code; the low bit is the execution mode and is no permission
        0b01000: P.X | P.R | P.W | _ALL | P.ASR,
        0b01010: P.X | P.R | _ALL,
        0b01100: P.X | P.R | P.W | _ALL,
        0b01110: P.X | P.R | P.W,
        # quadrant 2: capabilities, restricted
        0b10011: P.R | P.C,
        0b10110: P.R | P.W | P.C | P.LM | P.SL,
        0b10111: P.R | P.W | P.C | P.LM,
        # quadrant 3: capabilities
        0b11011: P.R | _CAPS,
        0b11110: P.R | P.W | _CAPS | P.SL,
        0b11111: P.R | P.W | _CAPS,
    }
)
_NEED_LEVELS = frozenset({0b10110, 0b10111, 0b11110})
"""Rows that are reserved without the levels extension: all their permissions are denied then."""
_CODE = 0b01000
_QUADRANT = 0b11000


@dataclass(frozen=True, slots=True)
class RiscvTable(_Riscv):
    """The 64-bit format: a five-bit row number; in the rows for code its low bit is the mode.

    >>> from capability.cheri.formats import RISCV_64
    >>> codec = RISCV_64.permissions
    >>> codec.write(0, int(P.R | P.C)) is None, codec.write(0, int(P.W | P.C)) is None
    (False, True)
    """

    row: Field
    software: Field
    level: Field
    levels: bool

    @property
    def fields(self) -> Mapping[str, Field]:
        return {"SDP": self.software, "AP_M": self.row, "LEVEL": self.level}

    def read(self, word: int) -> int:
        row = self.row.get(word)
        if row & _QUADRANT == _CODE:
            row &= ~1
        granted = P(0) if row in _NEED_LEVELS and not self.levels else _TABLE.get(row, P(0))
        return self._register(word, int(granted))

    def write(self, word: int, perms: int) -> int | None:
        row = self._row(perms)
        if row is None:
            return None
        if row & _QUADRANT == _CODE and self.row.get(word) & _QUADRANT == _CODE:
            row |= self.row.get(word) & 1  # code stays in the mode it was in
        return self._common(self.row.put(word, row), perms)

    def write_none(self, word: int, perms: int) -> int:
        """`word` without architectural permissions, and with the software bits and the level of `perms`."""
        return self._common(self.row.put(word, 0), perms)

    def _row(self, perms: int) -> int | None:
        """The row for exactly these permissions.

        Where capabilities cannot be stored or loaded, LM, EL and SL are worth nothing, and every row stands for a set
        with or without them; so do the rows of code for EL and SL.
        """
        wanted = P(perms) & (P.R | P.W | P.C | P.LM | P.EL | P.SL | P.X | P.ASR)
        for row, granted in _TABLE.items():
            if row in _NEED_LEVELS and not self.levels:
                continue
            ignored = P(0) if self.levels else P.EL | P.SL
            if row & _QUADRANT == _CODE:
                ignored |= P.EL | P.SL
            elif not granted & P.C:
                ignored |= P.LM | P.EL | P.SL
            if wanted & ~ignored == granted & ~ignored:
                return row
        return None

    def legalise(self, perms: int) -> int:
        rules = TABLE_RULES + (TABLE_LEVEL_RULES if self.levels else ()) + TABLE_LAST_RULES
        return _run(perms & self.mask, rules)
