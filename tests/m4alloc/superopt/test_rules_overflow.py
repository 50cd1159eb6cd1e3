"""Overflow idioms: the check of calloc by a division, and saturation."""

from __future__ import annotations

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.rules import ALL
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.simplify_structural import applications
from tests.m4alloc.superopt.rewriting import rewritten

CALLOC = (
    "define i1 @f(i8 noundef %x, i8 noundef %y) { e: %z = icmp ne i8 %x, 0 br i1 %z, label %a, label %j "
    "a: %q = udiv i8 -1, %x %o = icmp ugt i8 %y, %q br label %j j: %r = phi i1 [ false, %e ], [ %o, %a ] ret i1 %r }"
)


def test_the_overflow_check_of_calloc_is_found_by_its_four_steps() -> None:
    source = function = parse_function(CALLOC)
    for name in (
        "branch-to-select",
        "umul-overflow-by-udiv",
        "umul-overflow-guarded",
        "umul-overflow-nonzero-defined",
    ):
        function = cleaned(next(made() for rule, _, made in applications(function, ALL) if rule.name == name))
    assert [one.opcode for one in function] == ["call", "extractvalue", "ret"]
    assert refines(source, function).accepted


def test_a_clamped_difference_is_a_saturating_one() -> None:
    body = "%c = icmp ugt i32 %x, %y %d = sub i32 %x, %y %r = select i1 %c, i32 %d, i32 0 ret i32 %r"
    assert "usub.sat" in rewritten("usub-sat-by-select", "i32 @f(i32 %x, i32 %y)", body)[0]
