"""Tag policies: which tag a block gets when it is handed out, and which its granules keep when it is given up.

Hardware compares tags; which ones there are to compare is software's affair, and allocators differ. Each policy here
is named after the allocator that it is taken from, and says what its choice is worth as exact fractions.

The fractions hold for slots of one size side by side, which is how these allocators lay out what they tag, and for
blocks of at most `largest` bytes: bigger ones have tag 0, and nothing is caught there. The generator is uniform.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, NamedTuple, Protocol

from capability.mte.arithmetic import choose_tag
from capability.mte.site import LatestTags, Site
from capability.mte.tag import ALL_TAGS, check_mask, check_tag, mask_of, members
from capability.word import is_power_of_two

CERTAIN = Fraction(1)
NOT_ZERO = mask_of(0)
"""Tag 0 excluded: what every allocator does, since memory that nobody tagged has it."""


def misses_one_of(choices: int) -> Fraction:
    """The probability that a tag drawn from so many is not one particular of them.

    >>> misses_one_of(15)
    Fraction(14, 15)
    """
    return 1 - Fraction(1, choices)


class Odds(NamedTuple):
    """The probability that a wrong access is caught, at the least favourable moment.

    Least favourable: the tags that the policy excludes are all different, and the wrong one is not among them.
    `elsewhere` is for a block that is no neighbour, and for a pointer whose tag was guessed.
    """

    use_after_free: Fraction
    use_after_reuse: Fraction
    adjacent: Fraction
    elsewhere: Fraction


class TagPolicy(Protocol):
    """What an allocator decides about tags."""

    @property
    def largest(self) -> int | None:
        """The largest block that is tagged, in bytes; None tags all."""

    @property
    def zeroes(self) -> bool:
        """Freed bytes are zeroed by the instructions that retag them."""

    def allocate(self, site: Site) -> int:
        """The tag of a block about to be handed out."""

    def release(self, site: Site) -> int:
        """The tag for the granules of a block that is given up; they still have the block's own."""

    def odds(self) -> Odds:
        """What the policy catches."""


@dataclass(frozen=True, slots=True)
class RandomTags:
    """The baseline: a random tag at each allocation and at each free, whatever was there before.

    exclude: the tags never used; at least one is left.  Raises ValueError, WidthError.

    >>> RandomTags(exclude=0).odds().use_after_free, RandomTags().odds().use_after_free
    (Fraction(15, 16), Fraction(14, 15))
    """

    exclude: int = NOT_ZERO
    largest: int | None = None
    zeroes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if check_mask(self.exclude) == ALL_TAGS:
            raise ValueError("every tag is excluded: at least one must be left to draw")

    def allocate(self, site: Site) -> int:
        return site.draw(self.exclude)

    def release(self, site: Site) -> int:
        return site.draw(self.exclude)

    def odds(self) -> Odds:
        miss = misses_one_of(len(members(ALL_TAGS & ~self.exclude)))
        return Odds(miss, miss, miss, miss)


@dataclass(frozen=True, slots=True)
class Glibc:
    """glibc 2.33 and later: a random tag but 0 for each block; memory that the library owns has tag 0.

    `irg` excludes the pointer's own tag besides, which is the library's 0. In glibc a chunk header of tag 0 lies
    between two blocks and stops a linear overflow; `adjacent` is about blocks that touch.
    Source: glibc, sysdeps/aarch64/__mtag_tag_region.S, malloc/malloc.c (tag_new_usable, tag_region).
    """

    largest: int | None = None
    zeroes: ClassVar[bool] = False

    def allocate(self, site: Site) -> int:
        return site.draw(NOT_ZERO)

    def release(self, site: Site) -> int:
        return 0

    def odds(self) -> Odds:
        miss = misses_one_of(15)
        return Odds(CERTAIN, miss, miss, miss)


@dataclass(frozen=True, slots=True)
class Scudo:
    """Scudo, Android's allocator: freed memory is retagged, never with its old tag, and the next user gets that tag.

    odd_even: a slot's parity decides whether its tags are odd or even, so that neighbours always differ and fewer tags
    are left to guess; off by default since June 2023 (LLVM D152984), because the tag-0 header between two chunks
    already stops a linear overflow. `adjacent` is about blocks that touch.
    Source: LLVM, compiler-rt/lib/scudo/standalone/combined.h (computeOddEvenMaskForPointerMaybe), memtag.h.

    >>> Scudo().odds().adjacent, Scudo(odd_even=True).odds().adjacent
    (Fraction(13, 14), Fraction(1, 1))
    >>> Scudo().odds().elsewhere, Scudo(odd_even=True).odds().elsewhere
    (Fraction(13, 14), Fraction(5, 6))
    """

    odd_even: bool = False
    largest: int | None = 1 << 16
    zeroes: ClassVar[bool] = True

    def allocate(self, site: Site) -> int:
        never, tag = self._never(site), site.common_tag()
        return tag if not never >> tag & 1 else site.draw(never, mask_of(*site.tags()))

    def release(self, site: Site) -> int:
        return site.draw(self._never(site) | mask_of(site.common_tag()))

    def _never(self, site: Site) -> int:
        """Tag 0, and with odd/even the tags of the wrong parity: 0x5555 has the bits of the even ones."""
        if not self.odd_even:
            return NOT_ZERO
        lowest_bit = (site.size & -site.size).bit_length() - 1
        return NOT_ZERO | 0x5555 << (site.base >> lowest_bit & 1)

    def odds(self) -> Odds:
        if self.odd_even:
            # Seven even tags without 0, less the old one.
            return Odds(CERTAIN, CERTAIN, CERTAIN, misses_one_of(6))
        miss = misses_one_of(14)
        return Odds(CERTAIN, CERTAIN, miss, miss)


@dataclass(frozen=True, slots=True)
class HardenedMalloc:
    """hardened_malloc: the slot's last tag and both neighbours' latest are excluded; free memory has a reserved tag.

    reserved: 0, or 15 as in its first version. Whether the neighbours are live or free makes no difference: the tags
    are looked up in the slab's own table. Each exclusion makes something certain and leaves one tag less to guess.
    Source: GrapheneOS hardened_malloc, h_malloc.c (tag_and_clear_slab_slot), README "Memory tagging".

    >>> HardenedMalloc().odds().adjacent, HardenedMalloc().odds().elsewhere
    (Fraction(1, 1), Fraction(11, 12))
    """

    reserved: int = 0
    largest: int | None = 1 << 17
    zeroes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_tag(self.reserved)

    def allocate(self, site: Site) -> int:
        latest = site.memory.state(LatestTags)
        touching = mask_of(latest.of(site.base), latest.of(site.base - 1), latest.of(site.base + site.size))
        tag = site.draw(NOT_ZERO | mask_of(self.reserved) | touching, latest.within(site))
        latest.record(site, tag)
        return tag

    def release(self, site: Site) -> int:
        return self.reserved

    def odds(self) -> Odds:
        choices = 16 - len({0, self.reserved}) - 3
        return Odds(CERTAIN, CERTAIN, CERTAIN, misses_one_of(choices))


@dataclass(frozen=True, slots=True)
class Xzone:
    """Apple's xzone malloc: the current tag and those of the granules on both sides are excluded, at each retagging.

    page: bytes; a neighbour in another page is not looked at. Within a page neighbours therefore always differ, and
    `adjacent`, the least favourable case, is about a page's last block and the next page's first. The odds presuppose
    slots of one size: of freed memory that is cut up, a part may be drawn its old tag.
    Source: Apple libmalloc, src/xzone_malloc and private/memtag.h.

    >>> Xzone().odds().adjacent, Xzone().odds().elsewhere
    (Fraction(12, 13), Fraction(11, 12))
    """

    page: int = 1 << 14
    largest: int | None = 1 << 15
    zeroes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not is_power_of_two(self.page) or self.page < 16:
            raise ValueError(f"page of {self.page} bytes: a power of two, at least 16")

    def allocate(self, site: Site) -> int:
        never, tag = NOT_ZERO | self._beside(site), site.common_tag()
        return tag if not never >> tag & 1 else site.draw(never, mask_of(*site.tags()))

    def release(self, site: Site) -> int:
        return site.draw(NOT_ZERO | mask_of(site.common_tag()) | self._beside(site))

    def _beside(self, site: Site) -> int:
        top = site.base + site.size
        before = site.before() if site.base % self.page else 0
        after = site.after() if top % self.page else 0
        return mask_of(before, after)

    def odds(self) -> Odds:
        # Excluded: 0, the old tag, and both neighbours; beside a page's end one neighbour less.
        return Odds(CERTAIN, CERTAIN, misses_one_of(13), misses_one_of(12))


@dataclass(frozen=True, slots=True)
class PartitionAlloc:
    """Chrome's PartitionAlloc: a random tag when a slot is provisioned, and the next one at each free.

    Certain for fourteen generations, and certain to fail at the fifteenth, when the old tag is back: no chance decides,
    so an attacker can count.
    Source: Chromium, base/allocator/partition_allocator, tagging.h (TagMemoryRangeIncrement), partition_bucket.cc.
    """

    largest: int | None = 983040
    zeroes: ClassVar[bool] = False

    def allocate(self, site: Site) -> int:
        tag = site.common_tag()
        return tag if tag else site.draw(NOT_ZERO, mask_of(*site.tags()))

    def release(self, site: Site) -> int:
        return choose_tag(site.common_tag(), 1, NOT_ZERO)

    def odds(self) -> Odds:
        miss = misses_one_of(15)
        return Odds(CERTAIN, CERTAIN, miss, miss)


POLICIES: dict[str, TagPolicy] = {
    "random": RandomTags(),
    "glibc": Glibc(),
    "scudo": Scudo(),
    "scudo-odd-even": Scudo(odd_even=True),
    "hardened_malloc": HardenedMalloc(),
    "xzone": Xzone(),
    "partition_alloc": PartitionAlloc(),
}
"""The policies by name."""
