"""m4alloc.superopt.slices_facts: what branches, assumptions and attributes say at a place."""

from __future__ import annotations

import pytest

from m4alloc.superopt import parse
from m4alloc.superopt.interpret_facts import holds
from m4alloc.superopt.slices import Slice, slices

ROOT = "%m = lshr i64 %x, 1 %r = xor i64 %m, %x store i64 %r, ptr %p"


def piece(before: str, extra: str = "", arguments: str = "i64 %x, i64 %y, ptr %p, i1 %b") -> Slice:
    """The cone at a place that `before` leads to; the loop keeps the whole function out."""
    text = f"define void @f({arguments}) {{ {before}\nhere: {ROOT} br label %end\nend: br label %end\n{extra} }}"
    return next(each for each in slices(parse.parse_function(text)) if each.outputs == ("r",))


def texts(found: Slice) -> list[str]:
    return [fact.text for fact in found.facts]


BRANCHES = [
    ("icmp ult i64 %x, 64", "here", ["x < 64"]),
    ("icmp ult i64 %x, 64", "end", ["x >= 64"]),
    ("icmp slt i64 %x, -3", "here", ["signed(x) < -3"]),
    ("icmp eq ptr %p, null", "end", []),
    ("icmp ne i64 %x, %y", "here", []),
]


@pytest.mark.parametrize(("condition", "taken", "expected"), BRANCHES)
def test_a_branch_says_its_condition_or_the_opposite(condition: str, taken: str, expected: list[str]) -> None:
    labels = "label %here, label %end" if taken == "here" else "label %end, label %here"
    found = piece(f"%c = {condition} br i1 %c, {labels}")
    assert texts(found) == expected
    assert all(fact.origin == "path condition of %0 -> %here" for fact in found.facts) or not found.facts


CONDITIONS = {
    "%l = and i64 %x, 7 %c = icmp eq i64 %l, 0": ["(x & 7) == 0"],
    "%l = add i64 %x, 1 %c = icmp ult i64 %l, 9": ["((x + 1) % 18446744073709551616) < 9"],
    "%l = add nuw i64 %x, 1 %c = icmp ult i64 %l, 9": ["(x + 1) < 9"],
    "%s = icmp ugt i64 %x, 3 %t = icmp ult i64 %x, 9 %c = and i1 %s, %t": ["x > 3", "x < 9"],
    "%s = icmp ugt i64 %x, 3 %t = icmp ult i64 %x, 9 %c = select i1 %s, i1 %t, i1 false": ["x > 3", "x < 9"],
    "%s = icmp ugt i64 %x, 3 %t = icmp ult i64 %x, 9 %c = or i1 %s, %t": [],
    "%s = icmp ugt i64 %x, 3 %c = xor i1 %s, true": ["x <= 3"],
    "%s = icmp ugt i64 %x, 3 %c = freeze i1 %s": [],
    "%l = freeze i64 %x %c = icmp ugt i64 %l, 3": [],
    "%l = call i64 @llvm.ctpop.i64(i64 %x) %c = icmp eq i64 %l, 1": ["popcount(x) == 1"],
    "%l = trunc i64 %x to i8 %z = zext i8 %l to i32 %c = icmp ult i32 %z, 5": ["(x % 256) < 5"],
    "%l = shl i64 %x, 2 %c = icmp ult i64 %l, 5": ["((x << 2) % 18446744073709551616) < 5"],
    "%l = lshr i64 %x, 4 %c = icmp ugt i64 %l, 5": ["(x >> 4) > 5"],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_condition_is_written_over_the_arguments_of_the_piece(condition: str) -> None:
    """A frozen value is another value; of `or` neither side is known."""
    assert texts(piece(f"{condition} br i1 %c, label %here, label %end")) == CONDITIONS[condition]


def test_a_false_or_denies_both_sides() -> None:
    found = piece("%s = icmp ugt i64 %x, 9 %t = icmp ult i64 %x, 3 %c = or i1 %s, %t br i1 %c, label %end, label %here")
    assert texts(found) == ["x <= 9", "x >= 3"]


def test_a_switch_says_the_case_or_excludes_all() -> None:
    case = piece("switch i64 %x, label %end [ i64 1, label %here\n i64 2, label %end ]")
    assert texts(case) == ["x == 1"]
    other = piece("switch i64 %x, label %here [ i64 1, label %end\n i64 2, label %end ]")
    assert texts(other) == ["x != 1 and x != 2"]


def test_a_block_that_two_edges_reach_knows_nothing_of_either() -> None:
    assert texts(piece("%c = icmp ult i64 %x, 64 br i1 %c, label %mid, label %here", "mid: br label %here")) == []
    assert texts(piece("%c = icmp ult i64 %x, 64 br i1 %c, label %here, label %here")) == []


def test_conditions_further_up_count_too() -> None:
    found = piece(
        "%c = icmp ult i64 %x, 64 br i1 %c, label %mid, label %end\n"
        "mid: %d = icmp ugt i64 %x, 5 br i1 %d, label %here, label %end"
    )
    assert texts(found) == ["x < 64", "x > 5"]


def test_an_assumption_counts_behind_it_only() -> None:
    before = "%c = icmp ult i64 %x, 64 call void @llvm.assume(i1 %c) br label %here"
    assert texts(piece(before)) == ["x < 64"]
    late = parse.parse_function(
        f"define void @f(i64 %x, ptr %p) {{ {ROOT} %c = icmp ult i64 %x, 64 call void @llvm.assume(i1 %c)"
        " br label %end\nend: br label %end }"
    )
    assert not next(each for each in slices(late) if each.kind == "cone").facts


def test_attributes_count_of_values_that_are_not_undef() -> None:
    plain = "i64 range(i64 1, 65) %x, i64 %y, ptr %p, i1 %b"
    assert texts(piece("br label %here", arguments=plain)) == [], "a value out of the range is poison, not forbidden"
    assert texts(piece("br label %here", arguments=plain.replace("range", "noundef range"))) == ["1 <= x < 65"]
    wrapped = plain.replace("range(i64 1, 65)", "noundef range(i64 -1, 1)")
    assert texts(piece("br label %here", arguments=wrapped)) == ["18446744073709551615 <= x or x < 1"]


def test_facts_are_in_the_language() -> None:
    for condition in CONDITIONS:
        found = piece(f"{condition} br i1 %c, label %here, label %end")
        assert isinstance(holds(found.facts, {"x": 4}, {"x": 64}), bool)
