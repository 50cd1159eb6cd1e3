"""Hypothesis finds what is wrong with a realloc: the smallest history, as a script.

You learn to put an allocator of your own under a state machine, and to give it sizes that suit it. The allocator below
is right but for one line, and passes every test whose sizes are multiples of 16, as the sizes in tests often are.
Run it: python examples/hypothesis_finds.py
"""

from __future__ import annotations

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from m4alloc.check import AllocatorMachine
from spec.error import Violation

MEMORY = bytearray(1 << 12)
BASE, UNIT = 0x1000, 16
SETTINGS = settings(
    derandomize=True, stateful_step_count=20, deadline=None, database=None, phases=[Phase.generate, Phase.shrink]
)


class Shrinking:
    """First fit over a list of free ranges; a realloc to fewer bytes gives the rest of the block back."""

    def __init__(self) -> None:
        self.ranges = [(BASE, BASE + len(MEMORY))]
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        length = max(size + -size % UNIT, UNIT)
        for place, (start, end) in enumerate(self.ranges):
            if end - start >= length:
                self.ranges[place] = (start + length, end)
                self.lengths[start] = length
                return start
        return 0

    def free(self, address: int) -> None:
        if address:
            self.ranges.insert(0, (address, address + self.lengths.pop(address)))

    def kept(self, size: int) -> int:
        """How much of a block is kept when it shrinks to `size` bytes: in whole units."""
        return max(size - size % UNIT, UNIT)

    def realloc(self, address: int, size: int) -> int:
        if not address:
            return self.malloc(size)
        length, kept = self.lengths[address], self.kept(size)
        if kept <= length:
            self.ranges.insert(0, (address + kept, address + length))
            self.lengths[address] = kept
            return address
        moved = self.malloc(size)
        if moved:
            MEMORY[moved - BASE : moved - BASE + length] = MEMORY[address - BASE : address - BASE + length]
            self.free(address)
        return moved


class Mended(Shrinking):
    """Units that are used in part are kept, too."""

    def kept(self, size: int) -> int:
        return max(size + -size % UNIT, UNIT)


def smallest(allocator: type[Shrinking], sizes: st.SearchStrategy[int], examples: int) -> Violation | None:
    """What the state machine finds: one thread, and the same draws each time."""
    machine = AllocatorMachine(allocator, memory=MEMORY, base=BASE, threads=1, sizes=sizes)
    chosen = settings(SETTINGS, max_examples=examples)
    try:
        run_state_machine_as_test(machine, settings=chosen)
    except Violation as found:
        return found
    return None


def main() -> None:
    """Nothing with round sizes, a finding with any sizes, nothing once the line is mended."""
    round_sizes = st.integers(1, 8).map(lambda units: units * UNIT)
    print(f"sizes that are multiples of 16: {smallest(Shrinking, round_sizes, 15) or 'nothing found'}")
    found = smallest(Shrinking, st.integers(1, 128), 100)
    if found is not None:
        print(f"any sizes: {found.rule.name}: {found.message}\nthe smallest history, which m4alloc replays anywhere:\n")
        print(next(note for note in found.__notes__ if note.startswith("given")))
    print(f"the line mended, any sizes: {smallest(Mended, st.integers(1, 128), 15) or 'nothing found'}")


if __name__ == "__main__":
    main()
