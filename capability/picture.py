"""What every picture of this package's values shares: ink that is the page's own, or a page of its own."""

from __future__ import annotations

INK, PAPER = "#1b1f24", "#ffffff"
CARD = f"color:{INK};background:{PAPER};"
"""What makes a picture independent of its page."""


def alone(drawing: str) -> str:
    """The same SVG for where nobody says what page it lies on: dark ink on a white page, whatever is around it.

    drawing: an SVG element whose ink is `currentColor` and whose root has a style.

    >>> alone('<svg style="fill:currentColor">')
    '<svg style="color:#1b1f24;background:#ffffff;fill:currentColor">'
    """
    return drawing.replace('style="', f'style="{CARD}', 1)
