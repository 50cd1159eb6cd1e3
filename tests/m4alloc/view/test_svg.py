from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view import palette, svg

SVG = "{http://www.w3.org/2000/svg}"


@given(st.text(), st.text())
def test_any_text_survives_writing_and_parsing_as_text_and_as_attribute(content: str, value: str) -> None:
    written = svg.element("text", [content], data_word=value).write()
    parsed = ElementTree.fromstring(written)
    allowed = svg._FORBIDDEN.sub("\ufffd", content).replace("\r\n", "\n").replace("\r", "\n")
    assert (parsed.text or "") == allowed
    # A parser normalises white space in attributes; everything else arrives as it was.
    assert parsed.attrib["data-word"].split() == svg._FORBIDDEN.sub("\ufffd", value).split()


def test_a_name_cannot_smuggle_markup() -> None:
    with pytest.raises(ValueError, match="not a name"):
        svg.element("g onload=x")
    with pytest.raises(ValueError, match="not a name"):
        svg.element("g", (), **{'x="1" onload': "alert(1)"})


@given(st.floats(-1e9, 1e9))
def test_a_coordinate_is_right_to_half_a_hundredth(value: float) -> None:
    text = svg.coordinate(value)
    assert abs(float(text) - value) <= 0.00501
    assert text != "-0" and not text.endswith((".", ".0"))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_coordinate_must_be_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        svg.coordinate(value)


def test_a_path_needs_a_point() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        svg.path([])


def test_a_document_carries_every_colour_it_names_and_a_title() -> None:
    image = svg.picture([svg.element("rect", fill=palette.variable("ink"))], 10, 20, "A & B")
    root = ElementTree.fromstring(svg.document(image))
    style = root.find(f"{SVG}style")
    title = root.find(f"{SVG}title")
    assert style is not None and style.text is not None and "--ink:" in style.text
    assert title is not None and title.text == "A & B"
    assert root.attrib["viewBox"] == "0 0 10 20"


def test_only_a_picture_can_be_a_document() -> None:
    with pytest.raises(ValueError, match="needs an svg element"):
        svg.document(svg.element("g"))


def test_an_unknown_colour_role_is_named() -> None:
    with pytest.raises(KeyError, match="mauve"):
        palette.variable("mauve")
