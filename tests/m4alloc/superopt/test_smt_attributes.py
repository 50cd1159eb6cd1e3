"""Attributes and metadata: what the source's allow, what the target's demand, and what is refused."""

from __future__ import annotations

import pytest

from m4alloc.superopt.verdict import Outcome
from tests.m4alloc.superopt.test_equivalence import body, check

PLAIN = body("i32 @f(i32 noundef %x, ptr noundef %p)", "ret i32 %x")


def head(signature: str, *lines: str, after: str = "") -> str:
    """A function with attributes behind its arguments."""
    return body(f"{signature} {after}".strip(), *(lines or ("ret i32 %x",)))


@pytest.mark.parametrize("attribute", ["range(i32 0, 9)", "range(i32 -5, 5)", "range(i32 7, 3)"])
def test_a_range_is_a_claim_of_the_caller(attribute: str) -> None:
    claimed = head(f"i32 @f(i32 noundef {attribute} %x, ptr noundef %p)")
    assert check(claimed, PLAIN).accepted
    assert check(PLAIN, claimed).outcome is Outcome.COUNTEREXAMPLE


def test_a_range_may_wrap_around() -> None:
    source = head("i32 @f(i32 noundef range(i32 -1, 2) %x, ptr noundef %p)")
    target = head("i32 @f(i32 noundef %x, ptr noundef %p)", "%m = add i32 %x, 1", "%c = icmp ult i32 %m, 3",
                  "%r = select i1 %c, i32 %x, i32 9", "ret i32 %r")  # fmt: skip
    assert check(source, target).accepted


@pytest.mark.parametrize("attribute", ["nonnull", "align 8", "dereferenceable(4)", "dereferenceable_or_null(4)"])
def test_a_claim_about_a_pointer_may_be_dropped_but_not_added(attribute: str) -> None:
    claimed = head(f"i32 @f(i32 noundef %x, ptr noundef {attribute} %p)")
    assert check(claimed, PLAIN).accepted
    assert check(PLAIN, claimed).outcome is Outcome.COUNTEREXAMPLE


def test_alignment_of_an_argument_is_known_of_its_address() -> None:
    signature = "i64 @f(ptr noundef align 16 %p)"
    a = body(signature, "%i = ptrtoint ptr %p to i64", "%r = and i64 %i, 15", "ret i64 %r")
    assert check(a, body(signature, "ret i64 0")).accepted


def test_a_nonnull_argument_that_is_not_noundef_is_poison_where_it_is_null() -> None:
    source = body("i1 @f(ptr nonnull %p)", "%r = icmp eq ptr %p, null", "ret i1 %r")
    assert check(source, body("i1 @f(ptr nonnull %p)", "ret i1 false")).accepted
    stays = body("i1 @f(ptr nonnull %p)", "%z = freeze ptr %p", "%r = icmp eq ptr %z, null", "ret i1 %r")
    assert check(stays, body("i1 @f(ptr nonnull %p)", "ret i1 false")).accepted
    assert check(body("i1 @f(ptr nonnull %p)", "ret i1 false"), stays).outcome is Outcome.COUNTEREXAMPLE


@pytest.mark.parametrize("attribute", ["readonly", "readnone", "writeonly", "captures(none)"])
def test_what_llvm_infers_of_an_argument_passes_where_the_body_keeps_it(attribute: str) -> None:
    assert check(PLAIN, head(f"i32 @f(i32 noundef %x, ptr noundef {attribute} %p)")).accepted


def test_a_promise_that_the_body_may_break_is_refused() -> None:
    stores = ("store i32 1, ptr %p", "ret i32 %x")
    source = body("i32 @f(i32 noundef %x, ptr noundef %p)", *stores)
    for attribute in ("readonly", "readnone", "noalias", "swiftself"):
        target = body(f"i32 @f(i32 noundef %x, ptr noundef {attribute} %p)", *stores)
        verdict = check(source, target)
        assert not verdict.accepted, attribute


@pytest.mark.parametrize(
    ("attributes", "accepted"),
    [("nounwind willreturn", True), ("memory(none)", True), ("noreturn", False), ("memory(argmem: read)", True)],
)
def test_function_attributes_pass_where_the_body_keeps_them(attributes: str, accepted: bool) -> None:
    target = head("i32 @f(i32 noundef %x, ptr noundef %p)", after=attributes)
    assert check(PLAIN, target).accepted is accepted
    assert check(target, PLAIN).accepted


@pytest.mark.parametrize(
    ("attribute", "accepted"),
    [
        ("memory(argmem: readwrite)", True),
        ("memory(read, argmem: readwrite, inaccessiblemem: none)", True),
        ("memory(argmem: write)", False),
        ("memory(read)", False),
        ("memory(readwrite, argmem: none)", False),
    ],
)
def test_a_promise_about_memory_is_held_against_each_access(attribute: str, accepted: bool) -> None:
    lines = ("%q = getelementptr i32, ptr %p, i64 1", "%v = load i32, ptr %p", "store i32 %v, ptr %q", "ret i32 %x")
    source = head("i32 @f(i32 noundef %x, ptr noundef %p)", *lines)
    target = head("i32 @f(i32 noundef %x, ptr noundef captures(none) %p)", *lines, after=attribute)
    assert check(source, target).accepted is accepted


def test_a_store_breaks_a_promise_about_memory() -> None:
    lines = ("store i32 1, ptr %p", "ret i32 %x")
    source = head("i32 @f(i32 noundef %x, ptr noundef %p)", *lines)
    assert not check(source, head("i32 @f(i32 noundef %x, ptr noundef %p)", *lines, after="memory(read)")).accepted


@pytest.mark.parametrize(
    ("metadata", "fits"),
    [("!range !{i32 0, i32 4}", "4"), ("!range !{i32 0, i32 2, i32 3, i32 4}", "4"), ("!noundef !{}", "")],
)
def test_metadata_of_a_load_is_known_of_its_value(metadata: str, fits: str) -> None:
    signature = "i32 @f(ptr noundef %p)"
    plain = body(signature, "%v = load i32, ptr %p", "ret i32 %v")
    claimed = body(signature, f"%v = load i32, ptr %p, {metadata}", "ret i32 %v")
    assert check(claimed, plain).accepted
    assert check(plain, claimed).outcome is Outcome.COUNTEREXAMPLE
    if fits:
        below = body(signature, "%v = load i32, ptr %p", f"%c = icmp ult i32 %v, {fits}",
                     "%r = select i1 %c, i32 %v, i32 9", "%z = freeze i32 %r", "ret i32 %z")  # fmt: skip
        assert not check(plain, below).accepted


def test_the_result_may_promise_less_but_not_more() -> None:
    for attribute in ("noundef", "range(i32 0, 9)"):
        claimed = body(f"{attribute} i32 @f(i32 %x, ptr noundef %p)", "ret i32 %x")
        plain = body("i32 @f(i32 %x, ptr noundef %p)", "ret i32 %x")
        assert check(claimed, plain).accepted
        assert check(plain, claimed).outcome is Outcome.COUNTEREXAMPLE


def test_null_that_may_be_accessed_is_not_decided() -> None:
    target = head("i32 @f(i32 noundef %x, ptr noundef %p)", after="null_pointer_is_valid")
    other = body("i32 @f(i32 noundef %x, ptr noundef %p) null_pointer_is_valid", "%r = add i32 %x, 0", "ret i32 %r")
    assert "null_pointer_is_valid" in check(target, other).reason


def test_noalias_arguments_are_not_accessed_through_others() -> None:
    signature = "i8 @f(ptr noalias noundef %p, ptr noundef %q)"
    a = body(signature, "%v = load i8, ptr %p", "store i8 0, ptr %q", "%w = load i8, ptr %p", "ret i8 %w")
    b = body(signature, "%v = load i8, ptr %p", "store i8 0, ptr %q", "ret i8 %v")
    assert check(a, b).accepted
    weaker = signature.replace("noalias ", "")
    assert check(a.replace(signature, weaker), b.replace(signature, weaker)).outcome is Outcome.COUNTEREXAMPLE
    # A target that reads through both what the source only reads through one would break the promise itself.
    one = body(signature, "store i8 0, ptr %q", "ret i8 0")
    two = body(signature, "store i8 0, ptr %q", "%v = load i8, ptr %p", "ret i8 0")
    assert check(one, two).outcome is Outcome.COUNTEREXAMPLE
