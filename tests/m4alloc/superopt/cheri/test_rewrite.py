"""m4alloc.superopt.cheri.rewrite: cheaper programs, each step proved, each refusal told."""

from __future__ import annotations

from importlib.resources import files

import pytest

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, Isa
from m4alloc.superopt.cheri import rewrite
from m4alloc.superopt.cheri.edits import edits, matched
from m4alloc.superopt.cheri.mnemonics import count, to_morello
from m4alloc.superopt.cheri.notation import parsed, unparsed
from m4alloc.superopt.cheri.reader import read_text
from m4alloc.superopt.cheri.rewrite import Rewritten, rewritten
from m4alloc.superopt.cheri.term import Number, Sort, TermError, Variable
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Outcome, Verdict

CAP = "ptr addrspace(200)"
SET, AND, INC = "bounds.set.i64", "perms.and.i64", ""
ARENA = (
    "tag(arena) and not sealed(arena)",
    "addr(arena) == base(arena)",
    "within(arena, addr(arena), 65536)",
    "offset <= 61312",
)


def run(body: str, *facts: str, isa: Isa = ISAV9_128, seconds: float = 40.0) -> Rewritten:
    text = f"define {CAP} @f({CAP} noundef %c, i64 noundef %n) {{\n{body}\n}}"
    return rewritten(read_text(text), [Fact(fact) for fact in facts], isa=isa, seconds=seconds)


def call(name: str, result: str, of: str, value: str) -> str:
    return f"%{result} = call {CAP} @llvm.cheri.cap.{name}({CAP} %{of}, i64 {value})\n"


def example(name: str, *facts: str, isa: Isa = ISAV9_128) -> Rewritten:
    text = files("m4alloc.superopt.cheri").joinpath("examples", f"{name}.ll").read_text(encoding="utf-8")
    return rewritten(read_text(text), [Fact(fact) for fact in facts], isa=isa, seconds=120.0)


def test_bounds_and_permissions_are_grouped_and_each_step_has_its_proof() -> None:
    body = call(SET, "x", "c", "%n") + call(AND, "y", "x", "3") + call(SET, "z", "y", "%n") + f"ret {CAP} %z"
    found = run(body)
    assert found.result.cost == 2 < found.source.cost
    assert found.proof.accepted
    assert found.steps and all(step.proof.accepted for step in found.steps)


@pytest.mark.slow
def test_moves_are_merged_only_where_they_are_known_to_stay_in_bounds() -> None:
    body = f"%x = getelementptr i8, {CAP} %c, i64 64\n%y = getelementptr i8, {CAP} %x, i64 32\nret {CAP} %y"
    bare = run(body)
    assert not bare.steps
    assert any(str(one).startswith("refused: U6 at y would gain a tag") for one in bare.refused)
    known = run(body, "tag(c) and not sealed(c)", "addr(c) == base(c)", "within(c, addr(c), 128)")
    assert unparsed(known.result.term) == "let(y, inc(c, 96), y)"
    assert [step.rule for step in known.steps] == ["S8"]


def test_an_unused_manipulation_goes_where_it_cannot_trap() -> None:
    body = call(SET, "x", "c", "%n") + f"ret {CAP} %c"
    assert unparsed(run(body).result.term) == "c"
    kept = run(body, isa=ISAV8_128)
    assert not kept.steps and "refused: U22 at x would remove a trap: finding" in str(kept)


def test_what_cannot_be_decided_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def unknown(*args: object, **named: object) -> Verdict:
        asked.append(args)
        return Verdict(Outcome.UNKNOWN, "SMT", "not decided in 0 s")

    monkeypatch.setattr(rewrite, "refines", unknown)
    found = run(call(SET, "x", "c", "%n") + call(SET, "y", "x", "%n") + f"ret {CAP} %y")
    assert asked and not found.steps and found.result == found.source
    assert "nothing was found" in str(found) and "not decided: not decided in 0 s" in str(found)


def test_a_program_of_another_width_is_refused() -> None:
    program = read_text(f"define {CAP} @f({CAP} noundef %c) {{ ret {CAP} %c }}", bits=32)
    with pytest.raises(TermError, match="f has addresses of 32 bits, and ISAv9 128 of 64"):
        rewritten(program, isa=ISAV9_128)


def test_rules_match_through_steps_and_say_what_they_cover() -> None:
    program = read_text(
        f"define {CAP} @f({CAP} noundef %c) {{\n"
        + call(SET, "x", "c", "8") + call(SET, "y", "x", "8") + f"ret {CAP} %y }}"
    )  # fmt: skip
    defined = {step.name: step.value for step in program.steps}
    found = matched(parsed("set(set(c, n), n)"), defined["y"], defined)
    assert found == ({"c": Variable("c", Sort.CAP), "n": Number(8)}, frozenset({"x"}))
    assert matched(parsed("set(set(c, n), n + 1)"), defined["y"], defined) is None
    assert {edit.rule for edit in edits(program, ISAV9_128, tempting=False)} == {"S1", "S2"}


def test_arms_of_a_branch_are_rewritten_with_what_came_before() -> None:
    text = f"""define {CAP} @f({CAP} noundef %c, i64 noundef %n) {{
        {call(SET, "x", "c", "%n")}
        %t = icmp ult i64 %n, 8
        br i1 %t, label %a, label %b
        a: {call(SET, "y", "x", "%n")} ret {CAP} %y
        b: ret {CAP} %x }}"""
    found = rewritten(read_text(text), isa=ISAV9_128, seconds=40.0)
    assert found.proof.accepted
    assert found.result.cost < found.source.cost


@pytest.mark.campaign
@pytest.mark.parametrize("isa", (ISAV9_128, ISAV8_128, MORELLO), ids=str)
def test_the_fast_path_of_malloc_loses_three_operators_of_seven(isa: Isa) -> None:
    found = example("malloc_slot", *ARENA, isa=isa)
    assert found.proof.accepted
    assert (found.source.cost, found.result.cost) == (7, 4)
    assert count(to_morello(found.result)) < count(to_morello(found.source))


@pytest.mark.campaign
def test_without_the_arenas_bounds_the_moves_of_malloc_stay() -> None:
    found = example("malloc_slot")
    assert (found.source.cost, found.result.cost) == (7, 5)
    assert any(str(one).startswith("refused: U6") for one in found.refused)


@pytest.mark.campaign
def test_the_fast_path_of_free_reaches_its_header_in_one_move() -> None:
    found = example("free_check", "tag(arena) and not sealed(arena)", "within(arena, addr(pointer) & -4096, 4096)")
    assert found.proof.accepted
    assert (found.source.cost, found.result.cost) == (7, 4)


@pytest.mark.campaign
def test_the_fallback_for_inexact_bounds_goes_where_tags_are_cleared_and_stays_where_they_trap() -> None:
    assert example("aligned_class").result.cost == 2
    found = example("aligned_class", isa=ISAV8_128)
    assert any(str(one).startswith("refused: U11 at exact would remove a trap") for one in found.refused)
