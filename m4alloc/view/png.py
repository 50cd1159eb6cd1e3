"""Our SVG pictures as PNG, drawn by matplotlib: rectangles, lines, circles, straight paths, text; in the light colours.

What a picture's classes mean is written in svg.STYLE as CSS; the same is here as numbers.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from m4alloc.view.palette import ROLES
from m4alloc.view.svg import Element

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASSES: dict[str, dict[str, str]] = {
    "muted": {"fill": "muted"},
    "small": {"font-size": "11"},
    "grid": {"stroke": "line", "stroke-width": "1"},
    "axis": {"stroke": "muted", "stroke-width": "1"},
    "panel": {"fill": "panel"},
    "mark": {"stroke": "bad", "stroke-width": "1.5", "stroke-dasharray": "4 3"},
    "gap": {"stroke": "muted", "stroke-width": "1", "stroke-dasharray": "2 3"},
    "cell": {},
}
ALIGNMENT = {"start": "left", "middle": "center", "end": "right"}
POINTS_AN_INCH = 72
"""One unit of a picture is drawn as one point."""
SCALE = 2
"""Pixels a unit."""


class PngError(ImportError):
    """matplotlib is not installed; the message says how to get it."""


def png(image: Element, scale: int = SCALE) -> bytes:
    """The picture as a PNG file, `scale` pixels a unit, on the light page.

    Raises PngError: no matplotlib. ValueError: an element that this cannot draw.
    Cost: 0.2 s and more, by the number of elements.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise PngError("PNG needs matplotlib: pip install 'm4alloc[plot]'") from None
    if image.name != "svg":
        raise ValueError(f"a picture is an svg element; got {image.name!r}")
    attributes = {name: str(value) for name, value in image.attributes}
    width, height = map(float, attributes["viewBox"].split()[2:])
    figure = Figure(figsize=(width / POINTS_AN_INCH, height / POINTS_AN_INCH), dpi=POINTS_AN_INCH * scale)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    figure.set_facecolor(ROLES["page"][0])
    _draw(axes, image, {})
    file = io.BytesIO()
    figure.set_canvas(FigureCanvasAgg(figure))
    figure.savefig(file, format="png", dpi=POINTS_AN_INCH * scale, metadata={"Software": None})
    return file.getvalue()


def colour(value: str) -> str:
    """A fill or stroke as matplotlib takes it: a role, with or without var(), or a colour.

    >>> colour("var(--bad)"), colour("none"), colour("#123456")
    ('#b3261e', 'none', '#123456')
    """
    role = re.fullmatch(r"var\(--([a-z0-9-]+)\)", value)
    name = role[1] if role else value
    return ROLES[name][0] if name in ROLES else name


def _draw(axes: Axes, one: Element, inherited: Mapping[str, str]) -> None:
    """An element and what is in it."""
    given = {name: str(value) for name, value in one.attributes}
    style = dict(inherited)
    for name in given.get("class", "").split():
        style |= CLASSES.get(name, {})
    style |= given
    for rule in filter(None, given.get("style", "").split(";")):
        name, _, value = rule.partition(":")
        style[name.strip()] = value.strip()
    if one.name in ("svg", "g"):
        below = {name: value for name, value in style.items() if name not in ("class", "style", "viewBox", "xmlns")}
        for child in one.children:
            if isinstance(child, Element):
                _draw(axes, child, below)
    elif one.name in _SHAPES:
        _SHAPES[one.name](axes, one, style)
    elif one.name not in ("title", "desc", "style"):
        raise ValueError(f"a PNG cannot show {one.name!r}; there are {', '.join(sorted(_SHAPES))}")


def _paint(style: Mapping[str, str]) -> dict[str, Any]:
    """Fill, stroke and their like, as a patch of matplotlib takes them."""
    return {
        "facecolor": colour(style.get("fill", "ink")),
        "edgecolor": colour(style.get("stroke", "none")),
        "linewidth": float(style.get("stroke-width", 1)) if style.get("stroke", "none") != "none" else 0,
        "alpha": float(style["opacity"]) if "opacity" in style else None,
        "linestyle": _dash(style),
        "joinstyle": "round",
        "zorder": 2,
    }


def _dash(style: Mapping[str, str]) -> Any:
    """The pattern of a dashed line; matplotlib counts it in line widths, SVG in units."""
    pattern = style.get("stroke-dasharray", "")
    if not pattern or pattern == "none":
        return "solid"
    width = float(style.get("stroke-width", 1))
    return (0, [float(part) / width for part in pattern.split()])


def _rectangle(axes: Axes, one: Element, style: Mapping[str, str]) -> None:
    from matplotlib.patches import Rectangle

    at = (float(style.get("x", 0)), float(style.get("y", 0)))
    axes.add_patch(Rectangle(at, float(style["width"]), float(style["height"]), **_paint(style)))


def _circle(axes: Axes, one: Element, style: Mapping[str, str]) -> None:
    from matplotlib.patches import Circle

    axes.add_patch(Circle((float(style["cx"]), float(style["cy"])), float(style["r"]), **_paint(style)))


def _line(axes: Axes, one: Element, style: Mapping[str, str]) -> None:
    from matplotlib.lines import Line2D

    across, down = [float(style["x1"]), float(style["x2"])], [float(style["y1"]), float(style["y2"])]
    width = float(style.get("stroke-width", 1))
    line = Line2D(
        across, down, color=colour(style.get("stroke", "ink")), linewidth=width, linestyle=_dash(style), zorder=2
    )
    axes.add_line(line)


def _path(axes: Axes, one: Element, style: Mapping[str, str]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    outline = style["d"]
    if not re.fullmatch(r"M[-0-9. L]+Z?", outline):
        raise ValueError(f"a PNG shows paths of straight lines only; got {outline[:40]!r}")
    points = [tuple(map(float, step.split())) for step in outline.strip("MZ").split("L")]
    codes = [Path.MOVETO] + [Path.LINETO] * (len(points) - 1)
    if outline.endswith("Z"):
        points, codes = [*points, points[0]], [*codes, Path.CLOSEPOLY]
    axes.add_patch(PathPatch(Path(points, codes), **_paint(style)))


def _text(axes: Axes, one: Element, style: Mapping[str, str]) -> None:
    x, y, turn = float(style.get("x", 0)), float(style.get("y", 0)), 0.0
    rotation = re.fullmatch(r"rotate\((-?[0-9.]+) (-?[0-9.]+) (-?[0-9.]+)\)", style.get("transform", ""))
    if rotation:
        turn = -float(rotation[1])
    axes.text(
        x,
        y,
        "".join(child for child in one.children if isinstance(child, str)).replace("$", r"\$"),
        color=colour(style.get("fill", "ink")),
        fontsize=float(style.get("font-size", 12)) * 0.94,  # DejaVu Sans is wider than most system fonts
        ha=ALIGNMENT[style.get("text-anchor", "start")],
        va="baseline",
        rotation=turn,
        rotation_mode="anchor",
        zorder=2,  # one for all, so that what comes later in the picture is drawn over what came before
        fontweight=style.get("font-weight", "normal"),
    )


_SHAPES = {"rect": _rectangle, "circle": _circle, "line": _line, "path": _path, "text": _text}
