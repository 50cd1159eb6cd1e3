"""Tables that are constants of a program."""

from __future__ import annotations

import pytest

from m4alloc.superopt.idioms_constants import Table, read, tables
from m4alloc.superopt.idioms_prove import proved
from m4alloc.superopt.idioms_sample import value
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import print_function
from m4alloc.superopt.verdict import Outcome

SIZES = {"sizes": Table(16, (16, 32, 48))}


def reading(index: str, kind: str = "i16", element: str = "i16") -> Function:
    return parse_function(
        f"@sizes = external global i8\ndefine {kind} @f(i1 noundef %c) {{\nentry:\n"
        f"br i1 %c, label %read, label %end\nread:\n"
        f"%p = getelementptr inbounds {element}, ptr @sizes, i64 {index}\n%v = load {kind}, ptr %p, align 1\n"
        f"br label %end\nend:\n%r = phi {kind} [ %v, %read ], [ 7, %entry ]\nret {kind} %r\n}}",
        "f",
    )


def test_an_entry_is_what_the_table_holds() -> None:
    function = read(reading("2"), SIZES)
    assert value(function, (1,)) == 48 and value(function, (0,)) == 7


@pytest.mark.parametrize("index", ["3", "-1"])
def test_reading_outside_the_table_is_undefined_and_the_rest_stays(index: str) -> None:
    function = read(reading(index), SIZES)
    assert value(function, (1,)) == "undefined" and value(function, (0,)) == 7


def test_a_load_of_another_width_is_left_alone() -> None:
    for function in (reading("1", "i8"), reading("1", "i16", "i8")):
        assert read(function, SIZES) == function


@pytest.mark.parametrize(
    "line",
    [
        "@sizes = internal global [2 x i16] [i16 1, i16 2]",
        "@sizes = external constant [2 x i16]",
        "@sizes = weak constant [2 x i16] [i16 1, i16 2]",
        "@sizes = linkonce_odr constant [2 x i16] [i16 1, i16 2]",
        "@sizes = internal constant [2 x float] [float 1.0, float 2.0]",
        "@sizes = internal thread_local constant [2 x i16] [i16 1, i16 2]",
    ],
)
def test_what_is_not_a_fixed_table_is_not_taken_for_one(line: str) -> None:
    assert tables([line]) == {}


def test_names_in_quotes_and_negative_entries_are_read() -> None:
    assert tables(['@"a b" = private unnamed_addr constant [2 x i8] [i8 -1, i8 2]']) == {"a b": Table(8, (255, 2))}


WIDE = {"sizes": Table(64, (5, 6))}


@pytest.mark.parametrize(
    ("index", "entry"), [(1 << 61, 5), ((1 << 61) + 1, 6), (-(1 << 61) + 1, 6), ((1 << 63) + 1, 6)]
)
def test_an_index_without_flags_wraps_as_the_address_does(index: int, entry: int) -> None:
    text = print_function(reading(str(index), "i64", "i64")).replace(" inbounds", "")
    assert value(read(parse_function(text, "f"), WIDE), (1,)) == entry


@pytest.mark.parametrize("flags", ["inbounds", "nusw", "nuw"])
def test_an_index_that_wraps_against_its_flags_is_undefined(flags: str) -> None:
    text = print_function(reading(str(1 << 61), "i64", "i64")).replace("inbounds", flags)
    assert value(read(parse_function(text, "f"), WIDE), (1,)) == "undefined"


def test_a_loop_over_a_table_whose_index_wraps_is_not_undefined() -> None:
    loop = parse_function(
        "@t = external global i8\ndefine i64 @f(i64 noundef %n) {\nentry:\nbr label %loop\nloop:\n"
        "%i = phi i64 [ 2305843009213693952, %entry ], [ %j, %loop ]\n%s = phi i64 [ 0, %entry ], [ %s2, %loop ]\n"
        "%p = getelementptr i64, ptr @t, i64 %i\n%v = load i64, ptr %p\n%s2 = add i64 %s, %v\n%j = add i64 %i, 1\n"
        "%c = icmp ult i64 %j, 2305843009213693954\nbr i1 %c, label %loop, label %end\nend:\nret i64 %s2\n}",
        "f",
    )
    wrong = parse_function("define i64 @f(i64 noundef %n) { ret i64 77 }")
    right = parse_function("define i64 @f(i64 noundef %n) { ret i64 11 }")
    known = {"t": Table(64, (5, 6))}
    assert proved(loop, wrong, known=known).outcome is Outcome.COUNTEREXAMPLE
    verdict = proved(loop, right, known=known)
    assert verdict.accepted and not verdict.vacuous


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        (r'[4 x i8] c"a\00\FFb"', (97, 0, 255, 98)),
        (r'[2 x i8] c"\5C\22"', (92, 34)),
        (r'[2 x i8] c"\\z"', (92, 122)),
        ("[3 x i16] zeroinitializer", (0, 0, 0)),
    ],
)
def test_tables_of_bytes_are_read_as_llvm_prints_them(text: str, entries: tuple[int, ...]) -> None:
    assert tables([f"@t = internal constant {text}, align 1"])["t"].entries == entries


def test_a_table_that_is_not_all_there_or_is_too_large_is_not_read() -> None:
    assert tables(['@t = constant [3 x i8] c"ab"', "@u = constant [1000000000 x i8] zeroinitializer"]) == {}
