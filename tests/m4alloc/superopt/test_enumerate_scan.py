"""Pairs against goals: look-up, sieve and trial find the same."""

import numpy as np
import pytest

from m4alloc.superopt import enumerate_scan
from m4alloc.superopt.enumerate_bank import Space, Term
from m4alloc.superopt.enumerate_goals import whole
from m4alloc.superopt.enumerate_operations import (
    ADD,
    AND,
    LSHR,
    OPERATIONS,
    OR,
    SMAX,
    SUB,
    UMIN,
    USUB_SAT,
    XOR,
    evaluated,
)

CODES = (ADD, SUB, XOR, AND, OR, UMIN, SMAX, LSHR, USUB_SAT)


@pytest.mark.parametrize("code", CODES, ids=lambda code: OPERATIONS[code].word)
@pytest.mark.parametrize("large", [0, 10**9])
def test_a_pair_that_makes_the_goal_is_found_by_every_way(
    code: int, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enumerate_scan, "LARGE", large)
    space = Space([8], 8, CODES, (), 100)
    bank = space.banks[8]
    rng = np.random.default_rng(5)
    for _ in range(20):
        bank.add_leaf(rng.integers(0, 256, 8, dtype=np.uint64))
    bank.add_leaf(rng.integers(0, 8, 8, dtype=np.uint64))
    space.seal_leaves()
    goal = whole(8, evaluated(code, np.uint64(8), bank.mask, bank.values[3], bank.values[20]))
    found: list[Term] = []

    def take(term: Term) -> bool:
        found.append(term)
        return True

    scan = enumerate_scan.Scan(space, take, lambda: False)
    assert scan.all(code, bank, bank, (0, 21), (0, 21), OPERATIONS[code].commutative, [goal])
    assert {3, 20} in [{part.row for part in term.parts} for term in found]


def test_what_is_dear_is_left_out() -> None:
    space = Space([8], 4, CODES, (), 100)
    bank = space.banks[8]
    bank.add_leaf(np.array([1, 2, 3, 4], np.uint64))
    space.seal_leaves()
    scan = enumerate_scan.Scan(space, lambda term: True, lambda: False)
    goal = whole(8, np.array([2, 4, 6, 8], np.uint64))
    assert not scan.all(ADD, bank, bank, (0, 1), (0, 1), True, [goal], dear=True)
    assert scan.all(ADD, bank, bank, (0, 1), (0, 1), True, [goal])
