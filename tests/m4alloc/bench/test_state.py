"""What has been run is kept run by run, and a line cut short is no run."""

from __future__ import annotations

from pathlib import Path

from m4alloc.bench.job import Job, Kind
from m4alloc.bench.state import Measured, State

JOBS = [Job(Kind.PROGRAM, "cfrac", 0, "glibc", number) for number in range(3)]


def test_a_run_is_on_disk_as_soon_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.jsonl"
    state = State(path, {"seed": 1})
    for number, job in enumerate(JOBS):
        state.add(job, Measured(wall=1.5, user=0.25 * number, peak=number, detail={"seconds": [0.5]}))
        assert State(path, {"seed": 1}, resume=True).runs == state.runs
    assert state.runs[JOBS[2].key].user == 0.5 and state.runs[JOBS[2].key].detail == {"seconds": [0.5]}


def test_a_line_cut_short_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    state = State(path, {})
    for job in JOBS:
        state.add(job, Measured())
    text = path.read_text()
    path.write_text(text[: -len(text.splitlines()[-1]) // 2])
    again = State(path, {}, resume=True)
    assert set(again.runs) == {job.key for job in JOBS[:2]}
    again.add(JOBS[2], Measured(wall=2.0))
    assert State(path, {}, resume=True).runs[JOBS[2].key].wall == 2.0


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    State(tmp_path / "state.jsonl", {}).add(JOBS[0], Measured())
    assert State(tmp_path / "state.jsonl", {}).runs == {}
