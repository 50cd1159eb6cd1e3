"""Single calls of malloc and free, timed one by one under a mixed random load (latency.c)."""

from __future__ import annotations

from typing import Any

CALLS, BLOCKS = 3_000_000, 10_000
QUICK_CALLS, QUICK_BLOCKS = 20_000, 1_000
KINDS = ("malloc", "free")
PERCENTILES = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0))


def arguments(quick: bool, seed: int) -> list[str]:
    """What latency.c is told."""
    return [str(QUICK_CALLS if quick else CALLS), str(QUICK_BLOCKS if quick else BLOCKS), str(seed)]


def read(output: str) -> dict[str, Any]:
    """What it printed: nanoseconds a tick, the clock's cost and step in ticks, a histogram for each kind of call."""
    found: dict[str, Any] = {kind: {} for kind in KINDS}
    for line in output.splitlines():
        name, *numbers = line.split()
        if name in KINDS:
            found[name][numbers[0]] = int(numbers[1])
        elif name == "ticks":
            found["ns_a_tick"] = float(numbers[1]) / int(numbers[0])
        elif name == "timer":
            found |= {"timer": int(numbers[0]), "timer_mean": float(numbers[1]), "step": int(numbers[2])}
    return found
