"""Integers as bytes: seven bits a byte, byte by byte, or a few bits each; the differences where they are shorter."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from m4alloc.check.lives import Integers

SAMPLE = 1 << 16
"""Integers of a column that are looked at to choose its form."""
WIDEST = 4
"""Bytes of the integers that are told plane by plane, at most."""
FEW = 16
"""Different integers that a column told in parts of a byte has at most."""


def zigzag(values: Integers) -> NDArray[np.uint64]:
    """0, -1, 1, -2, ... as 0, 1, 2, 3, ...

    >>> zigzag(np.array([0, -1, 1, -2])).tolist()
    [0, 1, 2, 3]
    """
    return ((values << 1) ^ (values >> 63)).view(np.uint64)


def unzigzag(values: NDArray[np.uint64]) -> Integers:
    """What `zigzag` was given."""
    return (values >> np.uint64(1)).astype(np.int64) ^ -(values & np.uint64(1)).astype(np.int64)


def varints(values: NDArray[np.uint64]) -> bytes:
    """Seven bits a byte, low bits first, the top bit set on all but an integer's last byte.

    >>> varints(np.array([1, 300], np.uint64)).hex()
    '01ac02'
    """
    lengths = np.ones(len(values), np.int64)
    for power in range(7, 64, 7):
        more = values >= np.uint64(1 << power)
        if not more.any():
            break
        lengths += more
    ends = np.cumsum(lengths)
    starts = ends - lengths
    out = np.zeros(int(ends[-1]) if len(ends) else 0, np.uint8)
    left, rest = np.arange(len(values)), values
    byte = 0
    while len(left):
        more = lengths[left] > byte + 1
        out[starts[left] + byte] = (rest & np.uint64(127)).astype(np.uint8) | (more.astype(np.uint8) << 7)
        left, rest = left[more], rest[more] >> np.uint64(7)
        byte += 1
    return out.tobytes()


def unvarints(data: bytes, count: int) -> NDArray[np.uint64]:
    """What `varints` was given.  Raises ValueError: the bytes hold another number of integers.

    >>> unvarints(bytes.fromhex("01ac02"), 2).tolist()
    [1, 300]
    """
    values = []
    value = shift = 0
    for byte in data:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            values.append(value)
            value = shift = 0
    if len(values) != count or shift:
        raise ValueError(f"{len(data)} bytes hold {len(values)} integers; {count} were promised")
    return np.array(values, np.uint64)


def packed(values: Sequence[int] | Integers) -> tuple[dict[str, Any], bytes]:
    """A column's entry in the head, and its bytes: none where all its integers are alike.

    delta: whether the differences are packed. signed: whether they are zigzag. planes: 0 for seven bits a byte, else
    how many bytes each has, the lowest bytes of all standing first. table, instead of these: the different integers,
    whose places are told, several in a byte (`joined`), since a code of whole bits a byte wastes some on few.
    What is shortest when deflated is chosen.

    >>> packed([7, 7, 7])
    ({'count': 3, 'same': 7}, b'')
    >>> packed([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 16, 18, 19, 300])[0]["delta"]
    1
    >>> packed([5, 3] * 8)
    ({'count': 16, 'bytes': 2, 'table': [3, 5]}, b'UU')
    """
    column = np.asarray(values, np.int64)
    if len(column) == 0 or bool(np.all(column == column[0])):
        return {"count": len(column), "same": int(column[0]) if len(column) else 0}, b""
    forms: list[tuple[dict[str, Any], NDArray[np.uint64], Callable[[NDArray[np.uint64]], bytes]]] = []
    for delta, one in enumerate((column, np.diff(column, prepend=0))):
        told = zigzag(one) if one.min() < 0 else one.view(np.uint64)
        width = _width(told)
        for planes in (0, width) if 1 < width <= WIDEST else (0,):
            forms.append(({"delta": delta, "signed": int(one.min() < 0), "planes": planes}, told, _writer(planes)))
    if len(np.unique(_sample(column.view(np.uint64)))) <= FEW and len(table := np.unique(column)) <= FEW:
        places = np.searchsorted(table, column).astype(np.uint64)
        forms.append(({"table": table.tolist()}, places, lambda some: joined(some, bits_each(len(table)))))
    cost = [len(zlib.compress(write(_sample(one)), 4)) for _, one, write in forms]
    form, chosen, write = forms[cost.index(min(cost))]
    data = write(chosen)
    return {"count": len(column), "bytes": len(data), **form}, data


def _writer(planes: int) -> Callable[[NDArray[np.uint64]], bytes]:
    return lambda values: _written(planes, values)


def bits_each(count: int) -> int:
    """Bits of the place of one of so many integers: 1, 2 or 4, as a byte is divided.

    >>> [bits_each(count) for count in (2, 3, 4, 5, 16)]
    [1, 2, 2, 4, 4]
    """
    return 1 if count <= 2 else 2 if count <= 4 else 4


def joined(values: NDArray[np.uint64], bits: int) -> bytes:
    """So many bits of each, the first in the lowest bits of a byte.

    >>> joined(np.array([1, 2, 3], np.uint64), 4).hex()
    '2103'
    """
    each = 8 // bits
    padded = np.zeros(-(-len(values) // each) * each, np.uint8)
    padded[: len(values)] = values
    rows = padded.reshape(-1, each) << np.arange(0, 8, bits, dtype=np.uint8)
    told: bytes = np.bitwise_or.reduce(rows, axis=1).astype(np.uint8).tobytes()
    return told


def _sample(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Stretches of a long column, from all parts of it."""
    if len(values) <= SAMPLE:
        return values
    part, step = SAMPLE // 8, len(values) // 8
    return np.concatenate([values[start * step : start * step + part] for start in range(8)])


def _width(values: NDArray[np.uint64]) -> int:
    """How many bytes the largest has."""
    return (int(values.max()).bit_length() + 7) // 8


def _written(planes: int, values: NDArray[np.uint64]) -> bytes:
    """The integers as bytes."""
    if not planes:
        return varints(values)
    return b"".join((values >> np.uint64(8 * plane)).astype(np.uint8).tobytes() for plane in range(planes))


def unpacked(entry: dict[str, Any], data: bytes) -> Integers:
    """The column again, from its entry and its bytes."""
    count = entry["count"]
    if "same" in entry:
        return np.full(count, entry["same"], np.int64)
    if "table" in entry:
        bits = bits_each(len(entry["table"]))
        parts = np.frombuffer(data, np.uint8)[:, None] >> np.arange(0, 8, bits, dtype=np.uint8) & ((1 << bits) - 1)
        found: Integers = np.array(entry["table"], np.int64)[parts.reshape(-1)[:count]]
        return found
    if entry["planes"]:
        bytes_of = np.frombuffer(data, np.uint8).reshape(entry["planes"], count).astype(np.uint64)
        raw = sum(plane << np.uint64(8 * place) for place, plane in enumerate(bytes_of))
        assert not isinstance(raw, int)
    else:
        raw = unvarints(data, count)
    values = unzigzag(raw) if entry["signed"] else raw.view(np.int64)
    return np.cumsum(values) if entry["delta"] else values
