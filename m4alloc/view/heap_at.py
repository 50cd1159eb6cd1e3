"""The heap at one call as SVG: blocks along the addresses, the reply below them, what is shared and where.

Nothing is told by colour alone: the harmed block has a thick border and the word, the reply a broken border and a lane
of its own, freed blocks are hatched, usable bytes beyond the request dotted, shared bytes cross-hatched and counted.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from m4alloc.view.chart import WIDTH
from m4alloc.view.heap_at_style import (
    LANE,
    LEFT,
    RIGHT,
    SPACE,
    THIN,
    border,
    box,
    label,
    mono,
    over,
    patterns,
    sample,
    sizes,
    state,
)
from m4alloc.view.palette import variable
from m4alloc.view.quantity import plural, size
from m4alloc.view.scene import Mark, Scene, Shape, State, Stretch, offsets, stretches
from m4alloc.view.svg import Child, Element, element, group, path, picture

CUT = 46.0
"""Room for addresses that are left out."""


class Axis:
    """Where each address is drawn: every stretch gets room by the logarithm of its length, a cut a fixed room.

    >>> axis = Axis(stretches([Shape("a", 0x1000, 24, 24), Shape("b", 0x9000, 8, 8)]), 0.0, 100.0)
    >>> axis.place(0x1000), axis.place(0x9008)
    (0.0, 100.0)
    """

    def __init__(self, parts: Sequence[Stretch], left: float, right: float) -> None:
        self.parts = list(parts)
        cuts = sum(part.cut for part in self.parts)
        cut = min(CUT, (right - left) / 3 / max(1, cuts))
        weights = [0.5 + math.log2(1 + (part.high - part.low) / 4) for part in self.parts]
        total = sum(weight for weight, part in zip(weights, self.parts, strict=True) if not part.cut)
        room = right - left - cut * cuts
        self.starts = [left]
        for weight, part in zip(weights, self.parts, strict=True):
            self.starts.append(self.starts[-1] + (cut if part.cut else room * weight / total))

    def place(self, address: int) -> float:
        """The coordinate of an address; one outside the axis is drawn at its end."""
        for part, start, stop in zip(self.parts, self.starts, self.starts[1:], strict=False):
            if address < part.low:
                return start
            if address <= part.high:
                return start + (stop - start) * (address - part.low) / (part.high - part.low)
        return self.starts[-1]


def heap_at(scene: Scene) -> Element:
    """The picture of a scene.  Cost: O(blocks) and O(n^2) in the few that are drawn in detail.

    >>> scene = Scene("result-disjoint", "", "", "", "b = malloc 24", "returned NULL", (Shape("a", 0x1000, 24, 24),))
    >>> heap_at(scene).name
    'svg'
    """
    drawing = _Drawing(scene)
    return drawing.picture()


class _Drawing:
    """The parts of the picture, from top to bottom."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        near = scene.near()
        self.freed = [block for block in near if block.state is State.FREED]
        self.live = [block for block in near if block.state is not State.FREED]
        drawn = [*near, *([scene.reply] if scene.reply is not None else [])]
        self.parts = stretches(drawn, scene.marks)
        self.axis = Axis(self.parts, LEFT, RIGHT) if self.parts else None
        self.y = 0.0
        self.used: list[tuple[str, str]] = []  # what the legend explains: the word, and which sample

    def picture(self) -> Element:
        """The whole picture."""
        body: list[Child] = [patterns(), *self.head()]
        body += self.lanes()
        body += self.legend()
        body += self.rest()
        body += self.script()
        body += self.prose()
        scene = self.scene
        title = f"The heap at {scene.call}: {scene.rule}"
        return picture(body, WIDTH, self.y + 8, title, scene.message or scene.sentence)

    def head(self) -> list[Child]:
        """The rule and the call."""
        scene = self.scene
        self.y = 46
        return [
            element("text", scene.rule, x=8, y=20, font_size=16, font_weight="bold"),
            mono(f"{scene.call} {scene.said}", 8, 40),
        ]

    # The blocks.

    def lanes(self) -> list[Child]:
        """The lanes of freed blocks, live blocks and the reply, over the axis."""
        axis, scene = self.axis, self.scene
        if axis is None:
            self.y += 22
            return [element("text", "No block is live, and none was handed out.", x=8, y=self.y, class_="muted")]
        self.y += 14 + 13 * len(scene.marks)
        top = self.y
        parts: list[Child] = []
        rows: list[tuple[str, list[Shape], float]] = []
        if self.freed:
            rows.append(("freed", self.freed, THIN))
        if self.live:
            rows.append(("live", self.live, LANE))
        if scene.reply is not None:
            rows.append(("reply", [scene.reply], LANE))
        at: dict[str, tuple[float, float]] = {}
        for name, _, height in rows:
            at[name] = (self.y, self.y + height)
            self.y += height + (SPACE + 8 if name == "live" and scene.overlaps() else SPACE)
        bottom = at[rows[-1][0]][1]
        panel = element("rect", x=LEFT, y=top - 5, width=RIGHT - LEFT, height=bottom - top + 10, class_="panel")
        parts.append(panel)
        parts += self.cuts(axis, top - 5, bottom + 5)
        for name, shapes, height in rows:
            low, _ = at[name]
            parts.append(element("text", name, x=LEFT - 8, y=low + height / 2 + 4, text_anchor="end", class_="muted"))
            for shape in shapes:
                parts += self.block(axis, shape, low, height, name)
        self.y = bottom + 8
        parts += self.shared(axis, at)
        parts += self.marks(axis, top, at, bottom)
        for name, shapes, height in rows:  # over everything else
            for shape in shapes:
                left, right = axis.place(shape.base), axis.place(shape.top)
                parts += label(shape, left, right, at[name][0], height, name)
        parts += self.ticks(axis)
        return parts

    def block(self, axis: Axis, shape: Shape, y: float, height: float, lane: str) -> list[Child]:
        """One block: the request, the usable bytes behind it, its border and its name."""
        left, right = axis.place(shape.base), axis.place(shape.top)
        middle = axis.place(min(shape.base + shape.size, shape.top))
        role = "accent" if lane == "reply" else "bad" if shape.harmed else "series-2"
        parts: list[Child] = []
        if middle > left and lane != "freed":
            parts.append(box(left, y, middle - left, height, fill=variable(role), fill_opacity=0.22))
        if shape.slack > 0:
            parts.append(box(middle, y, right - middle, height, fill="url(#m4-dots)"))
            self.use("usable beyond the request", "dots")
        if lane == "freed":
            parts.append(box(left, y, right - left, height, fill="url(#m4-hatch)"))
        self.use("harmed" if shape.harmed else "the reply" if lane == "reply" else lane, lane)
        parts.append(box(left, y, max(right - left, 2.0), height, fill="none", **border(lane, shape.harmed)))
        told = f"{shape.name}: {sizes(shape)} at {shape.base:#x}, {state(shape, lane)}"
        return [group([element("title", told), *parts])]

    def use(self, word: str, kind: str) -> None:
        """Note what the legend has to explain."""
        if (word, kind) not in self.used:
            self.used.append((word, kind))

    def cuts(self, axis: Axis, top: float, bottom: float) -> list[Child]:
        """The addresses that are left out."""
        parts: list[Child] = []
        for part, left, right in zip(axis.parts, axis.starts, axis.starts[1:], strict=False):
            if part.cut:
                middle = (left + right) / 2
                for x in (middle - 3, middle + 3):
                    zigzag = [(x + 3 * (-1) ** step, top + (bottom - top) * step / 8) for step in range(9)]
                    parts.append(path(zigzag, fill="none", class_="gap"))
                told = element("title", f"{size(part.high - part.low)} of addresses left out")
                parts.append(group([told, box(left, top, right - left, bottom - top, fill_opacity=0)]))
        return parts

    def shared(self, axis: Axis, at: dict[str, tuple[float, float]]) -> list[Child]:
        """The bytes that the reply takes from a live block, across both lanes, and their exact offsets below."""
        parts: list[Child] = []
        scene = self.scene
        for block, low, high in scene.overlaps():
            assert scene.reply is not None
            left, right = axis.place(low), axis.place(high)
            top, bottom = at["live"][0], at["reply"][1]
            parts.append(box(left, top, right - left, bottom - top, fill="url(#m4-cross)", stroke=variable("bad")))
            text = f"{offsets(block, low, high)} = {offsets(scene.reply, low, high)}"
            middle, gap = (left + right) / 2, (at["live"][1] + at["reply"][0]) / 2
            parts.append(over(text, middle, gap + 4, font_weight="bold"))
            self.use("shared bytes", "cross")
        return parts

    def marks(self, axis: Axis, top: float, at: dict[str, tuple[float, float]], bottom: float) -> list[Child]:
        """The addresses that the finding is about: a pointer above, a line through the lanes."""
        parts: list[Child] = []
        reply = self.scene.reply
        for number, mark in enumerate(sorted(self.scene.marks, key=lambda mark: -mark.address)):
            inside = reply is not None and reply.base <= mark.address < reply.top
            lane = at.get("reply" if inside else "live", (top, bottom))
            parts += self.mark(axis, mark, lane, bottom, top - 12 - 13 * number)
        return parts

    def mark(self, axis: Axis, mark: Mark, lane: tuple[float, float], bottom: float, y: float) -> list[Child]:
        """One mark, its word at height y; the byte itself in its lane."""
        left = axis.place(mark.address)
        right = axis.place(mark.address + 1) if mark.byte else left
        x = (left + right) / 2
        parts: list[Child] = [element("line", x1=x, y1=y + 3, x2=x, y2=bottom + 5, class_="mark")]
        if mark.byte:
            wide = max(right - left, 4.0)
            parts.append(
                box(x - wide / 2, lane[0], wide, lane[1] - lane[0], fill="url(#m4-cross)", stroke=variable("bad"))
            )
        parts.append(path([(x - 5, y + 1), (x + 5, y + 1), (x, y + 9)], close=True, fill=variable("bad")))
        words = f"{mark.text} ({mark.address:#x})"
        anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
        shift = -8 if anchor == "end" else 8
        parts.append(element("text", words, x=x + shift, y=y + 5, text_anchor=anchor, class_="small"))
        return parts

    def ticks(self, axis: Axis) -> list[Child]:
        """The addresses: whole at the start of each run, the distance from there at the other edges."""
        parts: list[Child] = []
        rows = [-1e9, -1e9, -1e9]
        base = 0
        y = self.y
        fresh = True
        for part, x in zip([*axis.parts, None], axis.starts, strict=True):
            address = part.low if part is not None else axis.parts[-1].high
            if fresh:
                base = address
            text = f"{address:#x}" if fresh else f"+{address - base}"
            fresh = part is not None and part.cut
            parts.append(element("line", x1=x, y1=y - 3, x2=x, y2=y + 3, class_="axis"))
            half = len(text) * 7.0 / 2
            centre = min(max(x, LEFT + half - 20), RIGHT - half + 8)
            row = next((row for row, end in enumerate(rows) if centre - half > end + 5), None)
            if row is None:
                continue
            rows[row] = centre + half
            if row:
                parts.append(element("line", x1=x, y1=y + 3, x2=x, y2=y + 4 + 12 * row, class_="grid"))
            words = element("text", text, x=centre, y=y + 14 + 12 * row, text_anchor="middle", class_="small")
            parts.append(words)
        line = element("line", x1=LEFT, y1=y, x2=RIGHT, y2=y, class_="axis")
        deepest = max((row for row, end in enumerate(rows) if end > 0), default=0)
        self.y = y + 24 + 12 * deepest
        return [line, *parts]

    # What stands below.

    def legend(self) -> list[Child]:
        """What the borders and fillings mean, and that widths are not to scale."""
        if self.axis is None:
            return []
        y = self.y + 14
        parts: list[Child] = []
        x = LEFT
        for word, kind in self.used:
            parts += sample(word, kind, x, y - 11)
            parts.append(element("text", word, x=x + 32, y=y, class_="small"))
            x += 50 + 6.3 * len(word)
        parts.append(element("text", "widths not to scale", x=RIGHT, y=y, text_anchor="end", class_="small muted"))
        self.y = y + 8
        return parts

    def rest(self) -> list[Child]:
        """All live blocks in one bar, in order of address, when some are not drawn above."""
        live = self.scene.live
        shown = {(block.name, block.base) for block in self.live}
        if len(live) <= len(self.live):
            return []
        self.y += 20
        pitch = (RIGHT - LEFT) / len(live)
        parts: list[Child] = []
        for place, block in enumerate(live):
            near = (block.name, block.base) in shown
            top, height = (self.y - 4, 20.0) if near else (self.y, 12.0)
            role = "bad" if block.harmed else "ink" if near else "muted"
            wide = max(0.6, pitch - (1 if pitch > 3 else 0.2))
            drawn = box(LEFT + place * pitch, top, wide, height, fill=variable(role), fill_opacity=1 if near else 0.45)
            parts.append(group([element("title", f"{block.name}: {sizes(block)} at {block.base:#x}"), drawn]))
        total = sum(block.extent for block in live)
        words = f"{plural(len(live), 'live block')}, {size(total)}, by address; tall: drawn above"
        parts.append(element("text", "heap", x=LEFT - 8, y=self.y + 10, text_anchor="end", class_="muted"))
        parts.append(element("text", words, x=LEFT, y=self.y + 31, class_="small muted"))
        self.y += 40
        return parts

    def script(self) -> list[Child]:
        """The last lines of the script, the one that broke the rule marked."""
        self.y += 8
        parts: list[Child] = []
        for line in self.scene.lines:
            self.y += 16
            if line.broke:
                arrow = [(LEFT - 70, self.y - 9), (LEFT - 62, self.y - 4), (LEFT - 70, self.y + 1)]
                frame = box(LEFT - 60, self.y - 12, RIGHT - LEFT + 60, 16, fill="none", stroke=variable("bad"))
                parts += [frame, path(arrow, close=True, fill=variable("bad"))]
            number = element("text", str(line.number), x=LEFT - 16, y=self.y, text_anchor="end", class_="small muted")
            text = textwrap.shorten(line.text, 118, placeholder=" ...") if len(line.text) > 118 else line.text
            parts += [number, mono(text, LEFT - 8, self.y, bold=line.broke)]
        return parts

    def prose(self) -> list[Child]:
        """What happened, and the rule with its clause."""
        scene = self.scene
        self.y += 10
        parts: list[Child] = []
        for text, kind in ((scene.message, ""), (f"{scene.sentence} ({scene.clause})", "muted")):
            for line in textwrap.wrap(text, 150) if text.strip(" ()") else []:
                self.y += 16
                parts.append(element("text", line, x=8, y=self.y, class_=kind or "m4-ink"))
        return parts
