"""Would it pay to place blocks by how long they will live? Slabs of several regions, and what placements cost there.

A study, not a model of the core: the core fills thread stacks with batches from one slab and has no regions. It says
what segregation by lifetime could save at most, and so whether the core should have it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from m4alloc.strategy import UNIT, default_classes
from m4alloc.tune.agent_summary import Whole
from m4alloc.tune.workload import Kind, Workload

LOOKED_AT: Final = 16
"""Slabs among which the fullest is looked for, as in the core."""


class ExcerptError(ValueError):
    """A part of a workload that nothing can be learned from; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Excerpt:
    """The small blocks that are allocated in a stretch of a workload's calls; a resize to another class makes another.

    size, kind: of each block its bytes and the index of its class. birth, death: calls from the start of the stretch;
    death is `length` where the block outlives it. classes: bytes of slots. slots: of each class in a slab; weight:
    bytes of its slabs by those of the least. events: in order, i + 1 for the allocation of block i, -(i + 1) for its
    end. at: their calls.
    """

    name: str
    length: int
    size: Whole
    kind: Whole
    thread: Whole
    birth: Whole
    death: Whole
    classes: tuple[int, ...]
    slots: tuple[int, ...]
    weight: tuple[float, ...]
    events: Whole
    at: Whole

    def __len__(self) -> int:
        return len(self.size)

    @classmethod
    def of(
        cls,
        workload: Workload,
        start: int = 0,
        length: int | None = None,
        *,
        classes: Sequence[int] = default_classes(),
        slab_bytes: int = UNIT,
    ) -> Excerpt:
        """The blocks that are born in calls start to start + length.

        slab_bytes: of a slab, or as many more as hold eight slots. Raises: ExcerptError.

        >>> from m4alloc.tune.example import example_workload
        >>> excerpt = Excerpt.of(example_workload(100), slab_bytes=4096)
        >>> len(excerpt), excerpt.length
        (100, 200)
        """
        length = len(workload) - start if length is None else min(length, len(workload) - start)
        sizes, births, deaths, threads = _lives(workload, np.array(classes))
        kinds = np.searchsorted(classes, sizes)
        kept = (births >= start) & (births < start + length) & (kinds < len(classes))
        if not kept.any():
            raise ExcerptError(
                f"workload {workload.name}: no small block is allocated in calls {start} to {start + length}"
            )
        birth, death = births[kept] - start, np.minimum(deaths[kept] - start, length)
        number = np.arange(1, len(birth) + 1)
        ended = death < length
        at = np.concatenate([birth, death[ended]])
        events = np.concatenate([number, -number[ended]])
        # What ends in a call ends before what begins in it: a resize gives back the old block's slot.
        order = np.argsort(2 * at + (events > 0), kind="stable")
        bytes_of = [max(slab_bytes, 1 << (8 * size - 1).bit_length()) for size in classes]
        return cls(
            workload.name,
            length,
            sizes[kept],
            kinds[kept],
            threads[kept],
            birth,
            death,
            tuple(classes),
            tuple(total // size for total, size in zip(bytes_of, classes, strict=True)),
            tuple(total / slab_bytes for total in bytes_of),
            events[order],
            at[order],
        )

    def bound(self) -> float:
        """Slabs times calls that no placement can do without: of each class at each time as many as its blocks fill.

        >>> from m4alloc.tune.example import example_workload
        >>> excerpt = Excerpt.of(example_workload(100), slab_bytes=4096)
        >>> excerpt.bound() <= run(excerpt, one_region).integral
        True
        """
        total = 0.0
        blocks = np.abs(self.events) - 1
        for kind in np.unique(self.kind):
            own = self.kind[blocks] == kind
            live = np.cumsum(np.sign(self.events[own]))
            lasting = np.diff(np.append(self.at[own], self.length))
            total += self.weight[kind] * float((-(-live // self.slots[kind]) * lasting).sum())
        return total


def _lives(workload: Workload, classes: Whole) -> tuple[Whole, Whole, Whole, Whole]:
    """Size, birth, death and thread of each block; a resize that changes the class ends one and begins another."""
    order = np.argsort(workload.block, kind="stable")
    kinds = workload.kind[order]
    sizes = np.maximum(workload.size[order].astype(np.int64), 1)
    of_class = np.searchsorted(classes, sizes)
    changes = (kinds == Kind.RESIZE) & (of_class != np.roll(of_class, 1))
    begins = (kinds == Kind.ALLOCATE) | changes
    owner = np.cumsum(begins) - 1
    deaths = np.full(int(begins.sum()), len(workload), np.int64)
    freed = (kinds == Kind.FREE) & (owner >= 0)
    deaths[owner[freed]] = order[freed]
    again = changes & (owner >= 1)
    deaths[owner[again] - 1] = order[again]
    back = np.argsort(order[begins], kind="stable")
    births = order[begins][back].astype(np.int64)
    return sizes[begins][back], births, deaths[back], workload.thread[births].astype(np.int64)


class Regions:
    """Slabs of every class in each of some regions, the blocks in them, and what is known of past lifetimes.

    order: which slab of a region with a free slot is filled: as Strategy.placement. A slab without blocks is given back
    at once. slabs: as many as there are, by weight. Cost: about a microsecond a block.
    """

    def __init__(self, excerpt: Excerpt, regions: int, order: int = 0) -> None:
        self.excerpt, self.regions, self.order = excerpt, regions, order
        kinds = len(excerpt.slots)
        self.slabs = 0.0
        self.made = 0
        self.now = 0
        self.partial: list[list[dict[int, None]]] = [[{} for _ in range(regions)] for _ in range(kinds)]
        self.count = np.zeros((kinds, regions), np.int64).tolist()
        self.live = np.zeros((kinds, regions), np.int64).tolist()
        self.used: list[int] = []
        self.since: list[int] = []
        self.until: list[int] = []
        self.slab_of: dict[int, tuple[int, int]] = {}

    def candidate(self, kind: int, region: int) -> int | None:
        """The slab that the next block of the class would go to; None: a new one."""
        partial = self.partial[kind][region]
        if not partial:
            return None
        if self.order == 0:
            return next(reversed(partial))
        if self.order == 1:
            return min(partial)
        return max(islice(partial, LOOKED_AT), key=self.used.__getitem__)

    def place(self, block: int, region: int) -> bool:
        """Put a block into a region; whether that took a new slab."""
        kind = int(self.excerpt.kind[block])
        slab = self.candidate(kind, region)
        new = slab is None
        if slab is None:
            slab = len(self.used)
            self.used.append(0)
            self.since.append(self.now)
            self.until.append(0)
            self.partial[kind][region][slab] = None
            self.count[kind][region] += 1
            self.slabs += self.excerpt.weight[kind]
            self.made += 1
        self.used[slab] += 1
        self.until[slab] = max(self.until[slab], int(self.excerpt.death[block]))
        self.live[kind][region] += 1
        self.slab_of[block] = slab, region
        if self.used[slab] == self.excerpt.slots[kind]:
            del self.partial[kind][region][slab]
        return new

    def free(self, block: int) -> None:
        """Take a block out of its slab."""
        kind = int(self.excerpt.kind[block])
        slab, region = self.slab_of.pop(block)
        partial = self.partial[kind][region]
        self.used[slab] -= 1
        self.live[kind][region] -= 1
        partial.pop(slab, None)
        if self.used[slab]:
            partial[slab] = None
        else:
            self.count[kind][region] -= 1
            self.slabs -= self.excerpt.weight[kind]

    def check(self) -> None:
        """Slots add up: used ones are the blocks, slabs with a free slot are the partial ones, no slab is empty."""
        total = 0.0
        for kind, slots in enumerate(self.excerpt.slots):
            for region in range(self.regions):
                own = [slab for b, (slab, r) in self.slab_of.items() if r == region and self.excerpt.kind[b] == kind]
                distinct = set(own)
                assert all(self.used[slab] == own.count(slab) <= slots for slab in distinct)
                assert set(self.partial[kind][region]) == {slab for slab in distinct if self.used[slab] < slots}
                assert self.count[kind][region] == len(distinct) and self.live[kind][region] == len(own)
                total += len(distinct) * self.excerpt.weight[kind]
        assert abs(total - self.slabs) < 1e-6


Policy = Callable[[Regions, int], int]
"""Which region a block goes to, from the state of all; one that knows the future looks at the block's death."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a placement cost: slabs times calls, slabs made, and the most slabs at a time."""

    integral: float
    made: int
    peak: float


def run(excerpt: Excerpt, policy: Policy, regions: int = 1, order: int = 0) -> Outcome:
    """Place every block of an excerpt. Cost: some microseconds a block."""
    state = Regions(excerpt, regions, order)
    integral, peak = 0.0, 0.0
    for event, at in zip(excerpt.events.tolist(), excerpt.at.tolist(), strict=True):
        integral += state.slabs * (at - state.now)
        state.now = at
        if event > 0:
            state.place(event - 1, policy(state, event - 1))
            peak = max(peak, state.slabs)
        else:
            state.free(-event - 1)
    return Outcome(integral + state.slabs * (excerpt.length - state.now), state.made, peak)


def one_region(state: Regions, block: int) -> int:
    """What the core does: no regions."""
    return 0


def at_random(seed: int) -> Policy:
    """Any region; what a policy must beat."""
    rng = np.random.default_rng(seed)
    return lambda state, block: int(rng.integers(state.regions))


def by_lifetime(bounds: Sequence[int]) -> Policy:
    """Segregation by the true lifetime, which nobody knows: region i up to bounds[i] calls, the last for the others."""
    return lambda state, block: int(
        np.searchsorted(bounds, int(state.excerpt.death[block] - state.excerpt.birth[block]))
    )


def clairvoyant(state: Regions, block: int) -> int:
    """The region where the block costs least, given when everything ends: it keeps no slab longer than need be."""
    kind, death = int(state.excerpt.kind[block]), int(state.excerpt.death[block])

    def cost(region: int) -> tuple[int, int]:
        slab = state.candidate(kind, region)
        if slab is None:
            return death - state.now, 0
        return max(0, death - state.until[slab]), abs(death - state.until[slab])

    return min(range(state.regions), key=cost)


def quantiles(excerpts: Sequence[Excerpt], regions: int) -> tuple[int, ...]:
    """Bounds between lifetimes that put as many blocks into each region as into the others.

    >>> from m4alloc.tune.example import example_workload
    >>> len(quantiles([Excerpt.of(example_workload())], 4))
    3
    """
    lives = np.concatenate([one.death - one.birth for one in excerpts])
    return tuple(int(value) for value in np.quantile(lives, np.arange(1, regions) / regions))


def best_clairvoyant(excerpt: Excerpt, regions: int, order: int = 0) -> Outcome:
    """The least integral of several placements that know the future: more than the bound, and reachable.

    Tried: the cheapest region of each block, lifetimes in equal shares, lifetimes by powers of a constant, and a single
    region, which need not know.
    """
    powers = tuple(int(excerpt.length ** (place / regions)) for place in range(1, regions))
    policies = (one_region, clairvoyant, by_lifetime(quantiles([excerpt], regions)), by_lifetime(powers))
    return min((run(excerpt, policy, regions, order) for policy in policies), key=lambda one: one.integral)
