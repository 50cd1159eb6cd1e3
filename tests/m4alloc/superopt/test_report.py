"""The report of a superoptimisation: what it stands for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from m4alloc.superopt import text
from m4alloc.superopt.page import page
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.report import Rewritten, VerifyReport
from m4alloc.superopt.report_json import rewritten_json
from m4alloc.superopt.verdict import Counterexample, Outcome, Verdict
from tests.m4alloc.schema import faults
from tests.m4alloc.superopt.report_cases import report

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "json-schema" / "superopt.json").read_text())


def test_the_json_obeys_its_schema() -> None:
    told = json.loads(json.dumps(report().to_json()))
    assert list(faults(told, SCHEMA["$defs"]["rewrite"], SCHEMA)) == []
    assert [one["improved"] for one in told["functions"]] == [True, False, False, True]


def test_a_verdict_with_a_counterexample_obeys_it_too() -> None:
    function = parse_function("define i8 @f(i8 %x) { ret i8 %x }")
    seen = Counterexample((("x", "1"),), "1", "2", (("p", "0"),))
    told = VerifyReport("a", "b", function, function, Verdict(Outcome.COUNTEREXAMPLE, "tests", counterexample=seen))
    assert list(faults(json.loads(json.dumps(told.to_json())), SCHEMA["$defs"]["verify"], SCHEMA)) == []
    assert told.exit_status == 1


def test_an_answer_is_0_nothing_to_search_3_and_an_interrupt_130() -> None:
    whole = report()
    assert whole.exit_status == 0 and len(whole.improved) == 2
    assert replace(whole, functions=whole.functions[2:3]).exit_status == 0
    assert replace(whole, functions=whole.functions[1:2]).exit_status == 3
    assert replace(whole, interrupted=True).exit_status == 130


def test_what_was_proved_is_the_whole_or_each_piece() -> None:
    assert [one.proof for one in report().functions] == ["whole", "", "", "pieces"]


def test_the_assumptions_are_those_of_the_proofs_that_were_used() -> None:
    first, _, third, fourth = report().functions
    assert [fact.text for fact in first.assumptions] == ["x < 1000"]
    assert third.assumptions == fourth.assumptions == ()


def test_what_is_no_cheaper_than_llvm_is_told_so() -> None:
    first = report().functions[0]
    assert first.cost_llvm == first.cost_after and not first.beats_llvm  # LLVM's result is what was found
    assert text.remarks(first) == (text.NO_GAIN,)
    told = function_json(first)
    assert told["llvm_o3"]["ir"] == 1 and told["beats_llvm_o3"] is False
    dearer = replace(first, cost_llvm=replace(first.cost_after, objective=2.0, ir=2))
    assert dearer.beats_llvm and text.remarks(dearer) == () and function_json(dearer)["beats_llvm_o3"] is True
    lines = list(text.lines(replace(report(), functions=(dearer,), wanted=1), 120))
    assert lines[0] == "@sum of module.ll"
    assert any(row.strip().startswith("source 3 -> -O3 2 -> found 1 IR; source ") for row in lines)
    alone = replace(first, cost_llvm=None)
    assert text.remarks(alone) == () and function_json(alone)["llvm_o3"] is None


def function_json(one: Rewritten) -> dict[str, Any]:
    """As JSON, by the schema."""
    told = json.loads(json.dumps(rewritten_json(one)))
    assert list(faults(told, SCHEMA["$defs"]["function"], SCHEMA)) == []
    assert isinstance(told, dict)
    return told


def test_what_is_cheaper_may_be_slower_and_that_is_told() -> None:
    first = report().functions[0]
    assert not first.is_slower and first.measured is not None and first.measured.latency is not None
    slow = replace(first.measured.latency, ratio=1.5, low=1.4, high=1.6)
    worse = replace(first, measured=replace(first.measured, latency=slow))
    assert worse.is_slower
    assert not replace(
        first, measured=replace(first.measured, latency=slow, throughput=first.measured.latency)
    ).is_slower
    assert first.is_recommended and not worse.is_recommended
    told = function_json(worse)
    assert (told["slower"], told["recommended"]) == (True, False)
    whole = replace(report(), functions=(worse,))
    head = next(text.lines(replace(whole, wanted=1), 120))
    assert head.startswith(f"@sum of module.ll; {text.NOT_RECOMMENDED}")
    assert next(text.lines(whole, 120)).startswith("module.ll: 4 functions, 1 made cheaper (1 measured slower")
    assert text.NOT_RECOMMENDED.capitalize() in page(whole)
    assert f"but        {text.SLOWER}" in list(text.lines(whole, 120)) and text.SLOWER in page(whole)
