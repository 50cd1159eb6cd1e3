"""The size classes that waste least, for every number of classes at once: dynamic programming over the sizes in use.

Let v1 < v2 < .. be the sizes a class may have, W and S the weight and the weighted bytes of all requests up to each.
Serving those above vi and up to vj with slots of vj wastes c(i, j) = vj (Wj - Wi) - (Sj - Si); the least waste of at
most k classes of which vj is the last is D[k][j] = min over i < j of D[k - 1][i] + c(i, j). Since c satisfies the
quadrangle inequality c(a, c) + c(b, d) <= c(a, d) + c(b, c) for a <= b <= c <= d, the best i grows with j, and a layer
takes O(n log n) by divide and conquer (F. Yao, "Efficient dynamic programming using quadrangle inequalities", 1980).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import CLASS_MAX, GRANULE, SMALL_MAX, UNIT
from m4alloc.tune.curves_demand import Demand
from m4alloc.tune.curves_pieces import PAGE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Overhead = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRules:
    """What a set of classes must be.

    largest: no class is larger, and requests that none holds are large blocks, rounded up to pages. forced: classes
    that are in every set. subdivisions: so many classes a doubling, a power of two, so that the class of a size follows
    from its leading bit and the next few: sizes of 2**e (1 + m / subdivisions); 0: any. per_doubling: at most so many
    classes from a power of two to below the next; 0: any number. granule: classes are multiples of it; 0: of
    16 up to 32,768 and of 4,096 above, as Strategy wants them. representable: the name of a CHERI format whose
    capabilities bound every class exactly, as in Strategy, or "". overhead: bytes that a class costs besides, of arrays
    of slot sizes and of the weights served, for instance slab_overhead.
    Raises: ValueError.
    """

    largest: int = SMALL_MAX
    forced: tuple[int, ...] = ()
    subdivisions: int = 0
    per_doubling: int = 0
    granule: int = 0
    representable: str = ""
    overhead: Overhead | None = None

    def __post_init__(self) -> None:
        if not GRANULE <= self.largest <= CLASS_MAX:
            raise ValueError(f"largest is {self.largest}; it must be from {GRANULE} to {CLASS_MAX}")
        if self.subdivisions < 0 or self.subdivisions & (self.subdivisions - 1):
            raise ValueError(f"subdivisions is {self.subdivisions}; it must be a power of two, or 0")
        if self.per_doubling < 0 or self.granule < 0:
            raise ValueError("per_doubling and granule must not be negative")
        representable_size(GRANULE, self.representable)
        for size in self.forced:
            allowed = self.round(size) if 0 < size <= self.largest else 0
            if size != allowed:
                instead = f"; {allowed} would do" if 0 < allowed <= self.largest else ""
                raise ValueError(f"the forced class {size} is none that the other rules allow{instead}")

    def round(self, size: int) -> int:
        """The least size of at least `size` bytes that a class may have; NEVER: there is none.

        >>> ClassRules(subdivisions=4).round(272), ClassRules(representable="128m").round(20001)
        (320, 20016)
        """
        while size < NEVER:
            granule = self.granule or (GRANULE if size <= SMALL_MAX else PAGE)
            wider = max(1, -(-size // granule)) * granule
            if self.subdivisions:
                step = max(1, (1 << wider.bit_length() - 1) // self.subdivisions)
                wider = -(-wider // step) * step
            wider = representable_size(wider, self.representable)
            if wider == size:
                return size
            size = wider
        return NEVER


NEVER = 2 * CLASS_MAX
"""Larger than any class."""


def representable_size(size: int, name: str) -> int:
    """The least class from `size` on that capabilities of a format bound exactly in every slot of a slab; NEVER: none.

    name: of the format, as in Strategy.representable; "" for none.  Raises: StrategyError, a ValueError.

    >>> representable_size(16400, "cheriot"), representable_size(40001, "morello"), representable_size(40001, "")
    (16448, 40960, 40001)
    """
    if not name:
        return size
    from m4alloc.strategy_rules import next_representable  # which imports capability

    found = next_representable(size, name)
    return NEVER if found is None else found


def slab_overhead(slots: Floats, counts: Floats) -> Floats:
    """Bytes of slabs that so many live slots leave free: the rest of the last slab, and what no slot fits in.

    counts: of slots live at once, that is, Weight.PEAK. Slabs are as the core makes them: the least power of two of 64
    KiB that holds eight slots.
    """
    size = np.maximum(UNIT, 2.0 ** np.ceil(np.log2(8 * slots)))
    each = np.floor(size / slots)
    overhead: Floats = np.ceil(counts / each) * size - counts * slots
    return overhead


@dataclass(frozen=True, slots=True, eq=False)
class ClassCurve:
    """The least waste for every number of classes.

    waste[k]: weighted bytes beyond those asked for, with at most k classes, of all requests; infinite where so few
    cannot keep the rules. requested: weighted bytes asked for. monotone: whether divide and conquer was right.
    """

    waste: Floats
    requested: float
    monotone: bool
    _sizes: Ints
    _before: npt.NDArray[np.int32]
    _rank: npt.NDArray[np.int16]

    def classes(self, count: int) -> tuple[int, ...]:
        """The best set of at most `count` classes.  Raises: ValueError.

        >>> curve = class_curve(Demand.counted([16, 32, 64, 4096], [1000, 1, 1, 1]))
        >>> curve.classes(2), curve.classes(3)
        ((16, 4096), (16, 64, 4096))
        """
        if not 1 <= count < len(self.waste) or np.isinf(self.waste[count]):
            raise ValueError(f"there is no set of {count} classes that keeps the rules")
        found: list[int] = []
        place = len(self._sizes) - 1
        rank = int(self._rank[count, place])
        while place > 0:
            found.append(int(self._sizes[place]))
            place = int(self._before[count, rank, place])
            count -= 1
            rank = rank - 1 if rank > 0 else int(self._rank[count, place])
        return tuple(reversed(found))

    def share(self, count: int) -> float:
        """waste[count] as a share of the bytes in use."""
        return float(self.waste[count] / (self.waste[count] + self.requested)) if self.requested else 0.0


def class_curve(demand: Demand, most: int = 64, rules: ClassRules = ClassRules()) -> ClassCurve:
    """The optimal class sets of 1 .. most classes for a demand, and their waste.

    The largest size in use (or forced) of at most rules.largest is always a class.
    Cost: O(most n log n) for n sizes; with an overhead that breaks the quadrangle inequality, which takes O(n**2) to
    find out, O(most n**2). per_doubling multiplies it.  Raises: ValueError.
    Source: D. Knuth's and F. Yao's conditions; the divide and conquer is folklore.

    >>> curve = class_curve(Demand.counted(range(1, 1025)), 8)
    >>> curve.classes(4), round(curve.share(4), 3)
    ((256, 512, 768, 1024), 0.199)
    """
    if most < 1:
        raise ValueError(f"most is {most}; it must be at least 1")
    problem = _Problem(demand, rules)
    ranks = rules.per_doubling or 1
    places = len(problem.sizes)
    best = np.full((ranks, places), np.inf)
    best[0, 0] = 0.0
    waste = np.full(most + 1, np.inf)
    before = np.zeros((most + 1, ranks, places), np.int32)
    rank = np.zeros((most + 1, places), np.int16)
    everywhere = np.arange(places)
    for count in range(1, most + 1):
        least = best.min(axis=0)
        following = np.full_like(best, np.inf)
        high = problem.doubling if rules.per_doubling else everywhere
        following[0], before[count, 0] = problem.layer(least, problem.forced, high)
        for number in range(1, ranks):
            low = np.maximum(problem.forced, problem.doubling)
            following[number], before[count, number] = problem.layer(best[number - 1], low, everywhere)
        following[0, 0] = 0.0
        best = following
        rank[count] = best.argmin(axis=0)
        waste[count] = best[:, -1].min() + problem.large
    waste[0] = problem.large if places == 1 else np.inf
    return ClassCurve(waste, demand.total, problem.monotone, problem.sizes, before, rank)


class _Problem:
    """Candidates for classes with the sums of what is below each; number 0 stands for no class at all."""

    def __init__(self, demand: Demand, rules: ClassRules) -> None:
        target = np.array([rules.round(int(size)) for size in demand.sizes], np.int64)
        small = target <= rules.largest
        pages = (demand.sizes + PAGE - 1) // PAGE * PAGE
        self.large = float((pages[~small] * demand.weights[~small] - demand.bytes[~small]).sum())
        sizes = np.unique(np.concatenate((target[small], np.array(rules.forced, np.int64))))
        if not len(sizes):
            sizes = np.array([rules.round(GRANULE)], np.int64)
        self.sizes = np.concatenate((np.zeros(1, np.int64), sizes))
        place = np.searchsorted(self.sizes, target[small])
        self._weight: Floats = np.cumsum(np.bincount(place, demand.weights[small], len(self.sizes)))
        self._bytes: Floats = np.cumsum(np.bincount(place, demand.bytes[small], len(self.sizes)))
        self._overhead = rules.overhead
        self._matrix: Floats | None = None
        forced = np.isin(self.sizes, np.array(rules.forced, np.int64))
        everywhere = np.arange(len(self.sizes))
        # The class before a class is never below the last forced one.
        self.forced = np.concatenate(([0], np.maximum.accumulate(np.where(forced, everywhere, 0))[:-1]))
        octave = np.array([int(size).bit_length() for size in self.sizes])
        self.doubling = np.searchsorted(octave, octave)
        self.monotone = rules.overhead is None or self._inequality()

    def price(self, i: Ints, j: Ints) -> Floats:
        """What class j wastes on everything above class i."""
        weight = self._weight[j] - self._weight[i]
        slots = self.sizes[j].astype(np.float64)
        waste: Floats = slots * weight - (self._bytes[j] - self._bytes[i])
        if self._overhead is not None:
            waste += np.where(weight > 0, self._overhead(slots, weight), 0.0)
        return waste

    def _pairs(self) -> Floats:
        """The price of every pair: row j, column i; infinite for i >= j."""
        if self._matrix is None:
            places = np.arange(len(self.sizes))
            matrix = np.full((len(places), len(places)), np.inf)
            for j in places[1:]:
                matrix[j, :j] = self.price(places[:j], np.full(j, j))
            self._matrix = matrix
        return self._matrix

    def _inequality(self) -> bool:
        """Does the price satisfy the quadrangle inequality? It is enough to look at neighbours."""
        pairs = self._pairs()
        slack = 1e-9 * (1 + self._bytes[-1])
        for j in range(2, len(pairs) - 1):
            # a = i, b = i + 1, c = j, d = j + 1.
            together = pairs[j, : j - 1] + pairs[j + 1, 1:j]
            if np.any(together > pairs[j + 1, : j - 1] + pairs[j, 1:j] + slack):
                return False
        return True

    def layer(self, previous: Floats, low: Ints, high: Ints) -> tuple[Floats, npt.NDArray[np.int32]]:
        """For every j the least previous[i] + price(i, j) over low[j] <= i < high[j], infinite for none, and that i."""
        finite = np.concatenate(([0], np.cumsum(np.isfinite(previous))))
        possible = np.flatnonzero((high > low) & (finite[np.maximum(high, low)] > finite[low]))
        best = np.full(len(self.sizes), np.inf)
        chosen = np.zeros(len(self.sizes), np.int32)
        if len(possible):
            solve = self._divided if self.monotone else self._all_pairs
            best[possible], chosen[possible] = solve(previous, possible, low[possible], high[possible])
        return best, chosen

    def _divided(self, previous: Floats, ends: Ints, low: Ints, high: Ints) -> tuple[Floats, Ints]:
        """Divide and conquer, all the middles of one depth together."""
        best = np.full(len(ends), np.inf)
        chosen = np.zeros(len(ends), np.int64)
        first, last = np.array([0]), np.array([len(ends) - 1])
        least, most = np.array([0]), np.array([len(previous) - 1])
        while len(first):
            middle = (first + last) // 2
            start = np.maximum(least, low[middle])
            length = np.minimum(most, high[middle] - 1) - start + 1
            offset = np.concatenate(([0], np.cumsum(length)[:-1]))
            i = np.arange(int(length.sum())) - np.repeat(offset - start, length)
            value = previous[i] + self.price(i, np.repeat(ends[middle], length))
            lowest = np.minimum.reduceat(value, offset)
            hits = np.flatnonzero(value == np.repeat(lowest, length))
            pick = i[hits[np.searchsorted(hits, offset)]]
            best[middle], chosen[middle] = lowest, pick
            left, right = first < middle, middle < last
            first, last, least, most = (
                np.concatenate((first[left], middle[right] + 1)),
                np.concatenate((middle[left] - 1, last[right])),
                np.concatenate((least[left], pick[right])),
                np.concatenate((pick[left], most[right])),
            )
        return best, chosen

    def _all_pairs(self, previous: Floats, ends: Ints, low: Ints, high: Ints) -> tuple[Floats, Ints]:
        """Every i for every j."""
        best = np.empty(len(ends))
        chosen = np.empty(len(ends), np.int64)
        pairs = self._pairs()
        for place, j in enumerate(ends):
            value = previous[low[place] : high[place]] + pairs[j, low[place] : high[place]]
            chosen[place] = low[place] + value.argmin()
            best[place] = value.min()
        return best, chosen
