"""Instructions move between blocks without running where they did not."""

from __future__ import annotations

from tests.m4alloc.superopt.test_simplify_branches import results


def test_what_both_arms_do_is_done_once_with_the_flags_of_both() -> None:
    text = (
        "define i8 @f(i1 %c, i8 %x, ptr %p) { e: br i1 %c, label %a, label %b a: %s = add nuw nsw i8 %x, 1 "
        "store i8 %s, ptr %p ret i8 0 b: %t = add nuw i8 %x, 1 ret i8 %t }"
    )
    (result,) = results("hoist", text)
    (add,) = (one for one in result if one.opcode == "add")
    assert add.flags == {"nuw"}


def test_a_division_is_not_hoisted() -> None:
    text = (
        "define i8 @f(i1 %c, i8 %x, i8 %y, ptr %p) { e: br i1 %c, label %a, label %b a: store volatile i8 1, ptr %p "
        "%s = udiv i8 %x, %y ret i8 %s b: %t = udiv i8 %x, %y ret i8 %t }"
    )
    assert results("hoist", text) == []


def test_a_phi_of_one_operation_becomes_the_operation_on_a_phi() -> None:
    text = (
        "define i8 @f(i1 %c, i8 %x, i8 %y) { e: br i1 %c, label %a, label %b a: %s = add i8 %x, 3 br label %j "
        "b: %t = add i8 %y, 3 br label %j j: %r = phi i8 [ %s, %a ], [ %t, %b ] ret i8 %r }"
    )
    (result,) = results("sink-through-phi", text)
    assert sum(one.opcode == "add" for one in result) == 1


def test_what_one_successor_uses_moves_there() -> None:
    text = "define i8 @f(i1 %c, i8 %x) { e: %s = mul i8 %x, %x br i1 %c, label %a, label %b a: ret i8 %s b: ret i8 0 }"
    (result,) = results("sink", text)
    assert [one.opcode for one in result.blocks[0].instructions] == ["br"]
