"""What compiles to the same instructions is known to, and what does not is not."""

import pytest

from m4alloc.superopt.measure import inlined
from m4alloc.superopt.measure_code import body, same_code
from m4alloc.superopt.measure_loops import module_of
from m4alloc.superopt.parse import parse_function

DOUBLED = "define i64 @f(i64 noundef %x) { %a = add i64 %x, %x ret i64 %a }"
SHIFTED = "define i64 @f(i64 noundef %x) { %a = shl i64 %x, 1 ret i64 %a }"
TRIPLED = "define i64 @f(i64 noundef %x) { %a = mul i64 %x, 3 ret i64 %a }"
BRANCHES = """define i64 @f(i64 noundef %x) {
entry:
  %c = icmp ugt i64 %x, 9
  br i1 %c, label %far, label %near
far:
  %a = udiv i64 1000, %x
  ret i64 %a
near:
  ret i64 77
}"""


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (DOUBLED, DOUBLED, True),
        (DOUBLED, SHIFTED, True),
        (DOUBLED, TRIPLED, False),
        (BRANCHES, BRANCHES, True),
        (BRANCHES, BRANCHES.replace("77", "78"), False),
    ],
)
def test_two_functions_are_the_same_code_where_their_instructions_are(first: str, second: str, same: bool) -> None:
    text = module_of([("before", parse_function(first)), ("after", parse_function(second))])
    assert same_code(inlined(text), ("latency", "throughput")) is same


def test_constants_that_lie_elsewhere_are_not_compared() -> None:
    assert body("f:\n\tmovq .LCPI0_0(%rip), %xmm0\n.Lfunc_end0:\n", "f") is None


def test_a_function_that_is_not_there_has_no_body() -> None:
    assert body("f:\n\tretq\n.Lfunc_end0:\n", "g") is None and body("f:\n\tretq\n.Lfunc_end0:\n", "f") == ("retq",)
