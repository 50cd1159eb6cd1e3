"""Programs around one term that is used twice."""

import time

import numpy as np

from m4alloc.superopt.enumerate_bank import Space
from m4alloc.superopt.enumerate_goals import whole
from m4alloc.superopt.enumerate_operations import ADD, MUL, SELECT, ULT, XOR
from m4alloc.superopt.enumerate_sharing import Sharing, shared

X = np.array([3, 7, 200, 18], np.uint64)
Y = np.array([5, 1, 9, 100], np.uint64)
M = np.uint64(255)


def _space(*codes: int) -> Space:
    space = Space([8], 4, codes, (), 1000)
    space.banks[8].add_leaf(X)
    space.banks[8].add_leaf(Y)
    space.seal_leaves()
    space.grow(time.monotonic() + 10.0)
    return space


def _row(space: Space, values: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> int:
    bank = space.banks[8]
    return next(row for row in range(bank.size) if (bank.values[row] == values).all())


def test_a_product_with_its_own_sum_is_found() -> None:
    space = _space(ADD, MUL)
    product = (X * Y) & M
    goal = whole(8, ((product + X) * product) & M)
    terms = list(Sharing(space, 8, _row(space, product)).programs([goal], wide=frozenset()))
    assert any(term.code == MUL for term in terms)


def test_a_select_of_what_it_compares_is_found() -> None:
    space = _space(XOR, ULT)
    t = X ^ Y
    goal = whole(8, np.where(t < X, t, Y))
    terms = list(Sharing(space, 8, _row(space, t)).programs([goal], wide=frozenset()))
    assert any(term.code == SELECT for term in terms)


def test_two_operations_on_one_term_are_joined_only_when_wide() -> None:
    space = _space(ADD, XOR, MUL)
    t = X ^ Y
    goal = whole(8, (((t + X) & M) * ((t + Y) & M)) & M)
    around = Sharing(space, 8, _row(space, t))
    assert any(term.code == MUL for term in around.programs([goal], wide=frozenset({MUL})))
    assert not any(term.code == MUL for term in around.programs([goal], wide=frozenset()))


def test_it_ends_when_time_is_over() -> None:
    space = _space(ADD, MUL)
    assert not shared(space, [whole(8, X)], lambda term: True, wide=frozenset(), is_over=lambda: True)
