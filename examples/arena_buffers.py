"""NumPy arrays whose bytes live in an Arena: no copy, and a free that is refused while somebody still looks.

You learn that a Block is a buffer, who owns what, what the arena counts, and what is caught when it is used wrongly.
Run it: python examples/arena_buffers.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import m4alloc
from spec.error import Misuse

Floats = npt.NDArray[np.float64]


def array(block: Any, rows: int, columns: int) -> Floats:
    """A matrix on the block's own bytes."""
    return np.frombuffer(block, dtype=np.float64).reshape(rows, columns)


def smoothed(arena: m4alloc.Arena, data: Floats, rounds: int) -> Floats:
    """Some rounds of averaging, each in a scratch block that is given back."""
    rows, columns = data.shape
    for _ in range(rounds):
        with arena.aligned_alloc(64, data.nbytes) as scratch:
            view = array(scratch, rows, columns)
            view[:] = (data + np.roll(data, 1, axis=0) + np.roll(data, 1, axis=1)) / 3
            data[:] = view
            del view  # else the block could not be given back: its bytes are still in use
    return data


def main() -> None:
    """A matrix in the arena, scratch memory, and three mistakes."""
    with m4alloc.Arena(1 << 22) as arena:
        block = arena.calloc(128 * 128, 8)
        data = array(block, 128, 128)
        data[64, 64] = 1000.0
        copied = data.ctypes.data != block.address
        print(f"one array of {data.nbytes:,} bytes in a block of {block.size:,}; a copy? {copied}")
        smoothed(arena, data, 40)
        print(f"after 40 rounds its sum is {data.sum():.1f}, its greatest value {data.max():.2f}")
        stats = arena.stats()
        spans = f"its spans took {stats.spans_peak:,} at most"
        print(f"the arena holds {stats.live_blocks} block, {stats.live:,} bytes; {spans}")

        try:
            arena.free(block)
        except BufferError as error:
            print(f"free while the array is there: BufferError, ... {str(error).partition('> ')[2]}")
        total = float(data.sum())
        del data
        bigger = arena.realloc(block, 2 * block.size)
        grown = array(bigger, 256, 128)
        print(f"realloc to twice the size keeps the contents: {bool(np.isclose(grown[:128].sum(), total))}")
        try:
            memoryview(block)
        except Misuse as error:
            print(f"the old block after realloc:   Misuse, {error.kind}")
        del grown
        arena.free(bigger)
        try:
            arena.free(bigger)
        except Misuse as error:
            print(f"the second free:               Misuse, {error.kind}")


if __name__ == "__main__":
    main()
