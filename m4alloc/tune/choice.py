"""Choice: which candidates may run on the program itself, and which of them is worth building."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from m4alloc.strategy import UNIT, Strategy, StrategyError
from m4alloc.tune.report import Tried
from m4alloc.tune.security import Floor
from m4alloc.tune.security_sizes import served_by

if TYPE_CHECKING:
    from m4alloc.tune.measure import Measured

LEAST_GAIN = 0.01
"""Time and memory together that a candidate has to gain, modelled or in the race, to be built at all."""
PROBE = "probe: "
PROBES: dict[str, dict[str, Any]] = {
    "huge pages": {"huge_pages": 1},
    "deep stacks": {"stack_depth": 65536, "stack_bytes": 4 << 20},
    "deeper stacks": {"stack_depth": 16384, "stack_bytes": 1 << 20, "refill_batch": 1024},
    "keep pages": {"retain_bytes": 1 << 30, "retain_ms": 10_000},
    "prefault": {"prefault": 1 << 20},
}
LONG = 2.0
"""Seconds of a run from which on few candidates race."""
RUNNERS, RUNNERS_LONG = 10, 5
SHORT_PROBES = 2
"""Of the few, so many are probes."""


def probes(baseline: Strategy, floor: Floor) -> dict[str, Strategy]:
    """Single changes of the baseline whose worth the simulator knows least of: the race decides about them.

    >>> list(probes(Strategy(), Floor.of("default")))
    ['probe: huge pages', 'probe: deep stacks', 'probe: deeper stacks', 'probe: keep pages', 'probe: prefault']
    """
    found = {}
    for name, changes in PROBES.items():
        with suppress(StrategyError):
            strategy = baseline.with_(**changes)
            if strategy != baseline and floor.admits(strategy):
                found[f"{PROBE}{name}"] = strategy
    return found


def runners(proposed: int, seconds: float) -> tuple[int, int]:
    """How many of the shortlist and how many probes are put to the gates and to the race.

    proposed: candidates of the shortlist. seconds: of a run of the program.

    >>> runners(6, 0.5), runners(6, 10.0), runners(1, 10.0)
    ((5, 5), (3, 2), (1, 4))
    """
    most = RUNNERS if seconds <= LONG else RUNNERS_LONG
    kept = min(proposed, most - (len(PROBES) if seconds <= LONG else SHORT_PROBES))
    return kept, min(len(PROBES), most - kept)


def worth(one: Tried) -> float:
    """What a candidate gains in modelled time and memory together, as a share."""
    return 1 - one.objectives.time * one.objectives.memory


def is_probe(one: Tried) -> bool:
    """Whether the simulator did not propose it."""
    return one.name.startswith(PROBE)


def admitted(tried: Sequence[Tried]) -> list[Tried]:
    """Those that passed the gates and promise something: on the whole workloads, or, as probes, to the race."""
    return [one for one in tried if one.admitted and (worth(one) >= LEAST_GAIN or is_probe(one))]


def ranking(found: Measured, prefer: str) -> list[str]:
    """The runners that are worth building, the best first: those that are not slower nor larger beyond the noise, by
    time, by memory, or by the product of both, as `prefer` says. None that gains less than a hundredth, and none that
    left the race early.
    """
    merits = {}
    for one in found.decisions:
        ratios = found.row(one.allocator).to_default
        left = one.allocator in found.dropped
        if left or not ratios or "worse" in (one.axes.get("cpu"), one.axes.get("peak")):
            continue
        time, memory = ratios["cpu"].median, ratios["peak"].median
        merit = {"time": time, "memory": memory}.get(prefer, time * memory)
        if merit <= 1 - LEAST_GAIN:
            merits[one.allocator] = merit
    return sorted(merits, key=lambda name: merits[name])


def lifted(strategy: Strategy, floor: Floor) -> Strategy:
    """The strategy itself where the floor admits it; else the preset, or the longer delay line, that the floor wants.

    Raises StrategyError: no strategy that is known keeps it.

    >>> lifted(Strategy(), Floor.of("default", promise=32)).delay_line
    32
    """
    if floor.admits(strategy):
        return strategy
    for preset in (strategy, Strategy.hardened()):
        wanted = 1 << (floor.promise - 1).bit_length() if floor.promise else 0  # as the core has it
        line = max(preset.delay_line, wanted)
        slot = served_by(preset, floor.up_to)
        large = 0 if slot else floor.promise * (-(-floor.up_to // UNIT) * UNIT)
        for room in (line * (slot or preset.classes[-1]), 512 << 10, 2 << 20):
            with suppress(StrategyError):
                candidate = preset.with_(
                    delay_line=min(4096, line),
                    delay_bytes=max(preset.delay_bytes, room),
                    large_delay=max(preset.large_delay, large),
                )
                if floor.admits(candidate):
                    return candidate
    lines = "; ".join(floor.missing(strategy))
    raise StrategyError(f"no strategy to begin with keeps the floor: {lines}")
