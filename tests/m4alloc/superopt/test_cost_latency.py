"""The latency of a chain of dependences by our own table."""

from m4alloc.superopt.cost_latency import latency
from m4alloc.superopt.parse import parse_function


def _latency(body: str, target: str = "x86-64") -> float:
    return latency(parse_function(f"define i32 @f(i32 %x, i32 %y) {{\n{body}\n}}\n"), target)


def test_what_does_not_depend_runs_side_by_side() -> None:
    chain = _latency("%a = add i32 %x, 1\n%b = add i32 %a, %y\n%c = add i32 %b, %x\nret i32 %c")
    tree = _latency("%a = add i32 %x, 1\n%b = add i32 %y, %x\n%c = add i32 %a, %b\nret i32 %c")
    assert (chain, tree) == (3.0, 2.0)


def test_a_division_is_dearer_than_a_product() -> None:
    assert _latency("%a = udiv i32 %x, %y\nret i32 %a") > _latency("%a = mul i32 %x, %y\nret i32 %a")


def test_a_target_that_counts_bits_itself_is_faster() -> None:
    body = "%a = call i32 @llvm.ctpop.i32(i32 %x)\nret i32 %a"
    assert _latency(body, "x86-64-v3") < _latency(body, "x86-64")


def test_a_branch_is_waited_for() -> None:
    branching = """%c = icmp ult i32 %x, %y
  br i1 %c, label %a, label %b
a:
  br label %b
b:
  %r = phi i32 [ %x, %0 ], [ %y, %a ]
  ret i32 %r"""
    assert _latency(branching) == 2.0
