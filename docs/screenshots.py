"""The pictures of the explorer that README and docs/view.md show: `python -m docs.screenshots` takes them anew.

They need Chromium, and what is on them depends on the run that was recorded, so they are committed and no test compares
them; tests/m4alloc/view/explorer drives the same pages.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import m4alloc

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1280, 800
SETTLED = (
    "((map) => m4.map.frames.count > 0 && m4.map.coarse === 1 && map.height === map.clientHeight)"
    "(document.getElementById('map-canvas'))"
)
"""The map is drawn in full detail, at the height that what stands below it leaves."""

STALE = """\
# a use after free, and a double free
a = malloc 24
b = malloc 40
store a 0 8
free a
c = malloc 24
load a 0 8
free b
free b
d = malloc 100
"""
PROGRAM = 'my %h; for (1..60000) { $h{$_ % 9000} .= "x" x ($_ % 40); delete $h{$_ * 7 % 9000} if $_ % 3 == 0 }'


def _driver() -> ModuleType:
    """The browser that the tests use."""
    spec = importlib.util.spec_from_file_location("browser", ROOT / "tests" / "m4alloc" / "view" / "browser.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _pages() -> None:
    """Write the pages into the current folder."""
    Path("use-after-free.heap").write_text(STALE)
    m4alloc.view("use-after-free.heap", output="explorer-use-after-free.html")
    m4alloc.view("use-after-free.heap", architectures=["mte"], output="explorer-tags.html")
    m4alloc.record(["perl", "-e", PROGRAM], output="trace")
    m4alloc.view("trace", output="explorer-run.html", title="perl: a hash that grows, shrinks and is rehashed")
    m4alloc.view("trace", allocators=["m4alloc", "system"], output="explorer-two.html", title="perl on two allocators")


def main() -> int:
    """Take all pictures; what is wrong on a page's console ends it with 1."""
    driver = _driver()
    with tempfile.TemporaryDirectory() as folder, _inside(Path(folder)):
        _pages()
        with driver.browser() as page:
            for file in sorted(Path().glob("explorer-*.html")):
                page.open(file, width=WIDTH, height=HEIGHT)
                page.until(SETTLED, timeout=60)
                time.sleep(1.0)  # until the last frame is painted
                page.screenshot(PICTURES / f"{file.stem}.png")
            print("\n".join(page.problems), end="")
            return int(bool(page.problems))


if __name__ == "__main__":
    sys.exit(main())
