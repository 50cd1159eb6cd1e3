"""Tests of m4alloc.tune.archive."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.strategy import Strategy
from m4alloc.tune.archive import Archive, Prefer, Reference, changed, hypervolume, recommended
from m4alloc.tune.evaluate import failed
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.security import Security

CUBE = Reference(8.0, 8.0, 0.0)
GRID = st.builds(Objectives, *(st.integers(0, 9).map(float),) * 3)
SETS = st.lists(GRID, max_size=12)


def brute(objectives: list[Objectives]) -> int:
    """Unit cells below the reference that some candidate dominates."""
    return sum(
        any(one.time <= x and one.memory <= y and one.security >= z + 1 for one in objectives)
        for x, y, z in itertools.product(range(8), range(8), range(10))
    )


@given(SETS)
@settings(deadline=None)
def test_the_hypervolume_is_the_count_of_dominated_cells(objectives: list[Objectives]) -> None:
    assert hypervolume(objectives, CUBE) == brute(objectives)


@given(SETS, st.randoms())
def test_the_front_is_what_nothing_dominates_in_whatever_order_it_came(
    objectives: list[Objectives], random: object
) -> None:
    expected = {one for one in objectives if not any(other.dominates(one) for other in objectives)}
    random.shuffle(objectives)  # type: ignore[attr-defined]
    archive = Archive(CUBE)
    volume = 0.0
    for one in objectives:
        entered = archive.add(Evaluation(Strategy(), one))
        archive.check()
        assert archive.hypervolume >= volume
        assert entered or archive.hypervolume == volume
        volume = archive.hypervolume
    assert {one.objectives for one in archive.front} == expected
    assert volume == brute(objectives)


def test_the_first_of_equals_stays() -> None:
    archive = Archive(CUBE)
    first = Evaluation(Strategy(), Objectives(1.0, 1.0, 1.0))
    assert archive.add(first)
    assert not archive.add(Evaluation(Strategy(guards=True), Objectives(1.0, 1.0, 1.0)))
    assert archive.front == [first]


def test_what_could_not_be_evaluated_never_enters() -> None:
    archive = Archive(CUBE)
    assert not archive.add(failed(Strategy(), "gone"))
    assert (len(archive), archive.hypervolume, archive.least_time) == (0, 0.0, math.inf)


def test_the_baseline_alone_has_volume_one() -> None:
    for baseline in (Strategy(), Strategy.hardened()):
        worth = Objectives(1.0, 1.0, Security.of(baseline).score)
        assert hypervolume([worth], Reference.of(baseline)) == pytest.approx(1.0)
    both = [Objectives(1.0, 1.0, Security.of(one).score) for one in (Strategy(), Strategy.hardened())]
    assert hypervolume(both, Reference.of(Strategy())) == pytest.approx(1.25)


BASE = Evaluation(Strategy(), Objectives(1.0, 1.0, 4.0))
CANDIDATES = st.lists(
    st.builds(
        lambda time, memory, security, batch: Evaluation(
            Strategy(refill_batch=batch), Objectives(time, memory, security)
        ),
        st.floats(0.5, 1.5),
        st.floats(0.5, 1.5),
        st.floats(4, 30),
        st.integers(1, 50),
    ),
    max_size=10,
)


@given(CANDIDATES, st.sampled_from(list(Prefer)))
def test_what_is_recommended_is_never_worse_in_both(front: list[Evaluation], prefer: Prefer) -> None:
    chosen = recommended(front, BASE, prefer)
    worth = chosen.objectives
    assert chosen is BASE or chosen in front
    assert worth.time <= 1 or worth.memory <= 1 or (prefer is Prefer.SECURITY and worth.time <= 1.002)
    if prefer in (Prefer.BALANCED, Prefer.SECURITY):
        assert worth.time <= 1.002 and worth.memory <= 1.002
    if prefer is Prefer.BALANCED:
        admitted = [one.objectives for one in front if one.objectives.time <= 1 and one.objectives.memory <= 1]
        assert all(worth.time * worth.memory <= one.time * one.memory * 1.0021 for one in admitted)


def test_a_gain_within_what_the_simulator_knows_is_none() -> None:
    assert recommended([Evaluation(Strategy(placement=1), Objectives(0.9985, 1.0, 4.0))], BASE) is BASE


@pytest.mark.parametrize("prefer", ["balanced", "security"])
def test_a_loss_within_what_the_simulator_knows_is_none(prefer: str) -> None:
    gain = Evaluation(Strategy(placement=1, guards=True), Objectives(1.001, 0.9, 6.0))
    loss = Evaluation(Strategy(placement=1, guards=True), Objectives(1.003, 0.9, 6.0))
    assert recommended([gain], BASE, prefer) is gain
    assert recommended([loss], BASE, prefer) is BASE


@pytest.mark.parametrize(("prefer", "time", "memory"), [("time", 1.001, 0.5), ("memory", 0.5, 1.001)])
def test_what_is_preferred_is_better_in_any_case(prefer: str, time: float, memory: float) -> None:
    assert recommended([Evaluation(Strategy(placement=1), Objectives(time, memory, 4.0))], BASE, prefer) is BASE


def test_of_equals_the_securest_is_recommended_and_then_the_simplest() -> None:
    plain = Evaluation(Strategy(placement=1), Objectives(0.9, 0.9, 4.0))
    safer = Evaluation(Strategy(placement=1, guards=True), Objectives(0.9005, 0.9, 6.0))
    longer = Evaluation(Strategy(placement=1, guards=True, refill_batch=3), Objectives(0.9, 0.9, 6.0))
    assert recommended([plain, safer, longer], BASE) is safer
    assert changed(longer.strategy, Strategy()) == 3


def test_what_is_preferred_may_cost_a_little_of_the_other() -> None:
    fast = Evaluation(Strategy(placement=1), Objectives(0.7, 1.2, 4.0))
    huge = Evaluation(Strategy(placement=2), Objectives(0.6, 1.3, 4.0))
    small = Evaluation(Strategy(refill_batch=8), Objectives(1.04, 0.5, 4.0))
    slow = Evaluation(Strategy(refill_batch=9), Objectives(1.06, 0.4, 4.0))
    front = [fast, huge, small, slow]
    assert recommended(front, BASE, "time") is fast
    assert recommended(front, BASE, "memory") is small
    assert recommended(front, BASE, "balanced") is BASE


def test_an_unknown_preference_is_told() -> None:
    with pytest.raises(ValueError, match="'speed' is not a valid Prefer"):
        recommended([], BASE, "speed")
