"""Memory: bytes, provenance, what may be written, and what is not decided."""

from __future__ import annotations

import pytest

from m4alloc.superopt.equivalence import MIXED, refines
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.verdict import Outcome, Verdict


def check(signature: str, a: str, b: str, **options: bool) -> Verdict:
    """The verdict on two bodies, lines divided by semicolons."""
    texts = ["\n".join([f"define {signature} {{", *(line.strip() for line in body.split(";")), "}"]) for body in (a, b)]
    return refines(parse_function(texts[0]), parse_function(texts[1]), **options)  # type: ignore[arg-type]


def test_a_byte_that_is_written_back_is_still_a_store() -> None:
    found = check("void @f(ptr noundef %p)", "store i8 1, ptr %p; ret void",
                  "store i8 1, ptr %p; %q = getelementptr i8, ptr %p, i64 1; ret void")  # fmt: skip
    assert found.accepted
    signature = "void @f(ptr noundef align 2 dereferenceable(2) %p)"
    wide = "%w = load i16, ptr %p; %h = and i16 %w, -256; %v = or i16 %h, 1; store i16 %v, ptr %p; ret void"
    found = check(signature, "store i8 1, ptr %p; ret void", wide)
    assert found.outcome is Outcome.COUNTEREXAMPLE


def test_a_store_of_what_was_loaded_may_be_dropped() -> None:
    body = "%v = load i32, ptr %p; store i32 %v, ptr %p; ret void"
    assert check("void @f(ptr noundef %p)", body, "ret void").accepted
    assert check("void @f(ptr noundef %p)", "ret void", body).outcome is Outcome.COUNTEREXAMPLE


def test_a_stored_pointer_is_loaded_with_its_provenance() -> None:
    signature = "i8 @f(ptr noundef %p, ptr noundef %q)"
    kept = "store ptr %q, ptr %p; %r = load ptr, ptr %p; %v = load i8, ptr %r; ret i8 %v"
    assert check(signature, kept, "store ptr %q, ptr %p; %v = load i8, ptr %q; ret i8 %v").accepted


def test_a_pointer_that_was_loaded_is_forwarded_although_it_may_be_undef() -> None:
    signature = "ptr @f(ptr noundef %p, ptr noundef %q)"
    again = "%a = load ptr, ptr %p; store ptr %a, ptr %q; %b = load ptr, ptr %q; ret ptr %b"
    assert check(signature, again, "%a = load ptr, ptr %p; store ptr %a, ptr %q; ret ptr %a").accepted


def test_a_pointer_loaded_from_a_stored_integer_is_not_decided() -> None:
    signature = "i8 @f(ptr noundef %p, i64 noundef %i)"
    body = "store i64 %i, ptr %p; %r = load ptr, ptr %p; %v = load i8, ptr %r; ret i8 %v"
    verdict = check(signature, body, "store i64 %i, ptr %p; ret i8 0")
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.reason == "a pointer is loaded from bytes that were stored as integers"


AS_POINTER = "%v = load ptr, ptr %p; %i = ptrtoint ptr %v to i64; {}ret i64 %i"
AS_INTEGER = "%i = load i64, ptr %p, align 8; {}ret i64 %i"


@pytest.mark.parametrize("shared", [False, True])
def test_bytes_are_not_loaded_as_a_pointer_by_one_side_only(shared: bool) -> None:
    signature = "i64 @f(ptr noundef %p)"
    for a, b in ((AS_POINTER, AS_INTEGER), (AS_INTEGER, AS_POINTER)):
        verdict = check(signature, a.format(""), b.format(""), shared=shared)
        assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, MIXED)
    for same in (AS_POINTER, AS_INTEGER):
        assert check(signature, same.format("%z = add i64 %i, 0; "), same.format(""), shared=shared).accepted


@pytest.mark.parametrize("shared", [False, True])
def test_a_stored_address_is_no_stored_pointer(shared: bool) -> None:
    address, pointer = (
        "%i = ptrtoint ptr %q to i64; store i64 %i, ptr %p, align 8; ret void",
        "store ptr %q, ptr %p; ret void",
    )
    for a, b in ((address, pointer), (pointer, address)):
        verdict = check("void @f(ptr noundef %p, ptr noundef %q)", a, b, shared=shared)
        assert verdict.outcome is Outcome.COUNTEREXAMPLE


def test_pointers_and_integers_in_their_own_bytes_are_compared() -> None:
    signature = "ptr @f(ptr noundef %p, ptr noundef %n)"
    push = "%h = load ptr, ptr %p; store ptr %h, ptr %n; store ptr %n, ptr %p;"
    count = "%q = getelementptr i8, ptr %p, i64 8; %c = load i64, ptr %q, align 8;"
    plain = "%h = load ptr, ptr %p; ret ptr %h"
    assert check(signature, f"{count} {plain}", plain).accepted
    counted = f"{push} {count} %d = add i64 %c, 1; store i64 %d, ptr %q, align 8; ret ptr %h"
    uncounted = f"{push} {count} store i64 %c, ptr %q, align 8; ret ptr %h"
    assert check(signature, counted, uncounted).outcome is Outcome.COUNTEREXAMPLE


def test_a_stored_zero_is_null() -> None:
    signature = "i1 @f(ptr noundef %p)"
    body = "store i64 0, ptr %p; %r = load ptr, ptr %p; %c = icmp eq ptr %r, null; ret i1 %c"
    assert check(signature, body, "store i64 0, ptr %p; ret i1 true").accepted


def test_stored_poison_allows_any_byte_and_stored_undef_too() -> None:
    signature, seven = "void @f(ptr noundef %p)", "store i16 7, ptr %p; ret void"
    for value in ("poison", "undef"):
        loose = f"store i16 {value}, ptr %p; ret void"
        assert check(signature, loose, seven).accepted
        assert check(signature, seven, loose).outcome is Outcome.COUNTEREXAMPLE


def test_a_store_of_poison_may_be_dropped() -> None:
    assert check("void @f(ptr noundef %p)", "store i8 poison, ptr %p; ret void", "ret void").accepted


@pytest.mark.parametrize(
    ("a", "b", "accepted"),
    [
        ("%a = alloca i16; store i16 258, ptr %a; %r = load i8, ptr %a; ret i8 %r", "ret i8 2", True),
        ("%a = alloca i8; %r = load i8, ptr %a; ret i8 %r", "ret i8 77", True),
        ("%a = alloca i8; %r = load i8, ptr %a; %z = freeze i8 %r; ret i8 %z", "ret i8 77", True),
        ("ret i8 0", "%a = alloca i8; %r = load i8, ptr %a; ret i8 %r", False),
        ("ret i8 0", "%a = alloca i8; %q = getelementptr i8, ptr %a, i64 1; store i8 0, ptr %q; ret i8 0", False),
        ("ret i8 0", "%a = alloca [4 x i8]; %q = getelementptr i8, ptr %a, i64 3; store i8 0, ptr %q; ret i8 0", True),
    ],
)
def test_an_alloca_is_a_block_of_its_own(a: str, b: str, accepted: bool) -> None:
    assert check("i8 @f()", a, b).accepted is accepted


@pytest.mark.parametrize(
    "body",
    [
        "%a = alloca i8; store ptr %a, ptr %p; ret ptr null",
        "%a = alloca i8; ret ptr %a",
        "%a = alloca i8; %c = icmp eq ptr %a, %p; %s = select i1 %c, ptr null, ptr null; ret ptr %s",
        "%a = alloca i8; %c = icmp eq ptr %p, null; %s = select i1 %c, ptr %a, ptr %p; ret ptr %s",
    ],
)
def test_an_alloca_whose_address_escapes_is_not_decided(body: str) -> None:
    verdict = check("ptr @f(ptr noundef %p)", body, "ret ptr null")
    assert verdict.outcome is Outcome.UNKNOWN
    assert "alloca %a" in verdict.reason


def test_structures_and_arrays_are_laid_out_by_the_abi() -> None:
    a = "%q = getelementptr { i8, i32, [3 x i16] }, ptr %p, i64 1, i32 2, i64 2; ret ptr %q"
    assert check("ptr @f(ptr %p)", a, "%q = getelementptr i8, ptr %p, i64 28; ret ptr %q").accepted


def test_vectors_are_stored_lane_by_lane() -> None:
    signature = "i16 @f(ptr noundef align 4 %p, <2 x i16> noundef %x)"
    a = "store <2 x i16> %x, ptr %p; %q = getelementptr i8, ptr %p, i64 2; %r = load i16, ptr %q; ret i16 %r"
    b = "store <2 x i16> %x, ptr %p; %r = extractelement <2 x i16> %x, i32 1; ret i16 %r"
    assert check(signature, a, b).accepted


def test_a_loaded_value_that_is_poison_in_one_byte_is_poison() -> None:
    signature = "i8 @f(ptr noundef align 2 %p)"
    store = "store i16 7, ptr %p; store i8 poison, ptr %p;"
    whole = f"{store} %w = load i16, ptr %p; %s = lshr i16 %w, 8; %r = trunc i16 %s to i8; ret i8 %r"
    part = f"{store} %q = getelementptr i8, ptr %p, i64 1; %r = load i8, ptr %q; ret i8 %r"
    assert check(signature, whole, part).accepted
    assert not check(signature, part, whole).accepted


POP = """%h = load ptr, ptr %list; %z = icmp eq ptr %h, null; br i1 %z, label %e, label %p;
p:; %n = load ptr, ptr %h; store ptr %n, ptr %list; {last}"""


@pytest.mark.campaign
def test_a_free_list_is_popped_the_same_by_one_return_or_by_two() -> None:
    two = POP.format(last="ret ptr %h; e:; ret ptr null")
    one = POP.format(last="br label %e; e:; ret ptr %h")
    for a, b in ((one, two), (two, one)):
        assert check("ptr @f(ptr noundef %list)", a, b).accepted
    wrong = POP.format(last="br label %e; e:; ret ptr %h").replace("store ptr %n, ptr %list", "store ptr %h, ptr %list")
    assert check("ptr @f(ptr noundef %list)", two, wrong).outcome is Outcome.COUNTEREXAMPLE
