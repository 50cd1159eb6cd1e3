"""`m4alloc model`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from m4alloc.cli.main import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_model_that_holds_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "peterson", "--engine", "own", "--fair"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "model       peterson: 2 processes, 5 cells, 14 commands"
    assert lines[1].startswith("deadlock    HOLDS      42 states, 94 transitions, depth ")
    assert lines[-1] == "            under weak fairness of every process; of all runs: VIOLATED"


def test_a_violation_ends_with_1_and_replays(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "philosophers", "--engine", "own", "--const", "ORDERED=false", "--property", "deadlock"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == [
        "  claim   deadlock",
        "  replay  m4alloc model --replay findings/philosophers-deadlock.json",
        "  file    findings/philosophers-deadlock.json",
    ]
    assert main(lines[-2].split()[2:]) == 1
    replayed = capsys.readouterr().out.splitlines()
    assert replayed[0] == "model   philosophers, ORDERED = 0"
    assert [line.strip() for line in replayed[1:-2]] == [line.strip() for line in lines[2:-3]]
    assert replayed[-1] == "11 steps replayed"


def test_output_dash_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "peterson", "--engine", "own", "-o", "-"]) == 1
    assert not list(Path.cwd().iterdir())
    assert "replay" not in capsys.readouterr().out


def test_a_bound_ends_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "leader", "--engine", "own", "--states", "50", "--property", "deadlock"]) == 3
    assert "not decided: more than 50 states" in capsys.readouterr().out


def test_json_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "peterson", "--engine", "own", "--property", "exclusive", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["answers"][0]["verdict"] == "HOLDS" and report["exit_status"] == 0


def test_the_list_needs_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "--list"]) == 0
    assert "free_list: a free-list allocator with one lock" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "no model is named; give a file or a bundled model (m4alloc model --list)"),
        (("free-list",), "no bundled model is called free-list; did you mean free_list?"),
        (("no/such.m4m",), "No such file or directory"),
        (("peterson", "--const", "SAYS_LATE"), "--const SAYS_LATE: NAME=VALUE with a whole number, true or false"),
        (("peterson", "--const", "A=1"), "the model has no constant A; it has SAYS_LATE"),
        (("peterson", "--memory", "much"), "--memory: 'much' is no number of bytes; 1000000, 64Ki, 500M and 1.5G are"),
        (("peterson", "--property", "[](critical0"), "line 1, column 13: the formula ends before a parenthesis"),
        (("peterson", "--engine", "spin", "--states", "5"), "SPIN has no bound on states"),
        (("peterson", "--engine", "spin", "--symmetry"), "SPIN knows nothing of symmetry"),
        (("--replay", "no/such.json"), "No such file or directory"),
    ],
)
def test_wrong_usage_is_status_2(words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("m4alloc model: ") and message in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.m4m",), "nothing.m4m: No such file or directory"),
        (("--replay", "nothing.json"), "nothing.json: No such file or directory"),
        (("peterson", "--budget", "nan"), "--budget: 'nan' is no time; 60, 60s, 1.5m, 2h and 250ms are"),
        (("peterson", "--svg", "no/such.svg"), "no/such.svg cannot be written: no is no folder that can be written to"),
        (("peterson", "--property", "exclusiv"), "no property or proposition exclusiv; did you mean exclusive?"),
        (("peterson", "--property", '[]"p[0]@crit"'), "p[0] has no location crit; it has critical, waiting"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("m4alloc model: ") and err.endswith(f"{message}\n")
    assert err.count("\n") == 1
