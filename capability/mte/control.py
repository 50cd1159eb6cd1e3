"""Control: the settings that decide whether a tag is checked, and what a mismatch does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from capability.mte.tag import ALL_TAGS, canonical_tag, check_mask, is_upper, tag_of


class Mode(IntEnum):
    """What a tag check fault does; the numbers are those of SCTLR_ELx.TCF and TCF0.  Source: Arm ARM, SCTLR_EL1."""

    NONE = 0
    """Nothing: the access happens."""
    SYNC = 1
    """An exception before the access, which does not happen."""
    ASYNC = 2
    """The access happens and a bit in TFSR is set; the kernel looks at it when it is next entered."""
    ASYMMETRIC = 3
    """Reads synchronous, writes asynchronous (FEAT_MTE3)."""


@dataclass(frozen=True, slots=True)
class Control:
    """One exception level's settings, gathered from the registers that hold them; the default is Linux's sync mode.

    exclude: GCR_EL1.Exclude, a bit for each tag that IRG, ADDG and SUBG may not choose. mode: SCTLR.TCF. tco:
    PSTATE.TCO, suppresses every check. ata: SCTLR.ATA, tags can be accessed at all. The rest is per half of the address
    space, the lower (bit 55 clear) and the upper: tbi, TCR.TBI, the top byte is ignored; tcma, TCR.TCMA, the canonical
    tag matches every granule; mtx, TCR.MTX of FEAT_MTE4, tag bits are in use whatever TBI says, and memory that is not
    Tagged has the canonical tag, which no store changes. store_only: SCTLR.TCSO of FEAT_MTE4, what only reads is not
    checked.
    Raises WidthError for an exclude mask beyond 0xffff.

    >>> Control(mode=Mode.ASYNC).is_checked(0x0500_0000_0000_1000, writes=False)
    True
    >>> Control(tco=True).is_checked(0x0500_0000_0000_1000, writes=False)
    False
    """

    exclude: int = 0
    mode: Mode = Mode.SYNC
    tco: bool = False
    ata: bool = True
    tbi: tuple[bool, bool] = (True, True)
    tcma: tuple[bool, bool] = (False, False)
    mtx: tuple[bool, bool] = (False, False)
    store_only: bool = False

    def __post_init__(self) -> None:
        check_mask(self.exclude)

    @property
    def effective_exclude(self) -> int:
        """The tags that no instruction may choose; all of them, which gives tag 0, where tags cannot be accessed."""
        return self.exclude if self.ata else ALL_TAGS

    def ignores_top_byte(self, pointer: int) -> bool:
        """TBI of the pointer's half."""
        return self.tbi[is_upper(pointer)]

    def has_tag_bits(self, pointer: int) -> bool:
        """Bits 59:56 are a tag and no part of the address: by TBI, or by MTX.

        Source: EffectiveTBI, EffectiveMTX.
        """
        return self.ignores_top_byte(pointer) or self.mtx[is_upper(pointer)]

    def matches_all(self, pointer: int) -> bool:
        """The pointer's tag is accepted by every granule: TCMA of its half, and the canonical tag.

        Linux sets TCMA1 for the kernel (tag 15), and never TCMA0: user space has no tag that matches all.
        Source: Arm ARM, TCR_EL1.TCMA0 and TCMA1; AArch64.AccessIsTagChecked.

        >>> Control(tcma=(True, False)).matches_all(0x1000), Control().matches_all(0x1000)
        (True, False)
        """
        return self.tcma[is_upper(pointer)] and tag_of(pointer) == canonical_tag(pointer)

    def is_checked(self, pointer: int, *, writes: bool) -> bool:
        """An access through the pointer has its tag compared, where memory has one and the instruction is of that kind.

        writes: the access writes memory, alone or besides reading it.  Source: AArch64.AccessIsTagChecked.
        """
        if self.mode is Mode.NONE or self.tco or not self.ata or not self.has_tag_bits(pointer):
            return False
        if self.store_only and not writes:
            return False
        return not self.matches_all(pointer)
