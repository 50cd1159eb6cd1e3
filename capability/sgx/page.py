"""EPC pages: their types, rights, what the enclave and the host say about one (SECINFO), and its EPCM entry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

PAGE = 4096
"""Bytes of an EPC page."""
ZERO_PAGE = bytes(PAGE)


class PageType(IntEnum):
    """What an EPC page is for.  Source: SDM, "Page types" (PAGE_TYPE of SECINFO.FLAGS)."""

    SECS = 0
    """The control structure of one enclave; no software can reach it."""
    TCS = 1
    """Where a thread enters; no software can reach it."""
    REG = 2
    """Code and data of the enclave."""
    VA = 3
    """A version array: 512 slots, each with the version of one evicted page."""
    TRIM = 4
    """Given back by the enclave, waiting for its removal."""


class Rights(IntFlag):
    """What the EPCM lets the enclave do with a page; the page tables can only restrict it further."""

    NONE = 0
    R = 1
    W = 2
    X = 4


RW = Rights.R | Rights.W


@dataclass(frozen=True, slots=True)
class SecInfo:
    """What a leaf is told about a page.  Source: SDM, "Security Information (SECINFO)".

    >>> hex(SecInfo(PageType.REG, RW, pending=True).flags)
    '0x20b'
    """

    page_type: PageType
    rights: Rights = Rights.NONE
    pending: bool = False
    modified: bool = False
    restricted: bool = False
    """PR: the rights were restricted, and that is not accepted yet."""

    @property
    def flags(self) -> int:
        """SECINFO.FLAGS: R, W, X, PENDING, MODIFIED, PR in bits 0 to 5, the page type in bits 15:8."""
        return self.rights | self.pending << 3 | self.modified << 4 | self.restricted << 5 | self.page_type << 8

    @property
    def is_misconfigured(self) -> bool:
        """Writable but not readable, which no page may be."""
        return Rights.W in self.rights and Rights.R not in self.rights


@dataclass(frozen=True, slots=True)
class Entry:
    """The EPCM entry of a page that is VALID; a page without one is free.  Source: SDM, "Enclave Page Cache Map".

    secs: ENCLAVESECS, the frame of the enclave's SECS; None for SECS and VA pages. address: ENCLAVEADDRESS, the one
    linear address at which the enclave may use the page. epoch: of the enclave when the page was last blocked,
    restricted or modified; -1 when no thread can have an old translation that matters.
    """

    page_type: PageType
    secs: int | None = None
    address: int = 0
    rights: Rights = Rights.NONE
    blocked: bool = False
    pending: bool = False
    modified: bool = False
    restricted: bool = False
    epoch: int = -1

    @property
    def info(self) -> SecInfo:
        """The entry as a SECINFO describes it."""
        return SecInfo(self.page_type, self.rights, self.pending, self.modified, self.restricted)

    @property
    def is_settled(self) -> bool:
        """Neither blocked, nor pending, nor modified: nothing stands between the enclave and the page but rights."""
        return not (self.blocked or self.pending or self.modified)
