"""What a picture of the heap at one call shows: the blocks around it, what the call replied, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise


class State(Enum):
    """What a block is at the moment of the call."""

    LIVE = "live"
    GIVEN_UP = "given up by this call"
    FREED = "freed"


@dataclass(frozen=True, slots=True)
class Shape:
    """A block as it is drawn: [base, base + size) requested, up to base + extent usable.

    size: bytes requested. extent: bytes that are no other block's, at least 1. harmed: the call broke it.
    """

    name: str
    base: int
    size: int
    extent: int
    state: State = State.LIVE
    harmed: bool = False
    note: str = ""

    @property
    def top(self) -> int:
        """The first address behind the block."""
        return self.base + self.extent

    @property
    def slack(self) -> int:
        """Usable bytes beyond those requested; the one byte that a block of none counts for is none of them."""
        return self.extent - max(self.size, 1)

    @property
    def edges(self) -> tuple[int, ...]:
        """Where something changes along the block: its ends, and the end of the bytes requested."""
        return tuple(sorted({self.base, min(self.base + self.size, self.top), self.top}))

    def shared(self, other: Shape) -> tuple[int, int] | None:
        """The addresses that two blocks share, or None.

        >>> Shape("a", 0x1000, 24, 24).shared(Shape("b", 0x1010, 24, 24))
        (4112, 4120)
        """
        low, high = max(self.base, other.base), min(self.top, other.top)
        return (low, high) if low < high else None


@dataclass(frozen=True, slots=True)
class Mark:
    """One address with a word about it. byte: the mark is about the byte there, not the border in front of it."""

    address: int
    text: str
    byte: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the script, its number from 1, and whether it is the one that broke the rule."""

    number: int
    text: str
    broke: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """The heap at one call.

    rule, sentence, clause: what broke. message: what happened. call, said: the call, and what it replied, in words.
    blocks: those live before the call, by address, and freed ones that no live block covers.
    reply: the block handed out, or None. marks: addresses to point at. lines: the end of the script.
    """

    rule: str
    sentence: str
    clause: str
    message: str
    call: str
    said: str
    blocks: tuple[Shape, ...] = ()
    reply: Shape | None = None
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def live(self) -> list[Shape]:
        """The blocks that were live when the call began."""
        return [block for block in self.blocks if block.state is not State.FREED]

    def overlaps(self) -> list[tuple[Shape, int, int]]:
        """The live blocks that share bytes with the reply, each with the addresses shared, when that is the finding."""
        found = []
        for block in self.live if self.reply is not None else ():
            shared = block.shared(self.reply) if self.reply is not None else None
            if shared is not None and block.harmed and block.state is State.LIVE:
                found.append((block, *shared))
        return found

    def near(self, each_side: int = 3, limit: int = 9) -> list[Shape]:
        """The blocks to draw, by address: those the finding is about, and some neighbours on each side.

        each_side: neighbours below and above. limit: blocks in all.
        """
        about = self.focus()
        if not about:
            return list(self.blocks[:limit])
        chosen = [block for block in self.blocks if block in about or any(block.shared(one) for one in about)]
        others = [block for block in self.blocks if block not in chosen]
        picked: dict[Shape, int] = {}
        for one in about:
            below = [block for block in others if block.top <= one.base][-each_side:]
            above = [block for block in others if block.base >= one.top][:each_side]
            for block in (*below, *above):
                distance = max(one.base - block.top, block.base - one.top)
                picked[block] = min(distance, picked.get(block, distance))
        nearest = sorted(picked, key=lambda block: picked[block])
        chosen = chosen[:limit] + nearest[: max(0, limit - len(chosen))]
        return sorted(chosen, key=lambda block: (block.base, block.top))

    def focus(self) -> list[Shape]:
        """What the finding is about: the harmed block, the one given up, the reply."""
        told = [block for block in self.blocks if block.harmed or block.state is State.GIVEN_UP]
        return [*told, *([self.reply] if self.reply is not None else [])]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Addresses [low, high) of an axis. cut: nothing is drawn there, and its length is left out."""

    low: int
    high: int
    cut: bool


LONGEST_GAP = 256
"""Bytes that no block covers and that are still drawn; longer gaps are left out."""


def stretches(shapes: Iterable[Shape], marks: Sequence[Mark] = ()) -> list[Stretch]:
    """The axis under the shapes: a stretch between any two addresses where something changes.  Cost: O(n^2).

    >>> [(one.low, one.high, one.cut) for one in stretches([Shape("a", 0, 24, 32), Shape("b", 4096, 8, 8)])]
    [(0, 24, False), (24, 32, False), (32, 4096, True), (4096, 4104, False)]
    """
    drawn = list(shapes)
    edges = {edge for shape in drawn for edge in shape.edges}
    edges |= {mark.address for mark in marks} | {mark.address + 1 for mark in marks if mark.byte}
    found = []
    for low, high in pairwise(sorted(edges)):
        empty = not any(shape.base < high and low < shape.top for shape in drawn)
        found.append(Stretch(low, high, empty and high - low > LONGEST_GAP))
    return found


def offsets(shape: Shape, low: int, high: int) -> str:
    """Which bytes of a block the addresses [low, high) are.

    >>> offsets(Shape("a", 0x1000, 24, 24), 0x1010, 0x1018), offsets(Shape("a", 0x1000, 24, 24), 0x1010, 0x1011)
    ('bytes 16 to 23 of a', 'byte 16 of a')
    """
    first, last = low - shape.base, high - shape.base - 1
    which = f"byte {first}" if first == last else f"bytes {first} to {last}"
    return f"{which} of {shape.name}"
