"""One line of the library becomes one rule."""

from __future__ import annotations

from m4alloc.superopt.rules_kinds import WIDTHS, of_kind


def test_needs_and_defined_values_are_put_together() -> None:
    rule = of_kind("compare")("n", "(icmp slt x y)", "(icmp ult x y)", "r", need=("x < 2", "y < 2"), defined="x y")
    assert (rule.kind, rule.needs) == ("compare", ("x < 2", "y < 2", "noundef(x)", "noundef(y)"))
    assert (rule.condition, rule.widths) == ("True", WIDTHS)
