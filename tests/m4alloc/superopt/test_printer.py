"""m4alloc.superopt.printer: functions become text that LLVM verifies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from m4alloc.superopt import generate, parse, printer, toolchain
from m4alloc.superopt.ir import Block, Constant, Function, Instruction, Int, Local, constant
from m4alloc.superopt.parse import IrError

CALLS = """
@table = constant [4 x i8] zeroinitializer
declare fastcc noundef i32 @callee(ptr, i32 noundef)
declare i32 @variadic(i32, ...)
define fastcc i32 @f(ptr %p, i32 %x) {
  %a = call fastcc i32 @callee(ptr @table, i32 noundef %x)
  %b = call i32 (i32, ...) @variadic(i32 %a, ptr getelementptr (i8, ptr @table, i64 2))
  %c = load i8, ptr @table
  %d = call i32 %p(i32 %b)
  ret i32 %d
}
"""


def test_the_declarations_that_a_function_needs_are_printed() -> None:
    function = parse.parse_function(CALLS, "f")
    text = printer.checked(function)
    assert "declare fastcc i32 @callee(ptr, i32)" in text, "another calling convention would be undefined"
    assert "declare i32 @variadic(i32, ...)" in text
    assert "@table = external global" in text
    assert parse.parse_function(text, "f") == function


def test_a_recursive_function_is_not_declared_twice() -> None:
    function = parse.parse_function("define i8 @f(i8 %x) { %y = call i8 @f(i8 %x) ret i8 %y }")
    assert "declare" not in printer.checked(function)


def test_numbers_out_of_order_are_printed_as_names() -> None:
    function = parse.parse_function("define i8 @f(i8 %0) { %2 = add i8 %0, 1 %3 = add i8 %2, 1 ret i8 %3 }")
    assert "%2 = add" in printer.checked(function)
    block = function.blocks[0]
    shorter = replace(function, blocks=(replace(block, instructions=(
        replace(block.instructions[1], operands=(Local("0", Int(8)), constant(Int(8), 2))), block.instructions[2]
    )),))  # fmt: skip
    assert '%"3" = add' in printer.checked(shorter)
    assert parse.parse_function(printer.print_function(shorter)) == shorter


def test_names_that_need_quotes_get_them() -> None:
    function = parse.parse_function(
        'define i8 @"a b"(i8 %"c d", i8 %"e\\22f") { %"-" = add i8 %"c d", %"e\\22f" ret i8 %"-" }'
    )
    assert parse.parse_function(printer.checked(function)) == function


def test_operands_of_opaque_instructions_can_be_exchanged() -> None:
    function = parse.parse_function("define float @f(float %x, float %y) { %z = fadd float %x, %y ret float %z }")
    twice = function.mapped(
        lambda each: each.with_operands((each.operands[0],) * 2) if each.opcode == "opaque" else each
    )
    assert "fadd float %x, %x" in printer.checked(twice) or "fadd float %x, %y" in printer.checked(twice)
    assert "%z = fadd float %x, %x" in printer.checked(twice)


def test_what_llvm_refuses_is_an_error() -> None:
    late = Function("f", Int(8), (), (Block("entry", (Instruction("ret", Int(8), (Local("x", Int(8)),)),)),))
    with pytest.raises(IrError, match=r"@f:.*undefined value '%x'"):
        printer.checked(late)


def test_a_flag_that_the_opcode_does_not_have_is_an_error() -> None:
    value = Constant(Int(8), 1)
    wrong = Instruction("udiv", Int(8), (value, value), "x", frozenset({"nsw"}))
    with pytest.raises(IrError, match="udiv carries no flag nsw"):
        printer.print_function(Function("f", Int(8), (), (Block("entry", (wrong,)),)))


def test_what_only_the_module_defines_is_left_to_the_module() -> None:
    text = (
        "$c = comdat any\ndeclare i32 @p(...)\n"
        'define void @f() section "s" comdat($c) personality ptr @p { call void @g() ret void }\ndeclare void @g()'
    )
    module = parse.parse_module(text)
    alone = printer.checked(module.functions[0])
    assert "comdat" not in alone
    assert "personality" not in alone
    assert parse.parse_module(printer.print_module(module)).functions == module.functions


def test_people_are_shown_what_bears_on_the_result() -> None:
    function = parse.parse_function(
        "define internal i8 @f(ptr noundef %p) nounwind { %x = load i8, ptr %p, !tbaa !0, !noundef !2 ret i8 %x }\n"
        '!0 = !{!1, !1, i64 0}\n!1 = !{!"char", !2}\n!2 = !{}'
    )
    assert printer.shown(function).splitlines() == [
        "define i8 @f(ptr noundef %p) {",
        "0:",
        "  %x = load i8, ptr %p, align 1, !noundef !{}",
        "  ret i8 %x",
        "}",
    ]


def test_a_printed_function_compiles() -> None:
    function = parse.parse_function(CALLS, "f")
    assert toolchain.instruction_count(toolchain.assembly(printer.print_function(function))) > 5


@pytest.mark.parametrize("width", [1, 8, 33])
def test_generated_functions_are_printed_back_as_they_were(width: int) -> None:
    """But for `inbounds nusw`, of which LLVM prints the stronger word only."""
    for function in generate.functions(7, 120, width=width, size=8, features=generate.Features(memory=True)):
        plain = function.mapped(
            lambda each: replace(each, flags=each.flags - {"nusw"}) if "inbounds" in each.flags else each
        )
        assert parse.parse_function(printer.checked(function)) == plain


@pytest.mark.parametrize("call", ["@g(ptr addrspace(1) %p, i64 8)", "(ptr addrspace(1), ...) @g(ptr addrspace(1) %p)"])
def test_a_call_whose_result_points_into_another_address_space_is_declared_with_its_parameters(call: str) -> None:
    """`addrspace(1)` before the callee is no list of parameters."""
    function = parse.parse_function(
        "declare ptr addrspace(1) @g(ptr addrspace(1), ...)\n"
        "define ptr addrspace(1) @f(ptr addrspace(1) %p) {\n"
        f"  %a = call ptr addrspace(1) {call}\n  ret ptr addrspace(1) %a\n}}"
    )
    text = printer.checked(function)
    parameters = "ptr addrspace(1), ..." if "..." in call else "ptr addrspace(1), i64"
    assert f"declare ptr addrspace(1) @g({parameters})" in text
