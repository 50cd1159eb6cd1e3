"""Inputs: which arguments may be undef, and how many blocks of memory there can be."""

from __future__ import annotations

import pytest

from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.smt_inputs import DEFINED, EITHER, UNDEF, cases, is_linear, world_of
from m4alloc.superopt.verdict import UnsupportedError
from tests.m4alloc.superopt.test_equivalence import body, check


def function(signature: str, *lines: str) -> Function:
    """A parsed function."""
    return parse_function(body(signature, *lines))


@pytest.mark.parametrize(
    ("lines", "linear"),
    [
        (["%a = add i8 %x, 1", "%r = mul i8 %a, 3", "ret i8 %r"], True),
        (["%r = add i8 %x, %x", "ret i8 %r"], False),
        (["%a = add i8 %x, 1", "%r = mul i8 %a, %a", "ret i8 %r"], False),
        (["%z = freeze i8 %x", "%r = mul i8 %z, %z", "ret i8 %r"], True),
        (["%c = icmp eq i8 %x, 1", "br i1 %c, label %a, label %b", "a:", "ret i8 0", "b:", "ret i8 1"], False),
        (["%c = icmp eq i8 %x, 1", "call void @llvm.assume(i1 %c)", "ret i8 0"], False),
        (["switch i8 %x, label %a []", "a:", "ret i8 0"], False),
        (["ret i8 0"], True),
    ],
)
def test_an_argument_is_linear_where_its_undef_is_seen_once(lines: list[str], linear: bool) -> None:
    tested = function("i8 @f(i8 %x)", *lines)
    assert is_linear(tested, tested.arguments[0]) is linear


def test_a_result_that_must_be_defined_is_not_linear() -> None:
    tested = function("noundef i8 @f(i8 %x)", "ret i8 %x")
    assert not is_linear(tested, tested.arguments[0])


def test_a_freeze_of_the_source_makes_every_case_count() -> None:
    plain = function("i8 @f(i8 %x)", "ret i8 %x")
    frozen = function("i8 @f(i8 %x)", "%r = freeze i8 %x", "ret i8 %r")
    assert cases(plain, plain, ()) == [(DEFINED,)]
    assert cases(frozen, plain, ()) == [(DEFINED,), (UNDEF,)]
    assert cases(frozen, plain, {0}) == [(DEFINED,)]


def test_many_arguments_are_checked_in_two_cases() -> None:
    names = "abcde"
    head = f"i8 @f({', '.join(f'i8 %{name}' for name in names)})"
    twice = function(head, *(f"%{name}2 = xor i8 %{name}, %{name}" for name in names),
                     "%s = or i8 %a2, %b2", "%t = or i8 %c2, %d2", "%u = or i8 %s, %t", "%r = or i8 %u, %e2",
                     "ret i8 %r")  # fmt: skip
    assert cases(twice, twice, ()) == [(DEFINED,) * 5, (EITHER,) * 5]
    zero = body(head, "ret i8 0")
    text = body(head, *(f"%{name}2 = xor i8 %{name}, %{name}" for name in names),
                "%s = or i8 %a2, %b2", "%t = or i8 %c2, %d2", "%u = or i8 %s, %t", "%r = or i8 %u, %e2",
                "ret i8 %r")  # fmt: skip
    assert check(text, zero).accepted
    assert not check(zero, text).accepted


def test_each_lane_of_a_vector_may_be_undef() -> None:
    head = "<2 x i8> @f(<2 x i8> %x)"
    shifted = body(head, "%r = shl <2 x i8> %x, splat (i8 1)", "ret <2 x i8> %r")
    added = body(head, "%r = add <2 x i8> %x, %x", "ret <2 x i8> %r")
    assert check(added, shifted).accepted
    assert not check(shifted, added).accepted


def test_there_is_a_block_for_each_pointer_that_the_source_can_come_by() -> None:
    tested = function("ptr @f(ptr %p, ptr %q)", "%r = load ptr, ptr %p", "ret ptr %r")
    plain = function("ptr @f(ptr %p, ptr %q)", "ret ptr %p")
    world = world_of(tested, plain, False)
    assert (world.blocks, world.tracked) == (3, True)
    assert world_of(plain, tested, False).blocks == 2
    assert not world_of(plain, plain, False).tracked


def test_too_many_pointers_are_refused() -> None:
    tested = function(f"ptr @f({', '.join(f'ptr %p{number}' for number in range(15))})", "ret ptr %p0")
    with pytest.raises(UnsupportedError, match="15 pointers into memory: at most 14 blocks"):
        world_of(tested, tested, False)


def test_a_range_that_the_target_adds_makes_its_argument_poison_and_no_more() -> None:
    """`noundef` speaks of what the caller passes; to break a range is undefined only where `noundef` is beside it."""
    plain = body("i4 @f(i4 noundef %x)", "ret i4 1")
    for kind in ("range(i4 7, -8)", "range(i4 0, 1)"):
        assert check(plain, body(f"i4 @f(i4 {kind} %x)", "ret i4 1")).accepted
        assert not check(plain, body(f"i4 @f(i4 noundef {kind} %x)", "ret i4 1")).accepted
    used = body("i4 @f(i4 noundef %x)", "%r = xor i4 %x, 1", "ret i4 %r")
    assert not check(used, used.replace("noundef", "range(i4 7, -8)")).accepted
    assert check(used, used.replace("noundef", "range(i4 7, -8)"), "7 <= x < 8").accepted
    divided = body("i4 @f(i4 range(i4 1, 0) %x)", "%r = udiv i4 1, %x", "ret i4 %r")
    assert check(divided, divided.replace("range(i4 1, 0)", "noundef")).accepted


def test_a_pointer_that_the_target_alone_takes_for_aligned_is_poison_where_it_is_not() -> None:
    plain = body("i8 @f(ptr noundef %p)", "ret i8 1")
    assert check(plain, plain.replace("noundef", "nonnull align 8")).accepted
    assert not check(plain, plain.replace("noundef", "noundef align 8")).accepted
