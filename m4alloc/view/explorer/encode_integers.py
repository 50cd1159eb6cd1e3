"""Integers as bytes: zigzag, seven bits a byte, and the differences instead where they are shorter."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from m4alloc.check.lives import Integers

SAMPLE = 1 << 16
"""Integers of a column that are looked at to choose between values and differences."""


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


def packed(values: Sequence[int] | Integers) -> tuple[dict[str, object], bytes]:
    """A column's entry in the head, and its bytes: none where all its integers are alike.

    >>> packed([7, 7, 7])
    ({'count': 3, 'same': 7}, b'')
    >>> packed([1, 2, 3, 5])
    ({'count': 4, 'bytes': 4, 'delta': 0}, b'\\x02\\x04\\x06\\n')
    """
    column = np.asarray(values, np.int64)
    if len(column) == 0 or bool(np.all(column == column[0])):
        return {"count": len(column), "same": int(column[0]) if len(column) else 0}, b""
    plain, moved = zigzag(column), zigzag(np.diff(column, prepend=0))
    cost = [len(zlib.compress(varints(one[:SAMPLE]), 4)) for one in (plain, moved)]
    delta = cost[1] < cost[0]
    data = varints(moved if delta else plain)
    return {"count": len(column), "bytes": len(data), "delta": int(delta)}, data


def unpacked(entry: dict[str, int], data: bytes) -> Integers:
    """The column again, from its entry and its bytes."""
    if "same" in entry:
        return np.full(entry["count"], entry["same"], np.int64)
    values = unzigzag(unvarints(data, entry["count"]))
    return np.cumsum(values) if entry["delta"] else values
