"""A workload and a simulation of a few lines, for examples and tests that should not wait for the simulator."""

from __future__ import annotations

import math

import numpy as np

from m4alloc.strategy import Strategy
from m4alloc.tune.result import Simulation
from m4alloc.tune.workload import Kind, Workload


def example_workload(count: int = 400, seed: int = 1, name: str = "example", largest: int = 2048) -> Workload:
    """So many allocations of sizes that are mostly small, each block freed some calls later.

    >>> len(example_workload(10)), example_workload(10).blocks
    (20, 10)
    """
    rng = np.random.default_rng(seed)
    sizes = np.minimum(rng.geometric(0.01, count), largest).astype(np.uint64)
    times = np.concatenate([np.arange(count), np.arange(count) + rng.geometric(0.02, count)])
    order = np.argsort(times, kind="stable")
    kind = np.repeat(np.array([Kind.ALLOCATE, Kind.FREE], np.uint8), count)[order]
    block = np.tile(np.arange(1, count + 1, dtype=np.uint32), 2)[order]
    size = np.concatenate([sizes, np.zeros(count, np.uint64)])[order]
    return Workload(
        name=name,
        kind=kind,
        block=block,
        size=size,
        alignment=np.zeros(2 * count, np.uint64),
        zeroed=np.zeros(2 * count, np.bool_),
        thread=np.zeros(2 * count, np.uint16),
        time_ms=(np.arange(2 * count) // 10).astype(np.uint32),
        blocks=count,
        threads=1,
    )


def example_simulate(workload: Workload, strategy: Strategy) -> Simulation:
    """Counters that move with the knobs as real ones do, from a formula: waste by the classes, misses by the stacks.

    It is no model of the core. Its knobs interact, it is cheap, and its optimum is not at the default.
    """
    sizes = workload.size[workload.kind == Kind.ALLOCATE].astype(np.int64)
    classes = np.array(strategy.classes)
    at = np.minimum(np.searchsorted(classes, sizes), len(classes) - 1)
    usable = np.where(sizes <= classes[-1], classes[at], -(-sizes // 65536) * 65536)
    used = len(np.unique(at))
    slabs = np.array(strategy.slab_bytes)[at].mean() if strategy.slab_bytes else 8 * classes[at].mean() + 65536
    depth = float(np.mean(strategy.stack_depths)) if strategy.stack_depths else float(strategy.stack_depth)
    held = min(depth, strategy.stack_bytes / 128)
    misses = len(sizes) / (1 + min(held, 8 * strategy.refill_batch) / 32)
    line = strategy.delay_line + 4 * strategy.quarantine
    cycles = len(sizes) * (20 + 2 * strategy.placement + 0.1 * math.sqrt(line + used)) + 150 * misses
    cycles *= 1 + 0.4 * strategy.canaries + 0.1 * strategy.randomise + 0.2 * (strategy.zero_on_free > 0)
    cycles *= 1 + 0.3 * (strategy.check_on_reuse > 0) - 0.05 * (strategy.prefault >= 65536) * (used > 4)
    cycles *= 1 + 0.1 / (1 + strategy.retain_bytes / (1 << 20)) + 0.05 * (strategy.huge_pages == 1)
    footprint = usable.sum() * (1.2 - 0.1 * (strategy.placement > 0)) + used * (slabs / 64 + 2 * held + 40 * line)
    footprint += strategy.prefault / 8 + 100 * math.log2(1 + strategy.retain_bytes) + 8 * strategy.large_delay**0.5
    footprint *= 1.1 if strategy.huge_pages == 1 else 1.0
    return Simulation(
        calls=len(workload),
        mallocs=len(sizes),
        frees=len(workload) - len(sizes),
        remote_frees=0,
        large_mallocs=int((sizes > classes[-1]).sum()),
        large_frees=0,
        refills=int(misses),
        flushes=0,
        slabs_made=used,
        purges=0,
        purged=0,
        spans_peak=used,
        requested_peak=int(sizes.sum()),
        live_peak=int(usable.sum()),
        footprint_peak=int(footprint),
        footprint_mean=float(footprint),
        internal=float(1 - sizes.sum() / usable.sum()),
        external=0.0,
        os_calls=used,
        faults=int(footprint) // 4096,
        lines=len(workload),
        cycles=float(cycles),
        reuse_least=strategy.delay_line,
        reuse_median=strategy.delay_line,
        classes=(),
    )
