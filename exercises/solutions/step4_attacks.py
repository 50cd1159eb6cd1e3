"""A solution of step 4: frees are looked up and compared, memory is zeroed, blocks wait; tags differ."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from capability.architecture import Access, Architecture, Pointer, Retirement
from capability.memory import TaggedMemory
from capability.mte.policy import Odds
from capability.mte.site import Site
from capability.mte.tag import mask_of
from exercises.solutions.step3_cheri import Heap as CapabilityHeap
from spec.error import Misuse

WAITING = 8
"""How many blocks wait behind the last free."""


class Heap(CapabilityHeap):
    """The heap of step 3 that does not believe what it is told."""

    def __init__(self, architecture: Architecture, memory: TaggedMemory, base: int, size: int) -> None:
        super().__init__(architecture, memory, base, size)
        self.waiting: deque[int] = deque()

    def free(self, pointer: Pointer | None) -> None:
        """Take the block back, if it is one.  Raises Misuse."""
        if pointer is None:
            return
        issued = self.pointers.get(pointer.address)
        if issued is None:
            raise Misuse("double-free", f"no block is live at {pointer.address:#x}")
        self.examine(self.memory, pointer, issued)
        self.memory.fill(issued.base, issued.top - issued.base, 0)
        super().free(pointer)

    def examine(self, memory: TaggedMemory, given: Pointer, issued: Pointer) -> None:
        """The hardware's own test by an access, then the comparison: bounds and rights must be those handed out."""
        self.architecture.check(memory, given, issued.address, 1, Access.LOAD)
        if given != issued:
            raise Misuse("invalid-free", f"{given!r} is not the pointer that was handed out")

    def give_back(self, done: Retirement) -> None:
        """What is safe to reuse waits all the same: on a machine without protection it is not safe."""
        self.waiting.extend(block.base for block in done.reusable)
        while len(self.waiting) > WAITING:
            self.space.free(self.waiting.popleft())

    def sweep(self) -> bool:
        """Out of memory: nothing waits any longer."""
        swept = super().sweep()
        some = swept or bool(self.waiting)
        while self.waiting:
            self.space.free(self.waiting.popleft())
        return some


@dataclass(frozen=True, slots=True)
class Tags:
    """A random tag that neither neighbour has; memory that is nobody's has tag 0, which no block ever gets."""

    largest: int | None = None
    zeroes: bool = False

    def allocate(self, site: Site) -> int:
        """One of 13 tags at least."""
        return site.draw(mask_of(0, site.before(), site.after()))

    def release(self, site: Site) -> int:
        """0: no pointer carries it."""
        return 0

    def odds(self) -> Odds:
        """Nothing is promised here."""
        return Odds(Fraction(0), Fraction(0), Fraction(0), Fraction(0))


ODDS = {
    # One block, nothing beside it: 15 tags are left, and one of them is the guess.
    "tag-guess": Fraction(14, 15),
    # The third block's tag is not that of the second. Of the 14 others, one is that of the first.
    "distant-overflow": Fraction(13, 14),
    # It fails only if all ten guesses fail.
    "tag-brute-force-restarting": Fraction(14, 15) ** 10,
}
