"""A campaign spends its budget on the engines asked for, finds the same with any number of jobs, and goes on later."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from m4alloc.check.alphabet import Alphabet
from m4alloc.check.campaign import DIRECTED, EXHAUSTIVE, RANDOM, Campaign, Done, better, name_of
from m4alloc.check.draw import drawn
from m4alloc.check.finding import Finding
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.instruction import Row
from m4alloc.check.judgement import Terms
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.progress import Silent
from m4alloc.check.survey import Directed
from spec.contract import RULES
from spec.event import Function
from spec.statement import Script

Bump = Callable[..., str]
C17 = Terms("c17")
MALLOC, REALLOC = Function.MALLOC, Function.REALLOC
LETTERS = Alphabet((Row(Function.MALLOC, size=40), Row(Function.CALLOC, size=80)), (Row(Function.REALLOC, size=90),), 2)
IDENTITY: dict[str, object] = {"library": "abc", "seed": 4}


def campaign(path: str, *engines: str, budget: float = 60, **fields: object) -> Campaign:
    """A campaign that has not begun."""
    return Campaign(partial(Foreign, path), C17, LETTERS, budget, engines=engines, **fields)  # type: ignore[arg-type]


class Watching(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int | None]] = []

    def phase(self, name: str, total: int | None = None) -> None:
        self.told.append((name, total))


def test_the_exhaustive_search_goes_from_depth_to_depth(bump: Bump) -> None:
    watching = Watching()
    run = campaign(bump(), EXHAUSTIVE, most_depth=4, progress=watching)
    run.run()
    assert watching.told == [(f"sequences of {depth}", LETTERS.sequences(depth)) for depth in range(1, 5)]
    assert (run.done.depth, run.done.sequences, run.done.parts) == (4, LETTERS.sequences(4), {})
    assert run.done.nodes >= sum(LETTERS.sequences(depth) for depth in range(1, 5))
    assert run.done.operations == {EXHAUSTIVE: run.done.nodes} and run.findings == {}


def test_two_jobs_find_what_one_finds(bump: Bump) -> None:
    verdicts = []
    for jobs in (1, 2):
        for macro in ("", "LOSE_TAIL"):
            run = campaign(bump(*filter(None, [macro])), EXHAUSTIVE, most_depth=4, jobs=jobs)
            run.run()
            found = run.findings.get("realloc-keeps-contents")
            verdicts.append((run.done.depth, run.done.sequences, found and (found.requests, found.replays)))
    assert verdicts[:2] == verdicts[2:] == [(4, LETTERS.sequences(4), None), (1, 2, (2, 10))]


@pytest.mark.slow
def test_each_broken_rule_is_one_finding(bump: Bump) -> None:
    told: list[Finding] = []
    run = campaign(bump("LOSE_TAIL", "NOT_ZERO"), RANDOM, found=told.append, stopped=lambda: len(told) > 1)
    run.run()
    assert {finding.rule.name for finding in told} == {"realloc-keeps-contents", "calloc-zeroes"} == set(run.findings)
    assert all(finding.replays == 10 and finding.engine == RANDOM for finding in told)
    assert [finding.requests for finding in told if finding.rule.name == "calloc-zeroes"] == [1]


def test_the_same_seed_draws_the_same_rounds() -> None:
    functions = frozenset({Function.MALLOC, Function.FREE, Function.REALLOC})
    assert drawn(functions, Terms(), 5, 1, 6) == drawn(functions, Terms(), 5, 1, 6)
    assert drawn(functions, Terms(), 5, 1, 6) != drawn(functions, Terms(), 6, 1, 6)
    assert drawn(functions, Terms(), 5, 1, 6) != drawn(functions, Terms(), 5, 2, 6)


@pytest.mark.slow
def test_directed_plans_are_carried_out_once_each(bump: Bump) -> None:
    names: list[str] = []
    run = campaign(bump("MISALIGNED"), DIRECTED, at_first=True)
    run.run()
    names += run.done.plans
    assert run.findings["result-aligned-fundamental"].where in names and len(names) == len(set(names)) < 5
    again = campaign(
        "system", DIRECTED, budget=30, done=Done(plans=list(names)), stopped=lambda: len(again.done.plans) > len(names)
    )
    again.run()
    assert len(again.done.plans) == len(set(again.done.plans)) > len(names)


def test_plans_come_before_the_shrinking_of_what_they_find(bump: Bump, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    run = campaign(bump("LOSE_TAIL", "NOT_ZERO"), DIRECTED, budget=30)
    plans = [
        Directed("loses", [Operation(MALLOC, size=64), Operation(REALLOC, aim=Aim.LIVE, size=640)]),
        Directed("dirty", [Operation(Function.CALLOC, size=44)]),
        Directed("again", [Operation(Function.CALLOC, size=48)]),
        Directed("fine", [Operation(MALLOC, size=8)]),
    ]
    monkeypatch.setattr("m4alloc.check.campaign.survey", lambda *_, **__: plans)
    run.found = lambda finding: order.append(f"{finding.rule.name} after {len(run.done.plans)}")
    run.run()
    assert order == ["realloc-keeps-contents after 2", "calloc-zeroes after 3"]
    assert (sorted(run.done.plans), run.done.planned) == (["again", "dirty", "fine", "loses"], 4)


def test_what_is_told_wrongly_hides_nothing_that_comes_after_it(bump: Bump, monkeypatch: pytest.MonkeyPatch) -> None:
    run = campaign(bump("MISALIGNED", "NOT_ZERO"), DIRECTED, budget=30)
    plan = [Operation(MALLOC, size=64), Operation(Function.CALLOC, size=48)]
    monkeypatch.setattr("m4alloc.check.campaign.survey", lambda *_, **__: [Directed("both", plan)])
    run.run()
    assert set(run.findings) == {"result-aligned-fundamental", "calloc-zeroes"}
    assert all(finding.replays == 10 for finding in run.findings.values())
    assert run.done.plans == ["both"]


@pytest.mark.slow
def test_a_round_looks_beyond_what_is_known_to_be_told_wrongly(bump: Bump) -> None:
    found: list[Finding] = []
    run = campaign(bump("MISALIGNED", "NOT_ZERO"), RANDOM, found=found.append, stopped=lambda: len(found) > 1)
    run.run()
    assert {finding.rule.name for finding in found} == {"result-aligned-fundamental", "calloc-zeroes"}


def test_a_rule_that_was_broken_but_not_written_down_is_found_when_the_campaign_goes_on(bump: Bump) -> None:
    done = Done(broken={DIRECTED: ["calloc-zeroes"], EXHAUSTIVE: ["calloc-zeroes"]})
    run = campaign(bump("NOT_ZERO"), EXHAUSTIVE, most_depth=2, done=done)
    run.run()
    assert list(run.findings) == ["calloc-zeroes"]


def test_it_ends_with_its_budget_whatever_is_left() -> None:
    for engine in (EXHAUSTIVE, RANDOM):
        run = campaign("system", engine, budget=0.4)
        run.run()
        assert run.done.operations[engine] > 0
        assert run.done.seconds < 20  # not a time that is promised: a search without an end would go on for ever


def test_it_ends_when_it_is_stopped_and_goes_on_where_it_was(bump: Bump, tmp_path: Path) -> None:
    asked = iter(range(10**9))
    first = campaign(bump(), EXHAUSTIVE, most_depth=5, stopped=lambda: next(asked) > 40)
    first.run()
    assert first.done.depth < 5
    first.done.save(tmp_path / "state", IDENTITY)
    second = campaign(bump(), EXHAUSTIVE, most_depth=5, done=Done.load(tmp_path / "state", IDENTITY))
    second.run()
    assert (second.done.depth, second.done.sequences) == (5, LETTERS.sequences(5))
    assert second.done.seconds > first.done.seconds
    alone = campaign(bump(), EXHAUSTIVE, most_depth=5)
    alone.run()
    assert second.done.nodes <= alone.done.nodes + first.done.nodes


def test_a_library_that_cannot_be_driven_ends_the_campaign() -> None:
    run = campaign("/nowhere/absent.so", EXHAUSTIVE)
    with pytest.raises(WorkerError, match=r"absent\.so: no such file"):
        run.run()


def test_the_drivers_are_ended_whatever_happens(bump: Bump) -> None:
    before = threading.active_count()
    run = campaign(bump(), EXHAUSTIVE, most_depth=3, jobs=2)
    started: list[Foreign] = []
    make = run.start

    def start() -> Foreign:
        started.append(make())
        return started[-1]

    run.start = start
    run.found = lambda _: None
    run.run()
    assert started and all(foreign.server.poll() is not None for foreign in started)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_the_state_is_read_as_it_was_saved(tmp_path: Path) -> None:
    done = Done(["a"], 3, 9, 12, {"0.1": 4}, 2, 5, {RANDOM: 7}, {RANDOM: ["x"]}, {"x": 1}, 1.5, {"x": {"rule": "x"}})
    done.save(tmp_path / "state.json", IDENTITY)
    assert Done.load(tmp_path / "state.json", IDENTITY) == done
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no state of a campaign"),
        ("{}", "no state of a campaign: 'identity'"),
        ("[1]", "no state of a campaign"),
        ('{"identity": {"library": "abc", "seed": 4}, "done": {"luck": 1}}', "no state of a campaign: .*luck"),
        (
            '{"identity": {"library": "other", "seed": 4}, "done": {}}',
            "has library 'other', not 'abc'; it goes on only",
        ),
        ('{"identity": {"seed": 4}, "done": {}}', "has library None, not 'abc'"),
    ],
)
def test_a_state_of_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ValueError, match=rf"state\.json: .*{message}"):
        Done.load(tmp_path / "state.json", IDENTITY)


def test_the_state_is_plain_json(tmp_path: Path) -> None:
    Done(depth=3).save(tmp_path / "state.json", IDENTITY)
    held = json.loads((tmp_path / "state.json").read_text())
    assert held["identity"] == IDENTITY and held["done"]["depth"] == 3


def test_a_finding_that_shows_more_often_or_is_shorter_is_better() -> None:
    one = Finding(RULES["calloc-zeroes"], "", "", "random", "round 1", Script(()), 3, 10)
    assert better(one, replace(one, replays=9, requests=1)) and better(one, replace(one, requests=4))
    assert not better(one, one) and not better(replace(one, requests=4), one)
    assert name_of((0, 12)) == "0.12" and name_of(()) == ""


@pytest.mark.parametrize(("budget", "timeout"), [(1, 3.0), (60, 6.0), (3600, 10.0)])
def test_a_call_hangs_after_a_share_of_the_budget(bump: Bump, budget: float, timeout: float) -> None:
    with campaign(bump(), EXHAUSTIVE, budget=budget).driver() as foreign:
        assert foreign.timeout == timeout


def test_once_a_hang_is_known_the_next_costs_less(bump: Bump) -> None:
    run = campaign(bump("HANG=3"), DIRECTED, budget=60)
    hangs = [Operation(MALLOC, size=24)] * 3
    run.hunt().foreign().timeout = 2.0
    began = time.monotonic()
    first = run.look(DIRECTED, hangs)
    between = time.monotonic()
    second = run.look(DIRECTED, hangs)
    assert first is not None and second is not None and first.rule.name == second.rule.name == "call-returns"
    assert between - began >= 2.0 and run.hangs and run.hunt().foreign().timeout == 1.4
    run.hunt().close()
