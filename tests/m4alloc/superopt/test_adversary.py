"""What an adversary got accepted once, or answered wrongly, each as it has to be answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.superopt.cost import cost
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.run import SuperoptError, superopt, verify
from m4alloc.superopt.run_surroundings import foreign
from m4alloc.superopt.verdict import Outcome, Verdict


def check(source: str, target: str) -> Verdict:
    return refines(parse_function(source), parse_function(target), seconds=5.0)


def verified(folder: Path, source: str, target: str, function: str | None = None) -> int:
    """The exit status of --verify."""
    first, second = folder / "a.ll", folder / "b.ll"
    first.write_text(source)
    second.write_text(target)
    return verify(first, second, function=function, budget=10.0).exit_status


def f(signature: str, *lines: str, after: str = "") -> str:
    return f"define {signature} {after} {{\n" + "\n".join(lines) + "\n}\n"


READ = ("%v = load i8, ptr %p", "%z = freeze i8 %v", "%r = and i8 %z, 0", "ret i8 %r")


@pytest.mark.parametrize(
    ("attribute", "after"),
    [("writeonly", ""), ("readnone", ""), ("", "memory(none)"), ("", "memory(argmem: write)")],
)
def test_a_promise_of_both_sides_is_no_promise_that_the_target_keeps(attribute: str, after: str) -> None:
    signature = f"i8 @f(ptr {attribute} dereferenceable(1) %p)"
    assert check(f(signature, "ret i8 0", after=after), f(signature, *READ, after=after)).outcome is Outcome.UNKNOWN


def test_a_promise_of_both_sides_lets_the_target_do_what_the_source_does() -> None:
    signature = "i8 @f(ptr writeonly %p, ptr %q)"
    source = f(signature, "%v = load i8, ptr %q", "%w = add i8 %v, 0", "store i8 %w, ptr %p", "ret i8 0")
    target = f(signature, "%v = load i8, ptr %q", "store i8 %v, ptr %p", "ret i8 0")
    assert check(source, target).accepted
    reads = "i8 @f()", "%v = load i8, ptr @t", "%w = add i8 %v, 0"
    less = "i8 @f()", "%v = load i8, ptr @t"
    table = "@t = constant i8 3\n"
    after = "memory(none)"
    assert check(table + f(*reads, "ret i8 %w", after=after), table + f(*less, "ret i8 %v", after=after)).accepted


def test_a_function_without_access_to_memory_may_use_its_own() -> None:
    local = "%a = alloca i8", "store i8 %x, ptr %a", "%v = load i8, ptr %a", "ret i8 %v"
    signature = "i8 @f(i8 %x)"
    assert check(f(signature, "ret i8 %x"), f(signature, *local, after="memory(none)")).accepted


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("i8 @f(i8 %x)", "i8 @f(i8 zeroext %x)"),
        ("i8 @f(i8 %x)", "i8 @f(i8 signext %x)"),
        ("i8 @f(i8 %x)", "i8 @f(i8 inreg %x)"),
        ("zeroext i8 @f(i8 %x)", "i8 @f(i8 %x)"),
        ("zeroext i8 @f(i8 %x)", "signext i8 @f(i8 %x)"),
        ("i8 @f(i8 %x)", "fastcc i8 @f(i8 %x)"),
        ("fastcc i8 @f(i8 %x)", "i8 @f(i8 %x)"),
    ],
)
def test_another_calling_convention_is_another_function(source: str, target: str) -> None:
    assert check(f(source, "ret i8 %x"), f(target, "ret i8 %x")).outcome is Outcome.UNKNOWN


def test_what_the_machine_code_promises_or_asks_for_less_is_a_refinement() -> None:
    assert check(f("i8 @f(i8 zeroext %x)", "ret i8 %x"), f("zeroext i8 @f(i8 %x)", "ret i8 %x")).accepted


@pytest.mark.parametrize(("text", "bits"), [("0x7FF4000000000000", 0x7FA00000), ("0xFFF0000000000000", 0xFF800000)])
def test_a_float_constant_has_the_bits_that_llvm_gives_it(text: str, bits: int) -> None:
    source = f("i32 @f()", f"%r = bitcast float {text} to i32", "ret i32 %r")
    assert check(source, f("i32 @f()", f"ret i32 {bits}")).accepted
    assert not check(source, f("i32 @f()", f"ret i32 {bits ^ 1 << 22}")).accepted


LOADS = f("i8 @f()", "%v = load i8, ptr @t", "ret i8 %v")
CALLS = f("i8 @f()", "%v = call i8 @g(i8 2)", "ret i8 %v")
ASKS = f("i8 @f(ptr %p)", "%v = load volatile i8, ptr %p, !noalias !0", "ret i8 %v")
CALLEE = "define internal i8 @g(i8 %x) {{\n %r = add i8 %x, {}\n ret i8 %r\n}}\n"
BETWEEN = "define internal i8 @g(i8 %x) {\n %r = call i8 @h(i8 %x)\n ret i8 %r\n}\n"
INNER = CALLEE.replace("@g", "@h")
SCOPES = "!0 = !{{!1}}\n!1 = distinct !{{!1, !2{}}}\n!2 = distinct !{{!2}}\n"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("@t = constant i8 1\n" + LOADS, "@t = constant i8 2\n" + LOADS),
        ("declare i8 @g(i8)\n" + CALLS, "declare i8 @g(i8) memory(none)\n" + CALLS),
        (CALLEE.format(1) + CALLS, CALLEE.format(2) + CALLS),
        (BETWEEN + INNER.format(1) + CALLS, BETWEEN + INNER.format(2) + CALLS),
        (ASKS + SCOPES.format(""), ASKS + SCOPES.format(', !"x"')),
    ],
)  # fmt: skip
def test_the_same_words_are_not_the_same_where_they_refer_to_something_else(
    first: str, second: str, tmp_path: Path
) -> None:
    assert verified(tmp_path, first, first, "f") == 0
    assert verified(tmp_path, first, second, "f") == 3


@pytest.mark.parametrize("layout", ["E", "e-p:32:32", "e-i64:32"])
def test_a_foreign_data_layout_is_not_decided(layout: str, tmp_path: Path) -> None:
    given = f'target datalayout = "{layout}"\n'
    source = given + f("i8 @f(ptr %p)", "store i16 258, ptr %p", "%v = load i8, ptr %p", "ret i8 %v")
    target = given + f("i8 @f(ptr %p)", "store i16 258, ptr %p", "ret i8 2")
    assert foreign(layout)
    assert verified(tmp_path, source, target) == 3
    with pytest.raises(SuperoptError, match="little-endian with 64-bit pointers"):
        superopt(tmp_path / "a.ll", budget=1.0)


@pytest.mark.parametrize(
    "layout",
    [
        "",
        "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-i128:128-f80:128-n8:16:32:64-S128",
        "e-m:e-p270:32:32-p271:32:32-p272:64:64-i8:8:32-i16:16:32-i64:64-i128:128-n32:64-S128-Fn32",
        "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128",
    ],
)
def test_the_layouts_of_the_targets_are_not_foreign(layout: str) -> None:
    assert foreign(layout) == ""


def test_a_counterexample_that_hinges_on_a_constant_is_no_refutation(tmp_path: Path) -> None:
    table = "@t = constant i8 7\n"
    assert verified(tmp_path, table + LOADS, table + f("i8 @f()", "ret i8 7")) == 3
    variable = "@t = global i8 7\n"
    assert verified(tmp_path, variable + LOADS, variable + f("i8 @f()", "ret i8 7")) == 1


def test_a_chain_of_comparisons_in_a_fact_ends_at_the_first_that_fails() -> None:
    # As in Python: the fact holds at y == 0, so the target has to be right there.
    same = parse_function(f("i8 @f(i8 noundef %x, i8 noundef %y)", "ret i8 %x"))
    other = parse_function(
        f("i8 @f(i8 noundef %x, i8 noundef %y)", "%c = icmp eq i8 %y, 0", "%r = select i1 %c, i8 0, i8 %x", "ret i8 %r")
    )
    assert refines(same, other, [Fact("not (5 < 3 < x // y)")]).outcome is Outcome.COUNTEREXAMPLE


@pytest.mark.parametrize(
    "line",
    [
        'call i32 asm sideeffect "movl $1, $0", "=r,r"(i32 %x)',
        "call i32 @llvm.x86.sse42.crc32.32.32(i32 %x, i32 %x)",
        "call i32 @llvm.aarch64.crc32w(i32 %x, i32 %x)",
    ],
)
def test_what_llvm_cannot_emit_does_not_end_the_process(line: str) -> None:
    function = parse_function(
        "declare i32 @llvm.x86.sse42.crc32.32.32(i32, i32)\ndeclare i32 @llvm.aarch64.crc32w(i32, i32)\n"
        + f("i32 @f(i32 %x)", f"%r = {line}", "ret i32 %r")
    )
    price = cost(function, "x86-64")
    assert (price.ir, price.instructions) == (1, -1)
