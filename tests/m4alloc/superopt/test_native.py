"""Machine code on all inputs refutes what is wrong, survives code that crashes, and never refutes what is right."""

from __future__ import annotations

import os
import signal

import pytest

from m4alloc.superopt import native
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.generate import PLAIN, functions
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function


def _parsed(body: str, signature: str = "i8 @f(i8 noundef %x, i8 noundef %y)") -> Function:
    return parse_function(f"define {signature} {{\n{body}\n}}")


SUM = _parsed("%r = add i8 %x, %y\nret i8 %r")


def test_a_wrong_result_on_one_input_of_65536_is_found() -> None:
    wrong = _parsed(
        "%a = xor i8 %x, 77\n%b = xor i8 %y, 200\n%c = or i8 %a, %b\n%d = icmp eq i8 %c, 0\n"
        "%s = add i8 %x, %y\n%r = select i1 %d, i8 3, i8 %s\nret i8 %r"
    )
    found = native.refute(SUM, wrong)
    assert found is not None
    assert dict(found.inputs) == {"x": "77", "y": "200"}
    assert (found.source, found.target) == ("21", "3")


def test_what_is_right_is_not_refuted() -> None:
    same = _parsed("%a = xor i8 %x, %y\n%b = and i8 %x, %y\n%c = shl i8 %b, 1\n%r = add i8 %a, %c\nret i8 %r")
    assert native.agree_everywhere(SUM, same)


def test_inputs_on_which_the_source_is_poison_or_undefined_do_not_count() -> None:
    flagged = _parsed("%r = add nuw i8 %x, %y\nret i8 %r")
    saturated = _parsed("%r = call i8 @llvm.uadd.sat.i8(i8 %x, i8 %y)\nret i8 %r")
    assert native.refute(flagged, saturated) is None
    assert native.refute(SUM, saturated) is not None
    quotient = _parsed("%r = udiv i8 %x, %y\nret i8 %r")
    guarded = _parsed("%m = call i8 @llvm.umax.i8(i8 %y, i8 1)\n%r = udiv i8 %x, %m\nret i8 %r")
    assert native.refute(quotient, guarded) is None


def test_added_poison_and_undefined_behaviour_are_seen_although_native_code_does_not_show_them() -> None:
    found = native.refute(SUM, _parsed("%r = add nsw i8 %x, %y\nret i8 %r"))
    assert found is not None
    assert found.target == "poison"
    found = native.refute(SUM, _parsed("%q = udiv i8 %x, %y\n%r = add i8 %x, %y\nret i8 %r"))
    assert found is not None
    assert found.target == "undefined behaviour"


def test_facts_restrict_the_inputs() -> None:
    masked = _parsed("%m = and i8 %y, 7\n%r = shl i8 %x, %m\nret i8 %r")
    zero = _parsed(
        "%c = icmp ult i8 %y, 8\n%m = and i8 %y, 7\n%s = shl i8 %x, %m\n%r = select i1 %c, i8 %s, i8 0\nret i8 %r"
    )
    assert native.refute(masked, zero) is not None
    assert native.refute(masked, zero, [Fact("y < 8")]) is None


def test_code_that_crashes_is_refuted_and_the_next_pair_is_judged() -> None:
    crash = _parsed("%r = load i8, ptr null\nret i8 %r")
    found = native.refute(SUM, crash)
    assert found is not None
    assert found.target == "a crash of the process"
    assert native.refute(SUM, SUM) is None


def test_code_that_does_not_end_runs_out_of_time() -> None:
    endless = _parsed("br label %a\na:\nbr label %a")
    assert native.refute(SUM, SUM) is None  # the child is there, so that only the time of the run counts
    assert native.refute(SUM, endless, seconds=0.2) is None
    assert native.refute(SUM, SUM) is None


@pytest.mark.campaign
def test_a_child_that_was_killed_is_started_again() -> None:
    assert native.refute(SUM, SUM) is None
    process = native._worker.process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert native.refute(SUM, SUM) is None


def test_functions_with_more_than_sixteen_bits_of_input_are_left_to_others() -> None:
    wide = _parsed("%r = add i32 %x, %y\nret i32 %r", "i32 @f(i32 noundef %x, i32 noundef %y)")
    assert not native.supported(wide)
    assert native.refute(wide, wide) is None
    with pytest.raises(ValueError, match="all of its inputs"):
        native.agree_everywhere(wide, wide)


def test_no_function_refutes_itself() -> None:
    found = [one for one in functions(12, 12, 8, 6, PLAIN) if native.supported(one)]
    assert len(found) >= 8
    assert [native.refute(one, one) for one in found] == [None] * len(found)


def test_how_many_inputs_were_run_is_told_and_none_where_nothing_was() -> None:
    same = parse_function("define i8 @f(i8 noundef %x) { %a = add i8 %x, 1 ret i8 %a }")
    nowhere = parse_function("define i8 @f(i8 noundef %x) { %a = udiv i8 %x, 0 ret i8 %a }")
    wide = parse_function("define i8 @f(i32 noundef %x) { %a = trunc i32 %x to i8 ret i8 %a }")
    assert native.compared(same, same) == (None, 256)
    assert native.compared(nowhere, same) == (None, 0) and native.compared(wide, wide) == (None, 0)
    with pytest.raises(ValueError, match="compared on no input"):
        native.agree_everywhere(nowhere, same)


def test_a_function_that_never_returns_is_compared_with_one_that_does() -> None:
    never = parse_function("define i8 @f(i8 noundef %x) { unreachable }")
    returns = parse_function("define i8 @f(i8 noundef %x) { ret i8 1 }")
    assert native.refute(never, returns) is None and native.refute(never, never) is None
    assert native.refute(returns, never) is not None
