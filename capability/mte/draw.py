"""Random tags as an allocator gets them: each allowed tag with the same probability.

Linux sets GCR_EL1.RRND, which lets a processor draw from any source that is no worse than its register. Uniform is what
such a source should be, and what the arithmetic of `policy` counts on. The register itself (`random`) is not uniform
once tags are excluded: sixteen offsets fall on fifteen tags or fewer, so some of them are drawn twice as often.
"""

from __future__ import annotations

from collections.abc import Hashable

from capability.mte.tag import ALL_TAGS, check_mask, members
from capability.word import unsigned, wrap


class TagSource:
    """The generator of one machine: the same seed gives the same tags, so that a run can be played again.

    seed: 64 bits.  Source of the mixing: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.

    >>> source = TagSource(seed=7)
    >>> [source.draw(exclude=0x0001) for _ in range(8)]
    [13, 10, 7, 4, 5, 1, 14, 13]
    """

    __slots__ = ("seed",)

    def __init__(self, seed: int = 0) -> None:
        self.seed = unsigned(seed, 64)

    def draw(self, exclude: int) -> int:
        """A tag whose bit in `exclude` is clear; 0 when there is none, as IRG has it.  Raises WidthError.  Cost:
        O(1)."""
        allowed = members(ALL_TAGS & ~check_mask(exclude))
        return allowed[self._below(len(allowed))] if allowed else 0

    def _below(self, limit: int) -> int:
        """A number below `limit`, each with the same probability: what would favour the low ones is drawn again."""
        while (word := self._next()) >= (1 << 64) // limit * limit:
            pass
        return word % limit

    def _next(self) -> int:
        self.seed = wrap(self.seed + 0x9E3779B97F4A7C15, 64)
        word = self.seed
        word = wrap((word ^ word >> 30) * 0xBF58476D1CE4E5B9, 64)
        word = wrap((word ^ word >> 27) * 0x94D049BB133111EB, 64)
        return word ^ word >> 31

    def copy(self) -> TagSource:
        return TagSource(self.seed)

    def key(self) -> Hashable:
        return self.seed
