"""Control flow is rewritten with its phis."""

from __future__ import annotations

from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked
from m4alloc.superopt.simplify_cfg import (
    decided_branches,
    jump,
    merged_blocks,
    reachable,
    replaced,
    skipped_blocks,
    trivial_phis,
    with_terminator,
)

DIAMOND = (
    "define i8 @f(i1 %c, i8 %x) { e: br i1 %c, label %a, label %b a: br label %j b: br label %j "
    "j: %r = phi i8 [ %x, %a ], [ 9, %b ] ret i8 %r }"
)


def _names(function: Function) -> list[str]:
    checked(function)
    return [block.name for block in function.blocks]


def test_a_lost_edge_leaves_the_phi() -> None:
    function = reachable(with_terminator(parse_function(DIAMOND), "e", jump("a")))
    phi = function.block("j").instructions[0]
    assert phi.labels == ("a",) and _names(function) == ["e", "a", "j"]


def test_a_switch_on_a_constant_is_decided() -> None:
    function = parse_function(
        "define i8 @f() { e: switch i8 2, label %d [ i8 1, label %a i8 2, label %b ] "
        "a: ret i8 1 b: ret i8 2 d: ret i8 3 }"
    )
    assert _names(reachable(decided_branches(function))) == ["e", "b"]


def test_two_edges_to_one_block_become_one() -> None:
    function = decided_branches(
        parse_function(
            "define i8 @f(i1 %c, i8 %x) { e: br i1 %c, label %j, label %j "
            "j: %r = phi i8 [ %x, %e ], [ %x, %e ] ret i8 %r }"
        )
    )
    assert function.block("j").instructions[0].labels == ("e",)
    assert _names(merged_blocks(trivial_phis(function))) == ["e"]


def test_a_chain_of_blocks_becomes_one() -> None:
    function = parse_function("define i8 @f(i8 %x) { a: br label %b b: %y = add i8 %x, 1 br label %c c: ret i8 %y }")
    assert _names(merged_blocks(function)) == ["a"]


def test_an_empty_block_whose_edge_a_phi_needs_stays() -> None:
    function = skipped_blocks(parse_function(DIAMOND))
    assert len(_names(function)) == 3
    assert set(function.block("j").instructions[0].labels) == {"e", "b"} or set(
        function.block("j").instructions[0].labels
    ) == {"e", "a"}


def test_a_loop_of_empty_blocks_stays() -> None:
    function = parse_function("define void @f() { e: br label %a a: br label %b b: br label %a }")
    assert _names(skipped_blocks(function))[0] == "e"


def test_replacements_follow_each_other() -> None:
    function = parse_function("define i8 @f(i8 %x) { %a = add i8 %x, 0 %b = add i8 %a, 0 ret i8 %b }")
    definitions = function.definitions()
    result = replaced(function, {"b": definitions["a"].result, "a": function.arguments[0].value})
    assert result.blocks[0].terminator.operands == (function.arguments[0].value,)
