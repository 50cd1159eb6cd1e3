"""The shortlist: what the preferences choose, then the fastest."""

from __future__ import annotations

from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import Scored
from m4alloc.tune.result import Objectives
from m4alloc.tune.shortlist import merged, shortlist


def scored(batch: int, time: float, memory: float) -> Scored:
    return Scored(Strategy(refill_batch=batch), Objectives(time, memory, 4.0))


BASE = Scored(Strategy(), Objectives(1.0, 1.0, 4.0))
FAST, SMALL, BOTH, WORSE = scored(1, 0.5, 1.0), scored(2, 1.0, 0.5), scored(3, 0.7, 0.7), scored(4, 1.1, 1.1)


def test_the_front_is_of_what_nothing_dominates_by_time() -> None:
    front = merged(Strategy(), [BASE, WORSE, SMALL, FAST, BOTH, FAST])
    assert [one.strategy for one in front] == [FAST.strategy, BOTH.strategy, SMALL.strategy]


def test_the_preferred_comes_first_and_the_baseline_never() -> None:
    front = [FAST, BOTH, SMALL]
    assert shortlist(front, BASE, "time")[0].strategy == FAST.strategy
    assert shortlist(front, BASE, "memory")[0].strategy == SMALL.strategy
    assert all(one.strategy != Strategy() for one in shortlist([*front, BASE], BASE, "balanced"))
    assert shortlist([BASE], BASE, "balanced") == []


def test_one_that_several_preferences_choose_has_their_names() -> None:
    [only] = shortlist([BOTH, BASE], BASE, "balanced")
    assert only.name.startswith("balanced+") and "memory" in only.name


def test_there_are_no_more_than_are_wanted() -> None:
    front = [scored(batch, 0.5 + batch / 100, 1.0 - batch / 100) for batch in range(1, 20)]
    assert len(shortlist(front, BASE, "balanced", 4)) == 4
