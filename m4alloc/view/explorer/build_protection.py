"""What a protected machine adds to a life: tags, versions and bounds, and when bytes may be handed out again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from capability.adi.protection import Adi, AdiPointer
from capability.architecture import Architecture, Pointer, Range
from capability.cheri.capability import Capability
from capability.mte.protection import MTE, MtePointer
from capability.word import align_up
from m4alloc.check.lives import Integers
from m4alloc.view.explorer.life import Life, Retag
from spec.quarantine import Quarantine


@dataclass(slots=True)
class Seen:
    """What was seen of the machine while a history was made, by the numbers of its events.

    pointers: what the block was handed out with, by the event that did. through: of an access the event that handed
    out the pointer that it went through. retags: what freed blocks were tagged anew.
    reusable: by the base and the event of a free, the event from which on the bytes may be handed out again.
    """

    name: str = "none"
    granule: int = 0
    pointers: dict[int, Pointer] = field(default_factory=dict)
    through: dict[int, int] = field(default_factory=dict)
    retags: list[Retag] = field(default_factory=list)
    reusable: dict[tuple[int, int], int] = field(default_factory=dict)

    def retagged(self, event: int, base: int, size: int, tag: int) -> None:
        """Note the tag that the granules of a freed block have now, where there are tags."""
        if self.granule:
            self.retags.append(Retag(event, base, align_up(max(1, size), self.granule), tag))


class WatchedQuarantine(Quarantine):
    """A quarantine that tells which ranges it has released."""

    __slots__ = ("released",)

    def __init__(self, length: int = 0) -> None:
        super().__init__(length)
        self.released: set[int] = set()

    def bury(self, base: int, usable: int, retired: Iterable[Range]) -> list[Range]:
        """As `Quarantine.bury`."""
        return self._told(super().bury(base, usable, retired))

    def retired(self, ranges: Iterable[Range]) -> list[Range]:
        """As `Quarantine.retired`."""
        return self._told(super().retired(ranges))

    def _told(self, ranges: list[Range]) -> list[Range]:
        self.released.update(one.base for one in ranges)
        return ranges


def through_pointers(life: Life, addresses: Integers, through: Mapping[int, int]) -> Life:
    """The life whose accesses are about the block that their pointer was made for, whoever has its bytes by then.

    addresses: of each event, where it accessed. through: of an access, by its number, the event that handed out the
    pointer that it went through; what no block was handed out at changes nothing.
    """
    block, offset = life.events.block.copy(), life.events.offset.copy()
    made = {born: number for number, born in enumerate(life.blocks.born.tolist())}
    for event, birth in through.items():
        named = made.get(birth)
        if named is not None:
            block[event], offset[event] = named, int(addresses[event]) - int(life.blocks.base[named])
    return replace(life, events=replace(life.events, block=block, offset=offset))


def granule_of(architecture: Architecture) -> int:
    """Bytes a tag, 0 where there are no tags.

    >>> granule_of(MTE()), granule_of(Adi())
    (16, 64)
    """
    return architecture.granule if isinstance(architecture, MTE | Adi) else 0


def protected(life: Life, seen: Seen) -> Life:
    """The life with what was seen of the machine."""
    blocks = life.blocks
    tag, low, high, reusable = blocks.tag.copy(), blocks.low.copy(), blocks.high.copy(), blocks.reusable.copy()
    for block, born in enumerate(blocks.born.tolist()):
        pointer = seen.pointers.get(born)
        if isinstance(pointer, MtePointer):
            tag[block] = pointer.tag
        elif isinstance(pointer, AdiPointer):
            tag[block] = pointer.version
        elif isinstance(pointer, Capability):
            low[block], high[block] = pointer.base, pointer.top
    count = len(life.events)
    for block, (base, died) in enumerate(zip(blocks.base.tolist(), blocks.died.tolist(), strict=True)):
        if died < count and blocks.freer[block] >= 0:
            reusable[block] = seen.reusable.get((base, died), count)
    return replace(
        life,
        protection=seen.name,
        granule=seen.granule,
        retags=tuple(seen.retags),
        blocks=replace(blocks, tag=tag, low=low, high=high, reusable=np.asarray(reusable, np.int64)),
    )
