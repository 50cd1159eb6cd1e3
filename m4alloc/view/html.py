"""One self-contained HTML page: style, script and pictures inside it, nothing fetched from anywhere.

`Html` marks text that is already markup; every function here escapes whatever is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal, TypeAlias

from m4alloc.view import chart, svg
from m4alloc.view.palette import stylesheet

Tone: TypeAlias = Literal["good", "bad", "warn", "muted", ""]


class Html(str):
    """Text that is markup already and must not be escaped again."""

    __slots__ = ()


def markup(text: str) -> Html:
    """`text` as it may stand in a page: unchanged when it is Html, escaped when it is not.

    >>> markup("a < b"), markup(Html("<b>"))
    ('a &lt; b', '<b>')
    """
    return text if isinstance(text, Html) else Html(svg.escape(text))


def join(pieces: Iterable[str], between: str = "\n") -> Html:
    """The pieces one after the other, each escaped unless it is Html."""
    return Html(between.join(markup(piece) for piece in pieces))


def paragraph(text: str) -> Html:
    """A paragraph."""
    return Html(f"<p>{markup(text)}</p>")


def code(text: str) -> Html:
    """A word of code inside a sentence.

    >>> code("a<b>")
    '<code>a&lt;b&gt;</code>'
    """
    return Html(f"<code>{markup(text)}</code>")


def listing(text: str) -> Html:
    """Lines of code or output, set as they are."""
    return Html(f"<pre>{markup(text)}</pre>")


def callout(pieces: Iterable[str], tone: Tone = "") -> Html:
    """Paragraphs set apart, with a coloured edge that says how grave they are."""
    return Html(f'<div class="callout {tone}">' + "".join(paragraph(piece) for piece in pieces) + "</div>")


def details(summary: str, body: str) -> Html:
    """Something that opens when asked for."""
    return Html(f"<details><summary>{markup(summary)}</summary>{markup(body)}</details>")


def track(fraction: float) -> Html:
    """A small horizontal bar for a table cell; the fraction is clipped to [0, 1].

    >>> track(0.5)
    '<span class="track"><span style="width:50%"></span></span>'
    """
    width = svg.coordinate(100 * min(1.0, max(0.0, fraction)))
    return Html(f'<span class="track"><span style="width:{width}%"></span></span>')


def figures(entries: Sequence[tuple[str, str, str]]) -> Html:
    """The few numbers that matter most, large: (what it is, the number, a remark)."""
    boxes = "".join(
        f"<div><dt>{markup(name)}</dt><dd>{markup(value)}<small>{markup(remark)}</small></dd></div>"
        for name, value, remark in entries
    )
    return Html(f'<dl class="figures">{boxes}</dl>')


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> Html:
    """A table; the columns in `right` hold numbers and are set flush right, those in `whole` are never broken."""

    def cells(tag: str, row: Sequence[str]) -> str:
        if len(row) != len(header):
            raise ValueError(f"a row of {len(row)} cells in a table of {len(header)} columns")
        opening = dict.fromkeys(whole, f'<{tag} class="whole">') | dict.fromkeys(right, f'<{tag} class="num">')
        return "".join(f"{opening.get(column, f'<{tag}>')}{markup(cell)}</{tag}>" for column, cell in enumerate(row))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    head = f"<thead><tr>{cells('th', header)}</tr></thead>"
    return Html(f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>')


def figure(picture: svg.Element, caption: str = "") -> Html:
    """A picture and what to see in it."""
    below = f"<figcaption>{markup(caption)}</figcaption>" if caption else ""
    return Html(f"<figure>{picture.write()}{below}</figure>")


def curves(
    title: str,
    xs: Sequence[float],
    series: Sequence[chart.Series],
    x_axis: chart.Axis,
    y_axis: chart.Axis,
    *,
    height: int = 300,
    marks: Sequence[chart.Mark] = (),
    caption: str = "",
) -> Html:
    """Curves, as `chart.curves`, that show their numbers under the pointer and under the arrow keys."""
    picture = chart.curves(title, xs, series, x_axis, y_axis, height=height, marks=marks, description=caption)
    behind = {
        "left": chart.LEFT,
        "right": chart.WIDTH - chart.RIGHT,
        "top": chart.TOP,
        "bottom": height - chart.BOTTOM,
        "low": x_axis.low,
        "high": x_axis.high,
        "axis": x_axis.label,
        "xs": list(xs),
        "names": [x_axis.show(x) for x in xs],
        "rows": [
            {"label": one.label, "role": one.role, "values": [y_axis.show(y) for y in one.values]} for one in series
        ],
    }
    data = svg.escape(json.dumps(behind, ensure_ascii=False, separators=(",", ":")))
    below = f"<figcaption>{markup(caption)}</figcaption>" if caption else ""
    return Html(f'<figure tabindex="0" data-chart="{data}">{picture.write()}{below}</figure>')


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with a heading and a place in the table of contents."""

    heading: str
    body: Html

    @property
    def anchor(self) -> str:
        """The heading as the end of a link.

        >>> Section("The heap's life", Html("")).anchor
        'the-heap-s-life'
        """
        return re.sub(r"[^a-z0-9]+", "-", self.heading.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Page:
    """A report: a title, a verdict in one word with its tone, what was run, sections, and a last line."""

    title: str
    verdict: str
    tone: Tone
    command: str
    sections: Sequence[Section]
    footer: str = ""

    def write(self) -> str:
        """The page as text. The same report gives the same text, byte for byte."""
        source = resources.files("m4alloc.view")
        style = stylesheet() + svg.STYLE + source.joinpath("report.css").read_text("utf-8")
        script = source.joinpath("report.js").read_text("utf-8")
        links = "".join(f'<a href="#{part.anchor}">{markup(part.heading)}</a>' for part in self.sections)
        body = "\n".join(
            f'<section id="{part.anchor}"><h2>{markup(part.heading)}</h2>\n{part.body}\n</section>'
            for part in self.sections
        )
        verdict = f'<span class="verdict {self.tone}">{markup(self.verdict)}</span>' if self.verdict else ""
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{markup(self.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
            f'<header><div class="top"><h1>{markup(self.title)}</h1>{verdict}</div>\n'
            f'<p class="command mono">{markup(self.command)}</p>\n'
            f'<nav>{links}<button id="theme" type="button">light / dark</button></nav></header>\n'
            f"<main>\n{body}\n</main>\n<footer>{markup(self.footer)}</footer>\n"
            f"<script>\n{script}</script>\n</body>\n</html>\n"
        )
