"""FreeRanges against a set of units: what is free, merged and found."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Range
from spec.error import Bug
from spec.free import FreeRanges

BASE, UNITS, UNIT = 0x1000, 40, 16
TOP = BASE + UNITS * UNIT
operations = st.lists(st.tuples(st.integers(0, UNITS - 1), st.integers(1, 12)), max_size=30)


def runs(units: set[int]) -> list[Range]:
    """The longest ranges that a set of free units makes."""
    found = []
    for _, group in groupby(enumerate(sorted(units)), lambda pair: pair[1] - pair[0]):
        run = [unit for _, unit in group]
        found.append(Range(BASE + run[0] * UNIT, BASE + (run[-1] + 1) * UNIT))
    return found


def play(steps: list[tuple[int, int]], by_length: bool = False) -> tuple[FreeRanges, set[int]]:
    """Take what is wholly free and give what is wholly taken; the set is the model.

    by_length: ask for ranges by their length first, so that the index for that is there from the start.
    """
    free, units = FreeRanges(BASE, TOP), set(range(UNITS))
    if by_length:
        assert list(free.at_least(1)) == [Range(BASE, TOP)]
    for first, count in steps:
        wanted = set(range(first, min(first + count, UNITS)))
        base, size = BASE + first * UNIT, len(wanted) * UNIT
        assert free.contains(base, size) == (wanted <= units)
        if wanted <= units:
            free.take(base, size)
            units -= wanted
        elif not wanted & units:
            free.give(base, size)
            units |= wanted
        else:
            with pytest.raises(Bug):
                free.take(base, size)
            with pytest.raises(Bug):
                free.give(base, size)
        free.check()
    return free, units


@given(operations)
def test_the_ranges_are_the_longest_runs_of_free_units(steps: list[tuple[int, int]]) -> None:
    free, units = play(steps)
    assert list(free) == runs(units)
    assert len(free) == len(runs(units))
    assert free.total == len(units) * UNIT
    for unit in range(UNITS):
        inside = [found for found in runs(units) if found.base <= BASE + unit * UNIT < found.top]
        assert free.covering(BASE + unit * UNIT) == (inside[0] if inside else None)


@given(operations, st.integers(1, 12), st.sampled_from([16, 32, 64, 256]), st.integers(0, UNITS + 1))
def test_first_fit_is_the_lowest_address_that_fits(
    steps: list[tuple[int, int]], count: int, alignment: int, low: int
) -> None:
    free, units = play(steps)
    fitting = [
        BASE + unit * UNIT
        for unit in range(low, UNITS)
        if (BASE + unit * UNIT) % alignment == 0 and set(range(unit, unit + count)) <= units
    ]
    assert free.first_fit(count * UNIT, alignment, BASE + low * UNIT) == min(fitting, default=None)


@given(operations, st.integers(0, UNITS), st.integers(0, UNITS))
def test_between_cuts_the_ranges_at_both_ends(steps: list[tuple[int, int]], low: int, high: int) -> None:
    free, units = play(steps)
    if low < high:
        inside = {unit for unit in units if low <= unit < high}
        assert list(free.between(BASE + low * UNIT, BASE + high * UNIT)) == runs(inside)


@given(operations, st.integers(1, 12), st.booleans())
def test_at_least_lists_long_enough_ranges_shortest_first(
    steps: list[tuple[int, int]], count: int, by_length: bool
) -> None:
    free, units = play(steps, by_length)
    long_enough = [found for found in runs(units) if found.top - found.base >= count * UNIT]
    assert list(free.at_least(count * UNIT)) == sorted(long_enough, key=lambda found: (found.top - found.base, found))


@given(operations)
def test_a_copy_is_equal_and_goes_its_own_way(steps: list[tuple[int, int]]) -> None:
    free, units = play(steps)
    twin = free.copy()
    twin.check()
    assert twin.key() == free.key()
    for found in runs(units):
        twin.take(found.base, found.top - found.base)
    assert list(free) == runs(units)
    assert list(twin) == []


def test_ranges_outside_the_arena_are_refused() -> None:
    with pytest.raises(Bug):
        FreeRanges(BASE, TOP).take(TOP - 16, 32)
    with pytest.raises(Bug):
        FreeRanges(BASE, TOP).give(TOP, 16)
    with pytest.raises(ValueError, match="0 <= base <= top"):
        FreeRanges(TOP, BASE)
