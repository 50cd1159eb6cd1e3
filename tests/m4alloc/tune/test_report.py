"""The report: its exit status, and what it is as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.tune.report import DEFAULT, NOTHING, TUNED, UNDECIDED, TuneReport, json_of
from tests.m4alloc.schema import faults
from tests.m4alloc.tune.report_cases import BAD, GOOD, measured, report

SCHEMA = json.loads((Path(__file__).resolve().parents[3] / "docs" / "json-schema" / "tune.json").read_text())


@pytest.mark.parametrize(("verdict", "status"), [(NOTHING, 0), (TUNED, 0), (DEFAULT, 0), (UNDECIDED, 3)])
def test_an_answer_is_0_and_an_interrupt_130_whatever_the_verdict(verdict: str, status: int) -> None:
    assert report(verdict=verdict).exit_status == status
    assert report(verdict=verdict, interrupted=True).exit_status == 130


@pytest.mark.parametrize("one", [report(), report(race=measured(dropped=("time",))), TuneReport(name="x", course={})])
def test_it_obeys_its_schema_and_is_json(one: TuneReport) -> None:
    plain = json.loads(json.dumps(one.to_json(), allow_nan=False))
    assert list(faults(plain, SCHEMA)) == []


def test_what_was_refused_is_told_apart() -> None:
    one = report()
    assert [each.name for each in one.refused] == ["front 2"] and one.evaluations == 3
    assert one.to_json()["evaluations"] == 3 and "seen" not in one.to_json()


def test_a_strategy_is_its_knobs_and_infinity_null() -> None:
    assert json_of(GOOD)["refill_batch"] == 8 and json_of(BAD)["delay_line"] == 1
    assert json_of({1: (float("nan"), 2.0)}) == {"1": [None, 2.0]}
