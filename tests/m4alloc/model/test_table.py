from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
from m4alloc.model import engine
from m4alloc.model.table import BLUE, COLOUR_SHIFT, CYAN, KEY_MASK, RED, WHITE, moved, rehash

Key = tuple[int, ...]
COLOURS = (BLUE, CYAN, RED)


@st.composite
def coloured(draw: st.DrawFn) -> tuple[int, dict[Key, int]]:
    """How many words a state has, and states with colours; many of them differ in few bits."""
    words = draw(st.integers(1, 3))
    near = st.sampled_from([0, 1, 2, 1 << 32, 1 << 33, (1 << 62) - 1])
    word = st.one_of(near, st.integers(0, (1 << 62) - 1))
    keys = st.tuples(*[word] * words)
    return words, draw(st.dictionaries(keys, st.integers(0, 2), max_size=30))


class Table:
    """The compiled table, a state at a time."""

    def __init__(self, words: int, capacity: int) -> None:
        self.words = words
        self.keys = np.zeros(capacity * words, np.uint64)
        self.shift = np.uint64(64 - capacity.bit_length() + 1)

    def place(self, key: Key) -> int:
        return int(engine.place(self.keys, self.shift, self.words, np.array(key, np.uint64)))

    def put(self, key: Key, colour: np.uint64) -> int:
        place = self.place(key)
        self.keys[place * self.words : (place + 1) * self.words] = key
        self.keys[place * self.words] |= colour << COLOUR_SHIFT
        return place

    def colour(self, key: Key) -> np.uint64:
        return np.uint64(self.keys[self.place(key) * self.words] >> COLOUR_SHIFT)


@settings(deadline=None, max_examples=40)
@given(coloured())
def test_every_state_is_found_with_its_colour_and_no_other_state_is(made: tuple[int, dict[Key, int]]) -> None:
    words, states = made
    table = Table(words, 64)
    for key, colour in states.items():
        assert table.colour(key) == WHITE
        table.put(key, COLOURS[colour])
    for key, colour in states.items():
        assert table.colour(key) == COLOURS[colour]
        place = table.place(key) * words
        assert (int(table.keys[place] & KEY_MASK), *map(int, table.keys[place + 1 : place + words])) == key
    assert np.count_nonzero(table.keys[::words] >> COLOUR_SHIFT) == len(states)


@settings(deadline=None, max_examples=40)
@given(coloured())
def test_a_larger_table_has_the_same_states_and_the_path_finds_its_own(made: tuple[int, dict[Key, int]]) -> None:
    words, states = made
    small, large = Table(words, 32), Table(words, 256)
    frames = np.zeros((len(states) + 1, 3), np.int64)
    for number, (key, colour) in enumerate(states.items()):
        frames[number] = small.put(key, COLOURS[colour]), 7, 1
    rehash(small.keys, large.keys, words, large.shift)
    moved(small.keys, large.keys, words, large.shift, frames, len(states))
    for number, (key, colour) in enumerate(states.items()):
        assert large.colour(key) == COLOURS[colour]
        assert frames[number].tolist() == [large.place(key), 7, 1]
    assert np.count_nonzero(large.keys[::words] >> COLOUR_SHIFT) == len(states)
