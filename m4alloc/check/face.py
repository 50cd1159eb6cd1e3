"""What the executor needs of an allocator under test, whatever it is made of."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from spec.event import Function

PTRDIFF_MAX = 2**63 - 1
CHECKED = 1 << 22
"""Contents are written and read up to this many bytes of a block; larger ones at both ends only."""


class Reply(NamedTuple):
    """What came back: the pointer (or the number usable_size returned), the error, and Event flags."""

    result: int
    errno: int = 0
    flags: int = 0


class Face(Protocol):
    """Calls into an allocator, and the client's accesses to the memory it hands out.

    Contents are a function of a seed and an offset, so that a byte moved to the wrong place shows.
    """

    functions: frozenset[Function]

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request."""

    def usable(self, address: int) -> int:
        """Usable bytes of a live block, or NOT_OBSERVED."""

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write the pattern of `seed`."""

    def intact(self, address: int, size: int, seed: int) -> int:
        """How many leading bytes still hold the pattern of `seed`."""

    def zeros(self, address: int, size: int) -> int:
        """How many leading bytes are zero."""
