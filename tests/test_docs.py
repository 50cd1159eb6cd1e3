"""The pages: links lead somewhere, every page can be reached, figures are fresh, commands exist, the book builds."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from docs import figures
from docs.machinery.contents import parts
from docs.machinery.core_source import cython_module
from docs.machinery.docstring import markdown
from docs.machinery.markdown import anchors, links, relinked
from docs.machinery.outside import Outside
from docs.machinery.reference import Place, Reference
from docs.machinery.source import module
from m4alloc.cli import UsageError
from m4alloc.cli.main import parse, verbs

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = ("project", "reference", "guides")
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.relative_to(DOCS).parts[0] not in GENERATED) + [
    ROOT / name for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md")
]
PAGES += sorted(page for folder in ("examples", "exercises") for page in (ROOT / folder).rglob("*.md"))
BOOK = sorted((DOCS / "book").glob("*.md"))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def broken_links(page: Path) -> list[str]:
    found = []
    for link in links(text_of(page)):
        if link.external:
            continue
        file = (page.parent / link.file).resolve() if link.file else page
        if not file.exists():
            found.append(f"{named(page)}:{link.line}: no file {link.file}")
        elif link.anchor and file.suffix == ".md" and link.anchor not in anchors(text_of(file)):
            found.append(f"{named(page)}:{link.line}: {named(file)} has no heading #{link.anchor}")
    return found


def test_every_link_leads_to_a_file_and_to_a_heading_in_it() -> None:
    assert [problem for page in PAGES for problem in broken_links(page)] == []


def test_every_page_is_in_the_contents_once() -> None:
    listed = [page for part in parts(text_of(DOCS / "index.md")) for page in part.pages]
    there = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if page.is_relative_to(DOCS)}
    assert sorted(listed) == sorted(there - {"index"})


def test_the_first_page_of_the_book_leads_to_every_chapter() -> None:
    linked = {link.file for link in links(text_of(DOCS / "book" / "index.md"))}
    assert {page.name for page in BOOK} - linked == {"index.md"}


@pytest.mark.slow
def test_every_figure_is_what_its_code_draws() -> None:
    assert figures.stale() == [], "python -m docs.figures"


def test_every_figure_is_shown_with_words_for_those_who_cannot_see_it() -> None:
    shown = [found for page in BOOK for found in re.findall(r"!\[([^\]]*)\]\(_figures/([\w-]+)\.svg", text_of(page))]
    assert {name for _, name in shown} == set(figures.figures())
    assert [name for words, name in shown if len(words) < 20] == []


VERB = re.compile(rf"([A-Z_0-9]+=\S+ )*m4alloc ({'|'.join(map(re.escape, verbs()))})( |$)")


def commands(page: Path) -> list[tuple[str, ...]]:
    """The words of each call of m4alloc that a page shows, without the name and what a table says beside it."""
    blocks = re.findall(r"^```(?:console|sh)?\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [
        call for line in lines if VERB.match(line) and "[-" not in line for call in calls(re.split(r"\s{2,}", line)[0])
    ]


def calls(line: str) -> list[tuple[str, ...]]:
    """The calls of m4alloc in a line of shell, without assignments and what they are joined to.

    >>> calls("A=1 m4alloc ltl sat '!p && q' && m4alloc doctor > out  # what there is")
    [('ltl', 'sat', '!p && q'), ('doctor',)]
    """
    line = re.sub(r"<\([^)]*\)", "PIPE", line)
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in reader:
        if set(word) <= set("();<>|&"):
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_0-9]+=", word):
            found[-1].append(word)
    return [tuple(call[1:]) for call in found if call[:1] == ["m4alloc"]]


def refused(call: tuple[str, ...]) -> str:
    """What the command line says of a call, or "" when it can be read; nothing is run."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parse(call)
    except SystemExit:
        return f"m4alloc {shlex.join(call)}: {said.getvalue().strip().splitlines()[-1]}"
    except UsageError as error:  # a value that its option refuses
        return f"m4alloc {shlex.join(call)}: {error}"
    return ""


def test_every_command_on_a_page_names_a_verb_and_options_that_there_are() -> None:
    every = [(named(page), call) for page in PAGES for call in commands(page)]
    assert len({page for page, _ in every}) > 20
    assert [(page, problem) for page, call in sorted(set(every)) if (problem := refused(call))] == []
    assert refused(("check", "./libmine.so", "--fast")).endswith("unrecognized arguments: --fast")
    assert refused(("check", "--budget", "5y")).endswith("2h and 250ms are")


def test_a_link_in_code_is_none() -> None:
    text = "`[](malloc -> <>free)` and [a](b.md)\n\n```\n[c](d.md)\n```\n"
    assert [link.target for link in links(text)] == ["b.md"]
    assert relinked(text, str.upper) == text.replace("b.md", "B.MD")


def test_links_out_of_the_pages_lead_to_pages_that_show_what_they_are_about() -> None:
    outside, page = Outside(), DOCS / "adi.md"
    assert outside.links("[design](../DESIGN.md#x) [tags](mte.md)", page, page) == (
        "[design](project/DESIGN.md#x) [tags](mte.md)"
    )
    shown = outside.links("[a](../examples/own_allocator.py)", page, page)
    assert shown == "[a](project/examples/own_allocator.py.md)"


def test_what_a_docstring_says_reads_the_same_as_markdown() -> None:
    said = "Whether `a` is [](x -> y) *or* m4_b.\n\n    code * here\n\nSee this.  Cost: O(1).\n\n>>> 1 < 2\nTrue"
    assert markdown(said) == (
        "Whether `a` is \\[\\]\\(x \\-\\> y\\) \\*or\\* m4\\_b.\n\n```text\ncode * here\n```\n\nSee this.\n\n"
        "{.m4-fact}\n*Cost* O\\(1\\).\n\n```python\n>>> 1 < 2\nTrue\n```"
    )


PYTHON = '''"""What it is."""
import os

LIMIT = 3
"""How many."""

_A = 1
_B = 2


class Heap:
    """A heap.

    size: bytes.
    """

    size: int = 0

    # why
    @property
    def top(self) -> int:
        """Its end.

        >>> 1
        1
        """
        return self.size
'''
CYTHON = '''# cython: language_level=3
"""What it is."""

from libc.stdint cimport uint64_t

cdef enum:
    MOST = 3

cdef public void *m4_take "m4_take"(size_t size) noexcept nogil:
    """Take some."""
    return NULL

cdef class Arena:
    """A heap."""

    cdef size_t size

    @property
    def closed(self):
        """Whether."""
        return self.size == 0
'''


def test_a_module_is_told_item_by_item_without_what_its_docstrings_say(tmp_path: Path) -> None:
    (tmp_path / "heap.py").write_text(PYTHON, encoding="utf-8")
    told = module(tmp_path / "heap.py", tmp_path)
    assert [(item.kind, item.name, item.docstring.split(".")[0]) for item in told.items] == [
        ("constant", "LIMIT", "How many"),
        ("constant", "_A", ""),
        ("class", "Heap", "A heap"),
        ("method", "Heap.top", "Its end"),
    ]
    assert told.items[1].code == "_A = 1\n_B = 2"
    assert (told.items[2].code, told.items[2].names) == ("class Heap:\n    size: int = 0", ("size",))
    assert told.items[3].code == "# why\n@property\ndef top(self) -> int:\n    return self.size"
    assert (told.docstring, told.imports) == ("What it is.", ("os",))


def test_a_cython_file_is_told_in_the_same_way(tmp_path: Path) -> None:
    (tmp_path / "heap.pxd").write_text(CYTHON, encoding="utf-8")
    told = cython_module(tmp_path / "heap.pxd", tmp_path)
    assert [(item.name, item.docstring) for item in told.items] == [
        ("", ""),
        ("m4_take", "Take some."),
        ("Arena", "A heap."),
        ("Arena.closed", "Whether."),
    ]
    assert told.items[1].names == ("size",)
    assert told.items[2].code == "cdef class Arena:\n    cdef size_t size"
    assert told.items[3].code.splitlines()[0] == "@property"


def test_the_reference_has_every_module_of_the_specification_and_every_public_name() -> None:
    reference = Reference()
    files = [file for top in ("capability", "spec") for file in (ROOT / top).rglob("*.py")]
    missing = [named(file) for file in files if file.stem[0] != "_" and named(file) not in reference.places]
    assert missing == []
    assert [name for name in reference.public if f"m4alloc.{name}" not in reference.places] == []
    assert reference.find("Heap.insert", "reference/spec/heap") == Place("reference/spec/heap", "Heap.insert")
    assert reference.find("slot_state", "reference/m4alloc/_core/slot") is not None
    assert reference.find("nothing.of.ours") is None


@pytest.mark.campaign
@pytest.mark.skipif(importlib.util.find_spec("sphinx") is None, reason="pip install m4alloc[docs]")
def test_the_book_builds_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "trees")]
    done = subprocess.run([*words, "docs", str(tmp_path / "html")], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    heap = (tmp_path / "html" / "reference" / "spec" / "heap.html").read_text(encoding="utf-8")
    assert 'id="Heap.insert"' in heap
    assert "m4-pair" in heap
