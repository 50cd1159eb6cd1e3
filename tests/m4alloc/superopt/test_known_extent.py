"""What operations make of extents covers what they make of values."""

from __future__ import annotations

from itertools import product

import pytest

from m4alloc.superopt import known_extent
from m4alloc.superopt.ir import PREDICATES
from m4alloc.superopt.known_extent import (
    BINARY_EXTENTS,
    Extent,
    between,
    compared,
    counted,
    exactly,
    of_bits,
    signed_between,
    top,
    where,
)
from m4alloc.superopt.simplify_fold import UndefinedBehaviourError, binary, cast, compare, intrinsic

WIDTH = 3
VALUES = range(1 << WIDTH)
EXTENTS = [
    top(WIDTH),
    *(between(WIDTH, low, high) for low in VALUES for high in VALUES if low <= high and (low + high) % 3 == 0),
    *(signed_between(WIDTH, low, high) for low in range(-4, 4) for high in range(low, 4) if (low + high) % 3 == 0),
    *(of_bits(WIDTH, zeros, ones) for zeros in VALUES for ones in VALUES if zeros & ones == 0 and (zeros + ones) % 2),
]


def members(extent: Extent) -> list[int]:
    return [value for value in range(1 << extent.width) if is_within(value, extent)]


def is_within(value: int, extent: Extent) -> bool:
    signed = value - (value >> extent.width - 1 << extent.width)
    return (
        value & extent.zeros == 0
        and value & extent.ones == extent.ones
        and extent.low <= value <= extent.high
        and extent.slow <= signed <= extent.shigh
    )


@pytest.mark.parametrize("opcode", BINARY_EXTENTS)
def test_a_binary_extent_covers_every_result(opcode: str) -> None:
    choices = (
        [frozenset[str](), frozenset({"nuw"}), frozenset({"nsw"})]
        if opcode in ("add", "sub", "mul", "shl")
        else [frozenset[str]()]
    )
    for a, b in product(EXTENTS[::2], EXTENTS[::3]):
        for flags in choices:
            found = BINARY_EXTENTS[opcode](a, b, flags)
            for x, y in product(members(a), members(b)):
                try:
                    if "." in opcode or opcode[1:] in ("min", "max"):
                        result = intrinsic(opcode, (x, y), WIDTH)
                    else:
                        result = binary(opcode, x, y, WIDTH, flags)
                except UndefinedBehaviourError:
                    continue
                assert not isinstance(result, int) or is_within(result, found), (a, b, flags, x, y, result, found)


@pytest.mark.parametrize(("opcode", "width"), [("zext", 5), ("sext", 5), ("trunc", 2), ("trunc", 1)])
def test_a_cast_extent_covers_every_result(opcode: str, width: int) -> None:
    for a in EXTENTS:
        found = known_extent.cast(opcode, a, width)
        for x in members(a):
            result = cast(opcode, x, WIDTH, width)
            assert result is not None and is_within(result, found), (a, x, result, found)


@pytest.mark.parametrize("opcode", ["ctpop", "ctlz", "cttz"])
def test_a_count_extent_covers_every_result(opcode: str) -> None:
    for a in EXTENTS:
        for x in members(a):
            result = intrinsic(opcode, (x, 0), WIDTH)
            assert isinstance(result, int) and is_within(result, counted(opcode, a)), (a, x, result)


@pytest.mark.parametrize("predicate", PREDICATES)
def test_a_decided_comparison_holds_for_all_members(predicate: str) -> None:
    for a, b in product(EXTENTS[::2], EXTENTS[::2]):
        found = compared(predicate, a, b)
        results = {bool(compare(predicate, x, y, WIDTH)) for x, y in product(members(a), members(b))}
        assert found is None or results <= {found}, (a, b)


@pytest.mark.parametrize("predicate", PREDICATES)
def test_what_a_true_comparison_leaves_is_not_too_narrow(predicate: str) -> None:
    for b in EXTENTS:
        left = where(predicate, WIDTH, b)
        for x, y in product(VALUES, members(b)):
            assert not compare(predicate, x, y, WIDTH) or is_within(x, left), (b, x, y, left)


def test_meet_and_join_are_sound() -> None:
    for a, b in product(EXTENTS, EXTENTS):
        both, either = a & b, a | b
        for x in VALUES:
            one, other = is_within(x, a), is_within(x, b)
            assert not (one and other) or is_within(x, both)
            assert not (one or other) or is_within(x, either)


def test_a_single_value_is_recognised() -> None:
    assert exactly(8, -1).value == 255
    assert (between(8, 4, 7) & of_bits(8, 3, 0)).value == 4
    assert (between(8, 4, 5) & between(8, 6, 7)).is_empty
