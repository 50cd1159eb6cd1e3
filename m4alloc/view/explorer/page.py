"""The page: skeleton, style, scripts and the packed lives, in one file that fetches nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources

from m4alloc.view.explorer.encode import encode
from m4alloc.view.explorer.kinds import table
from m4alloc.view.explorer.life import Life
from m4alloc.view.palette import stylesheet
from m4alloc.view.svg import escape

TURNING = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of a text round; they are shown by their numbers, as decode.js does."""
STYLES = ("explorer.css", "panel.css")
FIRST = ("decode.js", "parts.js", "tell.js", "store.js", "heap.js", "colours.js")
ELSEWHERE = frozenset({"lasso.js"})
"""Scripts of the counterexample's page."""
LAST = (
    "curves.js",
    "story.js",
    "findings.js",
    "moment.js",
    "script.js",
    "controls.js",
    "keys.js",
    "main.js",
)


def scripts() -> tuple[str, ...]:
    """The names of the scripts, in the order in which the page holds them."""
    names = {one.name for one in resources.files("m4alloc.view.explorer").iterdir() if one.name.endswith(".js")}
    listed = {*FIRST, *LAST, *ELSEWHERE}
    maps = sorted(name for name in names - listed if name.startswith("map"))
    others = sorted(names - listed - {*maps})
    return tuple(name for name in (*FIRST, *others, *maps, *LAST) if name in names)


def page(lives: Sequence[Life], title: str = "") -> str:
    """The page that shows the lives, side by side where there are several; by default it is called as they are.

    Cost: a second or two for a million events.
    """
    here = resources.files("m4alloc.view.explorer")
    style = "\n".join(here.joinpath(name).read_text("utf-8") for name in STYLES if here.joinpath(name).is_file())
    # In one element all scripts share one "use strict" and one end tag; none of them may hold that tag.
    script = "\n".join(here.joinpath(name).read_text("utf-8") for name in scripts())
    payload = "\n".join(
        f'<script type="application/octet-stream" id="heap-{number}">{encode(life)}</script>'
        for number, life in enumerate(lives)
    )
    filled = {
        "title": escape(TURNING.sub(_named, title or " | ".join(dict.fromkeys(life.title for life in lives)))),
        "style": stylesheet() + style,
        "payload": payload,
        "kinds": table(),
        "script": script,
    }
    skeleton = re.sub(r"<!--.*?-->\n?", "", here.joinpath("explorer.html").read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"\{\{(\w+)\}\}", lambda found: filled[found[1]], skeleton)


def _named(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"
