"""Pages for what lies outside docs/ and is linked from a page: README, DESIGN, programs, folders.

They are written to docs/project/, where they lie as in the project: docs/project/examples/own_allocator.py.md shows
examples/own_allocator.py. Links between them, and from docs/ to them, are changed to lead there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from docs.machinery import notebook
from docs.machinery.markdown import relinked

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PROJECT = DOCS / "project"
FRONT = ("README.md", "DESIGN.md", "CONTRIBUTING.md", "CHANGELOG.md")
"""What is shown whether a page links to it or not."""

_LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".sh": "sh", ".toml": "toml", ".yml": "yaml", ".json": "json"}
_LANGUAGES |= {".cmake": "cmake", ".html": "html", ".css": "css", ".js": "js", ".pyx": "cython", ".pxd": "cython"}
_LARGEST = 200_000
"""Bytes of a file that is still shown."""


class Outside:
    """The pages outside docs/ that were asked for, and how links to them read."""

    def __init__(self) -> None:
        self.wanted: dict[Path, Path] = {}
        for name in FRONT:
            self.page(ROOT / name)

    def page(self, file: Path) -> Path:
        """The page that shows `file`, which is one outside docs/; it will be written."""
        shown = file / "README.md" if file.is_dir() and (file / "README.md").exists() else file
        name = shown.relative_to(ROOT).as_posix()
        if shown.is_dir():
            name += "/index.md"
        elif shown.suffix != ".md":
            name += ".md"
        self.wanted.setdefault(shown, PROJECT / name)
        return self.wanted[shown]

    def links(self, text: str, original: Path, page: Path) -> str:
        """The text of `original` with its links as they must read in `page`."""

        def change(target: str) -> str:
            name, hash_, anchor = target.partition("#")
            if not name or ":" in name:
                return target
            file = (original.parent / name).resolve()
            if not file.is_relative_to(ROOT) or not file.exists():
                return target  # as it is: Sphinx and the tests say that it leads nowhere
            if not file.is_relative_to(DOCS):
                file = self.page(file)
            return f"{os.path.relpath(file, page.parent)}{hash_}{anchor}"

        return relinked(text, change)

    def write(self) -> list[Path]:
        """Write every page asked for, and those they ask for in turn; return all, and remove what nobody asks for."""
        done: dict[Path, Path] = {}
        while pending := {file: page for file, page in self.wanted.items() if file not in done}:
            for file, page in sorted(pending.items()):
                listed = page.parent == PROJECT and page.name in FRONT
                write(page, ("" if listed else "---\norphan: true\n---\n\n") + self._text(file, page))
                done[file] = page
        keep_only(PROJECT, done.values())
        return sorted(done.values())

    def _text(self, file: Path, page: Path) -> str:
        if file.suffix == ".md":
            return self.links(file.read_text(encoding="utf-8"), file, page)
        if file.suffix == ".ipynb":
            return self.links(notebook.text(file), file, page)
        name = file.relative_to(ROOT).as_posix()
        if file.is_dir():
            inside = sorted(one for one in file.iterdir() if one.name[0] not in "._" and one.is_file())
            rows = [f"- [{one.name}]({os.path.relpath(self.page(one), page.parent)})" for one in inside]
            return f"# {name}/\n\n" + "\n".join(rows) + "\n"
        if file.stat().st_size > _LARGEST:
            return f"# {name}\n\nA file of {file.stat().st_size:,d} bytes, too large to be shown.\n"
        text = file.read_text(encoding="utf-8", errors="replace").rstrip("\n")
        language = _LANGUAGES.get(file.suffix, "text")
        return f"# {name}\n\n``````{{code-block}} {language}\n:linenos:\n\n{text}\n``````\n"


def write(file: Path, text: str) -> None:
    """Write a generated file, unless it holds this already, so that an unchanged page is not built again."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def keep_only(folder: Path, files: Iterable[Path]) -> None:
    """Remove generated pages in `folder` that are not among `files`."""
    wanted = set(files)
    for file in folder.rglob("*.md"):
        if file not in wanted:
            file.unlink()
