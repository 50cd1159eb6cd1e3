"""simulate: what the core would do with a program's calls under a strategy, counted instead of done."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import GRANULE, SMALL_MAX, UNIT, Strategy
from m4alloc.tune.result import ClassCount, Simulation
from m4alloc.tune.workload import Workload

if TYPE_CHECKING:
    from types import ModuleType

CLOCK = 1 << 32
"""Milliseconds on the simulated clock at the first call: a machine does not start with the program."""

NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
SAMPLE_HOOKED = 4096
HISTORY_BYTES = 8
SEED = 0x9E3779B97F4A7C1
NEVER = (1 << 63) - 1
KNOBS = (
    *("canaries", "refill_batch", "retain_bytes", "retain_share", "retain_ms", "randomise", "guards", "guard_slabs"),
    *("quarantine_random", "large_quarantine", "large_delay", "placement", "prefault", "huge_pages"),
)
"""What the simulator takes over as it is."""

COSTS: dict[str, float] = {
    "mallocs": 12.0,
    "frees": 12.0,
    "remote_frees": 60.0,
    "resized": 20.0,
    "hooked": 14.0,
    "sealed": 20.0,
    "refills": 50.0,
    "refilled": 5.2,
    "shuffled": 15.0,
    "flushes": 10.0,
    "flushed": 5.2,
    "drained": 6.0,
    "large": 250.0,
    "locks": 60.0,
    "ticks": 60.0,
    "slabs": 900.0,
    "os_calls": 1500.0,
    "faults": 5300.0,
    "populated": 3480.0,
    "huge": 5700.0,
    "remapped": 60.0,
    "near_misses": 1.0,
    "far_misses": 20.0,
    "strays": 40.0,
    "cold_lines": 4.0,
    "tlb_misses": 200.0,
    "copied": 0.1,
    "wiped": 0.1,
    "wiped_cold": 3.0,
    "poisoned": 0.23,
}
"""Modelled cycles, at three a nanosecond, of one of each; docs/simulator.md says how they were found."""


@dataclass(frozen=True, slots=True)
class Run:
    """A simulation's tables when it is over. offsets: of each call's block from the arena's base; -1: it has none."""

    memory: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]


def _kernels() -> tuple[ModuleType, ModuleType]:
    """The layout and the compiled loop. Raises: ModuleNotFoundError without numba."""
    try:
        from m4alloc.tune import _simulator_layout, _simulator_replay
    except ModuleNotFoundError as missing:
        if missing.name not in {"numba", "llvmlite"}:
            raise
        raise ModuleNotFoundError("the simulator needs numba: pip install 'm4alloc[tune]'") from None
    return _simulator_layout, _simulator_replay


def class_table(strategy: Strategy) -> npt.NDArray[np.int16]:
    """The class of a request by its granules: -1 where it gets a span of its own.

    >>> class_table(Strategy(guard_empty=False))[:10].tolist()
    [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
    """
    granules = np.arange(strategy.classes[-1] // GRANULE + 2, dtype=np.int64) * GRANULE
    table = np.searchsorted(np.array(strategy.classes), granules).astype(np.int16)
    table[table == len(strategy.classes)] = -1
    if strategy.guard_empty:
        table[0] = len(strategy.classes)
    if strategy.canaries and strategy.classes[0] == GRANULE:
        table[1] = table[2]
    return table


def delay_length(strategy: Strategy, slot_size: int) -> int:
    """Slots in the delay line of a class: a power of two.

    >>> delay_length(Strategy(), 512), delay_length(Strategy(), 4096), delay_length(Strategy(delay_line=5), 16)
    (16, 4, 8)
    """
    wanted = 1 << (strategy.delay_line - 1).bit_length() if strategy.delay_line > 0 else 0
    while wanted > 1 and wanted * slot_size > strategy.delay_bytes:
        wanted //= 2
    return wanted


def slab_units(strategy: Strategy, c: int, slot_size: int) -> int:
    """Units of 64 KiB in a slab of a class."""
    if c < len(strategy.slab_bytes):
        return strategy.slab_bytes[c] // UNIT
    units = 1
    while units * UNIT < 8 * slot_size:
        units *= 2
    return units


def stack_depth(strategy: Strategy, c: int, slot_size: int) -> int:
    """Slots on a thread's stack of a class."""
    if c < len(strategy.stack_depths):
        return strategy.stack_depths[c]
    return max(min(strategy.stack_bytes // slot_size, strategy.stack_depth), 16 if slot_size <= SMALL_MAX else 2)


def _fill_classes(m: npt.NDArray[np.int64], strategy: Strategy, layout: Any) -> None:
    """One row of the simulator's table for each class, as build_classes makes them (m4alloc/_core/size_class.pxd)."""
    slots = [*strategy.classes, *([GRANULE] if strategy.guard_empty else [])]
    for c, slot in enumerate(slots):
        empty = c == len(strategy.classes)
        units = slab_units(strategy, c, slot)
        delay = delay_length(strategy, slot)
        quarantine = strategy.quarantine
        if quarantine * slot > strategy.quarantine_bytes:
            quarantine = max(strategy.quarantine_bytes // slot, 1)
        batch = delay or 1
        row = m[c * layout.CLASS_ROW :]
        row[layout.SLOT_SIZE] = slot
        row[layout.CLASS_UNITS] = units
        row[layout.CLASS_SLOTS] = units * UNIT // slot
        row[layout.CLASS_DEPTH] = stack_depth(strategy, c, slot)
        row[layout.CLASS_DELAY] = delay
        row[layout.CLASS_QUARANTINE] = quarantine
        row[layout.CLASS_BATCH] = batch
        row[layout.CLASS_LINE] = (delay + quarantine + batch - 1) // batch * batch + batch
        states = units * UNIT // slot
        marks = ((states >> layout.PART_SHIFT) + 1 + 63) & ~63 if states > layout.UNMARKED_MAX else 0
        row[layout.CLASS_SIDE] = ((states + 1 + 63) & ~63) + marks
        row[layout.CLASS_SPARE] = layout.NOTHING
        row[layout.CLASS_USABLE] = 0 if empty else slot
        if empty:
            continue
        row[layout.CLASS_CLEAN] = bool(strategy.check_on_reuse or (strategy.canaries and slot <= strategy.zero_on_free))
        if slot <= strategy.zero_on_free:
            row[layout.CLASS_WIPED] = slot
        elif strategy.check_on_reuse:
            row[layout.CLASS_WIPED] = slot if slot < strategy.check_on_reuse else strategy.check_on_reuse & ~15
        elif quarantine:
            row[layout.CLASS_WIPED] = slot


def _fill_scalars(m: npt.NDArray[np.int64], strategy: Strategy, layout: Any, base: int) -> None:
    """The simulator's single numbers before the first call."""
    for name in ("YOUNGEST", "OLDEST", "HELD_FIRST", "HELD_LAST", "ABANDONED"):
        m[getattr(layout, name)] = layout.NOTHING
    hooked_malloc = bool(
        strategy.check_on_reuse or strategy.canaries or strategy.history or 0 < strategy.sample_rate < SAMPLE_HOOKED
    )
    hooked = bool(strategy.delay_line == 0 or strategy.quarantine or strategy.zero_on_free or hooked_malloc)
    given = {
        "CLASSES": len(strategy.classes),
        "BINS": len(strategy.classes) + strategy.guard_empty,
        "EMPTY_CLASS": len(strategy.classes) if strategy.guard_empty else layout.NOTHING,
        "LARGEST": strategy.classes[-1],
        "HOOKED_MALLOC": hooked_malloc,
        "HOOKED": hooked,
        "SIDE_LENGTH": (HISTORY_BYTES if strategy.history else 0) + strategy.side_bytes,
        "RANDOM": SEED,
        "REUSE_LEAST": NEVER,
        "POISONS": strategy.quarantine != 0 and strategy.zero_on_free == 0 and strategy.check_on_reuse == 0,
        "BASE_UNITS": base // UNIT,
        "OS_CALLS": 1 if strategy.huge_pages else 0,
    }
    for name in KNOBS:
        given[name.upper()] = getattr(strategy, name)
    for name, value in given.items():
        m[getattr(layout, name)] = int(value)


def _memory(strategy: Strategy, layout: Any, base: int) -> npt.NDArray[np.int64]:
    """Empty tables for a strategy: about 3 GB of address space, of which no more is taken than is used."""
    try:
        mapping = mmap.mmap(-1, 8 * layout.WORDS, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | NORESERVE)
    except OSError as error:
        raise MemoryError(f"no {8 * layout.WORDS:,} bytes of address space for the simulator: {error}") from None
    m = np.frombuffer(mapping, np.int64)
    _fill_scalars(m, strategy, layout, base)
    _fill_classes(m, strategy, layout)
    table = class_table(strategy)
    m[layout.CLASS_OF : layout.CLASS_OF + len(table)] = table
    m[layout.FREE_SPANS : layout.FREE_SPANS + layout.SPAN_LISTS] = layout.NOTHING
    m[layout.NEAR : layout.REUSES] = layout.NOTHING
    return m


def _column(values: npt.NDArray[Any], kind: type[np.generic]) -> npt.NDArray[Any]:
    """The values as the one type of array for which the loop is compiled: contiguous, writable, int64 for uint64."""
    values = np.require(values, requirements=["C", "W"])
    return values.view(kind)


def run(
    workload: Workload,
    strategy: Strategy,
    *,
    timeline: int = 0,
    clock: int = CLOCK,
    base: int = 0,
    placed: bool = False,
) -> Run:
    """Replay, and hand over all that the simulator knows.

    timeline: samples, equally far apart. clock: milliseconds at the first call. base: address of the arena, a multiple
    of 64 KiB; it matters to blocks that are aligned to more. placed: whether offsets are wanted.
    Raises: ModuleNotFoundError without numba; MemoryError for more than 128 GiB, or 256 MiB of the core's own memory.
    """
    layout, kernels = _kernels()
    calls = len(workload)
    threads = max(workload.threads, 1)
    last_calls = np.full(threads, -1, np.int64)
    if threads > 1:
        last_calls[workload.thread] = np.arange(calls)
        last_calls[0] = -1  # the main thread ends with its process
    samples = np.zeros((min(timeline, calls), 4), np.int64)
    if len(samples):
        samples[:, 0] = np.linspace(calls / len(samples), calls, len(samples)).astype(np.int64)
    offsets = np.full(calls if placed else 0, -1, np.int64)
    m = _memory(strategy, layout, base)
    try:
        kernels.replay(
            m,
            m.view(np.uint8),
            _column(workload.kind, np.uint8),
            _column(workload.block, np.uint32),
            _column(workload.size, np.int64),
            _column(workload.alignment, np.int64),
            _column(workload.thread, np.uint16),
            _column(workload.time_ms, np.uint32),
            clock,
            last_calls,
            np.full(threads, -1, np.int64),
            np.zeros(2 * (workload.blocks + 1), np.int64),
            offsets,
            samples,
        )
    except OverflowError as full:
        raise MemoryError(f"{workload.name} needs more {full} than the simulator has room for") from None
    return Run(m, offsets, samples)


def _median(reuses: npt.NDArray[np.int64], layout: Any) -> int:
    """The distance that half of the reuses do not exceed; -1: there are none."""
    total = int(reuses.sum())
    if total == 0:
        return -1
    i = int(np.searchsorted(np.cumsum(reuses), (total + 1) // 2))
    if i < layout.FINE:
        return i
    doubling, step = divmod(i - layout.FINE, layout.STEPS)
    return int(step + layout.STEPS) << int(doubling + 6)


def happened(run: Run) -> dict[str, int]:
    """How often everything happened that COSTS has a price for."""
    layout, _ = _kernels()
    s = run.memory
    rows = [s[c * layout.CLASS_ROW :] for c in range(s[layout.BINS])]
    of_classes = {
        name: sum(int(row[getattr(layout, f"CLASS_{name.upper()}")]) for row in rows)
        for name in ("mallocs", "frees", "remote_frees", "refills", "flushes")
    }
    counted = {
        "large": 2 * s[layout.LARGE_FREES] + s[layout.LARGE_BLOCKS],
        "resized": s[layout.RESIZED],
        "hooked": s[layout.HOOKED_CALLS],
        "refilled": s[layout.REFILLED],
        "shuffled": s[layout.REFILLED] * (s[layout.RANDOMISE] != 0),
        "flushed": s[layout.FLUSHED],
        "drained": s[layout.DRAINED],
        "locks": s[layout.LOCKS],
        "ticks": s[layout.TURNS],
        "slabs": s[layout.SLABS_MADE],
        "os_calls": s[layout.OS_CALLS],
        "faults": s[layout.FAULTS],
        "populated": s[layout.POPULATED],
        "huge": s[layout.HUGE_PAGED],
        "remapped": s[layout.PAGES_MOVED],
        "near_misses": s[layout.LINES] - s[layout.FAR_LINES],
        "far_misses": s[layout.FAR_LINES],
        "strays": s[layout.STRAYS],
        "cold_lines": s[layout.COLD_LINES],
        "tlb_misses": s[layout.TLB_MISSES],
        "copied": s[layout.MOVED],
        "wiped": s[layout.WIPED],
        "wiped_cold": s[layout.WIPED_COLD],
        "poisoned": s[layout.WIPED] * s[layout.POISONS],
        "sealed": s[layout.HOOKED_CALLS] * s[layout.CANARIES],
    }
    return of_classes | {name: int(count) for name, count in counted.items()}


def modelled(counts: Mapping[str, int], costs: Mapping[str, float] = COSTS) -> float:
    """The model's cycles: how often everything happened, times what it costs."""
    return float(sum(costs[name] * count for name, count in counts.items()))


def summary(run: Run, calls: int) -> Simulation:
    """What there is to know of a run, as a Simulation."""
    layout, _ = _kernels()
    s = run.memory
    rows = [s[c * layout.CLASS_ROW :] for c in range(s[layout.BINS])]
    small, freed, remote, refills, flushes, made = (
        sum(int(row[getattr(layout, f"CLASS_{name}")]) for row in rows)
        for name in ("MALLOCS", "FREES", "REMOTE_FREES", "REFILLS", "FLUSHES", "SLABS_MADE")
    )
    peak = int(s[layout.RESIDENT_PEAK]) << layout.PAGE_SHIFT
    live, requested = int(s[layout.PEAK_LIVE]), int(s[layout.PEAK_REQUESTED])
    least = int(s[layout.REUSE_LEAST])
    return Simulation(
        calls=calls,
        mallocs=small + int(s[layout.LARGE_FREES] + s[layout.LARGE_BLOCKS]),
        frees=freed + int(s[layout.LARGE_FREES]),
        remote_frees=remote,
        large_mallocs=int(s[layout.LARGE_FREES] + s[layout.LARGE_BLOCKS]),
        large_frees=int(s[layout.LARGE_FREES]),
        refills=refills,
        flushes=flushes,
        slabs_made=made,
        purges=int(s[layout.PURGES]),
        purged=int(s[layout.PURGED]),
        spans_peak=int(s[layout.SPAN_BYTES_PEAK]),
        requested_peak=int(s[layout.REQUESTED_PEAK]),
        live_peak=int(s[layout.LIVE_PEAK]),
        footprint_peak=peak,
        footprint_mean=float(s[layout.RESIDENT_SUM]) * layout.PAGE / calls if calls else 0.0,
        internal=max(0.0, 1 - requested / live) if live else 0.0,
        external=max(0.0, 1 - live / peak) if peak else 0.0,
        os_calls=int(s[layout.OS_CALLS]),
        faults=int(s[layout.FAULTS]),
        lines=int(s[layout.LINES]),
        cycles=modelled(happened(run)),
        reuse_least=least if least != NEVER else -1,
        reuse_median=_median(s[layout.REUSES : layout.CLASS_OF], layout),
        classes=tuple(
            ClassCount(
                slot_size=int(row[layout.CLASS_USABLE]),
                mallocs=int(row[layout.CLASS_MALLOCS]),
                frees=int(row[layout.CLASS_FREES]),
                remote_frees=int(row[layout.CLASS_REMOTE_FREES]),
                refills=int(row[layout.CLASS_REFILLS]),
                flushes=int(row[layout.CLASS_FLUSHES]),
                slabs_made=int(row[layout.CLASS_SLABS_MADE]),
                slabs_peak=int(row[layout.CLASS_SLABS_PEAK]),
            )
            for row in rows
        ),
        live=int(s[layout.LIVE]),
        spans=int(s[layout.SPAN_BYTES]),
        dirty=int(s[layout.DIRTY_BYTES]),
        held=int(s[layout.HELD_BYTES]),
        metadata=int(s[layout.METADATA_BYTES]),
        commits=int(s[layout.COMMITS]),
        prefaults=int(s[layout.PREFAULTS]),
        populated=int(s[layout.POPULATED]),
        far_lines=int(s[layout.FAR_LINES]),
        timeline=tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in run.samples),
    )


def simulate(workload: Workload, strategy: Strategy, *, timeline: int = 0) -> Simulation:
    """The counters of the core for a workload under a strategy, and what the model adds; the same at every call.

    timeline: how many samples of the footprint over time are wanted, at most one a call.
    Exact where docs/simulator.md says so: with nothing drawn by chance, and threads that take turns, each counter that
    the core keeps is the core's own. Where the strategy draws by chance, the simulator draws from a generator of its
    own that always begins alike; sampled allocations (sample_rate) are taken for ordinary ones.
    Raises: ModuleNotFoundError without numba; MemoryError for more than 128 GiB, or 256 MiB of the core's own memory.
    Cost: 35 to 100 ns a call; 20 s of CPU time once, to compile.
    """
    return summary(run(workload, strategy, timeline=timeline), len(workload))
