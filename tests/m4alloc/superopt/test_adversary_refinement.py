"""Pairs that a second adversary got accepted, each by another gap between the checker and LLVM's language reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.idioms_constants import tables
from m4alloc.superopt.idioms_induction import refines_by_induction
from m4alloc.superopt.idioms_prove import proved
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.run import WHOLE, SuperoptError, superopt, verify
from m4alloc.superopt.run_surroundings import foreign
from m4alloc.superopt.verdict import Outcome
from tests.m4alloc.superopt.test_adversary import check, f, verified

PICKED = "%r = select i1 undef, <2 x i8> <i8 0, i8 0>, <2 x i8> <i8 1, i8 1>"
MIXED = "<i8 0, i8 1>"
TWO = "<2 x i8> @f()"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (f(TWO, PICKED, "ret <2 x i8> %r"), f(TWO, f"ret <2 x i8> {MIXED}")),
        (f(TWO, PICKED, "%z = freeze <2 x i8> %r", "ret <2 x i8> %z"), f(TWO, f"ret <2 x i8> {MIXED}")),
        (
            f("void @f(ptr %p)", PICKED, "store <2 x i8> %r, ptr %p, align 1", "ret void"),
            f("void @f(ptr %p)", f"store <2 x i8> {MIXED}, ptr %p, align 1", "ret void"),
        ),
        (
            f("{i8, i1} @f()", "%r = call {i8, i1} @llvm.uadd.with.overflow.i8(i8 undef, i8 1)", "ret {i8, i1} %r"),
            f("{i8, i1} @f()", "%a = insertvalue {i8, i1} poison, i8 5, 0", "%b = insertvalue {i8, i1} %a, i1 1, 1",
              "ret {i8, i1} %b"),
        ),
        (
            f("<2 x i8> @f(i8 %x)", "%z = zext i8 %x to i16", "%m = mul i16 %z, 257", "%r = bitcast i16 %m to <2 x i8>",
              "ret <2 x i8> %r"),
            f("<2 x i8> @f(i8 %x)", "%a = insertelement <2 x i8> poison, i8 %x, i32 0",
              "%b = insertelement <2 x i8> %a, i8 %x, i32 1", "ret <2 x i8> %b"),
        ),
    ],
)  # fmt: skip
def test_one_use_of_a_value_of_several_lanes_makes_one_choice_for_all(source: str, target: str) -> None:
    assert check(source, target).outcome is Outcome.COUNTEREXAMPLE
    assert check(source, source).accepted


ADDRESS = "ptr @f(ptr %p)"


def gep(*words: str) -> str:
    return f(ADDRESS, f"%r = getelementptr {' '.join(words)}", "ret ptr %r")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        # 2**61 * 8 wraps, which is poison although the address would be %p.
        (f(ADDRESS, "ret ptr %p"), gep("inbounds i64, ptr %p, i64 2305843009213693952")),
        # Each step is added to the address by itself: 20 below %p may wrap where 5 below does not.
        (gep("nusw i8, ptr %p, i64 -5"), gep("nusw [1 x i8], ptr %p, i64 -20, i64 15")),
        # An index that is not zero asks for a base in bounds, even if it leads nowhere.
        (f(ADDRESS, "ret ptr %p"), gep("inbounds {}, ptr %p, i64 7")),
        # Elements of no size do not repeat the step before.
        (gep("{i32, [4 x {}]}, ptr %p, i64 1, i32 1, i64 3"), gep("i8, ptr %p, i64 12")),
    ],
)
def test_getelementptr_goes_step_by_step_and_each_step_keeps_the_flags(source: str, target: str) -> None:
    assert check(source, target).outcome is Outcome.COUNTEREXAMPLE


def test_a_variable_index_whose_product_wraps_to_zero_is_poison() -> None:
    signature = "ptr @f(ptr %p, i64 noundef %x)"
    stepped = f(signature, "%r = getelementptr inbounds i64, ptr %p, i64 %x", "ret ptr %r")
    guarded = f(signature, "%c = icmp eq i64 %x, 2305843009213693952", "%y = select i1 %c, i64 0, i64 %x",
                "%r = getelementptr inbounds i64, ptr %p, i64 %y", "ret ptr %r")  # fmt: skip
    assert check(guarded, stepped).outcome is Outcome.COUNTEREXAMPLE
    assert check(stepped, stepped).accepted


def test_minus_one_under_nuw_is_the_greatest_offset_and_no_poison_from_address_zero() -> None:
    source = f("i64 @f()", "%g = getelementptr nuw i8, ptr null, i64 -1", "%r = ptrtoint ptr %g to i64", "ret i64 %r")
    assert check(source, f("i64 @f()", "ret i64 5")).outcome is Outcome.COUNTEREXAMPLE
    assert check(source, f("i64 @f()", "ret i64 -1")).accepted


def test_elements_without_size_leave_the_address_where_it_is() -> None:
    source = gep("{i32, [4 x {}]}, ptr %p, i64 1, i32 1, i64 3")
    assert check(source, gep("i8, ptr %p, i64 8")).accepted


@pytest.mark.parametrize(
    "constant",
    [
        "ptrtoint (ptr getelementptr inbounds (i8, ptr @g, i64 1000000) to i64)",
        "add nsw (i64 ptrtoint (ptr @g to i64), i64 9223372036854775807)",
    ],
)
def test_a_constant_expression_with_flags_may_be_poison(constant: str) -> None:
    variable = "@g = global i8 0\n"
    masked = variable + f("i64 @f()", f"%r = and i64 {constant}, 0", "ret i64 %r")
    assert check(variable + f("i64 @f()", "ret i64 0"), masked).outcome is Outcome.UNKNOWN
    assert check(masked, variable + f("i64 @f()", "ret i64 0")).accepted


TWICE = ("entry:", "br label %h", "h:", "%i = phi i64 [0, %entry], [%j, %h]", "{}", "%j = add i64 %i, 1",
         "%c = icmp eq i64 %j, 2", "br i1 %c, label %e, label %h", "e:")  # fmt: skip


def test_one_use_in_a_loop_is_several() -> None:
    stored = f("void @f(ptr %p, i8 %x)", "%z = zext i8 %x to i16", "%m = mul i16 %z, 257",
               "store i16 %m, ptr %p, align 1", "ret void")  # fmt: skip
    turn = "%q = getelementptr i8, ptr %p, i64 %i\nstore i8 %x, ptr %q, align 1"
    one_by_one = f("void @f(ptr %p, i8 %x)", *(line.format(turn) for line in TWICE), "ret void")
    verdict = refines(parse_function(stored), parse_function(one_by_one), unroll=3)
    assert verdict.outcome is Outcome.COUNTEREXAMPLE
    doubled = f("i8 @f(i8 %x)", "%r = shl i8 %x, 1", "ret i8 %r")
    turn = "%s = phi i8 [0, %entry], [%t, %h]\n%z = freeze i8 %x\n%t = add i8 %s, %z"
    frozen = f("i8 @f(i8 %x)", *(line.format(turn) for line in TWICE), "ret i8 %t")
    assert refines(parse_function(doubled), parse_function(frozen), unroll=3).outcome is Outcome.COUNTEREXAMPLE


def test_a_call_that_claims_not_to_return_is_undefined() -> None:
    count = "%r = call i8 @llvm.ctpop.i8(i8 %x)"
    plain = f("i8 @f(i8 %x)", count, "ret i8 %r")
    for claim in ("noreturn", "#0"):
        claimed = f("i8 @f(i8 %x)", f"{count} {claim}", "ret i8 %r") + "attributes #0 = { noreturn }\n"
        assert not check(plain, claimed).accepted


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("i8 @f(ptr byval(i8) %p)", "i8 @f(ptr %p)"),
        ("i8 @f(ptr byval(i8) align 4 %p)", "i8 @f(ptr byval(i8) %p)"),
        ("i8 @f(ptr nest %p)", "i8 @f(ptr %p)"),
        ("i8 @f(ptr swiftself %p)", "i8 @f(ptr %p)"),
        ("i8 @f(ptr %p)", "inreg i8 @f(ptr %p)"),
        ("aarch64_vector_pcs i8 @f(ptr %p)", "i8 @f(ptr %p)"),
        ("i8 @f(ptr %p)", "spir_func i8 @f(ptr %p)"),
    ],
)
def test_values_passed_in_another_place_make_another_function(source: str, target: str) -> None:
    body = "%v = load i8, ptr %p", "ret i8 %v"
    assert check(f(source, *body), f(target, *body)).outcome is Outcome.UNKNOWN
    assert check(f(source, *body), f(source, *body)).accepted


def test_a_vector_is_passed_as_the_processor_has_it() -> None:
    vector = "<8 x i32> @f(<8 x i32> %x)"
    wide = '"target-features"="+avx2"'
    assert check(f(vector, "ret <8 x i32> %x"), f(vector, "ret <8 x i32> %x", after=wide)).outcome is Outcome.UNKNOWN
    assert check(f("i8 @f(i8 %x)", "ret i8 %x"), f("i8 @f(i8 %x)", "ret i8 %x", after=wide)).accepted


def test_a_call_of_the_function_itself_is_not_that_of_another_of_the_name(tmp_path: Path) -> None:
    calls = "%r = call i8 @g(i8 %x)", "ret i8 %r"
    other = "declare i8 @g(i8)\n" + f("i8 @f(i8 %x)", *calls)
    endless = f("i8 @g(i8 %x)", *calls)
    assert verified(tmp_path, other, endless) == 3
    assert verified(tmp_path, endless, other) == 3
    assert verified(tmp_path, endless, endless) == 0


FIELD = f("ptr @f(ptr %p)", "%r = getelementptr {}, ptr %p, i64 0, i32 1", "ret ptr %r")
BYTES = f("ptr @f(ptr %p)", "%r = getelementptr i8, ptr %p, i64 {}", "ret ptr %r")


@pytest.mark.parametrize(
    ("layout", "fields", "place"),
    [
        ("", "{i32, i64}", 8),
        ("e-m:e", "{i32, i64}", 8),
        ("e-i64:64", "{i32, [2 x i128]}", 16),
        ("e-f64:32:64", "{i32, double}", 8),
        ("e-p:64:32", "{i32, ptr}", 8),
        ("e-a:64", "{i32, {i32}}", 4),
        ("e-v128:64", "{i32, <4 x i32>}", 16),
        ("e-p:64:64:64:32", "{i32, i32}", 4),
    ],
)
def test_where_a_field_is_depends_on_the_data_layout(layout: str, fields: str, place: int, tmp_path: Path) -> None:
    given = f'target datalayout = "{layout}"\n' if layout else ""
    source, target = (given + text.replace("{}", str(what), 1) for text, what in ((FIELD, fields), (BYTES, place)))
    assert verified(tmp_path, source, target) == 3
    with pytest.raises(SuperoptError, match="data layout"):
        superopt(tmp_path / "a.ll", budget=1.0)
    volatile = "%v = load volatile i8, ptr %r\nret ptr %r"  # so that nothing but the texts can be compared
    same = source.replace("ret ptr %r", volatile)
    assert verified(tmp_path, same, same) == 0


def test_a_data_layout_that_says_where_fields_are_decides(tmp_path: Path) -> None:
    given = 'target datalayout = "e-m:e-i64:64-i128:128"\n'
    field = FIELD.replace("{}", "{i32, i64}", 1)
    assert foreign("e-m:e-i64:64-i128:128") == ""
    assert verified(tmp_path, given + field, given + BYTES.replace("{}", "8")) == 0
    assert verified(tmp_path, given + field, given + BYTES.replace("{}", "4")) == 1


COUNTED = ("br label %h", "h:", "%i = phi i8 [0, %entry], [%k, %h]", "%k = add i8 %i, 1", "%z = add i8 %x, %k",
           "%c = icmp eq i8 %k, 3", "br i1 %c, label %e, label %h", "e:")  # fmt: skip


def test_copies_of_a_loop_take_no_name_that_is_there() -> None:
    before = f("i8 @f(i8 noundef %x)", "entry:", "%z.2 = mul i8 %x, 7", *COUNTED, "%r = xor i8 %z.2, %z", "ret i8 %r")
    wrong = f("i8 @f(i8 noundef %x)", "ret i8 0")
    right = f("i8 @f(i8 noundef %x)", "%a = mul i8 %x, 7", "%b = add i8 %x, 3", "%r = xor i8 %a, %b", "ret i8 %r")
    assert proved(parse_function(before), parse_function(wrong)).outcome is Outcome.COUNTEREXAMPLE
    assert proved(parse_function(before), parse_function(right)).accepted


BITS = ("entry:", "%none = icmp eq i8 {x}, 0", "br i1 %none, label %e, label %h", "h:",
        "%n = phi i8 [0, %entry], [%k, %latch]", "%s = phi i8 [{x}, %entry], [%t, %latch]", "%m = add i8 %s, -1",
        "%t = and i8 %s, %m", "{step}", "%k = add i8 %n, %step", "{way}", "latch:", "%c = icmp eq i8 %t, 0",
        "br i1 %c, label %e, label %h", "e:", "%r = phi i8 [0, %entry], [%k, %latch]", "ret i8 %r")  # fmt: skip
POPULATION = "%r = call i8 @llvm.ctpop.i8(i8 %x)", "ret i8 %r"


def bits(name: str, step: str = "%step = add i8 0, 1", way: str = "br label %latch", attribute: str = "noundef") -> str:
    lines = [line.format(x=f"%{name}", step=step, way=way) for line in BITS]
    return f(f"i8 @f(i8 {attribute} %{name})", *lines)


@pytest.mark.parametrize(
    "source",
    [
        # Two of 255 states are counted wrongly; the block has the name that the proof's own block had.
        bits("x", way="%odd = icmp eq i8 %s, 77\nbr i1 %odd, label %back, label %latch\nback:\nret i8 99"),
        # Right for the first turn only, where the state is the argument, whose name was that of the proof's state.
        bits("state", step="%same = icmp eq i8 %s, %state\n%step = select i1 %same, i8 1, i8 5"),
    ],
)
def test_induction_takes_no_name_that_is_there(source: str) -> None:
    target = parse_function(f("i8 @f(i8 noundef %x)", *POPULATION))
    assert not refines_by_induction(parse_function(source), target, seconds=20.0).accepted


@pytest.mark.parametrize("attribute", ["noundef", ""])
@pytest.mark.parametrize("name", ["x", "state", "accumulator", "v1", "w1", "total.next", "test"])
def test_induction_does_not_mind_names(name: str, attribute: str) -> None:
    target = parse_function(f(f"i8 @f(i8 {attribute} %x)", *POPULATION))
    verdict = refines_by_induction(parse_function(bits(name, attribute=attribute)), target, seconds=20.0)
    assert verdict.accepted, verdict.reason
    assert "the loop at %h" in verdict.obligations[0]


def test_induction_is_not_about_states_that_are_partly_undef() -> None:
    # The state is %x | 1: never 0, and with 7 bits undef for an undef %x, of which the target sums two choices.
    lines = """entry: | %a = or i8 %x, 1 | br label %h
    h: | %n = phi i8 [0, %entry], [%n, %more] | %s = phi i8 [%a, %entry], [%t, %more] | %b = trunc i8 %s to i1
    br i1 %b, label %e, label %more
    more: | %t = or i8 %s, 1 | br label %h
    e: | %g = lshr i8 %s, 1 | %d = shl i8 %g, 1 | %r = add i8 %n, %d | ret i8 %r"""
    source = f("i8 @f(i8 %x)", *lines.replace(" | ", "\n").split("\n"))
    target = f("i8 @f(i8 %x)", "%a = lshr i8 %x, 1", "%b = lshr i8 %x, 1", "%r = add i8 %a, %b", "ret i8 %r")
    assert refines(parse_function(source), parse_function(target), unroll=3).outcome is Outcome.COUNTEREXAMPLE
    assert not refines_by_induction(parse_function(source), parse_function(target)).accepted


def test_a_table_with_an_undef_entry_is_left_alone() -> None:
    assert tables(["@t = constant [2 x i32] [i32 1, i32 undef]", "@u = constant [2 x i8] [i8 1, i8 -2]"]).keys() == {
        "u"
    }


def test_a_counterexample_is_worth_nothing_where_memory_is_laid_out_otherwise(tmp_path: Path) -> None:
    given = 'target datalayout = "E"\n'
    source = given + f("i8 @f(ptr %p)", "store i16 258, ptr %p", "%v = load i8, ptr %p", "ret i8 %v")
    target = given + f("i8 @f(ptr %p)", "store i16 258, ptr %p", "ret i8 1")
    assert verified(tmp_path, source, target) == 3
    assert verify(tmp_path / "a.ll", tmp_path / "b.ll", budget=5.0).verdict.counterexample is None


SMALL = "declare void @llvm.assume(i1)\n", "%b = icmp ult i8 %x, 4", "call void @llvm.assume(i1 %b)"


def test_an_argument_that_is_undef_in_part_is_told_of_where_the_proof_does_not_cover_it(tmp_path: Path) -> None:
    # `and undef, 3` keeps the assumption, and each use of it is another number below 4; a wholly undef %x breaks it.
    head, *lines = SMALL
    for attribute, told in (("", True), ("noundef", False)):
        signature = f"i8 @f(i8 {attribute} %x)"
        (tmp_path / "a.ll").write_text(head + f(signature, *lines, "%r = shl i8 %x, 1", "ret i8 %r"))
        (tmp_path / "b.ll").write_text(head + f(signature, *lines, "%r = add i8 %x, %x", "ret i8 %r"))
        verdict = verify(tmp_path / "a.ll", tmp_path / "b.ll", budget=10.0).verdict
        assert verdict.accepted and (WHOLE in verdict.assumptions) is told
    once = f("i8 @f(i8 %x)", *lines, "%r = shl i8 %x, 1", "ret i8 %r")
    (tmp_path / "a.ll").write_text(head + once)
    (tmp_path / "b.ll").write_text(head + once.replace("shl i8 %x, 1", "mul i8 %x, 2"))
    verdict = verify(tmp_path / "a.ll", tmp_path / "b.ll", budget=10.0).verdict
    assert verdict.accepted and verdict.assumptions == ()


def test_a_choice_among_the_targets_choices_settles_an_argument_that_is_undef_in_part() -> None:
    head, *lines = SMALL
    shifted = parse_function(head + f("i8 @f(i8 %x)", *lines, "%r = shl i8 %x, 1", "ret i8 %r"))
    added = parse_function(head + f("i8 @f(i8 %x)", *lines, "%r = add i8 %x, %x", "ret i8 %r"))
    assert refines(shifted, added, partly=True).outcome is Outcome.COUNTEREXAMPLE
    vector = "<2 x i8> @f(<2 x i8> %x)"
    both = parse_function(f(vector, "%r = add <2 x i8> %x, %x", "ret <2 x i8> %r"))
    once = parse_function(f(vector, "%r = shl <2 x i8> %x, splat (i8 1)", "ret <2 x i8> %r"))
    assert refines(both, once, partly=True).accepted and not refines(once, both, partly=True).accepted


def test_what_is_said_of_a_loop_by_number_is_no_matter_where_every_loop_was_shown_to_end(tmp_path: Path) -> None:
    told = "!0 = distinct !{{!0, !1}}\n!1 = !{{!{}}}\n"
    counted = bits("x").replace("label %e, label %h\ne:", "label %e, label %h, !llvm.loop !0\ne:")
    source = counted + told.format('"llvm.loop.mustprogress"')
    target = f("i8 @f(i8 noundef %x)", *POPULATION) + "!0 = !{!1}\n!1 = distinct !{!1}\n"
    assert "!llvm.loop" in source and verified(tmp_path, source, target) == 0
    endless = f("void @f()", "br label %l", "l:", "br label %l, !llvm.loop !0")
    first, second = (endless + told.format(f'"llvm.loop.{what}"') for what in ("unroll.disable", "mustprogress"))
    assert verified(tmp_path, first, first) == 0 and verified(tmp_path, first, second) == 3
