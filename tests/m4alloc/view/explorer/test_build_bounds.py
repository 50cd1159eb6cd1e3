"""Addresses and sizes that a browser can hold, and what is said where they were none."""

from __future__ import annotations

from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_bounds import REACH, address_base, bounded
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.sources_script import life_of_script
from spec.event import Event, Function
from spec.script import parse, to_events

FAR = "a = malloc 16 -> 0xfffffffffffff000\nb = malloc 16 -> 0x2000\nc = malloc 16 -> 0x3000\n"


def drawn(text: str) -> Life:
    return life_of_script(parse(text), text=text, title="t")


def test_addresses_too_large_to_draw_are_said_to_be() -> None:
    high = [Event(Function.MALLOC, size=8, result=1 << 60, usable=8)]
    life = bounded(life_of(columns_of_events(high), title="", allocator=""))
    assert life.left_out == "Addresses beyond 0x100000000000000 are drawn as that."


def test_everything_lies_within_reach_of_the_lowest_address() -> None:
    life = drawn(FAR + "free a\nstore 0xffffffffffffe000 0 8\nd = malloc 0x7fffffffffffffff -> 0x5000\nstore b 0 8\n")
    start = address_base(life)
    assert start == 0x2000
    blocks = life.blocks
    assert blocks.base.tolist() == [start + REACH, 0x2000, 0x3000, 0x5000]
    assert (blocks.usable.max(), blocks.size.max(), life.events.size.max()) == (REACH, REACH, REACH)
    assert all(mark.address <= start + REACH and mark.length <= REACH for mark in life.marks)
    assert max(life.size_classes) == REACH
    assert "Addresses beyond 0x8000000002000 are drawn as that. Sizes beyond 2 PiB are drawn as that." in life.left_out


def test_a_mark_far_below_all_blocks_counts_too() -> None:
    life = drawn("a = malloc 16 -> 0xfffffffffffff000\nfree 0x10\n")
    assert address_base(life) == 0
    assert life.blocks.base.tolist() == [REACH]


def test_what_is_within_reach_is_left_as_it_is() -> None:
    told = to_events(parse("a = malloc 16 -> 0x7fffffffe000\nb = malloc 1099511627776 -> 0x2000"))
    life = life_of(columns_of_events(told), title="", allocator="")
    assert bounded(life) is life
