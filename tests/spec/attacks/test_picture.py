"""The picture of what becomes of an attack."""

from __future__ import annotations

from spec.attack import CATALOGUE, verdict


def test_the_bars_say_each_probability_exactly() -> None:
    drawn = verdict("use-after-reuse-read", "mte-glibc")._repr_html_()
    assert "14/15" in drawn
    assert "1/15" in drawn
    assert "tag mismatch" in drawn


def test_an_attack_that_does_not_apply_says_why() -> None:
    assert "pointers carry no tag that is a number" in verdict("tag-guess", "flat")._repr_html_()


def test_every_attack_can_be_shown() -> None:
    assert all(len(verdict(name, "isav9")._repr_html_()) < 50_000 for name in CATALOGUE)
