"""Tests of m4alloc.superopt.campaign: the same on every engine, and nothing that was finished is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc.superopt import rules
from m4alloc.superopt.campaign import FAILED, IMPROVED, NOTHING, Plan, Task, campaign, tasks_of
from m4alloc.superopt.campaign_state import CampaignStateError, Finished
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.problem import Problem
from tests.m4alloc.superopt import solvers

NAMES = ("one", "hard", "two", "bad", "three")


def tasks(names: tuple[str, ...] = NAMES) -> list[Task]:
    return [Task(f"m.ll:{name}", Problem(solvers.source(name, 2 + at))) for at, name in enumerate(names)]


def without_times(finished: tuple[Finished, ...]) -> list[Finished]:
    return [replace(one, seconds=0.0) for one in finished]


def test_every_function_ends_improved_unchanged_or_failed_in_order() -> None:
    found = campaign(tasks(), Plan(seed=7), jobs=1, solve=solvers.emptied)
    assert [one.name for one in found.finished] == [f"m.ll:{name}" for name in NAMES]
    assert [one.status for one in found.finished] == [IMPROVED, NOTHING, IMPROVED, FAILED, IMPROVED]
    first, hard, _, bad, _ = found.finished
    assert (first.before, first.after, first.method) == (2.0, 0.0, "emptying")
    assert first.steps == (("empty", "the function"),)
    assert first.text.startswith("define i8 @one(") and first.tally == {"proposed": 7}
    assert (hard.text, hard.reason) == ("", "it is hard")
    assert bad.reason == "ValueError: no such thing"
    assert len(found.improved) == 3 and not found.interrupted


def test_processes_give_what_one_process_gives() -> None:
    here = campaign(tasks(), jobs=1, solve=solvers.emptied)
    there = campaign(tasks(), jobs=2, solve=solvers.emptied)
    assert without_times(there.finished) == without_times(here.finished)


def test_a_function_that_kills_its_process_fails_alone() -> None:
    found = campaign(tasks(("one", "deadly", "two")), jobs=2, solve=solvers.deadly)
    assert [one.status for one in found.finished] == [IMPROVED, FAILED, IMPROVED]
    assert "worker died" in found.finished[1].reason


def test_what_is_finished_is_not_done_again(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    done: list[str] = []
    campaign(tasks(NAMES[:3]), jobs=1, solve=solvers.emptied, state=state)
    found = campaign(
        tasks(), jobs=1, solve=solvers.emptied, state=state, resume=True, tell=lambda one: done.append(one.name)
    )
    assert done == ["m.ll:bad", "m.ll:three"] and len(found.finished) == 5
    again: list[str] = []
    campaign(tasks(), jobs=1, solve=solvers.emptied, state=state, resume=True, tell=lambda one: again.append(one.name))
    assert again == ["m.ll:bad"]  # what had failed is tried again


def test_a_function_that_has_changed_is_done_again(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    campaign(tasks(("one",)), jobs=1, solve=solvers.emptied, state=state)
    changed = [Task("m.ll:one", Problem(solvers.source("one", 5)))]
    assert campaign(changed, jobs=1, solve=solvers.emptied, state=state, resume=True).finished[0].before == 5.0


def test_another_plan_does_not_go_on_with_the_file(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    campaign(tasks(("one",)), Plan(seconds=1.0), jobs=1, solve=solvers.emptied, state=state)
    with pytest.raises(CampaignStateError, match=r"the campaign there had seconds = 1\.0, now it is 2\.0"):
        campaign(tasks(("one",)), Plan(seconds=2.0), jobs=1, solve=solvers.emptied, state=state, resume=True)


def test_results_of_other_rules_are_not_taken_for_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state.jsonl"
    campaign(tasks(("one",)), jobs=1, solve=solvers.emptied, state=state)
    monkeypatch.setattr(rules, "ALL", rules.ALL[1:])
    with pytest.raises(CampaignStateError, match=r"the campaign there had rules = "):
        campaign(tasks(("one",)), jobs=1, solve=solvers.emptied, state=state, resume=True)


def test_two_functions_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match=r"two functions of this campaign have the name 'm\.ll:one'"):
        campaign(tasks(("one", "one")), jobs=1, solve=solvers.emptied)


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    program = (
        "from pathlib import Path\n"
        "from m4alloc.superopt.campaign import campaign, Task\n"
        "from m4alloc.superopt.problem import Problem\n"
        "from tests.m4alloc.superopt import solvers\n"
        "tasks = [Task(f'f{n}', Problem(solvers.source(f'f{n}', 2))) for n in range(50)]\n"
        f"state = Path({str(state)!r})\n"
        "tell = lambda one: print(one.name, flush=True)\n"
        "found = campaign(tasks, jobs=1, solve=solvers.slow, state=state, tell=tell)\n"
        "print('interrupted', found.interrupted, len(found.finished), flush=True)\n"
    )
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": root}
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root, env=env)
    assert running.stdout is not None
    for _ in range(3):
        running.stdout.readline()
    before = time.monotonic()
    running.send_signal(signal.SIGINT)
    told = running.communicate(timeout=30)[0].splitlines()
    assert running.returncode == 0 and time.monotonic() - before < 10
    count = int(told[-1].split()[-1])
    assert told[-1].startswith("interrupted True") and 3 <= count < 50
    assert len(state.read_text().splitlines()) == 1 + count


def test_a_task_is_made_of_each_function_with_the_facts_that_name_its_arguments() -> None:
    text = "define i8 @f(i8 %x) {\n  ret i8 %x\n}\ndefine i8 @g(i8 %y) {\n  ret i8 %y\n}\n"
    found = tasks_of([("a.ll", parse_module(text))], facts=[Fact("x < 9"), Fact("popcount(y) == 1")])
    assert [(one.name, [fact.text for fact in one.problem.facts]) for one in found] == [
        ("a.ll:f", ["x < 9"]),
        ("a.ll:g", ["popcount(y) == 1"]),
    ]


@pytest.mark.campaign
def test_a_cluster_gives_what_one_process_gives() -> None:
    distributed = pytest.importorskip("distributed")
    here = campaign(tasks(), jobs=1, solve=solvers.emptied)
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs=50
    ) as running:
        there = campaign(tasks(), engine="dask", scheduler=running.scheduler_address, solve=solvers.emptied)
    assert without_times(there.finished) == without_times(here.finished)
