"""Measured times: what is faster is said to be faster, what is alike is not, and bad code ends only its own process."""

import multiprocessing
import random

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.measure import (
    EFFECT,
    LEAST_NS,
    SAME,
    Timing,
    align_loops,
    inlined,
    interval,
    measured,
    timed,
    timing,
)
from m4alloc.superopt.measure_loops import ROWS, module_of
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt.cases import CASES

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
    other = parse_function(
        "define void @f(ptr noundef %p, i64 noundef %x) { %a = mul i64 %x, %x store i64 %a, ptr %p, align 8 ret void }"
    )
    found = measured(store, other, rounds=6)
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


def test_the_same_machine_code_is_said_to_be_and_is_not_timed() -> None:
    doubled = parse_function("define i64 @f(i64 noundef %x) { %a = add i64 %x, %x ret i64 %a }")
    shifted = parse_function("define i64 @f(i64 noundef %x) { %a = shl i64 %x, 1 ret i64 %a }")
    for after in (doubled, shifted):
        found = measured(doubled, after, rounds=6)
        assert found.latency is None and found.throughput is None and found.reason == SAME


def against_itself(text: str) -> dict[str, Timing]:
    """A function timed against itself in this process, though it is the same code."""
    align_loops()
    function = parse_function(text)
    loops = inlined(module_of([("before", function), ("after", function)]))
    words = [[random.getrandbits(64) for _ in function.arguments] for _ in range(ROWS)]
    pointers = [False] * len(function.arguments)
    return timed(loops, words, pointers, ("latency", "throughput"), 31, 0)


@pytest.mark.campaign
def test_a_function_is_not_faster_than_itself() -> None:
    """Of 20 intervals of 95 % one may be wrong by chance."""
    texts = [case.text for case in CASES[::4] if "ptr" not in case.text and "div" not in case.text][:10]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        found = pool.map(against_itself, texts, chunksize=1)
    wrong = [one.sentence for timings in found for one in timings.values() if one.is_significant]
    assert len(texts) == 10 and len(wrong) <= 1, wrong


def test_a_ratio_to_what_hides_behind_the_empty_loop_is_none() -> None:
    """0.04 to 0.56 ns is no 14 times: what is hidden takes a time that is not known."""
    found = timing([{"empty": 1.0, "before": 1.04, "after": 1.56}] * 20)
    assert not found.is_significant and found.before == LEAST_NS


def test_what_hides_is_told_from_what_takes_long() -> None:
    assert timing([{"empty": 1.0, "before": 6.0, "after": 1.0}] * 20).is_significant


@pytest.mark.parametrize("count", [6, 9, 31, 101])
def test_the_interval_is_symmetric_and_within(count: int) -> None:
    low, high = interval(count)
    assert 0 <= low < high == count - 1 - low
