"""Ratios to glibc, their median and spread, means over programs, percentiles of a histogram."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from m4alloc.bench.peer import geometric_mean


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of the rounds and the quartiles around it; of one round all three are the same."""

    median: float
    low: float
    high: float

    @property
    def relative(self) -> float:
        """Half the distance of the quartiles as a part of the median.

        >>> Spread(2.0, 1.5, 2.5).relative
        0.25
        """
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def spread(values: Iterable[float]) -> Spread:
    """Median and quartiles, interpolated between the values (R-7). At least one value.

    >>> spread([1.0, 2.0, 3.0, 4.0, 5.0])
    Spread(median=3.0, low=2.0, high=4.0)
    """
    taken = sorted(values)
    if len(taken) == 1:
        return Spread(taken[0], taken[0], taken[0])
    low, middle, high = statistics.quantiles(taken, n=4, method="inclusive")
    return Spread(middle, low, high)


def ratios(mine: Mapping[int, float], base: Mapping[int, float]) -> dict[int, float]:
    """Round to the ratio of the two costs of that round, where both were measured.

    >>> ratios({0: 1.0, 1: 3.0}, {0: 2.0, 2: 1.0})
    {0: 0.5}
    """
    return {number: mine[number] / base[number] for number in mine if base.get(number)}


def mean_of(programs: Sequence[Mapping[int, float]]) -> Spread | None:
    """The spread over the rounds of the geometric mean over programs; None when no round has them all.

    >>> mean_of([{0: 1.0, 1: 1.0}, {0: 4.0, 1: 16.0}]).median
    3.0
    """
    whole = set.intersection(*(set(one) for one in programs)) if programs else set()
    means = [geometric_mean(one[number] for one in programs) for number in sorted(whole)]
    return spread(means) if means else None


PARTS = 32
"""Into how many parts latency.c cuts a power of two."""


def bucket_value(bucket: int) -> float:
    """The middle of a bucket of latency.c, in ticks.

    >>> bucket_value(5), bucket_value(31), bucket_value(64), bucket_value(96)
    (5.0, 31.0, 64.5, 129.5)
    """
    if bucket < 2 * PARTS:
        return float(bucket)
    exponent, part = divmod(bucket, PARTS)
    width = 1 << (exponent - 1)
    return (PARTS + part) * width + (width - 1) / 2


def trimmed(counts: Mapping[int, int], kept: float = 0.999) -> float:
    """The mean of the fastest part of all, in ticks: without what the system interrupted. At least one count.

    >>> trimmed({10: 999, 2000: 1})
    10.0
    """
    left = whole = max(1, round(kept * sum(counts.values())))
    total = 0.0
    for bucket in sorted(counts):
        total += bucket_value(bucket) * min(left, counts[bucket])
        left -= min(left, counts[bucket])
    return total / whole


def percentile(counts: Mapping[int, int], fraction: float) -> float:
    """The value, in ticks, that this part of all does not exceed; 1 is the largest. At least one count.

    >>> percentile({10: 98, 20: 2}, 0.5), percentile({10: 98, 20: 2}, 0.99)
    (10.0, 20.0)
    """
    wanted, seen = fraction * sum(counts.values()), 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        if seen >= wanted:
            return bucket_value(bucket)
    return bucket_value(max(counts))
