"""A Cython file as items: no parser of Cython's is needed for files whose statements begin at the left edge."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from docs.machinery.source import Item, Module

_HEAD = re.compile(r'(?:#[^\n]*\n)*"""(?P<docstring>.*?)"""\n', re.DOTALL)
_IMPORTS = re.compile(r"from (?P<name>[\w.]+) (?:cimport|import) (?:\([^)]*\)|[^\n]*)\n|c?import [^\n]*\n")
_BEGIN = re.compile(r"(?=^(?:cdef|cpdef|ctypedef|def|class|@)\b)", re.MULTILINE)
_CLASS = re.compile(r"(?:cdef )?class ")
_METHOD = re.compile(r"    (?:@|(?:def|cpdef|cdef)\b[^=\n]*\()")
_NAME = re.compile(
    r'^(?:cdef|cpdef|ctypedef|def|class)\b[^(:=\n]*?\b(?P<name>\w+)(?: "\w+")?[ ]*(?:\(|:|=|$)', re.MULTILINE
)
_DOCSTRING = re.compile(r'\A(?P<before>(?:(?!""").)*?:[ ]*\n)[ ]+"""(?P<docstring>.*?)"""\n', re.DOTALL)


def cython_module(file: Path, root: Path) -> Module:
    """The items of a .pyx or .pxd file, in order."""
    text = file.read_text(encoding="utf-8")
    relative = file.relative_to(root)
    head = _HEAD.match(text)
    start = head.end() if head else 0
    imports = [found["name"] for found in _IMPORTS.finditer(text, start) if found["name"]]
    items: list[Item] = []
    place = start
    for piece in _BEGIN.split(text[start:]):
        items += _items(piece, text.count("\n", 0, place) + 1)
        place += len(piece)
    name = ".".join(relative.with_suffix("").parts)
    docstring = inspect.cleandoc(head["docstring"]) if head else ""
    return Module(name, relative.as_posix(), docstring, tuple(items), text.count("\n"), tuple(dict.fromkeys(imports)))


def _items(piece: str, line: int) -> Iterator[Item]:
    """What stands at the left edge, and the methods of a class."""
    head, *methods = _split(piece) if _CLASS.match(piece) else [piece]
    item = _item(head, line)
    if item is None:
        return
    yield item
    line += head.count("\n")
    for method in methods:
        found = _item(textwrap.dedent(method), line)
        if found is not None:
            kind = "method" if found.name else ""
            yield replace(found, kind=kind, name=f"{item.name}.{found.name}" if found.name else "")
        line += method.count("\n")


def _split(piece: str) -> list[str]:
    """The head of a class, and each of its methods with its decorators."""
    parts = [""]
    decorated = False
    for line in piece.splitlines(keepends=True):
        if _METHOD.match(line) and not decorated:
            parts.append("")
        decorated = line.startswith("    @")
        parts[-1] += line
    return parts


def _item(piece: str, line: int) -> Item | None:
    code = _IMPORTS.sub("", piece) if not _BEGIN.match(piece) else piece
    if not code.strip():
        return None
    found = _DOCSTRING.match(code)
    docstring = inspect.cleandoc(found["docstring"]) if found else ""
    if found:
        code = found["before"] + code[found.end() :].lstrip("\n")
    named = _NAME.search(code)
    name = named["name"] if named and not code.startswith(("cdef enum:", "cdef extern")) else ""
    kind = "function" if "(" in code.split("\n", 1)[0] else "type"
    signature = re.search(r"\(([^()]*)\)", code) if kind == "function" else None
    names = tuple(re.findall(r"(\w+)(?:\[\])?(?:=[^,]*)?(?:,|$)", signature[1])) if signature else ()
    return Item(kind if name else "", name, docstring, code.strip("\n"), line, names)
