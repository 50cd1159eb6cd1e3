"""An allocator of one's own, and the state machine that finds what is wrong with it: calloc hands out memory as it is,
which is zero only until something was freed. `python examples/own_allocator.py` shows the smallest history."""

import unittest

from hypothesis import Phase, settings

from m4alloc.check import AllocatorMachine

MEMORY = bytearray(1 << 16)


class FirstFit:
    """First fit: the free ranges in a list, how long each block is in a dict; no free range is joined with another."""

    def __init__(self) -> None:
        self.ranges = [(16, len(MEMORY))]
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        length = max(size + -size % 16, 16)
        for place, (start, end) in enumerate(self.ranges):
            if end - start >= length:
                self.ranges[place] = (start + length, end)
                self.lengths[start] = length
                return start
        raise MemoryError

    def free(self, address: int) -> None:
        if address:
            self.ranges.insert(0, (address, address + self.lengths.pop(address)))

    def calloc(self, count: int, size: int) -> int:
        return self.malloc(count * size)


TestFirstFit = AllocatorMachine(FirstFit, memory=MEMORY).TestCase
TestFirstFit.settings = settings(derandomize=True, stateful_step_count=20, phases=[Phase.generate, Phase.shrink])

if __name__ == "__main__":
    unittest.main()
