"""A docstring of the house as Markdown: sentences, code set off by indentation, examples with `>>>`.

Only backticks mean something in a docstring; every other sign that Markdown knows is escaped, for much of what is
written is logic and C: `[](a -> b)`, `*p`, `a < b`, `m4_fill8`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterator

_SIGNS = re.compile(r"([\\`*_{}\[\]()#+!|<>~$^-])")
_CODE = re.compile(r"`[^`\n]+`")
_LABELS = ("Cost", "Source", "Raises", "Faults", "Illegal")
_LABELLED = re.compile(rf"(?:^|(?<=\s\s))(?=(?:{'|'.join(_LABELS)})(?::| [A-Z]))")
_LABEL = re.compile(rf"({'|'.join(_LABELS)}):? (.*)", re.DOTALL)


def markdown(docstring: str, names: Collection[str] = ()) -> str:
    """The docstring as Markdown; names: parameters or fields, set in bold where the text explains them.

    >>> print(markdown('''Round up to a multiple of `n`.
    ...
    ...     n: bytes, a_power_of_two.  Cost: O(1).
    ...     ''', {"n"}))
    Round up to a multiple of `n`.
    <BLANKLINE>
    **n**: bytes, a\\_power\\_of\\_two.
    <BLANKLINE>
    {.m4-fact}
    *Cost* O\\(1\\).
    """
    return "\n\n".join(_blocks(inspect.cleandoc(docstring), names))


def claim(docstring: str) -> str:
    """The first sentence of a docstring, as Markdown on one line.

    >>> claim("Where a block lies, e.g. `a`. More.\\n\\nStill more."), claim("No stop")
    ('Where a block lies, e.g. `a`.', 'No stop')
    """
    first = inspect.cleandoc(docstring).split("\n\n")[0].replace("\n", " ")
    end = re.search(r"(?<!e\.g)(?<!i\.e)(?<! vs)[.](?= [A-Z`]|  |$)", first)
    return escape(first[: end.end()] if end else first)


def escape(text: str) -> str:
    """Text as Markdown that reads the same; what stands in backticks stays code.

    >>> escape("a_b < `c_d`")
    'a\\\\_b \\\\< `c_d`'
    """
    pieces, last = [], 0
    for code in _CODE.finditer(text):
        pieces += [_SIGNS.sub(r"\\\1", text[last : code.start()]), code[0]]
        last = code.end()
    return "".join([*pieces, _SIGNS.sub(r"\\\1", text[last:])])


def _blocks(text: str, names: Collection[str]) -> Iterator[str]:
    for lines in _chunks(text.splitlines()):
        first = lines[0]
        if first.startswith(">>>"):
            yield "\n".join(["```python", *lines, "```"])
        elif first.startswith(" "):
            yield "\n".join(["```text", *inspect.cleandoc("\n" + "\n".join(lines)).splitlines(), "```"])
        elif first.startswith("- "):
            yield "\n".join("- " + escape(one[2:]) if one.startswith("- ") else escape(one) for one in lines)
        else:
            yield from _paragraph("\n".join(lines), names)


def _paragraph(text: str, names: Collection[str]) -> Iterator[str]:
    for part in filter(None, map(str.strip, _LABELLED.split(text))):
        label = _LABEL.fullmatch(part)
        if label:
            yield f"{{.m4-fact}}\n*{label[1]}* {escape(label[2])}"
            continue
        written = escape(part)
        for name in names:
            shown = re.escape(_SIGNS.sub(r"\\\1", name))
            written = re.sub(rf"(?:^|(?<=[.,;] )|(?<=\n)){shown}(?=[:,] )", lambda found: f"**{found[0]}**", written)
        yield written


def _chunks(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines of one kind: an example, an indented block (blank lines inside it kept), a list, a paragraph."""
    chunk: list[str] = []
    kind = ""
    for line in [*lines, ""]:
        blank = not line.strip()
        now = _kind(line, kind if chunk else "")
        if chunk and (blank or now != kind):
            yield chunk
            chunk = []
        if not blank:
            chunk.append(line)
            kind = now


def _kind(line: str, before: str) -> str:
    if line.startswith(">>>") or before == "example":
        return "example"
    if line.startswith("- ") or (before == "list" and line.startswith("  ")):
        return "list"
    return "code" if line.startswith("    ") or (before == "code" and line.startswith(" ")) else "text"
