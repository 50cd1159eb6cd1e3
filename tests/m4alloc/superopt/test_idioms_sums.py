"""Proofs that two functions return the same sums."""

from __future__ import annotations

import random
import re

import pytest

from m4alloc.superopt.equivalence import refines as refines_by_smt
from m4alloc.superopt.idioms_sums import INITIALISED, refines
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.parse_tokens import IrError
from m4alloc.superopt.vectors import refines_on, run, test_vectors

ARGUMENTS = "<4 x i8> noundef %x, <4 x i8> noundef %y"


def sums(body: str, arguments: str = ARGUMENTS) -> Function:
    return parse_function(f"define i32 @f({arguments}) {{\n{body}\n}}")


WIDE = """
  %a = and <4 x i8> %x, splat (i8 15)
  %b = zext <4 x i8> %a to <4 x i32>
  %c = add nsw <4 x i32> %b, splat (i32 -8)
  %d = sext <4 x i8> %y to <4 x i32>
  %m = mul nsw <4 x i32> %c, %d
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %m)
  ret i32 %r"""
NARROW = """
  %a = and <4 x i8> %x, splat (i8 15)
  %b = zext <4 x i8> %a to <4 x i16>
  %d = sext <4 x i8> %y to <4 x i16>
  %m = mul FLAG <4 x i16> %b, %d
  %e = mul nsw <4 x i16> %d, splat (i16 8)
  %s = sub nsw <4 x i16> %m, %e
  %i = shufflevector <4 x i16> %s, <4 x i16> poison, <2 x i32> <i32 0, i32 2>
  %j = shufflevector <4 x i16> %s, <4 x i16> poison, <2 x i32> <i32 3, i32 1>
  %p = add <2 x i16> %i, %j
  %w = sext <2 x i16> %p to <2 x i32>
  %r = call i32 @llvm.vector.reduce.add.v2i32(<2 x i32> %w)
  ret i32 %r"""


def test_the_offset_is_distributed_and_sums_are_paired_in_narrow_lanes() -> None:
    verdict = refines(sums(WIDE), sums(NARROW.replace("FLAG", "nsw")))
    assert verdict.accepted and not verdict.assumptions
    assert len(verdict.obligations) == 3


def test_what_is_not_promised_is_not_needed() -> None:
    assert refines(sums(NARROW.replace("FLAG", "nsw")), sums(WIDE)).accepted


@pytest.mark.parametrize(
    ("old", "new"),
    [("i16 8)", "i16 7)"), ("i32 3, i32 1", "i32 3, i32 3"), ("i8 15", "i8 31"), ("sub nsw", "add nsw"),
     ("mul FLAG", "mul nuw")],
)  # fmt: skip
def test_a_wrong_variant_is_not_accepted(old: str, new: str) -> None:
    verdict = refines(sums(WIDE), sums(NARROW.replace(old, new).replace("FLAG", "nsw")))
    assert not verdict.accepted


def test_a_counterexample_says_which_bytes_show_it_and_smt_agrees() -> None:
    wrong = sums(WIDE.replace("i32 -8", "i32 -9"))
    verdict = refines(sums(WIDE), wrong)
    assert verdict.exit_status == 1 and verdict.counterexample is not None
    assert str(verdict.counterexample.memory[0]).startswith("('y + ")
    assert refines_by_smt(sums(WIDE), wrong, seconds=20.0).exit_status == 1


def test_a_narrow_sum_that_may_wrap_is_not_accepted() -> None:
    """Without the mask a pair of products no longer fits 16 bits: 2 * 255 * 128."""
    wide = WIDE.replace("splat (i8 15)", "splat (i8 -1)")
    narrow = NARROW.replace("splat (i8 15)", "splat (i8 -1)").replace("FLAG", "nsw")
    verdict = refines(sums(wide), sums(narrow))
    assert verdict.exit_status == 3 and "may wrap" in verdict.reason


def test_a_domain_is_an_assumption_and_makes_the_proof_possible() -> None:
    wide = WIDE.replace("splat (i8 15)", "splat (i8 -1)")
    narrow = NARROW.replace("splat (i8 15)", "splat (i8 -1)").replace("FLAG", "nsw")
    verdict = refines(sums(wide), sums(narrow), {"x": tuple(range(16))}, "the packer")
    assert verdict.accepted
    assert [str(fact) for fact in verdict.assumptions] == ["each byte of x: 0 <= byte <= 15 (the packer)"]


LOADS = """
  %p = getelementptr FLAGS i8, ptr %x, i64 4
  %v = load <4 x i8>, ptr %p, align ALIGN
  %w = sext <4 x i8> %v to <4 x i32>
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %w)
  ret i32 %r"""


def loads(flags: str = "", align: int = 1) -> Function:
    return sums(LOADS.replace("FLAGS", flags).replace("ALIGN", str(align)), "ptr noundef %x")


@pytest.mark.parametrize(
    ("source", "target", "accepted"),
    [
        (loads("inbounds"), loads(), True),
        (loads("inbounds"), loads("inbounds nuw"), True),
        (loads(), loads("inbounds"), False),
        (loads("inbounds", 4), loads("inbounds", 4), True),
        (loads("inbounds"), loads("inbounds", 4), False),
        (loads("inbounds", 4), loads("inbounds", 1), True),
    ],
)
def test_addresses_promise_no_more_than_the_original(source: Function, target: Function, accepted: bool) -> None:
    verdict = refines(source, target)
    assert verdict.accepted == accepted
    assert verdict.assumptions == (INITIALISED,)


def test_a_byte_that_the_original_does_not_read_is_not_read() -> None:
    longer = sums(
        """
  %p = getelementptr i8, ptr %x, i64 4
  %v = load <8 x i8>, ptr %p, align 1
  %h = shufflevector <8 x i8> %v, <8 x i8> poison, <4 x i32> <i32 0, i32 1, i32 2, i32 3>
  %w = sext <4 x i8> %h to <4 x i32>
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %w)
  ret i32 %r""",
        "ptr noundef %x",
    )
    verdict = refines(loads("inbounds"), longer)
    assert verdict.exit_status == 3 and "reads byte 8" in verdict.reason


def test_new_promises_of_arguments_results_and_loads_are_refused() -> None:
    source = sums(WIDE)
    assert not refines(loads(), sums(LOADS.replace("FLAGS", "").replace("ALIGN", "1"), "ptr nonnull %x")).accepted
    ranged = parse_function(f"define range(i32 0, 5) i32 @f({ARGUMENTS}) {{{WIDE}\n}}")
    assert not refines(source, ranged).accepted


def test_functions_of_other_types_or_with_branches_are_not_judged() -> None:
    branch = sums("br label %next\nnext:\nret i32 0")
    assert "2 blocks" in refines(sums(WIDE), branch).reason
    other = parse_function("define i64 @f() { ret i64 0 }")
    assert "different types" in refines(sums(WIDE), other).reason


def test_a_difference_where_the_original_may_be_poison_refutes_nothing() -> None:
    source = sums("""
  %a = extractelement <4 x i8> %x, i64 0
  %b = add nuw i8 %a, 1
  %r = zext i8 %b to i32
  ret i32 %r""")
    target = sums("""
  %a = extractelement <4 x i8> %x, i64 0
  %b = zext i8 %a to i32
  %r = add i32 %b, 1
  ret i32 %r""")
    verdict = refines(source, target)
    assert verdict.exit_status == 3 and "the original may be poison there" in verdict.reason
    assert refines_by_smt(source, target).accepted


def mutated(text: str, choice: random.Random) -> str:
    """One operation, flag, width rule, operand or constant changed."""
    changes = (
        (r"(?<=i8 )-?\d+|(?<=i16 )-?\d+", lambda _: str(choice.choice((0, 1, 7, 8, 9, 15, 31, -1)))),
        (r"(?<!\.)\b(?:add|sub|mul|and)\b(?: nsw)?", lambda _: choice.choice(("add", "sub", "mul", "and", "xor"))),
        (r"(?<!\.)\b(add|sub|mul)\b(?: nsw)?", lambda m: f"{m.group(1)}{choice.choice(('', ' nsw', ' nuw'))}"),
        (r"\b[sz]ext\b", lambda m: "zext" if m.group() == "sext" else "sext"),
        (r"%[xy]\b", lambda m: "%y" if m.group() == "%x" else "%x"),
    )
    pattern, change = choice.choice(changes)
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = choice.choice(places)
    return text[: place.start()] + change(place) + text[place.end() :]


@pytest.mark.parametrize("rounds", [20, pytest.param(1500, marks=[pytest.mark.campaign, pytest.mark.timeout(900)])])
def test_no_mutant_is_accepted_that_test_vectors_refute(rounds: int) -> None:
    choice = random.Random(rounds)
    narrow = NARROW.replace("FLAG", "nsw")
    accepted = refuted = 0
    for number in range(rounds):
        left, right = choice.choice([(WIDE, narrow), (narrow, WIDE), (WIDE, WIDE), (narrow, narrow)])
        try:
            source, target = sums(left), sums(mutated(right, choice))
        except IrError:
            continue
        verdict = refines(source, target)
        vectors = test_vectors(source, (), 600, number)
        assert vectors is not None
        results = run(source, vectors), run(target, vectors)
        if results[0] is None or results[1] is None:
            continue
        agrees = bool(refines_on(*results).all())
        assert agrees or not verdict.accepted
        assert verdict.exit_status != 1 or not agrees
        accepted += verdict.accepted
        refuted += verdict.exit_status == 1
    assert accepted > rounds // 20 and refuted > rounds // 4
