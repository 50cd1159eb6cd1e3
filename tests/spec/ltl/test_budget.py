"""The bound on a translation."""

from __future__ import annotations

import pytest

from spec.ltl.budget import Budget
from spec.ltl.error import TooLargeError


def test_steps_on_labels_of_many_letters_count_more() -> None:
    narrow, wide = Budget(work=100), Budget(work=100, letters=1 << 14)
    narrow.spend(50, "a")
    wide.spend(50, "a", labels=False)
    with pytest.raises(TooLargeError, match=r"a takes more than work=100 steps"):
        wide.spend(50, "a")
    narrow.spend(50, "a")


def test_a_part_is_no_larger_than_what_is_left() -> None:
    budget = Budget(states=10, work=100)
    budget.spend(70, "a")
    part = budget.part(20, 50)
    assert (part.states, part.work) == (10, 30)
    assert budget.part(5, 20).work == 20
