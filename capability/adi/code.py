"""How the kernel tells a process that a version was wrong."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """The si_code of the SIGSEGV.  Source: Linux, include/uapi/asm-generic/siginfo.h; adi.rst, "ADI related traps"."""

    SEGV_ACCADI = 5
    """A version was to be set where ADI is not enabled."""
    SEGV_ADIDERR = 6
    """Disrupting: a store with the wrong version has happened; si_addr is some later PC, not the data's address."""
    SEGV_ADIPERR = 7
    """Precise: a load, or a store with MCDPERR set, has not happened; si_addr is the data's address."""
