"""The loops around a function are what LLVM accepts, and call it with its own types."""

import pytest

from m4alloc.superopt.measure_loops import UnmeasurableError, module_of
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.toolchain import read


@pytest.mark.parametrize(
    "text",
    [
        "define i1 @f(i8 noundef %x, i64 %y) { %a = trunc i64 %y to i1 ret i1 %a }",
        "define void @f(ptr %p) { store i8 1, ptr %p ret void }",
        "define ptr @f(ptr %p, i32 %x) { ret ptr %p }",
        "define noundef i32 @f() { ret i32 7 }",
        "define i32 @f(i32 %x) { %a = call i32 @llvm.ctpop.i32(i32 %x) ret i32 %a }",
    ],
)
def test_the_module_is_verified_by_llvm(text: str) -> None:
    function = parse_function(text)
    module = module_of([("before", function), ("after", function)])
    assert read(module) is not None
    assert all(
        f"@{kind}_{name}(" in module for kind in ("latency", "throughput") for name in ("empty", "before", "after")
    )


def test_a_wide_integer_is_refused_by_name() -> None:
    with pytest.raises(UnmeasurableError, match="%x is i128, no integer up to 64 bits"):
        module_of([("before", parse_function("define i8 @f(i128 %x) { ret i8 0 }"))])
