"""Step 4: the attack table. Your heap of step 3, with defences of its own, and a policy for memory tags."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capability.architecture import Access, Pointer  # noqa: F401 - you will need Access
from capability.memory import TaggedMemory
from capability.mte.policy import Odds
from capability.mte.site import Site
from exercises.step3_cheri.heap import Heap as CapabilityHeap
from spec.error import Misuse  # noqa: F401 - you will need it


class Heap(CapabilityHeap):
    """The heap of step 3 that does not believe what it is told.

    To be written: a free that raises Misuse for what is no live block; memory that is zero when it is handed out; a
    quarantine, for machines on which a stale pointer works for ever.
    """

    def free(self, pointer: Pointer | None) -> None:
        """Take the block back, if it is one.  Raises Misuse("double-free", ...) or Misuse("invalid-free", ...)."""
        super().free(pointer)

    def examine(self, memory: TaggedMemory, given: Pointer, issued: Pointer) -> None:
        """Look at a pointer that free or realloc was given for the live block at its address.

        issued: the pointer that was handed out for that block. memory: the machine's memory at this moment; use it in
        place of self.memory.  Raises Misuse, or lets `self.architecture.check` raise its Fault.
        """


@dataclass(frozen=True, slots=True)
class Tags:
    """Which tag a block gets, 0 to 15, and which its memory keeps after the free.

    A site knows `tags()`, `before()` and `after()`, and `draw(never)`: a random tag that is not in the mask `never`;
    capability.mte.tag.mask_of(0, 3) is the mask of the tags 0 and 3. largest, zeroes and odds() are given.
    """

    largest: int | None = None
    zeroes: bool = False

    def allocate(self, site: Site) -> int:
        """The tag of a block that is about to be handed out."""
        return 1

    def release(self, site: Site) -> int:
        """The tag of its memory once it is given up."""
        return 1

    def odds(self) -> Odds:
        """Nothing is promised here; what you expect is in ODDS."""
        return Odds(Fraction(0), Fraction(0), Fraction(0), Fraction(0))


ODDS = {
    "tag-guess": Fraction(1, 2),
    "distant-overflow": Fraction(1, 2),
    "tag-brute-force-restarting": Fraction(1, 2),
}
"""How likely each of these attacks fails against your heap with your tags: compute it, do not measure it."""
