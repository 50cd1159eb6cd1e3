"""The persistent map, against a dict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.sgx.trie import Trie

keys = st.one_of(st.integers(0, 40), st.integers(0, 1 << 40))


@given(st.lists(st.tuples(keys, st.one_of(st.none(), st.integers(0, 9)))))
def test_it_is_a_dict_whose_older_copies_stay(steps: list[tuple[int, int | None]]) -> None:
    trie: Trie[int] = Trie()
    plain: dict[int, int] = {}
    history = [(trie, dict(plain))]
    for key, value in steps:
        if value is None:
            trie = trie.drop(key)
            plain.pop(key, None)
        else:
            trie = trie.put(key, value)
            plain[key] = value
        history.append((trie, dict(plain)))
    for old, expected in history:
        assert list(old.items()) == sorted(expected.items())
        assert len(old) == len(expected)
        assert all(old.get(key) == expected.get(key) for key, _ in steps)


@given(st.dictionaries(keys, st.integers(0, 3)), st.randoms())
def test_maps_that_hold_the_same_are_equal_whatever_their_history(content: dict[int, int], random: object) -> None:
    straight: Trie[int] = Trie()
    for key, value in content.items():
        straight = straight.put(key, value)
    detour = straight.put(1 << 41, 1).drop(1 << 41)
    assert detour == straight and hash(detour) == hash(straight)
    assert straight.put(1 << 41, 1) != straight


def test_a_negative_key_is_refused() -> None:
    assert Trie().get(-1) is None
    with pytest.raises(KeyError, match="negative"):
        Trie[int]().put(-1, 0)
