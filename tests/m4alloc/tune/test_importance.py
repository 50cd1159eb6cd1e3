"""Which knobs matter: each alone, and the whole without it."""

from __future__ import annotations

import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.importance import differing, importance, in_words, reason
from m4alloc.tune.result import Evaluation, Objectives


def worth(strategy: Strategy) -> Evaluation:
    time = 1.0 - 0.3 * strategy.placement - (0.1 if strategy.refill_batch == 8 else 0.0)
    return Evaluation(strategy, Objectives(time, 1.0, 4.0))


def test_the_knob_that_gains_most_comes_first_with_what_it_gains() -> None:
    placement, batch = importance(Strategy(refill_batch=8, placement=1), Strategy(), worth)
    assert (placement.knob, batch.knob) == ("placement", "refill_batch")
    assert placement.alone.time == pytest.approx(0.7) and placement.without.time == pytest.approx(0.9)
    assert (placement.before, placement.after) == ("0", "1")


def test_what_only_makes_another_knob_possible_is_left_out() -> None:
    found = importance(Strategy(classes=(16, 32768), slab_bytes=(65536, 65536)), Strategy(), worth)
    assert [one.knob for one in found] == ["classes and slab_bytes"]


def test_the_knobs_of_the_classes_are_one_group() -> None:
    assert differing(Strategy(classes=(16, 32768), stack_depths=(4, 4), placement=1), Strategy()) == [
        ("classes", "stack_depths"),
        ("placement",),
    ]
    assert differing(Strategy(stack_depths=(4,) * 40), Strategy()) == [("stack_depths",)]


def test_values_are_in_words() -> None:
    one = Strategy(classes=(16, 32768), stack_depths=(4, 9), canaries=True)
    assert in_words(one, ("classes", "stack_depths", "canaries")) == "2 classes up to 32,768; 4 to 9; on"
    assert in_words(one, ("slab_bytes", "representable")) == "by rule; "


def test_the_reason_names_the_counters_that_move_most() -> None:
    workload = example_workload(100)
    one, other = (example_simulate(workload, Strategy(stack_depth=depth)) for depth in (16, 256))
    told = reason((one,), (other,))
    assert "refills of empty stacks: " in told and " instead of " in told and told.count(";") <= 1
    assert reason((one,), (one,)) == "no counter moves"
