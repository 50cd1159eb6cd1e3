"""The picture is well-formed, names every field, and puts bounds and region where they are."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given

from capability.cheri.capability import Capability
from capability.cheri.formats import FORMATS, MORELLO_128, RISCV_64
from capability.cheri.isa import ISAV9_128
from capability.cheri.move import set_address
from capability.cheri.narrow import set_bounds
from capability.cheri.picture import bounds_fields, picture
from capability.word import mask
from tests.capability.cheri.strategies import formats, garbage

SVG = "{http://www.w3.org/2000/svg}"


def words(capability: Capability) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture(capability)).iter() if element.text]


@given(formats.flatmap(garbage))
def test_anything_that_memory_may_hold_can_be_drawn(capability: Capability) -> None:
    root = ElementTree.fromstring(picture(capability))
    width = float(root.get("viewBox", "").split()[2])
    for box in root.iter(f"{SVG}rect"):
        left, wide = float(box.get("x", "")), float(box.get("width", ""))
        assert left >= 0 and left + wide <= width


@given(formats.flatmap(garbage))
def test_the_parts_of_the_bounds_fill_them_exactly(capability: Capability) -> None:
    format = capability.format
    covered = 0
    for _, field in bounds_fields(format, format.bounds.split(capability.pesbt & mask(format.bounds.width))):
        assert not covered & field.mask
        covered |= field.mask
    assert covered == mask(format.bounds.width)


@pytest.mark.parametrize("format", FORMATS.values(), ids=lambda format: format.name)
def test_every_field_is_named_with_its_value_and_its_bits(format: object) -> None:
    format = next(each for each in FORMATS.values() if each is format)
    root = Capability.root(format)
    text = "\n".join(words(root))
    for name, field in format.fields.items():
        if name != "EBT":
            assert f"{name} = {field.get(root.pesbt):#x}, bits {field.high}" in text
    assert str(root) in text


def test_bounds_region_and_address_are_said_in_words() -> None:
    block = set_bounds(Capability.root(ISAV9_128.format, address=0x20000), 0x8000, ISAV9_128)
    text = words(set_address(block, 0x20100, ISAV9_128))
    assert "bounds [0x20000, 0x28000), 32,768 bytes" in text
    assert "representable [0x1c000, 0x3c000), 131,072 bytes" in text
    assert "address 0x20100" in text


def test_bits_without_bounds_say_so() -> None:
    assert "these bits have no bounds to draw" in words(Capability(RISCV_64, RISCV_64.root | 4, 0, False))


def test_a_notebook_shows_the_picture() -> None:
    root = Capability.root(MORELLO_128, address=0x5A << 56)
    assert root._repr_html_() == picture(root)
    assert "flags = 0x5a, bits 63:56" in words(root)
