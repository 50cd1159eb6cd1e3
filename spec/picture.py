"""Drawing for notebooks: what `_repr_html_` of the specification's values is made of.

Plain text, so that this layer needs nothing to draw with. Ink is the page's own colour at different strengths, so a
picture reads on light pages and on dark ones; what is wrong is also said in words, broken lines or hatching.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from capability.picture import alone as alone

BAD = "#cf4434"
"""The colour of what is wrong, and of cycles: dark enough on white, light enough on black."""
GOOD = "#2a8a4a"
LETTER = 6.7
"""About how wide a letter of the pictures is, in pixels."""


def svg(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """A picture that says what it shows to those who cannot see it, and is never wider than its page.

    >>> svg(10, 20, "a < b", [])[-29:]
    '<title>a &lt; b</title></svg>'
    """
    style = "max-width:100%;height:auto;font:11px ui-monospace,monospace;fill:currentColor"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" style="{style}"><title>{escape(title)}</title>'
    )
    return head + "".join(parts) + "</svg>"


def words(x: float, y: float, said: str, *, anchor: str = "start", fill: str = "", bold: bool = False) -> str:
    """One line of text; `anchor` is start, middle or end.

    >>> words(1, 2, "p & q")
    '<text x="1.0" y="2.0" text-anchor="start">p &amp; q</text>'
    """
    more = (f' fill="{fill}"' if fill else "") + (' font-weight="bold"' if bold else "")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(said)}</text>'


def line(path: str, *, colour: str = "currentColor", width: float = 1.2, dashed: bool = False) -> str:
    """A line along an SVG path."""
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dash}/>'


def box(
    x: float, y: float, width: float, height: float, tip: str = "", *, strength: float = 0.0, colour: str = ""
) -> str:
    """A rectangle with a border, filled with ink of that strength (0 to 1); `tip` is shown under the pointer."""
    ink = colour or "currentColor"
    inside = f"<title>{escape(tip)}</title>" if tip else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{ink}" '
        f'fill-opacity="{strength:g}" stroke="{ink}" stroke-width="0.7">{inside}</rect>'
    )


def arrow(tip: tuple[float, float], towards: tuple[float, float], colour: str = "currentColor") -> str:
    """The head of an arrow that ends at `tip` and points along the vector `towards`."""
    (x, y), (right, down) = tip, towards
    length = (right * right + down * down) ** 0.5 or 1.0
    right, down = right / length, down / length
    back = (x - 8 * right, y - 8 * down)
    one = f"{back[0] - 3.5 * down:.1f} {back[1] + 3.5 * right:.1f}"
    other = f"{back[0] + 3.5 * down:.1f} {back[1] - 3.5 * right:.1f}"
    return f'<path d="M{x:.1f} {y:.1f}L{one}L{other}Z" fill="{colour}"/>'


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = (), *, right: Sequence[int] = ()) -> str:
    """An HTML table; the columns in `right` are set flush right, as numbers are.

    >>> table([["blocks", "3"]], right=[1])[:7]
    '<table>'
    """

    def cells(tag: str, row: Sequence[str]) -> str:
        sides = ["right" if column in right else "left" for column in range(len(row))]
        # Padding of its own: Jupyter gives tables some, marimo gives them none.
        return "".join(
            f'<{tag} style="text-align:{side};padding:2px 10px">{escape(cell)}</{tag}>'
            for cell, side in zip(row, sides, strict=True)
        )

    head = f"<thead><tr>{cells('th', header)}</tr></thead>" if header else ""
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table>{head}<tbody>{body}</tbody></table>"


def badge(verdict: str, good: bool | None) -> str:
    """A verdict as a word in a frame: green for good, red for bad, ink for neither.

    >>> "HOLDS" in badge("HOLDS", True)
    True
    """
    colour = "currentColor" if good is None else GOOD if good else BAD
    style = f"border:2px solid {colour};border-radius:5px;padding:1px 8px;font-weight:bold;color:{colour}"
    return f'<span style="{style}">{escape(verdict)}</span>'


def lines(said: Iterable[str]) -> str:
    """Lines of fixed width, as in a terminal; long ones are scrolled sideways, not broken."""
    style = "margin:6px 0;font:12px/1.4 ui-monospace,monospace;overflow-x:auto;background:none;color:inherit"
    return f'<pre style="{style}">{escape(chr(10).join(said))}</pre>'
