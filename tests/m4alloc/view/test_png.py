"""Our pictures as PNG: the right size, the right colours, and nothing that it cannot draw passed over."""

from __future__ import annotations

import io

import pytest

from m4alloc.view.palette import ROLES
from m4alloc.view.png import png
from m4alloc.view.svg import Element, element, group, path, picture

image = pytest.importorskip("matplotlib.image", reason="pip install 'm4alloc[plot]'")


def colours(drawn: Element) -> set[str]:
    """The colours of a picture's pixels, as #rrggbb."""
    pixels = image.imread(io.BytesIO(png(drawn, scale=1)))
    return {"#" + "".join(f"{round(255 * part):02x}" for part in pixel[:3]) for row in pixels for pixel in row}


def test_a_unit_is_two_pixels() -> None:
    pixels = image.imread(io.BytesIO(png(picture([], 60, 40, "nothing"))))
    assert pixels.shape[:2] == (80, 120)


def test_every_shape_is_drawn_in_the_light_colour_of_its_role() -> None:
    box = element("rect", x=0, y=0, width=30, height=20, fill="var(--series-1)")
    dot = element("circle", cx=45, cy=10, r=8, fill="var(--series-3)")
    wedge = path([(0, 22), (30, 22), (30, 40)], close=True, fill="var(--bad)")
    line = group([element("line", x1=40, y1=30, x2=60, y2=30, stroke_width=6)], stroke="var(--good)")
    seen = colours(picture([box, dot, wedge, line, element("text", "m", x=50, y=25, font_size=30)], 60, 40, "shapes"))
    wanted = {ROLES[role][0] for role in ("page", "series-1", "series-3", "bad", "good", "ink")}
    assert wanted <= seen


def test_what_comes_later_is_drawn_over_what_came_before() -> None:
    whole = {"x": 0, "y": 0, "width": 60, "height": 40}
    line = element("line", x1=0, y1=20, x2=60, y2=20, class_="grid", stroke_width=9)
    seen = colours(picture([line, element("rect", **whole, fill="var(--good)")], 60, 40, "covered"))
    assert seen == {ROLES["good"][0]}


@pytest.mark.parametrize("drawn", [element("ellipse", rx=3), element("path", d="M0 0C1 1 2 2 3 3")])
def test_what_it_cannot_draw_is_an_error(drawn: Element) -> None:
    with pytest.raises(ValueError, match="a PNG "):
        png(picture([drawn], 10, 10, "no"))
