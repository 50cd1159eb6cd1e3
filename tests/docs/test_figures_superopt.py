"""The figures of the chapter on superoptimisation say what the provers say."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("z3")
pytest.importorskip("llvmlite")

from capability.cheri.isa import ISAV9_128
from capability.cheri.move import increment
from docs import figures_superopt
from m4alloc.view.svg import Element


def texts(picture: Element) -> list[str]:
    """Every line of text in a picture, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", picture.write())


def test_what_refines_what_is_an_order() -> None:
    found = figures_superopt.refinements()
    names = list(figures_superopt.BEHAVIOURS)
    assert all(found[name, name] for name in names)
    assert all(
        found[one, last]
        for one in names
        for other in names
        for last in names
        if found[one, other] and found[other, last]
    )
    assert texts(figures_superopt.refinement()).count("allowed") == sum(found.values())


def test_the_shorter_listing_is_proved_under_its_fact_and_refuted_without() -> None:
    said = texts(figures_superopt.listings())
    assert "before: 5 instructions" in said
    assert "after: 2 instructions" in said
    assert (said.count("proved by SMT"), said.count("refuted, with an input")) == (1, 1)


def test_the_region_ends_where_increments_begin_to_lose_the_tag() -> None:
    low, high = figures_superopt.region()
    for address, kept in ((low, True), (low - 1024, False), (high - 1024, True), (high, False)):
        moved = increment(figures_superopt.block(), (address - figures_superopt.BASE) % 2**64, ISAV9_128)
        assert moved.tag == kept
    assert high <= figures_superopt.BASE + figures_superopt.AWAY
