"""Isa: the rules by which one instruction set handles capabilities, as data.

The same operation is refused by a trap in one version and by a cleared tag in the next; an address is checked precisely
here and approximately there. Every operation of this package takes the Isa it is to follow as an argument.
Sources: sail-cheri-riscv 74a9da1 for ISAv9, and before its commits of 2022-11-18 ("Remove exceptions from ...") for
ISAv8; sail-morello 2305f65; riscv-cheri 47b031e, src/cheri; cheriot-sail 114e78a.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, IntFlag, auto
from typing import NamedTuple

from capability.cheri.capability import Capability
from capability.cheri.cause import ISAV9_CODES, KINDS, MORELLO_CODES, RISCV_CODES, Cause, Codes
from capability.cheri.format import Format
from capability.cheri.formats import CHERIOT as CHERIOT_FORMAT
from capability.cheri.formats import ISAV9_64 as FORMAT_64
from capability.cheri.formats import ISAV9_128 as FORMAT_128
from capability.cheri.formats import MORELLO_128 as FORMAT_128M
from capability.cheri.formats import RISCV_64 as FORMAT_64R
from capability.cheri.formats import RISCV_128 as FORMAT_128R
from capability.cheri.permission import CheriotPerms, MorelloPerms, RiscvPerms
from capability.fault import Fault


class Illegal(Enum):
    """What happens to a manipulation that would add authority."""

    CLEARS_TAG = auto()
    TRAPS = auto()


class Check(Enum):
    """How it is found out whether the bounds survive a new address."""

    PRECISE = auto()
    FAST = auto()


class Rebuild(Enum):
    """What building a capability from untagged bits takes, besides an authority that covers it."""

    REDERIVED = auto()
    """ISAv9: setting the bounds anew gives the same bits."""
    COPIED = auto()
    """Morello: nothing."""
    INTACT = auto()
    """RISC-V draft: the bits are no malformed encoding, and nothing reserved is set."""
    ABSENT = auto()
    """There is no such instruction."""


class LoadFilter(NamedTuple):
    """What a capability loses when it is loaded through one that lacks `without`; sealed, only what `sealed` names."""

    without: IntFlag
    unsealed: IntFlag
    sealed: IntFlag


@dataclass(frozen=True, slots=True, repr=False)
class Isa:
    """One instruction set over one format.

    increment, set_address: the check that adding to an address and setting it use. capability_store, local_store: what
    storing a tagged capability does without the right to store any, and one that is not global without that right.
    sealed_perms_survive: taking no permission from a sealed capability leaves it as it is. seals: there is an
    instruction that seals with an authority. seals_or_passes: its conditional seal passes on all that it may not seal.
    unseals_reserved: seals with a fixed meaning can be undone. sentry_needs_execute: only code can be a sentry.
    mask_from_top: the alignment mask is worked out for a block at the end of memory (Morello), not at 0.
    top_byte_ignored: accesses are checked at the address without its top byte (Morello, as the system is set up).

    >>> ISAV9_128, ISAV8_128.illegal, MORELLO.increment, RISCV_128.increment
    (ISAv9 128, <Illegal.TRAPS: 2>, <Check.FAST: 2>, <Check.PRECISE: 1>)
    """

    name: str
    format: Format
    illegal: Illegal
    increment: Check
    set_address: Check
    capability_store: Illegal
    local_store: Illegal
    rebuild: Rebuild
    codes: Codes
    load_filters: tuple[LoadFilter, ...] = ()
    sealed_perms_survive: bool = False
    seals: bool = True
    seals_or_passes: bool = False
    unseals_reserved: bool = False
    sentry_needs_execute: bool = False
    mask_from_top: bool = False
    top_byte_ignored: bool = False

    def require(self, *capabilities: Capability) -> None:
        """Raise ValueError unless all of them are of this instruction set's format."""
        for capability in capabilities:
            if capability.format is not self.format and capability.format != self.format:
                raise ValueError(f"{self} works on format {self.format.name}, not on {capability.format.name}")

    def settle(self, result: Capability, refusals: Iterable[tuple[bool, Cause | None]]) -> Capability:
        """`result`, if no refusal applies; else what this instruction set makes of it.

        refusals: each with the cause that a trapping instruction set raises, in its order; None where even that one
        only clears the tag.
        """
        for applies, cause in refusals:
            if not applies:
                continue
            if self.illegal is Illegal.TRAPS and cause is not None:
                raise Fault(KINDS[cause], cause, result.address, f"{result} is refused by {self}: {cause.name}")
            return result.clear_tag()
        return result

    def __repr__(self) -> str:
        return f"{self.name} {self.format.name}" if self.format.name in ("64", "128") else self.name


ISAV9_128 = Isa(
    name="ISAv9",
    format=FORMAT_128,
    illegal=Illegal.CLEARS_TAG,
    increment=Check.FAST,
    set_address=Check.PRECISE,
    capability_store=Illegal.TRAPS,
    local_store=Illegal.TRAPS,
    rebuild=Rebuild.REDERIVED,
    codes=ISAV9_CODES,
)
ISAV9_64 = replace(ISAV9_128, format=FORMAT_64)
ISAV8_128 = replace(ISAV9_128, name="ISAv8", illegal=Illegal.TRAPS, sentry_needs_execute=True)
ISAV8_64 = replace(ISAV8_128, format=FORMAT_64)

MORELLO = Isa(
    name="Morello",
    format=FORMAT_128M,
    illegal=Illegal.CLEARS_TAG,
    increment=Check.FAST,
    set_address=Check.PRECISE,
    capability_store=Illegal.TRAPS,
    local_store=Illegal.TRAPS,
    rebuild=Rebuild.COPIED,
    codes=MORELLO_CODES,
    load_filters=(
        LoadFilter(
            MorelloPerms.MUTABLE_LOAD,
            MorelloPerms.STORE | MorelloPerms.STORE_CAP | MorelloPerms.STORE_LOCAL | MorelloPerms.MUTABLE_LOAD,
            MorelloPerms(0),
        ),
    ),
    seals_or_passes=True,
    unseals_reserved=True,
    mask_from_top=True,
)

RISCV_128 = Isa(
    name="RISC-V draft, 128r",
    format=FORMAT_128R,
    illegal=Illegal.CLEARS_TAG,
    increment=Check.PRECISE,
    set_address=Check.PRECISE,
    capability_store=Illegal.CLEARS_TAG,
    local_store=Illegal.CLEARS_TAG,
    rebuild=Rebuild.INTACT,
    codes=RISCV_CODES,
    load_filters=(
        LoadFilter(RiscvPerms.LM, RiscvPerms.W | RiscvPerms.LM, RiscvPerms(0)),
        LoadFilter(RiscvPerms.EL, RiscvPerms.EL | RiscvPerms.LEVEL, RiscvPerms.LEVEL),
    ),
    sealed_perms_survive=True,
    seals=False,
)
RISCV_64 = replace(RISCV_128, name="RISC-V draft, 64r", format=FORMAT_64R)

CHERIOT = Isa(
    name="CHERIoT",
    format=CHERIOT_FORMAT,
    illegal=Illegal.CLEARS_TAG,
    increment=Check.PRECISE,
    set_address=Check.PRECISE,
    capability_store=Illegal.TRAPS,
    local_store=Illegal.CLEARS_TAG,
    rebuild=Rebuild.ABSENT,
    codes=ISAV9_CODES,
    load_filters=(
        LoadFilter(CheriotPerms.LOAD_GLOBAL, CheriotPerms.GLOBAL | CheriotPerms.LOAD_GLOBAL, CheriotPerms.GLOBAL),
        LoadFilter(CheriotPerms.LOAD_MUTABLE, CheriotPerms.STORE | CheriotPerms.LOAD_MUTABLE, CheriotPerms(0)),
    ),
    unseals_reserved=True,
)
"""From published descriptions alone; no reference vectors back it."""

ISAS = (ISAV9_128, MORELLO, RISCV_128, ISAV9_64, RISCV_64, CHERIOT)
"""The current instruction set of each format."""
