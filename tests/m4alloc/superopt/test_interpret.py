"""The interpreter gives the meanings that the language reference gives, and compares them as refinement demands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret import (
    TooManyChoicesError,
    confirms,
    difference,
    inputs,
    outcomes,
    refines_by_enumeration,
)
from m4alloc.superopt.interpret_memory import NULL, Memory, Place, Region
from m4alloc.superopt.interpret_narrow import narrowed
from m4alloc.superopt.interpret_ops import POISON
from m4alloc.superopt.interpret_run import UB
from m4alloc.superopt.interpret_values import everything
from m4alloc.superopt.ir import PTR, Argument, Function, Int
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.verdict import Counterexample, UnsupportedError
from tests.m4alloc.superopt.pairs import PAIRS, Pair

VECTORS = Path(__file__).parents[2] / "vectors" / "superopt"


def run(body: str, *arguments: object, signature: str = "i4 @f(i4 %x, i4 %y)", memory: Memory | None = None) -> object:
    """All results of a function on single arguments: a set of sets, or UB."""
    given = [value if isinstance(value, frozenset) else frozenset({value}) for value in arguments]
    found = outcomes(parse_function(f"define {signature} {{\n{body}\n}}"), given, memory)
    if not isinstance(found, frozenset):
        return found
    return {outcome.value for outcome in found}


def one(value: object) -> set[frozenset[object]]:
    return {frozenset({value})}


UNDEF = everything(Int(4))


@pytest.mark.parametrize(
    ("instruction", "x", "y", "result"),
    [
        ("add i4 %x, %y", 9, 8, 1),
        ("add nuw i4 %x, %y", 9, 8, POISON),
        ("add nsw i4 %x, %y", 9, 8, POISON),
        ("add nsw i4 %x, %y", 15, 8, POISON),
        ("add nsw i4 %x, %y", 15, 9, 8),
        ("sub nuw i4 %x, %y", 1, 2, POISON),
        ("mul nsw i4 %x, %y", 8, 15, POISON),
        ("mul nuw i4 %x, %y", 3, 5, 15),
        ("shl i4 %x, %y", 1, 4, POISON),
        ("shl nsw i4 %x, %y", 4, 1, POISON),
        ("shl nuw i4 %x, %y", 8, 1, POISON),
        ("shl nsw i4 %x, %y", 15, 3, 8),
        ("lshr exact i4 %x, %y", 3, 1, POISON),
        ("ashr i4 %x, %y", 8, 3, 15),
        ("udiv exact i4 %x, %y", 7, 2, POISON),
        ("sdiv i4 %x, %y", 9, 2, 13),
        ("srem i4 %x, %y", 9, 2, 15),
        ("or disjoint i4 %x, %y", 3, 2, POISON),
        ("udiv i4 %x, %y", 1, 0, UB),
        ("udiv i4 %x, %y", 1, POISON, UB),
        ("udiv i4 %x, %y", POISON, 1, POISON),
        ("sdiv i4 %x, %y", 8, 15, UB),
        ("srem i4 %x, %y", 8, 15, UB),
        ("sdiv i4 %x, %y", POISON, 15, UB),
        ("and i4 %x, %y", POISON, 0, POISON),
        ("call i4 @llvm.ctlz.i4(i4 %x, i1 true)", 0, 0, POISON),
        ("call i4 @llvm.cttz.i4(i4 %x, i1 false)", 0, 0, 4),
        ("call i4 @llvm.abs.i4(i4 %x, i1 true)", 8, 0, POISON),
        ("call i4 @llvm.fshl.i4(i4 %x, i4 %y, i4 5)", 0b1001, 0b1000, 0b0011),
        ("call i4 @llvm.usub.sat.i4(i4 %x, i4 %y)", 1, 2, 0),
        ("call i4 @llvm.sshl.sat.i4(i4 %x, i4 %y)", 12, 2, 8),
        ("call i4 @llvm.scmp.i4.i4(i4 %x, i4 %y)", 8, 7, 15),
    ],
)
def test_arithmetic_follows_the_reference(instruction: str, x: object, y: object, result: object) -> None:
    expected = UB if result is UB else one(result)
    assert run(f"%r = {instruction}\nret i4 %r", x, y) == expected


def test_undef_is_sampled_anew_at_each_use() -> None:
    assert run("%r = xor i4 %x, %x\nret i4 %r", UNDEF, 0) == {UNDEF}
    assert run("%u = or i4 undef, 1\n%r = xor i4 %u, %u\nret i4 %r", 0, 0) == {frozenset(range(0, 16, 2))}
    assert run("%f = freeze i4 undef\n%r = xor i4 %f, %f\nret i4 %r", 0, 0) == one(0)


def test_freeze_fixes_one_value_of_many() -> None:
    assert run("%f = freeze i4 %x\nret i4 %f", POISON, 0) == {frozenset({value}) for value in range(16)}
    assert run("%f = freeze i4 %x\nret i4 %f", 3, 0) == one(3)


def test_select_takes_poison_only_from_what_it_looks_at() -> None:
    body = "%c = icmp eq i4 %x, 0\n%r = select i1 %c, i4 1, i4 %y\nret i4 %r"
    assert run(body, 0, POISON) == one(1)
    assert run(body, 1, POISON) == one(POISON)
    assert run(body, POISON, 1) == one(POISON)
    assert run(body, UNDEF, 2) == {frozenset({1, 2})}


def test_branching_on_poison_or_undef_is_undefined_and_on_a_fixed_value_is_not() -> None:
    body = "%c = icmp ult i4 %x, 3\nbr i1 %c, label %a, label %b\na:\nret i4 1\nb:\nret i4 2"
    assert run(body, POISON, 0) is UB
    assert run(body, UNDEF, 0) is UB
    assert run(body, frozenset({1, 2}), 0) == one(1)
    assert run("switch i4 %x, label %a [ i4 2, label %b ]\na:\nret i4 1\nb:\nret i4 2", 2, 0) == one(2)
    assert run("switch i4 %x, label %a [ i4 2, label %b ]\na:\nret i4 1\nb:\nret i4 2", UNDEF, 0) is UB


def test_noundef_results_that_are_undef_or_poison_are_undefined_behaviour() -> None:
    signature = "noundef i4 @f(i4 %x, i4 %y)"
    assert run("ret i4 %x", POISON, 0, signature=signature) is UB
    assert run("ret i4 %x", UNDEF, 0, signature=signature) is UB
    assert run("ret i4 %x", 7, 0, signature=signature) == one(7)


def test_values_outside_a_range_are_poison() -> None:
    signature = "range(i4 0, 5) i4 @f(i4 range(i4 -2, 2) %x, i4 %y)"
    assert run("ret i4 %y", 0, 7, signature=signature) == one(POISON)
    assert run("%r = and i4 %x, 1\nret i4 %r", 3, 0, signature=signature) == one(POISON)
    assert run("%r = and i4 %x, 1\nret i4 %r", 15, 0, signature=signature) == one(1)


def test_assume_of_what_may_be_false_is_undefined() -> None:
    body = "%c = icmp ult i4 %x, 3\ncall void @llvm.assume(i1 %c)\nret i4 %x"
    assert run(body, 3, 0) is UB
    assert run(body, UNDEF, 0) is UB
    assert run(body, 2, 0) == one(2)


BLOCKS = Memory(
    {"A": Region(0x1000, 4), "B": Region(0x1004, 2)},
    {("A", at): frozenset({at + 1}) for at in range(4)} | {("B", at): everything(Int(8)) for at in range(2)},
)


@pytest.mark.parametrize(
    ("body", "place", "result"),
    [
        ("%r = load i16, ptr %p\nret i16 %r", Place("A", 2), 0x0403),
        ("%r = load i16, ptr %p\nret i16 %r", Place("A", 3), UB),
        ("%r = load i16, ptr %p\nret i16 %r", Place("A", 1), UB),
        ("%r = load i16, ptr %p, align 1\nret i16 %r", Place("A", 1), 0x0302),
        ("%r = load i16, ptr %p\nret i16 %r", NULL, UB),
        ("%r = load i16, ptr %p\nret i16 %r", POISON, UB),
        ("%r = load i16, ptr %p\nret i16 %r", Place("A", 4), UB),
        ("store i16 515, ptr %p\n%r = load i8, ptr %p\n%w = zext i8 %r to i16\nret i16 %w", Place("A", 0), 3),
        (
            "%q = getelementptr inbounds i8, ptr %p, i64 5\n%a = ptrtoint ptr %q to i16\nret i16 %a",
            Place("A", 0),
            POISON,
        ),
        ("%q = getelementptr i8, ptr %p, i64 5\n%a = ptrtoint ptr %q to i16\nret i16 %a", Place("A", 0), 0x1005),
        ("%q = getelementptr nuw i8, ptr %p, i64 -1\n%a = ptrtoint ptr %q to i16\nret i16 %a", Place("A", 1), POISON),
        ("%q = getelementptr inbounds i8, ptr %p, i64 0\n%a = ptrtoint ptr %q to i16\nret i16 %a", NULL, 0),
    ],
)
def test_memory_has_bounds_alignment_and_provenance(body: str, place: object, result: object) -> None:
    expected = UB if result is UB else one(result)
    assert run(body, place, signature="i16 @f(ptr %p)", memory=BLOCKS) == expected


def test_the_end_of_a_block_is_not_the_start_of_the_next_although_the_addresses_are_equal() -> None:
    function = parse_function("define i1 @f(ptr %p, ptr %q) {\n%r = icmp eq ptr %p, %q\nret i1 %r\n}")
    given = [frozenset({Place("A", 4)}), frozenset({Place("B", 0)})]
    found = outcomes(function, given, BLOCKS)
    assert isinstance(found, frozenset)
    assert {outcome.value for outcome in found} == {frozenset({1})}
    assert run("ret ptr %q", *given, signature="ptr @f(ptr %p, ptr %q)", memory=BLOCKS) == {given[1]} != {given[0]}


def test_bytes_never_written_give_any_value_at_each_use() -> None:
    found = run(
        "%r = load i8, ptr %p\n%s = xor i8 %r, %r\nret i8 %s", Place("B", 0), signature="i8 @f(ptr %p)", memory=BLOCKS
    )
    assert found == {everything(Int(8))}


NARROW = [pair for pair in PAIRS if "<" not in pair.a and "noalias" not in pair.a + pair.b and "inttoptr" not in pair.b]


def _judged(pair: Pair) -> bool | None:
    source, target = parse_function(pair.a), parse_function(pair.b)
    wide = any(isinstance(a.type, Int) and a.type.width > 8 for a in source.arguments)
    has_pointer = any(a.type == PTR for a in source.arguments)
    if wide and not has_pointer:
        small, other = narrowed(source, 4), narrowed(target, 4)
        if small is None or other is None:
            return None
        source, target = small, other
    try:
        return refines_by_enumeration(source, target)
    except UnsupportedError:
        return None


OF_TWO_KINDS = {
    "pointer_copied_as_integer",
    "pointer_loaded_for_integer",
    "integer_loaded_for_pointer",
    "stored_pointer_loaded_as_integer",
    "undef_pointer_stored_as_integer",
    "wild_pointer_stored_as_integer",
}
"""A byte is a number to the interpreter, whether it is part of a pointer or not."""


def test_enumeration_judges_the_checkers_pairs_as_they_must_be() -> None:
    judged = {pair.name: _judged(pair) for pair in NARROW[::3] if pair.name not in OF_TWO_KINDS}
    expected = {pair.name: pair.accept for pair in NARROW}
    assert {name: found for name, found in judged.items() if found is not None and found != expected[name]} == {}
    assert sum(found is not None for found in judged.values()) >= len(judged) // 2


@pytest.mark.campaign
def test_enumeration_judges_all_pairs_that_it_covers_as_they_must_be() -> None:
    judged = {pair.name: _judged(pair) for pair in NARROW if pair.name not in OF_TWO_KINDS}
    expected = {pair.name: pair.accept for pair in NARROW}
    assert {name: found for name, found in judged.items() if found is not None and found != expected[name]} == {}
    assert sum(found is not None for found in judged.values()) >= 80


def _pair(a: str, b: str, signature: str = "i4 @f(i4 %x)") -> tuple[Function, Function]:
    return parse_function(f"define {signature} {{\n{a}\n}}"), parse_function(f"define {signature} {{\n{b}\n}}")


def test_facts_exclude_inputs_and_poison_or_undef_in_what_they_name() -> None:
    source, target = _pair("%r = and i4 %x, 7\nret i4 %r", "ret i4 %x")
    assert difference(source, target) is not None
    assert difference(source, target, [Fact("x < 8")]) is None
    frozen, plain = _pair("%r = freeze i4 %x\nret i4 %r", "ret i4 %x")
    assert not refines_by_enumeration(frozen, plain)
    assert refines_by_enumeration(frozen, plain, [Fact("x >= 0")])


def test_shared_memory_must_be_accessed_alike() -> None:
    twice, once = _pair(
        "%a = load i8, ptr %p\n%b = load i8, ptr %p\nret i8 %b",
        "%b = load i8, ptr %p\nret i8 %b",
        "i8 @f(ptr noundef %p)",
    )
    assert refines_by_enumeration(twice, once)
    assert not refines_by_enumeration(twice, once, shared=True)


def test_a_frozen_value_is_no_undef() -> None:
    frozen, undef = _pair("%r = freeze i4 %x\nret i4 %r", "ret i4 undef")
    assert not refines_by_enumeration(frozen, undef)
    assert refines_by_enumeration(undef, frozen)


def test_a_counterexample_is_confirmed_at_full_width_and_a_wrong_one_is_not() -> None:
    plain, flagged = _pair(
        "%r = add i32 %x, 1\nret i32 %r", "%r = add nsw i32 %x, 1\nret i32 %r", "i32 @f(i32 noundef %x)"
    )
    assert confirms(plain, flagged, Counterexample((("x", "2147483647"),), "", ""))
    assert not confirms(plain, flagged, Counterexample((("x", "5"),), "", ""))


def test_too_many_inputs_or_choices_are_an_error_that_says_so() -> None:
    wide = Argument("x", Int(8), ("noundef",))
    with pytest.raises(TooManyChoicesError, match="more than 65536 inputs"):
        list(inputs([wide, wide, wide]))
    many = "\n".join(f"%f{n} = freeze i4 %x" for n in range(5)) + "\nret i4 %f4"
    with pytest.raises(TooManyChoicesError, match="freezes"):
        run(many, POISON, 0)


def test_what_is_not_covered_is_named() -> None:
    with pytest.raises(UnsupportedError, match="volatile"):
        run("%r = load volatile i8, ptr %p\nret i8 %r", NULL, signature="i8 @f(ptr %p)")


def test_functions_of_other_types_are_not_compared() -> None:
    with pytest.raises(ValueError, match="differ in their arguments"):
        difference(_pair("ret i4 %x", "ret i4 %x")[0], _pair("ret i8 %x", "ret i8 %x", "i8 @f(i8 %x)")[0])


@pytest.mark.campaign
@pytest.mark.skipif(not VECTORS.is_dir(), reason="the public cases are not here")
def test_public_pairs_are_judged_as_expected() -> None:
    judged = 0
    for row in json.loads((VECTORS / "cases.json").read_text())["pairs"]:
        a, b = ((VECTORS / row[side]).read_text() for side in "ab")
        found = _judged(Pair(row["id"], row["expected"] == "accept", a, b, row["why"]))
        assert found is None or found == (row["expected"] == "accept"), row["id"]
        judged += found is not None
    assert judged
