"""The picture of what becomes of an attack."""

from __future__ import annotations

from spec.attack import CATALOGUE, tell, verdict


def test_the_bars_say_each_probability_exactly() -> None:
    drawn = verdict("use-after-reuse-read", "mte-glibc")._repr_html_()
    assert "14/15" in drawn
    assert "1/15" in drawn
    assert "tag mismatch" in drawn


def test_an_attack_that_does_not_apply_says_why() -> None:
    assert "pointers carry no tag that is a number" in verdict("tag-guess", "flat")._repr_html_()


def test_every_attack_can_be_shown() -> None:
    assert all(len(verdict(name, "isav9")._repr_html_()) < 50_000 for name in CATALOGUE)


def test_a_story_is_told_step_by_step_and_says_what_becomes_of_all_runs() -> None:
    luck, certain = tell("use-after-reuse-read", "mte-glibc", seed=1), tell("linear-overflow", "flat")
    shown = luck._repr_html_()
    assert shown.count("<tr>") == len(luck.lines) + 1
    assert "CAUGHT" in shown
    assert "14/15" in shown
    assert "MISSED" in certain._repr_html_()
    assert "<svg" not in certain._repr_html_()
