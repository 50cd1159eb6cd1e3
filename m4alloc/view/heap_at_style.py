"""What the picture of a heap at one call is drawn with: fillings, borders, and words that stay readable on them."""

from __future__ import annotations

from m4alloc.view.chart import WIDTH
from m4alloc.view.palette import variable
from m4alloc.view.quantity import plural
from m4alloc.view.scene import Shape, State
from m4alloc.view.svg import Child, Element, element, path

LEFT, RIGHT = 76.0, WIDTH - 16.0
LANE, THIN, SPACE = 46.0, 26.0, 16.0
"""Heights of the lanes, of that of freed blocks, and between them."""
MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace"
CHARACTER = 6.7
"""Width of a character of 12 units, on average."""


def patterns() -> Element:
    """The fillings that tell blocks apart without colour."""
    stroke = variable("muted")
    hatch = path([(0, 8), (8, 0)], fill="none", stroke=stroke, stroke_width=1.2)
    lines = [
        path(ends, fill="none", stroke=variable("bad"), stroke_width=1) for ends in ([(0, 6), (6, 0)], [(0, 0), (6, 6)])
    ]
    dots = element("circle", cx=3, cy=3, r=1, fill=stroke)
    shape = {"patternUnits": "userSpaceOnUse"}
    return element(
        "defs",
        [
            element("pattern", [hatch], id="m4-hatch", width=8, height=8, **shape),
            element("pattern", lines, id="m4-cross", width=6, height=6, **shape),
            element("pattern", [dots], id="m4-dots", width=6, height=6, **shape),
        ],
    )


def box(x: float, y: float, width: float, height: float, **style: str | float) -> Element:
    """A rectangle."""
    return element("rect", (), x=x, y=y, width=max(width, 0.0), height=height, **style)


def border(lane: str, harmed: bool) -> dict[str, str | float]:
    """The border that tells the reply and the harmed block from the others, by its width and its breaks."""
    if lane == "reply":
        return {"stroke": variable("accent"), "stroke_width": 2.5, "stroke_dasharray": "6 3"}
    if harmed:
        return {"stroke": variable("bad"), "stroke_width": 3.5}
    return {"stroke": variable("ink"), "stroke_width": 1.0}


def mono(text: str, x: float, y: float, *, bold: bool = False) -> Element:
    """A line of a script, its spaces kept."""
    weight = {"font_weight": "bold"} if bold else {}
    return Element(
        "text",
        (*element("text", (), x=x, y=y, font_family=MONO, **weight).attributes, ("xml:space", "preserve")),
        (text,),
    )


def over(text: str, x: float, y: float, **style: str | float) -> Element:
    """Centred words that stay readable over any filling: letters with an edge of the page's colour."""
    edge: dict[str, str | float] = {"stroke": variable("page"), "stroke_width": 4, "stroke_linejoin": "round"}
    wide = len(text) * CHARACTER / 2
    return element(
        "text",
        text,
        x=min(max(x, wide), WIDTH - wide),
        y=y,
        text_anchor="middle",
        paint_order="stroke",
        **edge,
        **style,
    )


def sizes(shape: Shape) -> str:
    """The bytes of a block in words."""
    words = plural(shape.size, "byte")
    return f"{words}, {shape.extent:,d} usable" if shape.slack > 0 else words


def state(shape: Shape, lane: str) -> str:
    """What a block is at the moment of the call, in words."""
    words = "the reply" if lane == "reply" else shape.state.value
    return f"{words}, harmed" if shape.harmed else words


def label(shape: Shape, left: float, right: float, y: float, height: float, lane: str) -> list[Child]:
    """The name in the block, and what fits of its size and state."""
    room, middle = right - left, (left + right) / 2
    states = ["harmed"] if shape.harmed else []
    states += [shape.state.value] if shape.state is State.GIVEN_UP else []
    names = [", ".join([shape.name, *states]), ", ".join([shape.name, *states[:1]]), shape.name]
    lengths = [sizes(shape), f"{shape.size:,d} B"]
    if height < LANE:
        names = [
            *(f"{name}, {lengths[0]}" for name in names[1:]),
            *(f"{name}, {lengths[1]}" for name in names[1:]),
            *names,
        ]
    name = next((words for words in names if CHARACTER * len(words) <= room + 4), "")
    if not name:
        return []
    if height < LANE:
        return [over(name, middle, y + height / 2 + 4, class_="small")]
    second = next((words for words in lengths if 6.0 * len(words) <= room), "")
    parts: list[Child] = [over(name, middle, y + 20, font_weight="bold")]
    return [*parts, over(second, middle, y + 36, class_="small")] if second else parts


def sample(word: str, kind: str, x: float, y: float) -> list[Child]:
    """A sample for the legend."""
    fills = {"dots": "url(#m4-dots)", "cross": "url(#m4-cross)"}
    role = "accent" if kind == "reply" else "bad" if word == "harmed" else "series-2"
    fills |= {"freed": "url(#m4-hatch)"}
    plain = {"fill": fills[kind]} if kind in fills else {"fill": variable(role), "fill_opacity": 0.22}
    parts: list[Child] = [box(x, y, 26, 14, **plain)]
    edge = {"stroke": variable("bad"), "stroke_width": 1.0} if kind == "cross" else border(kind, word == "harmed")
    parts.append(box(x, y, 26, 14, fill="none", **edge))
    return parts
