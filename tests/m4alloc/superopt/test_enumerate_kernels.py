"""The compiled loops: what is new, what meets a goal."""

import numpy as np

from m4alloc.superopt.enumerate_bank import Bank
from m4alloc.superopt.enumerate_kernels import agreements, arms, chains, join, pairs, sieve, signature
from m4alloc.superopt.enumerate_operations import ADD, AND, OR, SUB

W, M = np.uint64(8), np.uint64(255)


def _rows(*rows: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    return np.array(rows, np.uint64)


def test_lanes_that_are_poison_do_not_tell_rows_apart() -> None:
    a, b = _rows([1, 2], [9, 2])
    assert signature(a, np.uint64(1)) == signature(b, np.uint64(1))
    assert signature(a, np.uint64(0)) != signature(b, np.uint64(0))


def test_an_equal_leaf_is_put_in_once() -> None:
    bank = Bank(8, 2, 16)
    assert bank.add_leaf(np.array([1, 2], np.uint64)) == 0
    assert bank.add_leaf(np.array([1, 2], np.uint64)) is None
    assert bank.add_leaf(np.array([1, 3], np.uint64)) == 1


def test_pairs_that_make_the_goal_are_found() -> None:
    hits = np.zeros((8, 3), np.int64)
    left, right = _rows([1, 2], [3, 4]), _rows([10, 10], [20, 21])
    count = pairs(ADD, W, M, left, right, False, False, np.array([23, 25], np.uint64), hits, 0)
    assert hits[:count, :2].tolist() == [[1, 1]]


def test_a_full_list_of_hits_ends_a_scan() -> None:
    hits = np.zeros((2, 3), np.int64)
    rows = _rows([1], [1], [1])
    assert pairs(ADD, W, M, rows, rows, False, False, np.array([2], np.uint64), hits, 0) == 2


def test_a_constant_is_read_off_the_lanes() -> None:
    hits = np.zeros((8, 3), np.int64)
    rows = _rows([1, 2, 3])
    wanted = _rows([8, 9, 10], [6, 5, 4], [0, 2, 2], [5, 6, 7])
    care = np.full_like(wanted, 255)
    mode = np.array([1, 3, 4, 5], np.int64)
    count = chains(OR, W, M, rows, rows, False, True, wanted, care, mode, hits, 0, 1)
    assert hits[:count, 2].tolist() == [0, 1, 2, 3]


def test_bits_that_do_not_matter_may_differ() -> None:
    hits = np.zeros((8, 3), np.int64)
    wanted, care = _rows([0x10, 0x20]), _rows([0xF0, 0xF0])
    count = chains(
        OR, W, M, _rows([0x1A, 0x2B], [0x1A, 0x3B]), _rows([0, 0]), False, True, wanted, care,
        np.zeros(1, np.int64), hits, 0, 2,
    )  # fmt: skip
    assert hits[:count, 0].tolist() == [0]


def test_a_term_that_makes_the_goal_with_another_is_looked_up() -> None:
    bank = Bank(8, 2, 16)
    for row in ([7, 9], [1, 1]):
        bank.add_leaf(np.array(row, np.uint64))
    hits = np.zeros((8, 3), np.int64)
    goal = np.array([10, 12], np.uint64)
    assert join(ADD, M, _rows([3, 3]), goal, bank.table, bank.places, 0, 2, hits) == 1
    assert hits[0, :2].tolist() == [0, 0]
    assert join(SUB, M, _rows([253, 253]), goal, bank.table, bank.places, 0, 2, hits) == 1
    assert join(ADD, M, _rows([3, 3]), goal, bank.table, bank.places, 1, 2, hits) == 0


def test_only_rows_with_all_bits_of_the_goal_can_be_masked_to_it() -> None:
    out = np.zeros(2, np.bool_)
    sieve(0, W, _rows([7, 15], [5, 6]), np.array([3, 8], np.uint64), out)
    assert out.tolist() == [True, False]
    assert AND == 2


def test_arms_of_a_select_have_to_agree_where_they_count() -> None:
    goal = np.array([1, 2], np.uint64)
    agree = np.zeros(2, np.uint64)
    agreements(_rows([1, 0], [0, 2]), np.zeros(2, np.uint64), goal, agree)
    assert agree.tolist() == [1, 2]
    hits = np.zeros((8, 3), np.int64)
    count = arms(np.array([1, 2], np.uint64), agree, agree, np.uint64(3), hits, 4)
    assert hits[:count].tolist() == [[0, 0, 1], [1, 1, 0]]
