"""The table of what tuning gains: its programs, its rows, what it says of those that lose; no figure is looked at."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import tuning
from benchmarks.traces.programs import HELD_OUT, PROGRAMS, TRAIN
from m4alloc.bench.catalogue import catalogue

TRUE = tuning.Subject("true", "real", {TRAIN: "nothing", HELD_OUT: "nothing"}, lambda folder, which: ["true"])


def built(cpu: float, peak: float = 1.0, said: str = "better") -> dict[str, Any]:
    """What is kept of a measurement of a tuned build."""
    axes = {"cpu": said, "wall": "same", "peak": "same"}
    found = {"cpu": [cpu, cpu, cpu], "wall": [1.0, 1.0, 1.0], "peak": [peak, peak, peak], "axes": axes, "pays": True}
    return {"tuned": found, "rounds": 6}


def row(name: str, time: float = 0.2, memory: float = 0.0, held_out: dict[str, Any] | None = None) -> dict[str, Any]:
    """A row of the table with that headroom; tuned when there is a measurement on the held-out input."""
    return {
        "name": name,
        "headroom": {"time": time, "memory": memory, "fastest": ["mimalloc", 1 - time]},
        "verdict": "tuned" if held_out else "default",
        "why": "the reason",
        "chosen": "balanced",
        "strategy": "refill_batch=128",
        TRAIN: held_out,
        HELD_OUT: held_out,
    }


def test_there_are_ten_benchmarks_at_least_and_every_real_program() -> None:
    found = tuning.subjects()
    assert sum(one.kind == "benchmark" for one in found) >= 10
    assert [one.name for one in found if one.kind == "real"] == [program.name for program in PROGRAMS]
    assert {one.name for one in found if one.kind == "benchmark"} == {one.name for one in catalogue() if not one.fixed}


def test_the_held_out_input_is_another_one() -> None:
    assert all(one.about[TRAIN] != one.about[HELD_OUT] for one in tuning.subjects())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["perl", "sqlite3", "git"])
def test_a_real_program_runs_again_as_if_for_the_first_time(name: str, tmp_path: Path) -> None:
    subject = next(one for one in tuning.subjects() if one.name == name)
    if subject.missing:
        pytest.skip(subject.missing)
    command = subject.command(tmp_path, TRAIN)
    outputs = [subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)]
    assert outputs[0] == outputs[1] != b""


def test_the_gain_of_the_default_is_nothing_whatever_was_measured() -> None:
    assert tuning.gains({**row("a", held_out=built(0.5)), "verdict": "default"}, HELD_OUT) == {"cpu": 0.0, "peak": 0.0}
    assert tuning.gains(row("a", held_out=built(0.5, 2.0)), HELD_OUT) == {"cpu": 0.5, "peak": -1.0}


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (row("a", 0.09, 0.0), "small headroom"),
        (row("a", 0.2, 0.0, built(0.89)), "reached"),
        (row("a", 0.2, 0.0, built(0.91)), "missed in time"),
        (row("a", 0.0, 0.2, built(1.0, 0.86)), "missed in memory"),
        (row("a", 0.2, 0.2, built(0.8, 0.8)), "reached"),
        (row("a", 0.2, 0.2), "missed in time and memory"),
        ({**row("a"), "headroom": None}, "not measured"),
    ],
)
def test_half_of_the_headroom_and_a_part_that_counts_are_wanted_on_the_held_out_input(
    one: dict[str, Any], said: str
) -> None:
    assert tuning.judged(one) == said


def test_every_program_has_a_row_and_those_that_lose_are_named() -> None:
    rows = [row("first", held_out=built(0.9)), row("second"), row("third", held_out=built(1.3, said="worse"))]
    rows.append({"name": "fourth", "error": "BenchError: it does not run"})
    printed = tuning.lines(rows)
    assert [line.split()[0] for line in printed[2:6]] == ["first", "second", "third", "fourth"]
    assert printed[-2:] == ["third, train: cpu 1.30, worse", "third, held-out: cpu 1.30, worse"]
    assert "second: the default: the reason" in printed
    assert tuning.lines(rows[:2])[-1] == "no recommended build is worse than the default beyond the noise"


def test_a_build_that_was_given_up_is_no_row_that_loses() -> None:
    given_up = {**row("first"), TRAIN: built(1.3, said="worse")}
    assert tuning.worse([given_up]) == []
    assert "1.30 +-0% (not kept)" in "\n".join(tuning.lines([given_up]))


def test_finished_rows_are_kept_in_the_file_and_not_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def once(subject: tuning.Subject, *_: object) -> dict[str, Any]:
        made.append(subject.name)
        return {**row(subject.name), "interrupted": len(made) == 2}

    monkeypatch.setattr(tuning, "tuned", once)
    other = tuning.Subject("other", "real", TRUE.about, TRUE.command)
    words = ["--json", str(tmp_path / "rows.json"), "--output", str(tmp_path)]
    assert tuning.main(words, [TRUE, other]) == 130
    assert [one["name"] for one in json.loads((tmp_path / "rows.json").read_text())["rows"]] == ["true"]
    assert tuning.main(words, [TRUE, other]) == 0
    assert made == ["true", "other", "other"]
    assert "other  " in capsys.readouterr().out


def test_a_program_that_cannot_be_tuned_leaves_a_row_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tuning.Subject("wrong", "real", TRUE.about, lambda folder, which: [str(folder / "nothing")])
    fails = tuning.Subject("fails", "real", TRUE.about, lambda folder, which: ["sh", "-c", "kill -9 $$"])
    assert tuning.main(["--output", str(tmp_path), "--json", str(tmp_path / "rows.json")], [wrong, fails]) == 0
    rows = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert [one["name"] for one in rows] == ["wrong", "fails"]
    assert "nothing does not exist" in rows[0]["error"] and "SIGKILL" in rows[1]["error"]
    assert capsys.readouterr().out.count("Error:") == 2


@pytest.mark.campaign
def test_a_program_is_tuned_and_measured_on_both_inputs(tmp_path: Path) -> None:
    words = ["--only", "sh6", "--budget", "20", "--rounds", "6", "--output", str(tmp_path)]
    assert tuning.main([*words, "--json", str(tmp_path / "rows.json")]) == 0
    (found,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert found["headroom"]["time"] > 0 and found["evaluations"] >= 20
    assert found["verdict"] in ("tuned", "default")
    assert (found[HELD_OUT] is not None) == (found["verdict"] == "tuned")


def test_a_program_that_is_not_installed_is_left_out_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tuning.Subject("gone", "real", TRUE.about, TRUE.command, "apt install gone")
    assert tuning.main(["--output", str(tmp_path)], [gone]) == 0
    assert capsys.readouterr().err == "gone was left out: apt install gone\n"


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        tuning.main(["--only", "emacs"], [TRUE])
    assert "--only emacs: the programs are true" in capsys.readouterr().err


def test_other_allocators_are_told_as_they_come_and_as_advised() -> None:
    measured = {"glibc": {"cpu": [2.0], "peak": [1.0]}, "glibc:tuned": {"cpu": [1.0], "peak": [1.5]}}
    advice = {"glibc": {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=100"}, "mimalloc": {}}
    printed = tuning.other_lines([{"name": "sh6", "advice": advice, "measured": measured}])
    assert printed[2].split() == ["sh6", "glibc", "2.00", "1.00", "1.00", "1.50", "0.50", "1.50"]
    assert printed[-1] == "sh6, glibc: GLIBC_TUNABLES=glibc.malloc.tcache_count=100"
