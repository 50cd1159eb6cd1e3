"""Tests of m4alloc.superopt.campaign_state: lines that come back, and lines that were cut short."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc.superopt.campaign_state import CampaignState, CampaignStateError, Finished

ONE = Finished("a", "0123", "improved", 3.0, 2.0, "mcts", "SMT", "define", (("rule", "%x"),), {"proposed": 3}, "", 0.5)
TWO = Finished("b", "4567", "failed", reason="it broke")


def filled(path: Path) -> CampaignState:
    state = CampaignState(path, {"seed": 1})
    state.add(ONE)
    state.add(TWO)
    return state


def test_what_was_added_comes_back(tmp_path: Path) -> None:
    filled(tmp_path / "state.jsonl")
    again = CampaignState(tmp_path / "state.jsonl", {"seed": 1}, resume=True)
    assert again.finished == {"a": ONE, "b": TWO}
    assert again.get("a", "0123") == ONE


def test_a_failure_or_a_changed_function_is_not_held(tmp_path: Path) -> None:
    state = filled(tmp_path / "state.jsonl")
    assert state.get("b", "4567") is None and state.get("a", "another") is None and state.get("c", "") is None


def test_a_line_that_was_cut_short_is_done_again_and_the_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    filled(path)
    path.write_text(path.read_text()[:-20])
    again = CampaignState(path, {"seed": 1}, resume=True)
    assert again.finished == {"a": ONE}
    assert len(path.read_text().splitlines()) == 2  # and the torn line is gone


def test_without_resume_it_begins_anew(tmp_path: Path) -> None:
    filled(tmp_path / "state.jsonl")
    assert CampaignState(tmp_path / "state.jsonl", {"seed": 1}).finished == {}


def test_another_file_or_another_campaign_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    filled(path)
    with pytest.raises(CampaignStateError, match="had seed = 1, now it is 2"):
        CampaignState(path, {"seed": 2}, resume=True)
    path.write_text("some text\n")
    with pytest.raises(CampaignStateError, match="no state of a campaign"):
        CampaignState(path, {"seed": 1}, resume=True)


def test_without_a_file_it_is_kept_in_memory() -> None:
    state = CampaignState(None, {})
    state.add(ONE)
    assert state.get("a", "0123") == ONE
