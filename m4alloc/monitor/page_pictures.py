"""The pictures of a finding: the life of its block, the bytes around the address, and the automaton of its property."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from m4alloc.monitor.report import Finding
from m4alloc.monitor.story import Moment, Neighbour, Story
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, element, group, path, picture

WIDTH: Final = 900
_LETTER = 6.4
"""About how wide a letter of 12 pixels is."""
_LEFT, _RIGHT = 70.0, 70.0
_SMALL: Final = 512
"""Bytes; what is longer is drawn around the access only."""


def timeline(known: Story) -> Element:
    """The moments from left to right, at equal distances: thick while the block lives, dashed when it is dead."""
    moments = known.moments
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(moments) - 1)
    places = [_LEFT + step * place for place in range(len(moments))]
    y = 58.0
    parts: list[Child] = []
    alive = False
    for place, moment in enumerate(moments):
        alive = "malloc" in moment.letter or (alive and "free" not in moment.letter)
        if place + 1 < len(moments):
            along = [(places[place], y), (places[place + 1], y)]
            if alive:
                parts.append(path(along, stroke=variable("good"), stroke_width=5))
            else:
                parts.append(path(along, stroke=variable("muted"), stroke_width=2, stroke_dasharray="5 4"))
            parts.extend(_gap(moments[place + 1], places[place], step, y))
    room = int(step / _LETTER) - 1 if len(moments) > 2 else 60
    for moment, x in zip(moments, places, strict=True):
        parts.append(_moment(moment, x, y, max(10, room)))
    said = ", then ".join(moment.what for moment in moments)
    return picture(parts, WIDTH, 128, "The life of the block", said)


def _gap(after: Moment, x: float, step: float, y: float) -> list[Child]:
    """How many events of others there were, where that is known."""
    if not after.between:
        return []
    text = f"{after.between:,} other{'' if after.between == 1 else 's'}"
    if len(text) * _LETTER > step - 24:
        return []
    return [element("text", text, x=x + step / 2, y=y - 8, text_anchor="middle", class_="muted small")]


def _moment(moment: Moment, x: float, y: float, room: int) -> Element:
    colour = "bad" if moment.wrong else "muted" if "free" in moment.letter else "good"
    size = 8.0 if moment.wrong else 6.0
    where = moment.stack[0] if moment.stack else None
    tip = "; ".join(str(frame) for frame in moment.stack[:4]) or moment.what
    lines: list[Child] = [element("title", tip)]
    lines.append(element("circle", cx=x, cy=y, r=size, fill=variable("page"), stroke=variable(colour), stroke_width=3))
    if moment.wrong:
        lines.append(element("circle", cx=x, cy=y, r=3.5, fill=variable("bad")))
    lines.append(_text(_cut(moment.what, room), x, y - 24, "bad" if moment.wrong else "ink", "600"))
    below = []
    if where is not None and where.function:
        below.append(where.function)
    if where is not None and where.line:
        below.append(f"{where.file.rpartition('/')[2]}:{where.line}")
    if moment.event:
        below.append(f"event {moment.event:,}" + (f", thread {moment.thread}" if moment.thread else ""))
    for number, text in enumerate(below):
        lines.append(_text(_cut(text, room), x, y + 24 + 16 * number, "muted"))
    return group(lines)


def strip(finding: Finding, neighbours: Sequence[Neighbour]) -> Element | None:
    """The bytes around the address: the block, what was not requested, neighbours, and the access; None: no block."""
    block, access = finding.block, finding.access
    if block is None or access is None or block.offset is None:
        return None
    at, length = block.address + block.offset, max(1, access.size)
    low, high = min(block.address, at), max(block.address + block.size, at + length)
    pad = max(16, (high - low) // 6)
    if high - low > _SMALL:
        low, high, pad = at, at + min(length, _SMALL), 64
    view = _View(low - pad, high + pad)
    y, height = 46.0, 34.0
    parts: list[Child] = [
        element("rect", x=_LEFT, y=y, width=WIDTH - _LEFT - _RIGHT, height=height, fill=variable("panel")),
    ]
    for one in neighbours:
        if view.low < one.address + one.size and one.address < view.high:
            kind = "series-2" if one.live else "line"
            parts.append(_bytes(view, one.address, one.size, y, height, kind, "another block"))
            parts.extend(_name(view, one.address, one.size, y + height / 2 + 4, "another block"))
    colour = "series-1" if block.life == "live" else "muted"
    name = f"{block.size:,} bytes, {block.life}"
    parts.append(_bytes(view, block.address, block.size, y, height, colour, name))
    parts.extend(_marks(view, block.address, block.size, y + height))
    left, right = view.x(at), view.x(at + length)
    parts.append(
        element(
            "rect",
            [element("title", f"{access.how} at {at:#x}")],
            x=left,
            y=y - 6,
            width=max(3.0, right - left),
            height=height + 12,
            fill=variable("bad"),
            fill_opacity=0.55,
            stroke=variable("bad"),
        )
    )
    parts.extend(_name(view, block.address, block.size, y + height / 2 + 4, name))
    where = f"{access.how}, {distance(finding)}" if access.size or block.offset else access.how
    middle = min(max((left + right) / 2, _LEFT + len(where) * _LETTER / 2), WIDTH - _RIGHT - len(where) * _LETTER / 2)
    parts.append(_text(where, middle, y - 14, "bad", "600"))
    return picture(parts, WIDTH, 112, "The bytes around the address", f"{name}; {where}")


@dataclass(frozen=True, slots=True)
class _View:
    """Which addresses the strip shows."""

    low: int
    high: int

    def x(self, address: int) -> float:
        """Where an address is drawn, clipped to the strip."""
        inside = min(max(address, self.low), self.high)
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (inside - self.low) / (self.high - self.low)


def _bytes(view: _View, start: int, size: int, y: float, height: float, role: str, name: str) -> Element:
    """A block, as far as it is in view."""
    left, right = view.x(start), view.x(start + max(size, 1))
    colour = variable(role)
    tip = element("title", f"{name} at {start:#x}")
    box = element("rect", [tip], x=left, y=y, width=right - left, height=height, fill=colour, fill_opacity=0.45)
    corners = [(left, y), (right, y), (right, y + height), (left, y + height)]
    return group([box, path(corners, close=True, fill="none", stroke=colour)])


def _name(view: _View, start: int, size: int, y: float, name: str) -> list[Child]:
    """What a block is called, if there is room."""
    left, right = view.x(start), view.x(start + max(size, 1))
    return [_text(name, (left + right) / 2, y)] if right - left > len(name) * _LETTER + 8 else []


def _marks(view: _View, base: int, size: int, y: float) -> list[Child]:
    """Where the block begins and where the bytes end that were requested."""
    found: list[Child] = []
    for address, name, anchor in ((base, "0", "start"), (base + size, f"{size:,}", "end")):
        if view.low <= address <= view.high:
            x = view.x(address)
            found.append(path([(x, y), (x, y + 8)], class_="axis"))
            found.append(element("text", name, x=x, y=y + 21, text_anchor="middle", class_="muted small"))
            if anchor == "start":
                found.append(element("text", hex(base), x=x + 12, y=y + 21, class_="muted small"))
    return found


def distance(finding: Finding) -> str:
    """Where the access lies to its block, in words.

    >>> from m4alloc.monitor.report import Access, BlockStory
    >>> def lies(offset, size=1):
    ...     block, access = BlockStory(0x1000, 40, "live", offset), Access("read", 0x1000 + offset, size)
    ...     return distance(Finding("", "", "", (), "", 0, 0, 0, "", access, block, {}))
    >>> lies(-1), lies(40), lies(47), lies(38, 4), lies(3)
    ('1 byte before its block', 'right behind its block', '7 bytes behind its block', '2 bytes over the end', 'byte 3 of its block')
    """  # noqa: E501
    block, access = finding.block, finding.access
    if block is None or access is None or block.offset is None:
        return ""
    offset, size = block.offset, max(1, access.size)
    if offset < 0:
        return f"{_bytes_of(-offset)} before its block"
    if offset == block.size and access.size:
        return "right behind its block"
    if offset > block.size:
        return f"{_bytes_of(offset - block.size)} behind its block"
    if offset + size > block.size and access.size:
        return f"{_bytes_of(offset + size - block.size)} over the end"
    return f"byte {offset:,} of its block"


def _bytes_of(count: int) -> str:
    return f"{count:,} byte{'' if count == 1 else 's'}"


def _text(text: str, x: float, y: float, role: str = "ink", weight: str = "400") -> Element:
    """Text in a colour, around x where there is room; of a text itself the page's style has the say."""
    half = len(text) * _LETTER * 0.56
    x = min(max(x, half), WIDTH - half)
    told = element("tspan", text, fill=variable(role), font_weight=weight)
    return element("text", [told], x=x, y=y, text_anchor="middle")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(1, length - 2)] + ".."
