"""What notebooks show can be read in a browser, in any theme, and within the width of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import m4alloc
from capability.cheri.capability import Capability
from capability.cheri.formats import FORMATS
from capability.memory import TaggedMemory
from capability.mte.picture import TagMap
from capability.mte.protection import MTE
from capability.perms import DATA
from spec.attack import tell, verdict
from spec.history import accept
from spec.ltl.monitor import monitor
from spec.ltl.parser import parse, parse_word
from spec.ltl.translate import translate
from spec.properties import find
from spec.property_verdict import evaluate
from spec.script import check
from spec.script import parse as parse_script
from tests.m4alloc.view.browser import Page, browser, needs_browser

pytestmark = needs_browser
WIDTH = 900
PAGES = {"light": ("#ffffff", "#1f1f1f"), "dark": ("#111111", "#e0e0e0")}
CONTRAST = 3.0
"""Between ink and page, at least: what WCAG 2.1 (1.4.3, 1.4.11) asks for large text and for graphics."""

_READ = """(() => {
  // The colour that the browser paints, through a canvas: it knows color-mix, currentColor and transparency.
  const canvas = document.createElement("canvas"); canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const page = getComputedStyle(document.body).backgroundColor;
  const light = (colour) => {
    context.fillStyle = page; context.fillRect(0, 0, 1, 1);
    context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((one) => {
      const share = one / 255; return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const contrast = (colour) => {
    const [low, high] = [light(page), light(colour)].sort((a, b) => a - b); return (high + 0.05) / (low + 0.05); };
  const found = [];
  for (const one of document.querySelectorAll("text, tspan, td, th, p, pre, b, span")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || one.closest("[data-own-ground]")) continue;
    const style = getComputedStyle(one), svg = one.namespaceURI.endsWith("svg");
    // Text on a ground of its own (a granule's colour) is told from text on the page by its fill attribute.
    if (svg && one.getAttribute("fill") === "#1b1f24") continue;
    const ratio = contrast(svg ? style.fill : style.color);
    if (ratio < LEAST) found.push(`${one.textContent.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  const wide = [...document.querySelectorAll("svg, table, iframe")].filter((one) =>
    one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.textContent.slice(0, 60));
  const near = [...document.querySelectorAll("tr")].some((row) => [...row.cells].some((cell, place) => place &&
    cell.textContent && row.cells[place - 1].textContent && parseFloat(getComputedStyle(cell).paddingLeft) < 4));
  return {found, wide, near}; })()"""


def _shown(folder: Path) -> list[str]:
    """One of everything, as a notebook shows it."""
    with m4alloc.Arena(1 << 20) as arena, arena.record() as events:
        blocks = [arena.malloc(size) for size in (24, 24, 100, 5000)]
        arena.free(blocks[1])
        drawn = [arena._repr_html_(), arena.stats()._repr_html_()]
    memory, mte = TaggedMemory(), MTE()
    pointers = (mte.derive(memory, 0x1000, 40, DATA), mte.derive(memory, 0x1040, 32, DATA))
    mte.retire(memory, pointers[0])
    order = parse("(!access W malloc) && [](free -> X(!access W malloc))")
    broken = "a = malloc 24 -> 0x1000 usable 32\nb = malloc 24 -> 0x1010  ! violates result-disjoint"
    things = [
        events,  # the list that `record` gives draws itself
        accept(events).heap,
        *(Capability.root(format, address=0x1000) for format in FORMATS.values()),
        TagMap(memory, 0x1000, 256, pointers=pointers),
        *(translate(order), monitor(order), parse_word("malloc; cycle{access; 1}"), parse_word("cycle{1}")),
        *(verdict("use-after-reuse-read", "mte-glibc"), tell("use-after-reuse-read", "mte-glibc", seed=1)),
        *(evaluate(find(name), events) for name in ("freed-eventually", "no-double-free")),
        *(parse_script(broken), check(parse_script(broken))),
        m4alloc.Strategy(delay_line=64),
        m4alloc.model("peterson", properties=["enters"]),
        m4alloc.view("tests/scripts/misuse/double-free.heap", output=folder / "heap.html"),
    ]
    return drawn + [one._repr_html_() for one in things]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return _shown(tmp_path_factory.mktemp("shown"))


@pytest.mark.parametrize("theme", PAGES)
def test_everything_can_be_read_on_the_page(page: Page, shown: list[str], tmp_path: Path, theme: str) -> None:
    ground, ink = PAGES[theme]
    style = f"body{{background:{ground};color:{ink};font:14px sans-serif;margin:8px}}"
    body = "\n".join(f"<div>{one}</div>" for one in shown)
    (tmp_path / "all.html").write_text(f"<!doctype html><meta charset=utf-8><style>{style}</style>{body}", "utf-8")
    # The system says the opposite of the page: a notebook's theme is its own.
    page.open(tmp_path / "all.html", width=WIDTH, dark=theme == "light")
    read = page.run(_READ.replace("LEAST", str(CONTRAST)))
    assert read == {"found": [], "wide": [], "near": False}
    assert not page.problems
