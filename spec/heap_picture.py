"""The abstract heap as a picture: blocks along their addresses, what was asked for, what is usable, what was freed."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import log2
from typing import TYPE_CHECKING, NamedTuple

from spec.picture import LETTER, box, line, svg, words

if TYPE_CHECKING:
    from spec.heap import Heap

MOST = 240
"""Blocks that are drawn; of a larger heap, those at the lowest addresses."""
GAP = 512
"""Bytes between two blocks that are still drawn; a longer gap begins another row."""
_LEFT, _WIDTH, _ROW, _PITCH = 130.0, 760.0, 22.0, 46.0


class _Span(NamedTuple):
    """A block on the picture. dead: freed, and nothing has been handed out there since."""

    base: int
    size: int
    top: int
    tip: str
    name: str
    dead: bool


def picture(heap: Heap) -> str:
    """The heap as SVG, one row a stretch of addresses without a long gap.

    Solid: bytes requested. Empty: usable beyond the request. Crossed out: freed. The pointer shows a block's story.
    Cost: O(blocks drawn).

    >>> from spec.heap import Block, Heap
    >>> heap = Heap()
    >>> _ = heap.insert(Block(0x1000, 24, usable=32))
    >>> "24 bytes at 0x1000" in picture(heap)
    True
    """
    spans = _spans(heap)
    live = sum(block.size for block in heap.live.values())
    usable = sum(max(block.usable, block.size) for block in heap.live.values())
    count = len(heap.live)
    title = f"{count:,} live block{'s' * (count != 1)}, {live:,} bytes asked for, {usable:,} usable"
    parts = [words(8, 16, title, bold=True)]
    y = 34.0
    for stretch in _stretches(spans[:MOST]):
        parts += _row(stretch, y)
        y += _PITCH
    left = len(spans) - MOST
    if left > 0:
        parts.append(words(8, y + 2, f"and {left:,} more at higher addresses"))
        y += 16
    parts.append(
        words(
            8, y + 4, "filled: requested; empty: usable beyond; crossed out: freed; widths by the logarithm of lengths"
        )
    )
    return svg(_LEFT + _WIDTH + 10, y + 14, title, parts)


def _spans(heap: Heap) -> list[_Span]:
    """Live blocks, and the dead that no live one covers, by address."""
    found = [
        _Span(block.base, block.size, block.base + max(block.usable, block.size, 1), str(block), f"#{block.id}", False)
        for block in heap.live.values()
    ]
    for grave in heap.graves.values():
        block = grave.block
        if not heap.overlapping(block.base, block.base + max(block.usable, 1)):
            tip = f"{block}, freed" + (f" at event {grave.freed}" if grave.freed else "")
            top = block.base + max(block.usable, block.size, 1)
            found.append(_Span(block.base, block.size, top, tip, f"#{block.id}", True))
    return sorted(found)


def _stretches(spans: list[_Span]) -> list[list[_Span]]:
    rows: list[list[_Span]] = []
    for span in spans:
        if rows and span.base - max(one.top for one in rows[-1]) <= GAP:
            rows[-1].append(span)
        else:
            rows.append([span])
    return rows


def _row(spans: list[_Span], y: float) -> list[str]:
    """One stretch of addresses; each piece between two edges has room by the logarithm of its length."""
    edges = sorted({edge for span in spans for edge in (span.base, min(span.base + span.size, span.top), span.top)})
    weights = [1 + log2(1 + (high - low) / 8) for low, high in pairwise(edges)]
    places = [_LEFT, *(_LEFT + _WIDTH * part / sum(weights) for part in accumulate(weights))]
    at = dict(zip(edges, places, strict=True))
    low, high = edges[0], edges[-1]
    parts = [
        words(_LEFT - 8, y + _ROW / 2 + 4, f"{low:#x}", anchor="end"),
        line(f"M{_LEFT} {y + _ROW + 4:.1f}h{_WIDTH}", width=0.5),
        words(_LEFT + _WIDTH, y + _ROW + 15, f"+{high - low:,} bytes", anchor="end"),
    ]
    for span in spans:
        left, right = at[span.base], at[span.top]
        asked = at[min(span.base + span.size, span.top)]
        if not span.dead and asked > left:
            parts.append(box(left, y, asked - left, _ROW, strength=0.3))
        parts.append(box(left, y, right - left, _ROW, span.tip, strength=0.04))
        if span.dead:
            parts.append(line(f"M{left:.1f} {y:.1f}L{right:.1f} {y + _ROW:.1f}", width=0.7))
        said = f"{span.name} {span.size:,}"
        said = said if len(said) * LETTER < right - left - 4 else span.name
        if len(said) * LETTER < right - left - 4:
            parts.append(words((left + right) / 2, y + _ROW / 2 + 4, said, anchor="middle"))
    return parts
