"""m4alloc.superopt.cheri.verify: two functions, their parameters in order."""

from __future__ import annotations

from capability.cheri.isa import ISAV8_128, ISAV9_64, ISAV9_128, Isa
from m4alloc.superopt.cheri.printer import to_llvm
from m4alloc.superopt.cheri.program import Program
from m4alloc.superopt.cheri.reader import read_text
from m4alloc.superopt.cheri.verify import refines_program
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
