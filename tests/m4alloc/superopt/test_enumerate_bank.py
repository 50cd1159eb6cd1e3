"""Banks of terms grow by one instruction at a time and keep each value once."""

import time

import numpy as np

from m4alloc.superopt.enumerate_bank import Space, applies, splits
from m4alloc.superopt.enumerate_operations import ADD, AND, BSWAP, CTPOP, EQ, NE, SHL, UMUL_O, ZEXT


def _space(*codes: int, capacity: int = 1000) -> Space:
    space = Space([8], 4, codes, (), capacity)
    space.banks[8].add_leaf(np.array([1, 2, 200, 77], np.uint64))
    space.banks[8].add_leaf(np.full(4, 1, np.uint64))
    space.seal_leaves()
    return space


def _later() -> float:
    return time.monotonic() + 10.0


def test_a_term_of_an_equal_value_is_kept_once() -> None:
    space = _space(ADD, SHL)
    assert space.grow(_later())
    values = {row.tobytes() for row in space.banks[8].values[: space.banks[8].size]}
    # x, 1, x + x, x + 1, 1 + 1; x << 1 is x + x, 1 << 1 is 1 + 1; 1 << x is poison in some lanes, x << x too.
    assert len(values) == space.banks[8].ends[1] == 7


def test_a_shift_by_too_much_is_poison_in_its_lane_only() -> None:
    space = _space(SHL)
    space.grow(_later())
    bank = space.banks[8]
    masks = set(bank.poison[: bank.size].tolist())
    assert masks == {0, 0b1100}


def test_comparisons_are_terms_of_one_bit() -> None:
    space = _space(EQ, NE)
    space.grow(_later())
    bits = space.banks[1].values[: space.banks[1].size].tolist()
    assert sorted(bits) == [[0, 0, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]


def test_a_full_bank_is_said_to_lack_terms() -> None:
    space = _space(ADD, AND, capacity=3)
    assert not space.grow(_later()) and space.banks[8].is_full


def test_a_spent_budget_is_said_to_lack_terms() -> None:
    assert not _space(ADD).grow(time.monotonic() - 1.0)


def test_an_overflow_bit_takes_two_instructions() -> None:
    space = _space(UMUL_O)
    space.grow(_later())
    assert space.banks[1].size == 0
    assert list(splits(UMUL_O, space.banks[8], 1)) == []
    space.grow(_later())
    assert space.banks[1].span(2)[1] > 0


def test_one_bit_has_no_sums_and_bytes_only_turn_in_pairs() -> None:
    assert (
        not applies(ADD, 1) and applies(AND, 1) and not applies(BSWAP, 8) and applies(BSWAP, 16) and applies(CTPOP, 8)
    )
    assert applies(ZEXT, 8)
