"""The checker of temporal logic rows: samples pass, and a wrong value in any field that it answers is found."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from m4alloc.vectors.ltl import QUESTIONS, TOO_LARGE, check
from m4alloc.vectors.registry import UnknownVectorError, find
from m4alloc.vectors.row import RowError, Skip
from m4alloc.vectors.run import judge
from spec.ltl import decide
from spec.ltl.error import TooLargeError
from spec.ltl.formula import Formula

FOLDER = Path(__file__).parents[2] / "vectors" / "ltl"
SLOW = ("gh-q-7", "go-theta-7", "u-left-12", "r-left-12", "r-right-11", "kv-psi-2", "kv-psi-3", "and-gf-8", "and-fg-7")
"""Formulas whose translation takes a large part of a second, or more."""
STEP = {"formulas": 4, "lasso": 8, "ltl3": 8, "pairs": 5, "ltlf": 8}
FIELDS = {
    "formulas": {
        "sat",
        "valid",
        "safety",
        "liveness",
        "guarantee",
        "obligation",
        "recurrence",
        "persistence",
        "stutter_invariant",
        "syntactic_safety",
        "monitor_states",
        "neg_monitor_states",
    },
    "lasso": {"accepts"},
    "ltl3": {"ltl3", "decided_at", "ltlf_strongX", "rvltl"},
    "pairs": {"equivalent", "left_implies_right", "right_implies_left", "witness"},
    "ltlf": {"ltlf"},
}


def rows(kind: str, step: int = 1) -> list[dict[str, Any]]:
    with gzip.open(FOLDER / f"{kind}.public.jsonl.gz", "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [row for row in found if row["name"] not in SLOW][::step]


@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_specification_agrees_with_a_sample(kind: str) -> None:
    for row in rows(kind, STEP[kind]):
        assert check(kind, row) == [], row


@pytest.mark.campaign
@pytest.mark.parametrize("kind", QUESTIONS)
def test_the_specification_agrees_with_every_row(kind: str) -> None:
    report = judge(FOLDER / f"{kind}.public.jsonl.gz")
    assert (report.failed, report.skipped) == (0, 0), report.lines()


def wrong(value: object) -> object:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, dict):
        return {**value, "left": not value["left"]}
    return "presumably" if isinstance(value, str) else 1 + value if isinstance(value, int) else 1


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_wrong_value_in_any_answered_field_is_found(kind: str) -> None:
    row = next(
        row for row in rows(kind) if all(row.get(field) is not None or field == "decided_at" for field in FIELDS[kind])
    )
    for field in FIELDS[kind]:
        found = check(kind, {**row, field: wrong(row[field])})
        assert isinstance(found, list) and {mismatch.field.partition(",")[0] for mismatch in found} == {field}, field


def test_what_the_reference_did_not_answer_is_not_asked() -> None:
    row = {**rows("formulas")[0], **dict.fromkeys(FIELDS["formulas"])}
    assert check("formulas", row) == []


def test_a_row_that_is_too_large_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(left: Formula, right: Formula) -> None:
        raise TooLargeError("states=0")

    for name in ("difference", "implies"):
        monkeypatch.setattr(decide, name, refuse)
    assert check("pairs", {**rows("pairs")[0], "witness": None}) == Skip(TOO_LARGE)


@pytest.mark.parametrize(
    ("kind", "row", "message"),
    [
        ("ltlf", {"formula": "p", "ltlf": True}, "ltlf row without the field 'word': it has formula, ltlf"),
        ("ltlf", {"formula": "p", "word": [["p"]]}, "ltlf row without the field ltlf: it has formula, word"),
        ("ltlf", {"formula": "p &", "word": [["p"]], "ltlf": True}, "ltlf row that cannot be: line 1, column 4"),
        (
            "lasso",
            {"formula": "p", "prefix": 3, "cycle": [], "accepts": True},
            "lasso row that cannot be: 'int' object",
        ),
        (
            "lasso",
            {"formula": "p", "prefix": [], "cycle": [], "accepts": True},
            "lasso row that cannot be: the cycle is empty",
        ),
        (
            "ltl3",
            {**dict.fromkeys(FIELDS["ltl3"], 1), "formula": "p", "prefix": []},
            "that cannot be: the word is empty",
        ),
    ],
)
def test_a_row_that_cannot_be_is_an_error_that_names_what_is_wrong(
    kind: str, row: dict[str, Any], message: str
) -> None:
    with pytest.raises(RowError, match=message):
        check(kind, row)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_a_files_name_says_its_kind(kind: str) -> None:
    check_of_file = find(f"somewhere/{kind}.public.jsonl.gz")
    assert check_of_file.args == (kind,)  # type: ignore[attr-defined]
    with pytest.raises(UnknownVectorError, match="temporal logic formulas, lasso, ltl3, pairs, ltlf"):
        find(f"{kind}x.jsonl")
