"""Round positions for an axis: multiples of 1, 2 or 5 times a power of ten."""

from __future__ import annotations

import math
from fractions import Fraction


def step(low: float, high: float, limit: int) -> Fraction:
    """The smallest step of the form {1, 2, 5} x 10^k of which at most `limit` multiples lie in [low, high].

    low < high, both finite; limit >= 5, so that at least two multiples always lie inside.
    Cost: O(1).
    """
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"an axis needs low < high, both finite; got {low!r} and {high!r}")
    if limit < 5:
        raise ValueError(f"an axis needs room for at least 5 ticks; got limit {limit}")
    exact_low, exact_high = Fraction(low), Fraction(high)
    exponent = math.floor(math.log10(high - low) - math.log10(limit)) - 1
    while True:
        for mantissa in (1, 2, 5):
            candidate = mantissa * Fraction(10) ** exponent
            if exact_high // candidate - -(-exact_low // candidate) + 1 <= limit:
                return candidate
        exponent += 1


def linear(low: float, high: float, limit: int = 6) -> tuple[float, ...]:
    """Tick positions in [low, high]: all multiples of the smallest round step that gives at most `limit`.

    Ticks are exactly rounded (0.3, not 0.30000000000000004). At least two.

    >>> linear(0, 684_118)
    (0.0, 200000.0, 400000.0, 600000.0)
    >>> linear(0, 1)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """
    width = step(low, high, limit)
    first = -(-Fraction(low) // width)
    last = Fraction(high) // width
    return tuple(float(index * width) for index in range(first, last + 1))


def ceiling(high: float, limit: int = 6) -> float:
    """The smallest multiple of a round step that is at least `high`: where an axis that starts at 0 ends.

    >>> ceiling(11_240_000), ceiling(0)
    (12000000.0, 1.0)
    """
    if high <= 0:
        return 1.0
    width = step(0, high, limit)
    return float(-(-Fraction(high) // width) * width)
