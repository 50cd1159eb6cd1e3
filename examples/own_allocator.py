"""An allocator of one's own, and the state machine that finds what is wrong with it: calloc hands out memory as it is,
which is zero only until something was freed. `python examples/own_allocator.py` shows the smallest history."""

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from m4alloc.check import AllocatorMachine
from spec.error import Violation

MEMORY = bytearray(1 << 16)
SETTINGS = settings(derandomize=True, database=None, stateful_step_count=20, phases=[Phase.generate, Phase.shrink])


class FirstFit:
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


class Cleared(FirstFit):
    def calloc(self, count: int, size: int) -> int:
        address = super().calloc(count, size)
        MEMORY[address : address + count * size] = bytes(count * size)
        return address


if __name__ == "__main__":
    for heap in FirstFit, Cleared:  # with pytest: TestIt = AllocatorMachine(FirstFit, memory=MEMORY).TestCase
        try:
            run_state_machine_as_test(AllocatorMachine(heap, memory=MEMORY), settings=SETTINGS)
            print(f"{heap.__name__}: nothing found")
        except Violation as found:
            print(heap.__name__, found, *(note for note in found.__notes__ if note.startswith("given")), sep="\n\n")
