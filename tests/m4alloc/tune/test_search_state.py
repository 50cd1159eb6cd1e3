"""Tests of m4alloc.tune.search_state."""

import json
from pathlib import Path

import numpy as np
import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import Evaluator, Scored, failed
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.search_state import SearchState, SearchStateError
from m4alloc.tune.space import Space

EVALUATOR = Evaluator((example_workload(50),), simulate=example_simulate)
SPACE = Space.of()
IDENTITY = {"method": "climb", "seed": 1, "workloads": [{"name": "a", "digest": "00"}]}


def some(count: int) -> list[Scored]:
    rng = np.random.default_rng(4)
    return [EVALUATOR.scored(SPACE.strategy(SPACE.sample(rng))) for _ in range(count)]


def test_what_was_added_is_there_after_loading_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state.jsonl"
    state = SearchState(path, IDENTITY)
    evaluations = [*some(5), failed(Strategy(placement=1), "its worker died, 2 times")]
    for one in evaluations:
        state.add(one)
        # It is on disk at once.
        assert SearchState(path, IDENTITY, resume=True).get(one.strategy) == one
    again = SearchState(path, IDENTITY, resume=True)
    assert [again.get(one.strategy) for one in evaluations] == evaluations
    assert len(again) == len({one.strategy for one in evaluations})
    assert again.get(Strategy(placement=2)) is None


def test_without_a_folder_it_remembers_all_the_same() -> None:
    state = SearchState(None, IDENTITY, resume=True)
    [one] = some(1)
    state.add(one)
    assert state.get(one.strategy) == one


def test_unless_it_goes_on_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    SearchState(path, IDENTITY).add(some(1)[0])
    assert len(SearchState(path, {"method": "other"})) == 0
    assert path.read_text().count("\n") == 1


@pytest.mark.parametrize("cut", [1, 30, 120])
def test_a_damaged_last_line_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "state.jsonl"
    state = SearchState(path, IDENTITY)
    evaluations = some(3)
    for one in evaluations:
        state.add(one)
    path.write_bytes(path.read_bytes()[:-cut])
    again = SearchState(path, IDENTITY, resume=True)
    kept = evaluations if cut == 1 else evaluations[:2]
    assert [again.get(one.strategy) for one in kept] == kept
    assert len(again) == len(kept)
    # The file is whole again, so that what is added next is not lost in the damaged line.
    again.add(evaluations[2])
    assert len(SearchState(path, IDENTITY, resume=True)) == 3


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "3",
        '{"strategy": "x"}',
        '{"strategy": "x", "failure": "", "objectives": [1], "ratios": []}',
        '{"strategy": "x", "failure": "", "objectives": [1, 1, 1], "ratios": []}',
        '{"strategy": "x", "failure": "", "objectives": [1, 1, 1], "ratios": [[1]]}',
    ],
)
def test_a_line_that_is_no_evaluation_is_none(tmp_path: Path, line: str) -> None:
    path = tmp_path / "state.jsonl"
    path.write_text(json.dumps({"campaign": IDENTITY}) + "\n" + line + "\n")
    assert len(SearchState(path, IDENTITY, resume=True)) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "another seed: 1, now it is 2"),
        ({"method": "random"}, 'another method: "climb", now it is "random"'),
        ({"workloads": [{"name": "a", "digest": "11"}]}, 'another workloads[0].digest: "00", now it is "11"'),
        ({"extra": "new"}, 'another extra: null, now it is "new"'),
    ],
)
def test_the_state_of_another_campaign_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "state.jsonl"
    SearchState(path, IDENTITY).add(some(1)[0])
    before = path.read_bytes()
    with pytest.raises(SearchStateError) as caught:
        SearchState(path, {**IDENTITY, **change}, resume=True)
    assert str(caught.value) == (
        f"{path}: the campaign there had {message}; it goes on only as it began (or choose another folder)"
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "not json\n", "{}\n", '{"benchmark": {}}\n', '{"campaign": 3}\n', "\0\0\n"])
def test_what_is_no_state_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.jsonl"
    path.write_text(text)
    with pytest.raises(SearchStateError) as caught:
        SearchState(path, IDENTITY, resume=True)
    assert str(caught.value) == f"{path}: no state of a campaign"
    assert path.read_text() == text
