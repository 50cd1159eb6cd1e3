"""The cost of a call against the number of live blocks, and the memory they take (heap_size.c)."""

from __future__ import annotations

from pathlib import Path

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
MEAN_SIZE = 253
"""Bytes of a block, on average."""
LEAST_REPLACED = 1_000_000
SHARE = 0.6
"""Of the available memory that the largest heap may take."""
NAMES = ("build", "replace", "clear", "live", "resident", "freed", "settled")


def arguments(blocks: int, seed: int, quick: bool) -> list[str]:
    """What heap_size.c is told: as many replacements as blocks, and enough of them to be timed."""
    return [str(blocks), str(blocks if quick else max(blocks, LEAST_REPLACED)), str(seed)]


def bytes_needed(blocks: int) -> int:
    """What a heap of so many blocks takes, half as much again as is live, and the harness's own table."""
    return blocks * (MEAN_SIZE * 3 // 2 + 16)


def available() -> int:
    """Bytes that a program could take without swapping.  Source: proc(5), /proc/meminfo, MemAvailable."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def that_fit(sizes: tuple[int, ...], memory: int) -> tuple[int, ...]:
    """The sizes whose heaps fit in that share of `memory` bytes.

    >>> that_fit((10_000, 10_000_000), 2 * 10**9)
    (10000,)
    """
    return tuple(blocks for blocks in sizes if bytes_needed(blocks) <= SHARE * memory)


def read(output: str) -> dict[str, float]:
    """What it printed, by name."""
    lines = (line.split() for line in output.splitlines())
    return {words[0]: float(words[1]) for words in lines if words and words[0] in NAMES}
