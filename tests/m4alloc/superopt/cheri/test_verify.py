"""m4alloc.superopt.cheri.verify: two functions, their parameters in order."""

from __future__ import annotations

import pytest

from capability.cheri.isa import ISAV8_128, ISAV9_64, ISAV9_128, Isa
from m4alloc.superopt.cheri.printer import to_llvm
from m4alloc.superopt.cheri.program import Program
from m4alloc.superopt.cheri.reader import read_text
from m4alloc.superopt.cheri.verify import WRITTEN, refines_program
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Verdict

CAP = "ptr addrspace(200)"


def function(body: str, arguments: str = f"{CAP} noundef %c, i64 noundef %n") -> Program:
    return read_text(f"define {CAP} @f({arguments}) {{\n{body}\n}}")


def check(source: Program, target: Program, *facts: str, isa: Isa = ISAV9_128) -> Verdict:
    return refines_program(source, target, [Fact(fact) for fact in facts], isa=isa, seconds=20.0)


TWICE = f"%x = getelementptr i8, {CAP} %c, i64 %n\n%y = getelementptr i8, {CAP} %x, i64 8\nret {CAP} %y"
ONCE = f"%n = add i64 %k, 8\n%c = getelementptr i8, {CAP} %p, i64 %n\nret {CAP} %c"
OTHER_NAMES = f"{CAP} noundef %p, i64 noundef %k"


def test_parameters_are_taken_in_order_and_names_do_not_matter() -> None:
    source, target = function(TWICE), function(ONCE, OTHER_NAMES)
    assert check(source, target).outcome is Outcome.COUNTEREXAMPLE
    facts = "not sealed(c)", "within(c, addr(c), 0)", "within(c, addr(c) + n, 0)", "within(c, addr(c) + n + 8, 0)"
    assert check(source, target, *facts).accepted


def test_kept_integer_code_must_be_the_same() -> None:
    source = function(f"%o = shl i64 %n, 6\n%x = getelementptr i8, {CAP} %c, i64 %o\nret {CAP} %x")
    same = function(f"%q = shl i64 %k, 6\n%z = getelementptr i8, {CAP} %p, i64 %q\nret {CAP} %z", OTHER_NAMES)
    other = function(f"%q = shl i64 %k, 5\n%z = getelementptr i8, {CAP} %p, i64 %q\nret {CAP} %z", OTHER_NAMES)
    assert check(source, same).accepted
    assert check(source, other).reason == "integer code that is kept as it is differs between the two"


def test_an_argument_that_may_be_undef_must_not_be_seen_as_two_values() -> None:
    loose = f"{CAP} noundef %c, i64 %n"
    source = function(f"%x = getelementptr i8, {CAP} %c, i64 0\nret {CAP} %c", loose)
    body = f"%d = sub i64 %n, %n\n%x = getelementptr i8, {CAP} %c, i64 %d\nret {CAP} %c"
    found = check(source, function(body, loose))
    assert found.outcome is Outcome.UNKNOWN
    assert found.reason == "%n may be undef, and the target uses it more than once without a freeze"
    assert check(source, read_text(to_llvm(function(body, loose)))).accepted
    assert check(function(f"ret {CAP} %c"), function(body)).accepted


def test_branches_are_followed() -> None:
    source = function(
        "%t = icmp ult i64 %n, 8\nbr i1 %t, label %a, label %b\n"
        f"a:\n%x = getelementptr i8, {CAP} %c, i64 8\nret {CAP} %x\n"
        f"b:\nret {CAP} %c"
    )
    target = function(
        f"%t = icmp ult i64 %k, 8\n%x = getelementptr i8, {CAP} %p, i64 8\n"
        f"%r = select i1 %t, {CAP} %x, {CAP} %p\nret {CAP} %r",
        OTHER_NAMES,
    )
    assert check(source, target).accepted
    assert check(source, target, isa=ISAV8_128).reason == "adds a trap: bug"


def test_other_parameters_and_widths_are_no_answer() -> None:
    one, other = function(f"ret {CAP} %c"), function(f"ret {CAP} %c", f"{CAP} noundef %c")
    assert check(one, other).reason == "the two have other parameters"
    assert "addresses of 64 and 64 bits, and of 32" in check(one, one, isa=ISAV9_64).reason


LOOSE = f"{CAP} noundef %c, i64 %n, i1 %t"


def pair(source: str, target: str, **signatures: str) -> Verdict:
    """Two functions that give an integer; `first`, `second`: their headers where they are not the usual one."""
    usual = f"i64 @f({CAP} noundef %c, i64 noundef %n)"
    texts = [
        f"define {signatures.get(which, usual)} {{\n{body}\n}}\n!0 = !{{i64 0, i64 9}}\n"
        for which, body in (("first", source), ("second", target))
    ]
    one, other = map(read_text, texts)
    return refines_program(one, other, isa=ISAV9_128, seconds=20.0)


LOAD = f"%r = load i64, {CAP} %c, align {{}}\nret i64 %r"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("%r = add i64 %n, 1\nret i64 %r", "%r = add nuw i64 %n, 1\nret i64 %r"),
        ("%r = or i64 %n, 1\nret i64 %r", "%r = or disjoint i64 %n, 1\nret i64 %r"),
        (
            f"%x = getelementptr i8, {CAP} %c, i64 8\n%r = ptrtoint {CAP} %x to i64\nret i64 %r",
            f"%x = getelementptr inbounds i8, {CAP} %c, i64 8\n%r = ptrtoint {CAP} %x to i64\nret i64 %r",
        ),
        (
            f"%r = call i64 @llvm.cheri.cap.address.get.i64({CAP} %c)\nret i64 %r",
            f"%r = call i64 @llvm.cheri.cap.address.get.i64({CAP} %c), !range !0\nret i64 %r",
        ),
        (
            f"%r = call i64 @llvm.cheri.cap.address.get.i64({CAP} %c)\nret i64 %r",
            f"%r = call i64 @llvm.cheri.cap.address.get.i64({CAP} nonnull %c)\nret i64 %r",
        ),
        (LOAD.format(1), LOAD.format("1, !noundef !1") + "\n}\n!1 = !{}\ndefine void @g() {\nret void"),
        (LOAD.format(1), LOAD.format(8)),
    ],
)
def test_what_the_text_of_the_target_promises_beyond_its_terms_is_not_taken_for_kept(source: str, target: str) -> None:
    if "@g" in target:
        text = f"define i64 @f({CAP} noundef %c, i64 noundef %n) {{\n"
        loaded = read_text(f"{text}{target}\n}}\n", "f")
        assert refines_program(read_text(f"{text}{source}\n}}\n"), loaded, isa=ISAV9_128).outcome is Outcome.UNKNOWN
        return
    assert pair(source, target).outcome is Outcome.UNKNOWN
    assert pair(target, source).accepted
    assert pair(target, target).accepted


@pytest.mark.parametrize(
    "second",
    [
        f"i64 @f({CAP} noundef %c, i64 noundef range(i64 0, 5) %n)",
        f"i64 @f({CAP} noundef dereferenceable(8) %c, i64 noundef %n)",
        f"range(i64 0, 5) i64 @f({CAP} noundef %c, i64 noundef %n)",
        f"noundef i64 @f({CAP} noundef %c, i64 noundef %n)",
        f"fastcc i64 @f({CAP} noundef %c, i64 noundef %n)",
        f"i64 @f({CAP} noundef %c, i64 noundef inreg %n)",
        f"i64 @f({CAP} noundef %c, i64 noundef %n) noreturn",
        f"i64 @f({CAP} noundef %c, i64 noundef %n) memory(none)",
    ],
)
def test_attributes_of_the_target_are_promises_too(second: str) -> None:
    body = "%r = add i64 %n, 0\nret i64 %r"
    assert pair("ret i64 %n", body, second=second).outcome is Outcome.UNKNOWN
    assert pair("ret i64 %n", body).accepted


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("ret i64 0", "br i1 %t, label %a, label %b\na:\nret i64 0\nb:\nret i64 0"),
        ("%r = freeze i64 %n\nret i64 %r", "ret i64 %n"),
        ("ret i64 0", "%r = and i64 %n, 0\nret i64 %r"),
        ("%r = select i1 %t, i64 %n, i64 0\nret i64 %r", "br i1 %t, label %a, label %b\na:\nret i64 %n\nb:\nret i64 0"),
    ],
)
def test_an_argument_that_may_be_poison_is_not_used_by_the_target_without_a_freeze(source: str, target: str) -> None:
    loose = {"first": f"i64 @f({LOOSE})", "second": f"i64 @f({LOOSE})"}
    assert pair(source, target, **loose).outcome is Outcome.UNKNOWN
    assert pair(source, source, **loose).accepted
    promised = f"i64 @f({LOOSE})".replace(" %", " noundef %").replace("noundef noundef", "noundef")
    assert pair(source, target, first=promised, second=f"i64 @f({LOOSE})").accepted
    assert pair(source, source, first=f"i64 @f({LOOSE})", second=promised).outcome is Outcome.UNKNOWN


def test_kept_code_that_may_be_poison_is_not_used_by_the_target_without_a_freeze() -> None:
    shifted = "%o = shl i64 %n, %n\n"
    used = f"{shifted}%r = and i64 %o, 0\nret i64 %r"
    assert pair(f"{shifted}ret i64 0", used).outcome is Outcome.UNKNOWN
    frozen = f"{shifted}%z = freeze i64 %o\n%r = and i64 %z, 0\nret i64 %r"
    assert pair(f"{shifted}ret i64 0", frozen).accepted


def test_a_target_that_loads_is_proved_for_memory_that_was_written() -> None:
    twice = f"%r = load i64, {CAP} %c, align 1\n%s = xor i64 %r, %r\nret i64 %s"
    none = f"%r = load i64, {CAP} %c, align 1\n%s = and i64 %r, 0\nret i64 %s"
    found = pair(none, twice)
    assert found.accepted and WRITTEN in found.assumptions
    assert pair("ret i64 %n", "%r = add i64 %n, 0\nret i64 %r").assumptions == ()


def test_an_access_is_aligned_as_one_at_its_address_is() -> None:
    moved = f"%x = getelementptr i8, {CAP} %c, i64 8\n%r = load i64, {CAP} %x, align {{}}\nret i64 %r"
    steps = (
        f"%w = getelementptr i8, {CAP} %c, i64 8\n%r = load i64, {CAP} %w, align {{}}\n%s = add i64 %r, 0\nret i64 %s"
    )
    assert pair(moved.format(8), steps.format(8)).accepted
    assert pair(moved.format(4), steps.format(8)).outcome is Outcome.UNKNOWN


def test_what_is_printed_is_called_as_what_was_read() -> None:
    text = f"define fastcc zeroext i1 @f({CAP} noundef %c, i1 noundef zeroext %t) {{\nret i1 %t\n}}"
    printed = to_llvm(read_text(text))
    assert printed.startswith("define fastcc zeroext i1 @f(ptr addrspace(200) noundef %c, i1 zeroext noundef %t) {")
    assert refines_program(read_text(text), read_text(printed), isa=ISAV9_128).accepted
