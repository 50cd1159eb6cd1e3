"""The set of visited states: packed words in one array, open addressing, two bits of colour in each entry.

Entry i is the words keys[i * words] .. ; the colour is in the two highest bits of its first word, and 0 there means
that the entry is free. Everything here is compiled by numba, and kept compiled on disk.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from m4alloc.model.native import inlined, kept

Keys = NDArray[np.uint64]

COLOUR_SHIFT: Final = np.uint64(62)
KEY_MASK: Final = np.uint64((1 << 62) - 1)
WHITE: Final = np.uint64(0)
"""The colour of a free entry: a state that has not been visited."""
BLUE: Final = np.uint64(1)
CYAN: Final = np.uint64(2)
RED: Final = np.uint64(3)

_MULTIPLIER: Final = np.uint64(0x9E3779B97F4A7C15)
_MIXER: Final = np.uint64(0xD6E8FEB86659FD93)
_HALF: Final = np.uint64(32)
_ZERO: Final = np.uint64(0)

FULL: Final = 0.6
"""Share of entries in use beyond which a table grows; linear probing then looks at 2 entries on average."""


def _prefetch_code(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
    """LLVM's prefetch of one cache line, for reading, to be kept."""
    word = ir.IntType(32)
    pointer = builder.inttoptr(values[0], ir.IntType(8).as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, word, word, word])
    name = "llvm.prefetch.p0" if "ptr" in str(pointer.type) else "llvm.prefetch.p0i8"
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    builder.call(function, [pointer, *(ir.Constant(word, value) for value in (0, 3, 1))])
    return context.get_dummy_value()


def _prefetch(_typing: Any, address: Any) -> Any:
    return types.none(types.int64), _prefetch_code


prefetch: Any = intrinsic(_prefetch)
"""prefetch(address): ask for the cache line at `address`; nothing waits for it."""


@inlined
def home(keys: Keys, at: int, words: int, shift: np.uint64) -> Any:
    """The number of the entry where the state keys[at] .. is looked for first. shift: 64 - log2 of the capacity."""
    hashed = keys[at] * _MULTIPLIER
    for place in range(1, words):
        hashed = ((hashed ^ (hashed >> _HALF)) + keys[at + place]) * _MULTIPLIER
    hashed = (hashed ^ (hashed >> _HALF)) * _MIXER
    return np.int64(hashed >> shift)


@inlined
def find(table: Keys, entry: int, capacity: int, words: int, keys: Keys, at: int) -> int:
    """The entry that holds the state keys[at] .., or the free one where it belongs, from its home `entry` on.

    The colour bits of the state are 0.
    """
    while True:
        place = entry * words
        first = table[place]
        if first >> COLOUR_SHIFT == WHITE:
            return entry
        if first & KEY_MASK == keys[at]:
            same = True
            for word in range(1, words):
                if table[place + word] != keys[at + word]:
                    same = False
                    break
            if same:
                return entry
        entry += 1
        if entry == capacity:
            entry = 0


@inlined
def insert(table: Keys, entry: int, words: int, keys: Keys, at: int, colour: np.uint64) -> None:
    """Put a state into the free entry that `find` has found for it."""
    place = entry * words
    table[place] = keys[at] | (colour << COLOUR_SHIFT)
    for word in range(1, words):
        table[place + word] = keys[at + word]


@kept
def rehash(old: Keys, table: Keys, words: int, shift: np.uint64) -> None:
    """Copy every state of one table into another, which is free and larger, with its colour."""
    capacity = table.size // words
    key = np.empty(words, np.uint64)
    for place in range(0, old.size, words):
        colour = old[place] >> COLOUR_SHIFT
        if colour != WHITE:
            key[0] = old[place] & KEY_MASK
            for word in range(1, words):
                key[word] = old[place + word]
            entry = find(table, home(key, 0, words, shift), capacity, words, key, 0)
            insert(table, entry, words, key, 0, colour)


@kept
def moved(old: Keys, table: Keys, words: int, shift: np.uint64, entries: NDArray[np.int64], used: int) -> None:
    """Change the numbers entries[:used, 0] of entries in the old table to those of the same states in the new one."""
    capacity = table.size // words
    key = np.empty(words, np.uint64)
    for number in range(used):
        place = entries[number, 0] * words
        key[0] = old[place] & KEY_MASK
        for word in range(1, words):
            key[word] = old[place + word]
        entries[number, 0] = find(table, home(key, 0, words, shift), capacity, words, key, 0)
