"""What the parts of the tuner tell one another: counters of a simulated strategy, and what a candidate is worth."""

from __future__ import annotations

from dataclasses import dataclass

from m4alloc.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """One size class of a simulation; names and meanings as in the core's statistics (m4alloc/_core/stats.pxd)."""

    slot_size: int
    mallocs: int
    frees: int
    remote_frees: int
    refills: int
    flushes: int
    slabs_made: int
    slabs_peak: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The counters of one workload under one strategy: the same numbers whenever and wherever they are computed.

    Counters that the core keeps have its names; the rest is modelled. Bytes, unless said otherwise.
    """

    calls: int
    mallocs: int
    frees: int
    remote_frees: int
    large_mallocs: int
    large_frees: int
    refills: int
    flushes: int
    slabs_made: int
    purges: int
    purged: int
    spans_peak: int
    """In slabs and large blocks."""
    requested_peak: int
    """Of all live requests together: no allocator that does not move blocks can do with less."""
    live_peak: int
    """Usable size of all live blocks."""
    footprint_peak: int
    """Resident: pages of spans that were ever used and not given back since, and the core's own metadata."""
    footprint_mean: float
    """Over the calls."""
    internal: float
    """At the peak of the footprint: share of the live blocks' usable bytes that nobody asked for."""
    external: float
    """At the peak of the footprint: share of it that is no live block."""
    os_calls: int
    """mprotect, madvise and mremap."""
    faults: int
    """Pages touched for the first time, or again after they were given back."""
    lines: int
    """Cache lines of blocks and of the core's own memory that were not among the last touched."""
    cycles: float
    """Modelled time of all calls together."""
    reuse_least: int
    """Frees of its class between the free of a block and the reuse of its memory: the least ever seen; -1: no reuse."""
    reuse_median: int
    classes: tuple[ClassCount, ...]
    # After the last call, as the core's statistics have it:
    live: int = 0
    spans: int = 0
    """In slabs and large blocks."""
    dirty: int = 0
    """In free spans that keep their pages."""
    held: int = 0
    """Of freed large blocks whose addresses are not used again yet."""
    metadata: int = 0
    """The core's own memory besides the records of spans."""
    commits: int = 0
    """Times that more memory was made accessible."""
    prefaults: int = 0
    """Slabs and large blocks made resident in one step."""
    populated: int = 0
    """Pages of them; these are no faults."""
    far_lines: int = 0
    """Of `lines`: those that are in no nearer cache of 1 MiB either."""
    timeline: tuple[tuple[int, int, int, int], ...] = ()
    """Calls so far; requested, live and resident bytes then."""


@dataclass(frozen=True, slots=True)
class Objectives:
    """What a candidate is judged by: time and memory as ratios to the baseline strategy (less is better), security as a
    score of its own (more is better), see m4alloc.tune.security."""

    time: float
    memory: float
    security: float

    def dominates(self, other: Objectives) -> bool:
        """Nowhere worse, and somewhere better.

        >>> Objectives(0.9, 1.0, 5.0).dominates(Objectives(1.0, 1.0, 5.0))
        True
        """
        mine, others = (self.time, self.memory, -self.security), (other.time, other.memory, -other.security)
        return all(a <= b for a, b in zip(mine, others, strict=True)) and mine != others


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A candidate and what it is worth. simulations: one a workload, in their order; empty when it was not kept."""

    strategy: Strategy
    objectives: Objectives
    simulations: tuple[Simulation, ...] = ()
