"""The core's concurrency holds in every interleaving within bounds; the checker that says so finds seeded faults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from m4alloc import _build
from m4alloc.check.interleave import MUTANTS, Mutant, explore, explore_randomly, litmus, replay, scenarios
from m4alloc.check.interleave.__main__ import main

CORE = _build.PACKAGE / "_core"
SOURCES = sorted([*CORE.glob("*.pxd"), _build.PACKAGE / "_fast.pyx"])
NAMES = re.findall(r'\{\.name = "([\w-]+)"', (_build.PACKAGE / "check/interleave/scenarios.c").read_text())


@pytest.fixture(scope="session", autouse=True)
def buildable() -> None:
    reason = _build.unsupported()
    if reason:
        pytest.skip(reason)


# The core's source.


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_atomic_operation_of_the_core_is_in_the_header(path: Path) -> None:
    found = re.findall(
        r"__atomic|__sync|_Atomic|\bvolatile\b|\batomic_\w+|\basm\b|pthread_mutex|\bSYS_futex", path.read_text()
    )
    assert found == []


@pytest.mark.parametrize(
    "name", ["slot.pxd", "slab.pxd", "heap.pxd", "malloc.pxd", "resize.pxd", "misuse.pxd", "large.pxd"]
)
def test_states_are_read_and_written_through_named_helpers(name: str) -> None:
    text = re.sub(r"#.*", "", (CORE / name).read_text())
    direct = re.findall(r".*\bstates?\[.*|.*<uint64_t \*>\(?states.*", text)
    assert direct == []


def test_every_order_in_the_header_is_named() -> None:
    text = (_build.PACKAGE / "_atomics.h").read_text()
    calls = re.findall(r"__atomic_\w+\((?:[^()]|\([^()]*\))*\)", text)
    assert len(calls) > 15
    assert [call for call in calls if "__ATOMIC_" not in call] == []
    assert "__ATOMIC_SEQ_CST" not in text and "__atomic_thread_fence" not in text  # which the model does not have


# The memory model.


REST = ["schedules", "points", "longest", "shared", "verdict"]
SB = {(0, 0), (0, 1), (1, 0), (1, 1)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("SB", SB),
        ("MP", SB - {(1, 0)}),
        ("MP-relaxed-store", SB),
        ("MP-relaxed-load", SB),
        ("CoRR", {(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)}),
        ("LB", SB - {(1, 1)}),
        ("2+2W", {(2, 1), (1, 2), (2, 2)}),
        ("exchanges", {(2, 0), (0, 1)}),
        ("MP-plain", {(0, 0), (1, 0)}),
    ],
)
def test_the_memory_model_allows_these_outcomes_and_no_others(name: str, allowed: set[tuple[int, int]]) -> None:
    outcomes, report = litmus(name)
    assert {outcome[:2] for outcome in outcomes} == allowed
    assert report.verdict == "holds"


def test_without_old_reads_every_interleaving_is_sequentially_consistent() -> None:
    outcomes, report = litmus("SB", stale=0)
    assert {outcome[:2] for outcome in outcomes} == SB - {(0, 0)}
    assert report.schedules == 20  # of two threads that make three steps each: 6! / (3! 3!)


def test_threads_may_disagree_on_the_order_of_writes_and_a_release_sequence_goes_on() -> None:
    assert (1, 0, 0, 0) in litmus("RWC")[0]
    outcomes = litmus("MP-release-sequence")[0]
    assert (2, 1, 1, 0) in outcomes and (2, 0, 1, 0) not in outcomes


def test_a_plain_access_that_is_not_ordered_is_a_data_race() -> None:
    failure = litmus("MP-plain-race")[1].failure
    assert failure is not None
    assert failure.what.startswith("data race: plain read of ")


# The core.


def test_the_scenarios_are_listed() -> None:
    assert [scenario.name for scenario in scenarios()] == NAMES
    assert len(set(NAMES)) == len(NAMES) > 20
    assert {scenario.threads for scenario in scenarios()} == {2, 3}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_core_holds_with_one_preemption(name: str) -> None:
    report = explore(name, bound=1, stale=0)
    assert (report.verdict, report.failure) == ("holds", None)


@pytest.mark.parametrize(("bound", "stale", "schedules"), [(0, 0, 2), (1, 0, 7), (1, 1, 13), (9, 0, 35)])
def test_the_number_of_schedules_is_known(bound: int, stale: int, schedules: int) -> None:
    """Only one state is shared. With its start the owner makes 3 steps, the other 4: without bounds 7! / (3! 4!)."""
    assert explore("owner-and-remote", bound=bound, stale=stale).schedules == schedules


def test_the_same_seed_draws_the_same_schedules() -> None:
    first, again, other = (explore_randomly("two-publishers", 300, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert (first.verdict, first.schedules) == ("not violated", 300)


def test_a_schedule_is_told_access_by_access() -> None:
    told = replay("two-remote", "B8,C2")
    assert told.failure is None
    assert "B   swap state of slot 0, unit 0: LIVE -> DELAYED, acq_rel" in told.text
    assert re.search(r"C   reports: m4alloc: double free of 0x[0-9a-f]+: size class 8192, slot 0", told.text)


def test_what_is_no_schedule_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for schedule in ("", "A", "A0", "D3", "A1~x", "A2,,B1", "A2;B1", "C1"):
        with pytest.raises(ValueError, match=r"schedule|usage"):
            replay("drain", schedule)
    with pytest.raises(ValueError, match="there is no scenario 'drian'; there are drain, "):
        explore("drian")
    with pytest.raises(ValueError, match="neither may be negative"):
        explore("drain", bound=-1)
    for arguments in (["--replay", "A1"], ["--bound", "x"], ["--mutant", "99"], ["--scenario", "drian"]):
        with pytest.raises(SystemExit) as exit:
            main(arguments)
        assert exit.value.code == 2
    assert "there are 1 to 19" in capsys.readouterr().err


def test_the_command_prints_a_table_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenario", "large-twice", "--bound", "1", "--stale", "0"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["scenario", "preemptions", "old", "reads", *REST]
    assert line.split()[0] == "large-twice" and line.endswith("holds")
    assert main(["--scenario", "large-twice", "--random", "20", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["scenario"], report["bound"], report["schedules"]) == ("large-twice", None, 20)
    assert main(["--list"]) == 0
    assert "fork-mid-push" in capsys.readouterr().out


# The seeded faults.


def kill(mutant: Mutant) -> None:
    """The mutant is found within its bounds, with no more than they say, and its schedule replays."""
    report = explore(mutant.scenario, bound=mutant.bound, stale=mutant.stale, fault=mutant.number)
    assert report.failure is not None, f"mutant {mutant.number} ({mutant.name}) lives"
    assert (report.bound, report.stale) == (mutant.bound, mutant.stale)
    again = replay(mutant.scenario, report.failure.schedule, fault=mutant.number)
    assert again.failure is not None
    assert again.failure.what == report.failure.what
    assert f"FAILED: {report.failure.what}" in again.text


@pytest.mark.slow
def test_a_count_raised_too_late_is_found() -> None:
    kill(MUTANTS[10])


@pytest.mark.campaign
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.number}-{'-'.join(mutant.name.split())}")
def test_each_mutant_is_killed(mutant: Mutant) -> None:
    kill(mutant)


def test_the_table_has_every_fault_of_the_core() -> None:
    header = (_build.PACKAGE / "_atomics.h").read_text()
    in_header = {int(n) for n in re.findall(r"M4_ORDER_FAULT == (\d+)|M4_ORDER\((\d+),", header) for n in n if n}
    in_core = {int(n) for n in re.findall(r"ORDER_\w+ = (\d+)", (CORE / "fault.pxd").read_text())}
    assert sorted(in_header | in_core) == [mutant.number for mutant in MUTANTS]
    assert not in_header & in_core


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_the_core_holds_with_two_preemptions_and_an_old_read_or_with_three(name: str) -> None:
    assert explore(name, bound=2, stale=1).verdict == "holds"
    assert explore(name, bound=3, stale=0).verdict == "holds"


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_the_core_holds_in_random_schedules(name: str) -> None:
    assert explore_randomly(name, 50_000, seed=1).failure is None
