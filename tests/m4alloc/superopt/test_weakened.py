"""The checker's tests are strong enough to notice each of its parts going wrong."""

from __future__ import annotations

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt.pairs import PAIRS
from tests.m4alloc.superopt.weakened import CHECKERS, Probe

_LOOP = """
define i8 @f(i8 noundef %n) {
entry:
  br label %loop
loop:
  %i = phi i8 [ 0, %entry ], [ %next, %loop ]
  %next = add i8 %i, 1
  %more = icmp ult i8 %next, %n
  br i1 %more, label %loop, label %end
end:
  ret i8 %next
}
"""


def _function(arguments: str, body: str, type: str = "i32") -> str:
    return f"define {type} @f({arguments}) {{\n{body}\n}}"


_MORE = (
    ("loop_bound", False, _LOOP, _function("i8 noundef %n", "%m = call i8 @llvm.umax.i8(i8 %n, i8 1)\n"
     "%c = icmp ult i8 %m, 3\n%r = select i1 %c, i8 %m, i8 3\nret i8 %r", "i8"), {"unroll": 2}),
    ("fact_needed", True, _function("i32 noundef %x", "%r = and i32 %x, 63\nret i32 %r"),
     _function("i32 noundef %x", "ret i32 %x"), {"facts": (Fact("x < 64"),)}),
    ("fact_too_weak", False, _function("i32 noundef %x", "%r = and i32 %x, 63\nret i32 %r"),
     _function("i32 noundef %x", "ret i32 %x"), {"facts": (Fact("x < 65"),)}),
    ("facts_contradict", False, _function("i32 noundef %x", "ret i32 %x"),
     _function("i32 noundef %x", "ret i32 7"), {"facts": (Fact("x < 3"), Fact("x > 5"))}),
    ("no_time", False, _function("i32 noundef %x, i32 noundef %y", "%r = mul i32 %x, %y\nret i32 %r"),
     _function("i32 noundef %x, i32 noundef %y", "%a = add i32 %x, 1\n%m = mul i32 %a, %y\nret i32 %m"), {}),
    ("shared_load_doubled", False, _function("ptr noundef %p", "%a = load i32, ptr %p\n%r = shl i32 %a, 1\nret i32 %r"),
     _function("ptr noundef %p", "%a = load i32, ptr %p\nret i32 %a"), {"shared": True}),
    ("shared_load_dropped", False,
     _function("ptr noundef %p", "%a = load i32, ptr %p\n%b = load i32, ptr %p\nret i32 %b"),
     _function("ptr noundef %p", "%b = load i32, ptr %p\nret i32 %b"), {"shared": True}),
    ("volatile_merged", False,
     _function("ptr noundef %p", "%a = load volatile i32, ptr %p\n%b = load volatile i32, ptr %p\nret i32 %b"),
     _function("ptr noundef %p", "%b = load volatile i32, ptr %p\nret i32 %b"), {}),
    ("least_by_minus_one", False, _function("i32 noundef %x", "%r = sub i32 0, %x\nret i32 %r"),
     _function("i32 noundef %x", "%r = sdiv i32 %x, -1\nret i32 %r"), {}),
    ("freeze_twice", False, _function("i32 %x", "%f = freeze i32 %x\n%r = xor i32 %f, %f\nret i32 %r"),
     _function("i32 %x", "%f = freeze i32 %x\n%g = freeze i32 %x\n%r = xor i32 %f, %g\nret i32 %r"), {}),
    ("undef_register_twice", False, _function("i32 noundef %x", "ret i32 0"),
     _function("i32 noundef %x", "%u = or i32 undef, 1\n%r = xor i32 %u, %u\nret i32 %r"), {}),
    ("fresh_block_read_twice", False, _function("i8 noundef %x", "ret i8 0", "i8"),
     _function("i8 noundef %x", "%p = alloca i8\n%a = load i8, ptr %p\n%b = load i8, ptr %p\n"
     "%r = xor i8 %a, %b\nret i8 %r", "i8"), {}),
    ("lanes_mixed", False,
     _function("i8 noundef %x", "%r = select i1 undef, <2 x i8> zeroinitializer, <2 x i8> <i8 1, i8 1>\n"
     "ret <2 x i8> %r", "<2 x i8>"),
     _function("i8 noundef %x", "ret <2 x i8> <i8 0, i8 1>", "<2 x i8>"), {}),
    ("steps_wrap", False, _function("ptr %p", "%r = getelementptr nusw i8, ptr %p, i64 -5\nret ptr %r", "ptr"),
     _function("ptr %p", "%r = getelementptr nusw [1 x i8], ptr %p, i64 -20, i64 15\nret ptr %r", "ptr"), {}),
    ("loop_uses_twice", False, _function("i8 %x", "%r = shl i8 %x, 1\nret i8 %r", "i8"),
     _function("i8 %x", "br label %h\nh:\n%i = phi i8 [0, %0], [%j, %h]\n%s = phi i8 [0, %0], [%t, %h]\n"
     "%z = freeze i8 %x\n%t = add i8 %s, %z\n%j = add i8 %i, 1\n%c = icmp eq i8 %j, 2\n"
     "br i1 %c, label %e, label %h\ne:\nret i8 %t", "i8"), {"unroll": 3}),
    ("branch_on_undef", False, _function("i1 noundef %c", "ret i32 1"),
     _function("i1 noundef %c", "br i1 undef, label %a, label %b\na:\nret i32 1\nb:\nret i32 1"), {}),
)  # fmt: skip


def _probes() -> dict[str, Probe]:
    found = {pair.name: Probe(pair.name, pair.accept, parse_function(pair.a), parse_function(pair.b)) for pair in PAIRS}
    for name, accept, a, b, options in _MORE:
        found[name] = Probe(name, accept, parse_function(a), parse_function(b), **options)  # type: ignore[arg-type]
    return found


PROBES = _probes()

# By which probe each weakened checker is noticed; there are others, which the campaign lists.
NOTICED = {
    "nsw": "nsw_mul_added",
    "nuw": "nuw_added",
    "exact": "exact_added",
    "disjoint": "disjoint_added",
    "nneg": "nneg_added",
    "samesign": "samesign_added",
    "inbounds": "inbounds_added",
    "promise": "ctlz_zero_poison",
    "metadata": "load_range_added",
    "undef": "undef_register_twice",
    "lanes alone": "lanes_mixed",
    "steps": "steps_wrap",
    "turns": "loop_uses_twice",
    "freeze": "freeze_dropped",
    "freeze alike": "freeze_twice",
    "branch": "select_to_branch",
    "branch undef": "branch_on_undef",
    "shift": "shift_past_width",
    "division": "urem_zero",
    "least": "least_by_minus_one",
    "arithmetic poison": "select_to_and",
    "select arms never": "select_to_and_frozen",
    "select arms both": "select_to_or",
    "select condition": "select_to_and_frozen",
    "target poison": "trunc_nuw_added",
    "source poison": "flags_dropped",
    "target UB": "division_speculated",
    "lanes": "lane_poison",
    "memory": "dropped_store",
    "provenance": "provenance",
    "bounds": "accessed_not_null",
    "alignment": "align_raised",
    "undef bytes": "fresh_block_read_twice",
    "poison bytes": "poison_byte_spreads",
    "noundef": "noundef_return",
    "range": "range_used",
    "overflow": "saturation_dropped",
    "signs": "signed_for_unsigned",
    "time-out": "no_time",
    "unsupported": "volatile_merged",
    "facts": "fact_needed",
    "contradiction": "facts_contradict",
    "shared": "shared_load_dropped",
    "kinds": "pointer_loaded_for_integer",
    "loops": "loop_bound",
}


def test_at_least_sixteen_mistakes_are_made() -> None:
    assert len({checker.name for checker in CHECKERS}) == len(CHECKERS) >= 16


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.name)
def test_every_weakened_checker_is_noticed(checker) -> None:  # type: ignore[no-untyped-def]
    probe = PROBES[NOTICED[checker.name]]
    assert probe.is_right
    assert checker.noticed_by([probe]) == [probe.name], checker.mistake
    assert probe.is_right  # the mistake is gone with its context


@pytest.mark.campaign
def test_the_real_checker_is_right_on_every_probe() -> None:
    assert [name for name, probe in PROBES.items() if not probe.is_right] == []


@pytest.mark.campaign
@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.name)
def test_more_than_one_probe_notices_most_mistakes(checker, capsys) -> None:  # type: ignore[no-untyped-def]
    noticed = checker.noticed_by(list(PROBES.values()))
    with capsys.disabled():
        print(f"\n{checker.name}: {', '.join(noticed)}")
    assert NOTICED[checker.name] in noticed
