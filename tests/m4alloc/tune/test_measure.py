"""Before and after: the rule that decides, on made-up ratios, and one real program."""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc import _backend
from m4alloc.bench.measure import BenchError
from m4alloc.bench.peer import GLIBC, OURS
from m4alloc.bench.statistic import Spread
from m4alloc.strategy import Strategy
from m4alloc.tune.advise import Advice
from m4alloc.tune.measure import ALPHA, AXES, Decision, Measured, Row, beaten, before_after, chance, judge, pays
from m4alloc.tune.native import library

NATIVE = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
PERL = pytest.mark.skipif(shutil.which("perl") is None, reason="needs perl: apt-get install perl-base")
SAME = (1.0, 1.001, 0.999, 1.0, 1.002, 1.0)
BETTER = (0.9, 0.92, 0.91, 0.9, 0.93, 0.89)
WORSE = tuple(1 / one for one in BETTER)
NOISY = (0.8, 1.3, 1.1, 0.9, 1.05, 0.95)
Ratios = st.lists(st.sampled_from([0.5, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0]), min_size=1, max_size=9)


def decided(cpu: Sequence[float], wall: Sequence[float], peak: Sequence[float]) -> Decision:
    return pays("mine", {"cpu": cpu, "wall": wall, "peak": peak})


@given(Ratios)
def test_the_chance_is_that_of_all_signs(ratios: list[float]) -> None:
    distances = [round(max(one, 1 / one), 6) for one in ratios if one != 1]
    moved = [one > 1 for one in ratios if one != 1]
    ranks = [
        sum(other < one for other in distances) + (sum(other == one for other in distances) + 1) / 2
        for one in distances
    ]
    seen = sum(rank for rank, above in zip(ranks, moved, strict=True) if above)
    sums = [
        sum(rank for rank, above in zip(ranks, signs, strict=True) if above)
        for signs in itertools.product([False, True], repeat=len(ranks))
    ]
    assert chance(ratios) == sum(one <= seen for one in sums) / len(sums)


@given(st.lists(st.floats(0.5, 2.0), max_size=12))
def test_what_is_better_one_way_round_is_worse_the_other(ratios: list[float]) -> None:
    other = {"better": "worse", "worse": "better"}
    found, turned = judge(ratios), judge([1 / one for one in ratios])
    assert turned == other.get(found, turned) and (turned in other) == (found in other)


def test_noise_alone_is_hardly_ever_a_difference() -> None:
    rng = random.Random(1)
    found = [judge([rng.lognormvariate(0, 0.1) for _ in range(8)]) for _ in range(2000)]
    assert found.count("better") + found.count("worse") < 2000 * 2 * ALPHA * 1.25
    assert found.count("better") > 0


def test_five_rounds_are_too_few_whatever_they_say() -> None:
    assert (judge([0.5] * 5), judge([0.5] * 6), judge([2.0] * 6), judge([])) == (
        "unclear",
        "better",
        "worse",
        "unclear",
    )


@pytest.mark.parametrize(
    ("cpu", "wall", "peak", "pay"),
    [
        (BETTER, BETTER, SAME, True),
        (SAME, SAME, BETTER, True),
        (BETTER, NOISY, NOISY, True),
        (BETTER, BETTER, WORSE, False),
        (WORSE, SAME, BETTER, False),
        (BETTER, WORSE, SAME, False),
        (SAME, BETTER, SAME, False),
        (NOISY, NOISY, NOISY, False),
        (SAME, SAME, SAME, False),
    ],
)
def test_it_pays_when_something_is_better_and_nothing_worse(
    cpu: Sequence[float], wall: Sequence[float], peak: Sequence[float], pay: bool
) -> None:
    found = decided(cpu, wall, peak)
    assert found.pays is pay
    assert set(found.axes) == set(AXES) and found.sentence


def test_what_fails_does_not_pay_and_says_why() -> None:
    assert pays("mine", {}, "ended with SIGSEGV") == Decision("mine", {}, False, "ended with SIGSEGV")


def measured(*tuned: tuple[str, float, float]) -> Measured:
    """With tuned allocators whose CPU time and peak memory are so much of the default's."""
    rows = [
        Row(name, "tuned", "", {"cpu": Spread(cpu, cpu, cpu), "peak": Spread(peak, peak, peak)}, {})
        for name, cpu, peak in tuned
    ]
    decisions = [decided([cpu] * 6, [1.0] * 6, [peak] * 6) for _, cpu, peak in tuned]
    named = tuple(
        Decision(row.allocator, one.axes, one.pays, one.sentence) for row, one in zip(rows, decisions, strict=True)
    )
    return Measured(("program",), {}, 6, tuple(rows), named)


def test_the_one_that_gains_most_is_chosen_or_the_default_stays() -> None:
    one = measured(("a", 0.9, 1.0), ("b", 0.95, 0.8), ("c", 0.5, 1.5))
    assert (one.choice, one.sentence) == ("b", "b pays: CPU time 0.95, better, peak memory 0.80, better")
    none = measured(("c", 0.5, 1.5), ("d", 1.0, 1.0))
    assert none.choice == OURS
    assert none.sentence == (
        "fall back to the default: c: peak memory 1.50, worse; "
        "d: CPU time 1.00, peak memory 1.00: no more than the noise or 1.0 %"
    )
    assert measured().sentence == "fall back to the default: nothing was tuned"


@pytest.mark.slow
@NATIVE
@PERL
def test_a_real_program_meets_everything_in_every_round() -> None:
    code = "my @x; for my $r (1 .. 5) { @x = map { 'y' x 2000 } 1 .. 2000 }"
    found = before_after(
        ["perl", "-e", code],
        tuned={"deep": Strategy(stack_depth=4096), "never": library("bump")},
        advised=[Advice(GLIBC, (("GLIBC_TUNABLES", "glibc.malloc.tcache_count=1000"),), ("because",))],
        rounds=6,
    )
    kinds = {row.allocator: row.kind for row in found.rows}
    assert list(kinds)[:4] == [OURS, "deep", "never", GLIBC] and kinds["glibc:tuned"] == "advised"
    assert found.rounds == 6 and not any(row.error for row in found.rows)
    assert found.row(OURS).to_default["cpu"] == Spread(1.0, 1.0, 1.0)
    never = next(one for one in found.decisions if one.allocator == "never")
    assert never.axes["peak"] == "worse" and not never.pays
    held = json.loads(json.dumps(found.to_json()))
    assert (held["choice"], held["verb"]) == (found.choice, "measure")
    lines = found.text().splitlines()
    assert lines[1] == found.sentence and sum(bool(re.match("deep .* ms", line)) for line in lines) == 1


@NATIVE
def test_time_that_is_up_ends_it_after_the_least_rounds() -> None:
    assert before_after(["true"], tuned={"deep": Strategy(stack_depth=4096)}, rounds=60, seconds=0).rounds == 6


@NATIVE
def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"^5 rounds: 6 at least, for with fewer nothing can be told from chance$"):
        before_after(["true"], tuned={}, rounds=5)
    with pytest.raises(BenchError, match=r"^glibc: an allocator has this name already; give the tuned one another$"):
        before_after(["true"], tuned={GLIBC: Strategy()})
    with pytest.raises(ValueError, match="no such file"):
        before_after(["true"], tuned={"mine": tmp_path / "libmine.so"})


def test_of_the_runners_those_go_on_that_are_best_and_not_clearly_beaten() -> None:
    class Made:
        """Rounds with one ratio a runner, the same for CPU time; peaks are all alike."""

        def ratio(self, name: str, base: str, axis: str) -> Spread | None:
            costs = {"a": 0.9, "b": 0.93, "c": 0.99, "d": 0.91, "failed": None}
            cost = 1.0 if axis == "peak" else costs[name]
            return None if cost is None else Spread(cost, cost, cost)

    found: Any = Made()
    assert beaten(found, ["a", "b", "c", "d", "failed"], 4) == ["c", "failed"]
    assert beaten(found, ["a", "b", "d"], 2) == ["b"]
    assert beaten(found, [], 2) == []


@NATIVE
def test_in_a_race_few_run_to_the_end_and_none_that_left_wins() -> None:
    tuned = {f"depth {depth}": Strategy(stack_depth=depth) for depth in (32, 64, 128)}
    found = before_after(["true"], tuned=tuned, baseline=Strategy.hardened(), rounds=6, peers=False, keep=1)
    assert len(found.dropped) == 2 and found.rounds == 6
    assert all(not one.pays for one in found.decisions if one.allocator in found.dropped)
    assert found.strategy == Strategy.hardened().to_environment()
    assert f"m4alloc is here the baseline: {found.strategy}" in found.text()
    assert f"left early, clearly worse than others: {', '.join(found.dropped)}" in found.text()
