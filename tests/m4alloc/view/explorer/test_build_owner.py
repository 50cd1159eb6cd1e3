"""Whose an access or a misuse is: the live block's, else that of the last that lay there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_columns import columns_of_events
from spec.event import Event, Function
from spec.heap import Block, Heap
from spec.script import parse, to_events


def owners(text: str) -> tuple[list[int], list[int]]:
    life = life_of(columns_of_events(to_events(parse(text))), title="", allocator="")
    return life.events.block.tolist(), life.events.offset.tolist()


def test_an_access_is_of_the_block_that_holds_its_address() -> None:
    block, offset = owners("a = malloc 24 -> 0x1000 usable 32\nstore a 8 4\nload a 31 1\nload 0x1020 0 8")
    assert block == [0, 0, 0, -1]
    assert offset == [0, 8, 31, 0]


def test_an_access_after_free_is_of_the_block_that_was_freed_last() -> None:
    text = "a = malloc 24 -> 0x1000\nfree a\nb = malloc 24 -> 0x1000\nfree b\nload a 4 1\nfree b"
    assert owners(text) == ([0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 4, 0])


def test_an_access_through_an_old_pointer_is_of_the_block_that_lives_there_now() -> None:
    assert owners("a = malloc 24 -> 0x1000\nfree a\nb = malloc 24 -> 0x1000\nstore a 4 1")[0] == [0, 0, 1, 1]


def test_a_label_is_of_the_block_that_it_is_about() -> None:
    events = [
        Event(Function.MALLOC, size=24, result=0x1000),
        Event(Function.LABEL, address=0x1008, label="about it"),
        Event(Function.LABEL, label="about none"),
    ]
    life = life_of(columns_of_events(events), title="", allocator="")
    assert life.events.block.tolist() == [0, 0, -1]
    assert [(mark.event, mark.block, mark.name) for mark in life.marks] == [(1, 0, "about it"), (2, -1, "about none")]


@given(st.lists(st.tuples(st.sampled_from("mMfFlu"), st.integers(0, 11)), max_size=40))
def test_owners_are_those_that_the_readable_heap_finds(plan: list[tuple[str, int]]) -> None:
    """m, M: malloc of 32 or 80 bytes at one of twelve places where it overlaps nothing; f, F: frees; l: a load around
    there; u: malloc_usable_size of what is, or was, there."""
    heap, events, wanted, blocks = Heap(), list[Event](), list[int](), dict[int, int]()

    def found(address: int) -> int:
        grave = heap.grave(address)
        block = heap.lookup(address) or (grave.block if grave else None)
        return blocks[block.id] if block else -1

    for kind, slot in plan:
        base = 0x1000 + 32 * slot
        size = 80 if kind == "M" else 32
        if kind in "mM" and not heap.overlapping(base, base + size):
            blocks[heap.insert(Block(base, size, size)).id] = len(blocks)
            events.append(Event(Function.MALLOC, size=size, result=base, usable=size))
            wanted.append(len(blocks) - 1)
        elif kind in "fF" and base in heap.live:
            events.append(Event(Function.FREE, address=base))
            wanted.append(blocks[heap.remove(base, len(events)).id])
        elif kind in "lu":
            address = base + 7 if kind == "l" else base
            wanted.append(found(address))
            events.append(Event(Function.LOAD if kind == "l" else Function.USABLE_SIZE, address=address, size=1))
    life = life_of(columns_of_events(events), title="", allocator="")
    assert life.events.block.tolist() == wanted
