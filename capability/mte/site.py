"""Site: what a tag policy can see of a block: the tags its granules have, and those on either side."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from capability.memory import TaggedMemory
from capability.mte.draw import TagSource
from capability.mte.tag import ALL_TAGS, GRANULE, mask_of


class Site(NamedTuple):
    """A block's place: [base, base + size), whole granules.

    >>> memory = TaggedMemory()
    >>> memory.set_allocation_tag(0x1000, 16, 4)
    1
    >>> Site(memory, 0x1000, 32).tags(), Site(memory, 0x1010, 32).before()
    ([4, 0], 4)
    """

    memory: TaggedMemory
    base: int
    size: int

    def tags(self) -> list[int]:
        """The tag of each granule.  Cost: O(granules)."""
        return [self.memory.allocation_tag(at) for at in range(self.base, self.base + self.size, GRANULE)]

    def common_tag(self) -> int:
        """The tag that all of the granules have; 0 when they differ.  Cost: O(granules)."""
        tags = {*self.tags()}
        return tags.pop() if len(tags) == 1 else 0

    def before(self) -> int:
        """The tag of the granule before the block; 0 where memory begins with the block."""
        return self.memory.allocation_tag(self.base - 1) if self.base > self.memory.base else 0

    def after(self) -> int:
        """The tag of the granule after the block; 0 where memory ends with the block."""
        top = self.base + self.size
        return self.memory.allocation_tag(top) if top < self.memory.top else 0

    def draw(self, never: int, rather_not: int = 0) -> int:
        """A random tag outside both masks; if nothing is left, outside `never` alone.

        A policy excludes what it promises in `never`. `rather_not` is for a block that covers several earlier ones: as
        many of their tags as possible are avoided.
        """
        exclude = never | rather_not
        return self.memory.state(TagSource).draw(never if exclude == ALL_TAGS else exclude)


class LatestTags:
    """The last tag that a block had in each granule, which outlives the block: an allocator's own table."""

    __slots__ = ("_latest",)

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}

    def of(self, address: int) -> int:
        """The last block's tag in the granule that holds the address; 0 if there was none."""
        return self._latest.get(address - address % GRANULE, 0)

    def within(self, site: Site) -> int:
        """The mask of the last tags in the block's granules.  Cost: O(granules)."""
        return mask_of(*(self.of(at) for at in range(site.base, site.base + site.size, GRANULE)))

    def record(self, site: Site, tag: int) -> None:
        """A block with this tag is handed out here.  Cost: O(granules)."""
        self._latest.update(dict.fromkeys(range(site.base, site.base + site.size, GRANULE), tag))

    def copy(self) -> LatestTags:
        twin = LatestTags()
        twin._latest = dict(self._latest)
        return twin

    def key(self) -> Hashable:
        return frozenset(self._latest.items())
