"""The reference: a page a module, what it says on the left and the code that does it on the right, in the file's order.

`spec` and `capability` are shown whole; of `m4alloc`, the modules behind its public names and the core. The pages are
written to docs/reference/ as Markdown, read from the sources; nothing is imported but the table of public names.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import m4alloc
from docs.machinery.contents import toctree
from docs.machinery.core_source import cython_module
from docs.machinery.docstring import claim, escape, markdown
from docs.machinery.outside import DOCS, ROOT, keep_only, write
from docs.machinery.source import Item, Module, module, tests

FOLDER = DOCS / "reference"
WHOLE = ("capability", "spec")
"""Packages all of whose modules have a page."""
CORE = "m4alloc._core"
ABOUT_THE_CORE = ("book/one-malloc", "book/fast-core", "project/DESIGN")
"""Pages on which the name of a function of the core needs no module before it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is shown: the name of its page without `.md`, and the anchor in it, "" for the page itself."""

    page: str
    anchor: str = ""


class Reference:
    """All modules that have a page, and where every name is to be found."""

    def __init__(self) -> None:
        files = sorted(file for top in WHOLE for file in (ROOT / top).rglob("*.py"))
        self.public = public_names()
        files += sorted({_file(target.partition(":")[0]) for target in self.public.values()})
        shown = [module(file, ROOT) for file in files if file.is_relative_to(ROOT / "m4alloc") or _shown(file)]
        shown.append(module(ROOT / "m4alloc" / "__init__.py", ROOT))
        core = [ROOT / "m4alloc" / "_fast.pyx", *sorted((ROOT / "m4alloc" / "_core").glob("*.pxd"))]
        cython = [cython_module(file, ROOT) for file in core if file.stat().st_size]
        self.modules = {one.name: one for one in [*shown, *cython]}
        self.modules[CORE] = Module(CORE, "m4alloc/_core/__init__.pxd", "", (), 0)
        self.packages = {one.name for one in shown if one.package} | {CORE}
        self.places = dict(self._places())
        self.bare = self._bare()

    def page(self, name: str) -> str:
        """The name of a module's page, below docs/ and without `.md`."""
        words = name.split(".")
        return "/".join(["reference", *words, *(["index"] if name in self.packages else [])])

    def _places(self) -> Iterator[tuple[str, Place]]:
        for name, one in self.modules.items():
            page = self.page(name)
            yield name, Place(page)
            yield one.path, Place(page)
            for item in one.items:
                for known in filter(None, (item.name, *item.also)):
                    yield f"{name}.{known}", Place(page, known)
        for name in self.public:
            where, item = self._told(name)
            yield f"m4alloc.{name}", Place(self.page(where), item.name)

    def find(self, text: str, page: str = "") -> Place | None:
        """What a piece of code in prose names: a module, a file, something in one; `page` is where it is said.

        >>> Reference().find("spec.heap.Heap.insert")
        Place(page='reference/spec/heap', anchor='Heap.insert')
        """
        name = text.removesuffix("()")
        if name in self.places:
            return self.places[name]
        own = page.removeprefix("reference/").removesuffix("/index").replace("/", ".")
        if own in self.modules:
            return self.places.get(f"{own}.{name}")
        return self.bare.get(name) if page in ABOUT_THE_CORE else None

    def _bare(self) -> dict[str, Place]:
        """What the core alone calls by a name, and only once."""
        core = [one for one in self.modules.values() if one.path.endswith((".pxd", ".pyx"))]
        found: dict[str, list[Place]] = {}
        for one in core:
            for item in one.items:
                found.setdefault(item.name, []).append(Place(self.page(one.name), item.name))
        plain = {"", "malloc", "calloc", "realloc", "free"}  # everybody has these
        return {name: places[0] for name, places in found.items() if name not in plain and len(places) == 1}

    def children(self, package: str) -> list[str]:
        """The modules and packages right inside a package, packages first."""
        inside = [name for name in self.modules if name.rpartition(".")[0] == package and name != package]
        if package == "m4alloc":
            inside = [name for name in self.modules if name.startswith("m4alloc.") and name.rpartition(".")[0] != CORE]
        return sorted(inside, key=lambda name: (name not in self.packages, name))

    def write(self) -> list[Path]:
        """Write every page and return them all; pages of modules that are gone are removed."""
        pages = {"reference/index": self._front()}
        for name, one in self.modules.items():
            pages[self.page(name)] = self._package(one) if name in self.packages else self._module(one)
        files = {DOCS / f"{page}.md": text for page, text in pages.items()}
        for file, text in files.items():
            write(file, text)
        keep_only(FOLDER, files)
        return sorted(files)

    def _front(self) -> str:
        rows = [
            f"| [{top}]({self.page(top).removeprefix('reference/')}.md) | {claim(self.modules[top].docstring)} |"
            for top in (*WHOLE, "m4alloc")
        ]
        core = f"| [the core]({self.page(CORE).removeprefix('reference/')}.md) | the fast allocator, layer by layer |"
        return "\n".join(
            [
                "# Reference",
                "",
                "Made from the sources when the pages were built: what a module says, and beside it the code that does "
                "what is said. Examples run as tests; the line *Tested by* names the file that holds a module to its "
                "claims, and at the end of a page those claims are listed.",
                "",
                "| Package | |",
                "|---|---|",
                *rows,
                core,
                "",
                toctree([*(f"{top}/index" for top in (*WHOLE, "m4alloc"))]),
                "",
            ]
        )

    def _package(self, one: Module) -> str:
        page = self.page(one.name)
        text = [f"# {one.name}", ""]
        if one.name == CORE:
            text += [
                "The core, a layer a file, bottom-up as DESIGN.md lists them; each knows only those below it.",
                "[Inside the fast core](../../../book/fast-core.md) tells why it is so.",
                "",
            ]
        text += [markdown(one.docstring), ""]
        children = self.children(one.name)
        if one.name == CORE:
            children = sorted(children, key=_layer)
        links = {name: os.path.relpath(self.page(name), Path(page).parent) for name in children}
        text += ["| Module | |", "|---|---|"]
        text += [f"| [{_short(name, one.name)}]({links[name]}.md) | {self._about(name)} |" for name in children]
        text += [""]
        if one.name == "m4alloc":
            text += ["## Public names", "", "| Name | |", "|---|---|", *self._public_rows(page), ""]
        text += [toctree(list(links.values())), ""]
        text += [part for item in one.items if item.name for part in _pair(item)]
        return "\n".join(text)

    def _about(self, name: str) -> str:
        if name == CORE:
            return "the core, layer by layer"
        return claim(self.modules[name].docstring).removeprefix(f"{name}: ")

    def _public_rows(self, page: str) -> Iterator[str]:
        for name in sorted(self.public):
            where, item = self._told(name)
            link = f"{os.path.relpath(self.page(where), Path(page).parent)}.md"
            yield f"| [m4alloc.{name}]({link}) | {claim(item.docstring)} |"

    def _told(self, name: str) -> tuple[str, Item]:
        """The module and the item that say most of a public name: where it is defined, or in the core's own face."""
        where, _, attribute = self.public[name].partition(":")
        for place in (where, "m4alloc._fast"):
            for item in self.modules[place].items:
                if item.docstring and attribute in (item.name, *item.also):
                    return place, item
        return where, Item("", attribute, "", "", 0)

    def _module(self, one: Module) -> str:
        text = [f"# {one.name}", "", markdown(one.docstring), "", "{.m4-facts}", *self._facts(one), ""]
        for item in one.items:
            text += _pair(item)
        claims = tests(mirror) if (mirror := _mirror(one)) else []
        if claims:
            text += ["## What its tests claim", "", *(f"- {escape(sentence)}" for sentence in claims), ""]
        return "\n".join(text)

    def _facts(self, one: Module) -> list[str]:
        facts = [f"*Source* `{one.path}`, {one.lines:,d} lines"]
        if mirror := _mirror(one):
            facts.append(f"*Tested by* `{mirror.relative_to(ROOT)}`")
        defined = [name for item in one.items for name in (item.name, *item.also) if item.public and "." not in name]
        if defined:
            facts.append("*Defines* " + ", ".join(f"`{name}`" for name in defined))
        ours = [name for name in one.imports if name.split(".")[0] in ("capability", "spec", "m4alloc")]
        if ours:
            facts.append("*Imports* " + ", ".join(f"`{name}`" for name in ours))
        users = sorted(name for name, other in self.modules.items() if one.name in other.imports)
        if users:
            facts.append("*Imported by* " + ", ".join(f"`{name}`" for name in users))
        return ["\\\n".join(facts)]


def public_names() -> dict[str, str]:
    """The public names of m4alloc, each with the module and the attribute that it is."""
    return {name: target for name, target in vars(m4alloc)["_targets"].items() if target.startswith("m4alloc.")}


def _pair(item: Item) -> list[str]:
    """One item: its heading, and side by side what it says and the code."""
    anchors = [f'<a class="m4-anchor" id="{html.escape(name)}"></a>' for name in (item.name, *item.also) if name]
    text = ["".join(anchors), ""] if anchors else []
    if item.public:
        level = "###" if "." in item.name else "##"
        text += [f"{level} {escape(', '.join((item.name, *item.also)))}", ""]
    prose = [markdown(item.docstring, item.names)] if item.docstring else []
    if not item.public and item.name:
        prose = [f"`{item.name}`{{.m4-private}}", "", *prose]
    language = "cython" if re.search(r"^(cdef|ctypedef|cpdef)\b", item.code, re.MULTILINE) else "python"
    fence = "`" * 8
    return [
        *text,
        "::::::{container} m4-pair",
        *([":::::{container} m4-prose", *prose, ":::::"] if prose else []),
        ":::::{container} m4-code",
        f"{fence}{language}",
        item.code,
        fence,
        ":::::",
        "::::::",
        "",
    ]


def _file(name: str) -> Path:
    path = ROOT.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _shown(file: Path) -> bool:
    return not file.stem.startswith("_") or file.stem == "__init__"


def _short(name: str, package: str) -> str:
    return name.removeprefix(f"{package}.")


def _mirror(one: Module) -> Path | None:
    """The test file that mirrors a module, if there is one."""
    path = Path(one.path)
    for name in (f"test_{path.stem}.py", f"test_{path.stem.lstrip('_')}.py"):
        found = ROOT / "tests" / path.parent / name
        if found.exists():
            return found
    return None


def _layer(name: str) -> tuple[int, str]:
    """The place of a layer of the core in the table of DESIGN.md, bottom-up."""
    return _layers().get(name.rpartition(".")[2], 99), name


def _layers() -> dict[str, int]:
    text = (ROOT / "DESIGN.md").read_text(encoding="utf-8")
    table = text[text.index("## 2. The core") :].split("\n### ")[0]
    names = [name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    return {name: place for place, name in enumerate(names)}
