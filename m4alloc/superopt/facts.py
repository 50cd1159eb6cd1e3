"""Context facts: what a proof may assume of a function's arguments, and where each one comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """An assumption: where it does not hold, or an argument it names is poison or undef, the source is undefined.

    text: an expression over argument names in Python's syntax, in mathematical integers: names are unsigned values,
    `signed(x)`, `align(p)` (largest power of two that divides), `popcount(x)`, and `+ - * // % & | ^ << >> ~`
    (~ at the width of its operand), comparisons (chained too), `and`, `or`, `not`.
    origin: "given", "path condition", "argument attribute", "strategy default: ..." and so on, as it is shown.

    >>> str(Fact("1 <= slots <= 64", "given"))
    '1 <= slots <= 64 (given)'
    """

    text: str
    origin: str = "given"

    def __str__(self) -> str:
        return f"{self.text} ({self.origin})"
