"""Samples before proofs."""

from __future__ import annotations

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_sample import UNDEFINED, agree, samples, value
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt import idioms_cases


def test_a_loop_is_run_to_its_end() -> None:
    assert value(idioms_cases.function("count_shift"), (0xF0F0,)) == 8


def test_a_loop_that_does_not_end_and_a_poison_result_are_undefined() -> None:
    assert value(idioms_cases.function("first_shift"), (0,)) == UNDEFINED
    poison = parse_function("define i8 @f(i8 %x) { %r = add nuw i8 %x, 1 ret i8 %r }")
    assert value(poison, (255,)) == UNDEFINED and value(poison, (1,)) == 2


def test_samples_satisfy_the_facts_and_hold_the_constants() -> None:
    function = idioms_cases.function("of_any")
    found = samples(function, [Fact("n <= 100")])
    assert {16, 17, 18, 48, 49, 81, 100} - {100} <= set(found) and max(found) <= 100


def test_where_the_source_is_undefined_anything_agrees() -> None:
    function = idioms_cases.function("first_shift")
    text = "define i32 @f(i64 %x) {{ %c = call i64 @llvm.cttz.i64(i64 %x, i1 {}) %r = trunc i64 %c to i32 ret i32 %r }}"
    total, partial = (parse_function(text.format(word)) for word in ("false", "true"))
    assert agree(function, partial) and agree(function, total) and agree(partial, total)
    assert not agree(total, partial)
