"""Which pages there are, in which order and part: what the tables of docs/index.md say; nothing is listed twice.

A table whose first column is headed Chapter or Page lists pages; the heading above it is their part. From this the
built book has its sidebar; on GitHub the tables are the contents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from docs.machinery.markdown import slug

_HEADING = re.compile(r"(#{2,3}) (.+)")
_HEAD = re.compile(r"\| (Chapter|Page) \|")
_ROW = re.compile(r"\| \[[^\]]+\]\((?P<page>[\w/.-]+)\.md\) \| (?P<about>.+) \|")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the contents: its name, and the names of its pages without `.md`, in order, each with its row."""

    name: str
    kind: str
    pages: tuple[str, ...]
    rows: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The part's name as the name of a file."""
        return slug(self.name)


def parts(index: str) -> list[Part]:
    """The parts that the text of docs/index.md lists.

    >>> parts("## The book\\n| Chapter | About |\\n|---|---|\\n| [One](book/one.md) | it |\\n\\n| [no](no.md) | x |\\n")
    [Part(name='The book', kind='Chapter', pages=('book/one',), rows=('| [One](book/one.md) | it |',))]
    """
    found: list[Part] = []
    heading, kind, rows = "", "", list[str]()
    for line in [*index.splitlines(), ""]:
        if match := _HEADING.match(line):
            heading = match[2]
        if match := _HEAD.match(line):
            kind = match[1]
        if kind and _ROW.match(line):
            rows.append(line)
        if kind and not line.startswith("|"):
            pages = tuple(row["page"] for row in map(_ROW.match, rows) if row is not None)
            found.append(Part(heading, kind, pages, tuple(rows)))
            kind, rows = "", []
    return found


def toctree(pages: list[str] | tuple[str, ...], caption: str = "") -> str:
    """A toctree that shows nothing in the page itself.

    >>> print(toctree(["a", "b"], "Both"))
    ```{toctree}
    :hidden:
    :caption: Both
    <BLANKLINE>
    a
    b
    ```
    """
    head = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *head, "", *pages, "```"])
