"""The report as text says what changed, whether it is proved, and why nothing happened."""

from __future__ import annotations

from dataclasses import replace

import pytest

from m4alloc.superopt import text
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.prove_rules import listing
from m4alloc.superopt.report import Estimated, VerifyReport
from m4alloc.superopt.verdict import Counterexample, Outcome, Verdict
from tests.m4alloc.superopt.report_cases import report


def lines(width: int = 120, **changes: object) -> list[str]:
    return list(text.lines(replace(report(), **changes), width))  # type: ignore[arg-type]


def test_the_overview_has_every_function_with_its_costs_or_its_reason() -> None:
    told = lines()
    assert told[0].startswith("module.ll: 4 functions, 2 made cheaper (")
    assert told[1].startswith("  @sum    3 -> 1 IR instructions, ") and told[1].endswith("; no cheaper than LLVM -O3")
    assert told[2].startswith("  @moved  no piece of it can be searched: ")
    assert told[3].startswith("  @least  nothing cheaper")


def test_before_and_after_stand_side_by_side_and_below_each_other_where_it_is_narrow() -> None:
    assert any(row.startswith("  %a = add i32 %x, %y") and " | " in row for row in lines())
    narrow = lines(40)
    assert narrow.index("before:") < narrow.index("after:") and "  %b = sub i32 %a, %x" in narrow


def test_the_proof_is_told_with_what_it_assumes_and_what_was_shown() -> None:
    told = lines()
    assert any(row.startswith("proof      PROVED by SMT in ") for row in told)
    assert "assuming   x < 1000 (given)" in told
    assert any(row.startswith("shown      ") for row in told)
    assert any(row.startswith("step       1. llvm -O3 at the function: PROVED") for row in told)


def test_a_function_with_calls_is_proved_piece_by_piece_and_says_so() -> None:
    told = lines()
    assert any(
        row.startswith("proof      each piece PROVED by itself: the function as a whole was not") for row in told
    )
    assert any(row.startswith("  proof      PROVED by SMT") for row in told)


def test_times_have_their_intervals_and_what_was_not_measured_its_reason() -> None:
    told = lines()
    assert "latency    2.00 -> 1.00 ns: faster, 0.50 (0.45 to 0.55) of the time" in told
    assert "throughput 2.00 -> 1.00 ns: no significant difference (0.40 to 1.20 of the time)" in told
    assert "time       not measured: made up" in told


def test_of_one_function_it_is_told_why_nothing_was_found() -> None:
    told = lines(functions=report().functions[2:3], wanted=1)
    assert told[0] == "@least of module.ll" and "cost       1 IR instruction, " in "\n".join(told)
    assert told[told.index("nothing cheaper was found:") + 1].startswith("  ")


def test_of_a_function_that_cannot_be_searched_the_reason_is_told() -> None:
    told = lines(functions=report().functions[1:2], wanted=1)
    assert any(row.startswith("not searched: no piece of it can be searched") for row in told)


def test_what_was_skipped_written_and_interrupted_is_told() -> None:
    told = lines(files=("out/after.ll",), interrupted=True, wanted=9, resume="m4alloc superopt x")
    assert "skipped    @odd: it has a landing pad" in told and "written    out/after.ll" in told
    assert told[-1] == (
        "interrupted: what is above is the best so far of 4 functions of 9; it goes on with: m4alloc superopt x"
    )


def test_assembly_is_shown_when_it_is_asked_for() -> None:
    whole = report()
    assert not any("retq" in row for row in text.lines(whole, 120))
    assert any("retq" in row for row in text.lines(whole, 120, assembly=True))


def test_a_verdict_is_told_with_the_input_that_shows_it() -> None:
    function = parse_function("define i8 @f(i8 %x) { ret i8 %x }")
    seen = Counterexample((("x", "1"),), "1", "2")
    verdict = Verdict(Outcome.COUNTEREXAMPLE, "tests", counterexample=seen)
    told = list(text.verified(VerifyReport("a.ll", "b.ll", function, function, verdict), 100))
    assert told[0].startswith("a.ll") and told[-2].startswith("proof      REFUTED by tests")
    assert told[-1] == "input      x = 1: the source gives 1, the target 2"


def test_a_source_that_is_always_undefined_is_no_proof() -> None:
    told = list(text.proof(Verdict(Outcome.REFINES, "SMT", vacuous=True)))
    assert told[0].startswith("proof      the first is UNDEFINED for every input")


def test_rules_are_listed_with_their_widths_and_reasons() -> None:
    told = list(text.rules(listing("identity")))
    row = next(row for row in told if row.startswith("add-zero "))
    assert "(add x 0) -> x" in row and " 8, 16, 32, 64 bits" in row
    assert told[told.index(row) + 1].strip()


def test_widths_that_are_only_sampled_or_left_out_are_listed_as_such() -> None:
    rows = (replace(listing("identity")[0], widths=(1, 8), not_proved=((16, "sampled"), (32, "left out"))),)
    assert next(text.rules(rows)).endswith("  proved at 1, 8 bits; sampled at 16 bits; left out at 32 bits")
    none = (replace(rows[0], widths=()),)
    assert next(text.rules(none)).endswith("  sampled at 16 bits; left out at 32 bits")
    told = [row for row in listing() if row.not_proved]
    assert {how for row in told for _, how in row.not_proved} == {"sampled", "left out"}
    assert all(not {width for width, _ in row.not_proved} & set(row.widths) for row in told)


def test_llvm_mca_is_told_where_it_says_something_and_missed_where_latency_is_the_objective() -> None:
    one = report().functions[0]
    assert "llvm-mca   4.5 -> 2.5 cycles (throughput 1 -> 0.5), in a row of 100 on haswell" in lines()
    missing = replace(one, estimated=Estimated(reason="llvm-mca is not installed"))
    assert list(text.estimates(missing, "ir")) == []
    assert list(text.estimates(missing, "latency")) == ["llvm-mca   no estimate: llvm-mca is not installed"]


@pytest.mark.parametrize(
    ("smaller", "told"),
    [
        (0, "it has no instruction"),
        (1, "every program without an instruction over enumeration's operations and constants was tried"),
        (3, "every program of up to 2 instructions over enumeration's operations and constants was tried"),
    ],
)
def test_what_was_tried_is_no_more_than_what_enumeration_knows(smaller: int, told: str) -> None:
    one = report().functions[2]
    piece = one.pieces[0]
    settled = replace(piece, result=replace(piece.result, settled=True))
    price = replace(one.cost_before, ir=smaller)
    assert text.nothing(replace(one, pieces=(settled,), cost_before=price)) == f"nothing cheaper: {told}"


def test_how_a_file_was_read_is_told() -> None:
    assert "note       typed" in lines(notes=("typed",))
