"""Pictures of tagged memory: each granule with its tag, and the pointers that do or do not match it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from capability.memory import TaggedMemory
from capability.mte.protection import MtePointer
from capability.mte.tag import GRANULE
from capability.picture import INK, alone
from capability.word import WidthError

_CELL, _MARGIN, _LABEL = 28, 8, 150
_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class TagMap:
    """The granules of [base, base + size), `columns` in a row, with the tag that each has when it is drawn.

    base, size: multiples of 16; at most 65,536 granules. columns: at least 1. pointers: outlined where their block is,
    and listed with what a check would say of it.  Raises WidthError.

    >>> from capability.mte.protection import MTE
    >>> from capability.perms import DATA
    >>> memory, mte = TaggedMemory(), MTE()
    >>> first, second = mte.derive(memory, 0x1000, 40, DATA), mte.derive(memory, 0x1040, 32, DATA)
    >>> granules = mte.retire(memory, first).granules
    >>> print(TagMap(memory, 0x1000, 128, columns=8, pointers=(first, second)))
    0x1000  10 10 10  .  1  1  .  .
    0xb00000000001000 [0x1000, 0x1028): tag 11 does not match
    0x100000000001040 [0x1040, 0x1060): tag 1 matches
    """

    memory: TaggedMemory
    base: int
    size: int
    columns: int = 16
    pointers: tuple[MtePointer, ...] = ()

    def __post_init__(self) -> None:
        if self.base % GRANULE or self.size % GRANULE or not 0 <= self.size <= _LIMIT * GRANULE:
            what = f"a map of {self.size} bytes at {self.base:#x}"
            raise WidthError(f"{what}: both multiples of {GRANULE}, size at most {_LIMIT * GRANULE}")
        if self.columns < 1:
            raise WidthError(f"a map of {self.columns} columns: at least 1")

    def _rows(self) -> Iterator[tuple[int, list[int]]]:
        """Each row's address and tags."""
        width = self.columns * GRANULE
        for start in range(self.base, self.base + self.size, width):
            top = min(start + width, self.base + self.size)
            yield start, [self.memory.allocation_tag(at) for at in range(start, top, GRANULE)]

    def matches(self, pointer: MtePointer) -> bool:
        """Every granule of the pointer's block has the pointer's tag.  Cost: O(granules)."""
        granules = range(pointer.base & -GRANULE, pointer.top, GRANULE)
        return all(self.memory.allocation_tag(at) == pointer.tag for at in granules)

    def _captions(self) -> Iterator[str]:
        for pointer in self.pointers:
            verdict = "matches" if self.matches(pointer) else "does not match"
            yield f"{pointer!r} [{pointer.base:#x}, {pointer.top:#x}): tag {pointer.tag} {verdict}"

    def __str__(self) -> str:
        """A line for each row: its address, then the tags; a dot is tag 0."""
        lines = [
            f"{start:#x}  " + " ".join(f"{tag:2}" if tag else " ." for tag in tags) for start, tags in self._rows()
        ]
        return "\n".join([*lines, *self._captions()])

    def svg(self) -> str:
        """The map as an SVG document, on a page of its own: `_repr_html_` without the ink of another page."""
        return alone(self._repr_html_())

    def _repr_html_(self) -> str:
        """For notebooks: a square for each granule, coloured by tag; stale pointers are dashed."""
        rows = list(self._rows())
        captions = list(self._captions())
        width = max(_LABEL + self.columns * _CELL, *(8 * len(caption) for caption in captions), 0) + 2 * _MARGIN
        height = len(rows) * _CELL + len(captions) * 20 + 2 * _MARGIN
        pieces = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img"'
            ' style="max-width:100%;height:auto;font:12px ui-monospace,monospace;fill:currentColor">',
            f"<title>Allocation tags of {self.size // GRANULE} granules from {self.base:#x}</title>",
        ]
        for number, (start, tags) in enumerate(rows):
            y = _MARGIN + number * _CELL
            pieces.append(f'<text x="{_MARGIN}" y="{y + 18}">{start:#x}</text>')
            for column, tag in enumerate(tags):
                pieces.append(_granule(_LABEL + column * _CELL, y, start + column * GRANULE, tag))
        for pointer in self.pointers:
            pieces += self._outline(pointer)
        for number, caption in enumerate(captions):
            pieces.append(f'<text x="{_MARGIN}" y="{_MARGIN + len(rows) * _CELL + 16 + 20 * number}">{caption}</text>')
        return "\n".join([*pieces, "</svg>"])

    def _outline(self, pointer: MtePointer) -> Iterator[str]:
        """A frame around the part of each row that is in the pointer's block."""
        style = 'stroke="currentColor"' if self.matches(pointer) else 'stroke="#cf4434" stroke-dasharray="4 2"'
        first = max(pointer.base & -GRANULE, self.base)
        top = min(pointer.top, self.base + self.size)
        for at in range(first, top, GRANULE):
            row, column = divmod((at - self.base) // GRANULE, self.columns)
            if at == first or column == 0:
                left = (top - at + GRANULE - 1) // GRANULE
                wide = min(left, self.columns - column) * _CELL
                x, y = _LABEL + column * _CELL, _MARGIN + row * _CELL
                yield f'<rect x="{x}" y="{y}" width="{wide}" height="{_CELL}" fill="none" {style} stroke-width="2.5"/>'

    _repr_svg_ = svg


def _granule(x: int, y: int, address: int, tag: int) -> str:
    """One square: empty for tag 0, else one of fifteen hues, light enough for dark digits on any page."""
    fill, ink = (f"hsl({(tag - 1) * 24} 65% 80%)", INK) if tag else ("none", "currentColor")
    return (
        f'<g><title>{address:#x}: tag {tag}</title><rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}"'
        f' fill="{fill}" stroke="#888"/><text x="{x + _CELL // 2}" y="{y + 18}" text-anchor="middle" fill="{ink}">'
        f"{tag}</text></g>"
    )
