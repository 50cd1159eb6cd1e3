"""The quarantine: a block is released when both the architecture and enough other frees allow it, never before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.architecture import Range
from spec.error import Bug
from spec.quarantine import Quarantine


def block(number: int, usable: int) -> Range:
    return Range(0x10000 * number, 0x10000 * number + usable)


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.sampled_from([16, 64]), st.integers(0, 3)), max_size=30),
)
def test_a_block_is_released_by_the_later_of_its_two_conditions(length: int, frees: list[tuple[int, int]]) -> None:
    """Each free is of a size class, and retires so many of the blocks that still wait for the architecture."""
    quarantine = Quarantine(length)
    buried: list[Range] = []
    unretired: list[Range] = []
    released: list[Range] = []
    for number, (usable, retire) in enumerate(frees, 1):
        fresh = block(number, usable)
        buried.append(fresh)
        unretired.append(fresh)
        retired, unretired = unretired[:retire], unretired[retire:]
        released += quarantine.bury(fresh.base, usable, retired)
        quarantine.check()
        outlived = {
            old
            for place, old in enumerate(buried)
            if sum(other.top - other.base == old.top - old.base for other in buried[place + 1 :]) >= length
        }
        assert sorted(released) == sorted(outlived - set(unretired))
        assert sorted([*quarantine, *released]) == sorted(buried)
    released += quarantine.retired(unretired)
    assert len(released) == len(set(released)), "nothing is released twice"
    for usable in (16, 64):
        of_class = [old for old in buried if old.top - old.base == usable]
        held = [old for old in quarantine if old.top - old.base == usable]
        assert held == of_class[len(of_class) - min(length, len(of_class)) :]


def test_a_copy_goes_its_own_way() -> None:
    quarantine = Quarantine(1)
    quarantine.bury(0x1000, 16, [Range(0x1000, 0x1010)])
    twin = quarantine.copy()
    assert twin.key() == quarantine.key()
    assert twin.bury(0x2000, 16, []) == [Range(0x1000, 0x1010)]
    assert list(quarantine) == [Range(0x1000, 0x1010)]
    assert twin.key() != quarantine.key()


def test_what_is_not_in_quarantine_cannot_be_released() -> None:
    with pytest.raises(Bug, match="0x1000 is released"):
        Quarantine().retired([Range(0x1000, 0x1010)])


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Quarantine(-1)
