"""Which method proves what."""

from __future__ import annotations

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_prove import has_loop, plain, proved
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt import idioms_cases

COUNT = parse_function("""define i32 @f(i64 noundef %x) {
  %c = call i64 @llvm.ctpop.i64(i64 %x)
  %r = trunc i64 %c to i32
  ret i32 %r
}""")


def test_a_loop_that_constants_end_is_written_out_and_said_so() -> None:
    function = idioms_cases.function("count_index")
    assert has_loop(function) and not has_loop(plain(function, 64)[0])
    verdict = proved(function, COUNT)
    assert verdict.accepted
    assert verdict.obligations[0] == "loops were written out, constants end them within 64 repetitions"


def test_an_argument_that_may_be_undef_is_not_assumed_away() -> None:
    """Each turn reads %x anew, so that undef may show 64 different bits; sums would have to assume that away."""
    source = parse_function(idioms_cases.IR["count_index"].replace("i64 noundef %x", "i64 %x"))
    verdict = proved(source, COUNT, seconds=5.0)
    assert not verdict.assumptions


def test_a_bound_that_is_not_enough_is_not_a_proof() -> None:
    verdict = proved(idioms_cases.function("first_shift"), COUNT, [Fact("x != 0")], bound=8, seconds=5.0)
    assert not verdict.accepted


def test_a_wrong_form_is_refuted() -> None:
    wrong = parse_function("""define i32 @f(i64 noundef %x) {
  %c = call i64 @llvm.cttz.i64(i64 %x, i1 false)
  %r = trunc i64 %c to i32
  ret i32 %r
}""")
    assert proved(idioms_cases.function("first_index"), wrong).accepted
    assert proved(idioms_cases.function("count_index"), wrong).exit_status == 1
