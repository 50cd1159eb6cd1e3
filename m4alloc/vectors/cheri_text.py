"""Numbers as CHERI vector files write them, and back."""

from __future__ import annotations

from dataclasses import dataclass

from capability.cheri.format import Format
from capability.word import unsigned
from m4alloc.vectors.row import Row, RowError


@dataclass(frozen=True, slots=True)
class Numbers:
    """Hexadecimal, lower case, zero-padded to the format's address, and one digit more where a top can be.

    >>> from capability.cheri.formats import ISAV9_64
    >>> Numbers(ISAV9_64).word(-1), Numbers(ISAV9_64).long(1 << 32)
    ('0xffffffff', '0x100000000')
    """

    format: Format

    def word(self, value: int) -> str:
        """An address or an upper word, modulo its width."""
        bits = self.format.address_bits
        return f"0x{value % (1 << bits):0{bits // 4}x}"

    def long(self, value: int) -> str:
        """A top or a length."""
        return f"0x{value:0{self.format.address_bits // 4 + 1}x}"

    def bounds(self, value: int) -> str:
        """The bounds field alone, in seven digits or more whatever its width."""
        return f"0x{value:07x}"

    def read(self, row: Row, name: str) -> int:
        """An address-sized field.  Raises KeyError, RowError, WidthError."""
        return unsigned(_number(row, name), self.format.address_bits)

    def read_long(self, row: Row, name: str) -> int:
        """A top or a length: one bit more.  Raises KeyError, RowError, WidthError."""
        return unsigned(_number(row, name), self.format.address_bits + 1)


def small(row: Row, name: str, most: int) -> int:
    """A field that is a plain JSON number from 0 to `most`.  Raises KeyError, RowError."""
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise RowError(f"{name} is {value!r}: a number, 0 <= {name} <= {most}")
    return value


def flag(row: Row, name: str) -> bool:
    """A field that is true or false.  Raises KeyError, RowError."""
    value = row[name]
    if not isinstance(value, bool):
        raise RowError(f"{name} is {value!r}: true or false")
    return value


def _number(row: Row, name: str) -> int:
    value = row[name]
    try:
        return int(value, 16)
    except (TypeError, ValueError):
        raise RowError(f"{name} is {value!r}: a hexadecimal number in quotes") from None
