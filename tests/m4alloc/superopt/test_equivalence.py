"""The checker's verdicts: right on every known pair, with counterexamples, exact reasons and no vacuous proofs."""

from __future__ import annotations

import time

import pytest

from m4alloc.superopt import equivalence
from m4alloc.superopt.equivalence import CONTRADICTION, ENCODING_FAILED, SAME, VACUOUS, SignatureError, funnel, refines
from m4alloc.superopt.fact_terms import FactError
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.generate import Features, functions
from m4alloc.superopt.generate_mutants import mutants
from m4alloc.superopt.interpret import refines_by_enumeration
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.verdict import Outcome, UnsupportedError, Verdict
from tests.m4alloc.superopt.pairs import ACCEPT, PAIRS, REJECT, Pair


def check(a: str, b: str, *facts: str, **options: object) -> Verdict:
    """The verdict on two functions given as text."""
    given = [Fact(fact) for fact in facts]
    return refines(parse_function(a), parse_function(b), given, **options)  # type: ignore[arg-type]


def body(signature: str, *lines: str) -> str:
    """A function's text."""
    return "\n".join((f"define {signature} {{", *lines, "}"))


UNDECIDED = {
    *("noalias_argument", "inttoptr_roundtrip", "pointer_copied_as_integer", "integer_loaded_for_pointer"),
    *("pointer_loaded_for_integer", "stored_pointer_loaded_as_integer"),
    *("undef_pointer_stored_as_integer", "wild_pointer_stored_as_integer"),
}


@pytest.mark.parametrize("pair", REJECT, ids=lambda pair: pair.name)
def test_a_wrong_rewrite_is_refused_with_a_counterexample(pair: Pair) -> None:
    expected = Outcome.UNKNOWN if pair.name in UNDECIDED else Outcome.COUNTEREXAMPLE
    assert check(pair.a, pair.b).outcome is expected, pair.why


@pytest.mark.parametrize("pair", ACCEPT, ids=lambda pair: pair.name)
def test_a_right_rewrite_is_proved(pair: Pair) -> None:
    verdict = check(pair.a, pair.b)
    assert verdict.accepted, verdict
    assert verdict.obligations


@pytest.mark.parametrize("pair", PAIRS[::9], ids=lambda pair: pair.name)
def test_every_function_refines_itself(pair: Pair) -> None:
    assert check(pair.a, pair.a).accepted


def test_what_is_not_understood_refines_only_itself() -> None:
    volatile = body("void @f(ptr noundef %p)", "store volatile i32 1, ptr %p", "ret void")
    renamed = body("void @f(ptr noundef %q)", "store volatile i32 1, ptr %q", "ret void")
    verdict = check(volatile, renamed)
    assert (verdict.accepted, verdict.method) == (True, SAME)
    assert check(volatile, volatile.replace("i32 1", "i32 2")).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("pair", PAIRS[::7], ids=lambda pair: pair.name)
def test_the_funnel_agrees_with_the_solver(pair: Pair) -> None:
    assert funnel(parse_function(pair.a), parse_function(pair.b)).accepted == pair.accept


def test_the_funnel_says_how_each_stage_ended() -> None:
    a = body("i8 @f(i8 noundef %x)", "%r = mul i8 %x, 2", "ret i8 %r")
    right = body("i8 @f(i8 noundef %x)", "%r = shl i8 %x, 1", "ret i8 %r")
    wrong = body("i8 @f(i8 noundef %x)", "%r = shl i8 %x, 2", "ret i8 %r")
    verdict = funnel(parse_function(a), parse_function(right))
    assert [stage.name for stage in verdict.stages] == ["tests", "exhaustive natively", "SMT"]
    verdict = funnel(parse_function(a), parse_function(wrong))
    assert [(stage.name, stage.result) for stage in verdict.stages] == [("tests", "refuted")]
    assert verdict.counterexample is not None


@pytest.mark.parametrize("noundef", [0.0, 0.5])
def test_verdicts_on_random_mutants_are_those_of_the_enumerating_interpreter(noundef: float) -> None:
    compare(seed=5, count=6, width=3, noundef=noundef)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(4))
def test_verdicts_on_many_random_mutants_are_those_of_the_enumerating_interpreter(seed: int) -> None:
    compare(seed=100 + seed, count=300, width=4, noundef=0.25 * seed)


def compare(seed: int, count: int, width: int, noundef: float) -> None:
    """Every mutant against its function, both ways, by SMT and by enumeration."""
    decided = 0
    for number, function in enumerate(functions(seed, count, width, 4, Features(noundef=noundef))):
        for mutant, _ in mutants(function, seed + number, 2):
            for a, b in ((function, mutant), (mutant, function)):
                try:
                    expected = refines_by_enumeration(a, b)
                except UnsupportedError:
                    continue
                verdict = refines(a, b, seconds=20.0)
                if verdict.outcome is not Outcome.UNKNOWN:
                    assert verdict.accepted == expected, (a, b, verdict)
                    decided += 1
    assert decided > count


WRAPS = body(
    "i32 @f(i32 noundef %x)", "%a = add i32 %x, 1", "%r = icmp ugt i32 %a, %x", "%z = zext i1 %r to i32", "ret i32 %z"
)
ONE = body("i32 @f(i32 noundef %x)", "ret i32 1")


def test_a_fact_makes_a_rewrite_right() -> None:
    assert check(WRAPS, ONE).outcome is Outcome.COUNTEREXAMPLE
    verdict = check(WRAPS, ONE, "x < 100")
    assert verdict.accepted
    assert verdict.assumptions == (Fact("x < 100"),)


def test_an_argument_that_a_fact_names_is_not_poison() -> None:
    a = body("i32 @f(i32 %x)", "%r = freeze i32 %x", "ret i32 %r")
    b = body("i32 @f(i32 %x)", "ret i32 %x")
    assert not check(a, b).accepted
    assert check(a, b, "x < 100").accepted


def test_facts_that_contradict_each_other_prove_nothing() -> None:
    verdict = check(WRAPS, ONE, "x < 4", "x > 9")
    assert (verdict.outcome, verdict.reason) == (Outcome.UNKNOWN, CONTRADICTION)


def test_a_fact_about_no_argument_is_an_error_that_names_the_arguments() -> None:
    with pytest.raises(FactError, match="'y' is no argument; the arguments are: x"):
        check(WRAPS, ONE, "y < 4")


def test_a_source_that_is_always_undefined_is_marked_as_vacuous() -> None:
    undefined = body("i32 @f(i32 noundef %x)", "%r = udiv i32 %x, 0", "ret i32 %r")
    verdict = check(undefined, ONE)
    assert verdict.accepted
    assert verdict.vacuous
    assert verdict.obligations == (VACUOUS,)
    assert not check(ONE, ONE).vacuous


def test_a_source_that_the_facts_leave_undefined_is_marked_as_vacuous() -> None:
    a = body("i32 @f(i32 noundef %x)", "%r = udiv i32 7, %x", "ret i32 %r")
    assert check(a, ONE, "x == 0").vacuous
    assert not check(a, a, "x != 0").vacuous


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (body("i8 @f()", "ret i8 0"), body("i16 @g()", "ret i16 0"), "@f returns i8, @g returns i16"),
        (body("i8 @f(i8 %x)", "ret i8 0"), body("i8 @g()", "ret i8 0"), "@f takes 1 arguments, @g takes 0"),
        (
            body("i8 @f(i8 %x)", "ret i8 0"),
            body("i8 @g(ptr %p)", "ret i8 0"),
            "argument 1: %x of @f is i8, %p of @g is ptr",
        ),
    ],
)
def test_signatures_that_differ_are_an_error_that_says_where(a: str, b: str, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        check(a, b)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["%r = load volatile i32, ptr %p", "ret i32 %r"],
            "load volatile i32, ptr %p: volatile accesses are not compared",
        ),
        (["%r = call i32 @g(ptr %p)", "ret i32 %r"], "not compared"),
        (["br label %l", "l:", "br label %l"], "loop at block %l: not unrolled"),
        (["%r = load i1, ptr %p", "%z = zext i1 %r to i32", "ret i32 %z"], "memory access of type i1"),
        (["%r = load atomic i32, ptr %p seq_cst, align 4", "ret i32 %r"], "not compared"),
    ],
)
def test_the_reason_for_an_unknown_verdict_is_exact(lines: list[str], reason: str) -> None:
    text = "declare i32 @g(ptr)\n" + body("i32 @f(ptr noundef %p)", *lines)
    verdict = check(text, body("i32 @f(ptr noundef %p)", "ret i32 0"))
    assert verdict.outcome is Outcome.UNKNOWN
    assert reason in verdict.reason


def test_a_time_out_is_unknown_and_says_how_long_z3_had() -> None:
    signature = "i64 @f(i64 noundef %x, i64 noundef %y)"
    a = body(signature, "%q = udiv i64 %x, %y", "%r = mul i64 %q, %x", "ret i64 %r")
    b = body(signature, "%m = mul i64 %x, %x", "%r = udiv i64 %m, %y", "ret i64 %r")
    c = body(signature, "%q = urem i64 %x, %y", "%s = mul i64 %q, %q", "%r = urem i64 %s, %y", "ret i64 %r")
    d = body(signature, "%m = mul i64 %x, %x", "%r = urem i64 %m, %y", "ret i64 %r")
    assert check(a, b).outcome is Outcome.COUNTEREXAMPLE
    began = time.monotonic()
    verdict = check(c.replace("%x, %y", "%y, %x"), d, seconds=0.3)
    assert time.monotonic() - began < 5.0
    assert verdict.outcome is not Outcome.REFINES
    if verdict.outcome is Outcome.UNKNOWN:
        assert verdict.reason == "z3 gave up after 0.3 s" and verdict.timed_out


def test_a_loop_that_runs_beyond_its_bound_is_undecided_and_no_time_out() -> None:
    loop = (
        "define i8 @f(i8 noundef %n) {\nentry:\nbr label %loop\nloop:\n%i = phi i8 [ 0, %entry ], [ %j, %loop ]\n"
        "%j = add i8 %i, 3\n%c = icmp ult i8 %j, %n\nbr i1 %c, label %loop, label %end\nend:\nret i8 %j\n}"
    )
    verdict = check(loop, loop.replace("add i8 %i, 3", "sub i8 %i, -3"), seconds=5.0, unroll=2)
    assert verdict.outcome is Outcome.UNKNOWN and "times" in verdict.reason and not verdict.timed_out


def test_a_mistake_of_the_checker_is_told_apart_from_what_it_cannot_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbling(*_: object, **__: object) -> None:
        raise KeyError("block")

    monkeypatch.setattr(equivalence, "encode", stumbling)
    verdict = check(WRAPS, ONE)
    assert verdict.outcome is Outcome.UNKNOWN and not verdict.timed_out
    assert verdict.reason == f"{ENCODING_FAILED}KeyError: 'block'"


def test_arguments_are_matched_by_position_and_facts_name_the_sources() -> None:
    b = body("i32 @g(i32 noundef %other)", "ret i32 1")
    assert check(WRAPS, b, "x < 100").accepted


SUMS = body(
    "i32 @f(i32 noundef %n)",
    "entry:",
    "br label %l",
    "l:",
    "%i = phi i32 [ 0, %entry ], [ %j, %l ]",
    "%s = phi i32 [ 0, %entry ], [ %t, %l ]",
    "%t = add i32 %s, %i",
    "%j = add i32 %i, 1",
    "%c = icmp ult i32 %j, %n",
    "br i1 %c, label %l, label %x",
    "x:",
    "ret i32 %t",
)
CLOSED = body(
    "i32 @f(i32 noundef %n)", "%m = add i32 %n, -1", "%p = mul i32 %n, %m", "%r = lshr i32 %p, 1", "ret i32 %r"
)


def test_an_unrolled_loop_is_proved_where_the_facts_bound_it() -> None:
    verdict = check(SUMS, CLOSED, "n <= 8", unroll=8)
    assert verdict.accepted
    assert "no loop is repeated more than 8 times under the assumptions" in verdict.obligations


def test_a_bound_that_is_not_exhaustive_proves_nothing() -> None:
    verdict = check(SUMS, CLOSED, "n <= 8", unroll=5)
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.reason == "a loop may run more often than it was unrolled (5 times)"


def test_an_unrolled_loop_is_refuted_within_the_bound() -> None:
    assert check(SUMS, CLOSED.replace("lshr i32 %p, 1", "lshr i32 %p, 2"), unroll=4).outcome is Outcome.COUNTEREXAMPLE


TWO_LOADS = body(
    "i32 @f(ptr noundef %p)", "%a = load i32, ptr %p", "%b = load i32, ptr %p", "%r = add i32 %a, %b", "ret i32 %r"
)
ONE_LOAD = body("i32 @f(ptr noundef %p)", "%a = load i32, ptr %p", "%r = shl i32 %a, 1", "ret i32 %r")


def test_loads_of_shared_memory_are_not_merged_nor_doubled() -> None:
    assert check(TWO_LOADS, ONE_LOAD).accepted
    assert check(TWO_LOADS, ONE_LOAD, shared=True).outcome is Outcome.COUNTEREXAMPLE
    assert check(ONE_LOAD, TWO_LOADS, shared=True).outcome is Outcome.COUNTEREXAMPLE
    assert check(TWO_LOADS, TWO_LOADS, shared=True).accepted
    assert check(ONE_LOAD, ONE_LOAD.replace("shl i32 %a, 1", "mul i32 %a, 2"), shared=True).accepted


def test_stores_to_shared_memory_keep_their_order_and_value() -> None:
    signature = "void @f(ptr noundef %p, i8 noundef %x)"
    step = "%q = getelementptr i8, ptr %p, i64 1"
    a = body(signature, step, "store i8 %x, ptr %p", "store i8 1, ptr %q", "ret void")
    b = body(signature, step, "store i8 1, ptr %q", "store i8 %x, ptr %p", "ret void")
    assert check(a, b).accepted
    assert check(a, b, shared=True).outcome is Outcome.COUNTEREXAMPLE
    assert check(a, a.replace("i8 %x, ptr", "i8 2, ptr"), shared=True).outcome is Outcome.COUNTEREXAMPLE
    merged = body(signature, step, "store i8 0, ptr %p", "store i8 %x, ptr %p", "store i8 1, ptr %q", "ret void")
    assert check(merged, a).accepted
    assert check(merged, a, shared=True).outcome is Outcome.COUNTEREXAMPLE


ALLOCATORS = [
    (
        "bitmap range mask",
        "i64 @f(i64 noundef %bit, i64 noundef %count)",
        ["%a = icmp uge i64 %count, 64", "%s = shl i64 1, %count", "%m = sub i64 %s, 1",
         "%k = select i1 %a, i64 -1, i64 %m", "%r = shl i64 %k, %bit", "ret i64 %r"],
        ["%n = sub i64 64, %count", "%k = lshr i64 -1, %n", "%r = shl i64 %k, %bit", "ret i64 %r"],
        ["1 <= count <= 64", "bit < 64"],
    ),
    (
        "free-slot test with a tail mask",
        "i1 @f(i64 noundef %bitmap, i64 noundef %slots)",
        ["%c = icmp ult i64 %slots, 64", "%s = shl i64 -1, %slots", "%m = select i1 %c, i64 %s, i64 0",
         "%b = or i64 %bitmap, %m", "%r = icmp eq i64 %b, -1", "ret i1 %r"],
        ["%n = sub i64 0, %slots", "%k = and i64 %n, 63", "%i = xor i64 %bitmap, -1", "%s = shl i64 %i, %k",
         "%r = icmp eq i64 %s, 0", "ret i1 %r"],
        ["1 <= slots <= 64"],
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", ALLOCATORS, ids=lambda case: case[0])
def test_rewrites_of_allocator_arithmetic_need_their_facts(
    case: tuple[str, str, list[str], list[str], list[str]],
) -> None:
    _, signature, before, after, facts = case
    a, b = body(signature, *before), body(signature, *after)
    assert check(a, b).outcome is Outcome.COUNTEREXAMPLE
    assert check(a, b, *facts, seconds=60.0).accepted


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_products_that_differ_by_the_laws_of_a_ring_are_proved_at_every_width(width: int) -> None:
    i = f"i{width}"
    signature = f"{i} @f({i} noundef %x, {i} noundef %y, {i} noundef %z)"
    a = body(signature, f"%a = mul {i} %x, %y", f"%b = mul {i} %x, %z", f"%r = add {i} %a, %b", f"ret {i} %r")
    b = body(signature, f"%s = add {i} %y, %z", f"%r = mul {i} %x, %s", f"ret {i} %r")
    assert check(a, b).accepted


def test_metadata_about_aliasing_may_be_dropped_but_not_added() -> None:
    nodes = '\n!0 = !{!1, !1, i64 0}\n!1 = !{!"int", !2, i64 0}\n!2 = !{!"root"}'
    plain = body("i32 @f(ptr noundef %p)", "%r = load i32, ptr %p", "ret i32 %r")
    tagged = plain.replace("ptr %p\nret", "ptr %p, !tbaa !0\nret") + nodes
    assert check(tagged, tagged).accepted
    assert check(tagged, plain).accepted
    assert not check(plain, tagged).accepted
