"""m4alloc.superopt.slices: pieces are cut out of functions with loops, calls and memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from m4alloc.superopt import parse, printer
from m4alloc.superopt.ir import Function, Instruction
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.slices import Slice, is_loop_free, replaced, slices

LOOP = """
declare i32 @get(i32)
define i32 @f(i32 noundef %n, ptr %p) {
entry:
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %i.next, %next ]
  %sum = phi i32 [ 0, %entry ], [ %new, %next ]
  %more = icmp ult i32 %i, %n
  br i1 %more, label %body, label %end
body:
  %x = load i32, ptr %p, align 4, !range !0
  %both = and i32 %x, %i
  %either = or i32 %x, %i
  %added = add i32 %both, %either
  %shared = mul i32 %added, 3
  store i32 %shared, ptr %p, align 4
  %told = call noundef i32 @get(i32 %added)
  br label %next
next:
  %low = and i32 %told, 7
  %scaled = shl i32 %low, 2
  %new = add i32 %sum, %scaled
  %i.next = add nuw i32 %i, 1
  br label %loop
end:
  ret i32 %sum
}
!0 = !{i32 1, i32 100}
"""


@pytest.fixture(scope="module")
def loop() -> Function:
    return parse.parse_function(LOOP, "f")


def by_output(function: Function, kind: str, *outputs: str) -> Slice:
    return next(piece for piece in slices(function) if piece.kind == kind and piece.outputs == outputs)


def test_a_cone_is_a_function_of_its_own(loop: Function) -> None:
    piece = by_output(loop, "cone", "shared")
    assert [each.opcode for each in piece.function] == ["and", "or", "add", "mul", "ret"]
    assert [leaf.name for leaf in piece.leaves] == ["x", "i"]
    printer.checked(piece.function)


def test_what_a_load_or_a_call_promises_is_an_attribute_of_the_argument(loop: Function) -> None:
    loaded = by_output(loop, "cone", "added").function.arguments
    assert loaded[0].attributes == ("range(i32 1, 100)",), "a load without !noundef may be undef"
    told = by_output(loop, "cone", "new").function.arguments
    assert {argument.name: argument.attributes for argument in told}["told"] == ("noundef",)


def test_members_that_others_use_are_named(loop: Function) -> None:
    assert by_output(loop, "cone", "shared").kept == ("both", "either", "added")
    assert by_output(loop, "cone", "added").kept == ()


def test_a_phi_is_an_argument(loop: Function) -> None:
    piece = by_output(loop, "cone", "new")
    assert [leaf.name for leaf in piece.leaves] == ["told", "sum"]


def test_a_unit_holds_loads_and_stores_and_gives_what_is_used_outside(loop: Function) -> None:
    piece = by_output(loop, "unit", "added")
    assert [each.opcode for each in piece.function] == ["load", "and", "or", "add", "mul", "store", "ret"]
    assert [leaf.name for leaf in piece.leaves] == ["p", "i"]


def test_every_piece_put_back_unchanged_gives_the_function_again() -> None:
    function = parse.parse_function(
        LOOP.replace("!range !0", "!noundef !0").replace("!0 = !{i32 1, i32 100}", "!0 = !{}"), "f"
    )
    assert len(slices(function)) == 4
    for piece in slices(function):
        again = cleaned(replaced(function, piece, piece.function))
        assert sorted(each.opcode for each in again) == sorted(each.opcode for each in cleaned(function))


def test_a_function_with_a_loop_is_no_piece_and_one_without_is(loop: Function) -> None:
    assert not is_loop_free(loop)
    assert {piece.kind for piece in slices(loop)} == {"cone", "unit"}
    straight = parse.parse_function("define i8 @f(i8 %x) { %y = add i8 %x, 1 %z = xor i8 %y, 1 ret i8 %z }")
    first = slices(straight)[0]
    assert (first.kind, first.function) == ("function", straight)


def test_a_freeze_is_an_argument_without_undef() -> None:
    function = parse.parse_function(
        "define i8 @f(i8 %x, ptr %p) { %y = freeze i8 %x store i8 %y, ptr %p %a = add i8 %y, 1 %b = xor i8 %a, %y"
        " store i8 %b, ptr %p ret i8 %b }"
    )
    piece = by_output(function, "cone", "b")
    assert [leaf.name for leaf in piece.leaves] == ["y"]
    assert piece.function.arguments[0].attributes == ("noundef",)


def test_at_most_so_many_pieces_are_made(loop: Function) -> None:
    assert len(slices(loop, 2)) == 2
    assert slices(loop, 2) == slices(loop)[:2]
    assert all(piece.function.size <= 3 for piece in slices(loop, largest=3) if piece.kind == "cone")


def test_a_volatile_access_is_in_no_unit() -> None:
    function = parse.parse_function(
        "define i8 @f(ptr %p) { %a = load volatile i8, ptr %p %b = add i8 %a, 1 store volatile i8 %b, ptr %p\n"
        " br label %l\nl: br label %l }"
    )
    assert slices(function) == ()


def test_names_of_arguments_can_stand_in_facts() -> None:
    function = parse.parse_function(
        'define i8 @f(i8 %0, i8 %"is", i8 %a.b) { %2 = add i8 %0, %"is" %3 = xor i8 %2, %a.b br label %l\n'
        "l: %4 = phi i8 [ %3, %1 ], [ %4, %l ] br label %l }"
    )
    assert [argument.name for argument in slices(function)[0].function.arguments] == ["v0", "vis", "a_b"]


def test_several_results_come_as_a_structure() -> None:
    function = parse.parse_function(
        "declare void @use(i8, i8)\ndefine void @f(ptr %p, i8 %x) { %a = load i8, ptr %p %b = add i8 %a, %x"
        " %c = sub i8 %a, %x call void @use(i8 %b, i8 %c) ret void }",
        "f",
    )
    piece = by_output(function, "unit", "b", "c")
    assert str(piece.function.type) == "{ i8, i8 }"
    shared = piece.function.blocks[0]
    again = replaced(function, piece, replace(piece.function, blocks=(shared,)))
    assert [each.opcode for each in again if each.opcode in {"insertvalue", "extractvalue"}] == ["insertvalue"] * 2
    assert all(isinstance(each, Instruction) for each in again)
