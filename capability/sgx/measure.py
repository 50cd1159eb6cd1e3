"""The measurement of an enclave (MRENCLAVE): a SHA-256 over what the build leaves did, in their order.

What EEXTEND did not cover is not measured: a page that is only added counts with its place and its rights, and the
host may put any bytes into it.
"""

from __future__ import annotations

import hashlib

from capability.sgx.page import SecInfo

CHUNK = 256
"""Bytes that one EEXTEND measures."""


class Measurement:
    """A digest under way; immutable, equal when what was measured is equal.

    Source: SDM, the MRENCLAVE updates of ECREATE, EADD and EEXTEND: blocks of 64 bytes, little-endian.

    >>> Measurement.created(size=0x2000).hex()[:16]
    '9e197c8837c6d656'
    """

    __slots__ = ("_digest", "_hash")

    def __init__(self, digest: hashlib._Hash) -> None:
        self._hash = digest
        self._digest = digest.digest()

    @classmethod
    def created(cls, size: int, ssa_frame_pages: int = 1) -> Measurement:
        """After ECREATE: its name, SECS.SSAFRAMESIZE and SECS.SIZE; the base is not measured.

        size: bytes of the enclave. ssa_frame_pages: pages of one save area, below 2**32.
        """
        block = b"ECREATE\0" + ssa_frame_pages.to_bytes(4, "little") + size.to_bytes(8, "little")
        return cls(hashlib.sha256(block.ljust(64, b"\0")))

    def added(self, offset: int, info: SecInfo) -> Measurement:
        """After EADD: its name, the page's offset in the enclave and the first 48 bytes of its SECINFO."""
        block = b"EADD\0\0\0\0" + offset.to_bytes(8, "little") + info.flags.to_bytes(8, "little")
        return self._extended(block.ljust(64, b"\0"))

    def extended(self, offset: int, chunk: bytes) -> Measurement:
        """After EEXTEND: its name, the chunk's offset in the enclave, and its 256 bytes."""
        block = b"EEXTEND\0" + offset.to_bytes(8, "little")
        return self._extended(block.ljust(64, b"\0") + chunk)

    def hex(self) -> str:
        """MRENCLAVE, if EINIT came now."""
        return self._digest.hex()

    def _extended(self, block: bytes) -> Measurement:
        longer = self._hash.copy()
        longer.update(block)
        return Measurement(longer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Measurement) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return f"Measurement({self.hex()[:16]}...)"
