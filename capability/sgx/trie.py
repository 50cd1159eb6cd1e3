"""Trie: a persistent map from small integers. A changed copy costs O(log n), and the original stays as it was.

Transitions are pure, and an EPC has many pages: copying a dict at each step would make n steps cost n * n.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar, cast

V = TypeVar("V", bound=Hashable)

_BITS = 4
_WAYS = 1 << _BITS
_EMPTY: tuple[Any, ...] = (None,) * _WAYS


class Trie(Generic[V]):
    """Keys are integers from 0 on; equal when they hold the same.

    >>> empty: Trie[str] = Trie()
    >>> one = empty.put(300, "x")
    >>> one.get(300), one.get(4), empty.get(300), len(one.put(7, "y"))
    ('x', None, None, 2)
    >>> one.drop(300) == empty
    True
    """

    __slots__ = ("_height", "_root", "_size")

    def __init__(self) -> None:
        self._root: tuple[Any, ...] = _EMPTY
        self._height = 1
        self._size = 0

    def get(self, key: int) -> V | None:
        """The value at `key`, or None.  Cost: O(log n)."""
        if key < 0 or key >> self._height * _BITS:
            return None
        node: Any = self._root
        for level in range(self._height - 1, -1, -1):
            if node is None:
                return None
            node = node[key >> level * _BITS & _WAYS - 1]
        return cast("V | None", node)

    def put(self, key: int, value: V) -> Trie[V]:
        """A map that holds `value` at `key`, and the rest as before.  Cost: O(log n)."""
        if key < 0:
            raise KeyError(f"key {key} is negative")
        return self._with(key, value, self._size + (self.get(key) is None))

    def drop(self, key: int) -> Trie[V]:
        """A map without `key`.  Cost: O(log n)."""
        return self if self.get(key) is None else self._with(key, None, self._size - 1)

    def items(self) -> Iterator[tuple[int, V]]:
        """Keys with their values, in ascending order.  Cost: O(n log n)."""
        return self._walk(self._root, self._height - 1, 0)

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trie) and self._size == other._size and list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        return f"Trie({dict(self.items())})"

    def _with(self, key: int, value: V | None, size: int) -> Trie[V]:
        twin: Trie[V] = Trie()
        root, height = self._root, self._height
        while key >> height * _BITS:
            root, height = (root, *_EMPTY[1:]), height + 1
        twin._root, twin._height, twin._size = _changed(root, height - 1, key, value), height, size
        return twin

    def _walk(self, node: tuple[Any, ...], level: int, above: int) -> Iterator[tuple[int, V]]:
        for way, below in enumerate(node):
            key = above << _BITS | way
            if below is not None and level:
                yield from self._walk(below, level - 1, key)
            elif below is not None:
                yield key, below


def _changed(node: tuple[Any, ...] | None, level: int, key: int, value: object) -> tuple[Any, ...]:
    """`node` with the leaf for `key` replaced; the rest is shared."""
    ways = list(_EMPTY if node is None else node)
    way = key >> level * _BITS & _WAYS - 1
    ways[way] = _changed(ways[way], level - 1, key, value) if level else value
    return tuple(ways)
