"""What Sphinx is told: pages written before it looks for pages, figures inlined, names in prose linked to code."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from pygments.lexers.special import TextLexer  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from docs import figures
from docs.machinery.contents import parts, toctree
from docs.machinery.outside import DOCS, FRONT, Outside, keep_only, write
from docs.machinery.reference import Reference
from m4alloc.view.palette import stylesheet
from m4alloc.view.svg import STYLE

GUIDES = DOCS / "guides"
PLAIN = ("heap", "lark", "m4m", "csapp")
"""Languages of code blocks that have no colours."""
_STYLE = re.compile(r"<\?xml.*?\?>\s*|<style>.*?</style>", re.DOTALL)
_state: dict[str, Any] = {}
logger = logging.getLogger(__name__)


def prepare(app: Sphinx) -> None:
    """Draw the figures and write the generated pages."""
    for file in figures.write():
        logger.info("drawn: %s", file.name)
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    outside = Outside()
    for file in sorted(DOCS.rglob("*.md")):
        if not file.is_relative_to(DOCS / "project") and not file.is_relative_to(DOCS / "reference"):
            outside.links(file.read_text(encoding="utf-8"), file, file)
    outside.write()
    guides = {GUIDES / f"{part.slug}.md": _guide(part) for part in parts(index) if part.kind == "Page"}
    for file, text in guides.items():
        write(file, text)
    keep_only(GUIDES, guides)
    reference = Reference()
    reference.write()
    _state.update(outside=outside, reference=reference, captions=captions(index))


def _guide(part: Any) -> str:
    rows = [re.sub(r"\]\(", "](../", row) for row in part.rows]
    pages = [f"../{page}" for page in part.pages]
    return "\n".join([f"# {part.name}", "", "| Page | About |", "|---|---|", *rows, "", toctree(pages), ""])


def read(app: Sphinx, docname: str, content: list[str]) -> None:
    """Links out of docs/ lead to the pages that show what they are about; the first page gets the sidebar's parts."""
    page = DOCS / f"{docname}.md"
    if not docname.startswith(("project/", "reference/")):
        content[0] = _state["outside"].links(content[0], page, page)
    if docname == "index":
        trees = [toctree(pages, caption) for caption, pages in captions(content[0]).items()]
        content[0] += "\n\n" + "\n\n".join(trees) + "\n"


def captions(index: str) -> dict[str, list[str]]:
    """The sidebar: each of its captions, and the pages right below it."""
    found = parts(index)
    tops = {part.name: list(part.pages) for part in found if part.kind == "Chapter"}
    tops["Guides"] = [f"guides/{part.slug}" for part in found if part.kind == "Page"]
    tops["Reference"] = ["reference/index"]
    tops["Project"] = [f"project/{Path(name).stem}" for name in FRONT]
    return tops


def renewed(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Every page when the sidebar has changed, which stands on every page; else no more than Sphinx knows."""
    titles = {page: title.astext() for page, title in env.titles.items() if not page.startswith("reference/")}
    sidebar = repr((_state["captions"], sorted(titles.items())))
    before, env.m4_sidebar = getattr(env, "m4_sidebar", ""), sidebar  # type: ignore[attr-defined]
    return sorted(env.found_docs) if before != sidebar else []


def navigate(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """Give the theme a sidebar of our own: Sphinx's costs four minutes, for it copies three hundred entries a page.

    Below the reference only what leads to the page is unfolded, so that the pages stay small.
    """
    navigation = Navigation(app, pagename)
    context["toctree"] = lambda **_: navigation.html()
    context["metatags"] = f"{context.get('metatags', '')}<style>{stylesheet('body')}{STYLE}</style>"  # for figures


class Navigation:
    """The sidebar as it is on one page."""

    def __init__(self, app: Sphinx, page: str) -> None:
        self.app, self.page = app, page
        self.children = app.env.toctree_includes

    def html(self) -> str:
        """The sidebar, in the form in which Sphinx would write it."""
        lines = []
        for caption, pages in _state["captions"].items():
            lines.append(f'<p class="caption" role="heading"><span class="caption-text">{escape(caption)}</span></p>')
            lines.append(self.entries(pages, 1))
        return "\n".join(lines)

    def entries(self, pages: list[str], level: int) -> str:
        """A list of pages, with those inside them where they are shown."""
        lines = []
        for page in pages:
            leads = self.leads(page)
            current = " current" if leads else ""
            address = "#" if page == self.page else self.app.builder.get_relative_uri(self.page, page)
            link = f'<a class="reference internal{current}" href="{escape(address)}">{escape(self.title(page))}</a>'
            inside = self.children.get(page, []) if leads or not page.startswith("reference") else []
            below = self.entries(inside, level + 1) if inside else ""
            lines.append(f'<li class="toctree-l{level}{current}">{link}{below}</li>')
        return f"<ul>{''.join(lines)}</ul>"

    def leads(self, page: str) -> bool:
        """Whether `page` is the one shown, or that one is inside it."""
        return page == self.page or any(self.leads(child) for child in self.children.get(page, []))

    def title(self, page: str) -> str:
        """What the sidebar calls a page: a module by the last part of its name."""
        title = self.app.env.titles[page].astext() if page in self.app.env.titles else page
        return title.rpartition(".")[2] if page.startswith("reference/") else title


class Examples(SphinxPostTransform):
    """The blank line that ends an example's output, for the test's sake, is not shown."""

    default_priority = 4

    def run(self, **_: Any) -> None:
        """Cut the end off every code block."""
        for block in self.document.findall(nodes.literal_block):
            if block.astext() != block.astext().rstrip() and len(block) == 1:
                text = block.astext().rstrip()
                block.rawsource = text
                block[0] = nodes.Text(text)


class Figures(SphinxPostTransform):
    """An SVG file of ours becomes part of the page, so that it follows the page's switch between light and dark.

    A paragraph in emphasis after it is its caption.
    """

    default_priority = 5
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Inline every figure of the page."""
        here = DOCS / Path(self.env.docname).parent
        for image in list(self.document.findall(nodes.image)):
            file = (here / str(image.get("original_uri", image["uri"]))).resolve()
            if not file.exists():
                file = (DOCS / image["uri"]).resolve()
            paragraph = image.parent
            if file.suffix != ".svg" or not isinstance(paragraph, nodes.paragraph) or len(paragraph) != 1:
                continue
            drawing = nodes.raw("", _STYLE.sub("", file.read_text(encoding="utf-8")), format="html")
            figure = nodes.container(classes=["m4-figure"])
            figure += drawing
            place = paragraph.parent.index(paragraph)
            after = paragraph.parent[place + 1] if place + 1 < len(paragraph.parent) else None
            if isinstance(after, nodes.paragraph) and len(after) == 1 and isinstance(after[0], nodes.emphasis):
                caption = nodes.paragraph(classes=["m4-caption"])
                caption += after[0].children
                figure += caption
                after.parent.remove(after)
            paragraph.replace_self(figure)


class Names(SphinxPostTransform):
    """Code in prose that names a module, a file or something in one leads to its page of the reference."""

    default_priority = 6
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Link every name of the page that the reference knows."""
        reference, builder = _state["reference"], self.env.app.builder
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, nodes.reference | nodes.title) or "m4-private" in literal["classes"]:
                continue
            place = reference.find(literal.astext(), self.env.docname)
            if place is None or (place.page == self.env.docname and not place.anchor):
                continue
            address = builder.get_relative_uri(self.env.docname, place.page) if place.page != self.env.docname else ""
            if place.anchor:
                address = f"{address}#{place.anchor}"
            link = nodes.reference("", "", internal=True, refuri=address, classes=["m4-name"])
            literal.replace_self(link)
            link += literal


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    for name in PLAIN:
        app.add_lexer(name, TextLexer)
    app.connect("builder-inited", prepare)
    app.connect("source-read", read)
    app.connect("env-updated", renewed)
    app.connect("html-page-context", navigate, priority=400)  # before the theme asks for the sidebar
    app.add_post_transform(Examples)
    app.add_post_transform(Figures)
    app.add_post_transform(Names)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
