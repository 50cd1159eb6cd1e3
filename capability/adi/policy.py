"""Which version a block gets, and how surely that catches a wrong access.

No instruction draws a version; the allocator does. It has 14 to choose from, since 0 and 15 on a line switch the
comparison off. What it does with freed lines decides about use after free: a version kept for them alone costs one
of the 14 and catches every stale access until the block is reused; version 0, the habit that MTE teaches, catches
none.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from capability.adi.version import UNIVERSAL, USEFUL, check_version
from capability.architecture import Hazard


@dataclass(frozen=True, slots=True)
class VersionPolicy:
    """A block's version is drawn uniformly from those left after the exclusions.

    free_version: what the lines of a freed block get, 0 to 15; live blocks never have it. exclude_neighbours: not the
    version of the line before the block or of the line after it.  Raises WidthError.

    >>> VersionPolicy().choices(1, 2)
    (3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
    >>> len(VersionPolicy(free_version=0, exclude_neighbours=False).choices(1, 2))
    14
    """

    free_version: int = 14
    exclude_neighbours: bool = True

    def __post_init__(self) -> None:
        check_version(self.free_version)

    @property
    def live(self) -> tuple[int, ...]:
        """The versions that a live block can have."""
        return tuple(version for version in USEFUL if version != self.free_version)

    def choices(self, before: int, after: int) -> tuple[int, ...]:
        """The versions to draw from, given those of the line before the block and of the line after it.

        before, after: 0 to 15; 0 where there is no line.  Raises WidthError.  Cost: O(1).
        """
        excluded = {check_version(before), check_version(after)} if self.exclude_neighbours else set()
        return tuple(version for version in self.live if version not in excluded)

    def detection(self, kind: Hazard) -> Fraction:
        """The probability that one access of this kind is caught, at the least favourable moment.

        With t versions to draw from, two blocks that know nothing of each other have the same one with 1/t. The least
        favourable moment is when the neighbours take two other versions from the t.

        >>> [str(VersionPolicy().detection(kind)) for kind in (Hazard.USE_AFTER_FREE, Hazard.USE_AFTER_REUSE)]
        ['1', '10/11']
        >>> str(VersionPolicy(free_version=0).detection(Hazard.USE_AFTER_FREE))
        '0'
        """
        independent = 1 - Fraction(1, len(self.live) - (2 if self.exclude_neighbours else 0))
        return {
            Hazard.USE_AFTER_FREE: Fraction(self.free_version not in UNIVERSAL),
            Hazard.USE_AFTER_REUSE: independent,
            Hazard.ADJACENT_OVERFLOW: Fraction(1) if self.exclude_neighbours else independent,
            Hazard.DISTANT_OVERFLOW: independent,
            Hazard.GRANULE_OVERFLOW: Fraction(0),
            Hazard.FORGED_POINTER: Fraction(1),
        }[kind]
