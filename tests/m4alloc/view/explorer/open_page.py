"""Lives shown in the one tab that a file of tests has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.page import page
from tests.m4alloc.view.browser import Page

DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
WINDOW = {"width": 960, "height": 660}
"""Drawn in half the time of 1280 by 800, and arranged in the same way."""


class Opener:
    """Opens lives in the tab.

    Half of a test's time would be the opening, so that a page which is open already is only told to begin again, as
    by a link.
    """

    def __init__(self, tab: Page, directory: Path) -> None:
        self.tab, self._file = tab, directory / "page.html"
        self._shown: tuple[str, dict[str, int]] = "", {}

    def open(self, lives: Sequence[Life], *, hash: str = "", **window: int) -> None:
        """Show the lives, as the link's hash says, in a window of this width and height."""
        tab, wanted = self.tab, (page(lives), WINDOW | window)
        if wanted == self._shown and not tab.run("document.documentElement.dataset.theme"):
            tab.run(f"m4.open(m4.store.state.lives, {hash!r})")
        else:
            self._file.write_text(wanted[0], encoding="utf-8")
            tab.open(self._file, width=wanted[1]["width"], height=wanted[1]["height"])
            tab.until("m4.map.frames.count > 0 || document.querySelector('.failed')")
            if hash:
                tab.run(f"location.hash = {hash!r}")
        self._shown = wanted
        tab.run(DRAWN)


def ungrouped(text: str) -> str:
    """The text with its numbers in one piece: 31,722 as 31722.

    >>> ungrouped("31,722 blocks, 8 B")
    '31722 blocks, 8 B'
    """
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)
