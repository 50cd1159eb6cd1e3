"""SVG as a tree of elements: build it, then write it once, well-formed and escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from m4alloc.view.palette import stylesheet

Child: TypeAlias = "Element | str"
Value: TypeAlias = "str | float | int"

# XML 1.0 section 2.2: what may not appear in a document at all, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9:-]*\Z")


def escape(text: str) -> str:
    """Text or attribute value for XML and HTML; characters that XML forbids become U+FFFD.

    >>> escape('<a href="x">&\\x00')
    '&lt;a href=&quot;x&quot;&gt;&amp;\\ufffd'
    """
    clean = _FORBIDDEN.sub("\ufffd", text)
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def coordinate(value: float) -> str:
    """A coordinate with at most two decimals and no trailing zeros: short, and the same on every machine.

    >>> coordinate(1.0), coordinate(2.345), coordinate(-0.001), coordinate(7)
    ('1', '2.35', '0', '7')
    """
    if not math.isfinite(value):
        raise ValueError(f"a coordinate must be finite; got {value!r}")
    # Half up at the third decimal, away from the binary neighbour that round() would pick.
    text = f"{math.floor(value * 100 + 0.5 + 1e-9) / 100:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


@dataclass(frozen=True, slots=True)
class Element:
    """One element: a name, attributes in the order given, and children that are elements or text."""

    name: str
    attributes: tuple[tuple[str, Value], ...] = ()
    children: tuple[Child, ...] = field(default=())

    def write(self) -> str:
        """The element as XML text.

        Cost: O(size of the tree).
        """
        pieces: list[str] = []
        self._write(pieces)
        return "".join(pieces)

    __str__ = write

    def _write(self, pieces: list[str]) -> None:
        pieces.append(f"<{self.name}")
        for name, value in self.attributes:
            text = escape(value) if isinstance(value, str) else coordinate(value)
            pieces.append(f' {name}="{text}"')
        if not self.children:
            pieces.append("/>")
            return
        pieces.append(">")
        for child in self.children:
            if isinstance(child, str):
                pieces.append(escape(child))
            else:
                child._write(pieces)
        pieces.append(f"</{self.name}>")


def element(name: str, children: Iterable[Child] | str = (), **attributes: Value) -> Element:
    """An element; `class_` means class, and an underscore in an attribute's name means a hyphen.

    >>> element("text", "a < b", x=1.5, text_anchor="end", class_="label").write()
    '<text x="1.5" text-anchor="end" class="label">a &lt; b</text>'
    """
    pairs = tuple((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    for key in (name, *(key for key, _ in pairs)):
        if not _NAME.match(key):
            raise ValueError(f"{key!r} is not a name that an element or attribute can have")
    return Element(name, pairs, (children,) if isinstance(children, str) else tuple(children))


def group(children: Iterable[Child], **attributes: Value) -> Element:
    """A `g` element."""
    return element("g", children, **attributes)


def path(points: Iterable[tuple[float, float]], *, close: bool = False, **attributes: Value) -> Element:
    """A path of straight lines through `points`.

    >>> path([(0, 0), (1, 2.5)], class_="line").write()
    '<path d="M0 0L1 2.5" class="line"/>'
    """
    steps = [f"{coordinate(x)} {coordinate(y)}" for x, y in points]
    if not steps:
        raise ValueError("a path needs at least one point")
    return element("path", (), d="M" + "L".join(steps) + ("Z" if close else ""), **attributes)


def picture(children: Iterable[Child], width: float, height: float, title: str, description: str = "") -> Element:
    """An `svg` element that scales to its container and says what it shows to those who cannot see it."""
    label: list[Child] = [element("title", title)]
    if description:
        label.append(element("desc", description))
    return element(
        "svg",
        [*label, *children],
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {coordinate(width)} {coordinate(height)}",
        role="img",
        aria_label=title,
        class_="m4-picture",
    )


STYLE = """\
.m4-picture{display:block;width:100%;height:auto;font-size:12px;\
font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
.m4-picture text{fill:var(--ink)}
.m4-picture .muted{fill:var(--muted)}
.m4-picture .small{font-size:11px}
.m4-picture .grid{stroke:var(--line);stroke-width:1;shape-rendering:crispEdges}
.m4-picture .axis{stroke:var(--muted);stroke-width:1;shape-rendering:crispEdges}
.m4-picture .panel{fill:var(--panel)}
.m4-picture .mark{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:4 3}
.m4-picture .gap{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 3}
.m4-picture .cell{shape-rendering:crispEdges}
"""
"""What the classes used by our pictures mean; a page carries it once, a document carries its own copy."""


def document(image: Element) -> str:
    """A picture as an SVG file of its own, with its style inside, light or dark as the reader's system says."""
    if image.name != "svg":
        raise ValueError(f"a document needs an svg element; got {image.name!r}")
    style = element("style", stylesheet("svg") + STYLE)
    whole = Element("svg", image.attributes, (style, *image.children))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole.write()}\n'
