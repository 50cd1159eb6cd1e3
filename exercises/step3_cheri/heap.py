"""Step 3: blocks behind capabilities. What is here is right on a machine without protection, and wrong on CHERI."""

from __future__ import annotations

from capability.architecture import Architecture, Pointer
from capability.memory import TaggedMemory
from capability.perms import DATA
from exercises.step2_coalescing.heap import Heap as Space


class Heap:
    """A heap that hands out pointers of the given architecture to blocks in [base, base + size) of the memory.

    space: your heap of step 2, which deals in addresses. pointers: the pointer to the live block at each address.
    The architecture is asked by `granule`, `derive` and `retire` alone, so that any hardware will do.
    """

    def __init__(self, architecture: Architecture, memory: TaggedMemory, base: int, size: int) -> None:
        self.architecture = architecture
        self.memory = memory
        self.space = Space(base, size)
        self.pointers: dict[int, Pointer] = {}

    def malloc(self, size: int) -> Pointer | None:
        """A pointer to a block of at least `size` bytes, and to nothing else; None if there is no room.

        Mend this. `derive` wants a base that is a multiple of `granule`, and it raises UnrepresentableError where the
        format has no such bounds. And before you say that there is no room, there may be blocks that only wait.
        """
        base = self.space.malloc(size)
        if not base:
            return None
        pointer = self.architecture.derive(self.memory, base, max(size, 1), DATA)
        self.pointers[base] = pointer
        return pointer

    def free(self, pointer: Pointer | None) -> None:
        """Take the block back. Its memory is handed out again once no pointer to it is left.

        Mend this. `retire` says which blocks may be reused from now on; often that is not the one just given up.
        """
        if pointer is None:
            return
        self.architecture.retire(self.memory, self.pointers.pop(pointer.address))
        self.space.free(pointer.address)
