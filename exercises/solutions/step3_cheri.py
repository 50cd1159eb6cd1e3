"""A solution of step 3: what cannot be represented is asked for again, padded and aligned; reuse waits for `retire`."""

from __future__ import annotations

from capability.architecture import Architecture, Pointer, Retirement, UnrepresentableError
from capability.memory import TaggedMemory
from capability.perms import DATA
from capability.word import align_up
from exercises.solutions.step2_coalescing import Heap as Space


class Heap:
    """A heap that hands out pointers of the given architecture to blocks in [base, base + size) of the memory."""

    def __init__(self, architecture: Architecture, memory: TaggedMemory, base: int, size: int) -> None:
        self.architecture = architecture
        self.memory = memory
        self.space = Space(base, size)
        self.pointers: dict[int, Pointer] = {}

    def malloc(self, size: int) -> Pointer | None:
        """A pointer to a block of at least `size` bytes, and to nothing else; None if there is no room."""
        return self.place(size) or (self.place(size) if self.sweep() else None)

    def place(self, size: int) -> Pointer | None:
        """A block in what is free now; each refusal of the format says to what it has to be aligned and padded."""
        granule = self.architecture.granule
        while True:
            length = align_up(max(size, 1), granule)
            base = self.space.aligned_alloc(granule, length)
            if not base:
                return None
            try:
                pointer = self.pointers[base] = self.architecture.derive(self.memory, base, length, DATA)
            except UnrepresentableError as refusal:
                self.space.free(base)
                granule = refusal.granule
            else:
                return pointer

    def free(self, pointer: Pointer | None) -> None:
        """Retire the block's pointer; what that makes safe is free again."""
        if pointer is not None:
            self.give_back(self.architecture.retire(self.memory, self.pointers.pop(pointer.address)))

    def sweep(self) -> bool:
        """Complete what waits; whether that gave anything back."""
        done = self.architecture.retire(self.memory, None)
        self.give_back(done)
        return bool(done.reusable)

    def give_back(self, done: Retirement) -> None:
        """What may be reused from now on."""
        for block in done.reusable:
            self.space.free(block.base)
