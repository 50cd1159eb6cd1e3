"""Instructions that move scalars about on arrays: elements, fields, shuffles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from m4alloc.superopt.ir import Instruction
from m4alloc.superopt.vectors_ops import Lanes, Masks, either
from m4alloc.superopt.vectors_words import ONE, Mask

Item: TypeAlias = Lanes | tuple[Lanes, ...]
"""A scalar or vector, or the fields of a structure."""


def _poison(lanes: Lanes) -> Mask:
    """The mask written out, in the value's shape."""
    if lanes.poison is None:
        return np.zeros(lanes.value.shape, np.bool_)
    return np.broadcast_to(lanes.poison, lanes.value.shape)


def _extract_value(instruction: Instruction, operands: tuple[Item, ...]) -> Item:
    (index,) = _one(instruction.indices)
    fields = operands[0]
    if isinstance(fields, Lanes):
        raise KeyError("extractvalue of a scalar")
    return fields[index]


def _insert_value(instruction: Instruction, operands: tuple[Item, ...]) -> Item:
    (index,) = _one(instruction.indices)
    fields, value = operands
    if isinstance(fields, Lanes) or not isinstance(value, Lanes):
        raise KeyError("insertvalue of what is not a structure")
    return (*fields[:index], value, *fields[index + 1 :])


def _one(indices: tuple[int, ...]) -> tuple[int, ...]:
    if len(indices) != 1:
        raise KeyError("nested structures")
    return indices


def _lanes(item: Item) -> Lanes:
    if not isinstance(item, Lanes):
        raise KeyError("a structure as an operand")
    return item


def _extract_element(instruction: Instruction, operands: tuple[Item, ...]) -> Item:
    """An index past the end gives poison."""
    vector, index = map(_lanes, operands)
    count = len(vector.value)
    at = np.minimum(index.value, np.uint64(count - 1)).astype(np.intp)
    runs = np.arange(vector.value.shape[1])
    poison: Masks = either(_poison(vector)[at, runs], index.value >= np.uint64(count))
    return Lanes(vector.value[at, runs], either(poison, index.poison))


def _insert_element(instruction: Instruction, operands: tuple[Item, ...]) -> Item:
    """An index past the end makes the whole vector poison."""
    vector, value, index = map(_lanes, operands)
    count = len(vector.value)
    lost = index.value >= np.uint64(count)
    if index.poison is not None:
        lost = lost | index.poison
    at = np.minimum(index.value, np.uint64(count - 1)).astype(np.intp)
    runs = np.arange(vector.value.shape[1])
    words, poison = vector.value.copy(), _poison(vector).copy()
    words[at, runs], poison[at, runs] = value.value, _poison(value)
    return Lanes(words, poison | lost)


def _shuffle(instruction: Instruction, operands: tuple[Item, ...]) -> Item:
    """A mask element of -1 gives a poison lane."""
    a, b = map(_lanes, operands)
    at = list(instruction.indices)
    poison = np.concatenate([_poison(a), _poison(b)])[at]
    poison[[index < 0 for index in at]] = True
    return Lanes(np.concatenate([a.value, b.value])[at], poison if poison.any() else None)


def bitcast(operand: Lanes, source: int, target: int, count: int) -> Lanes:
    """A vector or word of `source`-bit scalars as `count` scalars of `target` bits, 0 for a plain word.

    The lowest element is the lowest part of the word, as on little-endian machines; one poison part makes the whole
    scalar poison.
    """
    words, poison = np.atleast_2d(operand.value), np.atleast_2d(_poison(operand))
    bits = np.stack([(word >> np.uint64(i)) & ONE for word in words for i in range(source)])
    value = np.stack(
        [sum((bits[at + i] << np.uint64(i) for i in range(1, target)), bits[at]) for at in range(0, len(bits), target)]
    )
    lost: Mask = np.logical_or.reduce(np.repeat(poison, source, 0).reshape(-1, target, words.shape[1]), 1)
    if not count:
        value, lost = value[0], lost[0]
    return Lanes(value, lost if lost.any() else None)


SHAPING: Mapping[str, Callable[[Instruction, tuple[Item, ...]], Item]] = {
    "extractvalue": _extract_value,
    "insertvalue": _insert_value,
    "extractelement": _extract_element,
    "insertelement": _insert_element,
    "shufflevector": _shuffle,
}
