"""Field: where a format keeps something in the upper word of a capability, as data."""

from __future__ import annotations

from typing import NamedTuple

from capability.word import WidthError


class Field(NamedTuple):
    """Bits high:low of the upper word, both ends included.

    >>> OTYPE = Field(44, 27)
    >>> hex(OTYPE.put(0, 0x3FFFF)), OTYPE.get(0x1FFFF8000000) == 0x3FFFF, OTYPE.width
    ('0x1ffff8000000', True, 18)
    """

    high: int
    low: int

    @property
    def width(self) -> int:
        """Bits."""
        return self.high - self.low + 1

    @property
    def mask(self) -> int:
        """The field's bits in place."""
        return ((1 << (self.high + 1 - self.low)) - 1) << self.low

    def get(self, word: int) -> int:
        """The field's value in `word`."""
        return (word >> self.low) & ((1 << (self.high + 1 - self.low)) - 1)

    def put(self, word: int, value: int) -> int:
        """`word` with the field set to `value`.  Raises WidthError when the value does not fit."""
        ones = (1 << (self.high + 1 - self.low)) - 1
        if not 0 <= value <= ones:
            raise WidthError(f"{value:#x} does not fit in bits {self.high}:{self.low}: 0 <= value <= {ones:#x}")
        return (word & ~(ones << self.low)) | (value << self.low)
