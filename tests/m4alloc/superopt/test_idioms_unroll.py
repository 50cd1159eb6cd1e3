"""Loops written out where constants end them."""

from __future__ import annotations

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.idioms_constants import tables
from m4alloc.superopt.idioms_sample import samples, value
from m4alloc.superopt.idioms_unroll import NotBoundedError, loops, written_out
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked
from tests.m4alloc.superopt import idioms_cases


@pytest.mark.parametrize("name", ["count_index", "first_index"])
def test_a_loop_written_out_computes_the_same(name: str) -> None:
    function = idioms_cases.function(name)
    straight = written_out(function, 64)
    assert not loops(straight)
    checked(straight)
    for sample in samples(function):
        assert value(straight, (sample,)) == value(function, (sample,))


def test_a_short_loop_written_out_is_proved_equal() -> None:
    text = idioms_cases.IR["count_index"].replace("64\n", "8\n").replace("i64 %i1, 64", "i64 %i1, 8")
    function = parse_function(text)
    straight = written_out(function, 7)
    assert refines(function, straight, unroll=8).accepted
    assert refines(straight, function, unroll=8).accepted


def test_a_bound_that_is_too_small_is_an_error() -> None:
    function = idioms_cases.function("count_index")
    assert len(written_out(function, 63).blocks) == 1
    with pytest.raises(NotBoundedError, match="within 62 repetitions"):
        written_out(function, 62)


def test_a_loop_whose_end_depends_on_the_input_is_not_written_out() -> None:
    with pytest.raises(NotBoundedError, match="no constant ends the loop"):
        written_out(idioms_cases.function("count_shift"), 64)


def test_a_search_of_a_known_table_ends_with_the_table() -> None:
    function = idioms_cases.function("of_search")
    straight = written_out(function, 64, tables([idioms_cases.TABLE]))
    assert not loops(straight)
    assert [value(straight, (n,)) for n in (0, 16, 17, 100, 128)] == [0, 0, 1, 6, 7]
    assert value(straight, (129,)) == "undefined"


def test_nested_loops_are_written_out_from_the_inside() -> None:
    function = parse_function("""
define i32 @f(i32 noundef %x) {
entry:
  br label %outer
outer:
  %i = phi i32 [ 0, %entry ], [ %i1, %after ]
  %s = phi i32 [ %x, %entry ], [ %t1, %after ]
  br label %inner
inner:
  %j = phi i32 [ 0, %outer ], [ %j1, %inner ]
  %t = phi i32 [ %s, %outer ], [ %t1, %inner ]
  %m = mul i32 %t, 3
  %t1 = add i32 %m, %j
  %j1 = add i32 %j, 1
  %more = icmp ult i32 %j1, 2
  br i1 %more, label %inner, label %after
after:
  %i1 = add i32 %i, 1
  %again = icmp ult i32 %i1, 3
  br i1 %again, label %outer, label %end
end:
  ret i32 %t1
}""")
    straight = written_out(function, 8)
    assert len(straight.blocks) == 1
    for x in (0, 1, 12345):
        assert value(straight, (x,)) == value(function, (x,)) != "undefined"


def test_a_loop_with_two_back_edges_is_refused() -> None:
    function = parse_function("""
define i32 @f(i1 noundef %c) {
entry:
  br label %head
head:
  br i1 %c, label %left, label %right
left:
  br label %head
right:
  br label %head
}""")
    with pytest.raises(NotBoundedError, match="2 back edges"):
        written_out(function, 8)
