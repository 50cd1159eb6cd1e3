"""Markdown as GitHub reads it: where its links go, which anchors it has, and links changed in place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_FENCE = r"^(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*?\n)?(?P=fence)`*[ ]*$"
_SPAN = r"(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"
_LINK = r"\]\((?P<target>[^()\s]+(?:\([^()\s]*\)[^()\s]*)*)(?P<title>\s+\"[^\"]*\")?\)"
_PIECES = re.compile(f"{_FENCE}|{_SPAN}|{_LINK}", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ ]+(.+?)[ ]*#*$", re.MULTILINE)
_CODE = re.compile(f"{_FENCE}|<!--.*?-->", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a page: what it points to, and the line (from 1) in which it stands."""

    target: str
    line: int

    @property
    def file(self) -> str:
        """The path without the anchor; "" for one within the page."""
        return self.target.partition("#")[0]

    @property
    def anchor(self) -> str:
        """What follows the `#`, or ""."""
        return self.target.partition("#")[2]

    @property
    def external(self) -> bool:
        """True for an address of its own, such as https:// or mailto:."""
        return re.match(r"[a-z][a-z0-9+.-]*:", self.target) is not None


def links(text: str) -> list[Link]:
    """The links of a page, those in code left out.

    >>> [one.target for one in links("[a](b.md#c) `[](malloc -> <>free)`\\n```\\n[x](y)\\n```\\n![p](q.svg \\"t\\")")]
    ['b.md#c', 'q.svg']
    """
    return [
        Link(found["target"], text.count("\n", 0, found.start()) + 1)
        for found in _PIECES.finditer(text)
        if found["target"] is not None
    ]


def relinked(text: str, change: Callable[[str], str]) -> str:
    """The page with each link's target replaced by what `change` makes of it.

    >>> relinked("[a](b.md), `[a](b.md)`", lambda target: "../" + target)
    '[a](../b.md), `[a](b.md)`'
    """

    def replace(found: re.Match[str]) -> str:
        if found["target"] is None:
            return found[0]
        return f"]({change(found['target'])}{found['title'] or ''})"

    return _PIECES.sub(replace, text)


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading.

    >>> slug("The life of one `malloc`, step by step"), slug("M4ALLOC_OPTIONS"), slug("[Arena](arena.md): what & why")
    ('the-life-of-one-malloc-step-by-step', 'm4alloc_options', 'arena-what--why')
    """
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    plain = re.sub(r"(?<![\w*])\*+([^*]+)\*+(?![\w*])", r"\1", plain)
    return re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Every anchor of a page: of its headings, the second of a name with `-1`, and those set by hand.

    >>> sorted(anchors("# A\\n## A\\n```\\n# no\\n```\\n<a id='here'></a>"))
    ['a', 'a-1', 'here']
    """
    plain = _CODE.sub("", text)
    seen: dict[str, int] = {}
    found = set(re.findall(r"<\w+ (?:id|name)=[\"']([^\"']+)[\"']", plain))
    for heading in _HEADING.findall(plain):
        name = slug(heading)
        count = seen.get(name, 0)
        seen[name] = count + 1
        found.add(f"{name}-{count}" if count else name)
    return found


def title(text: str) -> str:
    """The first heading of a page.

    >>> title("intro\\n\\n# The `heap`\\n")
    'The `heap`'
    """
    found = _HEADING.search(_CODE.sub("", text))
    return found[1] if found else ""
