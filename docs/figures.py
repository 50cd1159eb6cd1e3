"""The book's figures: drawn by the project's own code, each under a name.

How to add one. In docs/figures_SUBJECT.py write a function without arguments that returns a picture, and name it:

    from docs.figures import figure
    from m4alloc.view.svg import Element, element, picture

    @figure("mte-granules")                        # becomes docs/book/_figures/mte-granules.svg
    def granules() -> Element:
        return picture([...], 720, 120, "Title for readers who cannot see it")

Every docs/figures_*.py is found by its name. In the chapter: a paragraph that is an image alone, then a paragraph that
is emphasis alone, its caption:  `![What is to be seen](_figures/mte-granules.svg)`  and  `*Each granule has a tag.*`
Write the file with `python -m docs.figures mte-granules`; without names all are written; `--check` says which are
stale. Colours are roles (`m4alloc.view.palette.variable("accent")`), so that light and dark pages both work. Draw the
same bytes on every machine (no clock, no addresses of the process, no unseeded chance), at most 80 kB.

The files are committed, so that the chapters are whole on GitHub; every build draws them anew, and a test says which
are stale. In the built book they are inlined, and follow the page's own switch between light and dark.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from m4alloc.view.svg import Element, document

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "book" / "_figures"
LARGEST = 80_000
"""Bytes that a figure may have: they are committed, and inlined in pages."""

Draw = Callable[[], Element]
_FIGURES: dict[str, Draw] = {}


def figure(name: str) -> Callable[[Draw], Draw]:
    """Name the function that draws a figure.

    Raises ValueError when another function has the name.

    >>> @figure("an-example")
    ... def draw() -> Element:
    ...     return Element("svg")
    >>> _FIGURES.pop("an-example") is draw
    True
    """

    def register(draw: Draw) -> Draw:
        if name in _FIGURES and _FIGURES[name].__qualname__ != draw.__qualname__:
            raise ValueError(f"two figures are called {name}: {_FIGURES[name].__module__} and {draw.__module__}")
        _FIGURES[name] = draw
        return draw

    return register


def figures() -> dict[str, Draw]:
    """Every figure of docs/figures_*.py, by name."""
    for module in sorted(DOCS.glob("figures_*.py")):
        importlib.import_module(f"docs.{module.stem}")
    return dict(sorted(_FIGURES.items()))


def draw(name: str) -> str:
    """The text of a figure's file.

    Raises KeyError for a name that there is none of, ValueError when the text is too large to be committed.
    """
    found = figures()
    if name not in found:
        raise KeyError(f"no figure {name!r}; there are {', '.join(found)}")
    text = document(found[name]())
    if len(text.encode()) > LARGEST:
        raise ValueError(f"figure {name} has {len(text.encode()):,d} bytes; at most {LARGEST:,d} are committed")
    return text


def stale() -> list[str]:
    """The names of figures whose files are missing or not what is drawn, and of files that nobody draws."""
    wrong = [name for name in figures() if not _same(FOLDER / f"{name}.svg", draw(name))]
    return sorted({*wrong, *(file.stem for file in FOLDER.glob("*.svg") if file.stem not in figures())})


def write(names: Sequence[str] = ()) -> list[Path]:
    """Draw the figures named, or all, and return the files that have changed."""
    FOLDER.mkdir(exist_ok=True)
    changed = []
    for name in names or figures():
        file, text = FOLDER / f"{name}.svg", draw(name)
        if not _same(file, text):
            file.write_text(text, encoding="utf-8")
            changed.append(file)
    return changed


def _same(file: Path, text: str) -> bool:
    return file.exists() and file.read_text(encoding="utf-8") == text


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m docs.figures [--check] [NAME ...]`: 0, or 1 when --check finds a file that is stale."""
    parser = argparse.ArgumentParser(prog="python -m docs.figures", description="draw the book's figures")
    parser.add_argument("names", nargs="*", metavar="NAME", help="figures to draw; without: all")
    parser.add_argument("--check", action="store_true", help="write nothing; say which files are stale")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in figures()]
    if unknown:
        parser.error(f"no figure {unknown[0]!r}; there are {', '.join(figures())}")
    if arguments.check:
        wrong = [name for name in stale() if not arguments.names or name in arguments.names]
        print("\n".join(f"{name}: stale; python -m docs.figures {name}" for name in wrong) or "every figure is fresh")
        return int(bool(wrong))
    for file in write(arguments.names):
        print(file)
    return 0


if __name__ == "__main__":
    from docs.figures import main as the_main  # the module that the others register with, not this copy of it

    sys.exit(the_main())
