"""The superoptimiser's cases: what is expected is judged, and what cannot be read is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.cli import main
from m4alloc.vectors.run import VectorError, judge

CASES = Path(__file__).resolve().parents[2] / "vectors" / "superopt" / "cases.json"
SUM = "define i8 @f(i8 noundef %x, i8 noundef %y) { %r = add i8 %x, %y ret i8 %r }"
SAME = "define i8 @f(i8 noundef %x, i8 noundef %y) { %r = add i8 %y, %x ret i8 %r }"
FLAG = "define i8 @f(i8 noundef %x, i8 noundef %y) { %r = add nsw i8 %y, %x ret i8 %r }"
ZERO = "define i8 @f(i8 noundef %x, i8 noundef %y) { %a = add i8 %x, %y %r = sub i8 %a, %y ret i8 %r }"
X = "define i8 @f(i8 noundef %x, i8 noundef %y) { ret i8 %x }"


def cases(folder: Path, **kinds: list[dict[str, object]]) -> Path:
    """A file of cases in the folder, with the functions above beside it."""
    for name, text in {"sum": SUM, "same": SAME, "flag": FLAG, "zero": ZERO, "x": X}.items():
        (folder / f"{name}.ll").write_text(text)
    (folder / "cases.json").write_text(json.dumps(kinds, indent=1))
    return folder / "cases.json"


def pair(name: str, first: str, second: str, expected: str) -> dict[str, object]:
    return {"id": name, "a": f"{first}.ll", "b": f"{second}.ll", "expected": expected}


def test_pairs_are_judged_and_the_line_is_told(tmp_path: Path) -> None:
    rows = [
        pair("p1", "sum", "same", "accept"),
        pair("n1", "sum", "flag", "reject"),
        pair("n2", "sum", "flag", "accept"),
    ]
    report = judge(cases(tmp_path, pairs=rows))
    (failure,) = report.failures
    assert (report.passed, report.failed) == (2, 1) and failure.row["id"] == "n2"
    assert str(failure.mismatches[0]) == "expected: reference accept, model reject"
    assert '"n2"' in (tmp_path / "cases.json").read_text().splitlines()[failure.line - 1]


@pytest.mark.slow
def test_the_fewest_known_have_to_be_reached_and_the_best_to_be_right(tmp_path: Path) -> None:
    row = {"id": "s1", "src": "zero.ll", "best": "x.ll", "best_known_ir": 0}
    assert judge(cases(tmp_path, superopt=[row]), budget=5.0).passed == 1
    wrong = {"id": "s2", "src": "zero.ll", "best": "sum.ll", "best_known_ir": 0}
    fewer = {"id": "s3", "src": "x.ll", "best": "x.ll", "best_known_ir": -1}
    report = judge(cases(tmp_path, superopt=[wrong, fewer]), budget=1.0)
    assert [[str(one) for one in failure.mismatches] for failure in report.failures] == [
        ["best: reference refines, model counterexample"],
        ["best_known_ir: reference -1, model 0"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[]", "an object with the fields pairs and superopt is wanted"),
        ('{"pairs": [{}]}', "a row of pairs has no id"),
        ('{"pairs": [{"id": "p", "a": "a.ll"}]}', "row p: "),
        ('{"superopt": [{"id": "s", "src": "x.ll", "best": "x.ll"}]}', "row s has no number best_known_ir"),
        ('{"pairs": [{"id": "p", "a": "x.ll", "expected": "accept"}]}', "row p has no field 'b'"),
    ],
)
def test_what_cannot_be_judged_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = cases(tmp_path)
    path.write_text(text)
    with pytest.raises(VectorError, match=message.replace("(", r"\(")):
        judge(path)
    with pytest.raises(VectorError, match="No such file"):
        judge(tmp_path / "none.json")


def test_the_verb_takes_a_budget_and_tells_a_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = cases(tmp_path, pairs=[pair("n1", "sum", "flag", "accept")])
    assert main.main(["vectors", "--budget", "1", str(path)]) == 1
    assert "0 passed, 1 failed" in capsys.readouterr().out


@pytest.mark.campaign
def test_every_public_case_passes_by_the_default_budget() -> None:
    report = judge(CASES)
    assert (report.failed, report.passed) == (0, 21)
