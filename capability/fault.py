"""Fault: the hardware says no.

One exception for every architecture, so that a specification can ask "was it caught, and as what?" without knowing
which processor it runs on. `kind` is the neutral answer; `code` is the architecture's own number, as its manual or
its kernel prints it, and belongs to the model that raises it.
"""

from __future__ import annotations

from enum import Enum


class FaultKind(Enum):
    """Why an access was refused, in words that fit every architecture."""

    UNMAPPED = "unmapped"
    """There is no memory at the address, on any architecture."""
    ALIGNMENT = "alignment"
    """The address is not a multiple of what this access needs (a capability, a tag store)."""
    TAG = "tag"
    """CHERI: the capability is not valid: never was, was overwritten by data, or was revoked."""
    SEAL = "seal"
    """CHERI: the capability is sealed and gives no access until it is unsealed."""
    PERMISSION = "permission"
    """CHERI: the capability lacks the permission. SGX: the page lacks it. MTE: its tags are canonical, and none can be
    stored there."""
    LENGTH = "length"
    """CHERI: some byte of the access is outside the bounds."""
    TAG_MISMATCH = "tag mismatch"
    """MTE: the pointer's tag differs from the tag of a granule that the access touches."""
    VERSION_MISMATCH = "version mismatch"
    """ADI: the pointer's version differs from the version of a line that the access touches."""
    ENCLAVE_PAGE = "enclave page"
    """SGX: the page is not this enclave's, or it is pending, modified or blocked."""
    OPERAND = "operand"
    """SGX: an instruction was given what it cannot work on (#GP)."""


class Fault(Exception):  # noqa: N818 - one of the four error families, named as DESIGN names it
    """An access that the architecture refused, or, in an asynchronous mode, found wrong afterwards.

    address: the first byte at fault as the architecture reports it; None when it does not say (asynchronous modes).
    code: the architecture's own number; an IntEnum of the model, so that it prints with its name.

    >>> raise Fault(FaultKind.UNMAPPED, 1, 0x40, "load of 8 bytes at 0x40: no memory there")
    Traceback (most recent call last):
    capability.fault.Fault: load of 8 bytes at 0x40: no memory there
    """

    def __init__(self, kind: FaultKind, code: int, address: int | None, message: str) -> None:
        super().__init__(kind, code, address, message)
        self.kind = kind
        self.code = code
        self.address = address
        self.message = message

    def __str__(self) -> str:
        return self.message
