"""Measured times: what is faster is said to be faster, what is alike is not, and bad code ends only its own process."""

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.measure import EFFECT, interval, measured, timing
from m4alloc.superopt.parse import parse_function

DIVISION = parse_function("define i64 @f(i64 noundef %x, i64 noundef %y) { %a = udiv i64 %x, %y ret i64 %a }")
SHIFT = parse_function("define i64 @f(i64 noundef %x, i64 noundef %y) { %a = lshr i64 %x, 3 ret i64 %a }")


@pytest.mark.parametrize("kind", ["latency"])
def test_a_shift_is_faster_than_a_division(kind: str) -> None:
    found = measured(DIVISION, SHIFT, (Fact("y == 8"), Fact("x < 1 << 60")), rounds=9)
    timing_ = getattr(found, kind)
    assert timing_ is not None, found.reason
    assert timing_.is_significant and timing_.ratio < 0.8 and "faster" in timing_.sentence


def test_a_function_without_a_result_has_no_latency() -> None:
    store = parse_function("define void @f(ptr noundef %p, i64 noundef %x) { store i64 %x, ptr %p, align 8 ret void }")
    found = measured(store, store, rounds=6)
    assert found.latency is None and found.throughput is not None, found.reason


def test_code_that_ends_its_process_is_a_reason() -> None:
    wild = parse_function(
        "define i64 @f(i64 %x, i64 %y) { %p = inttoptr i64 8 to ptr %a = load i64, ptr %p ret i64 %a }"
    )
    found = measured(SHIFT, wild, rounds=6)
    assert found.latency is None and "the process that ran the functions ended with" in found.reason


def test_a_function_of_vectors_is_not_timed_and_says_why() -> None:
    vector = parse_function("define <4 x i8> @f(<4 x i8> %x) { ret <4 x i8> %x }")
    assert "<4 x i8>, no integer" in measured(vector, vector, rounds=6).reason


def test_facts_that_no_input_satisfies_are_a_reason() -> None:
    assert "satisfies the facts" in measured(SHIFT, SHIFT, (Fact("x < y"), Fact("y < x")), rounds=6).reason


def test_too_few_rounds_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rounds: 6 at least"):
        measured(SHIFT, SHIFT, rounds=3)


def test_noise_around_one_is_no_difference() -> None:
    rounds = [{"empty": 1.0, "before": 3.0, "after": 3.0 + (-1) ** place * 0.1} for place in range(20)]
    found = timing(rounds)
    assert not found.is_significant and "no significant difference" in found.sentence


def test_what_is_certain_but_tiny_is_no_difference() -> None:
    after = 1.0 + 2.0 * (1 - EFFECT / 2)
    assert not timing([{"empty": 1.0, "before": 3.0, "after": after}] * 20).is_significant


def test_what_hides_behind_the_empty_loop_is_no_difference() -> None:
    assert not timing([{"empty": 1.0, "before": 1.1, "after": 1.0}] * 20).is_significant


@pytest.mark.parametrize("count", [6, 9, 31, 101])
def test_the_interval_is_symmetric_and_within(count: int) -> None:
    low, high = interval(count)
    assert 0 <= low < high == count - 1 - low
